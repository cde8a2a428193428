"""Reading lvs.cf, and replacing it under a lock: the whole old file or the whole new one, never a piece.

No decisions stand here: what to write is the keeper's business (`engine.keeper`).
"""

import fcntl
import grp
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from piranha.errors import ConfigUnavailable
from piranha.paths import Paths
from piranha.system.files import write_atomically

OWNERSHIP = "owner root, group piranha, mode 0640"


def read(path: Path) -> bytes | None:
    """Return the bytes of the file, None if there is none. Raises ConfigUnavailable where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigUnavailable(
            f"{path} cannot be read ({error.strerror}). It should have {OWNERSHIP}; as root: "
            f"chown root:piranha {path} && chmod 0640 {path}"
        ) from error


def write(paths: Paths, path: Path, raw: bytes) -> None:
    """Replace the file (mode and owner of an existing one are kept). Raises ConfigUnavailable; the old file stays."""
    if path.exists():
        write_atomically(path, raw)
    elif paths.is_system:
        write_atomically(path, raw, mode=0o640, owner=(0, piranha_gid()))
    else:
        write_atomically(path, raw, mode=0o600)


@contextmanager
def locked(paths: Paths) -> Iterator[None]:
    """Hold the lock that every writer of lvs.cf takes. Raises ConfigUnavailable if the state folder is not usable."""
    try:
        paths.state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(paths.state / "lvs.cf.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigUnavailable(f"{paths.state} cannot be used ({error.strerror}); nothing can be saved.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def piranha_gid() -> int:
    """Return the gid of the group `piranha`, or root's where there is no such group."""
    try:
        return grp.getgrnam("piranha").gr_gid
    except KeyError:
        return 0

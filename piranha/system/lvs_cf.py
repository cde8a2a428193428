"""Reading lvs.cf, and replacing it under a lock: the whole old file or the whole new one, never a piece.

No decisions stand here: what to write is the keeper's business (`engine.keeper`).
"""

import fcntl
import grp
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from piranha.errors import ConfigUnavailable
from piranha.paths import Paths
from piranha.system.files import write_atomically

OWNERSHIP = "owner root, group piranha, mode 0640"

BYTES_MAX = 64 * 1024 * 1024
"""No lvs.cf is that long; something else was put there by mistake."""


def read(path: Path) -> bytes | None:
    """Return the bytes of the file, None if there is none. Raises ConfigUnavailable where it cannot be read."""
    try:
        # Non-blocking: opening a FIFO would wait for its writer, and with it everything that waits for us.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise ConfigUnavailable(f"{path} is not a file. Move away what stands there.")
            if status.st_size > BYTES_MAX:
                raise ConfigUnavailable(f"{path} has {status.st_size} bytes; more than {BYTES_MAX} are not read.")
            with open(handle, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(handle)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise ConfigUnavailable(
            f"{path} cannot be read ({error.strerror}). It should have {OWNERSHIP}; as root: "
            f"chown root:piranha {path} && chmod 0640 {path}"
        ) from error
    except OSError as error:
        raise ConfigUnavailable(f"{path} cannot be read ({error.strerror}).") from error


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

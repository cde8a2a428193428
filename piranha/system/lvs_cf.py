"""Reading lvs.cf, and replacing it under a lock: the whole old file or the whole new one, never a piece.

No decisions stand here: what to write is the keeper's business (`engine.keeper`).
"""

import grp
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from piranha.config.load import decode
from piranha.errors import ConfigConflict, ConfigUnavailable
from piranha.paths import Paths
from piranha.system.files import held_lock, write_atomically

OWNERSHIP = "owner root, group piranha, mode 0640"

BYTES_MAX = 64 * 1024 * 1024
"""No lvs.cf is that long; something else was put there by mistake."""


MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Look:
    """A file at one moment: its bytes (None: there is none), and whose writing that is.

    `stamp` is another one after every write and every rename over the name, even if the bytes are the same again;
    MISSING where there is no file. `changed_at` is the file's mtime, seconds since 1970.
    """

    raw: bytes | None
    stamp: str
    changed_at: float


def read(path: Path) -> bytes | None:
    """Return the bytes of the file, None if there is none. Raises ConfigUnavailable where it cannot be read."""
    return look(path).raw


def stamp(path: Path) -> str:
    """Return the stamp of the file (see Look) without reading it; what cannot be asked counts as missing."""
    try:
        return _stamp(path.stat())
    except OSError:
        return MISSING


def look(path: Path) -> Look:
    """Return the file as it is now. Raises ConfigUnavailable where it cannot be read."""
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
                return Look(file.read(), _stamp(status), status.st_mtime)
        finally:
            os.close(handle)
    except FileNotFoundError:
        return Look(None, MISSING, 0.0)
    except PermissionError as error:
        raise ConfigUnavailable(
            f"{path} cannot be read ({error.strerror}). It should have {OWNERSHIP}; as root: "
            f"chown root:piranha {path} && chmod 0640 {path}"
        ) from error
    except OSError as error:
        raise ConfigUnavailable(f"{path} cannot be read ({error.strerror}).") from error


def write(paths: Paths, path: Path, raw: bytes) -> None:
    """Replace the file (mode and owner of an existing one are kept). Raises ConfigUnavailable; the old file stays."""
    if paths.is_system:
        write_atomically(path, raw, new_mode=0o640, new_owner=(0, piranha_gid()))
    else:
        write_atomically(path, raw)


def replace(paths: Paths, was: bytes | None, raw: bytes) -> None:
    """Replace an lvs.cf that says `was` (None: there is none). An editor knows no lock, so it is looked at once more.

    Raises ConfigConflict if it says something else meanwhile; ConfigUnavailable; files.NotConfirmed if the new text
    stands there and may not outlive a power cut.
    """

    def still_so() -> None:
        present = read(paths.lvs_cf)
        if present != was:
            raise ConfigConflict("", decode(present or b""))

    owner = (0, piranha_gid()) if paths.is_system else None
    mode = 0o640 if paths.is_system else 0o600
    write_atomically(paths.lvs_cf, raw, new_mode=mode, new_owner=owner, before_rename=still_so)


@contextmanager
def locked(paths: Paths) -> Iterator[None]:
    """Hold the lock that every writer of lvs.cf takes. Raises ConfigUnavailable if the state folder is not usable."""
    file = paths.state / "lvs.cf.lock"
    try:
        paths.state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigUnavailable(f"{paths.state} cannot be used ({error.strerror}); nothing can be saved.") from error
    with held_lock(descriptor, file):
        yield


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_ino}:{status.st_mtime_ns}:{status.st_size}"


def piranha_gid() -> int:
    """Return the gid of the group `piranha`, or root's where there is no such group."""
    try:
        return grp.getgrnam("piranha").gr_gid
    except KeyError:
        return 0

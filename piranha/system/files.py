"""Replace a file as a whole, so that at any moment, power cuts included, it is the old one or the new one.

The order is the point: a new file beside the old one, its bytes on the disk, *then* the name moved over, then
the folder on the disk. Owner and mode are right before the name moves, so nobody ever sees the text under a
wider mode.
"""

import errno
import fcntl
import glob
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from piranha.errors import ConfigUnavailable

NEW_FILE_MODE = 0o600
_UNFINISHED = ".new"


class NotConfirmed(ConfigUnavailable):
    """The new file stands there, but the disk did not say that it would after a power cut. `reason`: the system's."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} was written, but the disk did not confirm it ({reason}); "
            "it may be the old one after a power cut. Look at the disk, then save again."
        )
        self.reason = reason


def write_atomically(
    path: Path,
    data: bytes,
    *,
    mode: int | None = None,
    owner: tuple[int, int] | None = None,
    folder_mode: int | None = None,
    new_mode: int = NEW_FILE_MODE,
    new_owner: tuple[int, int] | None = None,
    before_rename: Callable[[], None] | None = None,
) -> None:
    """Replace the file at `path` by `data`, or make it.

    `mode` and `owner` (uid, gid) are what the file has afterwards; None keeps those of the file there,
    and gives a new one `new_mode` and `new_owner` (None: the process's own). `folder_mode`: make missing folders, with
    that mode and `owner`; None: a missing folder is an error. A symbolic link stays and the file it leads to is
    replaced, if root or this user made the link. `before_rename` looks once more right before the name moves; what it
    raises stops everything.

    Raises ConfigUnavailable with what to do; the old file is untouched then, and nothing is left beside it. Only
    NotConfirmed means that the new file stands there.
    """
    try:
        target = _behind_link(path)
        if folder_mode is not None:
            _make_folders(target.parent, folder_mode, owner)
        old = _status(target)
        if old is not None and not stat.S_ISREG(old.st_mode):
            raise ConfigUnavailable(f"{path} is not a file. Move away what stands there.")
        if mode is None:
            mode = stat.S_IMODE(old.st_mode) if old is not None else new_mode
        if owner is None:
            owner = (old.st_uid, old.st_gid) if old is not None else new_owner
        _replace(target, data, mode, owner, before_rename)
    except OSError as error:
        raise ConfigUnavailable(_sentence(path, error)) from error
    try:
        sync_folder(target.parent)
    except OSError as error:
        raise NotConfirmed(path, error.strerror or str(error)) from error


def remove(path: Path) -> None:
    """Remove a file, so that it stays removed after a power cut; none there is fine. Raises ConfigUnavailable."""
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise ConfigUnavailable(f"Cannot remove {path}: {error.strerror or error}.") from error


def remove_unfinished(path: Path) -> None:
    """Remove what writers of `path` left beside it when they were killed. To be called where none can be at work."""
    try:
        target = path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return
    _remove(target.parent, f".{glob.escape(target.name)}.*{_UNFINISHED}")


def remove_unfinished_in(folder: Path) -> None:
    """Remove what killed writers left in a folder that is ours alone."""
    _remove(folder, f".*{_UNFINISHED}")


def _remove(folder: Path, pattern: str) -> None:
    with suppress(OSError):  # it is in nobody's way
        for left in folder.glob(pattern):
            left.unlink()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the one lock of a folder while its files are read and replaced; waits for whoever has it.

    The lock is on the folder itself: no lock file stays, and a killed process lets go. It orders our own
    processes only. Raises ConfigUnavailable if the folder cannot be opened.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigUnavailable(f"Cannot lock the folder {folder}: {error.strerror}.") from error
    with held_lock(handle, folder):
        yield


@contextmanager
def held_lock(handle: int, path: Path) -> Iterator[None]:
    """Hold the lock of an open file or folder, and close it behind that. Raises ConfigUnavailable, naming `path`."""
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            raise ConfigUnavailable(f"Cannot lock {path}: {error.strerror}. Nothing was changed.") from error
        yield
    finally:
        with suppress(OSError):  # closed it is, whatever it answers
            os.close(handle)


def make_folder(folder: Path, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Make a folder and the missing ones above it, all with that mode and owner; those that exist stay.

    Raises ConfigUnavailable.
    """
    try:
        _make_folders(folder, mode, owner)
    except OSError as error:
        raise ConfigUnavailable(_sentence(folder, error)) from error


def _replace(
    target: Path, data: bytes, mode: int, owner: tuple[int, int] | None, before_rename: Callable[[], None] | None
) -> None:
    # mkstemp opens with O_EXCL and 0600: no link can wait under the new name, and nobody reads it early.
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=_UNFINISHED, dir=target.parent)
    fresh = Path(name)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a handle, not a path
            file.write(data)
            file.flush()
            status = os.fstat(handle)
            if owner is not None and owner != (status.st_uid, status.st_gid):
                os.fchown(handle, *owner)
            os.fchmod(handle, mode)  # after the owner: a change of owner may take mode bits away
            os.fsync(handle)
        if before_rename is not None:
            before_rename()
        fresh.replace(target)
    except BaseException:
        with suppress(OSError):  # what went wrong first is what counts; the next start removes it
            fresh.unlink(missing_ok=True)
        raise


def _behind_link(path: Path) -> Path:
    """Return where the file is. A link that another user may have planted is not followed."""
    if not path.is_symlink():
        return path
    if path.lstat().st_uid not in (0, os.geteuid()):
        raise ConfigUnavailable(
            f"{path} is a symbolic link that neither root nor this user made. Remove it, or make it as root."
        )
    try:
        return Path(os.path.realpath(path, strict=True))
    except FileNotFoundError:
        return Path(os.path.realpath(path))


def _make_folders(folder: Path, mode: int, owner: tuple[int, int] | None) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        try:
            made.mkdir(mode=0o700)
        except FileExistsError:
            continue
        if owner is not None and owner != (os.geteuid(), os.getegid()):
            os.chown(made, *owner)
        made.chmod(mode)
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems keep folders safe by themselves and say so this way
            raise
    finally:
        os.close(handle)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _sentence(path: Path, error: OSError) -> str:
    what = f"Cannot write {path}"
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return f"{what}: the folder {path.parent} does not exist. Make it, or give another --root."
        case errno.EACCES | errno.EPERM:
            return f"{what}: permission denied. Run this as root, or as the owner of it and of {path.parent}."
        case errno.ENOSPC | errno.EDQUOT:
            return f"{what}: the disk is full. The old file is untouched; free some space and try again."
        case errno.EROFS:
            return f"{what}: the file system is read-only. The old file is untouched."
        case _:
            return f"{what}: {error.strerror or error}. The old file is untouched."

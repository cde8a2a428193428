"""A configuration file that no engine owns: replace it only if it still is what was read.

Our own programs take turns on the lock of the folder. An editor knows no lock, so the bytes are compared once more
right before the new file takes the old one's name.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from piranha.config.load import decode
from piranha.errors import ConfigConflict, ConfigUnavailable
from piranha.paths import Paths
from piranha.system import files, lvs_cf, regular_file, unix_socket


@contextmanager
def held(path: Path, owner: Paths | None) -> Iterator[None]:
    """Keep other writers of ours away from a file while it is read and replaced.

    `owner`: the root whose lvs.cf the file is, if it is one, so that an engine that starts just now waits too.
    Raises ConfigUnavailable.
    """
    with ExitStack() as locks:
        locks.enter_context(files.locked(Path(os.path.realpath(path)).parent))
        if owner is not None and owner.state.is_dir():
            locks.enter_context(lvs_cf.locked(owner))
        yield


def replace(path: Path, was: bytes, now: bytes) -> None:
    """Put `now` into the place of a file that says `was`; mode, owner and a symbolic link stay.

    Raises ConfigConflict if it says something else meanwhile, ConfigUnavailable if it cannot be written.
    """
    present = regular_file.read(path)
    if present != was:
        raise ConfigConflict("", decode(present))
    files.write_atomically(path, now)


def create(path: Path, data: bytes) -> None:
    """Make a file that is not there yet, for its owner alone. Raises ConfigUnavailable."""
    if path.exists() or path.is_symlink():
        raise ConfigUnavailable(f"{path} exists already; nothing was changed.")
    files.write_atomically(path, data)


def owner_of(path: Path, usual: Paths) -> Paths | None:
    """Return the root whose lvs.cf this file is, under whatever name, None if it is an ordinary file.

    `usual` is the root that the command is for; any other is known by the end of the path.
    """
    try:
        if path.samefile(usual.lvs_cf):
            return usual
    except OSError:
        pass  # one of the two is not there
    real = Path(os.path.realpath(path))
    root = Path(*real.parts[:-4])
    return Paths(root) if len(real.parts) > 4 and Paths(root).lvs_cf == real else None


def has_engine(owner: Paths) -> bool:
    """Say whether an engine answers at a root."""
    return unix_socket.is_answered(owner.socket)

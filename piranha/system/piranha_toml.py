"""piranha.toml on the disk: read, and replaced together with lvs.cf. What it means is `piranha.config.extensions`'s.

Two files cannot be replaced at one moment. So the old piranha.toml keeps a second name beside it while lvs.cf is being
replaced, and that name says which lvs.cf the new one belongs to: an engine that finds it at its start sees which of the
two counts. Giving the old one back is a rename, which a full disk does not refuse.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from piranha.config.extensions import Extensions, read
from piranha.config.model import VirtualServer
from piranha.errors import ConfigConflict, ConfigUnavailable
from piranha.paths import Paths
from piranha.system import files, lvs_cf, regular_file
from piranha.system.files import NotConfirmed

_KEPT = re.compile(r"\.piranha\.toml\.(before|absent)-([0-9a-f]{64})")


def load(
    paths: Paths, beside: tuple[float, float] | None = None, virtuals: Sequence[VirtualServer] | None = None
) -> Extensions | None:
    """Return what piranha.toml says, with its faults; None if there is none. Raises ConfigUnavailable.

    `beside`, `virtuals`: as in `config.extensions.read`.
    """
    raw = bytes_of(paths)
    return None if raw is None else read(raw, beside, virtuals)


def bytes_of(paths: Paths) -> bytes | None:
    """Return the bytes of piranha.toml, None if there is none. Raises ConfigUnavailable."""
    try:
        paths.piranha_toml.lstat()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ConfigUnavailable(f"{paths.piranha_toml} cannot be read: {problem.strerror}.") from problem
    return regular_file.read(paths.piranha_toml)


def write(paths: Paths, was: bytes | None, now: bytes) -> None:
    """Put `now` into the place of a piranha.toml that says `was` (None: there is none), owner and mode stay.

    Raises ConfigConflict if it says something else meanwhile, ConfigUnavailable; the old file stays.
    """

    def still_so() -> None:
        if bytes_of(paths) != was:
            raise ConfigConflict("piranha.toml", "")

    owner = (0, lvs_cf.piranha_gid()) if paths.is_system else None
    mode = 0o640 if paths.is_system else 0o600
    files.write_atomically(paths.piranha_toml, now, new_mode=mode, new_owner=owner, before_rename=still_so)


@contextmanager
def replaced(paths: Paths, was: bytes | None, now: bytes, token: str) -> Iterator[None]:
    """Have `now` in the place of `was` while the lvs.cf of this token is written inside; the old one if that fails.

    Raises ConfigConflict and ConfigUnavailable as `write`.
    """
    if paths.piranha_toml.is_symlink():
        raise ConfigUnavailable(f"{paths.piranha_toml} is a symbolic link, which a sync does not write through.")
    kept = _kept_name(paths, was, token)
    try:
        if was is None:
            kept.touch(mode=0o600)
        else:
            os.link(paths.piranha_toml, kept)
    except OSError as error:
        raise ConfigUnavailable(f"{paths.piranha_toml} cannot be replaced: {error.strerror}.") from error
    try:
        write(paths, was, now)
        yield
    except NotConfirmed:
        _forget(kept)
        raise
    except BaseException:
        _give_back(paths, kept)
        raise
    _forget(kept)


def settle(paths: Paths, token: str) -> str:
    """Decide which piranha.toml counts if a killed engine left two; `token` is that of lvs.cf. Return what was done."""
    told = ""
    with suppress(OSError):
        for kept in sorted(paths.piranha_toml.parent.iterdir()):
            found = _KEPT.fullmatch(kept.name)
            if found is None:
                continue
            if found[2] == token:
                _forget(kept)
            else:
                _give_back(paths, kept)
                told = f"A sync did not come to its end: {paths.piranha_toml} is as it was before it."
    return told


def _kept_name(paths: Paths, was: bytes | None, token: str) -> Path:
    return paths.piranha_toml.with_name(f".piranha.toml.{'absent' if was is None else 'before'}-{token}")


def _give_back(paths: Paths, kept: Path) -> None:
    with suppress(OSError):  # what went wrong first counts; the next start tries it again
        if kept.name.startswith(".piranha.toml.absent"):
            paths.piranha_toml.unlink(missing_ok=True)
            kept.unlink(missing_ok=True)
        else:
            kept.replace(paths.piranha_toml)
            # Two names of one file: a rename does nothing then, and the second name stays.
            kept.unlink(missing_ok=True)
        files.sync_folder(paths.piranha_toml.parent)


def _forget(kept: Path) -> None:
    with suppress(OSError):  # the next start sees that it is over
        kept.unlink(missing_ok=True)

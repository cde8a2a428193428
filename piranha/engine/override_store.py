"""Drains and weights set by hand, kept on the disk so that they survive restarts and Apply."""

import logging

import msgspec

from piranha.errors import ConfigUnavailable
from piranha.health.overrides import Override
from piranha.paths import Paths
from piranha.system.files import write_atomically

log = logging.getLogger("lvs")


def read(paths: Paths) -> tuple[Override, ...]:
    """Return what is kept. A file that makes no sense is set aside, said in the log, and never overwritten."""
    try:
        raw = paths.overrides.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigUnavailable(f"{paths.overrides} cannot be read ({error.strerror}).") from error
    try:
        return msgspec.json.decode(raw, type=tuple[Override, ...])
    except msgspec.DecodeError as error:
        aside = paths.overrides.with_suffix(".broken")
        paths.overrides.replace(aside)
        log.error("%s makes no sense (%s): set aside as %s, no override is in force", paths.overrides, error, aside)
        return ()


def write(paths: Paths, overrides: tuple[Override, ...]) -> None:
    """Keep these overrides. Raises ConfigUnavailable; then the old ones are still kept."""
    write_atomically(paths.overrides, msgspec.json.encode(overrides), mode=0o600)

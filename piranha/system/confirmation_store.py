"""The Apply that waits for its confirmation, on the disk: one small file, there or not, as a whole."""

import msgspec

from piranha.config.unconfirmed import Unconfirmed
from piranha.errors import ConfigUnavailable
from piranha.paths import Paths
from piranha.system import files


def read(paths: Paths) -> Unconfirmed | None:
    """Return what waits, None if nothing does. Raises ConfigUnavailable; a file without sense is set aside then."""
    try:
        raw = paths.unconfirmed.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigUnavailable(f"{paths.unconfirmed} cannot be read ({error.strerror}).") from error
    try:
        return msgspec.json.decode(raw, type=Unconfirmed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        aside = paths.unconfirmed.with_suffix(".broken")
        try:
            paths.unconfirmed.replace(aside)
        except OSError:
            aside = paths.unconfirmed
        raise ConfigUnavailable(f"{paths.unconfirmed} makes no sense ({error}); it is kept as {aside}.") from error


def write(paths: Paths, kept: Unconfirmed) -> None:
    """Keep what waits, on the disk when this returns. Raises ConfigUnavailable."""
    files.write_atomically(paths.unconfirmed, msgspec.json.encode(kept), mode=0o600)


def remove(paths: Paths) -> None:
    """Keep nothing any more, also after a power cut. Raises ConfigUnavailable."""
    files.remove(paths.unconfirmed)

"""Read piranha.toml; what it means is `piranha.config.extensions`'s."""

from piranha.config.extensions import Extensions, read
from piranha.errors import ConfigUnavailable
from piranha.paths import Paths
from piranha.system import regular_file


def load(paths: Paths) -> Extensions | None:
    """Return what piranha.toml says, with its faults; None if there is none. Raises ConfigUnavailable."""
    try:
        paths.piranha_toml.lstat()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ConfigUnavailable(f"{paths.piranha_toml} cannot be read: {problem.strerror}.") from problem
    return read(regular_file.read(paths.piranha_toml))

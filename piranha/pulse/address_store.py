"""Which addresses on this machine are ours, written down so that a router that was killed knows them afterwards.

The file stands in /run, which a reboot empties as it empties the interfaces. Elsewhere (--root) the boot in the first
line says that all of it is past: an address that is there after a reboot is somebody else's.
"""

from collections.abc import Collection

from piranha.errors import ConfigUnavailable
from piranha.ipvs.addresses import Held, owned_from, owned_text
from piranha.paths import Paths
from piranha.system.boot import boot_id
from piranha.system.files import write_atomically

NAME = "addresses"


def read(paths: Paths) -> frozenset[Held]:
    """Return the addresses that a former run of this boot claimed. Raises ConfigUnavailable."""
    path = paths.run / NAME
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise ConfigUnavailable(
            f"{path} cannot be read ({error.strerror}): addresses that this router claimed before count as somebody "
            "else's. Make it readable and restart, or remove those addresses by hand."
        ) from error
    first, _, rest = text.partition("\n")
    return owned_from(rest) if first == _first_line() else frozenset()


def write(paths: Paths, owned: Collection[Held]) -> None:
    """Write down which addresses are ours from now on. Raises ConfigUnavailable; then the old ones stand there."""
    write_atomically(paths.run / NAME, f"{_first_line()}\n{owned_text(owned)}".encode(), mode=0o600)


def _first_line() -> str:
    return f"# Floating addresses of this router, boot {boot_id()}"

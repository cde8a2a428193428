"""Which real server a returning client belongs to: the persistence of the embedded data path.

Rule 1: a template binds a client, or all clients of one network (`pmask`), to a destination.
Rule 2: its time runs from when the client was last seen, opening or closing a connection; while one of its
connections is open it does not run out.
Rule 3: a template is void while its destination takes no new connections (weight 0) or is gone: a returning
client is not sent to a server that is drained or dead (reference engine.md C16).

`now` is monotonic seconds.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address

from piranha.config.model import Address
from piranha.ipvs.table import DestinationKey

ClientGroup = tuple[int, int]
"""IP version, and the bits of the address that count."""


def group_of(client: Address, prefix: int) -> ClientGroup:
    """Return the group of a client: the first `prefix` bits of its address (beyond its width: all of it)."""
    width = 32 if isinstance(client, IPv4Address) else 128
    return client.version, int(client) >> max(0, width - prefix)


@dataclass(slots=True)
class _Template:
    destination: DestinationKey
    ends_at: float
    open_connections: int


class Templates:
    """The templates of one service. Everything is told to it, the time too."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._templates: dict[ClientGroup, _Template] = {}

    def __len__(self) -> int:
        return len(self._templates)

    def destination(self, group: ClientGroup, now: float) -> DestinationKey | None:
        """Return where the group belongs, or None. Whether that takes new connections is the caller's to look
        at.
        """
        template = self._templates.get(group)
        if template is None or (template.open_connections == 0 and now >= template.ends_at):
            return None
        return template.destination

    def opened(self, group: ClientGroup, destination: DestinationKey, now: float) -> None:
        """Note a new connection of the group; a template for another destination is replaced."""
        template = self._templates.get(group)
        if template is None or template.destination != destination:
            self._templates[group] = _Template(destination, now + self.timeout_s, 1)
            return
        template.open_connections += 1
        template.ends_at = now + self.timeout_s

    def closed(self, group: ClientGroup, destination: DestinationKey, now: float) -> None:
        """Note the end of a connection; one that was opened under an older template changes nothing."""
        template = self._templates.get(group)
        if template is None or template.destination != destination or template.open_connections == 0:
            return
        template.open_connections -= 1
        template.ends_at = now + self.timeout_s

    def expire(self, now: float) -> None:
        """Forget the templates whose time is over."""
        over = [
            group
            for group, template in self._templates.items()
            if template.open_connections == 0 and now >= template.ends_at
        ]
        for group in over:
            del self._templates[group]

"""What lvs says about the pair, as failover and the sockets want it. Thinks only."""

from dataclasses import dataclass
from ipaddress import ip_address

from piranha.config.model import Address
from piranha.ha.channels import ChannelName
from piranha.ha.failover import Addresses
from piranha.ha.settings import Failback, Settings
from piranha.ha.states import Role
from piranha.pulse.messages import Configure


@dataclass(frozen=True, slots=True)
class Way:
    """A channel: from which address of this router to which one of the partner."""

    own: Address
    partner: Address


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair as lvs.cf and piranha.toml have it. `ways` is empty where there is no second router."""

    settings: Settings
    port: int
    ways: dict[ChannelName, Way]

    @property
    def addresses(self) -> Addresses:
        """Return where heartbeats come from."""
        return Addresses(
            frozenset(way.partner for way in self.ways.values()), frozenset(way.own for way in self.ways.values())
        )


def pair_of(told: Configure) -> Pair:
    """Return the pair that lvs tells of. Raises ValueError where it makes no sense."""
    ways = {
        ChannelName(row.name): Way(ip_address(row.own), ip_address(row.partner))
        for row in told.channels
        if not told.is_alone
    }
    settings = Settings(
        role=Role.PRIMARY if told.is_primary else Role.BACKUP,
        keepalive_s=told.keepalive_s,
        deadtime_s=told.deadtime_s,
        is_alone=told.is_alone,
        has_private=ChannelName.PRIVATE in ways,
        monitors_links=told.monitors_links and not told.is_alone,
        partner_is_original=told.partner_is_original,
        failback=Failback.AUTO if told.fails_back else Failback.NEVER,
        failback_after_s=told.failback_after_s,
    )
    return Pair(settings, told.port, ways)

"""Two failovers that hear each other, told as the status tells them: what a person reads of them is so."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

import pytest

from piranha.ha.channels import ChannelName
from piranha.ha.events import Command
from piranha.ha.failover import Addresses, Failover, Outcome, Send
from piranha.ha.machine import Drop
from piranha.ha.node import Report
from piranha.ha.settings import Settings
from piranha.ha.states import Role
from piranha.monitoring import FailoverCommand
from piranha.pair_findings import Serves, findings, serving
from piranha.pair_orders import offer
from piranha.pair_texts import Text
from piranha.pulse.links import Carrying
from piranha.pulse.pair import Way
from piranha.pulse.telling import redundancy
from piranha.router_status import RedundancyStatus

HERE, THERE = IPv4Address("192.0.2.11"), IPv4Address("192.0.2.12")
KEY = b"k" * 32
LINK = Carrying("eth0", True)


@dataclass
class NoWires:
    """Sockets of one channel that work."""

    way: Way
    ways: Mapping[ChannelName, Way] = field(init=False)

    def __post_init__(self) -> None:
        self.ways = {ChannelName.PUBLIC: self.way}

    def trouble(self, name: ChannelName) -> str:
        return ""


class Two:
    """A primary and a backup on one wire, and the time. `is_cut`: nothing gets through."""

    def __init__(self, keys: tuple[bytes, ...] = (KEY,), digests: tuple[bytes, bytes] = (b"d" * 32, b"d" * 32)) -> None:
        self.now = 100.0
        self.is_cut = False
        self.routers = [
            Failover(Settings(role), Addresses(frozenset({there}), frozenset({own})), nonce, self.now, keys)
            for role, own, there, nonce in ((Role.PRIMARY, HERE, THERE, 11), (Role.BACKUP, THERE, HERE, 12))
        ]
        for number, digest in enumerate(digests):
            self._do(number, self.routers[number].report(Report(is_ready=True, digest=digest), self.now))
            self._do(number, self.routers[number].command(Command.START, self.now))

    def go(self, seconds: float) -> None:
        """Let time pass, with a look whenever one is due."""
        until = self.now + seconds
        while (at := min(each.next_at for each in self.routers)) <= until:
            self.now = max(self.now, at)
            for number, each in enumerate(self.routers):
                self._do(number, each.tick(self.now))
        self.now = until

    def ask(self, number: int, command: FailoverCommand) -> None:
        self._do(number, self.routers[number].command(Command(command), self.now))

    def told(self, number: int) -> RedundancyStatus:
        """Return what a router's pulse tells."""
        own, there = (HERE, THERE) if number == 0 else (THERE, HERE)
        wires = NoWires(Way(own, there))
        return redundancy(self.routers[number], wires, lambda address: LINK, (), (), str, self.now)

    def _do(self, number: int, outcome: Outcome) -> None:
        other, source = self.routers[1 - number], HERE if number == 0 else THERE
        for order in outcome:
            if isinstance(order, Send) and not self.is_cut:
                self._do(1 - number, other.receive(order.raw, source, order.channel, self.now))
            elif isinstance(order, Drop):
                self._do(number, self.routers[number].down(order.order, True, self.now))


@pytest.fixture
def two() -> Two:
    """Give two routers that have settled."""
    made = Two()
    made.go(12.0)
    return made


def texts(status: RedundancyStatus) -> list[str]:
    return [each.sentence.text for each in findings(status)]


def test_two_that_hear_each_other_are_well(two: Two) -> None:
    first, second = two.told(0), two.told(1)
    assert (first.state, second.state) == ("active", "passive")
    assert texts(first) == texts(second) == []
    assert (serving(first), serving(second)) == (Serves.HERE, Serves.THERE)


def test_a_cut_wire_makes_the_partner_unknown_on_both_sides(two: Two) -> None:
    two.is_cut = True
    two.go(20.0)
    for number in (0, 1):
        told = two.told(number)
        assert told.state == "active" and told.partner is not None and told.partner.state == "unknown"
        assert texts(told) == [Text.SILENT] and serving(told) is Serves.AT_LEAST_HERE
    two.is_cut = False
    two.go(20.0)
    assert texts(two.told(0)) == texts(two.told(1)) == [Text.CHANNEL_LOSS]


def test_what_is_offered_moves_the_addresses_as_it_says(two: Two) -> None:
    made = offer(two.told(0), FailoverCommand.HAND_OVER)
    assert made.why_not is None and made.after is Serves.THERE
    two.ask(0, FailoverCommand.HAND_OVER)
    two.go(6.0)
    assert serving(two.told(0)) is Serves.THERE and two.told(1).state == "active"
    made = offer(two.told(0), FailoverCommand.TAKE_OVER)
    assert made.why_not is None and made.after is Serves.HERE
    two.ask(0, FailoverCommand.TAKE_OVER)
    two.go(6.0)
    assert serving(two.told(0)) is Serves.HERE


def test_a_held_router_says_so_and_lets_nobody_serve(two: Two) -> None:
    two.ask(1, FailoverCommand.HOLD)
    two.go(4.0)
    assert Text.IS_HELD in texts(two.told(1))
    assert offer(two.told(0), FailoverCommand.HAND_OVER).why_not is not None
    assert offer(two.told(1), FailoverCommand.RELEASE).why_not is None


def test_no_key_and_another_configuration_are_found() -> None:
    two = Two(keys=(), digests=(b"d" * 32, b"e" * 32))
    two.go(12.0)
    assert texts(two.told(0)) == texts(two.told(1)) == [Text.NO_KEY, Text.OTHER_CONFIG]


def test_timers_that_differ_are_found_on_both_sides(two: Two) -> None:
    router = two.routers[1]
    two._do(1, router.configure(replace(router.node.settings, deadtime_s=6.0), router.addresses, router.keys, two.now))
    two.go(4.0)
    assert Text.TIMERS in texts(two.told(0)) and Text.TIMERS in texts(two.told(1))

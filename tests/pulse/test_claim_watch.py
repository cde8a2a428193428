"""Second owners as they are heard, asked and forgotten. Real descriptors, no real time."""

import asyncio
import socket
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import pytest

from piranha.config.model import Address
from piranha.ipvs.addresses import Link
from piranha.ipvs.announcements import Carried
from piranha.ipvs.second_owners import ASK_S, FORGET_S
from piranha.pulse.claim_watch import WANTS_SAID_S, ClaimWatch
from piranha.system.arp import CannotSend, Conflict
from piranha.system.arp_frames import Claim

WEB, MAIL = (Carried("eth0", ip_address(f"192.0.2.{number}")) for number in (100, 101))
THERE = Carried("eth1", ip_address("2001:db8::100"))
LINKS = {
    name: Link(name, number, f"02:00:00:00:00:0{number}", True, True, True)
    for number, name in ((2, "eth0"), (3, "eth1"))
}
OTHER = "02:00:00:00:00:77"


class Ear:
    """A listener that hears what `say` says."""

    def __init__(self, network: "Network", device: str, addresses: Collection[Address], macs: Collection[str]) -> None:
        self._network = network
        self.device, self.addresses, self.macs = device, frozenset(addresses), frozenset(macs)
        self._ours, self._theirs = socket.socketpair()
        self._said: list[Conflict] = []
        self.asked: list[list[Address]] = []
        self.is_closed = False

    def descriptors(self) -> tuple[int, ...]:
        return (self._ours.fileno(),)

    def say(self, conflict: Conflict) -> None:
        self._said.append(conflict)
        self._theirs.send(b"!")

    def conflicts(self) -> tuple[Conflict, ...]:
        self._ours.recv(100)
        if self.device in self._network.broken:
            raise CannotSend(self._network.broken[self.device])
        said, self._said = tuple(self._said), []
        return said

    def ask(self, addresses: Collection[Address]) -> None:
        if self.device in self._network.broken:
            raise CannotSend(self._network.broken[self.device])
        self.asked.append(list(addresses))

    def close(self) -> None:
        self.is_closed = True
        self._ours.close()
        self._theirs.close()


@dataclass
class Network:
    now: float = 100.0
    ears: list[Ear] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    def clock(self) -> float:
        return self.now

    def listen(self, device: str, addresses: Collection[Address], macs: Collection[str]) -> Ear:
        if device in self.broken:
            raise CannotSend(self.broken[device])
        self.ears.append(Ear(self, device, addresses, macs))
        return self.ears[-1]

    def open(self) -> list[Ear]:
        return [ear for ear in self.ears if not ear.is_closed]


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    yield made
    assert made.open() == [], "every listener is closed in the end"


@pytest.fixture
async def watch(network: Network) -> ClaimWatch:
    return ClaimWatch(network.clock, network.listen)  # type: ignore[arg-type]


def conflict(what: Carried, mac: str = OTHER, claim: Claim = Claim.HAS) -> Conflict:
    return Conflict(what.device, what.address, claim, mac)


async def told() -> None:
    """Let the event loop look at its descriptors."""
    loop = asyncio.get_running_loop()
    for _ in range(3):
        turn: asyncio.Future[None] = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn


async def test_a_second_owner_is_heard_logged_once_and_known(
    watch: ClaimWatch, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    watch.carry([WEB, THERE], LINKS)
    for _ in range(3):
        network.ears[0].say(conflict(WEB))
        await told()
    owner = watch.second_owner(WEB)
    assert owner is not None
    assert owner.mac == OTHER
    assert watch.second_owner(THERE) is None
    assert caplog.messages == [conflict(WEB).sentence]
    watch.close()
    assert watch.second_owner(WEB) is None


async def test_it_is_asked_again_until_it_answers_no_more(
    watch: ClaimWatch, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    watch.carry([WEB, MAIL], LINKS)
    watch.note([conflict(WEB)])
    network.now += ASK_S
    assert watch.ask_due() == ()
    assert network.ears[0].asked == [[WEB.address]]
    network.now = 100 + FORGET_S
    assert watch.ask_due() == (WEB,)
    assert watch.second_owner(WEB) is None
    assert caplog.messages[1:] == ["192.0.2.100 on eth0: nobody else has it any more."]
    watch.close()


async def test_who_only_asks_is_no_second_owner_and_is_logged_now_and_then(
    watch: ClaimWatch, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    watch.carry([WEB], LINKS)
    for _ in range(5):
        watch.note([conflict(WEB, claim=Claim.WANTS)])
        network.now += WANTS_SAID_S / 4
    assert watch.second_owner(WEB) is None
    assert caplog.messages == [conflict(WEB, claim=Claim.WANTS).sentence] * 2
    watch.close()


async def test_it_listens_for_what_is_carried_and_for_nothing_else(watch: ClaimWatch, network: Network) -> None:
    watch.carry([WEB, THERE], LINKS)
    watch.carry([THERE, WEB], dict(reversed(LINKS.items())))
    assert [ear.device for ear in network.ears] == ["eth0", "eth1"]
    assert network.ears[0].macs == {link.mac for link in LINKS.values()}
    watch.note([conflict(THERE)])
    watch.carry([WEB, MAIL], LINKS)
    assert watch.second_owner(THERE) is None
    assert [(ear.device, ear.addresses) for ear in network.open()] == [("eth0", {WEB.address, MAIL.address})]
    renewed = {**LINKS, "eth0": replace(LINKS["eth0"], index=9)}
    watch.carry([WEB, MAIL], renewed)
    assert len(network.open()) == 1
    assert network.open()[0] is not network.ears[2]
    watch.carry([], LINKS)
    assert network.open() == []


async def test_all_addresses_of_an_interface_can_be_asked_for(watch: ClaimWatch, network: Network) -> None:
    watch.carry([WEB, MAIL], LINKS)
    watch.ask("eth0")
    watch.ask("eth7")
    assert network.ears[0].asked == [[WEB.address, MAIL.address]]
    network.broken["eth0"] = "eth0 is down: no frame leaves it."
    watch.ask("eth0")
    watch.close()


async def test_an_interface_that_cannot_be_heard_is_said_once_and_opened_anew(
    watch: ClaimWatch, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    watch.carry([WEB], LINKS)
    network.broken["eth0"] = "It broke."
    network.ears[0].say(conflict(WEB))
    await told()
    assert network.open() == []
    for _ in range(3):
        watch.carry([WEB], LINKS)
    assert caplog.messages == ["A second owner of the floating addresses on eth0 would not be heard: It broke."]
    network.broken.clear()
    watch.carry([WEB], LINKS)
    assert len(network.open()) == 1
    watch.close()

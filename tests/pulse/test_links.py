"""Which interface carries an address, whether its link is up, and what is read anew when."""

import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address

import pytest

from piranha.errors import PiranhaError
from piranha.ipvs.addresses import Held, Link, Present, PresentAddress
from piranha.pulse.links import UNKNOWN, Carrying, Links
from piranha.system.addresses import AddressChanged, Change, ChangesLost, LinkChanged
from tests.pulse.a_moment import a_moment, until

OWN, VIP = ip_address("192.0.2.11"), ip_address("192.0.2.1")


def link(*, is_up: bool = True, has_carrier: bool = True) -> Link:
    return Link("eth0", 2, "02:00:00:00:00:02", is_up, has_carrier, True, False)


class Machine:
    """The interfaces, and what the kernel tells of them."""

    def __init__(self) -> None:
        self.link = link()
        self.held = [Held("eth0", OWN, 24)]
        self.readings = self.opened = self.closed = 0
        self.unreadable = self.deaf = ""
        self.said: list[Change] = []
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None: ...

    def read(self) -> Present:
        self.readings += 1
        if self.unreadable:
            raise PiranhaError(self.unreadable)
        return Present({"eth0": self.link}, tuple(PresentAddress(each, "") for each in self.held))

    def watch(self) -> "Machine":
        if self.deaf:
            raise PiranhaError(self.deaf)
        self.opened += 1
        return self

    def fileno(self) -> int:
        return self._ours.fileno()

    def tell(self, *changes: Change) -> None:
        self.said += changes
        self._theirs.send(b"!")

    def changes(self) -> tuple[Change, ...]:
        self._ours.recv(64)
        if self.deaf:
            raise PiranhaError(self.deaf)
        found, self.said = tuple(self.said), []
        return found

    def close(self) -> None:
        self.closed += 1

    def end(self) -> None:
        self._ours.close()
        self._theirs.close()


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    made = Machine()
    yield made
    made.end()


@pytest.fixture
def changed() -> list[str]:
    return []


@pytest.fixture
async def links(machine: Machine, changed: list[str]) -> AsyncIterator[Links]:
    made = Links(lambda: changed.append("changed"), lambda: machine, machine.watch)  # type: ignore[arg-type, return-value]
    yield made
    made.close()


async def test_an_address_is_up_while_its_interface_is_and_has_a_carrier(
    links: Links, machine: Machine, changed: list[str]
) -> None:
    links.open()
    assert links.of(OWN) == Carrying("eth0", True) and changed == ["changed"]
    for state in (link(has_carrier=False), link(is_up=False)):
        machine.link = state
        machine.tell(LinkChanged(state, False))
        await until(lambda: links.of(OWN) == Carrying("eth0", False))
    assert len(changed) == 2


async def test_an_address_on_no_interface_is_unknown(links: Links, machine: Machine) -> None:
    links.open()
    assert links.of(ip_address("192.0.2.99")) == UNKNOWN and links.of(VIP).is_up is None


async def test_floating_addresses_that_come_and_go_are_not_read_for(links: Links, machine: Machine) -> None:
    links.open()
    links.of(OWN)
    before = machine.readings
    machine.tell(*(AddressChanged(PresentAddress(Held("eth0", VIP, 24), ""), False) for _ in range(100)))
    await until(lambda: machine.said == [])
    await a_moment(3)
    assert machine.readings == before
    machine.tell(AddressChanged(PresentAddress(Held("eth0", OWN, 24), ""), True))
    await until(lambda: machine.readings == before + 1)
    machine.tell(ChangesLost())
    await until(lambda: machine.readings == before + 2)


async def test_what_cannot_be_read_stays_as_it_was_and_is_said_once(
    links: Links, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    links.open()
    machine.unreadable = "The interfaces cannot be read."
    for _ in range(3):
        links.read()
    assert links.of(OWN).is_up and caplog.text.count("cannot be read") == 1


@pytest.mark.parametrize("breaks", ["at once", "later"])
async def test_deaf_it_says_so_without_a_trace_and_hears_again_later(
    links: Links, machine: Machine, caplog: pytest.LogCaptureFixture, breaks: str
) -> None:
    if breaks == "later":
        links.open()
    machine.deaf = "Changes cannot be heard."
    if breaks == "later":
        machine.tell(ChangesLost())
        await until(lambda: machine.closed)
    for _ in range(3):
        links.open()
    assert caplog.text.count("Changes of links are not heard: Changes cannot be heard.") == 1
    assert "fault of the engine" not in caplog.text
    machine.deaf, machine.link = "", link(has_carrier=False)
    links.open()
    assert links.of(OWN).is_up is False
    before = machine.opened
    links.open()
    assert machine.opened == before, "it is open"


async def test_closed_it_hears_nothing_more(links: Links, machine: Machine) -> None:
    links.open()
    links.close()
    links.close()
    hears: Callable[[], int] = machine.fileno
    assert machine.closed == 1 and hears() > 0

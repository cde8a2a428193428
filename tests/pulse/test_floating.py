"""The floating addresses from a cluster to a kernel that is a list, and back. No network, no real time.

What a real kernel does with them is in tests/lab/test_floating.py.
"""

import asyncio
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import pytest

from piranha.config.load import load
from piranha.config.model import Address, Cluster, Forwarding, HostName
from piranha.errors import PiranhaError
from piranha.ipvs.addresses import (
    AddAddress,
    AddressStep,
    Held,
    Link,
    Outcome,
    Present,
    PresentAddress,
    RemoveAddress,
    ReseatAddress,
    wanted_addresses,
)
from piranha.ipvs.announcements import Carried
from piranha.ipvs.second_owners import FORGET_S
from piranha.paths import Paths
from piranha.pulse import address_store
from piranha.pulse.address_sayings import GONE_SAID_S
from piranha.pulse.announcer import AT_ONCE
from piranha.pulse.floating import (
    ASKED_S,
    READ_AGAIN_MOST_S,
    READ_AGAIN_S,
    READ_CLOSEST_S,
    READ_SHARE,
    Floating,
)
from piranha.pulse.world import World
from piranha.status import AddressState, AddressStatus
from piranha.system.addresses import AddressChanged, Applied, Change, ChangesLost, LinkChanged
from piranha.system.arp import Asked, Conflict
from piranha.system.arp_frames import Claim

OTHER = "02:00:00:00:00:77"
CARRIED, WAS_THERE, REFUSED, CONFLICT = AddressState


class Watch:
    """Tells of changes when it is told to."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._changes: list[Change] = []

    def fileno(self) -> int:
        return self._ours.fileno()

    def tell(self, *changes: Change) -> None:
        self._changes += changes
        self._theirs.send(b"!")

    def changes(self) -> tuple[Change, ...]:
        self._ours.recv(1)
        said, self._changes = tuple(self._changes), []
        return said

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


class Ear:
    def descriptors(self) -> tuple[int, ...]:
        return ()

    def ask(self, addresses: Collection[Address]) -> None: ...

    def close(self) -> None: ...


@dataclass
class Kernel:
    """Interfaces, addresses in their order, and a diary of everything that was done to it and around it."""

    now: float = 1000.0
    links: dict[str, Link] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)
    refuses: dict[Held, str] = field(default_factory=dict)
    unreadable: str = ""
    readings: int = 0
    takes_s: float = 0.0
    labels: dict[Held, str] = field(default_factory=dict)
    tried: list[Held] = field(default_factory=list)
    owners: dict[Address, str] = field(default_factory=dict)
    while_asking: Callable[[], None] = lambda: None
    before_steps: Callable[[], None] = lambda: None
    watch: Watch = field(default_factory=Watch)
    asked: list[Carried] = field(default_factory=list)
    listened: dict[str, set[Address]] = field(default_factory=dict)

    def world(self) -> World:
        return World(lambda: self, lambda: self.watch, self.ask, self.announce, self.listen)  # type: ignore[arg-type, return-value]

    def read(self) -> Present:
        if self.unreadable:
            raise PiranhaError(self.unreadable)
        self.readings += 1
        self.now += self.takes_s
        return Present(dict(self.links), tuple(PresentAddress(held, self.labels.get(held, "")) for held in self.held))

    def apply_all(self, steps: Iterable[AddressStep]) -> tuple[Applied, ...]:
        self.before_steps()
        return tuple(self._apply(step) for step in steps)

    def _apply(self, step: AddressStep) -> Applied:
        held = step.held if isinstance(step, RemoveAddress) else step.wanted.held
        self.tried.append(held)
        if held in self.refuses:
            return Applied(step, Outcome.REFUSED, self.refuses[held])
        if not isinstance(step, RemoveAddress):
            self.labels[held] = step.wanted.label
        match step:
            case AddAddress():
                self.held.append(held)
                self.diary.append(f"add {held.address}")
            case RemoveAddress():
                self.held.remove(held)
                self.diary.append(f"remove {held.address}")
            case ReseatAddress():
                self.diary.append(f"reseat {held.address}")
        return Applied(step, Outcome.DONE)

    def close(self) -> None:
        self.diary.append("closed")

    async def ask(self, carried: Collection[Carried], macs: Collection[str]) -> Asked:
        assert set(macs) == {link.mac for link in self.links.values()}
        self.asked += carried
        self.diary += [f"ask {each.address}" for each in carried]
        self.while_asking()
        found = [each for each in carried if each.address in self.owners]
        return Asked(tuple(Conflict(each.device, each.address, Claim.HAS, self.owners[each.address]) for each in found))

    def announce(self, device: str, addresses: Sequence[Address]) -> str:
        self.diary += [f"announce {address}" for address in addresses]
        return ""

    def listen(self, device: str, addresses: Collection[Address], _: Collection[str]) -> Ear:
        self.listened[device] = set(addresses)
        return Ear()

    def clock(self) -> float:
        return self.now

    def addresses(self) -> list[str]:
        return [str(held) for held in self.held]


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    made.links = {
        name: Link(name, number, f"02:00:00:00:00:0{number}", True, True, name != "lo", name == "lo")
        for number, name in enumerate(("lo", "eth0", "eth1"), 1)
    }
    yield made
    made.watch.close()


@pytest.fixture
async def floating(kernel: Kernel, paths: Paths) -> Floating:
    return Floating(paths, kernel.clock, kernel.world())


def cluster(*addresses: str, extra: str = "") -> Cluster:
    """Return a cluster with a virtual server for each address, `192.0.2.1` (on eth0:1) or `192.0.2.1 eth1:1`."""
    blocks = [
        f"virtual v{number} {{\n    active = 1\n    address = {each if ' ' in each else each + ' eth0:1'}\n}}\n"
        for number, each in enumerate(addresses, 1)
    ]
    return load(f"service = lvs\nnetwork = direct\n{extra}{''.join(blocks)}").cluster


def states(floating: Floating) -> dict[str, str]:
    return {each.address or each.source: str(each.state) for each in floating.standings()}


def only(floating: Floating) -> AddressStatus:
    (status,) = floating.standings()
    return status


async def test_an_address_is_asked_for_written_down_added_and_announced_in_this_order(
    floating: Floating, kernel: Kernel, paths: Paths
) -> None:
    written: list[frozenset[Held]] = []
    kernel.before_steps = lambda: written.append(address_store.read(paths))
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", "2001:db8::1"), {}))
    assert kernel.diary == [
        *("ask 192.0.2.1", "ask 2001:db8::1"),
        *("add 192.0.2.1", "add 2001:db8::1"),
        *("announce 192.0.2.1", "announce 2001:db8::1"),
    ]
    assert written == [frozenset(kernel.held)]
    assert kernel.listened == {"eth0": {ip_address("192.0.2.1"), ip_address("2001:db8::1")}}
    assert states(floating) == {"192.0.2.1/32": "carried", "2001:db8::1/128": "carried"}
    first = floating.standings()[0]
    assert first == AddressStatus("192.0.2.1/32", "eth0", "eth0:1", "virtual[v1]", CARRIED, "", "", 1, 0.0)


async def test_where_nothing_changed_it_is_read_every_few_seconds_and_nothing_is_written(
    floating: Floating, kernel: Kernel, paths: Paths
) -> None:
    runs = cluster("192.0.2.1")
    await floating.follow(*wanted_addresses(runs, {}))
    readings = kernel.readings
    written = (paths.run / address_store.NAME).stat().st_mtime_ns
    for _ in range(10):
        await floating.follow(*wanted_addresses(runs, {}))
        await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    assert kernel.readings == readings
    kernel.now += READ_AGAIN_S
    await floating.turn()
    assert kernel.readings == readings + 1
    assert (paths.run / address_store.NAME).stat().st_mtime_ns == written
    await floating.stop(yields=False)


@pytest.mark.parametrize(
    ("took_s", "again_s"), [(0.01, READ_AGAIN_S), (0.4, 0.4 * READ_SHARE), (1000, READ_AGAIN_MOST_S)]
)
async def test_where_reading_takes_long_it_is_read_less_often(
    floating: Floating, kernel: Kernel, took_s: float, again_s: float
) -> None:
    kernel.takes_s = took_s
    await floating.turn()
    began = kernel.now
    await floating.follow(*wanted_addresses(Cluster(), {}))
    assert kernel.readings == 1
    kernel.now = began + again_s - 0.01
    await floating.turn()
    assert kernel.readings == 1
    kernel.now = began + again_s
    await floating.turn()
    assert kernel.readings == 2
    await floating.stop(yields=False)


async def test_a_change_of_lvs_cf_adds_and_removes_exactly_what_changed(floating: Floating, kernel: Kernel) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", "192.0.2.2"), {}))
    kernel.diary.clear()
    await floating.follow(*wanted_addresses(cluster("192.0.2.2", "192.0.2.3"), {}))
    assert kernel.diary == ["ask 192.0.2.3", "add 192.0.2.3", "remove 192.0.2.1", "announce 192.0.2.3"]
    assert kernel.addresses() == ["192.0.2.2/32 on eth0", "192.0.2.3/32 on eth0"]


@pytest.mark.parametrize(
    "nothing", [Cluster(), load("service = fos\nvirtual v {\n active = 1\n address = 192.0.2.1 eth0:1\n}\n").cluster]
)
async def test_where_nothing_is_active_every_address_is_given_back(
    floating: Floating, kernel: Kernel, nothing: Cluster
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    await floating.follow(*wanted_addresses(nothing, {}))
    assert kernel.addresses() == []
    assert floating.standings() == ()


async def test_what_goes_is_not_announced_any_more_and_the_rest_is(floating: Floating, kernel: Kernel) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", "192.0.2.2"), {}))
    kernel.now += 1  # the next round is due
    kernel.diary.clear()
    await floating.follow(*wanted_addresses(cluster("192.0.2.2"), {}))
    assert kernel.diary == ["remove 192.0.2.1", "announce 192.0.2.2"]


async def test_what_was_to_go_is_not_announced_even_if_the_kernel_does_not_answer(
    floating: Floating, kernel: Kernel
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", "192.0.2.2"), {}))
    kernel.now += 1

    def no_answer() -> None:
        raise PiranhaError("The kernel did not answer.")

    kernel.before_steps = no_answer
    kernel.diary.clear()
    await floating.follow(*wanted_addresses(cluster("192.0.2.2"), {}))
    assert kernel.diary == ["announce 192.0.2.2"]


async def test_a_run_that_was_killed_is_gone_on_with_as_if_nothing_had_been(kernel: Kernel, paths: Paths) -> None:
    first = Floating(paths, kernel.clock, kernel.world())
    await first.follow(*wanted_addresses(cluster("192.0.2.1", "192.0.2.2"), {}))
    kernel.diary.clear()
    second = Floating(paths, kernel.clock, kernel.world())
    await second.follow(*wanted_addresses(cluster("192.0.2.2"), {}))
    assert kernel.diary == ["remove 192.0.2.1", "announce 192.0.2.2"]
    assert only(second).state is CARRIED


async def test_a_name_that_is_not_known_yet_costs_no_address_of_a_former_run(kernel: Kernel, paths: Paths) -> None:
    name = HostName("www.example.com")
    resolved = {name: ip_address("192.0.2.1")}
    first = Floating(paths, kernel.clock, kernel.world())
    await first.follow(*wanted_addresses(cluster(name), resolved))
    kernel.diary.clear()
    second = Floating(paths, kernel.clock, kernel.world())
    await second.follow(*wanted_addresses(cluster(name), {}))
    assert kernel.addresses() == ["192.0.2.1/32 on eth0"]
    assert states(second) == {"virtual[v1]": "refused", "192.0.2.1/32": "carried"}
    await second.follow(*wanted_addresses(cluster(name), resolved))
    assert kernel.diary == ["announce 192.0.2.1"]
    assert states(second) == {"192.0.2.1/32": "carried"}
    await second.follow(*wanted_addresses(cluster("192.0.2.2"), resolved))
    assert kernel.addresses() == ["192.0.2.2/32 on eth0"]


async def test_an_address_stays_until_its_connections_have_drained(floating: Floating, kernel: Kernel) -> None:
    nat = "network = nat\nnat_router = 10.0.0.254 eth1:1\n"
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", "192.0.2.2", extra=nat), {}))
    draining = [ip_address("192.0.2.1"), ip_address("192.0.2.2")]
    await floating.follow(*wanted_addresses(cluster("192.0.2.2 eth1:1", extra=nat), {}), draining)
    # The second one has another interface: it drains there.
    assert set(kernel.addresses()) == {"192.0.2.1/32 on eth0", "192.0.2.2/32 on eth1", "10.0.0.254/32 on eth1"}
    assert floating.standings()[-1].sentence.startswith("lvs.cf names this address no more.")
    await floating.follow(*wanted_addresses(Cluster(), {}), draining)
    assert set(kernel.addresses()) == {"192.0.2.1/32 on eth0", "192.0.2.2/32 on eth1", "10.0.0.254/32 on eth1"}
    kernel.diary.clear()
    await floating.follow(*wanted_addresses(Cluster(), {}), draining[1:])
    assert set(kernel.addresses()) == {"192.0.2.2/32 on eth1", "10.0.0.254/32 on eth1"}
    await floating.follow(*wanted_addresses(Cluster(), {}))
    assert kernel.addresses() == []


async def test_an_address_of_somebody_else_is_announced_and_stays(floating: Floating, kernel: Kernel) -> None:
    foreign = Held("eth0", ip_address("192.0.2.1"), 24)
    kernel.held.append(foreign)
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    assert only(floating).state is WAS_THERE
    assert kernel.diary == ["announce 192.0.2.1"]
    await floating.stop(yields=True)
    assert kernel.held == [foreign]


async def test_a_second_owner_is_logged_shown_and_the_address_is_claimed_all_the_same(
    floating: Floating, kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    kernel.owners[ip_address("192.0.2.1")] = OTHER
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", "192.0.2.2"), {}))
    conflict, fine = floating.standings()
    assert (conflict.state, conflict.mac) == (CONFLICT, OTHER)
    assert f"is in use already, by {OTHER}" in conflict.sentence
    assert fine.state is CARRIED
    assert len(kernel.held) == 2
    assert [message for message in caplog.messages if OTHER in message] == [conflict.sentence]


async def test_what_is_refused_is_logged_once_shown_and_tried_again_while_the_rest_goes_on(
    floating: Floating, kernel: Kernel, paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    refused = Held("eth0", ip_address("192.0.2.1"), 32)
    kernel.refuses[refused] = "Cannot add it: it is not permitted."
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", "192.0.2.2"), {}))
    for _ in range(5):
        kernel.now += READ_AGAIN_S
        await floating.turn()
    assert states(floating) == {"192.0.2.1/32": "refused", "192.0.2.2/32": "carried"}
    assert caplog.messages == ["virtual[v1]: Cannot add it: it is not permitted."]
    assert "announce 192.0.2.1" not in kernel.diary
    assert address_store.read(paths) == set(kernel.held)
    assert kernel.asked.count(Carried("eth0", refused.address)) == 1
    kernel.refuses.clear()
    kernel.now += ASKED_S
    await floating.turn()
    assert states(floating) == {"192.0.2.1/32": "carried", "192.0.2.2/32": "carried"}
    assert kernel.asked.count(Carried("eth0", refused.address)) == 2
    await floating.stop(yields=False)


async def test_an_address_that_goes_while_another_one_comes_is_there_afterwards(
    floating: Floating, kernel: Kernel, paths: Paths
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    refused = Held("eth0", ip_address("192.0.2.3"), 32)
    kernel.refuses[refused] = "Cannot add it."

    def meanwhile() -> None:
        kernel.held.clear()
        kernel.before_steps = lambda: None

    kernel.before_steps = meanwhile
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", "192.0.2.2", "192.0.2.3"), {}))
    assert states(floating) == {"192.0.2.1/32": "carried", "192.0.2.2/32": "carried", "192.0.2.3/32": "refused"}
    assert address_store.read(paths) == set(kernel.held)
    assert kernel.tried.count(refused) == 1


async def test_what_cannot_be_read_is_shown_and_read_later(
    kernel: Kernel, paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    kernel.unreadable = "The kernel did not answer."
    floating = Floating(paths, kernel.clock, kernel.world())
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    kernel.now += READ_AGAIN_S
    await floating.turn()
    assert only(floating).state is REFUSED
    assert floating.troubles() == (kernel.unreadable,)
    assert caplog.messages == [kernel.unreadable]
    kernel.unreadable = ""
    kernel.now += READ_AGAIN_S
    await floating.turn()
    assert (only(floating).state, floating.troubles()) == (CARRIED, ())
    await floating.stop(yields=False)


async def test_without_netlink_the_engine_starts_and_says_so(kernel: Kernel, paths: Paths) -> None:
    def none() -> Kernel:
        raise PiranhaError("There is no netlink.")

    floating = Floating(paths, kernel.clock, replace(kernel.world(), router=none))  # type: ignore[arg-type]
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    assert floating.troubles() == ("There is no netlink.",)
    await floating.stop(yields=True)


async def test_where_it_cannot_be_written_down_the_address_is_claimed_all_the_same(
    floating: Floating, kernel: Kernel, paths: Paths
) -> None:
    paths.run.rmdir()
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    assert only(floating).state is CARRIED
    (trouble,) = floating.troubles()
    assert "After a crash this router would not know its own addresses." in trouble
    paths.run.mkdir()
    kernel.now += READ_AGAIN_S
    await floating.turn()
    assert floating.troubles() == ()
    assert address_store.read(paths) == set(kernel.held)
    await floating.stop(yields=True)
    assert kernel.held == []


async def test_an_address_that_somebody_takes_away_is_there_again_at_once_and_not_asked_for(
    floating: Floating, kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    await floating.turn()
    kernel.now += 2 * ASKED_S
    await floating.turn()
    for _ in range(3):
        kernel.diary.clear()
        (gone,) = kernel.held
        kernel.held.clear()
        kernel.watch.tell(AddressChanged(PresentAddress(gone), is_gone=True))
        await heard()
        kernel.now += READ_CLOSEST_S
        await floating.turn()
        assert kernel.held == [gone]
        assert [each for each in kernel.diary if not each.startswith("announce")] == ["add 192.0.2.1"]
    said = "192.0.2.1/32 on eth0 was gone: somebody else took it away. It is there again."
    assert caplog.messages == [said]
    assert 3 * READ_CLOSEST_S < GONE_SAID_S
    await floating.stop(yields=False)


async def heard() -> None:
    """Let the event loop look at its descriptors."""
    loop = asyncio.get_running_loop()
    for _ in range(3):
        turn: asyncio.Future[None] = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn


async def test_nobody_who_takes_it_away_again_and_again_keeps_the_router_busy(
    floating: Floating, kernel: Kernel
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    await floating.turn()
    kernel.now += READ_CLOSEST_S
    await floating.turn()
    readings = kernel.readings
    for _ in range(20):
        kernel.watch.tell(AddressChanged(PresentAddress(kernel.held[0])))
        await heard()
        kernel.now += READ_CLOSEST_S / 50
        await floating.turn()
    assert kernel.readings == readings
    await floating.stop(yields=False)


async def test_changes_elsewhere_are_not_looked_at(floating: Floating, kernel: Kernel) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    await floating.turn()
    kernel.now += READ_CLOSEST_S
    await floating.turn()
    readings = kernel.readings
    other = PresentAddress(Held("eth1", ip_address("10.0.0.1"), 24))
    kernel.watch.tell(AddressChanged(other), LinkChanged(replace(kernel.links["eth1"], has_carrier=False)))
    await heard()
    kernel.now += READ_CLOSEST_S
    await floating.turn()
    assert kernel.readings == readings
    await floating.stop(yields=False)


async def test_an_interface_that_appears_later_gets_its_address(floating: Floating, kernel: Kernel) -> None:
    link = kernel.links.pop("eth1")
    await floating.follow(*wanted_addresses(cluster("192.0.2.1 eth1:1"), {}))
    await floating.turn()
    assert only(floating).sentence == (
        "There is no interface eth1 on this router. Make it, or name another one in lvs.cf."
    )
    kernel.links["eth1"] = link
    kernel.watch.tell(LinkChanged(link))
    await heard()
    kernel.now += READ_CLOSEST_S
    await floating.turn()
    assert only(floating).state is CARRIED
    assert kernel.diary[-1] == "announce 192.0.2.1"
    await floating.stop(yields=False)


async def test_a_missing_interface_is_one_line_in_the_log_for_all_its_addresses(
    floating: Floating, kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    many = [f"192.0.2.{number} eth9:1" for number in range(1, 7)]
    await floating.follow(*wanted_addresses(cluster(*many, "192.0.2.9"), {}))
    for _ in range(3):
        kernel.now += READ_AGAIN_S
        await floating.turn()
    assert caplog.messages == [
        "virtual[v1], virtual[v2], virtual[v3], virtual[v4] and 2 more: "
        "There is no interface eth9 on this router. Make it, or name another one in lvs.cf."
    ]
    assert states(floating)["192.0.2.9/32"] == "carried"
    await floating.stop(yields=False)


async def test_what_is_wrong_with_the_nat_routers_address_concerns_everybody_and_ends_with_its_cause(
    floating: Floating, kernel: Kernel
) -> None:
    nat = "network = nat\nnat_router = 10.0.0.254 eth9:1\n"
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", extra=nat), {}))
    assert floating.troubles() == (
        "nat_router: 10.0.0.254/32 is not carried. There is no interface eth9 on this router. Make it, or name another "
        "one in lvs.cf. Until then the answers of real servers may not find their way back.",
    )
    kernel.links["eth9"] = replace(kernel.links["eth1"], name="eth9", index=9)
    kernel.now += READ_AGAIN_S
    await floating.turn()
    assert floating.troubles() == ()
    assert "10.0.0.254/32 on eth9" in kernel.addresses()
    await floating.stop(yields=False)


async def test_when_nobody_else_has_an_address_any_more_the_neighbours_are_told_anew(
    floating: Floating, kernel: Kernel
) -> None:
    kernel.owners[ip_address("192.0.2.1")] = OTHER
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", "192.0.2.2 eth1:1"), {}))
    for _ in range(int(FORGET_S) - 1):
        kernel.now += 1
        await floating.turn()
    assert states(floating)["192.0.2.1/32"] == "conflict"
    kernel.diary.clear()
    kernel.now += 1
    await floating.turn()
    assert states(floating)["192.0.2.1/32"] == "carried"
    assert kernel.diary == ["announce 192.0.2.1"]
    await floating.stop(yields=False)


async def test_a_carrier_that_comes_back_is_announced_without_a_reading(floating: Floating, kernel: Kernel) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    await floating.turn()
    kernel.now += 30
    await floating.turn()
    kernel.diary.clear()
    link = kernel.links["eth0"]
    kernel.watch.tell(LinkChanged(replace(link, has_carrier=False)), LinkChanged(link))
    await heard()
    await floating.turn()
    assert kernel.diary == ["announce 192.0.2.1"]
    await floating.stop(yields=False)


async def test_on_the_loopback_interface_nobody_is_asked_or_told(floating: Floating, kernel: Kernel) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1 lo:1"), {}))
    assert kernel.diary == ["add 192.0.2.1"]
    assert only(floating).state is CARRIED


async def test_a_stop_that_yields_leaves_nothing_of_ours_and_ends_the_run(
    floating: Floating, kernel: Kernel, paths: Paths
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(floating.run())
        await heard()
        assert not running.done()
        kernel.now += 1  # a round is due
        kernel.diary.clear()
        await floating.stop(yields=True)
    assert kernel.diary == ["remove 192.0.2.1", "closed"]
    assert (kernel.held, address_store.read(paths), floating.standings()) == ([], frozenset(), ())
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    assert kernel.held == []


async def test_a_stop_that_does_not_yield_leaves_everything_to_be_adopted(
    floating: Floating, kernel: Kernel, paths: Paths
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    await floating.stop(yields=False)
    assert kernel.addresses() == ["192.0.2.1/32 on eth0"]
    assert address_store.read(paths) == set(kernel.held)


async def test_a_yield_while_it_is_asked_claims_nothing(floating: Floating, kernel: Kernel) -> None:
    stops: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as tasks:
        kernel.while_asking = lambda: stops.append(tasks.create_task(floating.stop(yields=True)))
        kernel.owners = {}
        asking = kernel.ask

        async def slowly(carried: Collection[Carried], macs: Collection[str]) -> Asked:
            asked = await asking(carried, macs)
            await heard()
            return asked

        floating._world = replace(floating._world, ask=slowly)
        await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    assert len(stops) == 1
    assert kernel.held == []
    assert not any(each.startswith(("add", "announce")) for each in kernel.diary)


async def test_a_yield_ends_a_round_that_is_under_way(floating: Floating, kernel: Kernel) -> None:
    many = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(3 * AT_ONCE)]
    announced: list[int] = []
    async with asyncio.TaskGroup() as tasks:

        def stopping(_: str, addresses: Sequence[Address]) -> str:
            announced.append(len(addresses))
            tasks.create_task(floating.stop(yields=True))
            return ""

        floating._announcer._announce = stopping
        await floating.follow(*wanted_addresses(cluster(*many), {}))
    assert announced == [AT_ONCE]
    assert kernel.held == []


async def test_what_was_gone_already_is_not_ours_after_a_yield(
    floating: Floating, kernel: Kernel, paths: Paths
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    kernel.held.clear()
    await floating.stop(yields=True)
    assert address_store.read(paths) == frozenset()


async def test_yielding_without_having_followed_gives_a_former_run_s_addresses_back(
    kernel: Kernel, paths: Paths
) -> None:
    await Floating(paths, kernel.clock, kernel.world()).follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    await Floating(paths, kernel.clock, kernel.world()).stop(yields=True)
    assert kernel.held == []


async def test_what_cannot_be_removed_is_said_and_still_known_to_be_ours(
    floating: Floating, kernel: Kernel, paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    kernel.refuses[kernel.held[0]] = "Cannot remove it: it is not permitted."
    await floating.stop(yields=True)
    assert caplog.messages == ["Cannot remove it: it is not permitted."]
    assert address_store.read(paths) == set(kernel.held)
    assert only(floating).state is REFUSED


async def test_from_the_moment_nothing_is_wanted_nothing_is_claimed_though_others_are_being_asked(
    floating: Floating, kernel: Kernel
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    kernel.while_asking = floating.want_none
    kernel.diary.clear()
    await floating.follow(*wanted_addresses(cluster("192.0.2.1", "192.0.2.2"), {}))
    assert "add 192.0.2.2" not in kernel.diary and "announce 192.0.2.2" not in kernel.diary
    kernel.while_asking = lambda: None
    await floating.follow(())
    assert kernel.addresses() == [] and not floating.has_any


async def test_what_could_not_be_removed_is_still_ours_and_removed_when_it_is_wanted_once_more(
    floating: Floating, kernel: Kernel
) -> None:
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}))
    (held,) = kernel.held
    kernel.refuses[held] = "The kernel refuses it."
    await floating.follow(())
    assert floating.has_any
    kernel.refuses.clear()
    await floating.follow(())
    assert kernel.addresses() == [] and not floating.has_any


async def test_at_a_takeover_nothing_is_read_before_the_announcement_and_the_nat_router_comes_first(
    floating: Floating, kernel: Kernel
) -> None:
    await floating.follow(())
    await floating.turn()
    kernel.now += READ_CLOSEST_S
    await floating.turn()
    kernel.diary.clear()
    readings = []
    announce = floating._announcer._announce

    def announcing(device: str, addresses: Sequence[Address]) -> str:
        readings.append(kernel.readings)
        return announce(device, addresses)

    floating._announcer._announce = announcing
    before = kernel.readings
    nat = cluster("192.0.2.1", extra="nat_router = 10.0.0.254 eth1:1\n")
    await floating.follow(*wanted_addresses(replace(nat, forwarding=Forwarding.NAT), {}), asks_first=False)
    assert kernel.diary == ["add 192.0.2.1", "add 10.0.0.254", "announce 10.0.0.254", "announce 192.0.2.1"]
    assert readings == [before, before] and kernel.readings == before + 1


async def test_at_a_takeover_it_is_read_first_if_something_was_heard(floating: Floating, kernel: Kernel) -> None:
    await floating.follow(())
    await floating.turn()
    kernel.now += READ_CLOSEST_S
    await floating.turn()
    kernel.held.append(Held("eth0", ip_address("192.0.2.1"), 32))
    floating._heard((ChangesLost(),))
    await floating.follow(*wanted_addresses(cluster("192.0.2.1"), {}), asks_first=False)
    assert "add 192.0.2.1" not in kernel.diary and only(floating).state is WAS_THERE

"""The embedded path's picks beside the kernel's: the same arrivals and counters, the same real servers."""

import itertools
import random
import select
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from typing import NamedTuple

import pytest
import pytest_asyncio

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.plan import plan
from piranha.ipvs.schedulers import PICKS, Turn, slot_of, without
from piranha.ipvs.table import (
    Destination,
    DestinationKey,
    EditDestination,
    Entry,
    RemoveDestination,
    Service,
    TableKey,
)
from piranha.system.embedded import REMEMBERS_ENDED_S
from piranha.system.kernel_ipvs import KernelPath
from tests.lab.topologies import NAT
from tests.lab.topology import Topology

VIP = "198.51.100.100"
SERVERS = [DestinationKey(ip_address(f"10.0.0.{number}"), port) for port in (80, 81) for number in (21, 22, 23, 24)]
PORTS = itertools.count(5000)  # each virtual server its own: the kernel remembers connections of a former one
# Each connection its own: behind NAT those to two virtual servers would look the same.
CLIENT_PORTS = itertools.count(10000)
SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr"]
VIPS = [f"198.51.100.{number}" for number in range(100, 116)]
CLIENTS = [f"192.0.2.{number}" for number in range(100, 132)]
WEIGHTS = [(1, 1, 1), (3, 1, 2), (2, 0, 1), (6, 4, 2), (100, 50, 50, 150), (5,), (1, 7, 2, 3, 1, 2)]
ARRIVALS = 40
EDITED = (0, 1, 2, 3, 4, 6, 9, 12)
EDITS = 15
WAIT_S = 10


class Seen(NamedTuple):
    """A destination as the kernel showed it: a `schedulers.Candidate`."""

    weight: int
    active: int
    inactive: int


class Arrival(NamedTuple):
    """What the kernel knew when a connection came, in its order, and the place that it gave it to, or -1: refused."""

    seen: tuple[Seen, ...]
    picked: int


class Removal(NamedTuple):
    """A destination went, from this place."""

    place: int


History = list[Arrival | Removal]


class Listeners:
    """The real servers: who got a connection, and its end there."""

    def __init__(self, lab: Topology, protocol: Protocol) -> None:
        self.is_tcp = protocol is Protocol.TCP
        self._of: dict[socket.socket, DestinationKey] = {}
        kind = socket.SOCK_STREAM if self.is_tcp else socket.SOCK_DGRAM
        for key, name in zip(SERVERS, itertools.cycle(("rs1", "rs2", "rs3", "rs4"))):
            made = lab[name].socket(socket.AF_INET, kind)
            made.bind((str(key.address), key.port))
            if self.is_tcp:
                made.listen(64)
            self._of[made] = key

    def taken(self) -> tuple[DestinationKey, socket.socket | None]:
        """Return who was asked, and over TCP the connection."""
        ready, _, _ = select.select(list(self._of), [], [], WAIT_S)
        (one,) = ready
        if self.is_tcp:
            connection, _ = one.accept()
            connection.settimeout(WAIT_S)
            return self._of[one], connection
        one.recv(100)
        return self._of[one], None

    def close(self) -> None:
        for each in self._of:
            each.close()


class Play:
    """A virtual server in the kernel, clients of it that come and go, and what was seen of it."""

    def __init__(self, path: KernelPath, listeners: Listeners, key: TableKey) -> None:
        self.history: History = []
        self._path, self._listeners, self._key = path, listeners, key
        self._open: list[tuple[DestinationKey, socket.socket, socket.socket]] = []
        self._kept = ExitStack()

    @property
    def written(self) -> str:
        """Return the virtual server as ipvsadm writes it."""
        return f"{self._key.address}:{self._key.port}"

    async def begin(self, scheduler: str, weights: Sequence[int]) -> None:
        """Make the virtual server, its destinations in the order of SERVERS."""
        wanted = {
            key: Destination(Forwarding.NAT, weight)
            for key, weight in zip(SERVERS[: len(weights)], weights, strict=True)
        }
        steps = plan({}, {self._key: Entry(Service(scheduler), wanted)}, newest_first=True)
        assert set(await self._path.apply_many(steps)) == {None}
        assert [(key, seen.weight) for key, seen in (await self._now()).items()] == [
            *zip(SERVERS, weights, strict=False)
        ]

    async def _now(self) -> dict[DestinationKey, Seen]:
        reading = await self._path.present()
        found = {}
        for key, destination in reading.table[self._key].destinations.items():
            counters = reading.counters[self._key, key]
            found[key] = Seen(destination.weight, counters.active_connections, counters.inactive_connections)
        return found

    async def arrive(self, source: str = "") -> int:
        """Have a client connect, from this address, write down what was seen and who got it; return the place."""
        now = await self._now()
        client = self._kept.enter_context(
            socket.socket(socket.AF_INET, socket.SOCK_STREAM if self._listeners.is_tcp else socket.SOCK_DGRAM)
        )
        client.settimeout(WAIT_S)
        client.bind((source, next(CLIENT_PORTS)))
        try:
            client.connect((str(self._key.address), self._key.port))
            if not self._listeners.is_tcp:
                client.send(b"?")
        except ConnectionRefusedError:
            self.history.append(Arrival(tuple(now.values()), -1))
            return -1
        key, there = self._listeners.taken()
        if there is not None:
            self._open.append((key, client, self._kept.enter_context(there)))
        place = list(now).index(key)
        self.history.append(Arrival(tuple(now.values()), place))
        return place

    def leave(self, dice: random.Random) -> None:
        """End one of the open connections, from either side or one side only. Afterwards it counts as inactive."""
        _, *ends = self._open.pop(dice.randrange(len(self._open)))
        first, second = dice.sample(ends, 2)
        first.shutdown(socket.SHUT_WR)
        assert second.recv(1) == b""
        if dice.random() < 0.8:
            second.close()
            first.close()

    def leave_last(self) -> None:
        """End the newest connection."""
        _, client, there = self._open.pop()
        client.close()
        assert there.recv(1) == b""
        there.close()

    async def weigh(self, place: int, weight: int) -> None:
        """Give the destination in this place another weight."""
        key = list(await self._now())[place]
        await self._path.apply(EditDestination(self._key, key, Destination(Forwarding.NAT, weight)))

    async def remove(self, place: int) -> None:
        """Take the destination in this place out of the table."""
        key = list(await self._now())[place]
        await self._path.apply(RemoveDestination(self._key, key))
        self.history.append(Removal(place))
        self._open = [each for each in self._open if each[0] != key]  # the kernel says nothing more to those

    async def some(self, dice: random.Random, arrivals: int) -> None:
        """Have clients come and go as the dice say."""
        for _ in range(arrivals):
            await self.arrive()
            while self._open and dice.random() < 0.4:
                self.leave(dice)

    def end(self) -> None:
        """Let go of every connection."""
        self._kept.close()


@pytest.fixture(scope="module")
def lab() -> Iterator[Topology]:
    topology = Topology(NAT)
    topology.make()
    topology["lvs1"].ip(*(f"addr add {each}/32 dev eth0" for each in VIPS), "addr add 10.0.0.254/24 dev eth1")
    topology["client"].ip(*(f"addr add {each}/24 dev eth0" for each in CLIENTS))
    yield topology
    topology.remove()


@pytest.fixture(scope="module")
def listeners(lab: Topology) -> Iterator[dict[Protocol, Listeners]]:
    made = {protocol: Listeners(lab, protocol) for protocol in (Protocol.TCP, Protocol.UDP)}
    yield made
    for each in made.values():
        each.close()


@pytest_asyncio.fixture
async def path(lab: Topology) -> AsyncIterator[KernelPath]:
    opened = lab["lvs1"].call(KernelPath)
    yield opened
    await opened.close()
    lab["lvs1"].run("ipvsadm", "-C")


@pytest.fixture
def play(lab: Topology, listeners: dict[Protocol, Listeners], path: KernelPath) -> Iterator[Callable[..., Play]]:
    """Return what makes a virtual server that nobody has asked yet. The test stands in the client's namespace."""
    made: list[Play] = []

    def start(protocol: Protocol, vip: str = VIP) -> Play:
        made.append(Play(path, listeners[protocol], TableKey(protocol, ip_address(vip), next(PORTS))))
        return made[-1]

    with lab["client"].inside():
        yield start
    for each in made:
        each.end()


def replayed(scheduler: str, history: History) -> list[int]:
    """Return whom a new round of the embedded path picks, given what the kernel saw."""
    turn, found = Turn(), []
    for each in history:
        match each:
            case Arrival(seen, _):
                place, turn = PICKS[scheduler](seen, turn, 0, -1)
                found.append(place)
            case Removal(place):
                turn = without(turn, place)
    return found


def picked(history: History) -> list[int]:
    """Return whom the kernel picked."""
    return [each.picked for each in history if isinstance(each, Arrival)]


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
async def test_tcp_connections_that_come_and_go(
    play: Callable[[Protocol], Play], scheduler: str, weights: tuple[int, ...]
) -> None:
    one = play(Protocol.TCP)
    await one.begin(scheduler, weights)
    await one.some(random.Random(f"{scheduler} {weights}"), ARRIVALS)
    assert replayed(scheduler, one.history) == picked(one.history)
    if len(set(weights) - {0}) > 1 and scheduler not in ("lblc", "lblcr"):
        others = [each for each in SCHEDULERS if each != scheduler]
        assert all(replayed(each, one.history) != picked(one.history) for each in others), "they can be told apart"


@pytest.mark.parametrize("scheduler", SCHEDULERS)
async def test_udp(play: Callable[[Protocol], Play], scheduler: str) -> None:
    one = play(Protocol.UDP)
    await one.begin(scheduler, (3, 1, 2))
    await one.some(random.Random(scheduler), ARRIVALS)
    assert replayed(scheduler, one.history) == picked(one.history)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
async def test_weights_that_change_on_the_way(play: Callable[[Protocol], Play], scheduler: str, count: int) -> None:
    dice = random.Random(f"{scheduler} {count}")
    weights = [dice.choice(EDITED) for _ in range(count)]
    one = play(Protocol.TCP)
    await one.begin(scheduler, weights)
    for _ in range(EDITS):
        await one.some(dice, dice.randrange(1, 7))
        place = dice.randrange(count)
        weights[place] = dice.choice([weight for weight in EDITED if weight != weights[place]])
        await one.weigh(place, weights[place])
    assert replayed(scheduler, one.history) == picked(one.history)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
async def test_while_nobody_has_a_weight_everybody_is_refused(play: Callable[[Protocol], Play], scheduler: str) -> None:
    dice = random.Random(scheduler)
    one = play(Protocol.TCP)
    await one.begin(scheduler, (3, 9))
    await one.some(dice, 3)
    for place, weight in ((0, 0), (1, 0), (1, 6), (0, 4)):
        await one.weigh(place, weight)
        await one.some(dice, 2 if weight == 0 else 7)
    assert replayed(scheduler, one.history) == picked(one.history)
    assert picked(one.history).count(-1) == 2


@pytest.mark.parametrize("scheduler", SCHEDULERS)
async def test_destinations_that_go_on_the_way(play: Callable[[Protocol], Play], scheduler: str) -> None:
    dice = random.Random(scheduler)
    one = play(Protocol.TCP)
    await one.begin(scheduler, (2, 1, 4, 1, 2, 3, 1, 2))
    for left in range(len(SERVERS), 1, -1):
        await one.some(dice, dice.randrange(3, 12))
        await one.remove(dice.randrange(left))
    await one.some(dice, 3)
    assert replayed(scheduler, one.history) == picked(one.history)


@pytest.mark.parametrize(("scheduler", "idle", "expected"), [("lc", 0, [0, 0, 1, 0]), ("wlc", 1, [1, 0, 1, 0])])
async def test_256_inactive_connections_count_as_an_active_one(
    play: Callable[[Protocol], Play], scheduler: str, idle: int, expected: list[int]
) -> None:
    one = play(Protocol.TCP)
    await one.begin(scheduler, (1, 1))
    await one.weigh(idle, 0)
    assert await one.arrive() == 1 - idle
    await one.weigh(idle, 1)
    await one.weigh(1 - idle, 0)
    for _ in range(255):
        assert await one.arrive() == idle
        one.leave_last()
    await one.weigh(1 - idle, 1)
    for place in expected:
        assert await one.arrive() == place
        one.leave_last()
    assert replayed(scheduler, one.history) == picked(one.history)


async def test_an_ended_connection_counts_as_inactive_as_long_as_in_the_kernel(
    lab: Topology, play: Callable[[Protocol], Play]
) -> None:
    one = play(Protocol.TCP)
    await one.begin("lc", (1,))
    await one.arrive()
    one.leave_last()
    await one.arrive()
    (first, second) = [each for each in one.history if isinstance(each, Arrival)]
    assert (first.seen, second.seen) == ((Seen(1, 0, 0),), (Seen(1, 0, 1),))
    connections = [line.split() for line in lab["lvs1"].run("ipvsadm", "-Lnc").splitlines() if one.written in line]
    (expires,) = [words[1] for words in connections if words[2] == "TIME_WAIT"]
    minutes, seconds = map(int, expires.split(":"))
    assert REMEMBERS_ENDED_S - WAIT_S < 60 * minutes + seconds <= REMEMBERS_ENDED_S


@pytest.mark.parametrize("scheduler", ["lblc", "lblcr"])
async def test_an_address_that_has_too_much_to_do_gets_another_real_server(
    play: Callable[..., Play], scheduler: str
) -> None:
    """Connections that stay: one real server after the other has more than its weight, until all have."""
    one = play(Protocol.TCP)
    await one.begin(scheduler, (2, 1, 3, 1))
    for _ in range(30):
        await one.arrive()
    assert len(set(picked(one.history))) == 4
    assert replayed(scheduler, one.history) == picked(one.history)
    assert replayed("wlc", one.history) != picked(one.history), "they can be told apart"
    others = {"lblc": "lblcr", "lblcr": "lblc"}
    dice = random.Random(scheduler)
    await one.some(dice, 60)
    assert replayed(scheduler, one.history) == picked(one.history)
    assert replayed(others[scheduler], one.history) != picked(one.history), "they can be told apart"


@pytest.mark.parametrize("count", [2, 3, 5])
async def test_dh_picks_by_the_address_that_is_asked_for(play: Callable[..., Play], count: int) -> None:
    found = {}
    for vip in VIPS:
        one = play(Protocol.TCP, vip)
        await one.begin("dh", [1 + place for place in range(count)])
        places = [await one.arrive(source) for source in CLIENTS[:3]]
        (arrival, *_) = [each for each in one.history if isinstance(each, Arrival)]
        place, _ = PICKS["dh"](arrival.seen, Turn(), slot_of(ip_address(vip)), -1)
        assert places == [place] * 3, vip
        found[vip] = place
    assert len(set(found.values())) == count


@pytest.mark.parametrize("weights", [(1, 1), (1, 1, 1), (3, 1, 2), (5, 4, 3, 2, 1)], ids=str)
async def test_sh_picks_by_the_address_of_the_client(play: Callable[..., Play], weights: tuple[int, ...]) -> None:
    one = play(Protocol.TCP)
    await one.begin("sh", weights)
    places = [await one.arrive(source) for source in CLIENTS]
    (arrival, *_) = [each for each in one.history if isinstance(each, Arrival)]
    expected = [PICKS["sh"](arrival.seen, Turn(), slot_of(ip_address(source)), -1)[0] for source in CLIENTS]
    assert places == expected
    assert len(set(places)) > 1

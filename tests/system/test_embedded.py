"""Real connections on loopback through the embedded data path, on both event loops."""

import asyncio
import hashlib
import os
import resource
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack
from ipaddress import ip_address

import pytest

from piranha.config.model import Forwarding, Protocol
from piranha.errors import StepRefused
from piranha.ipvs.schedulers import PICKS, slot_of
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Counters,
    Destination,
    DestinationKey,
    EditDestination,
    EditService,
    RemoveDestination,
    RemoveService,
    Service,
    TableKey,
)
from piranha.system.embedded import EmbeddedPath

LOOPBACK = ip_address("127.0.0.1")


class Farm:
    """A path with one virtual server, and real servers that answer each line with their name and the line."""

    def __init__(self, path: EmbeddedPath, key: TableKey, exits: AsyncExitStack) -> None:
        self.path = path
        self.key = key
        self.exits = exits

    async def web(self, name: str) -> DestinationKey:
        """Start a real server; return its place."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while line := await reader.readline():
                    writer.write(name.encode() + b" " + line)
            except ConnectionError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        self.exits.push_async_callback(stopped, server)
        return DestinationKey(LOOPBACK, server.sockets[0].getsockname()[1])

    async def add(self, place: DestinationKey, weight: int = 1) -> DestinationKey:
        await self.path.apply(AddDestination(self.key, place, Destination(Forwarding.NAT, weight)))
        return place

    async def weigh(self, place: DestinationKey, weight: int) -> None:
        await self.path.apply(EditDestination(self.key, place, Destination(Forwarding.NAT, weight)))

    async def remove(self, place: DestinationKey, ends_connections: bool = False) -> None:
        await self.path.apply(RemoveDestination(self.key, place, ends_connections))

    async def edit(self, service: Service) -> None:
        await self.path.apply(EditService(self.key, service))

    async def ask(self) -> str:
        """Make a connection of one line; return who answered."""
        connection = await self.connect()
        answer = await connection.say("hello")
        await connection.end()
        return answer

    async def connect(self, source: str = "127.0.0.1") -> "Connection":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.key.port, local_addr=(source, 0))
        self.exits.push_async_callback(ended, writer)
        return Connection(reader, writer)

    async def count(self, place: DestinationKey) -> Counters:
        return (await self.path.present()).counters[self.key, place]

    async def until(self, condition: Callable[[Counters], bool], place: DestinationKey) -> Counters:
        """Let the loop run until the counters of a place are as the condition says."""
        async with asyncio.timeout(10):
            while not condition(counters := await self.count(place)):
                await turn()
        return counters


class Connection:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, line: str) -> str:
        """Send a line; return who answered."""
        self.writer.write(line.encode() + b"\n")
        answer = (await self.reader.readline()).decode().split()
        assert answer[1:] == [line]
        return answer[0]

    async def end(self) -> None:
        self.writer.write_eof()
        assert await self.reader.read() == b""
        await ended(self.writer)


async def stopped(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()


async def ended(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        pass


async def turn() -> None:
    """Let the loop look at its sockets once."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(done.set_result, None)
    await done


def free_port(address: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
async def farm() -> AsyncIterator[Farm]:
    """A farm under round robin, without real servers."""
    async with AsyncExitStack() as exits:
        path = await exits.enter_async_context(EmbeddedPath(connect_limit_s=0.2))
        key = TableKey(Protocol.TCP, LOOPBACK, free_port())
        await path.apply(AddService(key, Service("rr")))
        yield Farm(path, key, exits)


async def test_30_requests_over_three_servers_are_10_each(farm: Farm) -> None:
    for name in ("web1", "web2", "web3"):
        await farm.add(await farm.web(name))
    assert Counter([await farm.ask() for _ in range(30)]) == {"web1": 10, "web2": 10, "web3": 10}


async def test_the_round_is_exact_after_servers_and_weights_were_edited(farm: Farm) -> None:
    places = [await farm.add(await farm.web(f"web{number}")) for number in range(1, 5)]
    assert [await farm.ask() for _ in range(2)] == ["web1", "web2"]
    await farm.remove(places[0])
    await farm.weigh(places[2], 5)
    assert Counter([await farm.ask() for _ in range(30)]) == {"web2": 10, "web3": 10, "web4": 10}


async def test_weights_count_under_wrr(farm: Farm) -> None:
    await farm.edit(Service("wrr"))
    await farm.add(await farm.web("web1"), 3)
    await farm.add(await farm.web("web2"), 1)
    assert Counter([await farm.ask() for _ in range(20)]) == {"web1": 15, "web2": 5}


async def test_connections_that_are_held_are_shared_out_by_wlc(farm: Farm) -> None:
    await farm.edit(Service("wlc"))
    for name, weight in (("web1", 1), ("web2", 2)):
        await farm.add(await farm.web(name), weight)
    held = [await farm.connect() for _ in range(9)]
    assert Counter([await each.say("hello") for each in held]) == {"web1": 3, "web2": 6}


async def test_a_client_stays_with_one_server_under_sh_and_under_persistence(farm: Farm) -> None:
    for name in ("web1", "web2", "web3"):
        await farm.add(await farm.web(name))
    for service in (Service("sh"), Service("rr", persistent_s=60)):
        await farm.edit(service)
        assert len({await farm.ask() for _ in range(6)}) == 1


async def test_dh_sends_everybody_to_the_server_of_the_address_whatever_the_weights(farm: Farm) -> None:
    await farm.edit(Service("dh"))
    places = {name: await farm.add(await farm.web(name), weight) for name, weight in (("a", 9), ("b", 1), ("c", 5))}
    expected = "abc"[slot_of(LOOPBACK) % 3]
    assert {await farm.ask() for _ in range(6)} == {expected}
    await farm.weigh(places[expected], 0)
    (other,) = {await farm.ask() for _ in range(6)}
    assert other != expected


@pytest.mark.parametrize(("scheduler", "then"), [("lblc", "c"), ("lblcr", "a")])
async def test_lblc_leaves_a_server_with_more_connections_than_weight_and_lblcr_adds_one(
    farm: Farm, scheduler: str, then: str
) -> None:
    first, *_ = [await farm.add(await farm.web(name), 2) for name in ("a", "b", "c")]
    await farm.edit(Service(scheduler))
    held = [await farm.connect() for _ in range(9)]
    assert "".join([await each.say("hello") for each in held]) == "aaabbbccc"
    await held[0].end()
    await farm.until(lambda counters: counters.active_connections == 2, first)
    assert await farm.ask() == then


async def test_clients_of_one_pmask_net_go_to_one_server_under_every_scheduler(farm: Farm) -> None:
    for name in ("a", "b", "c"):
        await farm.add(await farm.web(name), 2)
    for scheduler in PICKS:
        await farm.edit(Service(scheduler, persistent_s=60, persistence_prefix=24))
        held = [await farm.connect(source=f"127.0.9.{number}") for number in (1, 2, 3, 250, 1, 2, 3, 250)]
        assert len({await each.say("hello") for each in held}) == 1, scheduler
        for each in held:
            await each.end()
        await farm.edit(Service("rr"))


async def test_clients_of_other_addresses_go_to_other_servers_under_persistence(farm: Farm) -> None:
    await farm.edit(Service("rr", persistent_s=60))
    for name in ("web1", "web2"):
        await farm.add(await farm.web(name))
    first = [await farm.connect(source="127.0.0.1") for _ in range(3)]
    others = [await farm.connect(source="127.0.0.5") for _ in range(3)]
    assert {await each.say("hello") for each in first} == {"web1"}
    assert {await each.say("hello") for each in others} == {"web2"}


async def test_a_server_that_refuses_costs_one_retry_on_the_next(farm: Farm) -> None:
    await farm.add(DestinationKey(LOOPBACK, free_port()))
    await farm.add(await farm.web("web2"))
    await farm.add(await farm.web("web3"))
    assert Counter([await farm.ask() for _ in range(12)]).keys() == {"web2", "web3"}


async def test_a_client_whose_retry_is_refused_too_is_reset(farm: Farm) -> None:
    places = [await farm.add(DestinationKey(LOOPBACK, free_port())) for _ in range(2)]
    await farm.add(await farm.web("web3"))
    # The reset may be there before the client has heard that it is connected.
    with pytest.raises(ConnectionResetError):
        await (await farm.connect()).reader.read()
    assert await farm.ask() == "web3"
    for place in places:
        counters = await farm.count(place)
        assert (counters.active_connections, counters.inactive_connections, counters.connections) == (0, 0, 0)


async def test_a_server_that_does_not_answer_is_given_up_after_the_limit(farm: Farm) -> None:
    with socket.socket() as deaf, ExitStack() as fillers:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):
            # More than its queue holds: from then on it does not answer (listen(2)).
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        await farm.add(DestinationKey(LOOPBACK, deaf.getsockname()[1]))
        await farm.add(await farm.web("web2"))
        connections = [await farm.connect() for _ in range(4)]
        assert {await each.say("hello") for each in connections} == {"web2"}


async def test_without_a_server_a_client_is_reset(farm: Farm) -> None:
    # The reset may be there before the client has heard that it is connected.
    with pytest.raises(ConnectionResetError):
        await (await farm.connect()).reader.read()


async def test_weight_0_takes_no_new_connection_and_keeps_the_old_ones(farm: Farm) -> None:
    web1 = await farm.add(await farm.web("web1"))
    await farm.add(await farm.web("web2"))
    old = await farm.connect()
    assert await old.say("hello") == "web1"
    await farm.weigh(web1, 0)
    assert {await farm.ask() for _ in range(5)} == {"web2"}
    assert await old.say("again") == "web1"
    await farm.weigh(web1, 1)
    assert Counter([await farm.ask() for _ in range(10)]) == {"web1": 5, "web2": 5}


async def test_connections_of_a_removed_server_go_on_until_they_end(farm: Farm) -> None:
    web1 = await farm.add(await farm.web("web1"))
    old = await farm.connect()
    assert await old.say("hello") == "web1"
    await farm.remove(web1)
    await farm.path.apply(RemoveService(farm.key))
    assert not (await farm.path.present()).table
    assert await old.say("again") == "web1"
    with pytest.raises(ConnectionRefusedError):
        await farm.connect()
    await old.end()


async def test_a_server_that_returns_finds_its_connections_and_counters_again(farm: Farm) -> None:
    web1 = await farm.add(await farm.web("web1"))
    old = await farm.connect()
    await old.say("hello")
    await farm.remove(web1)
    await farm.add(web1, 3)
    counters = await farm.count(web1)
    assert (counters.active_connections, counters.connections) == (1, 1)
    await old.end()
    await farm.until(lambda found: found.active_connections == 0, web1)


async def test_a_server_that_is_gone_with_its_last_connection_starts_anew(farm: Farm) -> None:
    web1 = await farm.add(await farm.web("web1"))
    assert await farm.ask() == "web1"
    await farm.until(lambda found: found.active_connections == 0, web1)
    await farm.remove(web1)
    await farm.add(web1)
    assert await farm.count(web1) == Counters()


async def test_a_removal_may_end_the_connections_of_that_server_alone(farm: Farm) -> None:
    web1 = await farm.add(await farm.web("web1"))
    await farm.add(await farm.web("web2"))
    first, second = await farm.connect(), await farm.connect()
    assert [await first.say("hello"), await second.say("hello")] == ["web1", "web2"]
    await farm.remove(web1, ends_connections=True)
    with pytest.raises(ConnectionResetError):
        await first.reader.read()
    assert await second.say("again") == "web2"


async def test_counters_follow_a_connection_from_active_to_inactive_to_ended(farm: Farm) -> None:
    web1 = await farm.add(await farm.web("web1"))
    connection = await farm.connect()
    await connection.say("hello")
    assert await farm.count(web1) == Counters(1, 0, 1, len("hello\n"), len("web1 hello\n"))
    await connection.end()
    counters = await farm.until(lambda found: found.active_connections == 0, web1)
    assert (counters.inactive_connections, counters.connections) == (1, 1)


async def test_a_half_closed_connection_is_inactive_and_goes_on(farm: Farm) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = await farm.add(DestinationKey(LOOPBACK, listener.getsockname()[1]))
        connection = await farm.connect()
        listener.setblocking(False)
        server, _ = await loop.sock_accept(listener)
        with server:
            connection.writer.write_eof()
            assert await loop.sock_recv(server, 10) == b""
            counters = await farm.count(place)
            assert (counters.active_connections, counters.inactive_connections) == (0, 1)
            await loop.sock_sendall(server, b"late\n")
            assert await connection.reader.readline() == b"late\n"


async def test_a_reset_by_the_client_reaches_the_server_and_ends_the_count(farm: Farm) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = await farm.add(DestinationKey(LOOPBACK, listener.getsockname()[1]))
        listener.setblocking(False)
        client = socket.create_connection(("127.0.0.1", farm.key.port))
        server, _ = await loop.sock_accept(listener)
        await farm.until(lambda found: found.active_connections == 1, place)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        with server, pytest.raises(ConnectionResetError):
            await loop.sock_recv(server, 10)
    assert await farm.count(place) == Counters(connections=1)


async def test_edits_during_a_transfer_leave_it_whole(farm: Farm) -> None:
    content = os.urandom(1 << 20) * 16

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(send, "127.0.0.1", 0)
    farm.exits.push_async_callback(stopped, server)
    big = await farm.add(DestinationKey(LOOPBACK, server.sockets[0].getsockname()[1]))
    download = await farm.connect()
    digest = hashlib.sha256(await download.reader.readexactly(1000))
    other = await farm.web("web2")
    for edit in range(50):
        await farm.weigh(big, edit % 2)
        await farm.edit(Service([*PICKS][edit % len(PICKS)], persistent_s=edit % 2))
        await (farm.remove(other) if edit % 2 else farm.add(other))
        digest.update(await download.reader.readexactly(1000))
    digest.update(await download.reader.read())
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()


async def test_200_connections_at_once(farm: Farm) -> None:
    for name in ("web1", "web2", "web3", "web4"):
        await farm.add(await farm.web(name))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(farm.connect()) for _ in range(200)]
    held = [task.result() for task in tasks]
    answers = Counter(await asyncio.gather(*(each.say("hello") for each in held)))
    assert answers == {"web1": 50, "web2": 50, "web3": 50, "web4": 50}
    reading = await farm.path.present()
    assert {counters.active_connections for counters in reading.counters.values()} == {50}


async def test_closing_resets_every_connection_and_listens_no_more(farm: Farm) -> None:
    await farm.add(await farm.web("web1"))
    connection = await farm.connect()
    await connection.say("hello")
    await farm.path.close()
    with pytest.raises(ConnectionResetError):
        await connection.reader.read()
    with pytest.raises(ConnectionRefusedError):
        await farm.connect()
    assert not (await farm.path.present()).table


async def test_running_out_of_descriptors_delays_a_client_and_stops_nothing(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    await farm.add(await farm.web("web1"))
    loop = asyncio.get_running_loop()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as client:
        client.setblocking(False)
        lowest_free = os.dup(client.fileno())
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            await loop.sock_connect(client, ("127.0.0.1", farm.key.port))
            async with asyncio.timeout(10):
                while "no connection can be accepted now" not in caplog.text:
                    await turn()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await loop.sock_sendall(client, b"hello\n")
        assert await loop.sock_recv(client, 100) == b"web1 hello\n"


async def test_steps_that_do_not_fit_the_table_are_refused_and_change_nothing(farm: Farm) -> None:
    web1 = await farm.add(await farm.web("web1"))
    other = DestinationKey(LOOPBACK, 9)
    unknown = TableKey(Protocol.TCP, LOOPBACK, 9)
    before = await farm.path.present()
    for step in (
        AddService(farm.key, Service("wlc")),
        EditService(unknown, Service("wlc")),
        RemoveService(farm.key),
        RemoveService(unknown),
        AddDestination(farm.key, web1, Destination(Forwarding.NAT, 7)),
        AddDestination(unknown, web1, Destination(Forwarding.NAT, 7)),
        EditDestination(farm.key, other, Destination(Forwarding.NAT, 7)),
        RemoveDestination(farm.key, other),
    ):
        with pytest.raises(StepRefused):
            await farm.path.apply(step)
    assert await farm.path.present() == before
    assert await farm.ask() == "web1"


async def test_of_many_steps_a_refused_one_stops_no_other(farm: Farm) -> None:
    one, two = (DestinationKey(ip_address("127.0.0.1"), port) for port in (1, 2))
    one_there = AddDestination(farm.key, one, Destination(Forwarding.NAT, 1))
    two_there = AddDestination(farm.key, two, Destination(Forwarding.NAT, 1))
    first, again, last = await farm.path.apply_many([one_there, one_there, two_there])
    assert (first, last) == (None, None)
    assert "already" in str(again)
    assert list((await farm.path.present()).table[farm.key].destinations) == [one, two]

"""What the embedded data path listens on, and what it refuses to, each service for itself."""

import asyncio
import errno
import os
import resource
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Destination,
    DestinationKey,
    EditDestination,
    EditService,
    Entry,
    RemoveDestination,
    RemoveService,
    Service,
    TableKey,
)
from piranha.system import descriptors
from piranha.system.embedded import EmbeddedPath
from piranha.system.listening import open_listener, why_not_bound, why_not_served

LOOPBACK = ip_address("127.0.0.1")
NAT = Destination(Forwarding.NAT, 1)


@pytest.fixture
async def path() -> AsyncIterator[EmbeddedPath]:
    async with EmbeddedPath() as made:
        yield made


def free_port(address: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as found:
        port: int = found.getsockname()[1]
        return port


def accepts(key: TableKey) -> bool:
    try:
        socket.create_connection((str(key.address), key.port)).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_service_is_listened_for_on_exactly_its_address_and_port(path: EmbeddedPath, address: str) -> None:
    key = TableKey(Protocol.TCP, ip_address(address), free_port(address))
    await path.apply(AddService(key, Service("wlc")))
    assert accepts(key)
    assert not accepts(TableKey(Protocol.TCP, ip_address("127.0.0.1" if address == "::1" else "::1"), key.port))
    assert (await path.present()).refused == {}
    await path.apply(RemoveService(key))
    assert not accepts(key)


def test_an_ipv4_address_written_as_ipv6_is_not_listened_on() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        open_listener(ip_address("::ffff:127.0.0.1"), 0)


async def test_one_port_may_be_a_service_on_two_addresses(path: EmbeddedPath) -> None:
    port = free_port()
    keys = [TableKey(Protocol.TCP, ip_address(address), port) for address in ("127.0.0.1", "127.0.0.2")]
    for key in keys:
        await path.apply(AddService(key, Service("rr")))
    assert all(accepts(key) for key in keys)


async def test_a_taken_port_is_refused_for_that_service_alone_and_taken_over_when_it_is_free(
    path: EmbeddedPath,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as blocker:
        taken = TableKey(Protocol.TCP, LOOPBACK, blocker.getsockname()[1])
        free = TableKey(Protocol.TCP, LOOPBACK, free_port())
        for key in (taken, free):
            await path.apply(AddService(key, Service("rr")))
        reading = await path.present()
        assert list(reading.table) == [taken, free]
        assert list(reading.refused) == [taken]
        assert "is taken by another program" in reading.refused[taken]
        assert accepts(free)
    assert (await path.present()).refused == {}
    assert accepts(taken)


async def test_an_address_that_is_not_here_is_said_to_be_so(path: EmbeddedPath) -> None:
    key = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 8080)
    await path.apply(AddService(key, Service("rr")))
    assert (await path.present()).refused == {key: "Address 192.0.2.1 is not on this machine; it is tried again."}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "Port 80 of 192.0.2.1 needs privileges"),
        (errno.EADDRINUSE, "Port 80 of 192.0.2.1 is taken by another program"),
        (errno.EADDRNOTAVAIL, "Address 192.0.2.1 is not on this machine"),
        (errno.EAFNOSUPPORT, "TCP 192.0.2.1:80 cannot be listened on (no such family)"),
    ],
)
def test_every_reason_of_the_system_is_a_sentence(code: int, words: str) -> None:
    key = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 80)
    assert why_not_bound(key, OSError(code, "no such family")).startswith(words)


@pytest.mark.parametrize(
    ("key", "scheduler", "words"),
    [
        (TableKey(fwmark=9), "rr", "Firewall mark 9 is not served"),
        (TableKey(Protocol.UDP, LOOPBACK, 53), "rr", "UDP 127.0.0.1:53 is not served"),
        (TableKey(Protocol.TCP, LOOPBACK, 0), "rr", "TCP 127.0.0.1:0 is not served"),
        (TableKey(Protocol.TCP, ip_address("0.0.0.0"), 80), "rr", "TCP 0.0.0.0:80 is not served"),
        (TableKey(Protocol.TCP, LOOPBACK, 80), "nq", 'The embedded data path has no scheduler "nq"'),
        (TableKey(Protocol.TCP, LOOPBACK, 80), "wlc", ""),
    ],
)
def test_what_can_never_be_served_is_said_with_the_reason(key: TableKey, scheduler: str, words: str) -> None:
    refusal = why_not_served(key, Service(scheduler))
    assert refusal.startswith(words)
    assert bool(refusal) is bool(words)


@pytest.mark.parametrize(
    ("key", "scheduler"),
    [(TableKey(fwmark=9), "rr"), (TableKey(Protocol.UDP, LOOPBACK, 53), "rr"), (None, "mh")],
)
async def test_a_service_that_is_refused_stands_in_the_table_and_takes_every_step(
    path: EmbeddedPath, key: TableKey | None, scheduler: str
) -> None:
    key = key or TableKey(Protocol.TCP, LOOPBACK, free_port())
    place = DestinationKey(LOOPBACK, 9)
    await path.apply(AddService(key, Service(scheduler)))
    await path.apply(AddDestination(key, place, NAT))
    await path.apply(EditDestination(key, place, Destination(Forwarding.NAT, 0)))
    reading = await path.present()
    assert reading.table == {key: Entry(Service(scheduler), {place: Destination(Forwarding.NAT, 0)})}
    assert list(reading.refused) == [key]
    await path.apply(RemoveDestination(key, place))
    await path.apply(RemoveService(key))
    assert not (await path.present()).table


async def test_a_service_is_served_when_its_scheduler_is_mended(path: EmbeddedPath) -> None:
    key = TableKey(Protocol.TCP, LOOPBACK, free_port())
    await path.apply(AddService(key, Service("mh")))
    assert not accepts(key)
    await path.apply(EditService(key, Service("rr")))
    assert accepts(key)
    assert (await path.present()).refused == {}


async def test_an_unknown_scheduler_does_not_stop_a_service_that_works(path: EmbeddedPath) -> None:
    key = TableKey(Protocol.TCP, LOOPBACK, free_port())
    await path.apply(AddService(key, Service("rr")))
    await path.apply(EditService(key, Service("sed")))
    assert accepts(key)
    reading = await path.present()
    assert 'no scheduler "sed"' in reading.refused[key]
    assert "goes on as before" in reading.refused[key]
    await path.apply(EditService(key, Service("wrr")))
    assert (await path.present()).refused == {}


async def test_a_virtual_server_that_is_its_own_real_server_is_told_so_and_gets_no_circle(path: EmbeddedPath) -> None:
    key = TableKey(Protocol.TCP, LOOPBACK, free_port())
    itself = DestinationKey(LOOPBACK, key.port)
    await path.apply(AddService(key, Service("rr")))
    await path.apply(AddDestination(key, itself, NAT))
    reading = await path.present()
    assert reading.table[key].destinations == {itself: NAT}
    assert "is the virtual server itself" in reading.refused[key]
    for weight in (1, 2):
        await path.apply(EditDestination(key, itself, Destination(Forwarding.NAT, weight)))
        with pytest.raises(ConnectionResetError):
            reader, writer = await asyncio.open_connection("127.0.0.1", key.port)
            try:
                await reader.read()
            finally:
                writer.close()
    counters = (await path.present()).counters[key, itself]
    assert (counters.connections, counters.inactive_connections) == (0, 0)


def test_the_last_descriptors_are_not_for_clients() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as any_one:
        lowest_free = os.dup(any_one.fileno())
        os.close(lowest_free)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (2 * lowest_free, before[1]))
            descriptors.require_some(any_one.fileno())
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 1, before[1]))
            with pytest.raises(OSError, match="Too many open files"):
                descriptors.require_some(any_one.fileno())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_clients_wait_while_descriptors_are_short_and_that_is_logged_once(
    path: EmbeddedPath, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    def short_three_times(handle: int) -> None:
        asked.append(handle)
        if len(asked) <= 3:
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(descriptors, "require_some", short_three_times)
    key = TableKey(Protocol.TCP, LOOPBACK, free_port())
    await path.apply(AddService(key, Service("rr")))
    reader, writer = await asyncio.open_connection("127.0.0.1", key.port)
    with pytest.raises(ConnectionResetError):  # there is no real server: so it was accepted in the end
        await reader.read()
    writer.close()
    assert len(asked) >= 4 and len(caplog.messages) == 1 and "no connection can be accepted now" in caplog.messages[0]

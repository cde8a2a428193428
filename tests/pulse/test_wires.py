"""The sockets of the heartbeats: which are open, what is tried again, what is said."""

from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address

import pytest

from piranha.ha.channels import ChannelName
from piranha.pulse.messages import ChannelRow
from piranha.pulse.pair import Pair, pair_of
from piranha.pulse.wires import Wires
from tests.pulse.a_moment import until
from tests.pulse.hearts import ONE, TWO, Network, told

PRIVATE = ("10.0.0.11", "10.0.0.12")
PUBLIC_ROW, PRIVATE_ROW = ChannelRow("public", ONE, TWO), ChannelRow("private", *PRIVATE)


def pair(*rows: ChannelRow, port: int = 539) -> Pair:
    return pair_of(told(ONE, channels=rows or (PUBLIC_ROW, PRIVATE_ROW), port=port))


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
async def wires(network: Network) -> AsyncIterator[Wires]:
    made = Wires(lambda: None, network.bind)
    yield made
    made.close()


async def test_each_channel_is_bound_to_its_own_address_and_the_private_one_is_read_first(
    wires: Wires, network: Network
) -> None:
    wires.follow(pair())
    assert sorted(network.bound) == [f"{PRIVATE[0]}:539", f"{ONE}:539"]
    for own, there in network.sockets.items():
        there.waiting.append((own[0].encode(), ip_address(TWO)))
    assert [(name, raw) for name, raw, _ in wires.waiting()] == [
        (ChannelName.PRIVATE, PRIVATE[0].encode()),
        (ChannelName.PUBLIC, ONE.encode()),
    ]


async def test_what_stays_as_it_is_keeps_its_socket(wires: Wires, network: Network) -> None:
    wires.follow(pair())
    wires.follow(pair(PUBLIC_ROW, ChannelRow("private", PRIVATE[0], "10.0.0.99")))
    assert network.closed == [] and len(network.bound) == 2
    wires.send(ChannelName.PRIVATE, b"x")
    assert network.sockets[PRIVATE[0], 539].sent == [(b"x", "10.0.0.99")]


@pytest.mark.parametrize(
    ("after", "closed"),
    [(pair(PUBLIC_ROW), [PRIVATE[0]]), (pair(port=600), [ONE, PRIVATE[0]])],
)
async def test_what_is_not_wanted_any_more_is_closed(
    wires: Wires, network: Network, after: Pair, closed: list[str]
) -> None:
    wires.follow(pair())
    wires.follow(after)
    assert sorted(network.closed) == sorted(f"{each}:539" for each in closed)


async def test_a_missing_address_is_said_once_costs_nothing_else_and_is_tried_again(
    wires: Wires, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    network.missing.add(PRIVATE[0])
    wires.follow(pair())
    wires.open_missing()
    assert wires.misses_any and caplog.text.count("failed to bind to heartbeat address") == 1
    assert "failed to bind" in wires.trouble(ChannelName.PRIVATE) and not wires.trouble(ChannelName.PUBLIC)
    wires.send(ChannelName.PRIVATE, b"x")
    wires.send(ChannelName.PUBLIC, b"x")
    assert network.sockets[ONE, 539].sent == [(b"x", TWO)]
    network.missing.clear()
    wires.open_missing()
    assert not wires.misses_any and not wires.trouble(ChannelName.PRIVATE)


async def test_what_cannot_be_sent_is_said_once_and_ends_with_its_cause(
    wires: Wires, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    wires.follow(pair())
    there = network.sockets[ONE, 539]
    there.trouble = "No heartbeat can be sent."
    for _ in range(3):
        wires.send(ChannelName.PUBLIC, b"x")
    assert caplog.text.count("No heartbeat can be sent.") == 1
    there.trouble = ""
    wires.send(ChannelName.PUBLIC, b"x")
    assert wires.trouble(ChannelName.PUBLIC) == ""


async def test_a_closed_socket_leaves_nothing_in_the_event_loop(network: Network) -> None:
    heard: list[str] = []
    wires = Wires(lambda: heard.append("readable"), network.bind)
    wires.follow(pair(PUBLIC_ROW))
    there: Callable[[], int] = network.sockets[ONE, 539].fileno
    import os

    os.eventfd_write(there(), 1)
    await until(lambda: heard)
    wires.close()
    wires.close()
    assert network.closed == [f"{ONE}:539"]

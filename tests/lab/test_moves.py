"""Planned moves to and fro, with a client that opens a connection every 20 ms: none fails, and none goes in circles."""

import select
from collections.abc import Iterator

import pytest

from piranha.monitoring import FailoverCommand
from tests.lab.failover_rig import Knocks, Way
from tests.lab.running_router import until
from tests.lab.test_engine import VIP
from tests.lab.test_pair import Pair, are_ready, is_active, lab, routers
from tests.lab.test_sync import GATEWAY
from tests.lab.topology import Host, Topology

__all__ = ["lab", "routers"]
MOVES = 4
MOVE_MOST_S = 2.0
"""On a loaded machine; how long it takes on one with nothing else to do `make bench-failover` says."""


@pytest.fixture
def knocks(lab: Topology, routers: Pair) -> Iterator[Knocks]:
    found = Knocks(lab["client"])
    found.start()
    yield found
    found.end()


def neighbours(host: Host) -> str:
    return host.run("ip", "neigh", "show", VIP) + host.run("ip", "neigh", "show", GATEWAY)


def test_no_connection_fails_when_the_addresses_go_to_and_fro(lab: Topology, routers: Pair, knocks: Knocks) -> None:
    active, passive = routers
    for _ in range(MOVES):
        until(lambda: are_ready((active, passive)), 20, "the other router is ready")  # noqa: B023
        way = Way(lab["upstream"])
        way.start()
        until(lambda: len(way.seen) > 20, 10, "the client is answered")  # noqa: B023
        assert active.client.failover(FailoverCommand.HAND_OVER).done
        until(lambda: way.others > 20, 20, "the other router serves")  # noqa: B023
        way.end()
        assert way.switch_s < MOVE_MOST_S
        assert is_active(passive)
        # A packet that still comes here waits for the new owner instead of going to whom an old announcement named.
        assert passive.host.address("dmz") not in neighbours(active.host)
        active, passive = passive, active
    select.select([], [], [], 0.5)
    assert knocks.failed == {}

"""Addresses come behind the real servers."""

from dataclasses import replace

import pytest

from piranha.engine.servers import active_servers
from piranha.engine.settled import Settled
from piranha.health.machine import unheard
from piranha.health.weight import Weighed
from piranha.ipvs.desired import desired
from piranha.status import HealthState


@pytest.fixture
def cluster(cluster_of, block):
    return cluster_of(block("web", "a=127.0.0.11:80", port=80) + block("api", "b=127.0.0.12:80", port=81))


class World:
    """The health of a cluster's servers; each is unknown at first."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.healths = {key: unheard(0) for _, _, key in active_servers(cluster)}

    def hear(self, address, state):
        for key in self.healths:
            if str(key.address) == address:
                self.healths[key] = replace(self.healths[key], state=state)

    def carried(self, settled, now):
        weighed = {key: Weighed(1, True, "") for key, each in self.healths.items() if each.state is HealthState.UP}
        found = settled.carried(self.cluster, desired(self.cluster, weighed, {}), self.healths, now)
        return None if found is None else [virtual.name for virtual in found.virtual_servers]


def test_at_the_start_addresses_are_left_as_they_are_until_everybody_can_serve_or_was_heard(cluster):
    world, settled = World(cluster), Settled()
    settled.begin(30)
    assert world.carried(settled, 0) is None
    world.hear("127.0.0.11", HealthState.UP)
    assert world.carried(settled, 1) is None
    world.hear("127.0.0.12", HealthState.DOWN)
    assert world.carried(settled, 2) == ["web", "api"]


def test_nobody_waits_longer_than_the_limit(cluster):
    world, settled = World(cluster), Settled()
    settled.begin(30)
    assert world.carried(settled, 29.9) is None
    assert world.carried(settled, 30) == ["web", "api"]


def test_later_only_new_virtual_servers_wait_and_those_that_were_carried_stay(cluster, cluster_of, block):
    world, settled = World(cluster), Settled()
    for address in ("127.0.0.11", "127.0.0.12"):
        world.hear(address, HealthState.UP)
    assert world.carried(settled, 0) == ["web", "api"]
    more = World(cluster_of(block("new", "c=127.0.0.13:80", port=82) + block("web", "d=127.0.0.14:80", port=80)))
    settled.begin(60)
    assert more.carried(settled, 31) == ["web"]
    more.hear("127.0.0.13", HealthState.UP)
    assert more.carried(settled, 32) == ["new", "web"]

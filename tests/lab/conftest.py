"""These tests run inside the lab's kernel (`make lab`), nowhere else: on a machine's own kernel they would do harm."""

import os
from collections.abc import Iterator

import pytest

from piranha.ipvs.addresses import RemoveAddress
from piranha.system.addresses import RouterAddresses
from tests.lab.capture import held_by
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

collect_ignore_glob = [] if os.environ.get("PIRANHA_LAB") == "1" else ["test_*.py"]


@pytest.fixture(scope="module")
def lab() -> Iterator[Topology]:
    """Return the NAT topology. A module whose hosts need more has a `lab` of its own."""
    topology = Topology(NAT)
    topology.make()
    yield topology
    topology.remove()


@pytest.fixture
def lvs1(lab: Topology) -> Iterator[Host]:
    """Return the first router, and give it back with the addresses that it had."""
    host = lab["lvs1"]
    before = held_by(host)
    yield host
    with host.inside(), RouterAddresses() as router:
        for each in router.read().addresses:
            if each.held not in before:
                router.apply(RemoveAddress(each.held))
    assert held_by(host) == before

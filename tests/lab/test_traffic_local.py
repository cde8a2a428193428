"""Routers that are real servers themselves: the active one serves clients, and its partner does by direct routing."""

from collections import Counter
from collections.abc import Iterator
from itertools import product

import pytest

from tests.lab.topologies import LOCAL
from tests.lab.topology import Topology
from tests.lab.traffic import Site, Virtual, carrying_silently, site, with_many_addresses

ROUTERS = ("lvs1", "lvs2")
HEAD = "serial_no = 1\nprimary = 198.51.100.11\nservice = lvs\nbackup_active = 0\nnetwork = direct\n"
VIRTUALS = [
    Virtual(8300 + place, "rr", protocol, version)
    for place, (protocol, version) in enumerate(product(("tcp", "udp"), (4, 6)))
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    lab = Topology(LOCAL)
    lab.make()
    with_many_addresses(lab)
    carrying_silently(lab["lvs2"], "lo", "lo")
    servers = {version: {name: lab[name].address("dmz", version) for name in ROUTERS} for version in (4, 6)}
    with site(lab, tmp_path_factory.mktemp("local"), HEAD, servers, VIRTUALS) as found:
        yield found


@pytest.mark.parametrize("virtual", VIRTUALS, ids=lambda each: f"{each.protocol}-{each.version}")
def test_both_routers_serve(served: Site, virtual: Virtual) -> None:
    assert served.shares(virtual, 6) == Counter(dict.fromkeys(ROUTERS, 3))
    assert served.has_table()


def test_the_table_is_what_show_prints(served: Site) -> None:
    shown = served.shown()
    assert sorted(served.router.table()) == sorted(shown)
    assert len(shown) == (1 + len(ROUTERS)) * len(VIRTUALS)

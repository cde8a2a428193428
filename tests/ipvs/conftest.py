"""Tables of the documentation's addresses, and strategies that make any table."""

from collections.abc import Callable
from ipaddress import ip_address
from types import MappingProxyType

import pytest
from hypothesis import strategies as st

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.table import Destination, DestinationKey, Entry, Service, Table, TableKey

KEYS = [
    TableKey(Protocol.TCP, ip_address("192.0.2.1"), 80),
    TableKey(Protocol.TCP, ip_address("192.0.2.1"), 443),
    TableKey(Protocol.UDP, ip_address("192.0.2.1"), 80),
    TableKey(Protocol.TCP, ip_address("2001:db8::1"), 80),
    TableKey(fwmark=9),
    TableKey(fwmark=9, mark_version=6),
]
PLACES = [DestinationKey(ip_address(f"10.0.0.{number}"), port) for number in (1, 2, 3) for port in (80, 8080)]

services = st.builds(
    Service,
    scheduler=st.sampled_from(["rr", "wrr", "lc", "wlc", "sh"]),
    persistent_s=st.sampled_from([0, 60]),
    persistence_prefix=st.sampled_from([24, 32]),
)
destinations = st.builds(Destination, forwarding=st.sampled_from(Forwarding), weight=st.integers(0, 3))
entries = st.builds(
    Entry, services, st.dictionaries(st.sampled_from(PLACES), destinations, max_size=4).map(MappingProxyType)
)
tables = st.dictionaries(st.sampled_from(KEYS), entries, max_size=4)


@pytest.fixture(scope="session")
def any_table() -> st.SearchStrategy[Table]:
    """Return a strategy for tables."""
    return tables


@pytest.fixture(scope="session")
def table_of() -> Callable[..., Table]:
    """Return a maker of one-service tables: table_of("10.0.0.1:80*3", ..., scheduler=...)."""

    def make(*written: str, key: TableKey = KEYS[0], scheduler: str = "rr") -> Table:
        found = {}
        for each in written:
            place, _, weight = each.partition("*")
            address, _, port = place.partition(":")
            found[DestinationKey(ip_address(address), int(port))] = Destination(Forwarding.NAT, int(weight or 1))
        return {key: Entry(Service(scheduler), found)}

    return make

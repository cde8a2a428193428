"""What an Apply removes leaves slowly."""

from collections.abc import Callable
from ipaddress import ip_address

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.drain import Draining, overdue, still_draining, what_drains
from piranha.ipvs.table import Counters, DestinationKey, Place, Reading, Service, Table, TableKey

WEB = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 80)
ONE = DestinationKey(ip_address("10.0.0.1"), 80)
TWO = DestinationKey(ip_address("10.0.0.2"), 80)
DRAIN = Draining(WEB, ONE, Forwarding.NAT, Service("rr"), 300)
TableOf = Callable[..., Table]


def reading(table: Table, **active: int) -> Reading:
    names: dict[str, Place] = {"one": (WEB, ONE), "two": (WEB, TWO)}
    return Reading(table, {names[name]: Counters(active_connections=count) for name, count in active.items()})


def test_a_server_that_left_the_configuration_drains_with_its_forwarding_and_its_service(table_of: TableOf) -> None:
    present = reading(table_of("10.0.0.1:80", "10.0.0.2:80", scheduler="wlc"))
    drains = what_drains(present, before={(WEB, ONE), (WEB, TWO)}, after={(WEB, TWO)}, now=1000)
    assert drains == (Draining(WEB, ONE, Forwarding.NAT, Service("wlc"), 1300),)


def test_a_server_that_is_in_neither_configuration_is_left_alone(table_of: TableOf) -> None:
    present = reading(table_of("10.0.0.1:80", "10.0.0.2:80"))
    assert what_drains(present, before={(WEB, TWO)}, after={(WEB, TWO)}, now=0) == ()


def test_a_server_that_was_not_in_the_table_has_nothing_to_drain(table_of: TableOf) -> None:
    assert what_drains(reading(table_of("10.0.0.2:80")), before={(WEB, ONE)}, after=(), now=0) == ()


def test_a_drain_lasts_while_there_are_connections_and_time(table_of: TableOf) -> None:
    present = table_of("10.0.0.1:80*0")
    assert still_draining([DRAIN], reading(present, one=1), 299.9) == ((DRAIN,), ())
    assert still_draining([DRAIN], reading(present, one=0), 1) == ((), (DRAIN,))
    assert still_draining([DRAIN], reading(present, one=1), 300) == ((), (DRAIN,))


def test_a_drain_of_what_is_not_in_the_table_any_more_is_over() -> None:
    assert still_draining([DRAIN], Reading({}, {}), 1) == ((), (DRAIN,))


def test_a_server_that_is_configured_again_does_not_drain(table_of: TableOf) -> None:
    assert still_draining([DRAIN], reading(table_of("10.0.0.1:80"), one=9), 1, configured={(WEB, ONE)}) == ((), ())


def test_only_a_drain_whose_time_ran_out_ends_connections() -> None:
    assert overdue([DRAIN], 299) == frozenset()
    assert overdue([DRAIN], 300) == {(WEB, ONE)}


def test_a_removal_at_once_is_over_as_it_begins(table_of: TableOf) -> None:
    present = reading(table_of("10.0.0.1:80"), one=7)
    drains = what_drains(present, before={(WEB, ONE)}, after=(), now=50, removes_at_once=True)
    remaining, ended = still_draining(drains, present, 50)
    assert remaining == ()
    assert overdue(ended, 50) == {(WEB, ONE)}

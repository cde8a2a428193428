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


def settling(table: Table, active: int, inactive: int, now: float) -> bool:
    """Say whether a drain that began at 0 and settles until 60 goes on."""
    drain = Draining(WEB, ONE, Forwarding.NAT, Service("rr"), 300, 60)
    present = Reading(table, {(WEB, ONE): Counters(active_connections=active, inactive_connections=inactive)})
    remaining, _ = still_draining([drain], present, now)
    return remaining == (drain,)


def test_where_a_removal_silences_connections_the_table_must_have_weight_0_before_it(table_of: TableOf) -> None:
    assert settling(table_of("10.0.0.1:80*1"), 0, 0, 1)
    assert not settling(table_of("10.0.0.1:80*0"), 0, 0, 1)
    assert not settling(table_of("10.0.0.1:80*1"), 9, 9, 300)


def test_connections_that_are_being_opened_or_closed_are_waited_for_a_while(table_of: TableOf) -> None:
    quiet = table_of("10.0.0.1:80*0")
    assert settling(quiet, 0, 1, 59.9)
    assert not settling(quiet, 0, 1, 60)
    assert settling(quiet, 1, 0, 299)


def test_a_drain_knows_until_when_it_settles(table_of: TableOf) -> None:
    present = reading(table_of("10.0.0.1:80"))
    (drain,) = what_drains(present, before={(WEB, ONE)}, after=(), now=1000, settle_s=60)
    assert (drain.settles_at, drain.ends_at) == (1060, 1300)

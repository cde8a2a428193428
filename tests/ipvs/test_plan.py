"""Plans: their order, their safety, their words."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.plan import after, guard, impact, plan, sentence
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Counters,
    Destination,
    DestinationKey,
    EditDestination,
    EditService,
    Entry,
    Reading,
    RemoveDestination,
    RemoveService,
    Service,
    Step,
    Table,
    TableKey,
)

WEB = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 80)
ONE = DestinationKey(ip_address("10.0.0.1"), 80)
TWO = DestinationKey(ip_address("10.0.0.2"), 80)
TableOf = Callable[..., Table]


def applied(table: Table, steps: tuple[Step, ...]) -> dict[TableKey, Entry]:
    """Take the steps on a model of a table that refuses everything the kernel would refuse."""
    found = dict(table)
    for step in steps:
        match step:
            case AddService(key, service):
                assert key not in found
                found[key] = Entry(service, {})
            case EditService(key, service):
                assert found[key].service != service
                found[key] = Entry(service, found[key].destinations)
            case RemoveService(key):
                assert not found.pop(key).destinations
            case AddDestination(key, place, destination):
                assert place not in found[key].destinations
                found[key] = Entry(found[key].service, {**found[key].destinations, place: destination})
            case EditDestination(key, place, destination):
                assert found[key].destinations[place] != destination
                found[key] = Entry(found[key].service, {**found[key].destinations, place: destination})
            case RemoveDestination(key, place):
                assert place in found[key].destinations
                rest = {at: each for at, each in found[key].destinations.items() if at != place}
                found[key] = Entry(found[key].service, rest)
    return found


def plain(table: Table) -> Mapping[TableKey, tuple[Service, dict[DestinationKey, Destination]]]:
    return {key: (entry.service, dict(entry.destinations)) for key, entry in table.items()}


def test_a_plan_from_any_table_reaches_any_table(any_table: st.SearchStrategy[Table]) -> None:
    @given(present=any_table, desired=any_table)
    def check(present: Table, desired: Table) -> None:
        assert plain(applied(present, plan(present, desired))) == plain(desired)

    check()


def test_after_says_what_any_number_of_steps_leaves(any_table: st.SearchStrategy[Table]) -> None:
    @given(present=any_table, desired=any_table)
    def check(present: Table, desired: Table) -> None:
        steps = plan(present, desired)
        for count in range(len(steps) + 1):
            assert plain(after(present, steps[:count])) == plain(applied(present, steps[:count]))
        assert plain(after(present, steps)) == plain(desired)

    check()


def test_equal_tables_need_nothing(any_table: st.SearchStrategy[Table]) -> None:
    @given(table=any_table)
    def check(table: Table) -> None:
        turned = {
            key: Entry(entry.service, dict(reversed(entry.destinations.items())))
            for key, entry in reversed(table.items())
        }
        assert plan(table, turned) == ()

    check()


def test_a_service_that_serves_before_and_after_serves_after_every_step(any_table: st.SearchStrategy[Table]) -> None:
    def serving(table: Table) -> set[TableKey]:
        return {key for key, entry in table.items() if any(each.weight for each in entry.destinations.values())}

    @given(present=any_table, desired=any_table)
    def check(present: Table, desired: Table) -> None:
        steps = plan(present, desired)
        for count in range(len(steps) + 1):
            assert serving(present) & serving(desired) <= serving(applied(present, steps[:count]))

    check()


def test_untouched_destinations_are_not_named_by_any_step(any_table: st.SearchStrategy[Table]) -> None:
    @given(present=any_table, desired=any_table)
    def check(present: Table, desired: Table) -> None:
        for step in plan(present, desired):
            if isinstance(step, AddDestination | EditDestination | RemoveDestination):
                before = present[step.key].destinations.get(step.destination_key) if step.key in present else None
                after = desired[step.key].destinations.get(step.destination_key) if step.key in desired else None
                assert before != after

    check()


def test_weight_0_under_sh_has_its_fallback_after_every_step(table_of: TableOf) -> None:
    plain_sh = table_of("10.0.0.1:80", "10.0.0.2:80", scheduler="sh")
    drained = table_of("10.0.0.1:80", "10.0.0.2:80*0", scheduler="sh")
    drained = {key: Entry(Service("sh", has_fallback=True), entry.destinations) for key, entry in drained.items()}
    gone = table_of("10.0.0.1:80", scheduler="sh")
    for before, desired in ((plain_sh, drained), (drained, gone), (drained, plain_sh)):
        steps = plan(before, desired)
        assert len(steps) == 2
        for count in range(len(steps) + 1):
            entry = applied(before, steps[:count])[WEB]
            assert entry.service.has_fallback or all(each.weight for each in entry.destinations.values())


def test_the_order_of_an_exchange(table_of: TableOf) -> None:
    present = table_of("10.0.0.1:80", "10.0.0.2:80*2", "10.0.0.3:80")
    desired = table_of("10.0.0.4:80", "10.0.0.2:80*1", "10.0.0.3:80*2", scheduler="wlc")
    assert [type(step).__name__ for step in plan(present, desired)] == [
        "EditService",
        "AddDestination",
        "EditDestination",
        "EditDestination",
        "RemoveDestination",
    ]
    weights = [step.destination.weight for step in plan(present, desired) if isinstance(step, EditDestination)]
    assert weights == [2, 1]


def test_new_destinations_come_in_the_desired_order(table_of: TableOf) -> None:
    desired = table_of("10.0.0.3:80", "10.0.0.1:80", "10.0.0.2:80")
    steps = plan({}, desired)
    assert isinstance(steps[0], AddService)
    assert [str(step.destination_key.address)[-1] for step in steps if isinstance(step, AddDestination)] == list("312")


def test_a_table_that_puts_the_newest_first_ends_in_the_desired_order_too(table_of: TableOf) -> None:
    desired = table_of("10.0.0.3:80", "10.0.0.1:80", "10.0.0.2:80")
    steps = plan({}, desired, newest_first=True)
    assert isinstance(steps[0], AddService)
    assert [str(step.destination_key.address)[-1] for step in steps if isinstance(step, AddDestination)] == list("213")


def test_a_failed_check_is_one_step(table_of: TableOf) -> None:
    before = table_of("10.0.0.1:80", "10.0.0.2:80")
    assert plan(before, table_of("10.0.0.1:80")) == (RemoveDestination(WEB, TWO),)
    assert plan(before, table_of("10.0.0.1:80", "10.0.0.2:80*0")) == (
        EditDestination(WEB, TWO, Destination(Forwarding.NAT, 0)),
    )


def test_removals_in_ending_places_end_connections_and_others_do_not(table_of: TableOf) -> None:
    steps = plan(table_of("10.0.0.1:80", "10.0.0.2:80"), {}, ending={(WEB, TWO)})
    assert steps == (RemoveDestination(WEB, ONE, False), RemoveDestination(WEB, TWO, True), RemoveService(WEB))


@pytest.mark.parametrize(
    ("present", "desired", "is_safe"),
    [
        (["10.0.0.1:80"], [], False),
        (["10.0.0.1:80", "10.0.0.2:80"], ["10.0.0.1:80*0"], False),
        (["10.0.0.1:80"], ["10.0.0.2:80"], True),
        (["10.0.0.1:80*0"], [], True),
        ([], [], True),
        ([], ["10.0.0.1:80"], True),
    ],
)
def test_a_plan_that_takes_all_traffic_away_is_not_safe(
    table_of: TableOf, present: list[str], desired: list[str], is_safe: bool
) -> None:
    assert (guard(table_of(*present), table_of(*desired)) is None) is is_safe


def test_the_guard_says_how_many_real_servers_would_be_lost(table_of: TableOf) -> None:
    objection = guard(table_of("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80*0"), {})
    assert objection is not None
    assert "2 real servers in 1 virtual server" in objection


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            AddService(WEB, Service("wlc", 120, 24)),
            "add virtual server TCP 192.0.2.1:80, scheduler wlc, persistent for 120 s for each /24",
        ),
        (
            AddService(TableKey(fwmark=9), Service("rr")),
            "add virtual server firewall mark 9, scheduler rr, not persistent",
        ),
        (
            AddService(TableKey(fwmark=9, mark_version=6), Service("rr", 60, 64)),
            "add virtual server firewall mark 9 for IPv6, scheduler rr, persistent for 60 s for each /64",
        ),
        (
            EditService(TableKey(Protocol.UDP, ip_address("2001:db8::1"), 53), Service("rr", 60, 128)),
            "change virtual server UDP [2001:db8::1]:53 to scheduler rr, persistent for 60 s",
        ),
        (RemoveService(WEB), "remove virtual server TCP 192.0.2.1:80"),
        (
            AddDestination(WEB, ONE, Destination(Forwarding.NAT, 1)),
            "add real server 10.0.0.1:80 to TCP 192.0.2.1:80, weight 1, masquerading",
        ),
        (
            EditDestination(WEB, ONE, Destination(Forwarding.DIRECT, 0)),
            "change real server 10.0.0.1:80 of TCP 192.0.2.1:80 to weight 0 (no new connections), direct routing",
        ),
        (RemoveDestination(WEB, ONE), "remove real server 10.0.0.1:80 from TCP 192.0.2.1:80"),
        (
            RemoveDestination(WEB, ONE, True),
            "remove real server 10.0.0.1:80 from TCP 192.0.2.1:80 and end its connections",
        ),
    ],
)
def test_an_administrator_reads_a_step_as_a_sentence(step: Step, words: str) -> None:
    assert sentence(step) == words


ZERO = EditDestination(WEB, ONE, Destination(Forwarding.NAT, 0))


@pytest.mark.parametrize(
    ("step", "connections", "drains", "words"),
    [
        (RemoveDestination(WEB, ONE), 312, False, "312 connections: drains, at most 300 s"),
        (RemoveDestination(WEB, ONE), 1, False, "1 connection: drains, at most 300 s"),
        (RemoveDestination(WEB, ONE, True), 312, False, "312 connections: ended at once"),
        (RemoveDestination(WEB, ONE), 0, False, ""),
        (ZERO, 312, True, "312 connections: drains, at most 300 s"),
        (ZERO, 312, False, "312 connections: go on; no new ones"),
        (ZERO, 0, False, "no new connections"),
        (EditDestination(WEB, ONE, Destination(Forwarding.NAT, 5)), 312, False, ""),
        (AddDestination(WEB, ONE, Destination(Forwarding.NAT, 1)), 312, False, ""),
        (RemoveService(WEB), 312, False, ""),
    ],
)
def test_the_impact_of_a_step_counts_the_connections(
    table_of: TableOf, step: Step, connections: int, drains: bool, words: str
) -> None:
    reading = Reading(table_of("10.0.0.1:80"), {(WEB, ONE): Counters(active_connections=connections)})
    assert impact(step, reading, 300, [(WEB, ONE)] if drains else []) == words


def test_a_removal_that_does_not_drain_leaves_connections_to_themselves(table_of: TableOf) -> None:
    reading = Reading(table_of("10.0.0.1:80"), {(WEB, ONE): Counters(active_connections=2)})
    assert impact(RemoveDestination(WEB, ONE), reading) == "2 connections: left to themselves"

"""What is ours in a shared table, and the memory of it."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.config.model import Forwarding, HostName, Protocol
from piranha.ipvs.drain import Draining
from piranha.ipvs.ownership import (
    NOTHING,
    Owned,
    TableMemory,
    claimed,
    foreign_in,
    memory_of,
    memory_text,
    named,
    sparing,
    touchable,
)
from piranha.ipvs.plan import plan
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    DestinationKey,
    EditDestination,
    EditService,
    Entry,
    RemoveDestination,
    RemoveService,
    Service,
    Table,
    TableKey,
)

WEB = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 80)
MARK = TableKey(fwmark=9)
ONE = DestinationKey(ip_address("10.0.0.1"), 80)
TWO = DestinationKey(ip_address("10.0.0.2"), 80)
DRAIN = Draining(WEB, TWO, Forwarding.TUNNEL, Service("wlc", 60, 24), 1300.5, 1060.25)
OURS = Owned(frozenset({WEB}), frozenset({(WEB, ONE)}))
TableOf = Callable[..., Table]


def test_what_a_configuration_names_is_its_services_its_places_and_its_drains() -> None:
    assert named([MARK], [], [DRAIN]) == Owned(frozenset({MARK, WEB}), frozenset({(WEB, TWO)}))


def test_ours_is_what_is_named_and_what_was_ours_and_is_there_still(table_of: TableOf) -> None:
    before = Owned(frozenset({WEB, MARK}), frozenset({(WEB, ONE), (WEB, TWO)}))
    assert claimed(before, NOTHING, table_of("10.0.0.1:80")) == OURS
    assert claimed(NOTHING, OURS, {}) == OURS
    assert claimed(before, NOTHING, {}) == NOTHING


def test_steps_may_name_ours_alone(table_of: TableOf) -> None:
    table = {**table_of("10.0.0.1:80", "10.0.0.2:80"), **table_of("10.0.0.1:80", key=MARK)}
    assert touchable(table, OURS) == table_of("10.0.0.1:80")
    assert touchable(table, NOTHING) == {}
    assert foreign_in(WEB, table, OURS) == (TWO,)
    assert foreign_in(MARK, {}, OURS) == ()


def test_a_service_with_a_foreign_destination_stays(table_of: TableOf) -> None:
    table = table_of("10.0.0.1:80", "10.0.0.2:80")
    steps = plan(touchable(table, OURS), {})
    assert steps == (RemoveDestination(WEB, ONE), RemoveService(WEB))
    assert sparing(steps, table, OURS) == (RemoveDestination(WEB, ONE),)
    assert sparing(steps, table_of("10.0.0.1:80"), OURS) == steps


def stepped(table: Table, steps: tuple) -> Mapping[TableKey, Entry]:
    """Take steps on a model of the kernel's table: it refuses to remove a service with destinations."""
    found = dict(table)
    for step in steps:
        there = found.get(step.key)
        match step:
            case AddService(key, service) | EditService(key, service):
                found[key] = Entry(service, there.destinations if there else {})
            case RemoveService(key):
                assert not found.pop(key).destinations
            case AddDestination(key, place, destination) | EditDestination(key, place, destination):
                found[key] = Entry(there.service, {**there.destinations, place: destination})
            case RemoveDestination(key, place):
                found[key] = Entry(there.service, {at: d for at, d in there.destinations.items() if at != place})
    return found


def test_from_any_table_to_any_other_what_is_foreign_is_the_same_after_every_step(
    any_table: st.SearchStrategy[Table],
) -> None:
    @given(present=any_table, former=any_table, wanted=any_table)
    def check(present: Table, former: Table, wanted: Table) -> None:
        places = [
            {(key, each) for key, entry in table.items() for each in entry.destinations} for table in (former, wanted)
        ]
        before, now_named = (Owned(frozenset(t), frozenset(p)) for t, p in zip((former, wanted), places, strict=True))
        owned = claimed(before, now_named, present)
        steps = sparing(plan(touchable(present, owned), wanted), present, owned)

        def foreign(table: Mapping[TableKey, Entry]) -> dict:
            strange = {
                (key, each): table[key].destinations[each] for key in table for each in foreign_in(key, table, owned)
            }
            return strange | {key: entry.service for key, entry in table.items() if key not in owned.services}

        for count in range(len(steps) + 1):
            assert foreign(stepped(present, steps[:count])) == foreign(present)
        after = stepped(present, steps)
        mine = touchable(after, owned)
        assert {key: dict(entry.destinations) for key, entry in mine.items() if key in wanted} == {
            key: dict(entry.destinations) for key, entry in wanted.items()
        }
        assert all(foreign_in(key, after, owned) for key in mine.keys() - wanted.keys())
        again = claimed(owned, now_named, after)
        assert sparing(plan(touchable(after, again), wanted), after, again) == ()

    check()


MARK6 = TableKey(fwmark=9, mark_version=6)
SIX = DestinationKey(ip_address("fd00::1"), 0)
DRAIN6 = Draining(MARK6, SIX, Forwarding.NAT, Service("rr", 60, 128), 1300.5)
MEMORY = TableMemory(
    Owned(
        frozenset({WEB, MARK, MARK6, TableKey(Protocol.UDP, ip_address("2001:db8::1"), 53)}),
        frozenset({(WEB, ONE), (MARK, SIX), (MARK6, SIX)}),
    ),
    (DRAIN, DRAIN6),
    (900, 0, 300),
    ("master", "eth1", 7),
    ((HostName("web1.example"), ip_address("10.0.0.1")),),
)


def test_the_memory_is_the_same_after_it_was_written_and_read() -> None:
    assert memory_of(memory_text(MEMORY, "boot"), "boot") == MEMORY
    assert memory_of(memory_text(TableMemory(), "boot"), "boot") == TableMemory()


def test_a_memory_that_names_marks_without_their_ip_version_is_read_as_it_was_meant() -> None:
    """Written by an engine that took the IP version of a mark's first real server for it."""
    old = b"""{"boot_id":"boot","services":[["","",0,7],["","",0,8],["","",0,9],["tcp","192.0.2.1",80,0]],
        "places":[[["","",0,8],"10.0.0.1",0],[["","",0,9],"fd00::1",0],[["tcp","192.0.2.1",80,0],"10.0.0.1",80]],
        "draining":[{"place":[["","",0,9],"fd00::1",0],"forwarding":"nat","scheduler":"rr","persistent_s":60,
        "persistence_prefix":32,"ends_at":1300.5,"settles_at":0.0},
        {"place":[["","",0,8],"10.0.0.1",0],"forwarding":"nat","scheduler":"rr","persistent_s":60,
        "persistence_prefix":24,"ends_at":1300.5,"settles_at":0.0}],
        "timeouts":[0,0,0],"sync":null,"names":[]}"""
    four, place = TableKey(fwmark=8), DestinationKey(ip_address("10.0.0.1"), 0)
    assert memory_of(old, "boot") == TableMemory(
        Owned(frozenset({TableKey(fwmark=7), four, MARK6, WEB}), frozenset({(four, place), (MARK6, SIX), (WEB, ONE)})),
        (DRAIN6, Draining(four, place, Forwarding.NAT, Service("rr", 60, 24), 1300.5)),
    )


def test_a_memory_of_another_boot_is_forgotten() -> None:
    assert memory_of(memory_text(MEMORY, "boot"), "next boot") == TableMemory()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        memory_text(MEMORY, "boot")[:-20],
        memory_text(MEMORY, "boot").replace(b"192.0.2.1", b"192.0.2.999"),
        memory_text(MEMORY, "boot").replace(b"tunnel", b"bridge"),
        memory_text(MEMORY, "boot").replace(b"tcp", b"dccp"),
        b"[" * 100_000,
    ],
)
def test_a_memory_that_makes_no_sense_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError):
        memory_of(raw, "boot")

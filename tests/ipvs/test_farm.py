"""A service while it balances."""

from collections import Counter
from ipaddress import IPv4Address, ip_address

import pytest

from piranha.config.model import Forwarding
from piranha.ipvs.farm import Farm, Member
from piranha.ipvs.schedulers import LIGHTENED_AFTER_S, PICKS
from piranha.ipvs.table import Destination, DestinationKey, Service

ALICE = IPv4Address("198.51.100.1")
BOB = IPv4Address("198.51.100.2")


def member(number: int, weight: int = 1) -> Member:
    return Member(DestinationKey(ip_address(f"10.0.0.{number}"), 80), Destination(Forwarding.NAT, weight), 120)


def farm(service: Service, *weights: int) -> Farm[Member]:
    made: Farm[Member] = Farm(service)
    for number, weight in enumerate(weights, 1):
        made.add(member(number, weight))
    return made


def chosen(farm: Farm[Member], count: int, client: IPv4Address | None = None, now: float = 0) -> list[str]:
    found = []
    for _ in range(count):
        server, group = farm.choose(client, now)
        found.append(str(server.key.address)[-1] if server else "-")
        if server and group:
            farm.release(group, server.key, now)
    return found


def test_adding_and_removing_others_leaves_the_round_where_it_was() -> None:
    made = farm(Service("rr"), 1, 1, 1)
    assert chosen(made, 2) == ["1", "2"]
    made.add(member(4))
    assert chosen(made, 1) == ["3"]
    made.remove(member(2).key)
    assert chosen(made, 3) == ["4", "1", "3"]


def test_editing_the_scheduler_takes_effect_at_once_and_keeps_the_members() -> None:
    made = farm(Service("rr"), 2, 1)
    assert chosen(made, 2) == ["1", "2"]
    made.edit(Service("wrr"))
    assert Counter(chosen(made, 30)) == {"1": 20, "2": 10}


def test_a_scheduler_nobody_knows_leaves_the_old_one_at_work() -> None:
    made = farm(Service("rr"), 1, 1)
    made.edit(Service("mh"))
    assert chosen(made, 2) == ["1", "2"]
    assert made.service == Service("mh")


def test_a_service_with_an_unknown_scheduler_from_the_start_chooses_nobody() -> None:
    assert chosen(farm(Service("mh"), 1, 1), 1) == ["-"]


def test_short_connections_are_spread_by_wlc_because_ended_ones_count_for_a_while() -> None:
    made = farm(Service("wlc"), 2, 1)
    counted: Counter[str] = Counter()
    for _ in range(30):
        server, _ = made.choose(None, 0)
        assert server is not None
        server.recent.add(0)
        counted[str(server.key.address)[-1]] += 1
    assert counted == {"1": 20, "2": 10}
    made.forget(121)
    assert all(each.inactive == 0 for each in made.members.values())


def test_wlc_forgets_what_ended_long_ago_before_it_chooses() -> None:
    made = farm(Service("lc"), 1, 1)
    first, second = made.members.values()
    first.recent.add(0)
    second.recent.add(100)
    assert made.choose(None, 1)[0] is first
    second.recent.add(100)
    first.recent.add(119)
    assert made.choose(None, 150)[0] is first


def test_a_persistent_client_returns_to_its_server() -> None:
    made = farm(Service("rr", persistent_s=60), 1, 1, 1)
    assert chosen(made, 3, ALICE) == ["1", "1", "1"]
    assert chosen(made, 2, BOB) == ["2", "2"]
    assert chosen(made, 2, ALICE, now=59) == ["1", "1"]
    assert chosen(made, 2, ALICE, now=119) == ["3", "3"]


def test_connections_that_a_persistent_client_opens_together_go_to_one_server() -> None:
    made = farm(Service("rr", persistent_s=60), 1, 1, 1)
    assert {made.choose(ALICE, 0)[0] for _ in range(6)} == {made.members[member(1).key]}


def test_clients_of_one_network_go_together_under_a_mask() -> None:
    made = farm(Service("rr", persistent_s=60, persistence_prefix=24), 1, 1, 1)
    assert chosen(made, 1, ALICE) == chosen(made, 1, BOB)


def test_a_returning_client_is_not_sent_to_a_server_of_weight_0() -> None:
    made = farm(Service("rr", persistent_s=60), 1, 1)
    assert chosen(made, 1, ALICE) == ["1"]
    made.members[member(1).key].edit(Destination(Forwarding.NAT, 0))
    assert chosen(made, 2, ALICE) == ["2", "2"]


def test_a_returning_client_is_not_sent_to_a_server_that_is_gone() -> None:
    made = farm(Service("rr", persistent_s=60), 1, 1)
    assert chosen(made, 1, ALICE) == ["1"]
    made.remove(member(1).key)
    assert chosen(made, 1, ALICE) == ["2"]


def test_a_persistent_client_moves_to_the_next_server_when_its_own_refuses() -> None:
    made = farm(Service("rr", persistent_s=60), 1, 1)
    first, group = made.choose(ALICE, 0)
    assert first is not None
    assert group is not None
    made.release(group, first.key, 0)
    second, _ = made.choose(ALICE, 0, refused=first)
    assert second is not None
    assert second is not first
    assert made.choose(ALICE, 1)[0] is second


def test_a_changed_mask_forgets_who_belongs_where() -> None:
    made = farm(Service("rr", persistent_s=60), 1, 1)
    chosen(made, 1, ALICE)
    made.edit(Service("rr", persistent_s=60, persistence_prefix=24))
    assert chosen(made, 1, ALICE) == ["2"]


def test_only_persistence_and_source_hashing_look_at_the_client() -> None:
    assert not Farm(Service("wlc")).looks_at_client
    assert Farm(Service("sh")).looks_at_client
    assert Farm(Service("rr", persistent_s=1)).looks_at_client


def test_inactive_connections_are_the_opening_closing_and_recently_ended_ones() -> None:
    server = member(1)
    server.opening, server.closing, server.active = 1, 2, 4
    server.recent.add(0)
    assert server.counters(5, 6).inactive_connections == 4
    assert server.counters(5, 6).active_connections == 4
    assert (server.counters(5, 6).bytes_in, server.counters(5, 6).bytes_out) == (5, 6)


def test_dh_looks_at_the_address_that_clients_ask_for_and_not_at_them() -> None:
    places = set()
    for number in range(16):
        made: Farm[Member] = Farm(Service("dh"), IPv4Address(f"192.0.2.{number}"))
        for each in range(1, 5):
            made.add(member(each))
        assert not made.looks_at_client
        (place,) = set(chosen(made, 3) + chosen(made, 3, ALICE) + chosen(made, 3, BOB))
        places.add(place)
    assert places == {"1", "2", "3", "4"}


def test_lblc_keeps_its_server_and_goes_on_to_the_next_when_that_leaves() -> None:
    made = farm(Service("lblc"), 1, 1, 1)
    assert chosen(made, 3) == ["1", "1", "1"]
    made.members[member(1).key].active = 2
    assert chosen(made, 2) == ["2", "2"]
    made.remove(member(1).key)
    assert chosen(made, 2) == ["2", "2"]
    made.remove(member(2).key)
    assert chosen(made, 2) == ["3", "3"]


def test_lblcr_spreads_what_is_too_much_and_after_a_day_takes_the_busiest_out_again() -> None:
    made = farm(Service("lblcr"), 1, 1, 1)
    first, second, _ = made.members.values()
    assert chosen(made, 1) == ["1"]
    first.active = 2
    assert chosen(made, 1, now=100) == ["2"]
    first.active, second.active = 0, 1
    assert chosen(made, 1, now=100 + LIGHTENED_AFTER_S) == ["1"]
    first.active, second.active = 1, 0
    assert chosen(made, 1, now=100 + LIGHTENED_AFTER_S) == ["2"]
    assert chosen(made, 1, now=101 + LIGHTENED_AFTER_S) == ["2"]
    second.active = 1
    first.active = 0
    assert chosen(made, 1, now=102 + LIGHTENED_AFTER_S) == ["2"], "the first one belongs to it no more"


def test_lblcr_keeps_the_only_one_that_an_address_belongs_to_for_ever() -> None:
    made = farm(Service("lblcr"), 1, 1)
    first, _ = made.members.values()
    assert chosen(made, 1) == ["1"]
    first.active = 1
    assert chosen(made, 2, now=1 + LIGHTENED_AFTER_S) == ["1", "1"]


def test_another_scheduler_forgets_whom_an_address_belonged_to() -> None:
    made = farm(Service("lblc"), 1, 1)
    assert chosen(made, 1) == ["1"]
    made.members[member(1).key].active = 1
    made.edit(Service("lblcr"))
    assert chosen(made, 1) == ["2"]


@pytest.mark.parametrize("scheduler", sorted(PICKS))
def test_persistence_and_its_mask_go_before_every_scheduler(scheduler: str) -> None:
    made = farm(Service(scheduler, persistent_s=60, persistence_prefix=24), 1, 1, 1)
    (first,) = set(chosen(made, 1, ALICE))
    for each in made.members.values():
        each.active = 9 if str(each.key.address)[-1] == first else 0
    assert set(chosen(made, 3, ALICE) + chosen(made, 3, BOB)) == {first}

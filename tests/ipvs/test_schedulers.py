"""The pick functions."""

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import gcd

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from piranha.ipvs.schedulers import (
    PICKS,
    SLOTS,
    Pick,
    Turn,
    dh,
    lblc,
    lblcr,
    lc,
    lightened,
    rr,
    sh,
    slot_of,
    slots_of,
    without,
    wlc,
    wrr,
)


@dataclass
class Server:
    weight: int = 1
    active: int = 0
    inactive: int = 0


def picked(pick: Pick, servers: list[Server], count: int, turn: Turn = Turn()) -> tuple[list[int], Turn]:  # noqa: B008
    places = []
    for _ in range(count):
        place, turn = pick(servers, turn, 0, -1)
        places.append(place)
    return places, turn


weights = st.lists(st.integers(0, 12), min_size=1, max_size=6)
schedulers = st.sampled_from(sorted(PICKS))


def test_rr_goes_round_in_order() -> None:
    assert picked(rr, [Server(), Server(), Server()], 7)[0] == [0, 1, 2, 0, 1, 2, 0]


def test_rr_takes_no_notice_of_weights_but_skips_weight_0() -> None:
    assert picked(rr, [Server(5), Server(0), Server(1)], 4)[0] == [0, 2, 0, 2]


@given(before=st.integers(0, 10), edits=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=5))
def test_rr_over_three_gives_each_10_of_30_whatever_was_edited_before(
    before: int, edits: list[tuple[int, int]]
) -> None:
    servers = [Server(), Server(), Server()]
    _, turn = picked(rr, servers, before)
    for place, weight in edits:
        servers[place].weight = weight
        _, turn = picked(rr, servers, 1, turn)
    for server in servers:
        server.weight = 1
    assert Counter(picked(rr, servers, 30, turn)[0]) == {0: 10, 1: 10, 2: 10}


def test_wrr_interleaves_by_weight() -> None:
    """The example of the LVS documentation: weights 4, 3, 2 give A A B A B C A B C. A new round starts as the kernel's
    does, with everyone once.
    """
    assert picked(wrr, [Server(4), Server(3), Server(2)], 12)[0] == [0, 1, 2, 0, 0, 1, 0, 1, 2, 0, 1, 2]


# Played by the kernel, and the same as long as tests/lab/test_schedulers.py is green: weights, and who was picked.
PLAYED = [
    ([2, 0, 3, 1, 6], [0, 2, 3]),
    ([0, 0, 3, 1, 6], [2, 3, 4, 4, 4]),
    ([0, 0, 3, 1, 0], [2, 2, 2, 3]),
    ([0, 3, 3, 1, 0], [1, 2, 3, 1, 2, 1, 2]),
    ([0, 3, 3, 1, 1], [1, 2, 1, 2, 3, 4]),
    ([0, 3, 3, 6, 1], [1, 2, 3, 4]),
    ([0, 3, 3, 3, 1], [1, 2, 3]),
    ([4, 3, 3, 3, 1], [0, 1, 2, 3, 4]),
    ([4, 3, 3, 3, 4], [0, 1, 2, 3, 4, 0, 4]),
    ([4, 3, 6, 3, 4], [0, 2, 4, 0, 1]),
    ([1, 3, 6, 3, 4], [1]),
    ([1, 6, 6, 3, 4], [1, 2, 3, 4]),
]


def test_wrr_starts_a_lap_after_every_edit_as_the_kernel_does() -> None:
    turn = Turn()
    for weights, expected in PLAYED:
        places, turn = picked(wrr, [Server(weight) for weight in weights], len(expected), turn)
        assert places == expected, weights


@pytest.mark.parametrize(
    ("level", "weights", "expected"),
    [
        (5, (6, 3, 1), [0, 0, 0]),
        (5, (4, 2), [0, 0, 1]),
        (2, (4, 2), [0, 0, 1]),
        (1, (4, 2), [0, 1, 0]),
        (3, (0, 0), [-1]),
    ],
)
def test_wrr_goes_on_at_about_the_level_of_before(level: int, weights: tuple[int, ...], expected: list[int]) -> None:
    assert picked(wrr, [Server(weight) for weight in weights], len(expected), Turn(level=level))[0] == expected


def test_wrr_starts_with_everyone_after_nobody_had_a_weight() -> None:
    servers = [Server(4), Server(1)]
    _, turn = picked(wrr, servers, 3)
    assert turn.level == 4
    _, turn = picked(wrr, [Server(0), Server(0)], 1, turn)
    assert picked(wrr, servers, 3, turn)[0] == [0, 1, 0]


def test_wrr_starts_a_lap_when_one_went_and_another_came_with_the_same_weight() -> None:
    servers = [Server(2), Server(2), Server(2)]
    _, turn = picked(wrr, servers, 2)
    assert picked(wrr, servers, 2, turn)[0] == [2, 0]
    assert picked(wrr, servers, 2, without(turn, 2))[0] == [0, 1]


@given(weights=weights, before=st.integers(0, 30))
def test_wrr_is_exact_over_every_cycle(weights: list[int], before: int) -> None:
    assume(any(weights))
    servers = [Server(weight) for weight in weights]
    divisor = gcd(*weights)
    _, turn = picked(wrr, servers, before)
    counted = Counter(picked(wrr, servers, sum(weights) // divisor, turn)[0])
    assert counted == {place: weight // divisor for place, weight in enumerate(weights) if weight}


@given(edits=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1), before=st.integers(0, 30))
def test_wrr_is_exact_again_after_an_edit_of_the_weights(edits: list[tuple[int, int]], before: int) -> None:
    new = [after for _, after in edits]
    assume(any(new))
    servers = [Server(old) for old, _ in edits]
    _, turn = picked(wrr, servers, before)
    for server, weight in zip(servers, new, strict=True):
        server.weight = weight
    divisor = gcd(*new)
    counted = Counter(picked(wrr, servers, sum(new) // divisor, turn)[0])
    assert counted == {place: weight // divisor for place, weight in enumerate(new) if weight}


def test_wrr_finds_the_next_at_once_when_a_very_heavy_server_refuses() -> None:
    servers = [Server(65535), Server(1)]
    place, turn = wrr(servers, Turn(level=65535), 0, 0)
    assert place == 1
    assert turn.level == 1


def test_lc_takes_the_first_of_those_with_the_fewest_connections() -> None:
    assert lc([Server(active=2), Server(active=1), Server(active=1)], Turn(), 0, -1)[0] == 1


def test_lc_counts_an_active_connection_as_256_inactive_ones() -> None:
    assert lc([Server(active=1), Server(inactive=255)], Turn(), 0, -1)[0] == 1
    assert lc([Server(active=1), Server(inactive=256)], Turn(), 0, -1)[0] == 0
    assert lc([Server(active=1), Server(inactive=257)], Turn(), 0, -1)[0] == 0


def test_lc_takes_no_notice_of_weights_but_skips_weight_0() -> None:
    assert lc([Server(0), Server(9, active=3), Server(1, active=2)], Turn(), 0, -1)[0] == 2


def test_wlc_divides_by_the_weight() -> None:
    assert wlc([Server(1, active=2), Server(3, active=5)], Turn(), 0, -1)[0] == 1
    assert wlc([Server(1, active=2), Server(3, active=7)], Turn(), 0, -1)[0] == 0


def test_wlc_takes_the_first_of_equals() -> None:
    assert wlc([Server(1, active=2), Server(3, active=6), Server(0)], Turn(), 0, -1)[0] == 0


@given(weights=weights)
def test_wlc_keeps_held_connections_in_proportion_to_the_weights(weights: list[int]) -> None:
    assume(any(weights))
    servers = [Server(weight) for weight in weights]
    for _ in range(3 * sum(weights)):
        place, _ = wlc(servers, Turn(), 0, -1)
        servers[place].active += 1
    assert [server.active for server in servers] == [3 * weight for weight in weights]


def test_sh_gives_each_destination_as_many_slots_in_turn_as_it_weighs() -> None:
    assert slots_of([2, 0, 1])[:7] == (0, 0, 2, 0, 0, 2, 0)
    assert len(slots_of([2, 0, 1])) == SLOTS
    assert slots_of([0, 0]) == ()


def test_sh_sends_a_client_to_one_destination_always() -> None:
    servers = [Server(), Server(), Server()]
    turn = Turn()
    for client in ("192.0.2.7", "2001:db8::7"):
        slot = slot_of(ip_address(client))
        places = set()
        for _ in range(5):
            place, turn = sh(servers, turn, slot, -1)
            places.add(place)
        assert len(places) == 1


@pytest.mark.parametrize("network", [int(IPv4Address("198.51.100.0")), int(IPv6Address("2001:db8::"))])
def test_sh_spreads_neighbours_over_all_destinations(network: int) -> None:
    servers = [Server(), Server(), Server()]
    version = IPv6Address if network > 2**32 else IPv4Address
    counted = Counter(sh(servers, Turn(), slot_of(version(network + host)), -1)[0] for host in range(240))
    assert min(counted[place] for place in range(3)) > 60


def test_sh_makes_its_table_anew_when_a_weight_changes() -> None:
    servers = [Server(1), Server(0)]
    _, turn = sh(servers, Turn(), 5, -1)
    servers[0].weight, servers[1].weight = 0, 1
    assert sh(servers, turn, 5, -1)[0] == 1


def test_the_slots_are_the_kernels() -> None:
    """Played by the kernel, and the same as long as tests/lab/test_schedulers.py is green."""
    played = {"198.51.100.100": 48, "192.0.2.100": 3, "192.0.2.101": 101}
    assert {address: slot_of(ip_address(address)) for address in played} == played


def test_dh_sends_everybody_to_the_destination_of_the_address_whatever_the_weights() -> None:
    servers = [Server(9), Server(1), Server(5)]
    assert [dh(servers, Turn(), slot, -1)[0] for slot in range(6)] == [0, 1, 2, 0, 1, 2]
    assert picked(dh, servers, 5)[0] == [0] * 5


def test_dh_stays_where_it_is_when_a_weight_changes_and_leaves_weight_0() -> None:
    servers = [Server(1), Server(1)]
    place, turn = dh(servers, Turn(), 7, -1)
    assert place == 1
    servers[1].weight = 8
    assert dh(servers, turn, 7, -1)[0] == 1
    servers[1].weight = 0
    assert dh(servers, turn, 7, -1)[0] == 0


@pytest.mark.parametrize("pick", [dh, sh])
def test_a_destination_that_refuses_is_passed_over_for_that_connection_alone(pick: Pick) -> None:
    servers = [Server(), Server(), Server()]
    place, turn = pick(servers, Turn(), 4, -1)
    assert pick(servers, turn, 4, place)[0] not in (place, -1)
    assert pick(servers, turn, 4, -1)[0] == place


@pytest.mark.parametrize("pick", [lblc, lblcr])
def test_an_address_stays_with_its_destination_while_that_is_not_overloaded(pick: Pick) -> None:
    servers = [Server(2, active=9), Server(2), Server(2)]
    place, turn = pick(servers, Turn(), 0, -1)
    assert (place, turn.bound) == (1, (1,))
    servers[1].active = 2
    assert pick(servers, turn, 0, -1) == (1, turn), "as many connections as weight are not too many"
    servers[2].active = servers[0].active = 1
    servers[1].active = 99
    assert pick(servers, turn, 0, -1) == (1, turn), "the others have half as many connections as weight themselves"


def test_lblc_moves_an_address_away_from_an_overloaded_destination() -> None:
    servers = [Server(2, active=3), Server(2), Server(2)]
    assert lblc(servers, Turn(bound=(0,)), 0, -1) == (1, Turn(bound=(1,)))


def test_lblcr_gives_an_address_one_more_destination_and_takes_the_least_busy_of_them() -> None:
    servers = [Server(2, active=3), Server(2), Server(2)]
    place, turn = lblcr(servers, Turn(bound=(0,)), 0, -1)
    assert (place, turn.bound) == (1, (1, 0))
    servers[0].active = 0
    servers[1].active = 1
    assert lblcr(servers, turn, 0, -1) == (0, turn)
    servers[0].active = 1
    assert lblcr(servers, turn, 0, -1) == (1, turn), "of equals the one that came last"


def test_lblcr_chooses_among_all_when_the_least_busy_of_its_own_is_overloaded() -> None:
    servers = [Server(1, active=2), Server(1, active=2), Server(8, active=3)]
    place, turn = lblcr(servers, Turn(bound=(1, 0)), 0, -1)
    assert (place, turn.bound) == (2, (2, 1, 0))


@pytest.mark.parametrize("pick", [lblc, lblcr])
def test_an_address_leaves_a_destination_of_weight_0(pick: Pick) -> None:
    servers = [Server(0), Server(1)]
    place, turn = pick(servers, Turn(bound=(0,)), 0, -1)
    assert place == 1 and turn.bound[0] == 1


@pytest.mark.parametrize("pick", [lblc, lblcr])
def test_a_destination_that_refuses_a_connection_keeps_its_address(pick: Pick) -> None:
    servers = [Server(), Server()]
    _, turn = pick(servers, Turn(), 0, -1)
    place, turn = pick(servers, turn, 0, 0)
    assert place == 1
    assert pick(servers, turn, 0, -1)[0] in turn.bound and 0 in turn.bound


@pytest.mark.parametrize("pick", [lblc, lblcr])
def test_an_address_that_nobody_takes_belongs_to_nobody(pick: Pick) -> None:
    place, turn = pick([Server(0), Server(0)], Turn(), 0, -1)
    assert (place, turn.bound) == (-1, ())


def test_lblcr_lets_go_of_the_busiest_for_its_weight() -> None:
    servers = [Server(1, active=3), Server(8, active=9), Server(0, active=99)]
    assert lightened(servers, Turn(bound=(2, 1, 0))).bound == (2, 1)
    assert lightened([Server(0), Server(0)], Turn(bound=(1, 0))).bound == (1, 0)


@pytest.mark.parametrize(("gone", "bound"), [(0, (2, 0)), (1, (2,)), (2, (2, 1)), (3, (1,)), (4, (3, 1))])
def test_whoever_an_address_belongs_to_stays_when_another_destination_goes(gone: int, bound: tuple[int, ...]) -> None:
    assert without(Turn(bound=(3, 1)), gone).bound == bound


@given(scheduler=schedulers, weights=weights, slot=st.integers(0, 255), before=st.integers(0, 9))
def test_nobody_with_weight_0_is_picked_and_nobody_who_refused(
    scheduler: str, weights: list[int], slot: int, before: int
) -> None:
    servers = [Server(weight) for weight in weights]
    pick = PICKS[scheduler]
    _, turn = picked(pick, servers, before)
    for excluded in range(-1, len(weights)):
        place, _ = pick(servers, turn, slot, excluded)
        allowed = [index for index, weight in enumerate(weights) if weight and index != excluded]
        assert place in allowed if allowed else place == -1


@given(scheduler=schedulers)
def test_nobody_is_picked_from_nobody(scheduler: str) -> None:
    assert PICKS[scheduler]([], Turn(), 0, -1)[0] == -1


@given(count=st.integers(2, 5), before=st.integers(1, 9), data=st.data())
def test_after_a_removal_the_round_goes_on_with_the_same_next_one(count: int, before: int, data: st.DataObject) -> None:
    names = list(range(count))
    _, turn = picked(rr, [Server()] * count, before)
    following = names[(turn.place + 1) % count :] + names[: (turn.place + 1) % count]
    gone = data.draw(st.integers(0, count - 1))
    del names[gone]
    turn = without(turn, gone)
    places, _ = picked(rr, [Server()] * (count - 1), count - 1, turn)
    assert [names[place] for place in places] == [name for name in following if name != gone]

"""The heart: two of them back to back, what they tell lvs and when, starts and stops, settings that change."""

import logging
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from piranha.errors import PiranhaError
from piranha.ha.node import Report
from piranha.ha.states import State
from piranha.pulse.heart import NO_KEY, Heart
from piranha.pulse.messages import Ask, ChannelRow
from tests.pulse.hearts import ONE, READY, TWO, Clock, D, K, Network, Router, Two, alone, told

pytestmark = pytest.mark.usefixtures("in_a_loop")


@pytest.fixture
async def in_a_loop() -> None:
    """Make every test of this file one that has an event loop."""


@pytest.fixture
async def two() -> "Iterator[Two]":
    made = Two()
    made.pass_on()
    yield made  # type: ignore[misc]
    made.close()


@pytest.fixture
async def only() -> "Iterator[Router]":
    """A router that was not told anything yet."""
    made = Router(ONE, Network(), Clock(), 11)
    yield made  # type: ignore[misc]
    made.heart.close()


def words(router: Router, network: Network) -> list[int]:
    """Return the first four bytes of everything that a router sent since it was asked last."""
    (there,) = (each for (own, _), each in network.sockets.items() if own == router.own)
    found = [int.from_bytes(raw[:4], "little") for raw, _ in there.sent]
    there.sent.clear()
    return found


RUNNING, STOPPED, HELD = (
    int.from_bytes(bytes.fromhex(each), "little") for each in ("dadbadbd", "bddabdad", "dadaafde")
)


async def test_two_hearts_become_one_owner_and_one_passive_router(two: Two) -> None:
    assert (two.one.state, two.two.state) == (State.ACTIVE, State.PASSIVE)
    two.go(10 * D)
    assert (two.one.state, two.two.state) == (State.ACTIVE, State.PASSIVE)
    assert not [each for each in two.two.diary if each.startswith("take")]
    assert two.one.hooks == [False, True] and set(two.two.hooks) == {False}
    assert two.one.stands[-1].is_active and not two.two.stands[-1].is_active


async def test_lvs_hears_of_a_takeover_before_the_addresses_are_ordered(two: Two) -> None:
    order = two.one.stands[-1].order
    told_at, taken_at = two.one.diary.index(f"tell active {order}"), two.one.diary.index(f"take {order}")
    assert told_at < taken_at


async def test_the_partner_takes_over_after_deadtime_and_not_before(two: Two) -> None:
    two.one.heart.close()
    two.go(D - 0.1)
    assert two.two.state is State.PASSIVE
    two.go(0.2 + K)
    assert two.two.state is State.ACTIVE and two.two.hooks == [False, True]


async def test_a_late_look_takes_nobody_for_dead_whose_words_wait(two: Two) -> None:
    two.clock.now += K
    two.one.heart._tick()
    two.clock.now += D
    two.two.heart._tick()
    assert two.two.state is State.PASSIVE


async def test_a_hand_over_drops_first_and_the_table_goes_when_the_addresses_are_down(two: Two) -> None:
    answer = two.one.heart.asked(Ask(7, "hand over"))
    assert (answer.number, answer.done) == (7, True) and answer.sentences
    assert two.one.diary[-1].startswith("drop") and two.one.stands[-1].is_active
    assert two.one.hooks == [False, True, False]
    two.pass_on()
    assert two.two.state is State.PASSIVE
    two.one.drop_done()
    two.pass_on()
    two.go(K)
    assert not two.one.stands[-1].is_active and two.two.state is State.ACTIVE
    assert two.one.state is State.PASSIVE


async def test_what_cannot_be_done_is_answered_with_the_reason_and_changes_nothing(two: Two) -> None:
    two.two.heart.reported(Report(is_ready=False))
    two.go(2 * K)
    answer = two.one.heart.asked(Ask(8, "hand over"))
    assert not answer.done and "not ready" in " ".join(answer.sentences) and two.one.state is State.ACTIVE


async def test_before_it_is_configured_nothing_can_be_asked_for(only: Router) -> None:
    assert not only.heart.asked(Ask(1, "hold")).done
    assert "waits for the configuration" in only.heart.reason()


async def test_a_heart_without_a_partner_is_active_at_once_and_sends_nothing(only: Router) -> None:
    only.heart.configured(alone(number=4))
    assert only.state is State.ACTIVE and only.heart.wires.ways == {}
    assert (only.stands[-1].number, only.stands[-1].is_active) == (4, True)


@pytest.mark.parametrize(
    ("age", "state"),
    [(None, State.SETTLING), (D + 0.1, State.SETTLING), (D - 0.1, State.ACTIVE)],
)
async def test_a_start_with_addresses_of_a_killed_life_goes_on_only_within_deadtime(
    only: Router, age: float | None, state: State
) -> None:
    only.addresses.has_any, only.sign.age = True, age
    resumed = []
    only.heart.resumed = lambda: resumed.append(list(only.hooks))
    only.heart.configured(told(ONE))
    assert only.state is state
    assert resumed == ([[]] if state is State.ACTIVE else []), "before active_cmd would be run for it"
    assert [each.split()[0] for each in only.diary if not each.startswith("tell")] == [
        "take" if state is State.ACTIVE else "drop"
    ]


async def test_a_fresh_sign_without_addresses_is_no_reason_to_go_on(only: Router) -> None:
    only.sign.age = 0.1
    only.heart.configured(told(ONE))
    assert only.state is State.SETTLING


async def test_a_router_alone_keeps_its_addresses_however_long_it_was_dead(only: Router) -> None:
    only.addresses.has_any = True
    only.heart.configured(alone())
    assert only.state is State.ACTIVE and not [each for each in only.diary if each.startswith("drop")]


async def test_nothing_to_run_drops_what_a_former_life_left(only: Router) -> None:
    only.addresses.has_any = True
    only.heart.configured(alone(runs=False, idle_reason="There is no active virtual server."))
    assert only.state is State.IDLE and "drop 1" in only.diary
    assert only.stands[-1].reason == "There is no active virtual server."


async def test_nothing_to_run_and_nothing_here_does_nothing(only: Router) -> None:
    only.heart.configured(told(ONE, runs=False))
    assert [each for each in only.diary if not each.startswith("tell")] == []
    only.heart.configured(told(ONE))
    assert only.state is State.SETTLING


async def test_an_active_router_with_nothing_to_run_gives_everything_to_its_partner(two: Two) -> None:
    two.one.heart.configured(told(ONE, runs=False))
    two.one.drop_done()
    two.pass_on()
    assert (two.one.state, two.two.state) == (State.IDLE, State.ACTIVE)


async def test_a_partner_that_lvs_cf_names_no_more_hears_that_the_addresses_are_free(two: Two) -> None:
    """backup_active = 0 takes the channels out of lvs.cf; what is said last goes through them all the same."""
    two.one.heart.configured(alone(runs=False))
    two.one.drop_done()
    two.pass_on()
    assert two.two.state is State.ACTIVE


async def test_a_passive_router_that_is_to_run_nothing_does_not_become_active_for_a_moment(two: Two) -> None:
    two.two.heart.configured(alone(runs=False))
    assert two.two.state is State.IDLE and set(two.two.hooks) == {False}
    assert not [each for each in two.two.diary if each.startswith("take")]


async def test_an_undecided_router_that_is_to_run_nothing_does_not_become_active_for_a_moment(only: Router) -> None:
    only.heart.configured(told(ONE))
    assert only.state is State.SETTLING
    only.heart.configured(alone(runs=False))
    assert only.state is State.IDLE and True not in only.hooks


async def test_a_lone_primary_leaves_the_addresses_to_a_backup_that_still_has_them(two: Two) -> None:
    two.one.heart.asked(Ask(1, "hand over"))
    two.one.drop_done()
    two.pass_on()
    two.go(K)
    assert (two.one.state, two.two.state) == (State.PASSIVE, State.ACTIVE)
    two.one.heart.configured(alone())
    assert two.one.state is State.PASSIVE
    two.two.heart.configured(alone(runs=False, is_primary=False))
    two.two.drop_done()
    two.pass_on()
    assert (two.one.state, two.two.state) == (State.ACTIVE, State.IDLE)


async def test_a_changed_address_of_the_partner_is_spoken_to_at_once(two: Two) -> None:
    there = two.network.sockets[ONE, 539]
    there.sent.clear()
    two.one.heart.configured(told(ONE, channels=(ChannelRow("public", ONE, "192.0.2.99"),), keepalive_s=1.0))
    two.clock.now += K
    two.one.heart._tick()
    assert {to for _, to in there.sent} == {"192.0.2.99"} and two.network.closed == []


async def test_a_changed_own_address_is_another_socket(two: Two) -> None:
    two.one.heart.configured(told(ONE, channels=(ChannelRow("public", "192.0.2.98", TWO),)))
    assert two.network.closed == [f"{ONE}:539"] and two.network.bound[-1] == "192.0.2.98:539"


async def test_a_shorter_keepalive_is_kept_from_now_on(two: Two) -> None:
    two.go(0.1)
    two.one.heart.configured(told(ONE, keepalive_s=0.2))
    assert two.one.heart.failover is not None and two.one.heart._timer is not None
    assert two.one.heart.failover.next_at <= two.clock.now + 0.2
    assert two.one.heart._timer.when() == pytest.approx(two.one.heart.failover.next_at)


async def test_while_it_hands_over_another_configuration_changes_no_decision(two: Two) -> None:
    two.one.heart.asked(Ask(1, "hand over"))
    assert two.one.state is State.HANDING_OVER
    drops = [each for each in two.one.diary if each.startswith("drop")]
    two.one.heart.configured(told(ONE, keepalive_s=1.0, number=9))
    assert two.one.state is State.HANDING_OVER and two.one.stands[-1].number == 9
    assert [each for each in two.one.diary if each.startswith("drop")] == drops


async def test_an_address_that_is_missing_at_the_start_is_tried_again(
    only: Router, caplog: pytest.LogCaptureFixture
) -> None:
    network = Network()
    network.missing.add(ONE)
    router = Router(ONE, network, only.clock, 5)
    router.heart.configured(told(ONE, runs=False))
    assert router.heart._timer is not None, "it is tried again though failover has nothing to wait for"
    for _ in range(3):
        router.clock.now += 1.0
        router.heart._tick()
    assert [each.getMessage() for each in caplog.records if "failed to bind" in each.getMessage()] == [
        f"failed to bind to heartbeat address: {ONE} port 539: Cannot assign."
    ]
    network.missing.clear()
    router.heart._tick()
    assert network.bound == [], "not more often than once a second"
    router.clock.now += 1.0
    router.heart._tick()
    assert network.bound == [f"{ONE}:539"] and not router.heart.wires.misses_any
    router.heart.close()


async def test_a_reason_that_changes_is_told_though_the_standing_does_not(two: Two) -> None:
    two.two.heart.configured(told(TWO, partner="lvs1"))
    assert "lvs1 is active" in two.two.stands[-1].reason
    two.two.heart.asked(Ask(1, "hold"))
    assert "An operator holds this router" in two.two.stands[-1].reason and not two.two.stands[-1].is_active
    before = len(two.two.stands)
    two.go(3 * K)
    assert len(two.two.stands) == before, "what does not change is not told again"


async def test_an_lvs_that_comes_back_hears_at_once_what_the_router_is(two: Two) -> None:
    before = two.one.stands[-1]
    two.one.heart.lvs_is_back()
    assert two.one.stands[-1].is_active and two.one.stands[-1].order == before.order


async def test_a_fault_of_the_balancer_moves_the_addresses_and_says_why(two: Two) -> None:
    two.one.heart.reported(Report(is_well=False, reason="The table cannot be read."))
    two.one.drop_done()
    two.pass_on()
    assert (two.one.state, two.two.state) == (State.INTERNAL_FAULT, State.ACTIVE)
    assert "The table cannot be read." in two.one.stands[-1].reason


async def test_links_that_go_down_are_logged_as_the_original_does(caplog: pytest.LogCaptureFixture) -> None:
    two = Two(monitors_links=True)
    two.pass_on()
    with caplog.at_level(logging.WARNING):
        two.one.heart.reported(Report(is_ready=True, public_up=False))
        two.one.heart.reported(Report(is_ready=True, public_up=False, private_up=False))
        two.one.heart.reported(READY)
    assert [each.getMessage() for each in caplog.records if "NIC" in each.getMessage()] == [
        "Primary NIC: link down",
        "Private NIC: link down",
        "Primary NIC: link up",
        "Private NIC: link up",
    ]
    two.close()


async def test_links_that_nobody_watches_are_not_logged(two: Two, caplog: pytest.LogCaptureFixture) -> None:
    two.one.heart.reported(Report(is_ready=True, public_up=False))
    assert not [each for each in caplog.records if "NIC" in each.getMessage()]


async def test_a_stop_is_finished_when_the_addresses_are_down_and_the_partner_was_told(two: Two) -> None:
    words(two.one, two.network)
    two.one.heart.stop()
    assert not two.one.heart.is_finished.is_set() and STOPPED not in words(two.one, two.network)
    two.one.drop_done()
    assert two.one.heart.is_finished.is_set() and STOPPED in words(two.one, two.network)
    two.pass_on()
    assert two.two.state is State.ACTIVE
    two.one.heart.configured(told(ONE))
    assert two.one.state is State.IDLE, "what stops does not start again"
    assert not two.one.heart.asked(Ask(1, "take over")).done


async def test_a_stop_before_anything_is_known_is_finished_at_once(only: Router) -> None:
    only.heart.stop()
    assert only.heart.is_finished.is_set()


@pytest.mark.parametrize("runs", [True, False])
async def test_a_stop_of_a_router_that_has_nothing_is_finished_at_once(only: Router, runs: bool) -> None:
    only.heart.configured(told(ONE, runs=runs))
    only.heart.stop()
    only.heart.stop()
    if any(each.startswith("drop") for each in only.diary):
        only.drop_done()
    assert only.heart.is_finished.is_set()


async def test_an_order_that_was_taken_back_is_not_believed_to_be_done(two: Two) -> None:
    two.one.heart.asked(Ask(1, "hand over"))
    old = int(next(each for each in reversed(two.one.diary) if each.startswith("drop")).split()[1])
    two.one.heart.stop()
    two.one.heart.down(old, True)
    assert not two.one.heart.is_finished.is_set() and two.one.stands[-1].is_active
    two.one.drop_done()
    assert two.one.heart.is_finished.is_set()


async def test_the_life_sign_is_written_while_it_speaks_as_the_active_one_and_ends_after(two: Two) -> None:
    assert two.one.sign.notes > 0 and two.two.sign.notes == 0 and two.two.sign.ends > 0
    ends = two.one.sign.ends
    two.go(3 * K)
    assert two.one.sign.ends == ends
    two.one.heart.stop()
    assert two.one.sign.ends == ends, "the addresses are still here"
    two.one.drop_done()
    assert two.one.sign.ends > ends


async def test_two_hearts_with_a_key_know_each_other_and_a_stranger_without_changes_nothing() -> None:
    two = Two(keys=(b"k" * 32,))
    two.pass_on()
    two.go(3 * K)
    assert (two.one.state, two.two.state) == (State.ACTIVE, State.PASSIVE)
    there = two.network.sockets[TWO, 539]
    there.waiting.append((RUNNING.to_bytes(4, "little"), there.own))
    there.waiting.append((STOPPED.to_bytes(4, "little"), two.network.sockets[ONE, 539].own))
    two.two.heart.readable()
    assert two.two.state is State.PASSIVE and two.two.heart.failover is not None
    assert sum(two.two.heart.failover.rejected.values()) >= 2
    two.close()


async def test_a_key_that_cannot_be_read_is_said_and_the_ones_before_stay() -> None:
    two = Two(keys=(b"k" * 32,))
    two.one.keys = PiranhaError("The key cannot be read.")
    two.one.heart.configured(told(ONE))
    assert two.one.heart.key_trouble == "The key cannot be read."
    two.go(3 * D)
    assert (two.one.state, two.two.state) == (State.ACTIVE, State.PASSIVE)
    two.close()


async def test_a_router_whose_key_cannot_be_read_stays_passive_until_it_can(caplog: pytest.LogCaptureFixture) -> None:
    two = Two(keys=(b"k" * 32,))
    two.go(3 * D)
    two.two.heart.close()
    again = Router(TWO, two.network, two.clock, 23)
    again.keys = PiranhaError("The key cannot be read.")
    two.both = (two.one, again)
    again.heart.configured(told(TWO))
    again.heart.reported(READY)
    for _ in range(5):
        two.go(D)
        again.heart.look_for_key()
    assert (two.one.state, again.state) == (State.ACTIVE, State.IDLE)
    assert again.stands[-1].reason == f"The key cannot be read. {NO_KEY}"
    assert caplog.messages.count("The key cannot be read.") == 1
    again.keys = (b"k" * 32,)
    again.heart.look_for_key()
    two.go(3 * D)
    assert (two.one.state, again.state) == (State.ACTIVE, State.PASSIVE) and again.heart.key_trouble == ""
    two.close()


async def test_a_key_that_cannot_be_read_stops_nobody_who_serves_without_one() -> None:
    two = Two()
    two.go(3 * D)
    two.one.keys = PiranhaError("The key cannot be read.")
    two.one.heart.configured(told(ONE))
    two.one.heart.look_for_key()
    two.go(3 * D)
    assert (two.one.state, two.two.state) == (State.ACTIVE, State.PASSIVE)
    two.close()


async def test_a_router_that_is_alone_needs_no_key() -> None:
    two = Two()
    lone = Router("192.0.2.13", two.network, two.clock, 24)
    lone.keys = PiranhaError("The key cannot be read.")
    lone.heart.configured(alone())
    assert lone.stands[-1].is_active
    lone.heart.close()
    two.close()


async def test_a_pair_that_makes_no_sense_changes_nothing(two: Two, caplog: pytest.LogCaptureFixture) -> None:
    before = two.one.heart.told
    two.one.heart.configured(told(ONE, deadtime_s=1.0))
    assert two.one.heart.told is before and "must be longer than keepalive" in caplog.text


async def test_a_fault_of_ours_costs_one_look_and_not_the_heart(two: Two, caplog: pytest.LogCaptureFixture) -> None:
    two.network.sockets[ONE, 539].receive = lambda: 1  # type: ignore[method-assign, assignment, return-value]
    two.one.heart._tick()
    two.one.heart.readable()
    assert caplog.text.count("the engine goes on") == 2 and two.one.heart._timer is not None
    two.clock.now += 100.0
    two.one.heart._tick()
    assert two.one.heart._timer.when() > two.clock.now, "what fails again and again keeps nobody busy"


async def test_a_closed_heart_has_no_socket_and_no_timer(two: Two) -> None:
    heart: Heart = two.one.heart
    timer = heart._timer
    heart.close()
    heart.close()
    assert timer is not None and timer.cancelled() and (ONE, 539) not in two.network.sockets
    heart.reported(Report(is_well=False))
    heart.down(1, True)
    heart.readable()


async def test_what_did_not_count_is_a_line_of_the_log_and_does_not_push_out_what_failover_said(
    two: Two, caplog: pytest.LogCaptureFixture
) -> None:
    before = list(two.two.heart.said)
    there = two.network.sockets[TWO, 539]
    there.waiting += [(b"x", ip_address(ONE))] * 100
    there.waiting += [(b"xxxx", ip_address(f"203.0.113.{number}")) for number in range(100)]
    with caplog.at_level(logging.INFO):
        two.two.heart.readable()
    said = [each.getMessage() for each in caplog.records]
    assert said.count(f"bad heartbeat packet from IP {ONE}: shorter than 4 bytes") == 1
    assert "Unexpected heartbeat from IP 203.0.113.0" in said and len(said) < 20
    assert list(two.two.heart.said) == before


async def test_connections_are_told_where_a_partner_can_take_the_addresses_over_and_is_synced_with() -> None:
    two = Two(syncs=True)
    two.pass_on()
    two.go(K)
    assert two.one.heart.hands_on, "the active one, whose partner is passive"
    assert not two.two.heart.hands_on, "the partner has the addresses itself"
    two.two.heart.close()
    two.go(D - 0.1)
    assert two.one.heart.hands_on, "it may only be late"
    two.clock.now += K
    assert not two.one.heart.hands_on, "a partner that is silent for deadtime takes nothing over"
    two.close()


async def test_connections_are_told_in_a_planned_move_until_the_partner_has_taken_over() -> None:
    two = Two(syncs=True)
    two.pass_on()
    two.one.heart.asked(Ask(1, "hand over"))
    assert two.one.heart.hands_on
    two.one.drop_done()
    assert two.one.heart.hands_on
    two.pass_on()
    two.go(K)
    assert two.two.state is State.ACTIVE
    assert not two.one.heart.hands_on and two.two.heart.hands_on
    two.close()


async def test_connections_are_told_to_nobody_where_they_are_not_synced_or_nobody_is_there(only: Router) -> None:
    two = Two()
    two.pass_on()
    two.go(K)
    assert not two.one.heart.hands_on, "no sync daemon"
    two.one.heart.configured(told(ONE, syncs=True))
    assert two.one.heart.hands_on, "from now on"
    two.close()
    assert not only.heart.hands_on, "not configured"
    only.heart.configured(told(ONE, syncs=True))
    assert not only.heart.hands_on, "nothing was heard"
    only.heart.configured(alone(syncs=True))
    assert only.state is State.ACTIVE and not only.heart.hands_on, "no partner"

"""What an operator can ask for: stop, start, hand over, take over, hold, release; and what is refused."""

from dataclasses import replace

import pytest

from piranha.ha import machine
from piranha.ha.channels import ChannelName
from piranha.ha.datagram import Said
from piranha.ha.events import Command
from piranha.ha.settings import Failback, Settings
from piranha.ha.states import Role, State
from tests.ha.routers import Pace
from tests.ha.scenes import D, K, Scene
from tests.ha.world import Quality

SLOW_DROP = Pace(take_s=0.0, drop_s=1000.0, late_s=0.0)


def last(router) -> str:
    return router.told[-1][1]


def never_two(scene: Scene) -> None:
    scene.agenda.after_each.append(lambda: pytest.fail("two owners") if scene.owners == "PB" else None)


def test_hand_over_moves_the_addresses_at_once_and_they_stay_there() -> None:
    scene = Scene(failback=Failback.AUTO, failback_after_s=1.0).settled()
    never_two(scene)
    scene.primary.command(Command.HAND_OVER)
    assert scene.run(scene.now + 0.01).owners == "B"
    assert scene.primary.orders()[1:] == ["Drop", "Clear"]
    scene.run(scene.now + 600)
    assert (scene.owners, scene.states) == ("B", (State.PASSIVE, State.ACTIVE)), "moved by hand: no fail-back"


def test_after_a_restart_of_the_primary_fail_back_holds_again() -> None:
    scene = Scene(failback=Failback.AUTO, failback_after_s=1.0).settled()
    scene.primary.command(Command.HAND_OVER)
    scene.run(scene.now + 1)
    scene.primary.kill(loses_power=True)
    scene.run(scene.now + 1)
    scene.boot("P")
    assert scene.run(scene.now + 10).owners == "P"


def test_take_over_by_hand_stays_too() -> None:
    scene = Scene(failback=Failback.AUTO, failback_after_s=1.0).settled()
    scene.backup.command(Command.TAKE_OVER)
    assert scene.run(scene.now + 600).owners == "B"
    assert "asking the partner for the addresses" in [sentence for _, sentence in scene.backup.told]
    offers = [beat.trailer for beat in scene.heard("P") if beat.trailer and beat.trailer.state is State.HANDING_OVER]
    assert offers and all(offer.flags.by_hand for offer in offers)


def test_take_over_asked_while_settling_is_answered() -> None:
    scene = Scene()
    scene.boot("B")
    scene.run(7.0)
    scene.boot("P")
    said = len(scene.words("P"))
    scene.primary.command(Command.TAKE_OVER)
    assert len(scene.words("P")) == said + 1, "it asks at once"
    never_two(scene)
    assert scene.primary.state is State.SETTLING
    assert scene.run(7.1).owners == "P"


def test_a_question_that_is_not_answered_ends_after_twice_deadtime() -> None:
    scene = Scene().settled()
    scene.backup.reports(is_ready=False)
    asked_at = scene.now
    scene.backup.command(Command.TAKE_OVER)
    ends_at = scene.until(lambda: last(scene.backup).startswith("the partner did not hand over; heard"))
    assert ends_at == pytest.approx(asked_at + 2 * D, abs=0.02)
    scene.backup.reports(is_ready=True)
    assert scene.run(scene.now + 60).owners == "P"
    assert len([1 for _, sentence in scene.backup.told if "did not hand over" in sentence]) == 1


def test_a_forced_passive_primary_makes_an_original_backup_yield() -> None:
    scene = Scene("B").settled("B")
    scene.primary.command(Command.TAKE_OVER)
    assert scene.words("P")[-1] is Said.RUNNING
    assert scene.run(scene.now + 0.1).owners == "P"
    scene.run(scene.now + K)
    assert last(scene.primary) == "partner no longer active: resending arps"
    assert scene.primary.orders() == ["Take", "Announce", "Announce"]


def test_hand_over_to_an_original_partner() -> None:
    scene = Scene("B").settled()
    scene.primary.command(Command.HAND_OVER)
    assert scene.run(scene.now + 0.1).owners == "B"
    assert scene.run(scene.now + 60).states == (State.PASSIVE, State.ACTIVE)
    assert scene.primary.orders() == ["Take", "Drop", "Clear"]


def test_hand_over_to_an_original_that_cannot_is_taken_back() -> None:
    scene = Scene("B").settled()
    scene.original.childfail = True
    began = scene.now
    scene.primary.command(Command.HAND_OVER)
    bound = scene.primary.settings.hand_over_s(True)
    back_at = scene.until(lambda: scene.owners == "P" and scene.now > began + 0.1)
    assert began + D - K <= back_at <= began + bound
    assert any(sentence.startswith("the partner did not take over; heard") for _, sentence in scene.primary.told)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda scene: scene.backup.reports(is_ready=False), "the partner is not ready"),
        (lambda scene: scene.backup.command(Command.HOLD), "the partner is in state held"),
        (lambda scene: scene.backup.reports(is_well=False), "the partner is in state internal fault"),
        (lambda scene: scene.backup.kill(loses_power=True), "the partner was not heard for"),
    ],
)
def test_nothing_is_handed_to_a_partner_that_cannot_take_it(spoil, reason: str) -> None:
    scene = Scene().settled()
    spoil(scene)
    scene.run(scene.now + 7)
    scene.primary.command(Command.HAND_OVER)
    assert scene.run(scene.now + 30).owners == "P"
    assert f"not handed over: {reason}" in "\n".join(sentence for _, sentence in scene.primary.told)
    assert scene.primary.orders() == ["Take"]


def test_nothing_is_handed_to_nobody() -> None:
    scene = Scene()
    scene.boot("P")
    scene.run(7)
    scene.primary.command(Command.HAND_OVER)
    assert last(scene.primary) == "not handed over: the partner was never heard"
    alone = Scene(is_alone=True)
    alone.boot("P")
    alone.primary.command(Command.HAND_OVER)
    assert last(alone.primary) == "not handed over: no partner is configured"


def test_a_partner_that_dies_at_that_moment_leaves_no_gap_beyond_the_bound() -> None:
    scene = Scene().settled()
    scene.primary.command(Command.HAND_OVER)
    scene.backup.kill(loses_power=True)
    began = scene.now
    scene.run(began + 0.01)
    assert scene.owners == ""
    assert scene.until(lambda: scene.owners == "P") == pytest.approx(began + K + D, abs=0.05)
    assert scene.primary.settings.hand_over_s(False) == K + D
    assert scene.primary.failover is not None
    assert scene.primary.failover.node.failed_moves == 1, "so the next move waits for longer"
    offered = [at - began for at, who, channel, _ in scene.wire.sent if who == 0 and channel is ChannelName.PRIVATE]
    offered = [at for at in offered if -0.01 < at < K - 0.01]
    assert offered == pytest.approx([0.0, 0.5, 1.0, 1.5]), "four times as often as otherwise"


def test_a_partner_that_knows_that_it_settles_need_not_hear_that_settling_is_over() -> None:
    scene = Scene().settled().run(14.05)
    never_two(scene)
    from_primary, from_backup = (
        [quality for (sender, _), quality in scene.wire.qualities.items() if sender == index] for index in (0, 1)
    )

    def cut(quality_of: list[Quality], *, is_cut: bool) -> None:
        for quality in quality_of:
            quality.is_cut = is_cut

    scene.backup.stall(2.5)
    scene.primary.command(Command.HAND_OVER)
    cut(from_primary, is_cut=True)
    scene.run(19.0)
    assert scene.states == (State.SETTLING, State.PASSIVE)
    cut(from_primary, is_cut=False)
    cut(from_backup, is_cut=True)
    scene.run(22.0)
    cut(from_primary, is_cut=True)
    scene.run(22.09)
    assert scene.states == (State.PASSIVE, State.PASSIVE)
    cut(from_backup, is_cut=False)
    assert scene.until(lambda: scene.owners == "P") == pytest.approx(22.55, abs=0.02), "at its next word"


def test_a_partner_that_fails_at_that_moment_says_so_and_it_is_taken_back() -> None:
    scene = Scene().settled()
    never_two(scene)
    scene.primary.command(Command.HAND_OVER)
    scene.backup.reports(is_well=False)
    began = scene.now
    scene.run(began + 0.01)
    assert (scene.owners, last(scene.primary)) == ("P", "the partner cannot take over")
    assert scene.primary.orders() == ["Take", "Drop", "Take"]


def test_fail_back_that_fails_is_tried_again_later_and_later() -> None:
    scene = Scene(failback=Failback.AUTO, failback_after_s=0.0, retry_most_s=600.0)
    scene.boot("B")
    scene.run(7.0)
    scene.boot("P")
    scene.backup.pace = SLOW_DROP
    tries = []
    for _ in range(4):
        scene.until(lambda: scene.backup.state is State.HANDING_OVER, most_s=100)
        tries.append(scene.now)
        scene.primary.reports(is_well=False)
        scene.until(lambda: scene.backup.state is State.ACTIVE)
        assert last(scene.backup) == "the partner cannot take over"
        assert scene.owners == "B"
        failed_at = scene.now
        scene.primary.reports(is_well=True)
        scene.primary.command(Command.START)
        scene.until(lambda: scene.backup.state is State.HANDING_OVER, most_s=100)
        tries[-1] = scene.now - failed_at
    assert [round(pause) for pause in tries] == [2, 4, 8, 16]


def test_a_move_that_works_makes_the_pause_short_again() -> None:
    scene = Scene().settled()
    assert scene.primary.failover is not None
    scene.primary.failover.node = replace(scene.primary.failover.node, failed_moves=5, move_at=scene.now + 100)
    scene.primary.command(Command.HAND_OVER)
    scene.run(scene.now + 1)
    assert (scene.primary.failover.node.failed_moves, scene.primary.failover.node.move_at) == (0, 0.0)


def test_hold_keeps_a_passive_router_passive_and_release_ends_it() -> None:
    scene = Scene().settled()
    scene.backup.command(Command.HOLD)
    assert scene.words("B")[-1] is Said.STOPPED
    scene.primary.kill(loses_power=True)
    assert scene.run(scene.now + 60).owners == ""
    scene.backup.command(Command.RELEASE)
    assert scene.run(scene.now + 0.1).owners == "B"


def test_hold_while_settling_is_said_at_once() -> None:
    scene = Scene()
    scene.boot("P")
    scene.run(0.1)
    said = len(scene.words("P"))
    scene.primary.command(Command.HOLD)
    assert scene.words("P")[said:] == [Said.STOPPED]


def test_an_offer_that_ends_is_said_at_once() -> None:
    scene = Scene().settled()
    scene.run(13.7)
    for quality in scene.wire.qualities.values():
        quality.is_cut = True
    scene.primary.command(Command.HAND_OVER)
    scene.run(13.7 + K - 0.01)
    said = len(scene.words("P"))
    assert scene.words("P")[-1] is Said.STOPPED
    scene.run(13.7 + K + 0.01)
    assert (scene.primary.state, scene.words("P")[said:]) == (State.SETTLING, [Said.HELD])


@pytest.mark.parametrize("name", ["P", "B"])
def test_a_partner_that_is_held_leaves_the_addresses_to_the_other_at_once(name: str) -> None:
    scene = Scene()
    held, free = ("P", "B") if name == "P" else ("B", "P")
    scene.boot(held)
    scene.routers["PB".index(held)].command(Command.HOLD)
    scene.boot(free)
    assert scene.run(0.1).owners == free


def test_held_from_every_state_that_has_no_addresses() -> None:
    scene = Scene(monitors_links=True)
    scene.boot("P")
    scene.run(0.1)
    scene.primary.reports(public_up=False)
    assert scene.primary.state is State.LINK_FAULT
    said = len(scene.words("P"))
    scene.primary.command(Command.HOLD)
    assert scene.primary.state is State.HELD
    assert scene.words("P")[said:] == [Said.STOPPED], "a partner that cannot be active for now hears it at once"
    scene.primary.command(Command.STOP)
    scene.run(scene.now + 0.1)
    scene.primary.reports(public_up=True)
    scene.primary.command(Command.START)
    scene.run(scene.now + 0.1)
    scene.primary.reports(is_well=False)
    assert scene.primary.state is State.INTERNAL_FAULT
    scene.primary.command(Command.HOLD)
    assert (scene.primary.state, scene.words("P")[-1]) == (State.HELD, Said.STOPPED)
    assert scene.run(60).owners == ""


@pytest.mark.parametrize(
    "state", [State.IDLE, State.SETTLING, State.PASSIVE, State.HELD, State.LINK_FAULT, State.INTERNAL_FAULT]
)
def test_stop_ends_from_every_state_without_addresses(state: State) -> None:
    scene = Scene(monitors_links=True)
    scene.boot("P")
    router = scene.primary
    assert router.failover is not None
    router.failover.node = replace(router.failover.node, state=state)
    router.command(Command.STOP)
    scene.run(scene.now + 0.1)
    assert router.state is State.IDLE
    assert router.orders() == ["Drop", "Clear", "Finish"]
    assert scene.run(60).owners == ""
    assert scene.words("P")[-3:] == [Said.STOPPED] * 3


def test_a_stop_while_the_addresses_are_offered_ends_too() -> None:
    scene = Scene().settled()
    for quality in scene.wire.qualities.values():
        quality.is_cut = True
    began = scene.now
    scene.primary.command(Command.HAND_OVER)
    scene.run(began + 0.1)
    assert (scene.primary.state, scene.owners) == (State.HANDING_OVER, "")
    scene.primary.command(Command.STOP)
    scene.run(began + 0.2)
    assert (scene.primary.state, scene.primary.orders(began)[-1]) == (State.IDLE, "Finish")
    assert scene.run(began + 60).owners == "B", "after deadtime: it could not be told"


@pytest.mark.parametrize("state", [State.ACTIVE, State.YIELDING, State.HANDING_OVER])
@pytest.mark.parametrize("command", [Command.STOP, Command.HOLD])
def test_on_the_way_down_the_truth_is_running_until_the_addresses_are_down(state: State, command: Command) -> None:
    scene = Scene().settled()
    router = scene.primary
    router.pace = SLOW_DROP
    if state is State.HANDING_OVER:
        router.command(Command.HAND_OVER)
    elif state is State.YIELDING:
        assert router.failover is not None
        node = replace(router.failover.node, state=state, is_dropping=True, order=2)
        router.failover.node = node
    began = scene.now
    router.command(command)
    is_refused = command is Command.HOLD and state is not State.YIELDING
    expected = state if is_refused else State.HELD if command is Command.HOLD else State.IDLE
    assert router.state is expected
    scene.run(began + 5)
    assert set(scene.words("P", began)) <= {Said.RUNNING}
    assert router.failover is not None
    router.has_addresses = False
    router._do(router.failover.down(router.failover.node.order, True, scene.now))
    if not is_refused:
        assert scene.words("P")[-1] is Said.STOPPED
        assert router.orders()[-1] == ("Finish" if command is Command.STOP else "Clear")


REFUSED = [
    (State.IDLE, Command.HAND_OVER),
    (State.IDLE, Command.TAKE_OVER),
    (State.IDLE, Command.HOLD),
    (State.IDLE, Command.RELEASE),
    (State.SETTLING, Command.START),
    (State.SETTLING, Command.RESUME),
    (State.SETTLING, Command.HAND_OVER),
    (State.SETTLING, Command.RELEASE),
    (State.PASSIVE, Command.START),
    (State.PASSIVE, Command.HAND_OVER),
    (State.PASSIVE, Command.RELEASE),
    (State.ACTIVE, Command.START),
    (State.ACTIVE, Command.RESUME),
    (State.ACTIVE, Command.TAKE_OVER),
    (State.ACTIVE, Command.HOLD),
    (State.ACTIVE, Command.RELEASE),
    (State.YIELDING, Command.START),
    (State.YIELDING, Command.HAND_OVER),
    (State.HANDING_OVER, Command.HAND_OVER),
    (State.HANDING_OVER, Command.HOLD),
    (State.HANDING_OVER, Command.TAKE_OVER),
    (State.LINK_FAULT, Command.TAKE_OVER),
    (State.LINK_FAULT, Command.START),
    (State.INTERNAL_FAULT, Command.TAKE_OVER),
    (State.INTERNAL_FAULT, Command.RESUME),
    (State.HELD, Command.START),
    (State.HELD, Command.HOLD),
    (State.HELD, Command.TAKE_OVER),
]


@pytest.mark.parametrize(("state", "command"), REFUSED)
def test_a_refused_command_changes_nothing_and_says_why(state: State, command: Command) -> None:
    settings = Settings(Role.PRIMARY, keepalive_s=K, deadtime_s=D, monitors_links=True)
    fresh = machine.new_node(settings, 7, 0.0)
    report = replace(fresh.report, public_up=state is not State.LINK_FAULT, is_well=state is not State.INTERNAL_FAULT)
    owns = state in (State.ACTIVE, State.YIELDING, State.HANDING_OVER)
    node = replace(fresh, state=state, report=report, owns=owns, spell_at=1.0, silent_from=1.0)
    after, orders = machine.commanded(node, command, 1.0)
    assert replace(after, looks_at=node.looks_at) == node
    assert len(orders) == 1
    assert isinstance(orders[0], machine.Tell)
    assert orders[0].sentence.startswith("not ")
    assert state in orders[0].sentence


def test_the_states_that_start_brings_back() -> None:
    scene = Scene()
    scene.boot("P")
    scene.primary.reports(is_well=False)
    scene.primary.reports(is_well=True)
    scene.primary.command(Command.START)
    assert scene.primary.state is State.PASSIVE
    assert scene.primary.failover is not None
    assert scene.primary.failover.node.faults == 0

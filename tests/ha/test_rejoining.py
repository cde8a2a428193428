"""A pair whose settings change while it runs, or of which one comes back: never two owners, no needless moves."""

from dataclasses import replace

import pytest

from piranha.ha.datagram import Said
from piranha.ha.events import Command
from piranha.ha.settings import Failback
from piranha.ha.states import State
from tests.ha.scenes import D, K, Scene

RUNNING = Said.RUNNING


def never_two(scene: Scene) -> None:
    scene.agenda.after_each.append(lambda: pytest.fail("two owners") if scene.owners == "PB" else None)


def configured(scene: Scene, name: str, **changes: object) -> None:
    """Give one of the two other settings while it runs."""
    router = scene.routers["PB".index(name)]
    failover = router.failover
    assert failover is not None
    router.settings = replace(router.settings, **changes)
    router._spoke_at = scene.now
    router._do(failover.configure(router.settings, failover.addresses, scene.keys, scene.now))


@pytest.mark.parametrize("order", ["PB", "BP"])
@pytest.mark.parametrize("active", ["P", "B"])
def test_a_pair_that_is_no_pair_any_more_is_never_two_owners(active: str, order: str) -> None:
    scene = Scene().settled(active)
    never_two(scene)
    settled_at = scene.now
    for name in order:
        began = scene.now
        configured(scene, name, is_alone=True)
        scene.run(began + 1.0)
    assert scene.backup.state is State.IDLE
    assert scene.backup.orders(settled_at) == ["Drop", "Clear", "Finish"]
    assert any(sentence.startswith("We are backup node") for _, sentence in scene.backup.told)
    assert scene.owners == "P", "the backup took leave, so nobody waits for deadtime"
    assert set(scene.words("P", began)) <= {RUNNING}
    assert scene.run(began + 60).owners == "P"
    assert scene.words("P", began + 1) == scene.words("B", began + 1) == []


def test_a_lone_primary_takes_the_addresses_when_a_backup_that_had_them_falls_silent() -> None:
    scene = Scene().settled("B")
    configured(scene, "P", is_alone=True)
    assert scene.run(scene.now + 30).owners == "B", "it is not configured yet"
    scene.backup.kill(loses_power=True)
    last = max(at for at, who, _, _ in scene.wire.sent if who == 1)
    assert scene.run(last + D - 0.01).owners == ""
    assert scene.run(last + D + 0.01).owners == "P"


def test_a_lone_primary_becomes_one_of_a_pair() -> None:
    scene = Scene()
    scene.primary.settings = replace(scene.primary.settings, is_alone=True)
    scene.boot("P")
    scene.run(30)
    assert (scene.owners, scene.wire.sent) == ("P", [])
    configured(scene, "P", is_alone=False)
    scene.boot("B")
    never_two(scene)
    assert scene.run(60).states == (State.ACTIVE, State.PASSIVE)
    assert scene.primary.orders() == ["Drop", "Take"], "the first one cleans up"


def test_a_lone_primary_that_is_released_into_a_pair_listens_first() -> None:
    scene = Scene()
    scene.primary.settings = replace(scene.primary.settings, is_alone=True)
    scene.boot("P", Command.RELEASE)
    scene.primary.command(Command.START)
    assert scene.run(30).owners == "P"
    scene.primary.command(Command.STOP)
    scene.run(31)
    scene.primary.reports(is_well=False)
    scene.primary.command(Command.START)
    scene.primary.command(Command.HOLD)
    scene.boot("B", Command.RESUME)
    scene.run(40)
    configured(scene, "P", is_alone=False)
    for quality in scene.wire.qualities.values():
        quality.is_cut = True
    scene.primary.reports(is_well=True)
    scene.primary.command(Command.RELEASE)
    assert scene.primary.state is State.PASSIVE
    assert scene.run(40 + D - 0.01).primary.takes == 1, "what was not heard while it was alone does not count"
    assert scene.run(40 + D + 0.01).primary.takes == 2


def test_a_lone_primary_does_not_watch_its_links() -> None:
    scene = Scene(is_alone=True, monitors_links=True)
    scene.primary.report = replace(scene.primary.report, public_up=False, private_up=False)
    scene.boot("P")
    assert scene.run(0.01).owners == "P"
    scene.primary.reports(public_up=True)
    scene.primary.reports(public_up=False)
    assert scene.run(30).primary.takes == 1


@pytest.mark.parametrize("active", ["P", "B"])
@pytest.mark.parametrize("first", ["P", "B"])
def test_the_roles_are_swapped_while_both_run(active: str, first: str) -> None:
    scene = Scene(failback=Failback.AUTO, failback_after_s=15.0).settled(active)
    never_two(scene)
    for name in (first, "B" if first == "P" else "P"):
        role = scene.routers["PB".index(name)].settings.role
        configured(scene, name, role=role.other)
        scene.run(scene.now + 20.0)
        assert len(scene.owners) == 1, "both claim the same role for a while"
    assert scene.run(scene.now + 20.0).owners == "B", "which is the primary now, and gets them back"
    assert scene.primary.state is State.PASSIVE


def test_other_timers_are_applied_one_after_the_other() -> None:
    scene = Scene().settled()
    never_two(scene)
    for keepalive_s, deadtime_s in ((0.5, 2.5), (3.0, 9.0)):
        longer = keepalive_s > 1
        for name in "PB" if longer else "BP":
            # The longer deadtime first where both become longer, so that nobody is taken for dead on the way.
            configured(scene, name, deadtime_s=max(9.0, deadtime_s))
        for name in "BP":
            configured(scene, name, keepalive_s=keepalive_s, deadtime_s=max(9.0, deadtime_s))
            scene.run(scene.now + 20.0)
        for name in "BP":
            configured(scene, name, deadtime_s=deadtime_s)
            scene.run(scene.now + 20.0)
        began = scene.now
        scene.run(began + 9.0)
        assert len(scene.words("P", began + 0.01)) == round(9.0 / keepalive_s)
    assert (scene.states, scene.backup.takes) == ((State.ACTIVE, State.PASSIVE), 0)


def test_fail_back_waits_until_the_primary_is_ready_which_means_in_step_too() -> None:
    scene = Scene(failback=Failback.AUTO, failback_after_s=10.0).settled("B")
    scene.primary.reports(is_ready=False)
    assert scene.run(scene.now + 120).owners == "B", "connections are not in step yet"
    scene.primary.reports(is_ready=True)
    ready_at = scene.now
    assert scene.run(ready_at + 5).owners == "B"
    scene.primary.reports(is_ready=False)
    scene.run(scene.now + K)
    scene.primary.reports(is_ready=True)
    again_at = scene.now
    assert scene.run(again_at + 9.9).owners == "B", "the time begins anew"
    assert scene.run(again_at + 10 + K + 0.1).owners == "P"


def test_a_partner_that_restarts_within_deadtime_moves_nothing() -> None:
    for command in (Command.RESUME, Command.START):
        scene = Scene().settled()
        never_two(scene)
        scene.primary.kill(loses_power=False)
        began = scene.now
        scene.run(began + 1.0)
        scene.boot("P", command)
        scene.run(began + 60)
        assert (scene.states, scene.backup.takes) == ((State.ACTIVE, State.PASSIVE), 0)
        assert scene.primary.takes == (1 if command is Command.RESUME else 2)
    scene = Scene().settled()
    scene.backup.kill(loses_power=True)
    scene.run(scene.now + 1.0)
    scene.boot("B")
    assert scene.run(scene.now + 60).states == (State.ACTIVE, State.PASSIVE)
    assert scene.primary.orders() == ["Take"]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_backup_that_left_addresses_behind_makes_an_original_primary_announce_its_own(is_told: bool) -> None:
    scene = Scene("P", partner_is_original=is_told).settled("B")
    scene.backup.kill(loses_power=False)
    scene.until(lambda: scene.owners == "PB")
    scene.run(scene.now + 20.5)
    began = scene.now
    scene.boot("B")
    scene.run(began + 0.1)
    assert scene.owners == "P"
    at_once = [RUNNING] if is_told else [Said.HELD, Said.HELD]
    assert scene.words("B", began) == at_once, "said when they are down, or as soon as it knows that it is an original"
    scene.until(lambda: scene.backup.state is State.PASSIVE, K)
    words = scene.words("B", began)
    assert words[words.index(RUNNING) :] == [RUNNING, Said.STOPPED]
    assert Said.STOPPED not in words[: words.index(RUNNING)], "undecided"
    assert scene.original.announced_at >= began, "behind the backup's"
    assert scene.run(began + 60).states == (State.ACTIVE, State.PASSIVE)


def test_a_backup_makes_an_original_announce_that_took_them_just_after_it_had_said_stopped() -> None:
    scene = Scene("P", partner_is_original=True).settled("B")
    backup, original = scene.backup, scene.original
    backup.kill(loses_power=False)
    scene.run(original.dead_at - K)
    backup.pace = replace(backup.pace, drop_s=1000.0)
    scene.boot("B")
    scene.until(lambda: scene.owners == "PB")
    assert scene.words("P")[-1] is Said.STOPPED, "it has not said that it took them"
    assert backup.failover is not None and backup.failover.node.partner.said is Said.STOPPED
    down_at = scene.now
    backup.has_addresses = False
    backup._do(backup.failover.down(backup.failover.node.order, True, scene.now))
    assert scene.words("B", down_at) == [], "it does not know"
    scene.until(lambda: backup.state is State.PASSIVE)
    assert scene.words("B", down_at) == [RUNNING, Said.STOPPED]
    assert scene.run(scene.now + 0.1).original.announced_at >= down_at
    assert scene.run(scene.now + 60).states == (State.ACTIVE, State.PASSIVE)
    assert RUNNING not in scene.words("B", down_at + K), "once"


def test_a_primary_that_left_addresses_behind_does_not_make_an_original_backup_yield() -> None:
    scene = Scene("B", partner_is_original=True).settled("P")
    scene.primary.kill(loses_power=False)
    scene.until(lambda: scene.owners == "PB")
    began = scene.now
    scene.boot("P")
    scene.run(began + 60)
    assert scene.states == (State.PASSIVE, State.ACTIVE)
    assert RUNNING not in scene.words("P", began)


@pytest.mark.parametrize("command", [Command.STOP, Command.HOLD])
def test_a_backup_that_is_stopped_or_held_while_it_yields_still_makes_an_original_primary_announce(
    command: Command,
) -> None:
    scene = Scene("P", partner_is_original=True).settled()
    for quality in scene.wire.qualities.values():
        quality.is_cut = True
    scene.until(lambda: scene.owners == "PB")
    scene.backup.pace = replace(scene.backup.pace, drop_s=0.5)
    for quality in scene.wire.qualities.values():
        quality.is_cut = False
    scene.until(lambda: scene.backup.state is State.YIELDING)
    scene.backup.command(command)
    down_at = scene.until(lambda: scene.owners == "P")
    scene.run(down_at + 0.02)
    assert scene.words("B")[-3:] in ([RUNNING, Said.STOPPED, Said.STOPPED], [RUNNING, RUNNING, Said.STOPPED])
    assert scene.original.announced_at >= down_at - 0.02


@pytest.mark.parametrize("has_partner_original", [True, False])
def test_nothing_is_said_to_be_stopped_while_addresses_of_an_earlier_life_are_still_here(
    has_partner_original: bool,
) -> None:
    scene = Scene("B" if has_partner_original else "", partner_is_original=has_partner_original, monitors_links=True)
    router = scene.primary
    router.report = replace(router.report, public_up=False)
    router.has_addresses = True
    router.pace = replace(router.pace, drop_s=1000.0)
    scene.boot("P")
    assert router.state is State.LINK_FAULT
    assert Said.STOPPED not in scene.run(5.0).words("P")
    router.has_addresses = False
    assert router.failover is not None
    router._do(router.failover.down(1, True, scene.now))
    assert scene.words("P")[-1] is Said.STOPPED


def test_a_router_that_is_not_started_yet_does_not_answer_what_is_found_out_with_stopped() -> None:
    scene = Scene()
    scene.boot("P", Command.RELEASE)
    scene.primary.reports(private_up=False)
    assert (scene.primary.state, scene.words("P")) == (State.IDLE, [])
    scene.boot("B")
    assert scene.run(K + 0.1).owners == "B", "it says that it will not take them"

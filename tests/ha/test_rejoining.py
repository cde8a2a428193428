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
    for name in order:
        began = scene.now
        configured(scene, name, is_alone=True)
        scene.run(began + 1.0)
    assert scene.backup.state is State.IDLE
    assert any(sentence.startswith("We are backup node") for _, sentence in scene.backup.told)
    assert scene.backup.orders()[-1] == "Finish"
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

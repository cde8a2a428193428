"""Links, balancers and processes that fail: what a router makes of it."""

from dataclasses import replace

import pytest

from piranha.ha.channels import ChannelName
from piranha.ha.datagram import Said
from piranha.ha.events import Command
from piranha.ha.settings import Failback
from piranha.ha.states import State
from tests.ha.routers import Pace
from tests.ha.scenes import D, K, Scene

PUBLIC, PRIVATE = ChannelName
SLOW_DROP = Pace(take_s=0.0, drop_s=1000.0, late_s=0.0)


def link(scene: Scene, name: str, *, is_up: bool, channel: ChannelName = PUBLIC) -> None:
    router = scene.routers["PB".index(name)]
    (scene.wire.dead_links.discard if is_up else scene.wire.dead_links.add)((router.index, channel))
    router.reports(**{f"{channel}_up": is_up})


def watched(active: str = "P", **settings: object) -> Scene:
    return Scene(monitors_links=True, **settings).settled(active)


@pytest.mark.parametrize("state", [State.SETTLING, State.PASSIVE])
def test_a_router_without_its_public_link_does_not_take_over(state: State) -> None:
    scene = watched() if state is State.PASSIVE else Scene(monitors_links=True)
    if state is State.SETTLING:
        scene.boot("B")
        scene.run(0.1)
    link(scene, "B", is_up=False)
    assert (scene.backup.state, scene.words("B")[-1]) == (State.LINK_FAULT, Said.STOPPED)
    assert [text for _, text in scene.backup.told].count("Local NIC link failure: Pulse disabled") == 1
    if state is State.PASSIVE:
        scene.primary.kill(loses_power=True)
    assert scene.run(scene.now + 60).owners == ""
    link(scene, "B", is_up=True)
    back = scene.now
    assert scene.run(back + D - 0.1).owners == "", "what it could not hear does not count"
    assert scene.run(back + D + 0.1).owners == "B"


def test_links_do_not_matter_where_they_are_not_watched() -> None:
    scene = Scene().settled()
    scene.backup.reports(public_up=False)
    scene.primary.reports(public_up=False, private_up=False)
    scene.run(scene.now + 30)
    assert scene.states == (State.ACTIVE, State.PASSIVE)
    assert all(beat.trailer is not None and beat.trailer.flags.public_up for beat in scene.heard("P"))


def test_a_dead_switch_does_not_disable_both() -> None:
    scene = watched()
    link(scene, "B", is_up=False)
    link(scene, "P", is_up=False)
    assert scene.run(scene.now + 60).owners == "P"
    assert scene.states == (State.ACTIVE, State.LINK_FAULT)


@pytest.mark.parametrize("original", ["P", "B"])
def test_a_dead_switch_does_not_disable_both_where_one_is_an_original(original: str) -> None:
    new = "B" if original == "P" else "P"
    scene = Scene(original, monitors_links=True, partner_is_original=True).settled(new)
    router = scene.backup if new == "B" else scene.primary
    scene.original.monitors_links = True
    scene.original.link(PUBLIC, is_up=False)
    scene.wire.dead_links |= {(0, PUBLIC), (1, PUBLIC)}
    scene.run(scene.now + K)
    assert scene.original.linkfail
    began = scene.now
    router.reports(public_up=False)
    scene.until(lambda: router.state is State.LINK_FAULT)
    assert scene.until(lambda: scene.owners == new) <= began + D + 3 * K, "an original that could would be active"
    assert router.told[-1][1] == "the partner cannot be active either: activating lvs"
    assert scene.run(scene.now + 300).owners == new
    assert router.takes == 2, "it is not tried again and again"
    scene.original.link(PUBLIC, is_up=True)
    scene.wire.dead_links.clear()
    router.reports(public_up=True)
    scene.run(scene.now + 60)
    router.reports(public_up=False)
    assert scene.until(lambda: scene.owners == original), "but once for each lost link"


def test_a_lost_link_without_a_partner_moves_nothing() -> None:
    scene = Scene(monitors_links=True)
    scene.boot("P")
    scene.run(7)
    link(scene, "P", is_up=False)
    assert scene.run(60).states[0] is State.ACTIVE


@pytest.mark.parametrize("phase_s", [0.0, 0.5, 1.0, 1.5])
def test_a_link_that_is_lost_for_a_moment_moves_nothing(phase_s: float) -> None:
    scene = watched()
    scene.run(scene.now + phase_s)
    link(scene, "P", is_up=False)
    scene.run(scene.now + K / 2 - 0.1)
    link(scene, "P", is_up=True)
    assert scene.run(scene.now + 30).owners == "P"
    assert scene.primary.orders() == ["Take"]


def test_the_partner_without_link_takes_over_if_nobody_else_can() -> None:
    scene = watched()
    link(scene, "P", is_up=False)
    scene.until(lambda: scene.owners == "B")
    scene.backup.reports(is_well=False)
    assert scene.run(scene.now + 0.1).owners == "P"
    assert scene.primary.told[-1][1] == "the partner cannot be active either: activating lvs"


def test_of_two_without_link_the_primary_takes_the_addresses() -> None:
    scene = Scene(monitors_links=True)
    for name in "BP":
        scene.boot(name)
        link(scene, name, is_up=False)
    assert scene.run(10).owners == "P"
    assert scene.states == (State.ACTIVE, State.LINK_FAULT)


def test_a_lost_private_link_moves_the_addresses_to_a_partner_that_has_it() -> None:
    scene = watched(failback=Failback.AUTO, failback_after_s=0.0)
    began = scene.now
    link(scene, "P", is_up=False, channel=PRIVATE)
    assert scene.until(lambda: scene.owners == "B") <= began + K
    assert "private link down here, up there: handing over" in [sentence for _, sentence in scene.primary.told]
    assert scene.run(scene.now + 60).states == (State.PASSIVE, State.ACTIVE), "it is not as good a place"
    link(scene, "P", is_up=True, channel=PRIVATE)
    assert scene.run(scene.now + 10).owners == "P"


def test_a_partner_hears_of_a_lost_link_at_once() -> None:
    scene = watched()
    began = scene.now
    scene.backup.reports(private_up=False)
    scene.backup.reports(private_up=False)
    beats = scene.heard("B", began)
    assert len(beats) == 1
    assert beats[0].trailer is not None
    assert not beats[0].trailer.flags.private_up


@pytest.mark.parametrize("state", [State.SETTLING, State.PASSIVE, State.LINK_FAULT])
def test_a_failed_balancer_keeps_a_router_from_taking_over(state: State) -> None:
    scene = Scene(monitors_links=True)
    if state is State.PASSIVE:
        scene.settled()
    else:
        scene.boot("B")
        scene.run(0.1)
    if state is State.LINK_FAULT:
        link(scene, "B", is_up=False)
    assert scene.backup.state is state
    before = len(scene.words("B"))
    scene.backup.reports(is_well=False, reason="lvs does not answer")
    assert scene.backup.state is State.INTERNAL_FAULT
    assert scene.words("B")[before:] == [Said.STOPPED]
    assert scene.backup.told[-1][1].startswith("balancer failed: lvs does not answer; next try in 2 s")
    scene.backup.reports(is_well=True)
    began = scene.now
    scene.run(began + K + 0.1)
    assert scene.backup.state is (State.LINK_FAULT if state is State.LINK_FAULT else State.PASSIVE) or scene.owners


def test_both_failed_is_not_the_end() -> None:
    scene = Scene().settled()
    scene.primary.reports(is_well=False)
    scene.backup.reports(is_well=False)
    assert scene.run(scene.now + 30).owners == ""
    scene.backup.reports(is_well=True)
    assert scene.run(scene.now + 0.1).owners == "B"
    scene.primary.reports(is_well=True)
    assert scene.run(scene.now + 30).states == (State.PASSIVE, State.ACTIVE)


@pytest.mark.parametrize("state", [State.YIELDING, State.HANDING_OVER])
def test_a_balancer_that_fails_on_the_way_down(state: State) -> None:
    scene = healed_slowly() if state is State.YIELDING else Scene().settled()
    router = scene.backup if state is State.YIELDING else scene.primary
    router.pace = SLOW_DROP
    if state is State.HANDING_OVER:
        router.command(Command.HAND_OVER)
    assert router.state is state
    began = scene.now
    router.reports(is_well=False, reason="gone")
    assert router.state is State.INTERNAL_FAULT
    assert router.failover is not None
    assert router.failover.node.faults == 1
    router.has_addresses = False
    router._do(router.failover.down(router.failover.node.order, True, scene.now))
    name = "B" if state is State.YIELDING else "P"
    assert scene.words(name, began)[-1] is Said.STOPPED
    assert router.orders()[-1] == "Clear"
    assert scene.run(scene.now + 1).owners == ("P" if name == "B" else "B")


def healed_slowly() -> Scene:
    """Return a pair whose backup is about to yield, its addresses not down yet."""
    scene = Scene().settled()
    for quality in scene.wire.qualities.values():
        quality.is_cut = True
    scene.until(lambda: scene.owners == "PB")
    scene.backup.pace = SLOW_DROP
    for quality in scene.wire.qualities.values():
        quality.is_cut = False
    scene.until(lambda: scene.backup.state is State.YIELDING)
    return scene


def test_a_balancer_that_fails_while_the_addresses_are_offered_makes_the_offer_final() -> None:
    scene = Scene().settled()
    for quality in scene.wire.qualities.values():
        quality.is_cut = True
    scene.primary.command(Command.HAND_OVER)
    scene.run(scene.now + 0.1)
    assert (scene.primary.state, scene.owners) == (State.HANDING_OVER, "")
    began = scene.now
    scene.primary.reports(is_well=False)
    assert scene.words("P", began) == [Said.STOPPED]
    assert scene.run(began + 30).primary.state is State.INTERNAL_FAULT


def test_a_yielding_router_says_running_until_its_addresses_are_down_then_it_is_passive() -> None:
    scene = healed_slowly()
    began = scene.now
    scene.run(began + 5)
    assert set(scene.words("B", began)) == {Said.RUNNING}
    assert scene.backup.failover is not None
    scene.backup.has_addresses = False
    scene.backup._do(scene.backup.failover.down(scene.backup.failover.node.order, True, scene.now))
    assert (scene.backup.state, scene.words("B")[-1]) == (State.PASSIVE, Said.STOPPED)
    assert scene.backup.orders()[-2:] == ["Drop", "Clear"]
    assert scene.backup.told[-1][1] == "yielded: the addresses are down"
    assert scene.run(scene.now + 1).primary.orders()[-1] == "Announce"


def test_an_active_primary_answers_every_running_and_announces_once() -> None:
    scene = healed_slowly()
    began = scene.now
    scene.run(began + 10)
    assert scene.primary.orders().count("Announce") == 1
    answers = [at for at, who, channel, _ in scene.wire.sent if who == 0 and at > began and channel is PUBLIC]
    assert len(answers) >= 8, "one for each of the backup's, besides its own rhythm"


def test_an_active_primary_answers_the_first_running_at_once_on_one_channel_too() -> None:
    scene = Scene("B").settled()
    began = scene.now
    scene.inject("P", bytes.fromhex("dadbadbd"))
    assert scene.words("P", began) == [Said.RUNNING]


def test_a_report_of_addresses_that_were_ordered_back_meanwhile_is_ignored() -> None:
    scene = Scene().settled()
    router = scene.primary
    router.pace = SLOW_DROP
    router.command(Command.HAND_OVER)
    assert router.failover is not None
    number = router.failover.node.order
    scene.backup.reports(is_well=False)
    assert router.orders()[-1] == "Take" or scene.run(scene.now + K).primary.orders()[-1] == "Take"
    router._do(router.failover.down(number, True, scene.now))
    assert router.failover.node.owns
    assert router.state is State.ACTIVE


def test_a_late_report_of_an_earlier_order_does_not_mean_that_the_last_one_is_done() -> None:
    scene = Scene().settled()
    router = scene.primary
    router.pace = SLOW_DROP
    router.command(Command.HAND_OVER)
    assert router.failover is not None
    number = router.failover.node.order
    scene.backup.reports(is_well=False)
    scene.run(scene.now + K)
    assert router.state is State.ACTIVE
    router.command(Command.STOP)
    began = scene.now
    router._do(router.failover.down(number, True, scene.now))
    assert router.failover.node.owns
    assert set(scene.run(began + K + 0.1).words("P", began)) == {Said.RUNNING}
    assert router.orders(began) == ["Drop"]


def test_a_router_that_stood_still_does_not_take_its_partner_for_dead() -> None:
    scene = Scene().settled()
    scene.backup.stall(20.0)
    scene.run(scene.now + 19.9)
    for quality in scene.wire.qualities.values():
        quality.is_cut = True
    scene.backup._backlog.clear()
    began = scene.now
    scene.run(began + 0.2)
    assert scene.backup.state is State.PASSIVE
    assert any(sentence.startswith("this router stood still for 18.") for _, sentence in scene.backup.told)
    assert D - K <= scene.until(lambda: "B" in scene.owners) - began <= D + 0.2


def test_an_original_that_may_have_had_the_addresses_while_it_was_not_heard_is_answered_with_announcements() -> None:
    scene = Scene("B").settled()
    for quality in scene.wire.qualities.values():
        quality.is_cut = True
    scene.until(lambda: scene.owners == "PB")
    scene.original.lvsd_dies()
    scene.run(scene.now + 0.1)
    began = scene.now
    for quality in scene.wire.qualities.values():
        quality.is_cut = False
    scene.run(began + 30)
    assert (scene.owners, scene.primary.orders(began)) == ("P", ["Announce"])
    assert scene.primary.told[-1][1] == "the partner took addresses down: resending arps"


def test_words_of_an_original_that_waited_while_it_stood_still_are_not_acted_on() -> None:
    scene = Scene("P").settled()
    scene.backup.stall(5.0)
    scene.routers[0].command(Command.STOP)
    scene.wire.send(0, PUBLIC, bytes.fromhex("bddabdad"))
    scene.boot("P", Command.RESUME)
    scene.run(scene.now + 5.5)
    assert scene.backup.orders() == []
    assert scene.run(scene.now + 30).owners == "P"


def test_words_of_a_new_partner_that_waited_are_not_acted_on_either() -> None:
    scene = Scene().settled()
    scene.backup.stall(5.0)
    scene.primary.command(Command.HAND_OVER)
    took_back = scene.until(lambda: scene.primary.state is State.SETTLING)
    assert took_back
    scene.run(scene.now + 30)
    assert (scene.owners, scene.states) == ("P", (State.ACTIVE, State.PASSIVE))
    assert scene.backup.takes == 0


def test_a_stall_while_it_settles_makes_it_listen_anew() -> None:
    scene = Scene()
    scene.boot("P")
    scene.run(1.0)
    scene.primary.stall(20.0)
    assert scene.run(21.0 + D - 0.1).owners == ""
    assert scene.run(21.0 + D + 0.1).owners == "P"


def test_two_primaries_by_mistake_are_neither_two_owners_nor_none() -> None:
    scene = Scene()
    for router in (scene.primary, scene.backup):
        router.settings = scene.primary.settings
    for name in "BP":
        scene.boot(name)
    scene.run(20)
    assert len(scene.owners) == 1
    assert sorted(str(state) for state in scene.states) == ["active", "passive"]


@pytest.mark.parametrize("command", [Command.STOP, Command.HAND_OVER])
def test_a_backup_that_stood_still_does_not_go_by_what_an_original_primary_said_before(command: Command) -> None:
    scene = Scene("P", partner_is_original=True).settled("B")
    scene.backup.stall(60.0)
    began = scene.until(lambda: scene.owners == "PB")
    scene.backup.pace = replace(scene.backup.pace, drop_s=0.08)
    scene.backup.stall_ends()
    scene.backup.command(command)
    down_at = scene.until(lambda: scene.owners == "P")
    assert Said.RUNNING not in scene.words("P", began), "so the backup did not hear that the primary is active"
    scene.run(down_at + 0.02)
    assert scene.words("B", began)[:3] == [Said.RUNNING, Said.RUNNING, Said.STOPPED]
    assert scene.original.announced_at >= down_at - 0.01, "after the backup's addresses were down"

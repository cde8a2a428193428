"""The numbered cases of engine.md 9 that are failover's, column "new" as design section 5 corrects it.

K = 2 s, D = 6 s. Here is failover's part of each. Checks (17), the table of IPVS (20 to 24), the sync daemon (55, 56),
the plan that is printed (58) and connections that survive (60a, 60b) also have a part of the engine's, which needs real
packets or the kernel; so have the bytes of ARP in 13 to 15 and 36. The other numbers up to 60e are not failover's.
"""

from dataclasses import replace

import pytest

from piranha.ha import machine
from piranha.ha.channels import ChannelName
from piranha.ha.datagram import HealthSummary, Rejected, Said
from piranha.ha.events import Command
from piranha.ha.machine import Drop, Take
from piranha.ha.settings import Failback, Settings
from piranha.ha.states import Role, State
from tests.ha.scenes import D, K, Scene

RUNNING, STOPPED, HELD = Said.RUNNING, Said.STOPPED, Said.HELD
PUBLIC, PRIVATE = ChannelName
SOON = 0.3


def sentences(router) -> list[str]:
    return [sentence.partition(" (")[0] for _, sentence in router.told]


def test_01_a_primary_without_partner_is_active_after_deadtime_and_never_said_stopped() -> None:
    scene = Scene(has_key=False)
    scene.boot("P")
    assert scene.run(5.99).owners == ""
    assert scene.run(6.01).owners == "P"
    assert scene.run(8.1).words("P") == [HELD, HELD, HELD, HELD, RUNNING, RUNNING]
    assert sentences(scene.primary)[-1] == "partner dead: activating lvs"
    assert scene.primary.orders() == ["Take"]


def test_01_towards_an_original_it_is_silent_while_it_is_undecided() -> None:
    scene = Scene("B", partner_is_original=True)
    scene.boot("P")
    assert scene.run(5.99).words("P") == []
    assert scene.run(8.1).words("P") == [RUNNING, RUNNING]
    assert {len(raw) for _, _, _, raw in scene.wire.sent} == {4}


def test_01_the_end_of_settling_is_said_at_once() -> None:
    alone = Scene()
    alone.primary.settings = replace(alone.primary.settings, deadtime_s=5.0)
    alone.boot("P")
    assert alone.run(5.01).words("P")[-2:] == [HELD, RUNNING], "not at 6 s, with the next regular one"
    scene = Scene("P", partner_is_original=True)
    scene.backup.settings = replace(scene.backup.settings, deadtime_s=5.0)
    scene.boot("B")
    scene.run(1.3)
    scene.boot("P")
    assert scene.run(4.99).words("B") == []
    scene.run(5.01)
    assert (scene.words("B"), scene.owners) == ([STOPPED], "P")


def test_02_a_lone_primary_is_active_at_once_and_sends_nothing() -> None:
    scene = Scene(is_alone=True)
    scene.boot("P")
    assert scene.run(0.01).owners == "P"
    assert scene.run(30).wire.sent == []
    assert scene.primary.orders() == ["Drop", "Take"]
    assert sentences(scene.primary)[-1] == "no partner is configured: activating lvs"


def test_03_a_backup_that_is_not_wanted_says_so_and_ends() -> None:
    scene = Scene(is_alone=True)
    scene.boot("B")
    assert scene.run(30).states == (None, State.IDLE)
    assert "We are backup node and backup is marked inactive -- exiting pulse" in sentences(scene.backup)
    assert scene.backup.orders() == ["Drop", "Drop", "Clear", "Finish"]
    assert scene.wire.sent == []


@pytest.mark.parametrize("originals", ["", "P"])
def test_04_a_backup_that_starts_beside_an_active_primary_stays_passive(originals: str) -> None:
    scene = Scene(originals)
    scene.boot("P")
    scene.run(7.0)
    scene.boot("B")
    scene.run(30)
    assert (scene.owners, scene.backup.orders()) == ("P", [])
    words = scene.words("B")
    assert words[:2] == [HELD, HELD], "undecided"
    assert set(words[2:]) == {STOPPED}


def test_04_the_active_primary_does_nothing_because_of_it() -> None:
    scene = Scene("B")
    scene.boot("P")
    scene.run(7.0)
    scene.boot("B")
    assert scene.run(30).primary.orders() == ["Take"]


def test_05_a_new_backup_that_starts_just_after_an_original_primary_leaves_it_the_addresses() -> None:
    for is_told in (True, False):
        scene = Scene("P", partner_is_original=is_told)
        scene.boot("P")
        scene.run(0.7)
        scene.boot("B")
        scene.run(5.99)
        assert STOPPED not in scene.words("B"), "undecided"
        scene.run(9.0)
        assert (scene.owners, scene.backup.state, scene.backup.takes) == ("P", State.PASSIVE, 0)


def test_05_a_new_primary_takes_the_addresses_when_an_original_backup_says_stopped() -> None:
    scene = Scene("B")
    scene.boot("P")
    scene.run(0.7)
    scene.boot("B")
    assert scene.run(2.69).owners == ""
    assert scene.run(2.75).owners == "P"
    assert sentences(scene.primary)[-1] == "backup inactive: activating lvs"


@pytest.mark.parametrize("first", ["P", "B"])
def test_05_of_two_new_ones_the_primary_is_active_as_soon_as_they_know_each_other(first: str) -> None:
    scene = Scene()
    scene.boot(first)
    scene.run(0.7)
    scene.boot("B" if first == "P" else "P")
    assert scene.run(0.8).owners == "P"
    assert scene.run(20).backup.takes == 0


def test_06_the_backup_takes_over_deadtime_after_the_last_heartbeat() -> None:
    for originals in ("", "P"):
        scene = Scene(originals).settled()
        last = max(at for at, who, _, _ in scene.wire.sent if who == 0)
        scene.run(last + 1.0)
        scene.routers[0].kill(loses_power=True)
        assert scene.run(last + D - 0.01).owners == ""
        assert scene.run(last + D + 0.01).owners == "B"
        assert sentences(scene.backup)[-1] == "partner dead: activating lvs"


@pytest.mark.parametrize("originals", ["", "B"])
def test_07_an_orderly_stop_is_said_after_the_addresses_are_down(originals: str) -> None:
    scene = Scene(originals).settled()
    stopped_at = scene.now
    scene.primary.command(Command.STOP)
    assert scene.run(stopped_at + SOON).owners == "B"
    assert scene.words("P", stopped_at)[:2] == [STOPPED, STOPPED]
    assert scene.primary.orders(stopped_at) == ["Drop", "Clear", "Finish"]
    if not originals:
        assert sentences(scene.backup)[-1] == "primary inactive: activating lvs"


def test_07_nothing_is_said_while_the_addresses_are_not_down() -> None:
    scene = Scene("B").settled()
    scene.primary.pace = scene.primary.pace.__class__(0.0, 1000.0, 0.0)
    stopped_at = scene.now
    scene.primary.command(Command.STOP)
    scene.run(stopped_at + 3.0)
    assert set(scene.words("P", stopped_at)) == {RUNNING}, "the truth, until they are down"
    assert scene.original.takes == 0


@pytest.mark.parametrize(("originals", "failback"), [("B", Failback.AUTO), ("", Failback.NEVER)])
def test_08_a_primary_that_returns_stays_passive(originals: str, failback: Failback) -> None:
    scene = Scene(originals, failback=failback, failback_after_s=1.0).settled("B")
    scene.routers[0].kill(loses_power=True)
    scene.run(scene.now + 1)
    scene.boot("P")
    scene.run(scene.now + 600)
    assert (scene.owners, scene.states) == ("B", (State.PASSIVE, State.ACTIVE))
    assert scene.primary.orders() == []


def test_08_between_new_ones_it_gets_the_addresses_back_if_that_is_wanted() -> None:
    scene = Scene(failback=Failback.AUTO, failback_after_s=10.0)
    scene.boot("B")
    scene.run(7.0)
    scene.boot("P")
    began = scene.until(lambda: scene.primary.state is State.PASSIVE)
    assert scene.run(began + 9.9).owners == "B"
    scene.run(began + 10.5)
    assert (scene.owners, scene.states) == ("P", (State.ACTIVE, State.PASSIVE))
    assert sentences(scene.backup)[-3:] == [
        "the primary is back and in sync: handing over",
        "the addresses are down: telling the partner",
        "handed over: the partner is active",
    ]


def test_09_a_forced_primary_says_running_at_once_and_an_original_backup_yields() -> None:
    scene = Scene("B")
    scene.boot("B")
    scene.run(7.1)
    scene.boot("P")
    scene.primary.command(Command.TAKE_OVER)
    assert scene.words("P")[-1] is RUNNING
    assert scene.run(7.1 + SOON).owners == "P"
    assert sentences(scene.primary)[1] == "Forced active on startup: activating lvs"


def test_09_a_new_backup_is_asked_instead_and_there_are_never_two() -> None:
    scene = Scene().settled("B")
    scene.primary.command(Command.TAKE_OVER)
    scene.agenda.after_each.append(lambda: pytest.fail("two owners") if scene.owners == "PB" else None)
    assert scene.run(scene.now + SOON).owners == "P"
    assert sentences(scene.backup)[-3] == "the partner's operator takes over: handing over"


def test_10_a_backup_does_not_force_an_original_primary() -> None:
    scene = Scene("P")
    scene.boot("P")
    scene.run(7.0)
    scene.boot("B")
    scene.run(8.0)
    scene.backup.command(Command.TAKE_OVER)
    assert scene.run(30).owners == "P"
    assert scene.backup.takes == 0
    assert "not taken over: an original primary yields to nobody; stop pulse on it" in sentences(scene.backup)


def test_10_a_backup_that_is_undecided_stays_so() -> None:
    scene = Scene("P", partner_is_original=True)
    scene.boot("B")
    scene.run(1.0)
    scene.backup.command(Command.TAKE_OVER)
    assert (scene.backup.state, scene.words("B")) == (State.SETTLING, [])
    assert sentences(scene.backup)[-1].startswith("not taken over: an original primary")
    assert scene.run(D - 0.01).owners == ""
    assert scene.run(D + 0.01).owners == "B", "as if nobody had asked"


@pytest.mark.parametrize("originals", ["", "P", "B"])
def test_11_one_channel_is_enough(originals: str) -> None:
    scene = Scene(originals).settled()
    cut(scene, PUBLIC)
    scene.run(scene.now + 9.0)
    assert scene.owners == "P"
    assert scene.routers[1].takes == 0


def cut(scene: Scene, *channels: ChannelName, is_cut: bool = True) -> None:
    for (_, channel), quality in scene.wire.qualities.items():
        if channel in channels:
            quality.is_cut = is_cut


@pytest.mark.parametrize("originals", ["", "P", "B"])
def test_12_without_any_channel_both_are_active(originals: str) -> None:
    scene = Scene(originals).settled()
    cut(scene, PUBLIC, PRIVATE)
    last = max(at for at, who, _, _ in scene.wire.sent if who == 0)
    assert scene.run(last + D - 0.3).owners == "P"
    assert scene.run(last + D + 0.3).owners == "PB"


def healed(originals: str) -> Scene:
    scene = Scene(originals).settled()
    cut(scene, PUBLIC, PRIVATE)
    scene.until(lambda: scene.owners == "PB")
    scene.run(scene.now + 0.5)
    cut(scene, PUBLIC, PRIVATE, is_cut=False)
    return scene


@pytest.mark.parametrize("originals", ["", "P", "B"])
def test_13_when_they_hear_each_other_again_the_backup_yields_within_keepalive(originals: str) -> None:
    scene = healed(originals)
    began = scene.now
    assert scene.until(lambda: scene.owners == "P") <= began + K + SOON
    scene.run(began + 30)
    assert (scene.owners, scene.states) == ("P", (State.ACTIVE, State.PASSIVE))


def test_13_a_new_backup_yields_before_it_says_running_once_more_and_then_stopped() -> None:
    scene = healed("P")
    began = scene.now
    at = scene.until(lambda: scene.backup.state is State.PASSIVE)
    dropped = [when for when, order in scene.backup.ordered if isinstance(order, Drop) and when > began]
    words = scene.words("B", began)
    last = len(words) - 1 - words[::-1].index(RUNNING)
    assert words[last : last + 2] == [RUNNING, STOPPED]
    assert set(words[last + 1 :]) == {STOPPED}
    assert dropped == [pytest.approx(at, abs=0.02)]
    assert scene.original.announces >= 1


def test_13_a_new_primary_says_running_at_once_and_announces_until_the_backup_has_yielded() -> None:
    scene = healed("B")
    began = scene.now
    scene.run(began + 30)
    assert scene.primary.orders(began) == ["Announce", "Announce"]
    assert sentences(scene.primary)[-2:] == [
        "partner active: resending arps",
        "partner no longer active: resending arps",
    ]


def test_14_the_primary_does_not_run_active_cmd_again() -> None:
    for originals in ("", "B"):
        scene = healed(originals)
        began = scene.now
        scene.run(began + 30)
        assert "Take" not in scene.primary.orders(began)
        assert scene.primary.orders(began) == ["Announce"] * (2 if originals else 1)


def test_15_nothing_is_announced_after_yielding() -> None:
    scene = healed("P")
    began = scene.now
    scene.run(began + 30)
    assert scene.backup.orders(began) == ["Drop", "Clear"]


@pytest.mark.parametrize("originals", ["", "B"])
def test_16_a_failed_balancer_takes_the_addresses_away_and_the_partner_takes_over(originals: str) -> None:
    scene = Scene(originals).settled()
    began = scene.now
    scene.primary.reports(is_well=False, reason="lvs was killed")
    assert scene.run(began + SOON).owners == "B"
    assert scene.primary.orders(began)[:2] == ["Drop", "Clear"]
    assert "balancer failed: lvs was killed; next try in 2 s at the earliest" in sentences(scene.primary)
    scene.primary.reports(is_well=True)
    scene.run(began + 60)
    assert (scene.owners, scene.states) == ("B", (State.PASSIVE, State.ACTIVE)), "the former owner is ready again"


def test_18_without_a_partner_it_tries_again_with_longer_and_longer_pauses() -> None:
    scene = Scene(retry_most_s=16.0)
    scene.boot("P")
    scene.run(7.0)
    pauses = []
    for _ in range(6):
        failed_at = scene.now
        scene.primary.reports(is_well=False)
        scene.primary.reports(is_well=True)
        assert scene.run(scene.now + 0.1).owners == ""
        pauses.append(round(scene.until(lambda: scene.owners == "P") - failed_at))
    assert pauses == [2, 4, 8, 16, 16, 16]


def test_18_a_long_good_time_makes_the_pause_short_again() -> None:
    scene = Scene(retry_most_s=16.0)
    scene.boot("P")
    scene.run(7.0)
    for pause_s in (2, 4, 2):
        began = scene.now
        scene.primary.reports(is_well=False)
        scene.primary.reports(is_well=True)
        assert scene.run(began + 0.1).owners == ""
        assert scene.until(lambda: scene.owners == "P") == pytest.approx(began + pause_s, abs=0.1)
        scene.run(scene.now + (40 if pause_s == 4 else 1))


def test_18_no_try_before_the_balancer_works() -> None:
    scene = Scene()
    scene.boot("P")
    scene.run(7.0)
    scene.primary.reports(is_well=False)
    assert scene.run(100).owners == ""
    scene.primary.reports(is_well=True)
    assert scene.run(100.1).owners == "P"


def test_19_other_settings_do_not_interrupt_the_heartbeats() -> None:
    scene = Scene().settled()
    began = scene.now
    failover = scene.backup.failover
    assert failover is not None
    for _ in range(10):
        scene.backup._do(failover.configure(scene.backup.settings, failover.addresses, scene.keys, scene.now))
        scene.run(scene.now + 1.0)
    assert len(scene.words("B", began)) == 5
    assert scene.states == (State.ACTIVE, State.PASSIVE)


def test_25_short_datagrams_are_no_sign_of_life() -> None:
    scene = Scene(has_key=False).settled()
    scene.primary.kill(loses_power=True)
    last = max(at for at, who, _, _ in scene.wire.sent if who == 0)
    for second in range(1, 6):
        scene.run(last + second)
        scene.inject("B", b"\xbd\xda\xbd")
    assert scene.backup.failover is not None
    assert scene.backup.failover.rejected[Rejected.TOO_SHORT] == 5
    assert scene.run(last + D + 0.01).owners == "B"


def test_26_a_longer_datagram_counts_by_its_first_four_bytes_where_there_is_no_key() -> None:
    for has_key in (False, True):
        scene = Scene(has_key=has_key)
        scene.boot("B")
        scene.run(4.0)
        scene.inject("B", bytes.fromhex("dadbadbd"))
        scene.run(6.1)
        scene.inject("B", bytes.fromhex("bddabdad") + bytes(16))
        assert scene.run(6.2).owners == "B"
        assert scene.backup.failover is not None
        assert scene.backup.failover.rejected[Rejected.BARE] == (2 if has_key else 0)
        because = "partner dead: activating lvs" if has_key else "primary inactive: activating lvs"
        assert because in sentences(scene.backup)


def test_27_an_original_of_the_other_byte_order_is_understood() -> None:
    scene = Scene(has_key=False)
    scene.boot("B")
    scene.run(4.0)
    scene.inject("B", bytes.fromhex("bdaddbda"))
    assert scene.backup.state is State.PASSIVE
    assert scene.run(9.9).owners == ""
    assert scene.run(10.1).owners == "B"


def test_28_strangers_are_ignored_and_counted() -> None:
    scene = Scene(has_key=False).settled()
    for source in ("10.9.0.77", "10.9.0.2"):
        scene.inject("B", bytes.fromhex("bddabdad"), source=source)
    assert scene.run(scene.now + 1).owners == "P"
    assert scene.backup.failover is not None
    assert scene.backup.failover.rejected[Rejected.SOURCE] == 1
    assert scene.backup.failover.rejected[Rejected.OWN] == 1


def test_29_held_only_says_that_the_partner_lives() -> None:
    scene = Scene(has_key=False).settled()
    scene.primary.kill(loses_power=True)
    for _ in range(14):
        scene.inject("B", bytes.fromhex("dadaafde"))
        scene.run(scene.now + 1.0)
    last = scene.now - 1.0
    assert scene.run(last + D - 0.01).owners == ""
    assert scene.run(last + D + 0.01).owners == "B"


@pytest.mark.parametrize(
    ("raw", "why"),
    [("dadaadde", Rejected.STOPME), ("bebaefbe", Rejected.OTHER_SERVICE), ("efbeadde", Rejected.OTHER_SERVICE)],
)
def test_30_and_31_orders_to_stop_and_other_services_are_ignored_and_counted(raw: str, why: Rejected) -> None:
    scene = Scene(has_key=False).settled()
    scene.inject("P", bytes.fromhex(raw))
    assert scene.run(scene.now + 1).owners == "P"
    assert scene.primary.failover is not None
    assert scene.primary.failover.rejected[why] == 1
    scene.primary.kill(loses_power=True)
    last = max(at for at, who, _, _ in scene.wire.sent if who == 0)
    scene.run(last + 5.0)
    scene.inject("B", bytes.fromhex(raw))
    assert scene.run(last + D + 0.01).owners == "B", "no timer began anew"


def link(scene: Scene, name: str, *, is_up: bool, channel: ChannelName = PUBLIC) -> None:
    router = scene.routers["PB".index(name)]
    (scene.wire.dead_links.discard if is_up else scene.wire.dead_links.add)((router.index, channel))
    if router.is_new:
        router.reports(**{f"{channel}_up": is_up})
    else:
        router.link(channel, is_up=is_up)


@pytest.mark.parametrize("originals", ["", "B"])
def test_32_a_private_cable_between_both_leaves_the_active_one_active(originals: str) -> None:
    scene = Scene(originals, monitors_links=True).settled()
    if originals:
        scene.original.monitors_links = True
    link(scene, "P", is_up=False, channel=PRIVATE)
    scene.run(scene.now + 0.05)
    link(scene, "B", is_up=False, channel=PRIVATE)
    began = scene.now
    scene.run(began + 60)
    assert (scene.owners, scene.primary.state) == ("P", State.ACTIVE)
    assert scene.primary.orders(began) == []


@pytest.mark.parametrize("originals", ["", "B"])
def test_33_a_lost_public_port_moves_the_addresses_and_nothing_moves_back(originals: str) -> None:
    scene = Scene(originals, monitors_links=True).settled()
    began = scene.now
    link(scene, "P", is_up=False)
    assert scene.until(lambda: scene.owners == "B") <= began + K
    assert scene.primary.state is State.LINK_FAULT
    assert "local link failure: deactivating LVS" in sentences(scene.primary)
    assert "Local NIC link failure: Pulse disabled" not in sentences(scene.primary), "one loss, one sentence"
    scene.run(began + 10)
    link(scene, "P", is_up=True)
    scene.run(scene.now + 60)
    assert (scene.owners, scene.states) == ("B", (State.PASSIVE, State.ACTIVE))


def test_34_a_clock_that_leaps_changes_nothing_because_there_is_none() -> None:
    scene = Scene("B").settled()
    scene.original.step_clock(30.0)
    began = scene.now
    assert scene.until(lambda: scene.owners == "PB") < began + 1, "the original takes over"
    assert scene.until(lambda: scene.owners == "P") < began + 1 + K, "and yields"
    assert scene.primary.takes == 1


def test_35_an_active_original_whose_clock_goes_back_is_silent_and_is_yielded_to_afterwards() -> None:
    scene = Scene("P").settled()
    scene.original.step_clock(-30.0)
    began = scene.now
    assert scene.until(lambda: "B" in scene.owners) < began + D + K
    assert scene.until(lambda: scene.owners == "P") < began + 30 + 2 * K


def test_36_a_killed_active_primary_goes_on_with_its_addresses_or_begins_anew() -> None:
    for command in (Command.RESUME, Command.START):
        scene = Scene()
        scene.boot("P")
        scene.run(7.0)
        scene.primary.kill(loses_power=False)
        scene.run(14.0)
        scene.boot("P", command)
        began = scene.now
        assert scene.run(began + 0.01).owners == ("P" if command is Command.RESUME else "")
        assert scene.run(began + D + 0.01).owners == "P"
        assert scene.primary.orders(began) == ["Take"]


def test_36_a_start_cleans_up_what_an_earlier_life_left_before_anything_else() -> None:
    scene = Scene()
    scene.boot("P")
    failover = scene.primary.failover
    assert failover is not None
    failover.command(Command.STOP, 0.0)
    failover.down(failover.node.order, False, 0.0)
    assert next(type(order).__name__ for order in failover.command(Command.START, 0.0)) == "Drop"
    cleared = failover.down(failover.node.order, True, 0.0)
    assert [type(order).__name__ for order in cleared] == ["Send", "Send", "Clear"]
    assert failover.state is State.SETTLING


def test_36_the_active_router_announces_anew_after_its_partner_took_down_what_it_had_left() -> None:
    scene = Scene().settled()
    scene.primary.kill(loses_power=False)
    scene.until(lambda: scene.backup.state is State.ACTIVE)
    assert scene.run(scene.now + 10).owners == "PB", "a killed process leaves its addresses"
    began = scene.now
    scene.boot("P")
    assert scene.run(began + 0.1).owners == "B"
    assert scene.backup.orders(began) == ["Announce"]
    assert sentences(scene.backup)[-1] == "the partner took addresses down: resending arps"
    assert scene.run(began + 60).backup.orders(began) == ["Announce"]


def test_37_stopping_just_after_an_activation_and_starting_at_once_works() -> None:
    scene = Scene()
    scene.boot("P")
    scene.run(8.0)
    scene.primary.command(Command.STOP)
    scene.primary.command(Command.START)
    assert scene.run(8.1).owners == ""
    assert scene.run(14.1).owners == "P"
    numbers = [order.order for _, order in scene.primary.ordered if isinstance(order, Take | Drop)]
    assert numbers == [2, 3, 5], "1 and 4 clean up"


def test_55_an_activation_is_one_take_which_makes_the_sync_daemon_master() -> None:
    scene = Scene()
    scene.boot("P")
    assert scene.run(30).primary.orders() == ["Take"]


def test_56_a_clean_stop_of_a_passive_router_ends_with_all_put_away() -> None:
    scene = Scene().settled()
    began = scene.now
    scene.backup.command(Command.STOP)
    scene.run(began + 1)
    assert scene.backup.orders(began) == ["Drop", "Clear", "Finish"]
    assert (scene.owners, scene.backup.state) == ("P", State.IDLE)


HEALTHS = [HealthSummary(2, 2, 1, 1), HealthSummary(1, 2, 1, 1), HealthSummary(0, 2, 0, 1), HealthSummary(2, 2, 1, 1)]


def test_17_a_server_that_is_not_checked_or_not_up_moves_no_addresses() -> None:
    scene = Scene().settled()
    began = scene.now
    for health in HEALTHS:
        scene.primary.reports(health=health)
        scene.run(scene.now + K)
        trailer = scene.heard("P")[-1].trailer
        assert trailer is not None
        assert trailer.health == health, "the partner hears of it"
    assert scene.run(began + 30).primary.orders(began) == []
    assert (scene.owners, scene.backup.takes) == ("P", 0)


@pytest.mark.parametrize("name", ["P", "B"])
@pytest.mark.parametrize("number", ["20", "21", "21a", "21b", "22", "23", "24"])
def test_20_to_24_a_changed_configuration_interrupts_nothing(number: str, name: str) -> None:
    scene = Scene().settled()
    router, began = (scene.primary if name == "P" else scene.backup), scene.now
    if number != "23":  # there the file has an error, and what runs stays
        router.reports(digest=number.encode().ljust(32))
    router.configure(router.settings, router.keys)
    scene.run(began + 10 * K)
    assert router.orders(began) == []
    assert (scene.owners, len(scene.words(name, began))) == ("P", 10)
    trailer = scene.heard(name)[-1].trailer
    assert trailer is not None
    assert trailer.digest == (bytes(32) if number == "23" else number.encode().ljust(32))


def test_58_what_is_not_started_orders_nothing() -> None:
    settings = Settings(Role.PRIMARY, keepalive_s=K, deadtime_s=D)
    node = machine.new_node(settings, 7, 0.0)
    for second in range(60):
        node, orders = machine.ticked(node, float(second))
        assert all(isinstance(order, machine.Say) and order.said is STOPPED for order in orders)
    assert not node.owns


PHASES = [0.0, 0.5, 1.0, 1.9]


@pytest.mark.parametrize("phase_s", PHASES)
@pytest.mark.parametrize("originals", ["", "P"])
def test_60a_after_a_loss_of_power_the_addresses_are_gone_for_deadtime_at_most(originals: str, phase_s: float) -> None:
    scene = Scene(originals).settled()
    scene.run(scene.now + phase_s)
    began = scene.now
    scene.routers[0].kill(loses_power=True)
    assert scene.until(lambda: scene.owners == "B") - began <= D + 0.02


@pytest.mark.parametrize("phase_s", PHASES)
@pytest.mark.parametrize("originals", ["", "B"])
def test_60b_after_an_orderly_stop_they_are_gone_for_less_than_a_second(originals: str, phase_s: float) -> None:
    scene = Scene(originals).settled()
    scene.run(scene.now + phase_s)
    began = scene.now
    scene.primary.command(Command.STOP)
    assert scene.until(lambda: scene.owners == "B") - began < 0.1
    assert scene.primary.orders(began) == ["Drop", "Clear", "Finish"], "down, said, and only then cleared"

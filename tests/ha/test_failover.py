"""Failover as a whole, raw bytes in and out: who is believed, what is counted, how two boots get to know each other."""

from ipaddress import IPv4Address

from piranha.ha.channels import ChannelName
from piranha.ha.datagram import NO_KEY, PartnerKind, Rejected, decode
from piranha.ha.events import Command
from piranha.ha.failover import Addresses, Failover, Send
from piranha.ha.settings import Settings
from piranha.ha.states import Role, State
from tests.ha.routers import ADDRESSES
from tests.ha.scenes import KEY, D, K, Scene

PUBLIC, PRIVATE = ChannelName
PARTNER = IPv4Address("10.9.0.1")


def test_a_flood_of_recordings_is_not_answered_with_a_flood() -> None:
    scene = Scene().settled()
    recorded = [raw for _, who, _, raw in scene.wire.sent if who == 0]
    scene.routers[1].kill(loses_power=True)
    scene.boot("B")
    failover = scene.backup.failover
    assert failover is not None
    began = len(scene.wire.sent)
    for _ in range(1000):
        for raw in recorded:
            scene.backup._do(failover.receive(raw, PARTNER, PUBLIC, scene.now))
    assert len(scene.wire.sent) - began <= 2
    assert scene.run(scene.now + 1).owners == "P"


def test_recordings_of_an_earlier_life_do_not_keep_a_router_passive() -> None:
    scene = Scene().settled()
    recorded = [raw for _, who, _, raw in scene.wire.sent if who == 0]
    scene.run(scene.now + 3)
    for router in scene.routers:
        router.kill(loses_power=True)
    scene.boot("B")
    began = scene.now
    for step in range(int(D) * 10):
        scene.run(began + step / 10)
        scene.inject("B", recorded[step % len(recorded)])
    assert scene.run(began + D + 0.1).owners == "B"
    assert scene.backup.failover is not None
    assert scene.backup.failover.rejected[Rejected.ECHO] == D * 10


def test_recordings_do_not_make_a_dead_partner_live() -> None:
    scene = Scene().settled()
    recorded = [raw for _, who, _, raw in scene.wire.sent if who == 0]
    last = max(at for at, who, _, _ in scene.wire.sent if who == 0)
    scene.primary.kill(loses_power=True)
    for step in range(1, int(D) * 4):
        scene.run(last + step / 4)
        scene.inject("B", recorded[-1 - step % 4])
    assert scene.run(last + D - 0.01).owners == ""
    assert scene.run(last + D + 0.01).owners == "B"


def test_two_new_boots_know_each_other_after_three_datagrams() -> None:
    scene = Scene()
    scene.boot("B")
    scene.run(1.0)
    scene.boot("P")
    scene.run(1.01)
    for router in (scene.primary, scene.backup):
        assert router.failover is not None
        assert router.failover.node.partner.kind is PartnerKind.NEW
    assert [at for at, _, channel, _ in scene.wire.sent if at >= 1.0 and channel is PUBLIC][:3] == [1.0] * 3


def test_a_wrong_key_is_a_dead_partner_and_is_counted() -> None:
    scene = Scene()
    scene.backup.keys = (b"another key",)
    scene.boot("P")
    scene.boot("B")
    scene.run(20)
    assert scene.owners == "PB", "which is why the pages show it in red"
    for router in (scene.primary, scene.backup):
        assert router.failover is not None
        assert router.failover.rejected[Rejected.SIGNATURE] > 10


def test_a_key_is_changed_without_a_gap() -> None:
    scene = Scene().settled()
    new = b"a new key, which is 32 bytes long"
    steps = [("B", (KEY, new)), ("P", (KEY, new)), ("B", (new, KEY)), ("P", (new, KEY)), ("B", (new,)), ("P", (new,))]
    for name, keys in steps:
        router = scene.routers["PB".index(name)]
        failover = router.failover
        assert failover is not None
        router._do(failover.configure(router.settings, failover.addresses, keys, scene.now))
        scene.run(scene.now + 7.3)
        assert scene.states == (State.ACTIVE, State.PASSIVE)
    assert scene.backup.takes == 0
    assert decode(scene.wire.sent[-1][3], (KEY,)) is Rejected.SIGNATURE


def test_a_first_key_is_given_to_two_that_run_without_a_gap() -> None:
    scene = Scene(has_key=False).settled()
    for keys in ((NO_KEY, KEY), (KEY, NO_KEY), (KEY,)):
        for name in "BP":
            router = scene.routers["PB".index(name)]
            assert router.failover is not None
            router._do(router.failover.configure(router.settings, router.failover.addresses, keys, scene.now))
            scene.run(scene.now + 7.3)
            assert scene.states == (State.ACTIVE, State.PASSIVE), (name, keys)
    assert scene.backup.takes == 0
    assert decode(scene.wire.sent[-1][3], ()).unread is Rejected.SIGNATURE  # type: ignore[union-attr]


def test_a_key_given_to_one_router_alone_makes_two_owners_which_end_when_the_other_has_it() -> None:
    scene = Scene().settled()
    new = (b"a new key, which is 32 bytes long",)
    assert scene.backup.failover is not None and scene.primary.failover is not None
    scene.backup._do(
        scene.backup.failover.configure(scene.backup.settings, scene.backup.failover.addresses, new, scene.now)
    )
    scene.run(scene.now + D + K)
    assert scene.owners == "PB", "each is silent for the other"
    scene.primary._do(
        scene.primary.failover.configure(scene.primary.settings, scene.primary.failover.addresses, new, scene.now)
    )
    assert scene.run(scene.now + K).owners == "P"


def test_without_a_key_new_routers_know_each_other_but_prove_nothing() -> None:
    scene = Scene(has_key=False).settled()
    partner = scene.backup.failover.node.partner  # type: ignore[union-attr]
    assert (partner.kind, partner.state) == (PartnerKind.NEW, State.ACTIVE)
    assert {beat.is_authentic for beat in scene.heard("P")} == {False}
    assert {beat.is_authentic for beat in Scene().settled().heard("P")} == {True}


def test_a_keyed_partner_of_a_router_without_key_looks_like_an_original_and_the_reason_is_counted() -> None:
    scene = Scene(has_key=False)
    scene.primary.keys = (KEY,)
    scene.boot("B")
    scene.run(1.0)
    scene.boot("P")
    scene.run(20.0)
    failover = scene.backup.failover
    assert failover is not None
    assert failover.node.partner.kind is PartnerKind.ORIGINAL
    assert failover.rejected[Rejected.SIGNATURE] > 5


def test_the_channels_tell_age_and_loss() -> None:
    scene = Scene().settled()
    for (_, channel), quality in scene.wire.qualities.items():
        quality.is_cut = channel is PRIVATE
    scene.run(scene.now + 10)
    channels = scene.backup.failover.channels  # type: ignore[union-attr]
    age_s = channels[PUBLIC].age_s(scene.now)
    assert age_s is not None and age_s <= K
    assert not channels[PRIVATE].works(scene.now, D)
    assert channels[PUBLIC].loss(scene.now, K) == 0.0


def test_everything_is_sent_on_both_channels_and_on_one_where_there_is_one() -> None:
    scene = Scene().settled()
    assert [channel for _, _, channel, _ in scene.wire.sent].count(PRIVATE) * 2 == len(scene.wire.sent)
    single = Scene(has_private=False).settled()
    assert {channel for _, _, channel, _ in single.wire.sent} == {PUBLIC}


def test_the_trailer_tells_what_the_router_knows_of_itself() -> None:
    scene = Scene()
    scene.boot("P")
    scene.primary.reports(digest=b"d" * 32, is_ready=True)
    trailer = scene.run(7).heard("P")[-1].trailer
    assert trailer is not None
    assert (trailer.state, trailer.role, trailer.digest) == (State.ACTIVE, Role.PRIMARY, b"d" * 32)
    assert (trailer.keepalive_s, trailer.deadtime_s, trailer.flags.is_ready) == (K, D, True)


def test_a_big_endian_sender_is_possible() -> None:
    own = frozenset(ADDRESSES[0])
    failover = Failover(Settings(Role.PRIMARY), Addresses(frozenset(ADDRESSES[1]), own), 7, 0.0)
    failover.is_big_endian = True
    sent = [out for out in failover.command(Command.START, 0.0) if isinstance(out, Send)]
    assert sent[0].raw[:4] == bytes.fromhex("deafdada")


def test_a_look_is_due_at_every_moment_at_which_something_happens() -> None:
    scene = Scene()
    scene.boot("P")
    failover = scene.primary.failover
    assert failover is not None
    looks = [failover.next_at]
    while looks[-1] < 7:
        scene.run(looks[-1])
        looks.append(failover.next_at)
    assert looks == [2.0, 4.0, 6.0, 8.0]


def test_a_word_that_comes_late_on_the_slower_channel_is_not_taken_for_news() -> None:
    scene = Scene().settled()
    scene.wire.qualities[0, PRIVATE].is_cut = True
    began = scene.now
    scene.run(began + 2 * K)
    late = [raw for at, who, channel, raw in scene.wire.sent if at > began and who == 0 and channel is PRIVATE]
    scene.primary.command(Command.STOP)
    scene.run(scene.now + 0.1)
    assert scene.backup.state is State.ACTIVE
    for raw in late:
        scene.inject("B", raw)
    assert scene.backup.state is State.ACTIVE, "RUNNING was said before STOPPED"
    assert scene.run(scene.now + 30).owners == "B"

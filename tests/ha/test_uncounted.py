"""What does not count: the original's words for it, once in a while, whoever sends whatever how often."""

import pickle
from ipaddress import IPv4Address, ip_address

import pytest

from piranha.ha.channels import ChannelName
from piranha.ha.datagram import LENGTH, LONGEST, Heartbeat, Rejected, Said, encode
from piranha.ha.events import Command
from piranha.ha.failover import Addresses, Failover
from piranha.ha.machine import Tell
from piranha.ha.settings import Settings
from piranha.ha.states import Role
from piranha.ha.uncounted import SAID_EVERY_S, SOURCES_MOST, Uncounted
from tests.ha.routers import ADDRESSES
from tests.ha.scenes import KEY, Scene

PARTNER, OWN, STRANGER = ADDRESSES[1][0], ADDRESSES[0][0], IPv4Address("203.0.113.9")
INCOMPATIBLE = "Incompatible heartbeat received -- other system not using identical services"
BARE = encode(Heartbeat(Said.RUNNING))


def a_failover(*keys: bytes) -> Failover:
    """Return the primary's."""
    partner, own = frozenset(ADDRESSES[1]), frozenset(ADDRESSES[0])
    return Failover(Settings(Role.PRIMARY), Addresses(partner, own), 7, 0.0, keys)


def lines(failover: Failover, raw: bytes, source: IPv4Address = PARTNER, now: float = 0.0) -> list[str]:
    """Return what is said when a datagram comes."""
    outcome = failover.receive(raw, source, ChannelName.PUBLIC, now)
    return [order.sentence for order in outcome if isinstance(order, Tell)]


@pytest.mark.parametrize(
    ("raw", "source", "sentence"),
    [
        (b"\xbd\xda\xbd", PARTNER, "bad heartbeat packet from IP 10.9.0.2: shorter than 4 bytes"),
        (bytes(LONGEST + 1), PARTNER, "bad heartbeat packet from IP 10.9.0.2: longer than an Ethernet frame"),
        (b"what", PARTNER, f"{INCOMPATIBLE}: from IP 10.9.0.2, begins with no known word"),
        (bytes.fromhex("beeabaef"), PARTNER, f"{INCOMPATIBLE}: from IP 10.9.0.2, begins with no known word"),
        (bytes.fromhex("bebaefbe"), PARTNER, f"{INCOMPATIBLE}: from IP 10.9.0.2, of failover services, not of lvs"),
        (
            bytes.fromhex("dadaadde"),
            PARTNER,
            "heartbeat from IP 10.9.0.2: an order to stop, which nobody may give this way",
        ),
        (BARE, PARTNER, "heartbeat from IP 10.9.0.2: without a trailer, though a key is set"),
        (BARE, STRANGER, "Unexpected heartbeat from IP 203.0.113.9"),
        (b"x", STRANGER, "Unexpected heartbeat from IP 203.0.113.9"),
        (BARE, OWN, "heartbeat from IP 10.9.0.1: sent by this router itself"),
    ],
)
def test_what_does_not_count_is_said_in_the_originals_words(raw: bytes, source: IPv4Address, sentence: str) -> None:
    assert lines(a_failover(KEY), raw, source) == [sentence]


def test_a_trailer_that_cannot_be_read_is_said_whether_its_word_counts_or_not() -> None:
    raw = BARE + b"PIHA\x01" + bytes(LENGTH - 9)
    for keys in ((), (KEY,)):
        failover = a_failover(*keys)
        failover.command(Command.START, 0.0)
        assert lines(failover, raw)[0] == "heartbeat from IP 10.9.0.2: signed with another key, or changed on its way"
        assert (failover.node.partner.heard_at is None) is bool(keys)


def test_these_lines_are_for_the_log_alone() -> None:
    (tell,) = a_failover().receive(b"x", PARTNER, ChannelName.PUBLIC, 0.0)
    assert isinstance(tell, Tell) and not tell.is_shown


def test_a_flood_is_one_line_a_minute_with_the_count_in_between() -> None:
    failover = a_failover()
    said = [(second, line) for second in range(150) for line in lines(failover, b"x", now=1000.0 + second)]
    first = "bad heartbeat packet from IP 10.9.0.2: shorter than 4 bytes"
    assert said == [(0, first), *((at, f"{first} (59 more since this was said last)") for at in (60, 120))]
    assert failover.rejected[Rejected.TOO_SHORT] == 150, "each is counted all the same"


def test_what_comes_once_in_a_while_is_said_each_time_without_a_count() -> None:
    failover = a_failover()
    said = [lines(failover, b"x", now=at) for at in (0.0, SAID_EVERY_S, 2 * SAID_EVERY_S)]
    assert said[0] == said[1] == said[2] == ["bad heartbeat packet from IP 10.9.0.2: shorter than 4 bytes"]


def test_each_source_and_each_reason_has_its_own_line() -> None:
    failover = a_failover()
    said = [lines(failover, raw, source) for raw in (b"x", b"what") for source in ADDRESSES[1]]
    assert [len(each) for each in said] == [1, 1, 1, 1]
    assert len({each[0] for each in said}) == 4


def test_what_comes_after_each_start_is_counted_and_not_said() -> None:
    scene = Scene().settled()
    recorded = [raw for _, who, _, raw in scene.wire.sent if who == 0]
    failover = scene.backup.failover
    assert failover is not None
    for raw in recorded:
        scene.inject("B", raw)
    counts = failover.rejected
    assert counts[Rejected.OLD] > 5 and counts[Rejected.ECHO] > 5
    assert counts[Rejected.OLD] + counts[Rejected.ECHO] >= len(recorded)
    assert not [text for _, text in scene.backup.told if "heartbeat" in text]


def test_many_sources_share_a_line_so_that_neither_the_log_nor_memory_grows() -> None:
    uncounted = Uncounted()
    sizes, said = [], []
    for number in range(20_000):
        source = ip_address(0xCB000000 + number)
        said += [each.sentence for each in uncounted.note(Rejected.SOURCE, source, number / 1000)]
        sizes.append(len(pickle.dumps(vars(uncounted))))
    names = [f"Unexpected heartbeat from IP {ip_address(0xCB000000 + number)}" for number in range(SOURCES_MOST + 1)]
    assert said == [*names[:-1], f"{names[-1]}, one of many"]
    assert max(sizes) <= sizes[100] + 100, "bytes"
    (later,) = uncounted.note(Rejected.TOO_SHORT, PARTNER, 20.0)
    assert later.sentence.startswith("bad heartbeat packet"), "another reason is not kept from being said"


def test_a_new_source_takes_the_place_of_one_that_is_long_silent() -> None:
    uncounted = Uncounted()
    for number in range(SOURCES_MOST):
        uncounted.note(Rejected.SOURCE, ip_address(0xCB000000 + number), float(number))
    assert uncounted.note(Rejected.SOURCE, STRANGER, SAID_EVERY_S - 0.1)[0].sentence.endswith("one of many")
    (told,) = uncounted.note(Rejected.SOURCE, STRANGER, SAID_EVERY_S)
    assert told.sentence == "Unexpected heartbeat from IP 203.0.113.9"
    assert uncounted.note(Rejected.SOURCE, ip_address(0xCB000001), SAID_EVERY_S) == (), "the others stay"


def test_the_shared_line_tells_how_many_it_stands_for() -> None:
    uncounted = Uncounted()
    told = [
        each.sentence
        for second in range(0, 130)
        for number in range(100)
        for each in uncounted.note(Rejected.SOURCE, ip_address(0xCB000000 + second * 100 + number), float(second))
    ]
    shared = [each for each in told if "one of many" in each]
    assert shared[0].endswith(", one of many")
    assert shared[1].endswith(" more since this was said last)")
    assert len(told) <= 3 * (SOURCES_MOST + 1)


def test_a_source_that_has_its_line_keeps_it_however_many_others_come() -> None:
    uncounted = Uncounted()
    first, *others = (ip_address(0xCB000000 + number) for number in range(SOURCES_MOST))
    for source in (first, *others):
        uncounted.note(Rejected.SOURCE, source, 0.0)
    assert uncounted.note(Rejected.SOURCE, first, 30.0) == ()
    (told,) = uncounted.note(Rejected.SOURCE, first, SAID_EVERY_S)
    assert told.sentence == f"Unexpected heartbeat from IP {first} (1 more since this was said last)"

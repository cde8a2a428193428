"""What load is read from an answer, and what weight it gives."""

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from piranha.health.load import (
    LEAST,
    LOAD_MAX,
    MOST,
    OUTPUT_MAX,
    SCALE,
    WEIGHT_MAX,
    Formula,
    HostNames,
    Unread,
    by_load,
    load_in,
    loads_of_hosts,
    usual,
)

# Captured from Debian 12's programs: rup 4.0.1 with its rpc.rstatd, ruptime 0.17, uptime of procps 4.0. The others are
# written down as their manual pages show them.
ANSWERS = [
    ("localhost             23:26 up           32 mins,    0 user, load 3.34 4.25 3.42\n", 3.34),
    ("web1          up    3+01:24,     0 users,  load  0.42,  0.18,  0.12\n", 0.42),
    (" 23:26:11 up 32 min,  0 users,  load average: 3.34, 4.25, 3.42\n", 3.34),
    # uptime: procps, procps of old, busybox, the BSDs, macOS, AIX, Solaris
    (" 10:24:01 up 3 days,  1:23,  2 users,  load average: 0.42, 0.18, 0.12\n", 0.42),
    ("  4:02pm  up 11 days,  8:50,  1 user,  load average: 1.00, 0.50, 0.25\n", 1.0),
    (" 10:24:01 up 0 min,  0 users,  load average: 12.04, 3.10, 1.05\n", 12.04),
    ("10:24AM  up 3 days,  1:23, 2 users, load averages: 0.10, 0.20, 0.15\n", 0.1),
    ("10:24  up 3 days,  1:23, 2 users, load averages: 1.53 1.41 1.33\n", 1.53),
    ("  10:24AM   up 3 days,   1:23,  2 users,  load average: 0.05, 0.04, 0.03\n", 0.05),
    (" 10:24am  up 3 day(s),  1:23,  2 users,  load average: 0.07, 0.06, 0.05\n", 0.07),
    # decimal commas: of a locale, with and without blanks between the numbers
    (" 10:24:01 up 3 days,  1:23,  2 users,  load average: 0,42, 0,18, 0,12\n", 0.42),
    (" 10:24:01 an 3 Tage, 1:23, 2 Benutzer, Durchschnittslast: 0,42, 0,18, 0,12\n", 0.42),
    (" 10:24:01 up 3 jours, 1:23, 2 utilisateurs, charge syst\u00e8me : 0.42, 0.18, 0.12\n", 0.42),
    ("load average: 0,42,0,18,0,12", 0.42),
    ("load average: 0.42,0.18,0.12", 0.42),
    # rup: Linux netkit, Solaris, the BSDs; the original's own example of a colon
    ("web1    up  11 days,  8:50,    load average: 0.00 0.25 0.50\n", 0.0),
    ("    10.0.0.1    up  3 days, 22:17,    load average: 0.03, 0.05, 0.08\n", 0.03),
    ("web1             3:14pm  up 1 day,   2:03, load average: 2.12 0.05 0.01\n", 2.12),
    # ruptime with one host
    ("web1          up   3+01:23,     2 users,  load 0.50, 0.33, 0.05\n", 0.5),
    # a program of one's own
    ("3\n", 3.0),
    ("0.5", 0.5),
    ("0,5\r\n", 0.5),
    ("load=7", 7.0),
    ("LOAD: 2.50\n", 2.5),
    ("load average: 1, 2, 3\n", 1.0),
    ("load average: 1,2,3\n", 1.0),
    ("0.20 0.18 0.12 1/80 11206\n", 0.2),
    # a message of the day before it, blanks and blank lines behind it
    ("Welcome! The work load: 99 tickets.\n 10:24:01 up 1 min, 1 user, load average: 0.42, 0.18, 0.12 \n\n", 0.42),
    ("\0\0 load average: 0.42, 0.18, 0.12", 0.42),
]


@pytest.mark.parametrize(("answer", "load"), ANSWERS)
def test_the_load_is_read_from_every_format(answer: str, load: float) -> None:
    assert load_in(answer.encode()) == load


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\n \n",
        "rup: 10.0.0.1: RPC: Program not registered",
        "web1          down  12:05",
        " 10:24:01 up 3 days,  1:23,  2 users,",
        " 10:24:01 up 3 days,  1:23,  2 users,  load average:",
        "load average: -1.00, 0.00, 0.00",
        "load average: nan, 0.00, 0.00",
        "load average: 50%",
        "load average: 1x",
        "load average: 0x10",
        "load average: 1.2.3.4",
        "load average: 10000000000",
        "load average: 99999999",
        "-3",
        "inf",
        "1e3",
        "10.0.0.1 is well",
        "12:30",
        "Permission denied (publickey).",
        "\ud7ff\U0001f600".encode().decode("latin-1"),
    ],
)
def test_what_holds_no_load_is_unknown_and_says_why(answer: str) -> None:
    found = load_in(answer.encode())
    assert isinstance(found, Unread), found
    assert found.reason.startswith(("it answered nothing", "there is no load in its answer ")), found


@pytest.mark.parametrize("length", range(5, 72))
def test_an_answer_that_was_cut_never_gives_another_load_than_a_shorter_one_of_its_digits(length: int) -> None:
    whole = b" 10:24:01 up 3 days,  1:23,  2 users,  load average: 12.42, 0.18, 0.12\n"
    found = load_in(whole[:length])
    assert isinstance(found, Unread) or found in (1.0, 12.0, 12.4, 12.42)


@settings(deadline=None)
@given(st.binary(max_size=3000))
def test_garbage_is_unknown_or_a_load_within_bounds_and_never_raises(garbage: bytes) -> None:
    for found in (
        load_in(garbage),
        load_in(b"load average: " + garbage),
        *loads_of_hosts(b"h up, " + garbage).values(),
    ):
        assert isinstance(found, Unread) or 0 <= found <= LOAD_MAX


@settings(deadline=None)
@given(st.floats(0, 9999), st.sampled_from([".", ","]), st.sampled_from([", ", " ", ",  "]))
def test_what_uptime_prints_is_read_back(load: float, point: str, between: str) -> None:
    three = [f"{each:.2f}".replace(".", point) for each in (load, load / 2, 1.0)]
    for words in ("load average: ", "load averages: ", "load ", "charge : "):
        assert load_in(f" 1:02:03 up 4:05, 6 users, {words}{between.join(three)}\n".encode()) == round(load, 2) or (
            # A blank between numbers with a comma in them is no format of any program.
            (point, between) == (",", " ")
        )


@pytest.mark.parametrize(
    "filling", [b" ", b"1", b"1.1 ", b"load ", b"load average:", b"load average: 1,", b"\n", b",", b"h up load 1, "]
)
def test_a_huge_answer_costs_no_more_than_a_short_while(filling: bytes) -> None:
    # Its cost is within the time limit of the test even if it is read many times: no expression here goes back and
    # forth over it.
    huge = filling * (4 * 1024 * 1024 // len(filling))
    for _ in range(20):
        load_in(huge)
    loads_of_hosts(huge)


def test_of_a_huge_answer_the_end_counts() -> None:
    assert load_in(b"x" * 10_000_000 + b"\n load average: 0.42, 0.18, 0.12\n") == 0.42


RUPTIME = b"""\
db1.example.com  up  12+03:04,     0 users,  load 3.00, 2.00, 1.00
web1          up   3+01:23,     2 users,  load 0.42, 0.18, 0.12
Web2          up      0:05,     1 user,   load 0,70, 0,18, 0,12
web3          down    0:12
web4          up   3+01:23,     2 users
nonsense
      up 3
web5          up   3+01:23,     2 users,  load x, y, z
www.a.example up  1:00, 1 user, load 1.00, 1.00, 1.00
www.b.example up  1:00, 1 user, load 2.00, 1.00, 1.00
"""


def test_one_ruptime_gives_the_load_of_every_host() -> None:
    found = loads_of_hosts(RUPTIME)
    assert {name: load for name, load in found.items() if not isinstance(load, Unread)} == {
        "db1.example.com": 3.0,
        "web1": 0.42,
        "web2": 0.7,
        "www.a.example": 1.0,
        "www.b.example": 2.0,
    }
    assert {name: load.reason for name, load in found.items() if isinstance(load, Unread) and name != "web5"} == {
        "web3": "ruptime says that it is down",
        "web4": "the line of ruptime has no load",
    }
    assert isinstance(found["web5"], Unread)


CAPTURED = b"""\
aaaaaaaaaaaa  up  100+00:00,     0 users,  load  0.00,  0.00,  0.00
db1.example.  up       0:09,     0 users,  load 12.04,  3.10,  1.05
web1          up    3+01:24,     0 users,  load  0.42,  0.18,  0.12
web2        down       1:07
"""


def test_what_ruptime_0_17_prints_is_read() -> None:
    assert loads_of_hosts(CAPTURED) == {
        "aaaaaaaaaaaa": 0.0,
        "db1.example.": 12.04,
        "web1": 0.42,
        "web2": Unread("ruptime says that it is down"),
    }
    assert loads_of_hosts(b"ruptime: no hosts in /var/spool/rwho.\n") == {}


def test_two_hosts_that_ruptime_cuts_to_one_name_have_no_load() -> None:
    twice = (
        b"web-server-0  up  1:00, 0 users, load 1.00, 1.00, 1.00\nweb-server-0  up  1:00, 0 users, load 2.00, 1, 1\n"
    )
    assert loads_of_hosts(twice) == {"web-server-0": Unread("ruptime lists several hosts as web-server-0")}


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (["web1"], "web1"),
        (["WEB1."], "web1"),
        (["web1.example.com"], "web1"),
        (["db1"], "db1.example.com"),
        (["db1.example.com"], "db1.example.com"),
        (["db1.elsewhere.org"], None),
        (["www"], None),
        (["www.b.example"], "www.b.example"),
        (["10.0.0.1", "web2"], "web2"),
        (["web", "10", ""], None),
        ([], None),
    ],
)
def test_a_host_is_found_by_its_name_in_full_or_without_its_domain(names: list[str], host: str | None) -> None:
    hosts = ("db1.example.com", "web1", "web2", "www.a.example", "www.b.example")
    assert HostNames(hosts).find(names) == host


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (["db1.example.com"], "db1.example."),
        (["db1"], "db1.example."),
        (["db1.elsewhere.org"], None),
        (["a" * 32], "a" * 12),
        ([f"{'a' * 32}.example.com"], "a" * 12),
        (["b" * 32], None),
    ],
)
def test_a_host_is_found_by_a_name_that_ruptime_has_cut(names: list[str], host: str | None) -> None:
    assert HostNames(loads_of_hosts(CAPTURED)).find(names) == host


def test_a_ruptime_that_is_cut_gives_no_load_of_the_line_that_was_cut() -> None:
    line = b"web%06d    up   3+01:23,     2 users,  load 1.25, 0.18, 0.12\n"
    output = b"".join(line % number for number in range(OUTPUT_MAX // 50))
    assert len(output) > OUTPUT_MAX
    found = loads_of_hosts(output)
    assert set(found.values()) == {1.25}
    assert len(found) == OUTPUT_MAX // len(line % 0)


def test_a_number_that_is_cut_is_no_load() -> None:
    head, tail = b"web1  up  1:00, 2 users, load 1", b"2.25, 0.18, 0.12\n"
    before = b"\n" * (OUTPUT_MAX - len(head))
    assert loads_of_hosts(before + head + tail) == {}
    assert loads_of_hosts(before[: -len(tail)] + head + tail) == {"web1": 12.25}


# Weights


def weighed(formula: Formula, configured: int, present: int, load: float | None, pool: list[float]) -> int:
    """Return the weight of a server whose pool has these loads."""
    return by_load(formula, configured, present, load, usual(pool))


weights = st.integers(1, WEIGHT_MAX)
loads = st.floats(0, LOAD_MAX)
pools = st.lists(loads, min_size=1, max_size=9)
formulas = st.sampled_from(Formula)


def bounds(formula: Formula, configured: int) -> tuple[int, int]:
    """Return the least and the greatest weight that a load can give."""
    if formula is Formula.ORIGINAL:
        return configured, min(SCALE * configured, WEIGHT_MAX)
    return max(1, math.floor(configured * LEAST)), min(WEIGHT_MAX, math.ceil(configured * MOST))


def test_scenario_59_the_original_goes_8_12_16_20_and_with_load_13_8() -> None:
    found = [8]
    for load in (0.0, 0.0, 0.0, 5.0, 5.0):
        found.append(weighed(Formula.ORIGINAL, 8, found[-1], load, [load]))
    assert found == [8, 12, 16, 20, 13, 8]


@pytest.mark.parametrize(
    ("configured", "present", "load", "weight"),
    [
        (8, 8, 0.97, 8),  # it would be 9, which is no quarter of 8
        (8, 8, 0.8, 10),
        (8, 20, 1.0, 20),
        (65535, 65535, 0.0, 65535),
        (8, 78, 0.0, 80),
    ],
)
def test_the_original_from_one_weight_to_the_next(configured: int, present: int, load: float, weight: int) -> None:
    assert by_load(Formula.ORIGINAL, configured, present, load, load) == weight


@pytest.mark.parametrize("formula", Formula)
def test_weight_0_in_lvs_cf_is_0_whatever_was_before(formula: Formula) -> None:
    assert by_load(formula, 0, 5, 0.0, 9.0) == 0


@pytest.mark.parametrize(("load", "ends"), [(0.0, 80), (1.0, 8), (50.0, 8)])
def test_the_original_creeps_to_ten_times_and_returns_to_the_configured_weight(load: float, ends: int) -> None:
    weight = 8
    for _ in range(40):
        weight = weighed(Formula.ORIGINAL, 8, weight, load, [load])
    assert weight == ends


@settings(deadline=None)
@given(loads, pools)
def test_the_original_leaves_weight_1_alone(load: float, pool: list[float]) -> None:
    assert weighed(Formula.ORIGINAL, 1, 1, load, pool) == 1


@pytest.mark.parametrize(
    ("configured", "load", "pool", "weight"),
    [
        (8, 0.0, [0.0, 0.0, 0.0], 8),  # idle as all
        (8, 40.0, [40.0, 40.0, 41.0], 8),  # busy as all
        (8, 3.0, [0.0, 0.0, 3.0], 2),
        (8, 1.0, [0.0, 0.0, 1.0], 4),
        (8, 1.0, [3.0, 3.0, 1.0], 16),
        (8, 0.0, [100.0, 100.0, 0.0], 16),  # never more than twice
        (8, 900.0, [0.0, 0.0, 900.0], 2),  # never less than a quarter
        (1, 0.0, [1.0, 1.0, 0.0], 2),  # weight 1 is changed too
        (100, 900.0, [0.0, 0.0, 900.0], 25),
        (8, 1.0, [1.5, 1.5, 1.0], 10),  # a quarter is enough to change it
        (8, 1.0, [1.4, 1.4, 1.0], 8),  # a little less is not
        (1, 1 / 3, [1.0, 1.0, 1 / 3], 1),  # half of 1 neither
        (1, 900.0, [0.0, 0.0, 900.0], 1),  # and never 0
        (0, 0.0, [1.0, 1.0, 0.0], 0),  # weight 0 in lvs.cf is a drain
        (8, 7.0, [7.0], 8),  # alone it is as loaded as its pool
        (65535, 0.0, [9.0, 9.0, 0.0], 65535),
    ],
)
def test_the_bounded_weight_follows_how_loaded_a_server_is_beside_its_pool(
    configured: int, load: float, pool: list[float], weight: int
) -> None:
    assert weighed(Formula.BOUNDED, configured, configured, load, pool) == weight


@settings(deadline=None)
@given(formulas, weights, weights, pools)
def test_an_unknown_load_is_the_configured_weight(
    formula: Formula, configured: int, present: int, pool: list[float]
) -> None:
    assert weighed(formula, configured, present, None, pool) == configured


@settings(deadline=None)
@given(formulas, weights, st.lists(st.tuples(loads, pools), max_size=30))
def test_whatever_is_heard_a_weight_stays_within_its_bounds_and_is_never_0(
    formula: Formula, configured: int, heard: list[tuple[float, list[float]]]
) -> None:
    weight = configured
    least, most = bounds(formula, configured)
    for load, pool in heard:
        weight = weighed(formula, configured, weight, load, pool)
        assert 1 <= least <= weight <= most


@settings(deadline=None)
@given(formulas, weights, st.lists(st.tuples(loads, pools), max_size=9), loads, loads, pools)
def test_of_two_loads_the_higher_one_never_gives_the_higher_weight(
    formula: Formula,
    configured: int,
    before: list[tuple[float, list[float]]],
    one: float,
    other: float,
    pool: list[float],
) -> None:
    present = configured
    for load, loads_then in before:
        present = weighed(formula, configured, present, load, loads_then)
    less, more = sorted((one, other))
    assert weighed(formula, configured, present, less, pool) >= weighed(formula, configured, present, more, pool)


@settings(deadline=None)
@given(weights, st.lists(st.tuples(loads, pools), min_size=1, max_size=30))
def test_a_weight_that_is_changed_is_changed_by_a_quarter_or_so(
    configured: int, heard: list[tuple[float, list[float]]]
) -> None:
    present = configured
    for load, pool in heard:
        weight = weighed(Formula.BOUNDED, configured, present, load, pool)
        assert weight == present or abs(weight - present) >= max(1, math.floor(configured / 4))
        present = weight


@settings(deadline=None)
@given(weights, loads, loads, st.lists(loads, min_size=3, max_size=9), weights)
def test_loads_that_waver_within_the_dead_band_change_a_weight_once_and_never_again(
    configured: int, one: float, other: float, pool: list[float], present: int
) -> None:
    band = max(configured / 4, 0.75)
    first, second = (configured * min(MOST, max(LEAST, (1 + usual(pool)) / (1 + load))) for load in (one, other))
    assume(abs(first - second) < band - 0.5)
    settled = weighed(Formula.BOUNDED, configured, present, one, pool)
    settled = weighed(Formula.BOUNDED, configured, settled, one, pool)
    changes = 0
    for load in (other, one) * 5:
        weight = weighed(Formula.BOUNDED, configured, settled, load, pool)
        changes += weight != settled
        settled = weight
    assert changes <= 1


@settings(deadline=None)
@given(pools, weights)
def test_the_usual_load_is_the_median_so_that_one_runaway_changes_nobody_else(
    pool: list[float], configured: int
) -> None:
    calm = [1.0] * (len(pool) + 1)
    assert weighed(Formula.BOUNDED, configured, configured, 1.0, [*pool, *calm]) == configured


def test_the_usual_load_of_nobody_is_none() -> None:
    assert usual([]) == 0
    assert usual([9.0]) == 9
    assert usual([900.0, 0.0, 1.0]) == 1
    assert usual([900.0, 0.0, 1.0, 2.0]) == 1.5

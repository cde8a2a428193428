"""The traffic of the last hour: rates from counters, gaps, resets, and memory that does not grow."""

import math
import sys
from ipaddress import ip_address

import pytest

from piranha.config.model import Forwarding, Protocol
from piranha.ipvs.samples import ABSENT_MAX, KEPT, SAMPLE_S, Counted, Sample, Samples, Totals, counted_of
from piranha.ipvs.table import Counters, Destination, DestinationKey, Entry, Reading, Service, TableKey

WEB = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 80)
API = TableKey(Protocol.TCP, ip_address("192.0.2.1"), 81)


def counted(connections: int = 0, bytes_in: int = 0, bytes_out: int = 0, active: int = 0, part: str = "a") -> Counted:
    return Counted(active, {part: Totals(connections, bytes_in, bytes_out)})


def taken(*readings: dict[TableKey, Counted] | None, step_s: float = SAMPLE_S) -> Samples:
    found = Samples()
    for number, reading in enumerate(readings):
        found.take(1000.0 + number * step_s, reading)
    return found


def rates(samples: Samples, key: TableKey = WEB) -> list[float | None]:
    return [each.connections for each in samples.of(key)]


def test_rates_are_the_growth_of_the_counters_over_the_time_between():
    samples = taken({WEB: counted(100, 1000, 5000, 7)}, {WEB: counted(130, 16_000, 50_000, 9)})
    assert list(samples.of(WEB)) == [Sample(1000.0, None, None, None, 7), Sample(1015.0, 2.0, 1000.0, 3000.0, 9)]


def test_a_time_that_is_not_exact_is_reckoned_with():
    samples = Samples()
    samples.take(0.0, {WEB: counted(0)})
    samples.take(20.0, {WEB: counted(30)})
    assert rates(samples) == [None, 1.5]


@pytest.mark.parametrize("field", ["connections", "bytes_in", "bytes_out"])
def test_a_counter_that_began_anew_counts_from_nothing_and_never_negative(field):
    before = counted(100, 1000, 5000)
    after = counted(**({"connections": 100, "bytes_in": 1000, "bytes_out": 5000} | {field: 30}))
    (_, sample) = taken({WEB: before}, {WEB: after}).of(WEB)
    assert getattr(sample, field) == 2.0
    assert min(sample.connections, sample.bytes_in, sample.bytes_out) >= 0.0


def test_real_servers_come_and_go_each_with_its_own_counters():
    def both(**parts: int) -> Counted:
        return Counted(0, {name: Totals(count, 0, 0) for name, count in parts.items()})

    samples = taken(
        {WEB: both(a=100, b=50)},
        {WEB: both(a=115)},  # b went
        {WEB: both(a=115, c=30)},  # c is new
        {WEB: both(a=115, b=65, c=30)},  # b is back, with the connections that it kept
        {WEB: both(a=15, b=65, c=30)},  # a began anew
    )
    assert rates(samples) == [None, 1.0, 2.0, 1.0, 1.0]


def test_what_left_for_good_is_not_remembered_for_ever():
    samples = Samples()
    for number in range(2000):
        samples.take(number * SAMPLE_S, {WEB: Counted(0, {f"server {number}": Totals(15, 0, 0)})})
    assert rates(samples) == [1.0] * KEPT
    assert len(samples._series[WEB].before) < 100


def test_what_is_not_in_the_table_or_cannot_be_read_is_a_gap_and_not_zero():
    samples = taken({WEB: counted(10)}, {WEB: counted(25)}, {}, None, {WEB: counted(40)}, {WEB: counted(40)})
    assert rates(samples) == [None, 1.0, None, None, None, 0.0]
    assert [each.active for each in samples.of(WEB)] == [0, 0, None, None, 0, 0]


def test_readings_that_are_far_apart_have_a_gap_between_them():
    samples = Samples()
    for at, count in ((0.0, 0), (30.0, 30), (60.1, 10_000), (75.1, 10_015)):
        samples.take(at, {WEB: counted(count)})
    assert rates(samples) == [None, 1.0, None, pytest.approx(1.0)]


def test_a_time_that_stood_still_makes_no_rate():
    samples = Samples()
    for count in (0, 30):
        samples.take(5.0, {WEB: counted(count)})
    assert rates(samples) == [None, None]


def test_one_that_comes_later_has_gaps_before():
    samples = taken({WEB: counted(1)}, {WEB: counted(1), API: counted(5)}, {WEB: counted(1), API: counted(20)})
    assert rates(samples, API) == [None, None, 1.0]
    assert list(samples.of(TableKey(fwmark=9))) == []


def test_an_hour_is_kept_and_no_more():
    samples = Samples()
    for number in range(KEPT + 50):
        samples.take(number * SAMPLE_S, {WEB: counted(number * 15)})
    told = list(samples.of(WEB))
    assert len(told) == KEPT
    assert (told[0].at, told[-1].at) == (50 * SAMPLE_S, (KEPT + 49) * SAMPLE_S)
    assert {each.connections for each in told} == {1.0}


def test_one_that_left_is_kept_until_its_hour_is_over():
    samples = taken(*[{WEB: counted(number)} for number in range(3)])
    for number in range(3, KEPT + 2):
        samples.take(1000.0 + number * SAMPLE_S, {})
    assert len(samples) == 1 and len(list(samples.of(WEB))) == KEPT
    samples.take(1000.0 + (KEPT + 2) * SAMPLE_S, {})
    assert len(samples) == 0


def test_however_many_come_and_go_a_bounded_number_is_kept():
    samples = Samples()
    for round_ in range(4):
        here = {TableKey(fwmark=round_ * 1000 + number + 1): counted() for number in range(1000)}
        samples.take(round_ * SAMPLE_S, here)
    assert len(samples) == 1000 + ABSENT_MAX
    assert list(samples.of(TableKey(fwmark=2001))), "the one that left last is kept"


def test_memory_does_not_grow_with_time_and_is_four_kilobytes_a_virtual_server():
    samples = Samples()
    keys = [TableKey(fwmark=number + 1) for number in range(1000)]
    sizes = set()
    for number in range(3 * KEPT):
        samples.take(number * SAMPLE_S, {key: counted(number) for key in keys[:10]})
        sizes.add(samples.size_bytes)
    assert len(sizes) == 1
    samples.take(3 * KEPT * SAMPLE_S, {key: counted() for key in keys})
    each = samples.size_bytes / 1000 + sys.getsizeof(samples._series[keys[0]].numbers) - 4 * 4 * KEPT
    assert each < 4096


def test_large_numbers_come_back_as_they_were_but_for_the_last_digits():
    samples = taken({WEB: counted()}, {WEB: counted(15 * 10**6, 15 * 10**10, 15 * 10**11, 3_000_000)})
    (_, sample) = samples.of(WEB)
    assert (sample.connections, sample.active) == (10**6, 3_000_000)
    assert math.isclose(sample.bytes_in, 10**10, rel_tol=1e-6) and math.isclose(sample.bytes_out, 10**11, rel_tol=1e-6)


def reading() -> Reading:
    servers = [DestinationKey(ip_address(f"10.0.0.{number}"), 80) for number in (1, 2)]
    entry = Entry(Service("rr", 0, 32), {each: Destination(Forwarding.NAT, 1) for each in servers})
    return Reading({WEB: entry}, {(WEB, servers[0]): Counters(3, 1, 50, 10, 20)})


def test_a_reading_is_counted_by_real_servers_or_as_a_whole_where_that_is_told():
    keys = {"virtual[web]": WEB, "virtual[api]": API}
    first = DestinationKey(ip_address("10.0.0.1"), 80)
    assert counted_of(reading(), keys) == {WEB: Counted(3, {first: Totals(50, 10, 20)})}
    assert counted_of(reading(), keys, {WEB: Totals(60, 11, 22)}) == {WEB: Counted(3, {WEB: Totals(60, 11, 22)})}

"""What a checking program is started with, and what its end means (engine.md 4.5; faults D1, D2 and D3)."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from piranha.config.model import Protocol, RealServerKey, ServiceKey
from piranha.health.check import Check, Expectation, Match, Verdict
from piranha.health.programs import OUTPUT_MAX, Ended, verdict_of, words_of

OK = Expectation(Match.WHOLE, b"OK")
ANYTHING = Expectation(Match.ANYTHING)


def check(expect: Expectation = OK) -> Check:
    key = RealServerKey(ServiceKey(fwmark=1), IPv4Address("10.0.0.1"), 80)
    return Check(key, Protocol.TCP, key.address, 80, None, expect, 2.0, 1.0, 2.0, program=(b"/bin/check",))


@pytest.mark.parametrize("address", [IPv4Address("10.0.0.1"), IPv6Address("2001:db8::1")])
def test_marks_are_replaced_where_they_are_words_of_their_own(address: IPv4Address | IPv6Address) -> None:
    program = (b"/bin/check", b"%h", b"x%h", b"%p", b"%H", b"%", b"%h%p", b"$(%h)")
    wanted = (b"/bin/check", str(address).encode(), b"x%h", b"8080", b"%H", b"%", b"%h%p", b"$(%h)")
    assert words_of(program, ip_address(address), 8080) == wanted


@pytest.mark.parametrize("output", [b"OK", b"OK\n", b"OK\r\n", b"OK\n\n"])
def test_d3_the_output_is_compared_without_its_line_end_and_no_letter_is_cut(output: bytes) -> None:
    assert verdict_of(check(), Ended(0, output)) == Verdict(True, 'the program answered "OK"')


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (b"OKX", 'the program answered "OKX"; expected "OK"'),
        (b"FAIL\n", 'the program answered "FAIL"; expected "OK"'),
        (b" OK\n", 'the program answered " OK"; expected "OK"'),
        (b"OK\nand more\n", 'the program answered "OK\\nand more"; expected "OK"'),
        (b"", "the program said nothing"),
        (b"\n", "the program said nothing"),
    ],
)
def test_another_output_is_down(output: bytes, reason: str) -> None:
    assert verdict_of(check(), Ended(0, output)) == Verdict(False, reason)


def test_a_star_takes_any_output_and_needs_some() -> None:
    assert verdict_of(check(ANYTHING), Ended(0, b"load 7\n")) == Verdict(True, 'the program answered "load 7"')
    assert not verdict_of(check(ANYTHING), Ended(0, b"")).is_good


@pytest.mark.parametrize("expect", [OK, ANYTHING])
@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (Ended(1, b"OK\n"), 'the program exited with status 1 after "OK"'),
        (Ended(127, b"", b"a\ncheck: not found\n"), 'the program exited with status 127: "check: not found"'),
        (Ended(-11, b"OK\n"), 'the program was ended by signal 11 after "OK"'),
        (Ended(-9, b"OK\n", is_late=True), "the program did not end within 2 s and was killed"),
        (
            Ended(-9, b"OK\n", said_too_much=True),
            f"the program said more than {OUTPUT_MAX} bytes and was killed",
        ),
    ],
)
def test_d1_what_fails_is_down_whatever_it_printed(ended: Ended, reason: str, expect: Expectation) -> None:
    assert verdict_of(check(expect), ended) == Verdict(False, reason)

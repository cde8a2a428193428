"""What is sent and expected, and which bytes are a good answer (engine.md 4, scenarios 45 to 48)."""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.config.expressions import expression_fault
from piranha.config.model import HostName, Protocol, RealServer, RealServerKey, ServiceKey, VirtualServer
from piranha.health.check import (
    RECEIVED_BYTES_MAX,
    Check,
    Expectation,
    Match,
    Unchecked,
    Verdict,
    check_of,
    excerpt,
    judge,
    judge_late,
)

Make = Callable[..., Any]
HTTP = Expectation(Match.PREFIX, b"HTTP")
ANYTHING = Expectation(Match.ANYTHING)


def pattern(text: bytes) -> Expectation:
    return Expectation(Match.PATTERN, text)


def checked(virtual: VirtualServer, server: RealServer) -> Check:
    check = check_of(virtual, server)
    assert isinstance(check, Check), check
    return check


def unchecked(virtual: VirtualServer, server: RealServer) -> str:
    check = check_of(virtual, server)
    assert isinstance(check, Unchecked), check
    return check.reason


def test_a_check_has_the_virtual_servers_times_and_the_real_servers_address(virtual: Make, server: Make) -> None:
    check = checked(virtual(timeout_s=3, reentry_s=7), server(port=8000))
    assert check.key == RealServerKey(
        ServiceKey(Protocol.TCP, IPv4Address("192.0.2.1"), 8080), IPv4Address("10.0.0.1"), 8000
    )
    assert (check.interval_s, check.reentry_s, check.limit_s) == (3.0, 7.0, 3.0)
    assert (check.address, check.port) == (IPv4Address("10.0.0.1"), 8000)


def test_reentry_0_means_180_seconds(virtual: Make, server: Make) -> None:
    assert checked(virtual(reentry_s=0), server()).reentry_s == 180.0


def test_without_send_and_expect_a_connect_is_the_check(virtual: Make, server: Make) -> None:
    check = checked(virtual(), server())
    assert (check.send, check.expect) == (None, None)


def test_port_80_with_nothing_configured_is_taken_for_a_web_server(virtual: Make, server: Make) -> None:
    check = checked(virtual(port=80), server(port=8080))
    assert check.send == b"GET / HTTP/1.0\r\n\r\n"
    assert check.expect == HTTP


@pytest.mark.parametrize("written", [{"send": ""}, {"expect": ""}, {"send_program": ""}])
def test_port_80_with_anything_configured_even_empty_is_not(virtual: Make, server: Make, written: Any) -> None:
    check = checked(virtual(port=80, **written), server())
    assert (check.send, check.expect) == (None, None)


def test_a_real_server_on_port_80_behind_another_port_is_not_a_web_server(virtual: Make, server: Make) -> None:
    assert checked(virtual(port=8080), server(port=80)).send is None


def test_escapes_become_bytes(virtual: Make, server: Make) -> None:
    check = checked(virtual(send=r"EHLO a\r\n", expect=r"220\t\"x\""), server())
    assert check.send == b"EHLO a\r\n"
    assert check.expect == Expectation(Match.PREFIX, b'220\t"x"')


def test_a_lone_star_expects_anything_and_a_longer_text_itself(virtual: Make, server: Make) -> None:
    assert checked(virtual(expect="*"), server()).expect == ANYTHING
    assert checked(virtual(expect="**"), server()).expect == Expectation(Match.PREFIX, b"**")


def test_use_regex_makes_a_pattern(virtual: Make, server: Make) -> None:
    check = checked(virtual(expect=r"HTTP/1\\.1", uses_regex=True), server())
    assert check.expect == pattern(rb"HTTP/1\.1")


def test_a_pattern_that_cannot_be_read_is_said(virtual: Make, server: Make) -> None:
    assert "not a regular expression: missing )" in unchecked(virtual(expect="(a", uses_regex=True), server())
    assert "no argument for repetition operator: *" in unchecked(virtual(expect="*a", uses_regex=True), server())


def test_a_lone_star_takes_any_reply_as_a_regular_expression_too(virtual: Make, server: Make) -> None:
    assert checked(virtual(expect="*", uses_regex=True), server()).expect == ANYTHING


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"send_program": "/bin/check %h"}, "no expect to compare its output with"),
        ({"send_program": "/bin/check %h", "expect": ""}, "no expect to compare its output with"),
        ({"timeout_s": 0}, "timeout = 0"),
        ({"address": None}, "virtual[http] has no address"),
    ],
)
def test_what_this_version_does_not_check_is_said(virtual: Make, server: Make, changes: Any, words: str) -> None:
    assert words in unchecked(virtual(**changes), server())


@pytest.mark.parametrize("protocol", list(Protocol))
def test_a_program_makes_the_check_whatever_send_and_use_regex_say(
    virtual: Make, server: Make, protocol: Protocol
) -> None:
    check = checked(
        virtual(
            protocol=protocol,
            port=80,
            send="x",
            send_program="/bin/check  -a %h\t%p x%h",
            expect="(OK",
            uses_regex=True,
        ),
        server(),
    )
    assert check.program == (b"/bin/check", b"-a", b"%h", b"%p", b"x%h")
    assert (check.send, check.expect) == (None, Expectation(Match.WHOLE, b"(OK"))
    assert checked(virtual(send_program="check", expect="*"), server()).expect == ANYTHING


@pytest.mark.parametrize(
    ("received", "is_complete", "is_good"),
    [(b"OK", True, True), (b"OK", False, None), (b"OKAY", True, False), (b"O", True, False), (b"xOK", True, False)],
)
def test_a_whole_text_is_the_whole_answer(received: bytes, is_complete: bool, is_good: bool | None) -> None:
    verdict = judge(Expectation(Match.WHOLE, b"OK"), received, is_complete)
    assert (None if verdict is None else verdict.is_good) is is_good


def test_a_udp_service_with_something_to_send_is_checked(virtual: Make, server: Make) -> None:
    check = checked(virtual(protocol=Protocol.UDP, send=r"ping\n", expect="pong"), server(port=5353))
    assert (check.protocol, check.port, check.limit_s) == (Protocol.UDP, 5353, 6.0)
    assert (check.send, check.expect) == (b"ping\n", Expectation(Match.PREFIX, b"pong"))
    assert check.key.service == ServiceKey(Protocol.UDP, IPv4Address("192.0.2.1"), 8080)


def test_scenario_49_a_udp_service_with_send_alone_takes_any_answer(virtual: Make, server: Make) -> None:
    check = checked(virtual(protocol=Protocol.UDP, send="x"), server())
    assert (check.send, check.expect) == (b"x", None)


@pytest.mark.parametrize("written", [{}, {"expect": "pong"}, {"send": "", "expect": "*"}, {"port": 80, "expect": "*"}])
def test_a_udp_service_with_nothing_to_send_is_not_checked(virtual: Make, server: Make, written: Any) -> None:
    reason = unchecked(virtual(protocol=Protocol.UDP, **written), server())
    assert "virtual[http] uses UDP and has nothing to send" in reason
    assert "Set send to a text that the service answers, and expect" in reason


def test_a_udp_service_on_port_80_with_nothing_configured_is_asked_for_a_web_page(virtual: Make, server: Make) -> None:
    """As the original has it (lvs-cf.md 1.4); the file's check warns."""
    check = checked(virtual(protocol=Protocol.UDP, port=80), server())
    assert (check.send, check.expect) == (b"GET / HTTP/1.0\r\n\r\n", HTTP)


@pytest.mark.parametrize("address", [None, IPv4Address("0.0.0.0")])
def test_a_server_without_an_address_is_not_checked(virtual: Make, server: Make, address: Any) -> None:
    assert "server[web1] has no address" in unchecked(virtual(), server(address=address))


def test_a_virtual_server_with_a_mark_alone_is_checked(virtual: Make, server: Make) -> None:
    assert checked(virtual(fwmark=9, address=None), server()).key.service == ServiceKey(fwmark=9)


def test_a_host_name_stays_a_name(virtual: Make, server: Make) -> None:
    assert checked(virtual(), server(address=HostName("web1.example"))).address == "web1.example"


def test_names_and_weights_do_not_change_a_check(virtual: Make, server: Make) -> None:
    other = server(id="virtual[http].server[new]", name="new", weight=99)
    assert checked(virtual(), server()) == checked(virtual(id="virtual[x]", name="x", scheduler="rr"), other)


# What is a good answer


@pytest.mark.parametrize(
    ("expectation", "received", "is_good"),
    [
        (HTTP, b"HTTP/1.0 200 OK\r\n", True),
        (HTTP, b"HTTP", True),
        (HTTP, b"http/1.0", False),
        (HTTP, b" HTTP", False),
        (HTTP, b"HTT ", False),
        (ANYTHING, b"\0", True),
        (pattern(rb"1\.1 200"), b"HTTP/1.1 200 OK", True),
        (pattern(rb"^HTTP.*html"), b"HTTP/1.1 200 OK\r\n\r\n<html>", True),
        (pattern(b"[[:digit:]]{3} OK"), b"HTTP/1.1 200 OK", True),
        (pattern(b"\xff+a"), b"x\xff\xffa", True),
    ],
)
def test_an_answer_is_judged_as_soon_as_it_is_certain(expectation: Expectation, received: bytes, is_good: bool) -> None:
    verdict = judge(expectation, received, is_complete=False)
    assert verdict is not None
    assert verdict.is_good is is_good


@pytest.mark.parametrize("received", [b"", b"H", b"HT", b"HTT"])
def test_an_answer_in_pieces_is_waited_for(received: bytes) -> None:
    assert judge(HTTP, received, is_complete=False) is None
    verdict = judge(HTTP, received, is_complete=True)
    assert verdict is not None
    assert not verdict.is_good


def test_a_star_needs_at_least_one_byte() -> None:
    assert judge(ANYTHING, b"", is_complete=False) is None
    assert judge(ANYTHING, b"", True) == Verdict(False, "connection closed before anything was received")


@pytest.mark.parametrize("text", [b"^OK$", b"a.c", b"OK\n$"])
def test_a_pattern_is_searched_in_bytes_where_a_line_end_is_nothing_special(text: bytes) -> None:
    received = {b"^OK$": b"NO\nOK\n", b"a.c": b"a\nc", b"OK\n$": b"OK\n"}[text]
    verdict = judge(pattern(text), received, is_complete=True)
    assert verdict is not None
    assert verdict.is_good is (text != b"^OK$")


def test_a_pattern_that_does_not_match_yet_is_waited_for_until_the_end() -> None:
    assert judge(pattern(b"ready"), b"starting", is_complete=False) is None
    assert judge(pattern(b"ready"), b"starting", is_complete=True) == Verdict(
        False, 'answered "starting"; expected something that matches "ready"'
    )


def test_more_than_64_kib_is_never_looked_at() -> None:
    long = b"x" * RECEIVED_BYTES_MAX + b"ready"
    verdict = judge(pattern(b"ready"), long, is_complete=False)
    assert verdict is not None
    assert not verdict.is_good


def test_an_explosive_pattern_takes_no_time() -> None:
    verdict = judge(pattern(b"(a*)*(a*)*b"), b"a" * RECEIVED_BYTES_MAX, is_complete=True)
    assert verdict is not None
    assert not verdict.is_good


@given(st.binary(min_size=1, max_size=20), st.binary(max_size=30))
def test_a_prefix_verdict_never_depends_on_how_the_answer_was_cut(wanted: bytes, answer: bytes) -> None:
    whole = judge(Expectation(Match.PREFIX, wanted), answer, is_complete=True)
    assert whole is not None
    assert whole.is_good is answer.startswith(wanted)
    for end in range(len(answer) + 1):
        early = judge(Expectation(Match.PREFIX, wanted), answer[:end], is_complete=False)
        assert early is None or early.is_good is whole.is_good


@pytest.mark.parametrize(
    ("wanted", "received", "reason"),
    [
        (b"HTTP", b"HT", 'answered "HT" and no more; expected "HTTP"'),
        (b"HTTP", b"220 mail\r\n", r'answered "220 mail\r\n"; expected "HTTP"'),
        (b"a" * 60 + b"b", b"a" * 60 + b"c", f'answered ..."{"a" * 24}c"; expected ..."{"a" * 24}b"'),
    ],
)
def test_the_reason_shows_the_bytes_that_mattered(wanted: bytes, received: bytes, reason: str) -> None:
    assert judge(Expectation(Match.PREFIX, wanted), received, True) == Verdict(False, reason)


def test_a_match_far_inside_is_shown() -> None:
    verdict = judge(pattern(b"read[yi]"), b"-" * 60 + b"ready", True)
    assert verdict == Verdict(True, f'answered "{"-" * 48}"... with "ready" in it')


@pytest.mark.parametrize(
    ("expectation", "received", "reason"),
    [
        (HTTP, b"", "no answer within 6 s"),
        (HTTP, b"HT", 'answered "HT" and no more; expected "HTTP", within 6 s'),
        (pattern(b"y"), b"x", 'answered "x"; expected something that matches "y", within 6 s'),
    ],
)
def test_what_the_limit_ended_says_so(expectation: Expectation, received: bytes, reason: str) -> None:
    assert judge_late(expectation, received, 6.0) == Verdict(False, reason)


@given(st.binary(max_size=200))
def test_an_excerpt_is_one_short_printable_line(data: bytes) -> None:
    shown = excerpt(data)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 48 * 4 + 5


@pytest.mark.parametrize("text", ["HTTP", "(a", "*", "a{5000}", r"\\.", r"\d+", "[[:alpha:]]", "[b-a]", r"(a)\\1"])
def test_the_form_and_the_check_agree_on_what_is_a_regular_expression(virtual: Make, server: Make, text: str) -> None:
    check = check_of(virtual(expect=text, uses_regex=True), server())
    assert isinstance(check, Unchecked) is (expression_fault(text) is not None)

"""None of the faults D1 to D18 of the original's health checks (engine.md 8.D) is here: each has a test named after it.
So have the scenarios 38 to 50, 57 and 59 of section 9.

The names of tests carry the numbers, `test_d4_...`. Those whose subject thinks stand here; programs that are run, and
sockets, have theirs in tests/system, which the last test here counts too.
"""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from piranha.config.load import load
from piranha.health.check import WEB_EXPECT, Check, Expectation, Match, Unchecked, Verdict, check_of, judge
from piranha.health.datagrams import Heard, verdict_of, with_datagram
from piranha.health.load import Formula, by_load, load_in, loads_of_hosts
from piranha.health.load_questions import Question, question_of
from piranha.health.machine import TRANSITIONS, log_line, step, unheard
from piranha.health.tuning import Coming, SlowStart, starts_slowly, up
from piranha.status import HealthState

TESTS = Path(__file__).parents[1]
NAMED = re.compile(r"test_d([0-9]{1,2})_")
SCENARIO = re.compile(r"test_scenarios?_([0-9]{1,2})_(?:and_([0-9]{1,2})_)?")

Make = Callable[..., Any]
GOOD = Verdict(True, "connected")


def checked(*lines: str) -> Check | Unchecked:
    """Return the check of a real server whose virtual server has these lines."""
    texts = ["virtual web {", " active = 1", " address = 192.0.2.1 eth0:1", *(f" {line}" for line in lines)]
    texts += [" server a {", "  active = 1", "  address = 10.0.0.1", " }", "}", ""]
    (virtual,) = load("\n".join(texts)).cluster.virtual_servers
    return check_of(virtual, virtual.servers[0])


@pytest.mark.parametrize("cut", range(1, 8))
def test_d4_an_answer_in_two_pieces_is_one_answer(cut: int) -> None:
    answer = b"HTTP/1.0 200 OK\r\n"
    http = Expectation(Match.PREFIX, WEB_EXPECT)
    first = judge(http, answer[:cut], is_complete=False)
    assert first is None or (cut >= len(WEB_EXPECT) and first.is_good)
    whole = judge(http, answer, is_complete=False)
    assert whole is not None and whole.is_good


@pytest.mark.parametrize(("written", "sent"), [(r"\.\d\x0a", rb"\.\d\x0a"), ("a\\", b"a\\"), (r"\\.", rb"\.")])
def test_d5_an_unknown_escape_stays_as_it_is_written(written: str, sent: bytes) -> None:
    check = checked("port = 81", f'send = "{written}"')
    assert isinstance(check, Check) and check.send == sent


def test_d5_a_dot_in_a_regular_expression_is_a_dot() -> None:
    check = checked("port = 81", 'expect = "HTTP/1\\\\.1"', "use_regex = 1")
    assert isinstance(check, Check)
    for answer, is_good in ((b"HTTP/1.1 200 OK", True), (b"HTTP/1x1 200 OK", False)):
        verdict = judge(check.expect, answer, is_complete=True)
        assert verdict is not None and verdict.is_good is is_good


def test_d6_by_udp_any_answer_is_good_without_expect() -> None:
    for datagram in (b"x", b"", b"\0"):
        assert verdict_of(with_datagram(Heard(), None, datagram)) == judged_good(datagram)


def judged_good(datagram: bytes) -> Verdict:
    """Return the good verdict on a datagram, with the reason that it has."""
    verdict = verdict_of(with_datagram(Heard(), None, datagram))
    assert verdict is not None
    return Verdict(True, verdict.reason)


def test_d7_more_than_one_failure_may_be_asked_for(check: Make) -> None:
    health, _ = step(unheard(0.0), GOOD, check(fall=3), 0.0)
    states = []
    for now in (4.0, 8.0, 12.0):
        health, _ = step(health, Verdict(False, "refused"), check(fall=3), now)
        states.append(health.state)
    assert states == [HealthState.UP, HealthState.UP, HealthState.DOWN]


@pytest.mark.parametrize("package", ["health", "system/probes.py", "system/udp_probe.py", "nanny"])
def test_d8_no_check_sends_icmp(package: str) -> None:
    """Neither a raw socket nor a ping socket is ever opened, so that no failure of one can be a verdict."""
    path = TESTS.parent / "piranha" / package
    sources = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert sources
    for source in sources:
        names = {node.attr for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Attribute)}
        assert not names & {"SOCK_RAW", "IPPROTO_ICMP", "IPPROTO_ICMPV6"}, source


@pytest.mark.parametrize("timeout", [0, -1])
def test_d9_a_timeout_of_0_is_refused_with_a_sentence(virtual: Make, server: Make, timeout: int) -> None:
    found = check_of(virtual(timeout_s=timeout), server())
    assert isinstance(found, Unchecked) and f"timeout = {timeout}" in found.reason


def test_d10_ruptime_is_read_and_uptime_runs_over_any_remote_shell(virtual: Make, server: Make) -> None:
    assert loads_of_hosts(b"web1   up   3+01:24,   0 users,  load  0.42,  0.18,  0.12\n") == {"web1": 0.42}
    cluster = load("rsh_command = /usr/local/bin/remote\n").cluster
    question = question_of(cluster, virtual(load_monitor="uptime"), server())
    assert question == Question(("/usr/local/bin/remote", "10.0.0.1", "uptime"))
    assert load_in(b"load average: 0,42, 0,18, 0,12") == 0.42


def test_d11_the_load_lowers_a_weight_too_and_that_of_1_and_never_beyond_twice() -> None:
    assert by_load(Formula.BOUNDED, 8, 8, 9.0, 0.0) == 2
    assert by_load(Formula.BOUNDED, 1, 1, 0.0, 3.0) == 2
    weight = 8
    for _ in range(100):
        weight = by_load(Formula.BOUNDED, 8, weight, 0.0, 50.0)
    assert weight == 16


@pytest.mark.parametrize("policy", [SlowStart.OFF, SlowStart.QUIESCE, SlowStart.ON])
def test_d12_slow_start_is_for_those_who_come_to_others_and_not_for_a_failover(policy: SlowStart) -> None:
    at_once_s, long_ago_s = 999.0, 0.0
    for coming in Coming:
        assert not starts_slowly(policy, True, coming, [], 1000.0)
        assert not starts_slowly(policy, True, coming, [at_once_s], 1000.0)
    is_slow = starts_slowly(policy, True, Coming.RETURNS, [long_ago_s], 1000.0)
    assert is_slow is (policy is not SlowStart.OFF)
    assert up(64, None, 1000.0, slowly=is_slow).weight == (2 if is_slow else 64)


def test_d13_a_star_needs_at_least_one_byte() -> None:
    anything = Expectation(Match.ANYTHING)
    nothing, something = judge(anything, b"", is_complete=True), judge(anything, b"\0", is_complete=False)
    assert nothing is not None and not nothing.is_good
    assert something is not None and something.is_good


def test_d14_every_change_of_a_state_is_one_line_and_a_failure_says_why(check: Make) -> None:
    for row in TRANSITIONS:
        line = log_line(row, check(), "answered wrongly")
        assert bool(line) is (row.state is not row.becomes)
        assert "\n" not in line
        if row.is_change and row.becomes is HealthState.DOWN:
            assert line.startswith("[inactive] ") and line.endswith(": answered wrongly")


def test_d15_single_quotes_are_letters_and_nothing_is_cut_at_254() -> None:
    check = checked("port = 81", "send = \"'a'\"", f'expect = "{"x" * 1000}"')
    assert isinstance(check, Check)
    assert check.send == b"'a'" and check.expect == Expectation(Match.PREFIX, b"x" * 1000)
    short = judge(check.expect, b"x" * 254 + b"y" * 746, is_complete=True)
    assert short is not None and not short.is_good
    program = checked("port = 81", f'send_program = "/bin/check {"a" * 1000} {"b " * 100}"', 'expect = "OK"')
    assert isinstance(program, Check)
    assert program.program == (b"/bin/check", b"a" * 1000, *[b"b"] * 100)


def test_d17_one_limit_holds_for_the_whole_check(virtual: Make, server: Make) -> None:
    check = check_of(virtual(timeout_s=6), server())
    assert isinstance(check, Check)
    assert check.limit_s == check.interval_s == 6.0


@pytest.mark.parametrize("reason", ["%n%s%d", "{server}{0}", "%(asctime)s", "\\"])
def test_d18_what_a_server_says_is_never_a_format(check: Make, reason: str) -> None:
    _, row = step(unheard(0.0), Verdict(False, reason), check(), 0.0)
    assert log_line(row, check(), reason) == f"[inactive] leaving out 10.0.0.1:80: {reason}"


def numbers_in_names(pattern: re.Pattern[str]) -> set[int]:
    """Return the numbers in the names of all test functions."""
    found = set()
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (named := pattern.match(node.name)):
                found |= {int(number) for number in named.groups() if number}
    return found


def test_every_fault_has_a_test_that_is_named_after_it() -> None:
    assert numbers_in_names(NAMED) & set(range(1, 19)) == set(range(1, 19))


def test_every_scenario_of_checks_and_weights_has_a_test_that_is_named_after_it() -> None:
    assert not {*range(38, 51), 57, 59} - numbers_in_names(SCENARIO)

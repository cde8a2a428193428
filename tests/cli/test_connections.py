"""`piranha connections`: the table, the remarks, and an engine that cannot tell."""

from dataclasses import replace

from piranha.cli.connections import in_words
from piranha.messages import ClientConnection, ConnectionsAnswer
from piranha.paths import Paths
from piranha.status import Source
from tests.cli.conftest import Run

OPEN = ClientConnection("TCP", "192.0.2.7", 40001, "198.51.100.1:80", "10.0.0.1:80", "ESTABLISHED", False, 890)
TEMPLATE = ClientConnection("TCP", "2001:db8::7", 0, "[2001:db8::1]:80", "[fd00::1]:80", "TEMPLATE", True, None)
ANSWER = ConnectionsAnswer(
    (OPEN, TEMPLATE), 2, 2, True, 100, Source("kernel data path", 0.0), "2026-01-02T03:04:05+00:00"
)


def test_each_line_is_a_client_and_its_real_server() -> None:
    heading, first, second, remark, last = in_words(ANSWER).splitlines()
    assert heading.split() == ["PROTO", "CLIENT", "VIRTUAL", "SERVER", "REAL", "SERVER", "STATE", "EXPIRES"]
    assert first.split() == ["TCP", "192.0.2.7:40001", "198.51.100.1:80", "10.0.0.1:80", "ESTABLISHED", "890", "s"]
    assert second.split() == ["TCP", "2001:db8::7", "[2001:db8::1]:80", "[fd00::1]:80", "TEMPLATE", "-"]
    assert remark == "2 in all."
    assert last == "as of 2026-01-02T03:04:05+00:00 (kernel data path)"


def test_what_is_not_shown_is_said_to_exist() -> None:
    told = in_words(replace(ANSWER, matching=5000, looked_at=2_000_000, is_whole=False))
    assert "2 of 5000 are shown: more exist." in told
    assert "Only the first 2000000 entries of the table were looked at." in told


def test_none_as_asked_for_and_none_at_all_are_different() -> None:
    assert "No connection is as asked for." in in_words(replace(ANSWER, shown=(), matching=0, looked_at=7))
    assert "There is no connection." in in_words(replace(ANSWER, shown=(), matching=0, looked_at=0))


def test_what_cannot_be_understood_is_refused_in_one_sentence(run: Run, engine: Paths) -> None:
    done = run("connections", "--client", "nobody", root=engine.root)
    assert (done.code, done.out) == (1, "")
    assert done.err == 'piranha: "nobody" is no client. Write an address or a network: 192.0.2.7 or 192.0.2.0/24.\n'
    assert run("connections", "--limit", "0", root=engine.root).code == 1


def test_without_an_engine_the_exit_code_says_so(run: Run) -> None:
    done = run("connections")
    assert done.code == 3 and "there is no socket" in done.err

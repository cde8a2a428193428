"""The answers of web servers: what is good, what is not, in whatever pieces they come, and that all is bounded."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from piranha.health.check import Http, Verdict
from piranha.health.http import BODY_MAX, HEADERS_MAX, LINE_MAX, TOTAL_MAX, Answer

STATUS = Http(b"GET / HTTP/1.1\r\n\r\n", ((200, 299),))
BODY = Http(b"GET / HTTP/1.1\r\n\r\n", ((200, 299),), b"all fine")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FINE = Verdict(True, 'HTTP 200 with "all fine" in the body')


def judged(http: Http, *pieces: bytes) -> Verdict:
    answer = Answer(http)
    for piece in pieces:
        verdict = answer.add(piece)
        if verdict is not None:
            return verdict
    return answer.end()


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (b"HTTP/1.1 200 OK\r\n", Verdict(True, "HTTP 200")),
        (b"HTTP/1.0 204\n", Verdict(True, "HTTP 204")),
        (b"HTTP/1.1  200 OK\r\n", Verdict(True, "HTTP 200")),
        (b"HTTP/1.1 301 Moved\r\n", Verdict(False, "HTTP 301, expected 200-299")),
        (b"HTTP/1.1 503 \xff\xfe\r\n", Verdict(False, "HTTP 503, expected 200-299")),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Verdict(False, "HTTP 101, expected 200-299")),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", Verdict(True, "HTTP 200")),
        (
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 500 No\r\n",
            Verdict(False, "HTTP 500, expected 200-299"),
        ),
        (b"HTTX", Verdict(False, 'answered "HTTX", which is no HTTP')),
        (b"HTTP/1.1 2000 OK\r\n", Verdict(False, 'answered "HTTP/1.1 2000 OK\\r\\n", which is no HTTP')),
        (b"HTTP/1.1 abc\r\n", Verdict(False, 'answered "HTTP/1.1 abc\\r\\n", which is no HTTP')),
        (b"\r\nHTTP/1.1 200 OK\r\n", Verdict(False, 'answered "\\r\\nHTTP/1.1 200 OK\\r\\n", which is no HTTP')),
        (b"", Verdict(False, "connection closed before anything was received")),
        (
            b"HTTP/1.1 20",
            Verdict(False, 'connection closed; all that came is "HTTP/1.1 20"'),
        ),
        (b"HTTP/1.1 200 " + b"x" * LINE_MAX, Verdict(False, f"a line of the answer has more than {LINE_MAX} bytes")),
    ],
)
def test_the_status_decides_where_no_text_is_expected(said: bytes, verdict: Verdict) -> None:
    assert judged(STATUS, said) == verdict
    assert judged(STATUS, *(said[at : at + 1] for at in range(len(said)))).is_good == verdict.is_good


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<p>all fine!", FINE),
        (b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nis all fine", FINE),
        (CHUNKED + b"5\r\n<all \r\n5;a=b\r\nfine>\r\n0\r\n\r\n", FINE),
        (CHUNKED + b"1\r\na\r\n7\r\nll fine\r\n", FINE),
        (b"HTTP/1.1 503 all fine\r\n\r\nall fine", Verdict(False, "HTTP 503, expected 200-299")),
        # The text is looked for in the body alone, and in what belongs to it.
        (
            b"HTTP/1.1 200 all fine\r\nX: all fine\r\nContent-Length: 2\r\n\r\nnoall fine",
            Verdict(False, 'HTTP 200, but "all fine" is not in its body of 2 bytes, "no"'),
        ),
        (
            b"HTTP/1.1 204 all fine\r\n\r\nall fine",
            Verdict(False, 'HTTP 204, but "all fine" is not in its body of 0 bytes'),
        ),
        (
            CHUNKED + b"4\r\nall \r\n0\r\n\r\nfine",
            Verdict(False, 'HTTP 200, but "all fine" is not in its body of 4 bytes, "all "'),
        ),
        (CHUNKED + b"zz\r\n", Verdict(False, 'HTTP 200, but a chunk of its body begins with "zz"')),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall",
            Verdict(False, 'HTTP 200, but "all fine" is not in its body of 3 bytes, "all"; connection closed'),
        ),
        (
            b"HTTP/1.1 200 OK\r\nX: y\r\n",
            Verdict(False, "HTTP 200, but connection closed; its headers were not complete"),
        ),
        (
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * HEADERS_MAX,
            Verdict(False, f"the headers have more than {HEADERS_MAX} bytes"),
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, Verdict(False, f"the headers have more than {HEADERS_MAX} bytes")),
        (CHUNKED + b"1\r\nx\r\n" * TOTAL_MAX, Verdict(False, f"the answer has more than {TOTAL_MAX} bytes")),
    ],
)
def test_the_text_is_looked_for_in_the_body(said: bytes, verdict: Verdict) -> None:
    pieces = [said[at : at + 997] for at in range(0, len(said), 997)]
    assert judged(BODY, *pieces) == verdict
    letters = [said[at : at + 1] for at in range(min(len(said), 2 * TOTAL_MAX))]
    assert judged(BODY, *letters) == verdict


def test_no_more_than_so_much_of_a_body_is_searched() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    assert judged(BODY, head, b"x" * (BODY_MAX - len(BODY.expect)) + BODY.expect) == FINE
    beyond = judged(BODY, head, b"x" * (BODY_MAX - len(BODY.expect) + 1) + BODY.expect)
    assert not beyond.is_good and f"is not in the first {BODY_MAX} bytes of its body" in beyond.reason


def test_what_the_end_of_the_time_and_of_the_connection_mean() -> None:
    answer = Answer(BODY)
    assert answer.late(6) == Verdict(False, "no answer within 6 s")
    assert answer.broken("connection reset") == Verdict(False, "connection reset before anything was received")
    answer.add(b"HTTP/1.1 200 OK\r\n")
    late = "HTTP 200, but the answer did not end within 6 s; its headers were not complete"
    assert answer.late(6) == Verdict(False, late)
    answer.add(b"\r\nall fi")
    expected = 'HTTP 200, but "all fine" is not in its body of 6 bytes, "all fi"'
    assert answer.end() == Verdict(False, expected)
    assert answer.broken("connection reset") == Verdict(False, f"{expected}; connection reset")
    assert answer.late(6) == Verdict(False, f"{expected}; the answer did not end within 6 s")
    assert answer.add(b"ne") == answer.end() == answer.late(6) == answer.broken("connection reset") == FINE


PARTS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.0 503\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 8\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: -1\r\n",
        b"\r\n",
        b"\n",
        b"8\r\nall fine\r\n",
        b"ffffffff\r\n",
        b"0\r\n\r\n",
        b"all fine",
        b"HTTP/",
        b":" * 5000,
        b"\xff" * 9000,
    ]
)


@given(st.lists(st.one_of(PARTS, st.binary(max_size=200)), max_size=40), st.sampled_from([STATUS, BODY]))
@example([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], BODY)
def test_whatever_comes_there_is_a_verdict_and_little_is_kept(pieces: list[bytes], http: Http) -> None:
    answer, verdicts = Answer(http), []
    for piece in pieces:
        verdict = answer.add(piece)
        if verdict is not None:
            verdicts.append(verdict)
        assert (len(answer._unread) <= LINE_MAX + len(piece) and len(answer._body) <= BODY_MAX) or verdict is not None
    for last in (answer.end(), answer.late(1.0), answer.broken("connection reset")):
        assert last.reason and len(last.reason) < 1000
        if verdicts:
            assert {last, *verdicts} == {last}, "what is certain stays so"
        else:
            assert not last.is_good


@given(st.lists(st.one_of(PARTS, st.binary(max_size=50)), max_size=15).map(b"".join), st.data())
def test_an_answer_in_pieces_is_judged_as_in_one(said: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=8)))
    pieces = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    assert judged(BODY, *pieces).is_good == judged(BODY, said).is_good


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_a_text_is_found_wherever_the_chunks_are_cut(before: bytes, sizes: list[int]) -> None:
    body, told, at = before + b"all fine", CHUNKED, 0
    for size in [*sizes, len(body)]:
        piece = body[at : at + size]
        at += size
        told += b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b""
    assert judged(BODY, told + b"0\r\n\r\n") == FINE

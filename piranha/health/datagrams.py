"""Which of the datagrams that a real server sends is the answer, and what is said of a server that sent none.

A datagram is whole: each is judged by itself, nothing is put together. A good one ends the check at once. A bad one
does not: it may be a word before the answer (SIP says `100 Trying` before `200 OK`), or the late answer to an earlier
check whose port this one happened to get. So the check listens on until its limit, and then the last one is told: it is
the server's final word, and the count says that there were others. That costs nothing that a silent server does not
cost too, and no server is taken out because of a datagram that was not meant as the answer.
"""

from dataclasses import dataclass

from piranha.health.check import RECEIVED_BYTES_MAX, Expectation, Match, Verdict, judge

DATAGRAMS_MAX = 64
"""No more datagrams of one check are judged, and none after RECEIVED_BYTES_MAX bytes of them: a flood costs no more."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one check heard so far: `count` datagrams of `size` bytes together, and the verdict on the last one."""

    count: int = 0
    size: int = 0
    last: Verdict | None = None


def with_datagram(heard: Heard, expectation: Expectation | None, datagram: bytes) -> Heard:
    """Return what was heard with one more datagram; it may be empty."""
    return Heard(heard.count + 1, heard.size + len(datagram), judge_datagram(expectation, datagram))


def judge_datagram(expectation: Expectation | None, datagram: bytes) -> Verdict:
    """Return the verdict on one datagram. Without an expectation every answer is good, an empty one too."""
    if not datagram:
        answered = "answered with an empty datagram"
        return (
            Verdict(True, answered) if expectation is None else Verdict(False, f"{answered}; expected at least 1 byte")
        )
    verdict = judge(expectation or Expectation(Match.ANYTHING), datagram, is_complete=True)
    assert verdict is not None
    return verdict


def verdict_of(heard: Heard) -> Verdict | None:
    """Return the verdict if it is certain before the check's limit, else None: the check listens on."""
    if heard.last is None or heard.last.is_good:
        return heard.last
    if heard.count < DATAGRAMS_MAX and heard.size < RECEIVED_BYTES_MAX:
        return None
    return Verdict(False, f"{heard.last.reason}; that was the last of {heard.count} datagrams, no more are read")


def verdict_late(heard: Heard, limit_s: float) -> Verdict:
    """Return the verdict of a check that its limit ended."""
    if heard.last is None:
        return Verdict(False, f"no answer within {limit_s:g} s")
    count = f"; that was the last of {heard.count} datagrams" if heard.count > 1 else ","
    return Verdict(False, f"{heard.last.reason}{count} within {limit_s:g} s")

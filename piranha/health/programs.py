"""What a checking program (`send_program`) is started with, and what its end means for the real server (engine.md 4.5).

Good is: it ended by itself within the limit, with exit status 0, and its whole output, without the line end behind it,
is the expected text. Nothing else is good, whatever it printed: the original took a program that failed for a good one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from piranha.config.model import Address
from piranha.health.check import Check, Verdict, excerpt, judge

HOST_MARK, PORT_MARK = b"%h", b"%p"
OUTPUT_MAX = 64 * 1024
"""Bytes of output; a program that says more is killed."""
COMPLAINT_MAX = 1024
"""Bytes that are kept of what it says on standard error."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `status`: its exit status, negative: the signal that ended it.

    `is_late`, `said_too_much`: it was killed because of that.
    """

    status: int
    output: bytes
    complaint: bytes = b""
    took_s: float = 0.0
    is_late: bool = False
    said_too_much: bool = False


def words_of(program: Sequence[bytes], address: Address, port: int) -> tuple[bytes, ...]:
    """Return the argument vector: words that are exactly %h or %p are the real server's address and port."""
    marks = {HOST_MARK: str(address).encode(), PORT_MARK: str(port).encode()}
    return tuple(marks.get(word, word) for word in program)


def verdict_of(check: Check, ended: Ended) -> Verdict:
    """Return what the end of a check's program means."""
    if ended.is_late:
        return Verdict(False, f"the program did not end within {check.limit_s:g} s and was killed")
    if ended.said_too_much:
        return Verdict(False, f"the program said more than {OUTPUT_MAX} bytes and was killed")
    said = ended.output.rstrip(b"\r\n")
    if ended.status:
        how = f"exited with status {ended.status}" if ended.status > 0 else f"was ended by signal {-ended.status}"
        after = f" after {excerpt(said)}" if said else ""
        lines = ended.complaint.split(b"\n")
        complaint = next((line for line in reversed(lines) if line.strip()), b"")
        return Verdict(False, f"the program {how}{after}{f': {excerpt(complaint)}' if complaint else ''}")
    if not said:
        return Verdict(False, "the program said nothing")
    verdict = judge(check.expect, said, is_complete=True)
    assert verdict is not None
    return Verdict(verdict.is_good, f"the program {verdict.reason}")

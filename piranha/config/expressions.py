"""Whether the expected text of a check is a regular expression, and if not, where it stops being one.

The expression is RE2's syntax over bytes, made of the text with its escapes translated, as the checks read it.
"""

from bisect import bisect_right
from dataclasses import dataclass

import re2

from piranha.config.escapes import translate
from piranha.config.values import shown

LONGEST = 1000
"""Bytes of an expression. The originals kept 254; far longer ones are nobody's, and costly to compile."""

ANY_REPLY = "*"
"""The text that every reply is good for, as a regular expression too: the original's library left the star out."""


@dataclass(frozen=True, slots=True)
class ExpressionFault:
    """What is wrong with an expression. `position` counts characters of the text as typed, from 1."""

    position: int
    message: str
    advice: str


def expression_fault(text: str) -> ExpressionFault | None:
    """Return what is wrong with the text of `expect` as a regular expression, None if nothing is."""
    if text == ANY_REPLY:
        return None
    pattern = translate(text)[0]
    if len(pattern) > LONGEST:
        message = f"This regular expression has {len(pattern)} bytes; at most {LONGEST} are compiled."
        return ExpressionFault(1, message, "Shorten it, or untick the box: then the text is compared as it is.")
    problem = _problem(pattern)
    if problem is None:
        return None
    reason, _, piece = problem.partition(b": ")
    place = _place(pattern, piece)
    position = _typed_place(text, place)
    rest = shown(text[position : position + 20])
    return ExpressionFault(
        position + 1,
        f"This is no regular expression: {reason.decode('latin-1')} at character {position + 1}"
        + (f', "{rest}".' if rest else "."),
        "Mend it, or untick the box: then the reply must begin with the text as it is.",
    )


def compiled(pattern: bytes) -> "re2._Regexp":
    """Return the expression as the checks search with it. Raises re2.error.

    As regcomp(REG_EXTENDED) has it: bytes, a dot is any of them, ^ and $ are the ends of the whole answer.
    """
    if len(pattern) > LONGEST:
        raise re2.error(b"it is too long")
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = True
    options.log_errors = False
    return re2.compile(pattern, options=options)


def _problem(pattern: bytes) -> bytes | None:
    try:
        compiled(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        return reason if isinstance(reason, bytes) else str(reason).encode("latin-1", "replace")
    return None


def _place(pattern: bytes, piece: bytes) -> int:
    """Return where the fault is: at the piece that RE2 names, else behind the longest beginning that is all right."""
    if piece and piece != pattern and piece in pattern:
        return pattern.index(piece)
    return max(length for length in range(len(pattern)) if _problem(pattern[:length]) is None)


def _typed_place(text: str, place: int) -> int:
    """Return which character of the typed text became the byte at a place: an escape is two characters, one byte."""
    # A longer beginning never becomes fewer bytes; trying all of them would take minutes for a long text.
    return bisect_right(range(len(text) + 1), place, key=lambda length: len(translate(text[:length])[0])) - 1

"""How a line of lvs.cf falls into words, as the original tokenizer splits it, and leniently (reference 1.1).

A quoted word with a blank in it ends at the first matching quote after its first blank; one without must be the last
thing on the line. Backslashes mean nothing here.
"""

import re
from dataclasses import dataclass

MOST_WORDS = 99
"""Words of a line that the originals keep."""

_ORIGINAL = re.compile(
    r"""
      "[^ \t]*[ \t][^"]*"      # a blank inside: up to the first quote behind it
    | '[^ \t]*[ \t][^']*'
    | "[^ \t]*"\Z              # no blank inside: the quote must end the line
    | '[^ \t]*'\Z
    | [^ \t"'][^ \t]*
    """,
    re.VERBOSE,
)
_BLANKS_BEHIND = re.compile(r"""("[^ \t]*")[ \t]+\Z|('[^ \t]*')[ \t]+\Z""")
_QUOTE_NOT_LAST = re.compile(r"""("[^" \t]*")(?=[ \t])|('[^' \t]*')(?=[ \t])""")
_NOT_BLANK = re.compile(r"[^ \t]")


@dataclass(frozen=True, slots=True)
class Word:
    """A word without its quotes; `start` and `end` are its place in the line, quotes included.

    `is_lenient`: the originals call the line badly quoted because of this word.
    """

    text: str
    start: int
    end: int
    quote: str = ""
    is_lenient: bool = False


@dataclass(frozen=True, slots=True)
class BadQuoting:
    """A quote that nothing closes; `words` stand before it."""

    start: int
    words: tuple[Word, ...]


def words_of(line: str, start: int = 0, *, is_strict: bool = False) -> tuple[Word, ...] | BadQuoting:
    """Return the words of a line (without its line end) from a place on.

    Strictly, what follows the 99th word is dropped, and a quote the originals refuse is BadQuoting.
    """
    words: list[Word] = []
    found = _NOT_BLANK.search(line, start)
    while found is not None:
        place = found.start()
        word = _word_at(line, place, is_strict)
        if word is None:
            return BadQuoting(place, tuple(words))
        words.append(word)
        if is_strict and len(words) == MOST_WORDS:
            break
        found = _NOT_BLANK.search(line, word.end)
    return tuple(words)


def _word_at(line: str, place: int, is_strict: bool) -> Word | None:
    found = _ORIGINAL.match(line, place)
    if found is not None:
        return _word(found.group(), place, found.end(), is_lenient=False)
    if is_strict:
        return None
    for lenient in (_BLANKS_BEHIND, _QUOTE_NOT_LAST):
        found = lenient.match(line, place)
        if found is not None:
            text = found[1] or found[2]
            return _word(text, place, place + len(text), is_lenient=True)
    return None


def _word(text: str, start: int, end: int, *, is_lenient: bool) -> Word:
    if text[0] in "\"'":
        return Word(text[1:-1], start, end, text[0], is_lenient)
    return Word(text, start, end)

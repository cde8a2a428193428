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
_QUOTED_BEFORE_COMMENT = re.compile(r"""("[^" \t]*"|'[^' \t]*')[ \t]+(?=#)""")
_PIECE = re.compile(r"[^ \t]+")
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


def words_of(
    line: str, start: int = 0, *, is_strict: bool = False, comment_after: int = 0
) -> tuple[Word, ...] | BadQuoting:
    """Return the words of a line (without its line end) from a place on.

    Strictly, what follows the 99th word is dropped, and a quote the originals refuse is BadQuoting. `comment_after`: so
    many words may be followed by a comment (0: there are none), in which quotes mean nothing.
    """
    words: list[Word] = []
    found = _NOT_BLANK.search(line, start)
    while found is not None:
        place = found.start()
        if words and len(words) >= comment_after > 0 and line[place] == "#":
            words += [Word(piece.group(), piece.start(), piece.end()) for piece in _PIECE.finditer(line, place)]
            break
        word = _word_at(line, place, is_strict, has_comments=comment_after > 0)
        if word is None:
            return BadQuoting(place, tuple(words))
        words.append(word)
        if is_strict and len(words) == MOST_WORDS:
            break
        found = _NOT_BLANK.search(line, word.end)
    return tuple(words)


def _word_at(line: str, place: int, is_strict: bool, *, has_comments: bool = False) -> Word | None:
    found = _ORIGINAL.match(line, place)
    if has_comments and line[place] in "\"'" and (found is None or line[found.end() :].strip(" \t")):
        # The originals would find more words behind this one and refuse the line: `"a" # was "b"` has a comment.
        before = _QUOTED_BEFORE_COMMENT.match(line, place)
        if before is not None:
            return _word(before[1], place, before.end(1), is_lenient=True)
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

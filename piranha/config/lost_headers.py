"""Lines that look like the beginning of a block and begin none: a misspelt word, a forgotten brace, an = too many.

Such a line is worse than any other that cannot be read: what belongs to its block is read as part of what is around.
"""

import difflib
import re

from piranha.config.values import shown

_KINDS = ("virtual", "failover", "server")
_ALIKE = 0.8
"""How much of a word must be right: sever and vritual are meant to be something, service is a word of its own."""
_ALIKE_WITH_BRACE = 0.7
"""The same where a { follows, which no other line has."""
_LONGEST_WORD = 20
_FIRST_WORD = re.compile(r"[ \t]*([A-Za-z]+)")
_COMMENT = re.compile(r"(?<=[ \t{])#")
_KIND_AND_NAME = re.compile(r"[A-Za-z]+[ \t=:]+([^ \t={}(\"'#]+)[ \t]*[{(\[]?[ \t]*(?:#.*)?")


def opens(line: str) -> bool:
    """Say whether a line (without its line end) has a { at its end, or before a comment."""
    return _COMMENT.split(line, maxsplit=1)[0].rstrip(" \t").endswith("{")


def is_lost_header(line: str) -> bool:
    """Say whether a line that is no setting was meant to begin a block."""
    return opens(line) or bool(_kind(line))


def is_lost_setting(line: str, keyword: str) -> bool:
    """Say whether a setting of something that is no keyword here was meant to begin a block: virtual=web {."""
    return keyword in _KINDS or opens(line)


def advice_for(line: str) -> str:
    """Return what to write instead of such a line, and what became of the lines behind it."""
    kind, found = _kind(line), _KIND_AND_NAME.fullmatch(line)
    if kind and found is not None:
        write = f"Write {kind} {shown(found[1])} {{"
    else:
        write = f"Write {kind or 'virtual or server'} NAME {{ on a line, then what belongs to it, then }} on a line"
    return f"{write}; what follows was read as if it belonged to what is around it."


def _kind(line: str) -> str:
    """Return the word that the first word of a line is, or is a misspelling of; "" if it is none."""
    found = _FIRST_WORD.match(line)
    if found is None:
        return ""
    word = found[1].lower()
    alike = _ALIKE_WITH_BRACE if opens(line) else _ALIKE
    near = difflib.get_close_matches(word, _KINDS, 1, alike) if len(word) <= _LONGEST_WORD else []
    return near[0] if near else ""

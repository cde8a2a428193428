"""Text -> the man macros of roff: escapes, one sentence a line, lines of the source that stay short."""

import re
from collections.abc import Iterable

_WIDTH = 80
_SENTENCE = re.compile(r"(?<=[.!?:;])\s+(?=[A-Z0-9%\\*(])")
_LITERAL = re.compile(r"`([^`]+)`")
_ESCAPES = str.maketrans(
    {"\\": r"\e", "-": r"\-", "~": r"\(ti", "^": r"\(ha", '"': r"\(dq", "'": r"\(aq", "`": r"\(ga"}
)


def literal(text: str) -> str:
    """Return a text as it is to be typed: every character itself, none a typographic one."""
    return text.translate(_ESCAPES)


def prose(text: str) -> str:
    """Return sentences as roff, each on lines of its own; what stands in backquotes is literal and bold."""
    return "\n".join(_lines(text))


def paragraph(text: str) -> str:
    """Return a paragraph of prose."""
    return f".PP\n{prose(text)}"


def entry(term: str, text: str, *, width: int | None = None) -> str:
    """Return a tagged paragraph; the term is literal and bold. `width`: how far the text is indented."""
    return f".TP{'' if width is None else f' {width}'}\n\\fB{literal(term)}\\fR\n{prose(text)}"


def section(title: str, *parts: str) -> str:
    """Return a section with its parts."""
    return "\n".join([f'.SH "{title}"', *parts])


def subsection(title: str, *parts: str) -> str:
    """Return a part of a section with a title of its own."""
    return "\n".join([f'.SS "{title}"', *parts])


def example(text: str) -> str:
    """Return lines that are shown as they are, indented."""
    return "\n".join([".RS 4", ".nf", *(_guarded(literal(line)) for line in text.splitlines()), ".fi", ".RE"])


def indented(parts: Iterable[str]) -> str:
    """Return parts moved to the right, beneath the entry before them."""
    return "\n".join([".RS", *parts, ".RE"])


def _lines(text: str) -> list[str]:
    lines: list[str] = []
    for sentence in _SENTENCE.split(text):
        # A literal is never broken: neither here, nor by roff at a blank or with a hyphen.
        whole = _LITERAL.sub(lambda found: found[0].replace(" ", chr(0)), sentence)
        line = ""
        for word in map(_marked_up, whole.split()):
            if line and len(line) + 1 + len(word) > _WIDTH:
                lines.append(line)
                line = ""
            line = f"{line} {word}" if line else _guarded(word)
        lines.append(line)
    return lines


def _marked_up(word: str) -> str:
    pieces = []
    for number, piece in enumerate(word.split("`")):
        if number % 2:
            pieces.append(f"\\%\\fB{literal(piece).replace(chr(0), chr(92) + ' ')}\\fR")
        else:
            # In prose an apostrophe may be a curved one; a hyphen of a word stays one.
            pieces.append(piece.replace("\\", r"\e"))
    return "".join(pieces)


def _guarded(line: str) -> str:
    """Keep a line from being read as a macro."""
    return f"\\&{line}" if line.startswith((".", "'")) else line

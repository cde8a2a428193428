"""A second, small reader of lvs.cf for tests: lines and blocks only, written without the code that it judges.

It knows what begins and ends a block and what is a comment. What a line says it does not know: two readings are equal
when every line of every block is the same text.
"""

import re
from dataclasses import dataclass, field

from piranha.config.document import Document
from piranha.config.path import BlockPath

_SERVICE = re.compile(r"[ \t]*(virtual|failover)(?=[ \t{\"'])")
_SERVER = re.compile(r"[ \t]*(server)(?=[ \t{\"'])")
_OPENS_WITHOUT_EQUALS = re.compile(r"[ \t]*\w+(?![ \t]*=)(?:[ \t][^#\n]*)?\{[ \t]*(?:#.*)?")
_LONE_BRACE = re.compile(r"[ \t]*\{[ \t]*(#.*)?")
_CLOSE = re.compile(r"[ \t]*(\}([ \t].*)?|\"\}\"[ \t]*|'\}'[ \t]*)")
_BRACE_AND_COMMENT = re.compile(r"\{[ \t]*(#|$)")
_FIRST_WORD = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_]*)(?=[ \t=]|$)")
_ALIASES = {"debug": "debug_level", "heatbeart": "heartbeat"}


@dataclass
class Reading:
    """A block, or the whole file: kind ("" for the file), header, lines as they stand, inner blocks."""

    kind: str = ""
    header: tuple[str, ...] = ()
    lines: list[str] = field(default_factory=list)
    blocks: list["Reading"] = field(default_factory=list)

    def at(self, places: tuple[int, ...]) -> "Reading":
        """Return the inner block at these indices."""
        return self.blocks[places[0]].at(places[1:]) if places else self

    def strip(self) -> None:
        """Forget the indentation, here and inside."""
        self.header = tuple(line.strip(" \t") for line in self.header)
        self.lines = [line.strip(" \t") for line in self.lines]
        for block in self.blocks:
            block.strip()

    def take(self, keywords: set[str]) -> dict[str, list[str]]:
        """Remove and return this block's own lines that begin with one of the keywords."""
        taken: dict[str, list[str]] = {keyword: [] for keyword in keywords}
        kept = []
        for line in self.lines:
            keyword = self._keyword(line)
            if keyword in taken:
                taken[keyword].append(line)
            else:
                kept.append(line)
        self.lines = kept
        return taken

    def _keyword(self, line: str) -> str:
        found = _FIRST_WORD.match(line)
        if found is None or _OPENS_WITHOUT_EQUALS.fullmatch(line):
            return ""  # no setting: the beginning of a block that was lost
        return _ALIASES.get(found[1], found[1]) if not self.kind else found[1]


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with plain line ends; a last line without end is one too."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def comments_of(text: str) -> list[str]:
    """Return the comment lines of a text, in order."""
    return [line for line in lines_of(text) if line.lstrip(" \t").startswith("#")]


def read(text: str) -> Reading:
    """Read a text with plain line ends."""
    lines = lines_of(text)
    top = Reading()
    opened = [top]
    place = 0
    while place < len(lines):
        line = lines[place]
        place += 1
        if not line.strip(" \t") or line.lstrip(" \t").startswith("#"):
            continue
        for expression, depth in ((_SERVICE, 1), (_SERVER, 2)):
            found = expression.match(line)
            end = _end_of_header(lines, place - 1) if found else 0
            if found is not None and end:
                # What cannot hold the new block ends here, brace or none; a server may also stand at the top.
                del opened[depth:]
                inner = Reading(found[1], tuple(lines[place - 1 : end]))
                if opened[-1].kind == "server":
                    opened.pop()
                opened[-1].blocks.append(inner)
                opened.append(inner)
                place = end
                break
        else:
            if _CLOSE.fullmatch(line):
                if len(opened) > 1:  # else it closes nothing, and means nothing
                    opened.pop()
            else:
                opened[-1].lines.append(line)
    return top


def _end_of_header(lines: list[str], place: int) -> int:
    """Return the index behind the header that begins at a line, 0 if there is no brace for it."""
    if _BRACE_AND_COMMENT.search(lines[place]):
        return place + 1
    if "{" in lines[place]:
        return 0 if "}" in lines[place].rpartition("{")[2] else place + 1
    for later in range(place + 1, len(lines)):
        if _LONE_BRACE.fullmatch(lines[later]):
            return later + 1
        if lines[later].strip(" \t") and not lines[later].lstrip(" \t").startswith("#"):
            return 0
    return 0


def places_of(document: Document, path: BlockPath) -> tuple[int, ...]:
    """Return the indices that lead to a block of a document."""
    return tuple(document.blocks(path[:depth]).index(path[: depth + 1]) for depth in range(len(path)))


def changed_lines(old: str, new: str) -> tuple[list[str], list[str]]:
    """Return the lines between the longest common beginning and the longest common end: of the old, of the new."""
    before, after = lines_of(old), lines_of(new)
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return before[start : len(before) - end], after[start : len(after) - end]

"""The parts of a parsed lvs.cf: blocks, their headers and statements, each with its place.

Offsets are those of the plain text (`document.plain_text`), lines and columns count from 1.
"""

from piranha.config.fields import Scope
from piranha.config.oddities import Oddity


class Statement:
    """One line with a keyword. `start` and `end` bound the line with its line end.

    `keyword` is the one meant (an alias is resolved), `written_keyword` the one that stands there; both are "" on a
    line that is no statement at all. `value` is the text without quotes, the words of a two-word value with one blank
    between; None where there is none. `value_start` and `value_end` bound it, quotes included.
    `is_bad`: the line cannot be understood, and `value` is its text as it stands.
    """

    __slots__ = (
        "end",
        "is_bad",
        "keyword",
        "keyword_start",
        "line",
        "oddities",
        "start",
        "value",
        "value_end",
        "value_start",
        "written_keyword",
    )

    def __init__(self, start: int, end: int, line: int, keyword_start: int, keyword: str) -> None:
        self.start = start
        self.end = end
        self.line = line
        self.keyword_start = keyword_start
        self.keyword = keyword
        self.written_keyword = keyword
        self.value: str | None = None
        self.value_start = keyword_start + len(keyword)
        self.value_end = self.value_start
        self.is_bad = False
        self.oddities: tuple[Oddity, ...] = ()

    @property
    def column(self) -> int:
        """Return where the keyword stands."""
        return self.keyword_start - self.start + 1

    @property
    def value_column(self) -> int:
        """Return where the value stands."""
        return self.value_start - self.start + 1


class Header:
    """The first line of a block, or its first lines if the brace follows later.

    `name_start` and `name_end` bound the name, quotes included. `is_bad`: old readers and ours disagree about it.
    """

    __slots__ = ("column", "end", "is_bad", "line", "name", "name_end", "name_start", "oddities", "start")

    def __init__(self, start: int, end: int, line: int, column: int) -> None:
        self.start = start
        self.end = end
        self.line = line
        self.column = column
        self.name = ""
        self.name_start = self.name_end = start
        self.is_bad = False
        self.oddities: tuple[Oddity, ...] = ()


class Block:
    """A block with its statements and inner blocks, in file order; the whole file is one too (without header).

    `close_start` is where the closing line begins, None if it is missing; `end` is behind all that belongs to it.
    `number` counts it among its siblings of the same kind and name, from 1. `values` has all lines of a keyword.
    """

    __slots__ = (
        "blocks",
        "close_start",
        "end",
        "header",
        "number",
        "oddities",
        "scope",
        "start",
        "statements",
        "values",
    )

    def __init__(self, scope: Scope, header: Header | None) -> None:
        self.scope = scope
        self.header = header
        self.start = header.start if header else 0
        self.end = header.end if header else 0
        self.close_start: int | None = None
        self.number = 1
        self.statements: list[Statement] = []
        self.blocks: list[Block] = []
        self.values: dict[str, list[Statement]] = {}
        self.oddities: list[Oddity] = []

    @property
    def name(self) -> str:
        """Return the block's name, "" for the whole file."""
        return self.header.name if self.header else ""

    def effective(self, keyword: str) -> Statement | None:
        """Return the statement that counts: the last one with this keyword."""
        statements = self.values.get(keyword)
        return statements[-1] if statements else None

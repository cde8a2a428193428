"""Long lists, a page at a time: which rows are shown, what is said of the rest, and how a link leads back there.

Rule 1: what is not shown is counted: "51-100 of 1,000".
Rule 2: page and search stand in the address (GET), so that they survive an action, a link that is sent, a session that
        ended; nothing of it is kept on the server.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import request, url_for

from piranha.web.texts import _

Row = TypeVar("Row")

ROWS = 50
"""Of a page, if nothing else is said."""
TEXT_MAX = 100
"""Characters that are looked for."""
SEARCH_FROM = 10
"""A list of fewer rows is seen at a glance: it has no search."""
TEXT_LINES_MAX = 100
TEXT_CHARACTERS_MAX = 20_000
"""Of a text that may have any length."""
STATUSES = ("up", "down")
_MARK = "PATH"


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some of the rows that match. `first` is the number of the first one, from 1 (0: there is none).

    `number` is the page's, of `pages`; `in_all` how many rows there are, whether they match or not.
    """

    rows: Sequence[Row]
    first: int
    matching: int
    in_all: int
    number: int
    pages: int

    @property
    def last(self) -> int:
        """Return the number of the last row, 0 if there is none."""
        return self.first + len(self.rows) - 1 if self.rows else 0

    @property
    def has_search(self) -> bool:
        """Say whether the list is so long that it is searched."""
        return self.in_all > SEARCH_FROM

    @property
    def words(self) -> str:
        """Return which rows these are, of how many."""
        if not self.rows:
            return _("None of %(all)s.", all=f"{self.in_all:,}")
        shown = f"{self.first:,}-{self.last:,}" if self.last > self.first else f"{self.first:,}"
        if self.matching == self.in_all:
            return _("%(shown)s of %(all)s.", shown=shown, all=f"{self.in_all:,}")
        count, found = f"{self.in_all:,}", f"{self.matching:,}"
        return _("%(shown)s of %(found)s that were found, of %(all)s in all.", shown=shown, found=found, all=count)


def page_of(rows: Sequence[Row], wanted: str | int, in_all: int | None = None, size: int = ROWS) -> Page[Row]:
    """Return a page of the rows that match. `wanted` is its number as somebody wrote it; one that is none is the first,
    one behind the last is the last. `in_all`: how many rows there are without the search.
    """
    pages = max(1, -(-len(rows) // size))
    number = min(pages, max(1, number_of(wanted)))
    start = (number - 1) * size
    shown = rows[start : start + size]
    return Page(shown, start + 1 if shown else 0, len(rows), len(rows) if in_all is None else in_all, number, pages)


def number_of(wanted: str | int) -> int:
    """Return the number that somebody wrote, 1 for what is none."""
    text = str(wanted).strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 1


def page_with(place: int, size: int = ROWS) -> int:
    """Return the page on which a row stands, by its place from 0."""
    return place // size + 1


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first lines of a text. `left_out`: how many lines of it are not shown whole; 0: all of it is."""

    text: str
    left_out: int


def beginning(text: str) -> Beginning:
    """Return as much of a text as a page shows: TEXT_LINES_MAX lines, TEXT_CHARACTERS_MAX characters."""
    lines = text.splitlines(keepends=True)
    shown = "".join(lines[:TEXT_LINES_MAX])
    if len(shown) <= TEXT_CHARACTERS_MAX:
        return Beginning(shown, max(0, len(lines) - TEXT_LINES_MAX))
    cut = shown[:TEXT_CHARACTERS_MAX]
    return Beginning(f"{cut}…", len(lines) - cut.count("\n"))


@dataclass(frozen=True, slots=True)
class Listed(Generic[Row]):
    """A row as it is searched: `text` is everything that finds it, without case."""

    row: Row
    text: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for in one list: words that a row must all have, and "up" or "down", "" for both, as configured.

    `name` begins the names of its arguments, so that an address can carry the place in one list inside the place in
    another.
    """

    name: str
    text: str
    status: str
    page: str

    @property
    def is_on(self) -> bool:
        """Say whether not every row matches."""
        return bool(self.text or self.status)

    def found(self, listed: Iterable[Listed[Row]]) -> list[Row]:
        """Return the rows that match."""
        words, is_active = self.text.casefold().split(), {"up": True, "down": False}.get(self.status)
        return [
            each.row
            for each in listed
            if (is_active is None or each.is_active is is_active) and all(word in each.text for word in words)
        ]

    def args(self, page: int | None = None) -> dict[str, Any]:
        """Return the arguments that lead to this place, or to another page of the same search."""
        told = {"text": self.text, "status": self.status, "page": self.page if page is None else str(page)}
        if told["page"] == "1":
            del told["page"]
        return {f"{self.name}{word}": text for word, text in told.items() if text}


def search_of(name: str = "") -> Search:
    """Return what this request's address says of the list with this name."""
    text = " ".join(request.args.get(f"{name}text", "")[:TEXT_MAX].split())
    status = request.args.get(f"{name}status", "")
    page = str(number_of(request.args.get(f"{name}page", "1")))
    return Search(name, text, status if status in STATUSES else "", page)


class AddressOf:
    """The addresses of one page about many blocks: to build each of them anew would cost more than the row it is in.

    `argument` is the one that carries the path of the block, `kept` are the others.
    """

    def __init__(self, endpoint: str, argument: str, kept: dict[str, Any]) -> None:
        arguments: dict[str, Any] = {argument: _MARK, **kept}
        self._before, _, self._after = url_for(endpoint, **arguments).partition(_MARK)

    def __call__(self, quoted: str) -> str:
        """Return the address of the page about the block of this path, which is quoted for addresses."""
        return f"{self._before}{quoted}{self._after}"

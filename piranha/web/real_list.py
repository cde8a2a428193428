"""The rows of the list of the real servers of one virtual server, a page of them, ready to be printed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from piranha.config.document import Document
from piranha.config.edits import Part
from piranha.config.path import BlockPath
from piranha.status import ServerStatus
from piranha.web import blocks
from piranha.web.blocks import Block
from piranha.web.paging import AddressOf, Listed, Search, page_of
from piranha.web.panels import status_part
from piranha.web.places import in_virtual_servers
from piranha.web.standings import Standing, checked, configured, not_told

_KEYWORDS = ("active", "address", "port", "weight")


@dataclass(frozen=True, slots=True)
class Row:
    """A real server. The last three are addresses of pages."""

    title: str
    status: Standing
    is_active: bool
    health: Standing
    address: str
    port: str
    weight: str
    token: str
    to_edit: str
    to_status: str
    to_delete: str


def words(document: Document, virtual: Block, search: Search) -> dict[str, Any]:
    """Return what the template prints of the list: the page of the real servers that are looked for.

    `own` are the arguments of the page that say which list it is.
    """
    there = blocks.paths_inside(document, virtual.steps, "server")
    page = page_of(search.found(_listed(document, there)) if search.is_on else there, search.page, len(there))
    shown = [blocks.block(document, steps, _KEYWORDS) for steps in page.rows]
    _virtuals, live = blocks.live([each.path for each in shown])
    outer = in_virtual_servers().args()
    pages = ("real_servers.show", "real_servers.set_status", "real_servers.ask_delete")
    addresses = [AddressOf(endpoint, "server", {**outer, **search.args(page.number)}) for endpoint in pages]
    token = cache(document.token)  # of real servers inside one of several with one name, each has the whole block's
    rows = [_row(document, each, live.get(each.path), token, addresses) for each in shown]
    return {"rows": rows, "page": page, "search": search, "own": {"virtual": virtual.path, **outer}}


def _row(
    document: Document,
    each: Block,
    live: ServerStatus | None,
    token: Callable[[Part], str],
    addresses: list[AddressOf],
) -> Row:
    path = each.path
    quoted = quote(path, safe="")
    return Row(
        each.title,
        configured(each.values["active"]),
        each.is_active,
        checked(live.health) if live is not None and live.is_active else not_told(),
        each.values["address"] or "0.0.0.0",
        each.values["port"] or "",
        each.values["weight"] or "1",
        token(blocks.pinned(document, status_part(path))),
        *(address(quoted) for address in addresses),
    )


def _listed(document: Document, there: Iterable[BlockPath]) -> Iterator[Listed[BlockPath]]:
    """Yield real servers as they are searched: by name, address and port."""
    for steps in there:
        each = blocks.block(document, steps, ("active", "address", "port"))
        port = each.values["port"] or ""
        text = "\n".join((each.title, each.address, port, f"{each.address}:{port}"))
        yield Listed(steps, text.casefold(), each.is_active)

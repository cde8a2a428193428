"""The rows of the list of virtual servers, a page of them, ready to be printed.

Everything that a row needs is put together here and not in the template: a call from there costs more than all of it.
What the file alone says of a virtual server is kept as long as the file is the same.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from piranha.config.document import Document
from piranha.config.path import BlockPath
from piranha.status import VirtualServerStatus
from piranha.web import blocks
from piranha.web.client import Understood
from piranha.web.paging import AddressOf, Listed, Search, page_of
from piranha.web.panels import status_part
from piranha.web.standings import Standing, configured, not_told
from piranha.web.texts import _

_KEYWORDS = ("active", "address", "vip_nmask", "port", "protocol")


@dataclass(frozen=True, slots=True)
class Told:
    """What lvs.cf says of a virtual server. `servers` is how many real servers it has, `quoted` its path in addresses.

    `token` is that of what Activate and Deactivate concern.
    """

    path: str
    quoted: str
    token: str
    title: str
    status: Standing
    is_active: bool
    address: str
    netmask: str
    port: str
    protocol: str
    device: str
    servers: str


@dataclass(frozen=True, slots=True)
class Row:
    """A virtual server: what lvs.cf says, how it runs, and the addresses of pages about it."""

    told: Told
    standings: list[Standing]
    to_edit: str
    to_servers: str
    to_status: str
    to_delete: str


def words(understood: Understood, search: Search) -> dict[str, Any]:
    """Return what the template prints of the list: the page of the virtual servers that are looked for."""
    document = understood.loaded.document
    listed = understood.once("virtual servers", lambda: _listed(document))
    known = understood.once("rows of virtual servers", dict[BlockPath, Told])
    page = page_of(search.found(listed), search.page, len(listed))
    for steps in page.rows:
        if steps not in known:
            known[steps] = _told(document, steps)
    shown = [known[steps] for steps in page.rows]
    live, _servers = blocks.live([each.path for each in shown])
    place = search.args(page.number)
    pages = (
        "virtual_servers.show",
        "real_servers.show_all",
        "virtual_servers.set_status",
        "virtual_servers.ask_delete",
    )
    addresses = [AddressOf(endpoint, "virtual", place) for endpoint in pages]
    rows = [
        Row(each, _standings(live.get(each.path)), *(address(each.quoted) for address in addresses)) for each in shown
    ]
    return {"rows": rows, "page": page, "search": search, "place": place}


def _told(document: Document, steps: BlockPath) -> Told:
    each = blocks.block(document, steps, _KEYWORDS)
    path, mask = each.path, each.values["vip_nmask"]
    return Told(
        path,
        quote(path, safe=""),
        document.token(blocks.pinned(document, status_part(path))),
        each.title,
        configured(each.values["active"]),
        each.is_active,
        each.address or "0.0.0.0",
        mask if mask and mask != "0.0.0.0" else "Unused",
        each.values["port"] or "n/a",
        each.values["protocol"] or "tcp",
        each.device or "–",
        f"{len(blocks.names_inside(document, steps, 'server')):,}",
    )


def _standings(live: VirtualServerStatus | None) -> list[Standing]:
    """Return how the checks find its real servers, or why it is not served, and what else is not as it should be."""
    if live is None or not live.is_active:
        return [not_told()]
    found = [Standing("down", "✖", _("refused"), live.refused) if live.refused else _health(live)]
    if live.differs:
        found.append(Standing("down", "✖", _("not as lvs.cf asks"), live.differs))
    if live.address_trouble:
        found.append(Standing("down", "✖", _("its address"), live.address_trouble))
    return found


def _health(live: VirtualServerStatus) -> Standing:
    up, active = live.counts.up, live.counts.servers - live.counts.inactive
    if not active:
        return Standing("undef", "–", _("no server"))
    told = _("%(up)s of %(all)s up", up=f"{up:,}", all=f"{active:,}")
    if up == active:
        return Standing("active", "●", told)
    return Standing("down", "▲" if up else "✖", told)


def _listed(document: Document) -> list[Listed[BlockPath]]:
    """Return the virtual servers as they are searched: by name, address, port, protocol, device and firewall mark."""
    found = []
    for steps in blocks.paths_inside(document, (), "virtual"):
        each = blocks.block(document, steps, ("active", "address", "port", "protocol", "fwmark"))
        port, protocol, mark = (each.values[keyword] or "" for keyword in ("port", "protocol", "fwmark"))
        told = (each.title, each.address, each.device, port, f"{each.address}:{port}", protocol or "tcp")
        text = "\n".join((*told, f"mark {mark}") if mark else told)
        found.append(Listed(steps, text.casefold(), each.is_active))
    return found

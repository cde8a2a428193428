"""Where in the lists of virtual servers and of real servers somebody is: page and search, carried by every link.

An address deep in the panels carries both places, so that CANCEL, an action, a link that is sent lead back there.
"""

from typing import Any

from flask import url_for

from piranha.web.paging import Search, page_with, search_of

SERVERS = "server_"
"""What the arguments of the inner list begin with; those of the outer one have plain names."""


def in_virtual_servers() -> Search:
    """Return the place in the list of virtual servers."""
    return search_of()


def in_servers() -> Search:
    """Return the place in the list of the real servers of one virtual server."""
    return search_of(SERVERS)


def kept() -> dict[str, Any]:
    """Return the arguments that say both places."""
    return {**in_virtual_servers().args(), **in_servers().args()}


def list_of_virtual_servers(count: int | None = None) -> str:
    """Return the address of the list of virtual servers: of the place there, or of the last of `count` rows."""
    search = in_virtual_servers() if count is None else _last_of("", count)
    return url_for("virtual_servers.show_all", **search.args())


def list_of_real_servers(virtual: str, count: int | None = None) -> str:
    """Return the address of the list of real servers of a virtual server: of the place, or of the last of `count`."""
    search = in_servers() if count is None else _last_of(SERVERS, count)
    places = {**in_virtual_servers().args(), **search.args()}
    return url_for("real_servers.show_all", virtual=virtual, **places)


def _last_of(name: str, count: int) -> Search:
    """Return the place of the last row, which a search might not find."""
    return Search(name, "", "", str(page_with(max(0, count - 1))))

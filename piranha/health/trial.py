"""A check as it would be with values that nobody saved: the same reading of the same texts as lvs.cf gets.

Rule: a value that could not be saved is refused by keyword, as a save refuses it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from piranha.config.fields import Scope, ValueFault, field
from piranha.config.model import FloatingAddress, HostName, Protocol, RealServer, VirtualServer
from piranha.config.values import Value, host_of
from piranha.errors import EditRefused

CHECK_KEYWORDS = ("send", "expect", "use_regex", "send_program", "protocol", "port", "timeout")
"""What a virtual server says of its checks."""
SERVER_KEYWORDS = ("address", "port")
Present = Callable[[str], str | None]
"""What lvs.cf says of a keyword, None for nothing."""

_FIELDS: Mapping[str, tuple[str, Callable[[Value], Any]]] = {
    "send": ("send", lambda value: value),
    "expect": ("expect", lambda value: value),
    "send_program": ("send_program", lambda value: value),
    "use_regex": ("uses_regex", bool),
    "protocol": ("protocol", lambda value: Protocol(str(value))),
    "port": ("port", lambda value: value),
    "timeout": ("timeout_s", lambda value: value),
}


def with_values(virtual: VirtualServer, values: Mapping[str, str | None], present: Present) -> VirtualServer:
    """Return a virtual server as it would be with these texts of keywords. Raises EditRefused."""
    changes: dict[str, Any] = {}
    for keyword, text in values.items():
        if keyword not in CHECK_KEYWORDS:
            raise EditRefused(virtual.id, keyword, f"{keyword!r:.40} does not belong to a check.")
        name, meaning = _FIELDS[keyword]
        changes[name] = meaning(_read(Scope.VIRTUAL, virtual.id, keyword, text, present))
    if "port" in changes:
        changes["servers"] = tuple(
            each if each.has_own_port else replace(each, port=changes["port"]) for each in virtual.servers
        )
    changed = replace(virtual, **changes)
    if changed.key is None:
        # A check needs no virtual IP address, and can be tried before there is one.
        changed = replace(changed, address=FloatingAddress(HostName("none"), ""))
    return changed


def with_server_values(
    virtual: VirtualServer, server: RealServer, values: Mapping[str, str | None], present: Present
) -> RealServer:
    """Return a real server as it would be with these texts of keywords. Raises EditRefused."""
    for keyword, text in values.items():
        if keyword not in SERVER_KEYWORDS:
            raise EditRefused(virtual.id, keyword, f"{keyword!r:.40} does not belong to the check of a real server.")
        value = _read(Scope.SERVER, virtual.id, keyword, text, present)
        if keyword == "address":
            server = replace(server, address=host_of(value))
        else:
            has_own = isinstance(value, int)
            server = replace(server, has_own_port=has_own, port=value if isinstance(value, int) else virtual.port)
    return server


def unsaved_server(virtual: VirtualServer) -> RealServer:
    """Return a real server that is not in lvs.cf: it has no address yet."""
    return RealServer("The real server", "", None, True, virtual.port, False, 1)


def _read(scope: Scope, path: str, keyword: str, text: str | None, present: Present) -> Value:
    """Return what a text means, or (None) the keyword's default. Raises EditRefused."""
    row = field(scope, keyword)
    assert row is not None
    if text is None:
        value = row.read(row.default) if row.default is not None else None
        assert not isinstance(value, ValueFault), f"the default of {keyword} is no value"
        return value
    read = row.read_typed(text, present(keyword))
    if isinstance(read, ValueFault):
        raise EditRefused(path, keyword, f"{read.message} {read.advice}".rstrip())
    return read

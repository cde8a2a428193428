"""Which client is on which real server: what a person asks becomes a choice, and the data path answers.

Rule: an answer is bounded. What could not be understood is refused with the name of its field; nothing is guessed.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Protocol, runtime_checkable

from piranha.config.model import Address
from piranha.errors import EditRefused
from piranha.ipvs.table import DataPath
from piranha.messages import (
    CONNECTION_STATES,
    CONNECTIONS_MAX,
    CONNECTIONS_SHOWN,
    TEMPLATE,
    ClientConnection,
    ConnectionsAnswer,
    ConnectionsQuery,
)
from piranha.status import Source
from piranha.system.boot import monotonic, wall
from piranha.system.ipvs_connections import Connection, Connections, Wanted
from piranha.system.ipvs_socket import KernelUnavailable

PORT_MAX = 65535
MARK_MAX = 0xFFFFFFFF
_ECHO_MAX = 60
_MARK = re.compile(r"(?:fw)?mark[ =:]*([0-9]{1,10})|fwm *([0-9]{1,10})", re.IGNORECASE)


@runtime_checkable
class TellsConnections(Protocol):
    """A data path that knows its connections."""

    async def connections(self, wanted: Wanted, shown_max: int) -> Connections:
        """Return the wanted ones. Raises KernelUnavailable."""
        ...


class QueryRefused(EditRefused):
    """A question about connections that cannot be understood; `keyword` is the field."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__("", field, sentence)


async def asked(path: DataPath, query: ConnectionsQuery) -> ConnectionsAnswer:
    """Return the connections that somebody asks for. Raises QueryRefused."""
    wanted, limit = choice(query), limit_of(query.limit)
    began = monotonic()
    source = f"{path.name} data path"
    if not isinstance(path, TellsConnections):
        sentence = f"The {source} does not tell its single connections; CONTROL/MONITORING has their numbers."
        return ConnectionsAnswer((), 0, 0, False, limit, Source(source, None), wall(), sentence)
    try:
        found = await path.connections(wanted, limit)
    except KernelUnavailable as unavailable:
        return ConnectionsAnswer((), 0, 0, False, limit, Source(source, None), wall(), str(unavailable))
    return ConnectionsAnswer(
        tuple(map(_told, found.shown)),
        found.matching,
        found.lines,
        found.is_whole,
        limit,
        Source(source, max(0.0, monotonic() - began)),
        wall(),
    )


def choice(query: ConnectionsQuery) -> Wanted:
    """Return what a query chooses. Raises QueryRefused."""
    mark = _mark(query.vip)
    vip, vip_port = (None, None) if mark else _endpoint("vip", query.vip, "198.51.100.1, 198.51.100.1:80 or mark 9")
    server, server_port = _endpoint("server", query.server, "10.0.0.1 or 10.0.0.1:80")
    state = query.state.strip().upper()
    if state and state not in CONNECTION_STATES:
        known = ", ".join(CONNECTION_STATES)
        raise QueryRefused("state", f"There is no state {_short(query.state)}. Choose one of {known}.")
    is_template = state == TEMPLATE
    return Wanted(
        client=_network(query.client),
        virtual=vip,
        virtual_port=vip_port,
        server=server,
        server_port=server_port,
        state="" if is_template else state,
        fwmark=mark,
        templates=True if is_template else False if state else None,
    )


def limit_of(text: str) -> int:
    """Return how many are shown. Raises QueryRefused."""
    if not text.strip():
        return CONNECTIONS_SHOWN
    if re.fullmatch(r"[0-9]{1,6}", text.strip(), re.ASCII) and 1 <= int(text) <= CONNECTIONS_MAX:
        return int(text)
    raise QueryRefused("limit", f"{_short(text)} is not a number from 1 to {CONNECTIONS_MAX}.")


def _network(text: str) -> IPv4Network | IPv6Network | None:
    text = text.strip()
    if not text:
        return None
    try:
        return ip_network(text.strip("[]"), strict=False)
    except ValueError:
        sentence = f"{_short(text)} is no client. Write an address or a network: 192.0.2.7 or 192.0.2.0/24."
        raise QueryRefused("client", sentence) from None


def _endpoint(field: str, text: str, examples: str) -> tuple[Address | None, int | None]:
    """Return address and port of ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; without a port it is any."""
    text = text.strip()
    if not text:
        return None, None
    host, port = text, ""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text, re.DOTALL)
    if bracketed is not None:
        host, port = bracketed[1], bracketed[2] if bracketed[2] is not None else ""
        is_ported = bracketed[2] is not None
    else:
        is_ported = text.count(":") == 1
        if is_ported:
            host, _, port = text.partition(":")
    try:
        address = ip_address(host)
    except ValueError:
        raise QueryRefused(field, f"{_short(text)} is no address. Write it as {examples}.") from None
    if not is_ported:
        return address, None
    if not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII) or int(port) > PORT_MAX:
        raise QueryRefused(field, f"{_short(port)} is no port. Write a number from 0 to {PORT_MAX}.")
    return address, int(port)


def _mark(text: str) -> int:
    found = _MARK.fullmatch(text.strip())
    if found is None:
        return 0
    mark = int(found[1] or found[2])
    if not 0 < mark <= MARK_MAX:
        raise QueryRefused("vip", f"{mark} is no firewall mark. Write a number from 1 to {MARK_MAX}.")
    return mark


def _told(found: Connection) -> ClientConnection:
    virtual = str(found.virtual) if found.virtual is not None else f"firewall mark {found.fwmark}"
    return ClientConnection(
        found.protocol,
        str(found.client.address),
        found.client.port,
        virtual,
        str(found.server),
        TEMPLATE if found.is_template else found.state,
        found.is_template,
        found.expires_s,
    )


def _short(text: str) -> str:
    """Return what was typed as it may stand in a sentence."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text.strip())
    return f'"{text}"' if len(text) <= _ECHO_MAX else f'"{text[:_ECHO_MAX]}..."'

"""The checks of other kinds that piranha.toml names (`config.check_kinds`): how one replaces the check of lvs.cf.

Rhythm, limit, rise and fall stay those of the virtual server; where lvs.cf gives a server no check, it has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from piranha.config.check_kinds import CheckKind, is_ip_address
from piranha.config.model import Protocol
from piranha.health.check import Check, Http, Tls


@dataclass(frozen=True, slots=True)
class Authorities:
    """The bytes of a file with certificates, or why it could not be read."""

    pem: bytes = b""
    trouble: str = ""


def of_kind(check: Check, kind: CheckKind | None, authorities: Mapping[str, Authorities]) -> Check:
    """Return the check that piranha.toml makes of one of lvs.cf; None: it stays, as one by UDP does.

    `authorities`: what was read of each file that a `ca_file` names.
    """
    if kind is None or check.protocol is Protocol.UDP:
        return check
    tls = None if kind.kind == "http" else _tls(check, kind, authorities)
    http = None if kind.kind == "tls" else _http(check, kind)
    return replace(check, send=None, expect=None, program=(), http=http, tls=tls)


def _http(check: Check, kind: CheckKind) -> Http:
    host = kind.host or str(check.address)
    if ":" in host:
        host = f"[{host}]"
    # 1.1, because some proxies answer nothing else; no connection is kept.
    lines = (f"GET {kind.path} HTTP/1.1", f"Host: {host}", "User-Agent: piranha", "Accept: */*", "Connection: close")
    return Http("\r\n".join((*lines, "", "")).encode(), kind.statuses, kind.expect.encode())


def _tls(check: Check, kind: CheckKind, authorities: Mapping[str, Authorities]) -> Tls:
    read = Authorities()
    if kind.verifies and kind.ca_file:
        read = authorities.get(kind.ca_file, Authorities(trouble=f"{kind.ca_file} was not read"))
    return Tls(
        name=(kind.server_name or kind.host or str(check.address)).lower(),
        verifies=kind.verifies,
        verifies_name=kind.verifies and kind.verifies_name,
        authorities=read.pem,
        authorities_file=kind.ca_file if kind.verifies else "",
        trouble=read.trouble,
        warn_days=kind.warn_days if kind.verifies else 0,
    )


def name_to_ask(tls: Tls) -> str | None:
    """Return the name that the handshake asks for (SNI), which is never an IP address (RFC 6066)."""
    return None if is_ip_address(tls.name) else tls.name

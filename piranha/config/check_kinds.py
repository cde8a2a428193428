"""The tables [checks.virtual.NAME] of piranha.toml: checks that lvs.cf has no keyword for, one per virtual server.

NAME is the virtual server's name; the second of the same name is "NAME#2", as in paths. A table with an error does
nothing: then the check of lvs.cf holds, which asks less, and takes no server out that it would not have taken out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Literal

from piranha.config.faults import Severity
from piranha.config.model import Protocol, VirtualServer
from piranha.config.path import parse_block
from piranha.config.sync_settings import host_of
from piranha.config.toml_text import TomlText
from piranha.config.toml_values import Key, ValueProblem, one_of, quoted, whole, word_of, yes_or_no
from piranha.config.values import shown

VIRTUAL = "checks.virtual"
KINDS = ("tls", "http", "https")
EXPECT_BYTES_MAX = 1024
PATH_MAX = 2048
STATUS_LEAST, STATUS_MOST = 200, 599
WARN_DAYS = 14

_STATUS = re.compile(r"\s*([0-9]{3})\s*(?:-\s*([0-9]{3})\s*)?", re.ASCII)
_PATH = re.compile(r"/[!-~]*", re.ASCII)
_USED_BY_HTTP = ("path", "host", "status", "expect")
_USED_BY_TLS = ("server_name", "verify", "verify_name", "ca_file", "warn_days")


@dataclass(frozen=True, slots=True)
class CheckKind:
    """One table [checks.virtual.NAME].

    `kind`: "tls" a TLS handshake, "http" and "https" a request. `path`, `host`: what is asked for; without a `host` it
    is the real server's address. `statuses`: which are good, first and last of each range. `expect`: a text that the
    body has, "": any body. `server_name`: whose certificate it must be; "": `host`, else the real server's address.
    `verifies`: the certificate must be trusted; `verifies_name`: and be for that name. `ca_file`: PEM of the
    authorities that are trusted, "": those of the system. `warn_days`: an end of the certificate within so many days
    is told, 0: none.
    """

    kind: Literal["tls", "http", "https"]
    path: str = "/"
    host: str = ""
    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    expect: str = ""
    server_name: str = ""
    verifies: bool = True
    verifies_name: bool = True
    ca_file: str = ""
    warn_days: int = WARN_DAYS

    def __str__(self) -> str:
        """Return what is checked, in the words of the table."""
        said: list[str] = [self.kind]
        if self.kind != "tls":
            ranges = (f"{first}" if first == last else f"{first}-{last}" for first, last in self.statuses)
            said += [f"path {shown(self.path)}", *([f"host {self.host}"] if self.host else [])]
            said += [f"status {', '.join(ranges)}", *([f"expect {quoted(self.expect)}"] if self.expect else [])]
        if self.kind != "http":
            trust = f"trusted by {shown(self.ca_file)}" if self.ca_file else "trusted by the system"
            said.append(trust if self.verifies else "any certificate")
            if self.verifies:
                name = self.server_name or self.host or "its address"
                said.append(f"for {name}" if self.verifies_name else "for any name")
        return ", ".join(said)


def statuses_of(value: object) -> tuple[tuple[int, int], ...]:
    """Return the ranges of "200-299, 401", or of one number. Raises ValueProblem."""
    advice = f'Write for example "200", "200-299" or "200-299, 401"; from {STATUS_LEAST} to {STATUS_MOST}.'
    parts = str(value).split(",") if isinstance(value, str) or type(value) is int else [""]
    ranges = []
    for part in parts:
        found = _STATUS.fullmatch(part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not STATUS_LEAST <= first <= last <= STATUS_MOST:
            raise ValueProblem(part.strip() or word_of(value), f"{quoted(value)} is no status of HTTP.", advice)
        ranges.append((first, last))
    return tuple(ranges)


def path_of(value: object) -> str:
    """Return the path of a page, with a query or without. Raises ValueProblem."""
    if not isinstance(value, str) or not _PATH.fullmatch(value) or len(value) > PATH_MAX or "#" in value:
        message = f"{quoted(value)} is no path of a page."
        advice = 'Write for example "/health"; blanks and letters beyond ASCII as %20 and the like.'
        raise ValueProblem(word_of(value), message, advice)
    return value


def server_name_of(value: object) -> str:
    """Return a host name or an IP address, in small letters. Raises ValueProblem."""
    return host_of(value).lower()


def ca_file_of(value: object) -> str:
    """Return the path of a file with certificates. Raises ValueProblem."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        advice = 'Write for example "/etc/ssl/certs/our-ca.pem".'
        raise ValueProblem(word_of(value), f"{quoted(value)} is no absolute path of a file.", advice)
    return value


def expect_of(value: object) -> str:
    """Return the text that a body must have. Raises ValueProblem."""
    if not isinstance(value, str) or not 0 < len(value.encode(errors="surrogatepass")) <= EXPECT_BYTES_MAX:
        message = f"{quoted(value)} is no text of 1 to {EXPECT_BYTES_MAX} bytes."
        raise ValueProblem(word_of(value), message, "Write a part of the page, or leave the key out.")
    return value


KIND_KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "kind": Key("kind", one_of(*KINDS)),
        "path": Key("path", path_of),
        "host": Key("host", host_of),
        "status": Key("statuses", statuses_of),
        "expect": Key("expect", expect_of),
        "server_name": Key("server_name", server_name_of),
        "verify": Key("verifies", yes_or_no),
        "verify_name": Key("verifies_name", yes_or_no),
        "ca_file": Key("ca_file", ca_file_of),
        "warn_days": Key("warn_days", whole(0, 365)),
    }
)
"""Every key of [checks.virtual.NAME]."""


def name_of(virtual: VirtualServer) -> str:
    """Return how piranha.toml names a virtual server."""
    step = parse_block(virtual.id)[0]
    return step.name if step.number == 1 else f"{step.name}#{step.number}"


def is_ip_address(host: str) -> bool:
    """Say whether a host is an IP address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def read_kinds(text: TomlText, told: object, virtuals: Sequence[VirtualServer] | None = None) -> dict[str, CheckKind]:
    """Return what the tables below [checks.virtual] say, by name; their faults are noted in `text`.

    `told`: what `virtual` in [checks] is. `virtuals`: those of lvs.cf, where it is to be seen whether both files fit.
    """
    if not isinstance(told, dict):
        advice = f"Write [{VIRTUAL}.NAME] on its own line, with the name of the virtual server."
        text.note(Severity.ERROR, "toml-value", "checks", "virtual", "virtual", "virtual is no table.", advice)
        return {}
    known = None if virtuals is None else {name_of(each): each for each in virtuals}
    found = {}
    for name, table in told.items():
        kind = _read_one(text, name, table)
        if kind is not None:
            found[name] = kind
        if known is not None:
            _look_beside(text, name, known)
    return found


def _read_one(text: TomlText, name: str, table: Any) -> CheckKind | None:
    where, faults_before = f"{VIRTUAL}.{name}", len(text.faults)
    if not isinstance(table, dict):
        message, advice = f"The check of {quoted(name)} is no table.", f"Write [{VIRTUAL}.NAME] on its own line."
        text.note(Severity.ERROR, "toml-value", VIRTUAL, name, "", message, advice)
        return None
    settings = text.settings({where: table}, where, KIND_KEYS)
    if any(fault.severity is Severity.ERROR for fault in text.faults[faults_before:]):
        return None
    if "kind" not in settings:
        message = f"The check of {quoted(name)} has no kind."
        choices = " or ".join(f'"{each}"' for each in KINDS)
        text.note(Severity.ERROR, "toml-value", VIRTUAL, name, name, message, f"Write kind = {choices}.")
        return None
    kind = CheckKind(**settings)
    useless = {"tls": _USED_BY_HTTP, "http": _USED_BY_TLS, "https": ()}[kind.kind]
    for key in (key for key in table if key in useless):
        message = f'{key} does nothing with kind = "{kind.kind}".'
        text.note(Severity.WARNING, "toml-unknown", where, key, key, message, "Take it out, or choose another kind.")
    return kind


def _look_beside(text: TomlText, name: str, known: Mapping[str, VirtualServer]) -> None:
    if name not in known:
        message = f"lvs.cf has no virtual server {quoted(name)}; its check does nothing."
        names = ", ".join(map(shown, list(known)[:20]))
        advice = f"It has {names}." if names else "Take it out, or add the virtual server."
        text.note(Severity.WARNING, "toml-unknown", VIRTUAL, name, name, message, advice)
    elif known[name].protocol is Protocol.UDP:
        message = f"The virtual server {quoted(name)} is one of UDP; its check here does nothing."
        advice = "Set send and expect in lvs.cf, or a send_program."
        text.note(Severity.WARNING, "toml-unknown", VIRTUAL, name, name, message, advice)

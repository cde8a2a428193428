"""The table [sync] of piranha.toml: how this router reaches its partner by ssh. Each router has its own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any

from piranha.config.toml_text import TomlText
from piranha.config.toml_values import Key, ValueProblem, quoted, whole, word_of

SSH_PORT = 22

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,31}")


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """The table [sync]. `host` "": the address that the partner's heartbeats come from."""

    host: str = ""
    port: int = SSH_PORT
    user: str = "root"


def host_of(value: object) -> str:
    """Return a host name or an IP address. Raises ValueProblem.

    It becomes a word of a command line, so it never begins with "-".
    """
    advice = 'Write for example "router2.example.com" or "192.0.2.12".'
    if not isinstance(value, str):
        raise ValueProblem(word_of(value), f"{quoted(value)} is no text.", advice)
    try:
        ip_address(value)
    except ValueError:
        name = value.removesuffix(".")
        if not 0 < len(name) <= 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
            message = f"{quoted(value)} is no host name and no IP address."
            raise ValueProblem(value, message, advice) from None
        return name
    if "%" in value:
        message = f"{quoted(value)} names a device."
        raise ValueProblem(value, message, "Write an address without a device behind it.")
    return value


def user_of(value: object) -> str:
    """Return the name of a user. Raises ValueProblem. It becomes a word of a command line too."""
    if not isinstance(value, str) or not _USER.fullmatch(value):
        message = f"{quoted(value)} is no name of a user."
        raise ValueProblem(word_of(value), message, 'Write for example "root".')
    return value


SYNC_KEYS: Mapping[str, Key] = MappingProxyType(
    {"host": Key("host", host_of), "port": Key("port", whole(1, 65535)), "user": Key("user", user_of)}
)
"""Every key of [sync]."""


def read_sync(text: TomlText, tables: Mapping[str, Any]) -> SyncSettings:
    """Return what [sync] says; its faults are noted in `text`."""
    return SyncSettings(**text.settings(tables, "sync", SYNC_KEYS))

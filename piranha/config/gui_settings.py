"""The table [gui] of piranha.toml: where the GUI listens, TLS, proxies, sessions. Each router has its own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Any

from piranha.config.faults import Severity
from piranha.config.toml_text import TomlText
from piranha.config.toml_values import Key, ValueProblem, quoted, texts, whole, word_of, yes_or_no

GUI_PORT = 3636
PLAIN_HTTP = "gui-plain-http"
"""The code of the fault that passwords would travel readable: the command line may take it away."""

IDLE_MINUTES = 30
ABSOLUTE_HOURS = 12

_LISTEN = re.compile(r"(?:\[(?P<six>[^\[\]]*)\]|(?P<four>[^:\[\]]*)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Listen:
    """One address and port that the GUI listens on."""

    address: IPv4Address | IPv6Address
    port: int

    def __str__(self) -> str:
        """Return it as it is written: 192.0.2.1:3636 or [2001:db8::1]:3636."""
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"


DEFAULT_LISTEN = (Listen(IPv4Address("127.0.0.1"), GUI_PORT), Listen(IPv6Address("::1"), GUI_PORT))


@dataclass(frozen=True, slots=True)
class GuiSettings:
    """The table [gui]. `proxies`: whose X-Forwarded-For is believed."""

    listen: tuple[Listen, ...] = DEFAULT_LISTEN
    tls_certificate: str = ""
    tls_key: str = ""
    allow_plain_http: bool = False
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    idle_minutes: int = IDLE_MINUTES
    absolute_hours: int = ABSOLUTE_HOURS

    @property
    def has_tls(self) -> bool:
        """Say whether the GUI speaks TLS."""
        return bool(self.tls_certificate)

    @property
    def exposed(self) -> tuple[Listen, ...]:
        """Return the addresses on which passwords would travel readable without anybody having asked for it."""
        if self.has_tls or self.allow_plain_http:
            return ()
        return tuple(each for each in self.listen if not each.address.is_loopback)


def read_gui(text: TomlText, tables: Mapping[str, Any]) -> GuiSettings:
    """Return what [gui] says; its faults are noted in `text`."""
    settings = GuiSettings(**text.settings(tables, "gui", GUI_KEYS))
    table = tables.get("gui")
    written = table if isinstance(table, dict) else {}
    for given, missing in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        if given in written and missing not in written:
            advice = f"Add {missing}; both may be in one file. `piranha tls-init` makes both."
            text.note(Severity.ERROR, "gui-tls-half", "gui", given, given, f"{missing} is missing.", advice)
    # A file whose TLS settings are wrong is told that, not that it has none.
    if "tls_certificate" in written or "tls_key" in written:
        return settings
    for each in settings.exposed:
        message = f"{each} can be reached from other machines, and without TLS passwords travel readable."
        advice = "Make a certificate with `piranha tls-init`, or accept that with allow_plain_http = true."
        text.note(Severity.ERROR, PLAIN_HTTP, "gui", "listen", str(each), message, advice)
    return settings


def listen_of(value: object) -> Listen:
    """Return the address and port that a text names. Raises ValueProblem."""
    advice = 'Write for example "127.0.0.1:3636" or "[::1]:3636".'
    found = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueProblem(word_of(value), f"{quoted(value)} is no address with a port.", advice)
    try:
        address = IPv6Address(found["six"]) if found["six"] is not None else IPv4Address(found["four"])
    except ValueError:
        message = f"{quoted(value)} has no IP address in front of its port."
        raise ValueProblem(word_of(value), message, advice) from None
    if not 1 <= int(found["port"]) <= 65535:
        message = f"{quoted(value)} has a port that there is not."
        raise ValueProblem(word_of(value), message, "Write one from 1 to 65535.")
    return Listen(address, int(found["port"]))


def _listens(value: object) -> tuple[Listen, ...]:
    listens = tuple(listen_of(each) for each in texts(value, '["127.0.0.1:3636", "[::1]:3636"]'))
    if not listens:
        raise ValueProblem("listen", "The GUI would listen nowhere.", "Name an address, or remove the line.")
    for index, each in enumerate(listens):
        if each in listens[:index]:
            raise ValueProblem(str(each), f"{each} stands there twice.", "Remove one.")
    return listens


def _proxies(value: object) -> tuple[IPv4Network | IPv6Network, ...]:
    proxies = []
    for each in texts(value, '["192.0.2.1"]'):
        try:
            network = ip_network(each)
        except ValueError:
            try:
                ip_address(each.partition("/")[0])
                advice = "Write a network by its first address, for example 192.0.2.0/24."
            except ValueError:
                advice = (
                    "Write addresses or networks, for example 192.0.2.1 or 2001:db8::/64; host names are not taken."
                )
            raise ValueProblem(each, f"{quoted(each)} is no address or network.", advice) from None
        if network.prefixlen == 0:
            raise ValueProblem(each, f"{each} would believe everybody.", "Name the proxies alone.")
        proxies.append(network)
    return tuple(proxies)


def _file(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        advice = 'Write for example "/etc/sysconfig/ha/conf/gui.crt".'
        raise ValueProblem(word_of(value), f"{quoted(value)} is no absolute path of a file.", advice)
    return value


GUI_KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "listen": Key("listen", _listens),
        "tls_certificate": Key("tls_certificate", _file),
        "tls_key": Key("tls_key", _file),
        "allow_plain_http": Key("allow_plain_http", yes_or_no),
        "proxies": Key("proxies", _proxies),
        "idle_minutes": Key("idle_minutes", whole(1, 24 * 60)),
        "absolute_hours": Key("absolute_hours", whole(1, 7 * 24)),
    }
)
"""Every key of [gui]."""

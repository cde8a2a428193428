"""piranha.toml: what only new engines know. So far its table [gui]: where the GUI listens, TLS, proxies, sessions.

A text becomes settings and faults with their places; what is unknown is a warning and does nothing. Whoever needs a
setting decides what an error means: piranha-gui does not start with one.
"""

import difflib
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Any

from piranha.config.faults import Fault, Severity, in_file_order
from piranha.config.values import shown

GUI_PORT = 3636
PLAIN_HTTP = "gui-plain-http"
"""The code of the fault that passwords would travel readable: the command line may take it away."""

IDLE_MINUTES = 30
ABSOLUTE_HOURS = 12

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?")
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


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a piranha.toml says. A setting with an error has its default here."""

    gui: GuiSettings = GuiSettings()
    faults: tuple[Fault, ...] = ()

    @property
    def errors(self) -> tuple[Fault, ...]:
        """Return the faults that are errors."""
        return tuple(fault for fault in self.faults if fault.severity is Severity.ERROR)


def read(raw: bytes) -> Extensions:
    """Return what the bytes of a piranha.toml say, and all their faults."""
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        sentence = "This is not UTF-8, so it is no TOML."
        return Extensions(faults=(Fault(Severity.ERROR, "toml-text", line, 1, "", "", "", sentence, "Write it anew."),))
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        return Extensions(faults=(_of_syntax(text, str(problem)),))
    reader = _Reader(text)
    return Extensions(reader.gui(tables), in_file_order(reader.faults))


class ValueProblem(Exception):
    """A value that cannot stand there: the words that are wrong, what is wrong with them, what to write instead."""

    def __init__(self, word: str, message: str, advice: str) -> None:
        super().__init__(message)
        self.word = word
        self.message = message
        self.advice = advice


def listen_of(value: object) -> Listen:
    """Return the address and port that a text names. Raises ValueProblem."""
    advice = 'Write for example "127.0.0.1:3636" or "[::1]:3636".'
    found = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueProblem(_word(value), f"{_shown(value)} is no address with a port.", advice)
    try:
        address = IPv6Address(found["six"]) if found["six"] is not None else IPv4Address(found["four"])
    except ValueError:
        raise ValueProblem(_word(value), f"{_shown(value)} has no IP address in front of its port.", advice) from None
    if not 1 <= int(found["port"]) <= 65535:
        raise ValueProblem(_word(value), f"{_shown(value)} has a port that there is not.", "Write one from 1 to 65535.")
    return Listen(address, int(found["port"]))


def _listens(value: object) -> tuple[Listen, ...]:
    listens = tuple(listen_of(each) for each in _texts(value, '["127.0.0.1:3636", "[::1]:3636"]'))
    if not listens:
        raise ValueProblem("listen", "The GUI would listen nowhere.", "Name an address, or remove the line.")
    for index, each in enumerate(listens):
        if each in listens[:index]:
            raise ValueProblem(str(each), f"{each} stands there twice.", "Remove one.")
    return listens


def _proxies(value: object) -> tuple[IPv4Network | IPv6Network, ...]:
    proxies = []
    for each in _texts(value, '["192.0.2.1"]'):
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
            raise ValueProblem(each, f"{_shown(each)} is no address or network.", advice) from None
        if network.prefixlen == 0:
            raise ValueProblem(each, f"{each} would believe everybody.", "Name the proxies alone.")
        proxies.append(network)
    return tuple(proxies)


def _texts(value: object, example: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueProblem(_word(value), "This is no list of texts.", f"Write for example {example}.")
    return value


def _file(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        advice = 'Write for example "/etc/sysconfig/ha/conf/gui.crt".'
        raise ValueProblem(_word(value), f"{_shown(value)} is no absolute path of a file.", advice)
    return value


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueProblem(
            str(value), f"{_shown(value)} is neither true nor false.", "Write one of these, without quotes."
        )
    return value


def _whole(least: int, most: int) -> Callable[[object], int]:
    def read_it(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            message = f"{_shown(value)} is no whole number from {least} to {most}."
            raise ValueProblem(_word(value), message, "Write one, without quotes.")
        return value

    return read_it


def _shown(value: object) -> str:
    return f'"{shown(_word(value))}"'


def _word(value: object) -> str:
    """Return a value as it is probably written."""
    return str(value).lower() if isinstance(value, bool) else str(value)


GUI_KEYS: MappingProxyType[str, Callable[[object], Any]] = MappingProxyType(
    {
        "listen": _listens,
        "tls_certificate": _file,
        "tls_key": _file,
        "allow_plain_http": _yes_or_no,
        "proxies": _proxies,
        "idle_minutes": _whole(1, 24 * 60),
        "absolute_hours": _whole(1, 7 * 24),
    }
)
"""Every key of [gui], and what reads it."""


class _Reader:
    """Reads the tables of one text and notes the faults."""

    def __init__(self, text: str) -> None:
        self._lines = [line.removesuffix("\r") for line in text.split("\n")]
        self.faults: list[Fault] = []

    def gui(self, tables: dict[str, Any]) -> GuiSettings:
        for name in tables:
            if name != "gui":
                message = f"{_shown(name)} is not known here; it does nothing."
                self._note(Severity.WARNING, "toml-unknown", "", name, name, message, _meant(name, ["gui"]))
        table = tables.get("gui", {})
        if not isinstance(table, dict):
            self._note(
                Severity.ERROR, "toml-value", "", "gui", "gui", "gui is no table.", "Write [gui] on its own line."
            )
            return GuiSettings()
        settings = GuiSettings()
        for name, value in table.items():
            if name not in GUI_KEYS:
                message = f"{_shown(name)} is not known in [gui]; it does nothing."
                self._note(Severity.WARNING, "toml-unknown", "gui", name, name, message, _meant(name, list(GUI_KEYS)))
                continue
            try:
                settings = replace(settings, **{name: GUI_KEYS[name](value)})
            except ValueProblem as problem:
                self._note(Severity.ERROR, "toml-value", "gui", name, problem.word, problem.message, problem.advice)
        self._check_together(settings, table)
        return settings

    def _check_together(self, settings: GuiSettings, table: dict[str, Any]) -> None:
        for given, missing in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
            if given in table and missing not in table:
                advice = f"Add {missing}; both may be in one file. `piranha tls-init` makes both."
                self._note(Severity.ERROR, "gui-tls-half", "gui", given, given, f"{missing} is missing.", advice)
        # A file whose TLS settings are wrong is told that, not that it has none.
        if "tls_certificate" in table or "tls_key" in table:
            return
        for each in settings.exposed:
            message = f"{each} can be reached from other machines, and without TLS passwords travel readable."
            advice = "Make a certificate with `piranha tls-init`, or accept that with allow_plain_http = true."
            self._note(Severity.ERROR, PLAIN_HTTP, "gui", "listen", str(each), message, advice)

    def _note(self, severity: Severity, code: str, table: str, key: str, word: str, message: str, advice: str) -> None:
        line, column = self._place(table, key, word)
        text = self._lines[line - 1] if line else ""
        self.faults.append(Fault(severity, code, line, column, table, key, text, message, advice))

    def _place(self, table: str, key: str, word: str) -> tuple[int, int]:
        """Return line and column of a word behind its key, else of the key; (1, 1) where the text hides even that."""
        present = ""
        written = re.compile(rf"""\s*(?:{re.escape(table)}\s*\.\s*)?["']?({re.escape(key)})["']?\s*[.=]""")
        for number, line in enumerate(self._lines, start=1):
            header = _HEADER.fullmatch(line)
            if header is not None:
                present = header[1].strip("\"' ")
                if not table and present.split(".")[0].strip("\"' ") == key:
                    return number, line.index("[") + 1
            found = written.match(line)
            if found is not None and present in (table, ""):
                return self._behind(number, found.start(1), found.end(1), word)
        return 1, 1

    def _behind(self, number: int, start: int, end: int, word: str) -> tuple[int, int]:
        """Look for the word from the key's end on, over the lines of a list, up to the next key."""
        for later, line in enumerate(self._lines[number - 1 :], start=number):
            if later > number and re.match(r"\s*(\[\s*[A-Za-z]|[A-Za-z0-9_.\"'-]+\s*=)", line):
                break
            at = line.find(word, end if later == number else 0) if word else -1
            if at >= 0:
                return later, at + 1
        return number, start + 1


def _meant(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name[:100], known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are {', '.join(known)}."


def _of_syntax(text: str, told: str) -> Fault:
    found = _PLACE.search(told)
    lines = text.split("\n")
    line, column = (int(found[1]), int(found[2])) if found and found[1] else (len(lines), len(lines[-1]) + 1)
    message = f"This is no TOML: {_PLACE.sub('', told)}."
    advice = "Correct it; as long as it stands there, nothing of this file can be read."
    shown = lines[line - 1] if line <= len(lines) else ""
    return Fault(Severity.ERROR, "toml-syntax", line, column, "", "", shown, message, advice)

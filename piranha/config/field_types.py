"""What a keyword of lvs.cf is: scope, type, default, range, words for the person. The rows are in `fields`."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from piranha.config.escapes import translate, with_known_escapes
from piranha.config.model import FloatingAddress, HostName
from piranha.config.values import (
    Read,
    Reading,
    Value,
    ValueFault,
    address_fault,
    character_fault,
    device_fault,
    integer_of,
    interface_fault,
    is_contiguous,
    read_boolean,
    read_host,
    read_host_and_device,
    read_integer,
    read_ipv4,
    read_mask,
    read_port,
    shown,
)


class Scope(StrEnum):
    """Where a keyword may stand."""

    GLOBAL = "global"
    VIRTUAL = "virtual"
    FAILOVER = "failover"
    SERVER = "server"


class FieldType(StrEnum):
    """How the text of a value is read (reference 1.2)."""

    INT = "int"
    BOOL = "bool"
    PORT = "port"
    HOST = "host"
    HOST_DEVICE = "host device"
    IP = "ip"
    MASK = "mask"
    STRING = "string"
    QSTRING = "qstring"
    ENUM = "enum"
    LIST = "list"


class Status(StrEnum):
    """What this program does with a keyword.

    CURRENT: it acts on it. IGNORED: the originals accept it, here it is kept and has no effect. GUI_ONLY: an old GUI
    wrote it, DOCUMENTED_ONLY: a manual names it; the original daemons refuse both, we keep them and never write them.
    """

    CURRENT = "current"
    IGNORED = "ignored"
    GUI_ONLY = "gui only"
    DOCUMENTED_ONLY = "documented only"

    @property
    def is_refused(self) -> bool:
        """Say whether the original daemons refuse the keyword."""
        return self in (Status.GUI_ONLY, Status.DOCUMENTED_ONLY)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values to choose from. `is_extension`: the original daemons refuse the file for it."""

    value: str
    label: str
    help: str = ""
    is_extension: bool = False


_ADDRESSES = frozenset({FieldType.HOST, FieldType.HOST_DEVICE, FieldType.IP})

LONGEST_TEXT = 255
"""Bytes of a text that a person may type (the forms and the manual of the original say 255)."""

LONGEST_NAME = 60
"""Characters of a block's name that a person may type."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """One keyword in the scopes where it means the same.

    `default` is the effective text where the keyword is absent (None: unset); `proposed` what a form offers then, where
    that differs. `low` and `high` bound numbers. `unit` is "seconds" or "". `device_label` is the second label of a
    two-word value. `default_words` says what is in force without the keyword where another keyword decides that. The
    flags are the differences within a type.
    """

    keyword: str
    scopes: frozenset[Scope]
    type: FieldType
    default: str | None
    label: str
    help: str
    low: int | None = None
    high: int | None = None
    choices: tuple[Choice, ...] = ()
    unit: str = ""
    status: Status = Status.CURRENT
    proposed: str | None = None
    device_label: str = ""
    example: str = ""
    default_words: str = ""
    takes_any_number: bool = False
    takes_two: bool = False
    takes_service_names: bool = True
    takes_host_names: bool = True
    takes_ipv6: bool = True
    takes_escapes: bool = False
    is_cut: bool = True
    is_unsigned: bool = False
    names_interface: bool = False
    zero_is_unset: bool = False
    zero_code: str = ""
    bad_code: str = "BADARGUMENT"
    all_ones_is_unset: bool = False

    @property
    def words(self) -> int:
        """Return how many words the value has: two for an address with its device, else one."""
        return 2 if self.type is FieldType.HOST_DEVICE else 1

    @property
    def is_quoted(self) -> bool:
        """Say whether the value is always written in double quotes."""
        return self.type is FieldType.QSTRING

    def read(self, text: str) -> Value | ValueFault:
        """Return the value that a text from the file means, or what is wrong with it. Ranges are `range_fault`'s."""
        read = self.examine(text)
        return read if isinstance(read, ValueFault) else read.value

    def examine(self, text: str) -> Read:
        """Read a text from the file, and tell besides the value how it should have been spelled."""
        match self.type:
            case FieldType.INT:
                return read_integer(text, is_cut=self.is_cut, is_unsigned=self.is_unsigned)
            case FieldType.BOOL:
                return read_boolean(text, takes_any_number=self.takes_any_number, takes_two=self.takes_two)
            case FieldType.PORT:
                return read_port(text) if self.takes_service_names else read_integer(text)
            case FieldType.HOST:
                return read_host(text, zero_code=self.zero_code, zero_is_unset=self.zero_is_unset)
            case FieldType.HOST_DEVICE:
                return read_host_and_device(text)
            case FieldType.IP:
                return read_ipv4(text, self.bad_code)
            case FieldType.MASK:
                return read_mask(text, self.bad_code, all_ones_is_unset=self.all_ones_is_unset)
            case FieldType.ENUM:
                return self._choice(text)
            case FieldType.LIST:
                return Reading(tuple(text.split()), text)
            case FieldType.STRING if text == "" and self.default is not None and self.status is Status.CURRENT:
                warning = f"It is empty, which counts as {self.default} here."
                return Reading(text, self.default, warning, f"Write {self.default}, or remove the line.")
            case _:
                return Reading(text, text)

    def _choice(self, text: str) -> Read:
        if self.keyword == "scheduler" and text == "pcc":
            return Reading("lc", "lc", '"pcc" is the old name of lc.', "Write lc.", "BADARGUMENT")
        for choice in self.choices:
            if choice.value == text:
                if not choice.is_extension:
                    return Reading(text, text)
                warning = f'"{text}" is newer than the original Piranha, which refuses the whole file for it.'
                advice = "Use it only while no router runs the original."
                return Reading(text, text, warning, advice, "BADARGUMENT", is_newer=True)
        known = ", ".join(choice.value for choice in self.choices)
        alike = next((choice.value for choice in self.choices if choice.value == text.lower()), None)
        advice = f"Write {alike}, in lower case." if alike else "Write one of them."
        return ValueFault(f'"{shown(text)}" is not one of: {known}.', advice, "BADARGUMENT")

    def range_fault(self, value: Value, text: str = "") -> ValueFault | None:
        """Say what is wrong with a value that could be read: a number out of range, a netmask with holes, an address
        that nothing can have. `text`: how the value is written, if that is known.
        """
        if isinstance(value, int) and not isinstance(value, bool):
            if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
                written = shown(text) or str(value)
                return ValueFault(f"{written} is out of range.", f"Write {self.range_text}.")
        elif self.type is FieldType.MASK and isinstance(value, IPv4Address) and not is_contiguous(value):
            return ValueFault(
                f"{value} is no netmask: its ones are not all in front.", "Write for example 255.255.255.0."
            )
        elif self.type in _ADDRESSES:
            host = value.host if isinstance(value, FloatingAddress) else value
            if isinstance(host, IPv6Address) and not self.takes_ipv6:
                return ValueFault("Only IPv4 addresses can stand here.", "Write an address such as 192.0.2.10.")
            if isinstance(host, (IPv4Address, IPv6Address)):
                return address_fault(host)
        return None

    @property
    def range_text(self) -> str:
        """Return the range in words, "" if there is none."""
        unit = f" {self.unit}" if self.unit else ""
        if self.low is not None and self.high is not None:
            return f"a whole number from {self.low} to {self.high}{unit}"
        if self.low is not None:
            return f"a whole number of {self.low} or more{unit}"
        return f"a whole number{unit}" if self.type in (FieldType.INT, FieldType.PORT) else ""

    def read_typed(self, text: str, present: str | None = None) -> Value | ValueFault:
        """Return the value of a text that a person wants written into lvs.cf, or why it will not be.

        Stricter than `read`: plain spellings only, in range, no line breaks or control characters, and nothing that
        no spelling in lvs.cf can carry safely (reference 4.3). A text that is what the file says already (`present`)
        is only read: nothing is written for it. An empty text is a value of texts in quotes only; elsewhere, leave
        the keyword out instead.
        """
        if present is not None and text == present:
            return self.read(text)
        fault = character_fault(text) or self._text_fault(text) or self._escape_fault(text)
        if fault is not None:
            return fault
        read = self.examine(text)
        if isinstance(read, ValueFault):
            return read
        return self.range_fault(read.value, text) or self._spelling_fault(text, read) or read.value

    def _text_fault(self, text: str) -> ValueFault | None:
        if len(text.encode("utf-8", "replace")) > LONGEST_TEXT:
            return ValueFault(f"The text is too long: {len(text)} characters.", f"Use at most {LONGEST_TEXT}.")
        if text == "" and not self.is_quoted:
            return ValueFault("A value is missing.", "Write one, or leave the keyword out.")
        if '"' in text:
            return self._quote_fault(text)
        if text != text.strip() and not self.is_quoted:
            return ValueFault("There is a blank before or after the value.", "Remove it.")
        has_blank = " " in text
        if has_blank and self.type not in (FieldType.STRING, FieldType.QSTRING, FieldType.HOST_DEVICE):
            return ValueFault(f'"{shown(text)}" has a blank in it.', "Write one word.")
        return None

    def _escape_fault(self, text: str) -> ValueFault | None:
        """Refuse an escape that means nothing: the original monitor hangs at it for ever."""
        unknown = translate(text)[1] if self.takes_escapes and "\\" in text else ()
        if not unknown:
            return None
        return ValueFault(
            f"{shown(unknown[0])} means nothing, and the original monitor hangs at it.",
            f"Write \\\\ for a backslash: {shown(with_known_escapes(text))}",
        )

    def _quote_fault(self, text: str) -> ValueFault | None:
        """Refuse a double quote that some reader misreads: `\\"` in send and expect, no blank before it, not last."""
        if not self.takes_escapes:
            return ValueFault("There is a double quote in the text.", "Remove it: no line of lvs.cf can carry it here.")
        place = 0
        while place < len(text):
            if text[place] == "\\":
                place += 1
                if text[place : place + 1] == '"':
                    if " " in text[:place]:
                        return ValueFault(
                            "There is a double quote after a blank.",
                            "lvs.cf cannot carry that; shorten the text so that none is needed.",
                        )
                    if place == len(text) - 1:
                        return ValueFault(
                            "The text ends in a double quote.", "lvs.cf cannot carry that; leave the last quote out."
                        )
            elif text[place] == '"':
                return ValueFault(
                    "There is a bare double quote in the text.", 'Write \\" for a double quote, or leave it out.'
                )
            place += 1
        return None

    def _spelling_fault(self, text: str, read: Reading) -> ValueFault | None:
        value = read.value
        if self.type is FieldType.HOST_DEVICE:
            assert isinstance(value, FloatingAddress)
            fault = self._host_fault(value.host, text.partition(" ")[0], read.canonical.partition(" ")[0])
            return fault or device_fault(value.device)
        if self.type is FieldType.HOST:
            return self._host_fault(value, text, read.canonical)
        if self.type is FieldType.STRING and self.choices and all(choice.value != text for choice in self.choices):
            known = ", ".join(choice.value for choice in self.choices)
            return ValueFault(f'"{shown(text)}" is not one of: {known}.', f"Choose one of: {known}.")
        if self.type is FieldType.LIST:
            return ValueFault("This list is obsolete.", "It is kept where it stands and never written anew.")
        if self.type is FieldType.INT and integer_of(text) != value:  # the originals kept a part of it
            return ValueFault(f"{shown(text)} is out of range.", f"Write {self.range_text}.")
        if self.names_interface and (fault := interface_fault(text)):
            return fault
        if text != read.canonical:
            return ValueFault(read.warning or f'"{shown(text)}" is an unusual spelling.', f"Write {read.canonical}.")
        return None

    def _host_fault(self, host: Value, text: str, canonical: str) -> ValueFault | None:
        if isinstance(host, IPv6Address):
            # Both spellings of one IPv6 address are fine; there is no second reader to mislead.
            return None
        if isinstance(host, str) and not self.takes_host_names:
            return ValueFault(
                f'"{shown(text)}" is not an IP address.',
                "Write an address such as 192.0.2.10; names are not looked up.",
            )
        if not isinstance(host, str) and text != canonical:
            return ValueFault(f'"{shown(text)}" means {canonical}.', f"Write {canonical}.")
        return None


def name_fault(name: str) -> ValueFault | None:
    """Say why a block may not be given this name: one word that both the originals and people read alike."""
    fault = character_fault(name)
    if fault is not None:
        return ValueFault(fault.message, "Write one short word.")
    if name == "":
        return ValueFault("A name is missing.", "Write one short word, for example HTTP.")
    if len(name) > LONGEST_NAME:
        return ValueFault(f"The name is too long: {len(name)} characters.", f"Use at most {LONGEST_NAME}.")
    for character in name:
        if character.isspace():
            return ValueFault("There is a blank in the name.", "Write one word; _ may stand for a blank.")
        if character in "{}<>\"'#":
            return ValueFault(f"{character} cannot stand in a name.", "Leave out braces, angle brackets, quotes and #.")
    return None


__all__ = ["Choice", "Field", "FieldType", "HostName", "Scope", "Status", "Value", "ValueFault", "name_fault"]

"""How the text of one value is read: the conversions of the original parser, and what they refuse.

A conversion returns a `Reading` or a `ValueFault`, never an exception. The rules are reference 1.2: integers as C's
strtol reads them with base 0, addresses as inet_aton does. The originals' error class travels along (`code`), so that
strict reading can tell the same as they did.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from piranha.config.model import FloatingAddress, Host, HostName
from piranha.config.service_names import TCP_PORTS

Value = bool | int | str | IPv4Address | IPv6Address | FloatingAddress | tuple[str, ...] | None
"""A value of the model; None is "unset" (`vip_nmask = 0.0.0.0`, `backup = 0.0.0.0`). Host names are str."""


@dataclass(frozen=True, slots=True)
class ValueFault:
    """A text that is no value of its keyword: what is wrong and what to do.

    `code` is the original parser's error class, "" where the original accepted the text. `word` says which word of a
    two-word value is meant (0: the first; 1: the device).
    """

    message: str
    advice: str
    code: str = ""
    word: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as read. `warning` says why the spelling is not the one we write ("" if it is).

    `canonical` is how we would write the value; `code` the error class with which the originals refuse the text.
    `is_newer`: a value that came after the originals, so that the warning is not about its spelling.
    """

    value: Value
    canonical: str
    warning: str = ""
    advice: str = ""
    code: str = ""
    is_newer: bool = False


Read = Reading | ValueFault
Conversion = Callable[[str], Read]

_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?)(?:(0[xX])([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))")
_PLAIN_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_PLAIN_QUAD = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")
_NUMBER_PART = re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,16}|[1-9][0-9]{0,16}")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
_NUMBERS_ONLY = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?")
DEVICE = re.compile(r"[A-Za-z0-9_.@-]{1,15}(?::[A-Za-z0-9_]{1,12})?")
"""A kernel interface name (at most 15 characters) with an optional alias."""

INTEGER_LIMIT = 2**31
_LONG_LIMIT = 2**63
_LONGEST_NUMBER = 30


def integer_of(text: str) -> int | None:
    """Return the number that strtol with base 0 reads from the whole text ("" is 0), or None."""
    if text == "":
        return 0
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    sign, _, hexadecimal, octal, decimal = found.groups()
    digits, base = (hexadecimal, 16) if hexadecimal else (octal, 8) if octal else (decimal, 10)
    # strtol stops at the ends of a 64-bit long; Python must not be asked to read a million digits.
    number = _LONG_LIMIT if len(digits.lstrip("0")) > _LONGEST_NUMBER else int(digits, base)
    return max(-_LONG_LIMIT, -number) if sign == "-" else min(_LONG_LIMIT - 1, number)


def read_integer(text: str, *, is_cut: bool = True, is_unsigned: bool = False) -> Read:
    """Read an integer; `is_cut`: the originals kept its low 32 bits only, `is_unsigned`: and took them without sign.

    What is negative stays so all the same: it has no place in any range of ours.
    """
    number = integer_of(text)
    if number is None:
        return ValueFault(
            f'"{shown(text)}" is not a whole number.', "Write it in plain digits, for example 6.", "INTEXPECTED"
        )
    value = number
    low, high = (0, 2 * INTEGER_LIMIT) if is_unsigned else (-INTEGER_LIMIT, INTEGER_LIMIT)
    if is_cut and not -INTEGER_LIMIT <= number < high:
        value = (number - low) % (2 * INTEGER_LIMIT) + low
    if value != number:
        return Reading(
            value, str(value), f'"{shown(text)}" is too large; 32 bits of it count: {value}.', f"Write {value}."
        )
    if text == str(value):
        return Reading(value, text)
    if text == "":
        reason = "is empty and counts as"
    elif _is_octal(text):
        reason = "is an octal number:"
    else:
        reason = "is too large and counts as" if _PLAIN_INTEGER.fullmatch(text) else "is an unusual spelling of"
    return Reading(value, str(value), f'"{shown(text)}" {reason} {value}.', f"Write {value}.")


def _is_octal(text: str) -> bool:
    return re.fullmatch(r"[+-]?0[0-7]+", text.strip()) is not None


def read_boolean(text: str, *, takes_any_number: bool = False, takes_two: bool = False) -> Read:
    """Read 0 or 1. `takes_any_number`: every number but 0 is 1; `takes_two`: 2 is 0 (a GUI wrote it for "deleted")."""
    read = read_integer(text)
    if isinstance(read, ValueFault):
        return ValueFault(f'"{shown(text)}" is neither 0 nor 1.', "Write 1 for yes or 0 for no.", read.code)
    if read.value in (0, 1):
        return Reading(bool(read.value), read.canonical, read.warning, read.advice)
    if takes_any_number:
        return Reading(True, "1", f'"{shown(text)}" counts as 1.', "Write 1.")
    if takes_two and read.value == 2:
        return Reading(
            False, "0", '"2" marks a deleted server; it counts as 0.', "Write 0, or remove the block.", "BOOLEXPECTED"
        )
    return ValueFault(f'"{shown(text)}" is neither 0 nor 1.', "Write 1 for yes or 0 for no.", "BOOLEXPECTED")


def read_port(text: str) -> Read:
    """Read a port: a number, or the name of a TCP service. The range is no business of the conversion."""
    read = read_integer(text)
    if isinstance(read, Reading):
        return read
    port = TCP_PORTS.get(text)
    if port is None:
        return ValueFault(
            f'"{shown(text)}" is neither a port number nor a service name known here.',
            "Write the number, 1 to 65535.",
            "BADARGUMENT",
        )
    return Reading(port, text)


def ipv4_of(text: str) -> IPv4Address | None:
    """Return the address that inet_aton reads: `10.1` is 10.0.0.1, parts may be octal or hexadecimal."""
    if _PLAIN_QUAD.fullmatch(text):
        try:
            return IPv4Address(text)
        except AddressValueError:
            return None
    parts = text.split(".")
    if len(parts) > 4 or not all(_NUMBER_PART.fullmatch(part) for part in parts):
        return None
    numbers = [integer_of(part) or 0 for part in parts]
    last = numbers.pop()
    if any(number > 255 for number in numbers) or last >= 256 ** (4 - len(numbers)):
        return None
    address = last
    for place, number in enumerate(numbers):
        address += number << (8 * (3 - place))
    return IPv4Address(address)


def read_ipv4(text: str, code: str, *, zero_is_unset: bool = True) -> Read:
    """Read an IPv4 address, no name; `code` is the originals' error class for anything else."""
    address = ipv4_of(text)
    if address is None:
        return ValueFault(
            f'"{shown(text)}" is not an IPv4 address.', "Write four numbers with dots, for example 192.0.2.10.", code
        )
    value = None if zero_is_unset and int(address) == 0 else address
    return _with_spelling(value, text, str(address))


def read_mask(text: str, code: str, *, all_ones_is_unset: bool = False) -> Read:
    """Read a netmask; whether it is contiguous is no business of the conversion. 0.0.0.0 is "unset"."""
    mask = ipv4_of(text)
    if mask is None:
        return ValueFault(f'"{shown(text)}" is not a netmask.', "Write it with dots, for example 255.255.255.0.", code)
    is_unset = int(mask) == 0 or (all_ones_is_unset and str(mask) == "255.255.255.255")
    return _with_spelling(None if is_unset else mask, text, str(mask))


def is_contiguous(mask: IPv4Address) -> bool:
    """Say whether a netmask is ones followed by zeros."""
    inverted = int(mask) ^ 0xFFFFFFFF
    return inverted & (inverted + 1) == 0


def _with_spelling(value: Value, text: str, canonical: str) -> Reading:
    if text == canonical:
        return Reading(value, canonical)
    return Reading(value, canonical, f'"{shown(text)}" means {canonical}.', f"Write {canonical}.")


def read_host(text: str, *, zero_code: str = "", zero_is_unset: bool = False) -> Read:
    """Read an IPv4 address, a host name (left unresolved), or an IPv6 address, which the originals refuse.

    `zero_code`: the error class with which 0.0.0.0 is refused here; `zero_is_unset`: 0.0.0.0 means none.
    """
    address = ipv4_of(text)
    if address is not None:
        if int(address) == 0 and zero_code:
            return ValueFault(
                "0.0.0.0 is no address of a router.", "Write its real address, or remove the line.", zero_code
            )
        return _with_spelling(None if zero_is_unset and int(address) == 0 else address, text, str(address))
    if ":" in text and "%" not in text:
        try:
            address6 = IPv6Address(text)
        except AddressValueError:
            pass
        else:
            return Reading(
                address6,
                str(address6),
                f'"{shown(text)}" is an IPv6 address; the original Piranha refuses the whole file for it.',
                "Use it only while no router runs the original.",
                "BADARGUMENT",
                is_newer=True,
            )
    if _HOST_NAME.fullmatch(text) and not _NUMBERS_ONLY.fullmatch(text):
        return Reading(HostName(text), text)
    if ipv4_of(text.partition("/")[0]) is not None:
        return ValueFault(
            f'"{shown(text)}" is not an address: a netmask does not belong here.',
            "Write the address alone; a netmask has a line of its own.",
            "BADARGUMENT",
        )
    if ":" in text and ipv4_of(text.partition(":")[0]) is not None:
        return ValueFault(
            f'"{shown(text)}" is not an address: a port does not belong here.',
            "Write the address alone.",
            "BADARGUMENT",
        )
    return ValueFault(
        f'"{shown(text)}" is neither an IP address nor a host name.',
        "Write an address such as 192.0.2.10.",
        "BADARGUMENT",
    )


def read_host_and_device(text: str) -> Read:
    """Read two words, an address and the device that carries it. A missing device is "" (old GUIs wrote that)."""
    host_text, _, device = text.partition(" ")
    host = read_host(host_text)
    if isinstance(host, ValueFault):
        return host
    address = host.value
    assert isinstance(address, (str, IPv4Address, IPv6Address))
    floating = FloatingAddress(HostName(address) if isinstance(address, str) else address, device)
    if not device:
        return Reading(floating, host.canonical, host.warning, host.advice, "MISSINGARGS", host.is_newer)
    return Reading(floating, f"{host.canonical} {device}", host.warning, host.advice, host.code, host.is_newer)


def address_fault(host: Host | None) -> ValueFault | None:
    """Say why no machine can be reached at an address: a multicast address, a broadcast, one without its interface.

    0.0.0.0 is no business of this: in some places it means none.
    """
    if host is None or isinstance(host, str) or host == IPv4Address(0):
        return None
    advice = "Write the address of one machine, such as 192.0.2.10."
    if host.is_multicast:
        return ValueFault(f"{host} is a multicast address; no machine has it.", advice)
    if isinstance(host, IPv6Address):
        if host.is_unspecified:
            return ValueFault(":: is no address.", "Write the address of one machine, such as 2001:db8::10.")
        if host.is_link_local:
            message = f"{host} is a link-local address; without its interface it leads nowhere."
            return ValueFault(message, "Write a global address or a unique local one.")
    elif int(host) >> 24 == 0 or int(host) == 0xFFFFFFFF:
        kind = "a broadcast address" if int(host) == 0xFFFFFFFF else "in the network 0.0.0.0/8"
        return ValueFault(f"{host} is {kind}; no machine has it.", advice)
    return None


def host_of(value: Value) -> Host | None:
    """Return a value that `read_host` gave, as the model's type."""
    if value is None or isinstance(value, (IPv4Address, IPv6Address)):
        return value
    assert isinstance(value, str)
    return HostName(value)


def device_fault(device: str) -> ValueFault | None:
    """Say what is wrong with a device that a person types: it must be an alias, `eth0:1`."""
    if not device:
        return ValueFault(
            "The device is missing.", "Write the interface alias that carries the address, for example eth0:1.", word=1
        )
    name, _, alias = device.partition(":")
    if len(name) > 15:
        return ValueFault(
            f'"{shown(name)}" is too long for a device.', "A device name has at most 15 characters.", word=1
        )
    if not DEVICE.fullmatch(device):
        return ValueFault(
            f'"{shown(device)}" is not a device.', "Write interface, colon, number, for example eth0:1.", word=1
        )
    if not alias:
        return ValueFault(
            f'"{shown(device)}" names no alias.', f"Write interface, colon, number, for example {name}:1.", word=1
        )
    return None


def interface_fault(name: str) -> ValueFault | None:
    """Say what is wrong with the name of a network interface, which is no alias."""
    interface, colon, _ = name.partition(":")
    if len(interface) > 15:
        message = f'"{shown(interface)}" is too long for an interface: {len(interface)} characters.'
        return ValueFault(message, "At most 15 are possible.")
    if not DEVICE.fullmatch(name):
        return ValueFault(f'"{shown(name)}" is not an interface.', "Write for example eth0.")
    if colon:
        return ValueFault(f'"{shown(name)}" is an alias; an interface is needed.', f"Write {interface}.")
    return None


def character_fault(text: str) -> ValueFault | None:
    """Say which character no line of lvs.cf may be given by a person: line breaks, control and invisible ones."""
    if text.isascii() and text.isprintable():
        return None
    for place, character in enumerate(text, start=1):
        if character in "\n\r\v\f\x85\u2028\u2029":
            return ValueFault(
                f"There is a line break at character {place}.",
                "Write one line; \\n stands for a line break in Send and Expect.",
            )
        if character == "\t":
            return ValueFault(
                f"There is a tab at character {place}.", "Write \\t for a tab in Send and Expect, or a blank."
            )
        if unicodedata.category(character) in {"Cc", "Cf", "Cs"}:
            return ValueFault(
                f"Character {place} (U+{ord(character):04X}) cannot be printed.",
                "Remove it; use the escapes \\r \\n \\t in Send and Expect.",
            )
    return None


def blank_advice(text: str) -> str:
    """Return what to do about a blank that is none of the language's, "" without one: pasted text is full of them."""
    for character in text:
        if character not in " \t" and (character.isspace() or unicodedata.category(character) == "Cf"):
            return f"Write a plain blank, or none, instead of the character U+{ord(character):04X}."
    return ""


def shown(text: str) -> str:
    """Return a text as it may stand in a message: short, on one line, nothing invisible."""
    short = text if len(text) <= 60 else text[:57] + "..."
    if short.isprintable():
        return short
    return "".join(
        character
        if character.isprintable()
        else f"\\x{ord(character):02x}"
        if ord(character) < 256
        else f"\\u{ord(character):04x}"
        for character in short
    )

"""The language of `.htaccess` files, as far as addresses go: `parse` makes rules of a text, `allows` asks them.

Nothing here touches the disk; `access` reads the files. The measure is Apache with mod_access_compat, mod_authz_core
and mod_authz_host, one file at a time: whom it answers 200 we let in, whom it answers 403 or 500 we refuse
(tests/access compares them). Where Apache understands a line that we do not take, the whole file refuses everybody;
`Cause` lists these.

    Order deny,allow      a matching Allow wins; what matches nothing is allowed
    Order allow,deny      a matching Deny wins; what matches nothing is denied
    Require ip ...        one matching Require is enough; with Order, Allow and Deny both must let the client in
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from piranha.web.client_address import Address, same_host

LINE_BYTES_MAX = 8191
"""Apache refuses a longer line, counted with what backslashes join to it."""

_BLANK = " \t\n\v\f\r"
_WORD = re.compile(r""" "(?:\\["\\]|[^"])*" | '(?:\\['\\]|[^'])*' | [^ \t\n\v\f\r"'][^ \t\n\v\f\r]* """, re.VERBOSE)
_DIGITS = re.compile(r"[0-9]{1,40}")
_ODD = re.compile(r"(^|[:./])(0+[0-9a-f]|\+)", re.IGNORECASE)
_SHOWN_MAX = 80
_KNOWN = "Known are Order, Allow from, Deny from, Require ip, Require all, Satisfy all."


class Cause(StrEnum):
    """Why a line is refused. WRONG is refused by Apache too; each other one we do not take on purpose."""

    WRONG = "not understood"
    NAME = "a host name"
    """Whoever owns the address decides what it is called (reverse DNS), and each request would wait for a server."""
    ENVIRONMENT = "a condition on the environment"
    """It lets in by what the client says of itself."""
    MASK = "a netmask with holes"
    """Read literally 0.0.0.255 matches one address in each network: never what was meant."""
    NUMBER = "an odd number"
    """010 is 10 here and 8 elsewhere, and nobody writes /+8 by intention."""
    PROVIDER = "another kind of Require"
    SECTION = "a section"
    """Such as <Limit GET>, which left every other method open (CVE-2013-6492)."""
    SATISFY = "Satisfy any"
    DIRECTIVE = "another directive"
    """Apache knows many, of modules that we are not."""
    QUOTE = "a quote that is not closed"
    NUL = "a NUL byte"
    """Apache reads nothing behind it on the line."""


class AccessFileError(Exception):
    """A line that cannot be understood. `line` is 1-based; 0 means the file as a whole."""

    def __init__(self, line: int, sentence: str, cause: Cause = Cause.WRONG) -> None:
        super().__init__(f"line {line}: {sentence}" if line else sentence)
        self.line = line
        self.sentence = sentence
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Network:
    """The addresses from `first` to `last`, both included; `first` None means all of both families."""

    first: Address | None = None
    last: Address | None = None

    def holds(self, address: Address) -> bool:
        """Say whether the address is one of them."""
        if self.first is None or self.last is None:
            return True
        if address.version != self.first.version:
            return False
        return int(self.first) <= int(address) <= int(self.last)


EVERYBODY = Network()


@dataclass(frozen=True, slots=True)
class Rules:
    """One file's rules. Without an Order line, `deny,allow` is in force.

    `required`: who the Require lines let in, nobody if it is empty; None if there is no such line.
    """

    allow_wins: bool = True
    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()
    required: tuple[Network, ...] | None = None


def parse(text: str) -> Rules:
    """Return the rules of an access file. Raises AccessFileError at the first line that cannot be understood.

    Directive names and their words are case-insensitive (but for `ip` and `all` after Require), a word may be quoted,
    `#` starts a comment only at the beginning of a line, a backslash before the end of a line joins the next one to
    it, lists accumulate, the last Order counts.
    """
    allow_wins = True
    allow: list[Network] = []
    deny: list[Network] = []
    required: list[Network] | None = None
    for number, line in _logical_lines(text):
        words = _words(number, line)
        match words[0].lower():
            case "order":
                allow_wins = _order(number, words[1:])
            case "allow" | "deny" as directive:
                wanted = allow if directive == "allow" else deny
                wanted.extend(_listed(number, words))
            case "require":
                required = [*(required or ()), *_required(number, line, words[1:])]
            case "satisfy":
                _satisfied(number, words[1:])
            case name if name.startswith("<"):
                raise AccessFileError(number, f"A section such as {shown(words[0])} cannot stand here.", Cause.SECTION)
            case _:
                sentence = f"{shown(words[0])} is not a directive that can stand here. {_KNOWN}"
                raise AccessFileError(number, sentence, Cause.DIRECTIVE)
    return Rules(allow_wins, tuple(allow), tuple(deny), None if required is None else tuple(required))


def allows(rules: Rules, address: Address) -> bool:
    """Say whether the rules let this address in. `::1` is treated like 127.0.0.1."""
    asked = same_host(address)
    if rules.required is not None and not _holds(rules.required, asked):
        return False
    is_allowed = _holds(rules.allow, asked)
    is_denied = _holds(rules.deny, asked)
    return (is_allowed or not is_denied) if rules.allow_wins else (is_allowed and not is_denied)


def _holds(networks: tuple[Network, ...], asked: tuple[Address, ...]) -> bool:
    return any(network.holds(one) for network in networks for one in asked)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Return the lines that say something, as Apache joins them, with the number of the first line of each."""
    lines: list[tuple[int, str]] = []
    held = ""
    began = 1
    last = text.count("\n") + 1
    for number, line in enumerate(text.split("\n"), start=1):
        whole = held + line
        # Without a line end behind it, a backslash joins nothing.
        body = whole.removesuffix("\r")
        if body.endswith("\\") and number < last:
            held = body[:-1]
            continue
        held = ""
        if "\0" in whole:
            raise AccessFileError(began, "There is a NUL byte in this line.", Cause.NUL)
        if len(whole.encode("utf-8", "surrogateescape")) > LINE_BYTES_MAX:
            raise AccessFileError(began, f"The line is longer than {LINE_BYTES_MAX} bytes.")
        said = whole.strip(_BLANK)
        if said and not said.startswith("#"):
            lines.append((began, said))
        began = number + 1
    return lines


def _words(number: int, line: str) -> list[str]:
    """Return the words of a line, quotes taken off; behind a closing quote the next word may begin at once."""
    words: list[str] = []
    rest = line
    while rest:
        found = _WORD.match(rest)
        if found is None:
            raise AccessFileError(number, "A quote is not closed.", Cause.QUOTE)
        word = found[0]
        words.append(word[1:-1] if word[0] in "\"'" else word)
        rest = rest[found.end() :].lstrip(_BLANK)
    return words


def _order(number: int, words: list[str]) -> bool:
    match [word.lower() for word in words]:
        case ["deny,allow"]:
            return True
        case ["allow,deny"] | ["mutual-failure"]:
            return False
        case _:
            raise AccessFileError(number, '"Order" takes one word, deny,allow or allow,deny, without a blank in it.')


def _listed(number: int, words: list[str]) -> list[Network]:
    name = words[0].capitalize()
    if len(words) < 3 or words[1].lower() != "from":
        raise AccessFileError(number, f'"{name}" is followed by "from" and at least one address.')
    return [EVERYBODY if word.lower() == "all" else _network(number, word) for word in words[2:]]


def _required(number: int, line: str, words: list[str]) -> list[Network]:
    if words and words[0].lower() == "not":
        raise AccessFileError(number, '"Require not" lets nobody in by itself. Write "Deny from" for that.')
    match words:
        case ["all", *rest]:
            # Apache takes the rest of the line as it is here: "granted" in quotes is none of the two.
            raw = line.rsplit(None, 1)[-1].lower()
            if len(rest) == 1 and raw in ("granted", "denied"):
                return [EVERYBODY] if raw == "granted" else []
            raise AccessFileError(number, '"Require all" is followed by granted or denied.')
        case ["ip", *rest] if rest:
            return [_network(number, word) for word in rest]
        case ["ip"] | []:
            raise AccessFileError(number, 'Write "Require ip" and at least one address, or "Require all granted".')
        case [kind, *_]:
            advice = 'Write "Require ip 127.0.0.1 ::1". ' if kind == "local" else ""
            sentence = f"{shown(f'Require {kind}')} is not taken. {advice}{_KNOWN}"
            raise AccessFileError(number, sentence, Cause.PROVIDER)
    raise AssertionError("unreachable")


def _satisfied(number: int, words: list[str]) -> None:
    match [word.lower() for word in words]:
        case ["all"]:
            return
        case ["any"]:
            raise AccessFileError(
                number, '"Satisfy any" is not taken: address and password are both needed.', Cause.SATISFY
            )
        case _:
            raise AccessFileError(number, '"Satisfy" is followed by all.')


def _network(number: int, word: str) -> Network:
    base, slash, mask = word.partition("/")
    try:
        if ":" in base:
            return _network_6(base, mask if slash else "128")
        if slash:
            return _network_4(number, word, base, mask)
        if word and set(word) <= set("0123456789."):
            return _partial(word)
    except ValueError:
        sentence = f"{shown(word)} is not an address, a partial address of whole octets, or a network (192.0.2.0/24)."
        raise AccessFileError(number, sentence, Cause.NUMBER if _ODD.search(word) else Cause.WRONG) from None
    if word.lower().startswith("env="):
        raise AccessFileError(number, f"{shown(word)} is not taken: write addresses.", Cause.ENVIRONMENT)
    raise AccessFileError(
        number, f"{shown(word)} is no address. Host names are not taken: write addresses.", Cause.NAME
    )


def shown(word: str) -> str:
    """Return a word of a file in quotes, as a log takes it: short, and nothing in it that drives a terminal."""
    short = word if len(word) <= _SHOWN_MAX else f"{word[:_SHOWN_MAX]}..."
    return '"' + "".join(each if each.isprintable() else ascii(each)[1:-1] for each in short) + '"'


def _network_6(base: str, mask: str) -> Network:
    if "%" in base:
        raise ValueError("a zone")
    address = IPv6Address(base)
    if address.ipv4_mapped is not None:
        raise ValueError("IPv4 in IPv6 clothes")
    network = IPv6Network((int(address), _prefix(mask, 128)), strict=False)
    return Network(network[0], network[-1])


def _network_4(number: int, word: str, base: str, mask: str) -> Network:
    octets = base.split(".")
    if len(octets) != 4:
        raise ValueError("not a whole address")
    low = _number_of(octets)
    if "." in mask:
        parts = mask.split(".")
        if len(parts) != 4:
            raise ValueError("not a netmask")
        bits = _number_of(parts)
        prefix = bits.bit_count()
        if bits != _ones(prefix):
            raise AccessFileError(number, f"{shown(word)} has a netmask with holes in it.", Cause.MASK)
    else:
        prefix = _prefix(mask, 32)
        bits = _ones(prefix)
    return Network(IPv4Address(low & bits), IPv4Address(low & bits | ~bits & 0xFFFFFFFF))


def _ones(prefix: int) -> int:
    return 0xFFFFFFFF << (32 - prefix) & 0xFFFFFFFF


def _prefix(text: str, bits: int) -> int:
    # 0 is refused, as Apache does: "all" is the word for it.
    if _DIGITS.fullmatch(text) is None or text.startswith("0") or not 1 <= int(text) <= bits:
        raise ValueError("not a prefix length")
    return int(text)


def _partial(word: str) -> Network:
    octets = word.removesuffix(".").split(".")
    if len(octets) > 4:
        raise ValueError("too many octets")
    missing = 4 - len(octets)
    low = _number_of([*octets, *["0"] * missing])
    return Network(IPv4Address(low), IPv4Address(low | (1 << 8 * missing) - 1))


def _number_of(octets: list[str]) -> int:
    if not all(_DIGITS.fullmatch(octet) and int(octet) <= 255 for octet in octets):
        raise ValueError("not octets")
    if any(len(octet) > 1 and octet.startswith("0") for octet in octets):
        raise ValueError("a zero in front")
    return int.from_bytes(int(octet) for octet in octets)

"""Who may reach the GUI, by address: the `.htaccess` rules of the manual (2.4), read at every request.

The evaluation is pure: `parse` makes rules of a text, `allows` asks them about an address. `refusal` reads the files
and is the only thing here that touches the disk. Everything that cannot be understood denies (reference 4.3):

    Order deny,allow      a matching Allow wins; what matches nothing is allowed
    Order allow,deny      a matching Deny wins; what matches nothing is denied
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from piranha.paths import Paths

FILE_NAME = ".htaccess"
FILE_BYTES_MAX = 1024 * 1024

Address = IPv4Address | IPv6Address
_LOOPBACK_4 = IPv4Address("127.0.0.1")
_LOOPBACK_6 = IPv6Address("::1")


class AccessFileError(Exception):
    """A line that cannot be understood. `line` is 1-based; 0 means the file as a whole."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(f"line {line}: {sentence}" if line else sentence)
        self.line = line
        self.sentence = sentence


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
    """One file's rules. Without an Order line, `deny,allow` is in force."""

    allow_wins: bool = True
    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()


def parse(text: str) -> Rules:
    """Return the rules of an access file. Raises AccessFileError at the first line that cannot be understood.

    Directive names and their words are case-insensitive, `#` starts a comment only at the beginning of a line, a
    backslash at the end of a line continues it, lists accumulate, the last Order counts.
    """
    allow_wins = True
    allow: list[Network] = []
    deny: list[Network] = []
    for number, line in _logical_lines(text):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        match words[0].lower():
            case "order":
                allow_wins = _order(number, words[1:])
            case "allow" | "deny" as directive:
                wanted = allow if directive == "allow" else deny
                wanted.extend(_networks(number, words))
            case _:
                raise AccessFileError(
                    number,
                    f'"{words[0]}" is not a directive that can stand here. Known are Order, Allow from, Deny from.',
                )
    return Rules(allow_wins, tuple(allow), tuple(deny))


def allows(rules: Rules, address: Address) -> bool:
    """Say whether the rules let this address in. `::1` is treated like 127.0.0.1."""
    asked = same_host(address)
    is_allowed = any(network.holds(one) for network in rules.allow for one in asked)
    is_denied = any(network.holds(one) for network in rules.deny for one in asked)
    return (is_allowed or not is_denied) if rules.allow_wins else (is_allowed and not is_denied)


def same_host(address: Address) -> tuple[Address, ...]:
    """Return the addresses that stand for the same host in a rule: both loopbacks, a mapped IPv4 address as IPv4."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address in (_LOOPBACK_4, _LOOPBACK_6):
        return (_LOOPBACK_4, _LOOPBACK_6)
    return (address,)


def address_of(text: str | None) -> Address | None:
    """Return the address of a client as the server reports it, without an IPv6 zone; None if it is none."""
    try:
        return ip_address((text or "").partition("%")[0])
    except ValueError:
        return None


def files_for(paths: Paths, is_secure: bool) -> tuple[Path, ...]:
    """Return the files whose rules must all allow: the outer one, and for secure pages the inner one too."""
    outer = paths.web / FILE_NAME
    return (outer, paths.web / "secure" / FILE_NAME) if is_secure else (outer,)


def refusal(paths: Paths, client: str | None, is_secure: bool) -> str | None:
    """Return why this client may not reach the page, as a line for the log, or None if it may.

    A file that is not there allows. One that is there and cannot be read or understood denies everybody.
    """
    address = address_of(client)
    for path in files_for(paths, is_secure):
        try:
            with path.open("rb") as file:
                raw = file.read(FILE_BYTES_MAX + 1)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as problem:
            return f"{path}: {problem.strerror}; nobody is let in until it can be read"
        try:
            if len(raw) > FILE_BYTES_MAX:
                raise AccessFileError(0, "the file is too big")
            rules = parse(raw.decode("utf-8", "replace"))
        except AccessFileError as problem:
            place = f"{path}:{problem.line}" if problem.line else f"{path}"
            return f"{place}: {problem.sentence} Nobody is let in until this is corrected"
        if address is None or not allows(rules, address):
            return f"{path}: the rules refuse {client}"
    return None


def _logical_lines(text: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    held = ""
    began = 1
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not held:
            began = number
        if line.endswith("\\"):
            held += line[:-1] + " "
            continue
        lines.append((began, held + line))
        held = ""
    if held:
        lines.append((began, held))
    return lines


def _order(number: int, words: list[str]) -> bool:
    match [word.lower() for word in words]:
        case ["deny,allow"]:
            return True
        case ["allow,deny"] | ["mutual-failure"]:
            return False
        case _:
            raise AccessFileError(number, '"Order" takes one word, deny,allow or allow,deny, without a blank in it.')


def _networks(number: int, words: list[str]) -> list[Network]:
    name = words[0].capitalize()
    if len(words) < 3 or words[1].lower() != "from":
        raise AccessFileError(number, f'"{name}" is followed by "from" and at least one address.')
    return [_network(number, word) for word in words[2:]]


def _network(number: int, word: str) -> Network:
    if word.lower() == "all":
        return EVERYBODY
    try:
        if set(word) <= set("0123456789."):
            partial = _partial(word)
            if partial is not None:
                return partial
        network = ip_network(_checked_mask(word), strict=False)
    except ValueError:
        raise AccessFileError(
            number,
            f'"{word}" is not an address, a partial address of whole octets, or a network. '
            "Host names are not taken: write addresses.",
        ) from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise AccessFileError(number, f'"{word}" is an IPv4 address in IPv6 clothes: write it as IPv4.')
    return Network(network[0], network[-1])


def _checked_mask(word: str) -> str:
    # The library also takes a host mask (0.0.0.255 for /24), which nobody means here.
    base, slash, mask = word.partition("/")
    if slash and "." in mask:
        bits = int(IPv4Address(mask))
        prefix = bits.bit_count()
        if bits != (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF:
            raise ValueError("not a netmask")
        return f"{IPv4Address(base)}/{prefix}"
    return word


def _partial(word: str) -> Network | None:
    octets = word.removesuffix(".").split(".")
    if len(octets) == 4 and not word.endswith("."):
        return None
    if len(octets) > 3 or not all(octet.isdecimal() and len(octet) <= 3 and int(octet) <= 255 for octet in octets):
        raise ValueError("not whole octets")
    if any(len(octet) > 1 and octet.startswith("0") for octet in octets):
        raise ValueError("leading zeros are ambiguous")
    first = ".".join([*octets, *["0"] * (4 - len(octets))])
    last = ".".join([*octets, *["255"] * (4 - len(octets))])
    return Network(IPv4Address(first), IPv4Address(last))

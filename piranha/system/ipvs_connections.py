"""Which client is on which real server: the kernel's connection table, read as a stream and never kept whole.

A template is no connection: it says where a persistent client's next one goes. It has no client port, its client may
be a network (`pmask`), and a mark's has the mark where others have the virtual server's address.
The kernel does not say by which mark a connection came, only for templates.

Source: the lines of /proc/net/ip_vs_conn, with the columns Pro FromIP FPrt ToIP TPrt DestIP DPrt State Expires (and
PEName PEData with a persistence engine). Addresses and ports are hexadecimal, expiry is in seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import islice
from pathlib import Path

from piranha.config.model import Address
from piranha.ipvs.table import DestinationKey
from piranha.system.ipvs_socket import KernelUnavailable

PROC_NET = Path("/proc/net")
SHOWN_MAX = 1000
LINES_MAX = 2_000_000
"""A kernel with more connections than this is read so far and no further: about two seconds."""

_CLOSED_STATES = (b" TIME_WAIT ", b" CLOSE ", b" LAST_ACK ")
_TEMPLATE_STATES = frozenset({b"NONE", b"ASSURED"})
_MARK_PROTOCOL = b"IP"


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection, or a template (`is_template`).

    `protocol`: TCP, UDP, SCTP, or IP for a mark's template. `virtual`: the address and port that the client asked
    for, None for a mark's template, whose mark is `fwmark` (else 0). `state`: the kernel's word, ESTABLISHED, FIN_WAIT
    ...; `expires_s`: how long it is kept if nothing more comes.
    """

    protocol: str
    client: DestinationKey
    virtual: DestinationKey | None
    server: DestinationKey
    state: str
    expires_s: int
    is_template: bool = False
    fwmark: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which connections to show; what is None or empty does not choose. A port of None is any port.

    `client` is a network, a single client being one of its own. `templates`: only these, only the others, or both.
    `living`: without those of TCP that both sides have closed.
    """

    client: IPv4Network | IPv6Network | None = None
    virtual: Address | None = None
    virtual_port: int | None = None
    server: Address | None = None
    server_port: int | None = None
    state: str = ""
    fwmark: int = 0
    templates: bool | None = None
    living: bool = False


@dataclass(frozen=True, slots=True)
class Connections:
    """What was found. `lines` were looked at, `matching` of them are wanted; `is_whole`: the table was read to its
    end. Only the first ones are in `shown`.
    """

    shown: tuple[Connection, ...]
    matching: int
    lines: int
    is_whole: bool


EVERYTHING = Wanted()


def connections(
    wanted: Wanted = EVERYTHING, shown_max: int = SHOWN_MAX, lines_max: int = LINES_MAX, proc_net: Path = PROC_NET
) -> Connections:
    """Return the wanted connections of the kernel's table. It blocks while it reads: call it in a thread.

    Raises KernelUnavailable.
    """
    try:
        with (proc_net / "ip_vs_conn").open("rb") as lines:
            next(lines, b"")
            return among(lines, wanted, shown_max, lines_max)
    except FileNotFoundError:
        raise KernelUnavailable(
            "The kernel has no table of connections: IPVS is not loaded. Load it as root: modprobe ip_vs."
        ) from None
    except OSError as error:
        raise KernelUnavailable(
            f"The kernel's table of connections cannot be read: {error.strerror}. Run pulse as root."
        ) from None


def among(
    lines: Iterable[bytes], wanted: Wanted, shown_max: int = SHOWN_MAX, lines_max: int = LINES_MAX
) -> Connections:
    """Return the wanted ones among lines without the heading. A line that is not understood is passed over."""
    chosen = _Chosen(wanted)
    shown: list[Connection] = []
    matching = count = 0
    is_whole = True
    for line in lines:
        if count == lines_max:
            is_whole = False
            break
        count += 1
        if wanted.living and any(state in line for state in _CLOSED_STATES):
            continue
        words = line.split()
        if len(words) < 9 or not chosen.has(words):
            continue
        if len(shown) < shown_max:
            try:
                shown.append(_connection(words))
            except ValueError:
                continue
        matching += 1
    return Connections(tuple(shown), matching, count, is_whole)


class _Chosen:
    """A choice in the words of the lines, so that most lines need no understanding."""

    def __init__(self, wanted: Wanted) -> None:
        self._client = wanted.client
        self._client_word = b""
        if wanted.client is not None and wanted.client.prefixlen == wanted.client.max_prefixlen:
            self._client, self._client_word = None, _word(wanted.client.network_address)
        self._fixed = [
            (place, word)
            for place, word in (
                (1, self._client_word),
                (3, _word(wanted.virtual) if wanted.virtual is not None else b""),
                (4, _port_word(wanted.virtual_port)),
                (5, _word(wanted.server) if wanted.server is not None else b""),
                (6, _port_word(wanted.server_port)),
                (7, wanted.state.upper().encode("ascii", "replace")),
            )
            if word
        ]
        self._mark = wanted.fwmark
        self._templates = wanted.templates
        self._is_not_a_mark = wanted.virtual is not None

    def has(self, words: list[bytes]) -> bool:
        for place, word in self._fixed:
            if words[place] != word:
                return False
        if self._templates is not None and _is_template(words) is not self._templates:
            return False
        if self._is_not_a_mark and words[0] == _MARK_PROTOCOL:
            return False
        try:
            if self._mark and (words[0] != _MARK_PROTOCOL or _mark(words[3]) != self._mark):
                return False
            return self._client is None or _address(words[1]) in self._client
        except ValueError:
            return False


def _connection(words: list[bytes]) -> Connection:
    protocol = words[0].decode("ascii", "replace")
    is_template = _is_template(words)
    is_marked = words[0] == _MARK_PROTOCOL
    return Connection(
        protocol,
        _place(words[1], words[2]),
        None if is_marked else _place(words[3], words[4]),
        _place(words[5], words[6]),
        words[7].decode("ascii", "replace"),
        int(words[8]),
        is_template,
        _mark(words[3]) if is_marked else 0,
    )


def _is_template(words: list[bytes]) -> bool:
    # Without a client port there is also the data connection that FTP has announced: its state is another.
    return words[2] == b"0000" and words[7] in _TEMPLATE_STATES


def _place(address: bytes, port: bytes) -> DestinationKey:
    return DestinationKey(_address(address), int(port, 16))


def _address(word: bytes) -> Address:
    if b":" in word:
        return IPv6Address(bytes.fromhex(word.decode("ascii").replace(":", "")))
    return IPv4Address(int(word, 16))


def _mark(word: bytes) -> int:
    # It stands in the first 32 bits of an IPv6 address.
    return int(b"".join(islice(word.split(b":"), 2)) if b":" in word else word, 16)


def _word(address: Address) -> bytes:
    if isinstance(address, IPv6Address):
        return address.exploded.encode()
    return b"%08X" % int(address)


def _port_word(port: int | None) -> bytes:
    return b"" if port is None else b"%04X" % port

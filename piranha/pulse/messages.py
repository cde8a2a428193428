"""What pulse and lvs tell each other: one JSON object a line on a Unix socket.

lvs tells what its configuration says about the pair (`Configure`), which addresses the router is to carry (`Carry`),
how the balancer does (`Found`, also its sign of life), and what an operator wants (`Ask`). pulse tells whether the
router is active (`Stand`), when the addresses are as they should be (`Carried`), what became of a question (`Answer`),
and everything that a status shows (`Shown`). Numbers tie an answer to its question. Times are monotonic seconds: both
processes are on one machine.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address

import msgspec

from piranha.config.model import Address
from piranha.ipvs.addresses import Held, RefusedAddress, WantedAddress
from piranha.router_status import RedundancyStatus
from piranha.status import AddressStatus

LINE_BYTES_MAX = 16 * 1024 * 1024


class AddressRow(msgspec.Struct, frozen=True, array_like=True):
    """A floating address as `ipvs.addresses.WantedAddress` has it; `broadcast` "" is none."""

    device: str
    address: str
    prefix_length: int
    label: str
    broadcast: str
    source: str


class RefusedRow(msgspec.Struct, frozen=True, array_like=True):
    """A floating address that no router can carry as it is configured."""

    source: str
    sentence: str
    is_unknown: bool


class ChannelRow(msgspec.Struct, frozen=True, array_like=True):
    """A network for heartbeats: "public" or "private", this router's address there and the partner's."""

    name: str
    own: str
    partner: str


class Configure(msgspec.Struct, frozen=True, tag="configure"):
    """What runs says about the pair.

    `runs`: there is something to balance, and nobody stopped it; `idle_reason`: why not. `partner` is its name for
    people. Times in seconds. `syncs`: connections are synced with the partner.
    """

    number: int
    runs: bool
    idle_reason: str = ""
    is_alone: bool = True
    is_primary: bool = True
    partner: str = ""
    port: int = 539
    channels: tuple[ChannelRow, ...] = ()
    keepalive_s: float = 2.0
    deadtime_s: float = 5.0
    monitors_links: bool = False
    partner_is_original: bool = False
    fails_back: bool = True
    failback_after_s: float = 30.0
    syncs: bool = False
    active_cmd: str = ""
    inactive_cmd: str = ""


class Carry(msgspec.Struct, frozen=True, tag="carry"):
    """The table for these addresses is there; `order` is that of the `Stand` it was made for."""

    number: int
    order: int
    wanted: tuple[AddressRow, ...] = ()
    unusable: tuple[RefusedRow, ...] = ()
    draining: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True, tag="found"):
    """How the balancer does, about once a second. `reason`: why it is not well. `digest` of what runs, hexadecimal."""

    is_well: bool = True
    is_ready: bool = False
    reason: str = ""
    digest: str = ""
    servers_up: int = 0
    servers: int = 0
    virtual_up: int = 0
    virtual: int = 0


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """What an operator wants: a word of `ha.events.Command`."""

    number: int
    command: str


class Stand(msgspec.Struct, frozen=True, tag="stand"):
    """Whether the router is active; if not, why. `number` is that of the `Configure` this answers, 0 for none."""

    number: int
    order: int
    is_active: bool
    reason: str = ""


class Carried(msgspec.Struct, frozen=True, tag="carried"):
    """The addresses are as the `Carry` with this number wants them, as far as the kernel let them."""

    number: int


class Moving(msgspec.Struct, frozen=True, tag="moving"):
    """The addresses are down here for a planned move: tell the partner's sync daemon what it does not know yet."""

    number: int


class Moved(msgspec.Struct, frozen=True, tag="moved"):
    """That is done."""

    number: int


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """What came of an `Ask`, in sentences. `done` False: nothing was done."""

    number: int
    done: bool
    sentences: tuple[str, ...]


class Shown(msgspec.Struct, frozen=True, tag="shown"):
    """What a status shows; `at`: when that was so, monotonic seconds."""

    at: float
    redundancy: RedundancyStatus
    addresses: tuple[AddressStatus, ...] = ()
    troubles: tuple[str, ...] = ()


FromLvs = Configure | Carry | Found | Ask | Moved
FromPulse = Stand | Carried | Answer | Shown | Moving

encode = msgspec.json.Encoder().encode
decode_from_lvs = msgspec.json.Decoder(FromLvs).decode
decode_from_pulse = msgspec.json.Decoder(FromPulse).decode


def rows_of(wanted: Sequence[WantedAddress]) -> tuple[AddressRow, ...]:
    """Return addresses as they travel."""
    return tuple(
        AddressRow(
            each.held.device,
            str(each.held.address),
            each.held.prefix_length,
            each.label,
            str(each.broadcast or ""),
            each.source,
        )
        for each in wanted
    )


def wanted_of(rows: Sequence[AddressRow]) -> tuple[WantedAddress, ...]:
    """Return addresses that travelled. Raises ValueError where one is none."""
    return tuple(
        WantedAddress(
            Held(row.device, ip_address(row.address), row.prefix_length),
            row.label,
            IPv4Address(row.broadcast) if row.broadcast else None,
            row.source,
        )
        for row in rows
    )


def refused_rows_of(refused: Sequence[RefusedAddress]) -> tuple[RefusedRow, ...]:
    """Return refused addresses as they travel."""
    return tuple(RefusedRow(each.source, each.sentence, each.is_unknown) for each in refused)


def refused_of(rows: Sequence[RefusedRow]) -> tuple[RefusedAddress, ...]:
    """Return refused addresses that travelled."""
    return tuple(RefusedAddress(row.source, row.sentence, row.is_unknown) for row in rows)


def addresses_of(words: Sequence[str]) -> frozenset[Address]:
    """Return plain addresses that travelled. Raises ValueError where one is none."""
    return frozenset(ip_address(word) for word in words)

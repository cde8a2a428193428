"""The heartbeat on the wire: the original's 4 bytes, and behind them the trailer of the new engines.

Bytes 0 to 3 are the original's word (engine.md 1.6), 32 bits in the byte order of the sender, little endian from us. An
original partner reads these alone. The trailer follows, all its numbers big endian, whole length 136 bytes:

    offset  bytes  what
         4      4  mark "PIHA"
         8      1  version of the trailer, 1
         9      1  channel it was sent on: 0 public, 1 private
        10      1  state (_STATES)
        11      1  role: 1 primary, 2 backup
        12      2  flags (_FLAGS), one bit each
        14      2  length of the whole datagram, 136 bytes
        16      8  boot nonce of the sender, a random number that is not 0
        24      8  boot nonce of the receiver as the sender last heard it, 0 for none
        32      8  sequence, 1 for the first heartbeat of a boot; the same on all channels
        40      8  highest sequence heard from the receiver's boot, 0 for none
        48      8  sequence of the first heartbeat after the sender last took addresses down, 0 if it never did
        56     32  digest of the configuration that runs, SHA-256
        88      4  keepalive, milliseconds
        92      4  deadtime, milliseconds
        96      2  real servers that are up
        98      2  real servers
       100      2  virtual servers that get traffic
       102      2  virtual servers
       104     32  HMAC-SHA256 of bytes 0 to 103 with the shared key; without a key, with the empty one

Without a key a trailer proves nothing; it only tells. Where one cannot be read then, its first 4 bytes count alone.
"""

import hmac
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType

from piranha.ha.states import Role, State

MARK = b"PIHA"
VERSION = 1
LENGTH = 136
"""Bytes of a heartbeat with a trailer."""
LONGEST = 1472
"""Bytes of the longest datagram that is looked at: one Ethernet frame."""
NO_KEY = b""

_WORD_BYTES = 4
_FIXED = struct.Struct(">4s4B2H5Q32s2I4H")
_SIGNED = _WORD_BYTES + _FIXED.size
_MILLISECONDS_MOST = 2**32 - 1
_COUNT_MOST = 2**16 - 1


class Said(IntEnum):
    """The original's words that we understand."""

    RUNNING = 0xBDADDBDA
    """I am active."""
    STOPPED = 0xADBDDABD
    """I am passive."""
    HOLD = 0xDEAFBABE
    HELD = 0xDEAFDADA
    """I am alive, nothing else."""


STOPME = 0xDEADDADA
OTHER_SERVICE = frozenset({0xBEEFBABE, 0xDEADBEEF})
"""FOS RUNNING and FOS STOPPED."""


class Rejected(StrEnum):
    """Why a datagram does not count. None of them resets a timer or changes a state."""

    TOO_SHORT = "shorter than 4 bytes"
    TOO_LONG = "longer than an Ethernet frame"
    UNKNOWN_WORD = "begins with no known word"
    OTHER_SERVICE = "of failover services, not of lvs"
    STOPME = "an order to stop, which nobody may give this way"
    BARE = "without a trailer, though a key is set"
    TRAILER_LENGTH = "trailer of a wrong length"
    VERSION = "trailer of an unknown version"
    SIGNATURE = "signed with another key, or changed on its way"
    VALUE = "trailer with an impossible value"
    SOURCE = "not from an address of the partner"
    OWN = "sent by this router itself"
    ECHO = "not an answer to this boot of this router"
    OLD = "older than what was heard, or heard before"


class PartnerKind(StrEnum):
    """What kind of router the partner is, by what was heard last."""

    UNKNOWN = "unknown"
    ORIGINAL = "original"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class HealthSummary:
    """How many servers a router sees up, of how many."""

    servers_up: int = 0
    servers: int = 0
    virtual_up: int = 0
    virtual: int = 0


NO_HEALTH = HealthSummary()


@dataclass(frozen=True, slots=True)
class Flags:
    """What a router says of itself beside its state.

    `wants`: its operator wants it to be active. `by_hand`: it hands over because an operator wanted it. `is_ready`: its
    checks have run and its table is computed. `public_up`, `private_up`: its links.
    """

    wants: bool = False
    by_hand: bool = False
    is_ready: bool = False
    public_up: bool = True
    private_up: bool = True


NO_FLAGS = Flags()


@dataclass(frozen=True, slots=True)
class Trailer:
    """What a new engine says beside the original's word, as the module describes. Times in seconds."""

    state: State
    role: Role
    nonce: int
    echo_nonce: int
    sequence: int
    echo_sequence: int
    let_go: int = 0
    is_private: bool = False
    flags: Flags = NO_FLAGS
    digest: bytes = bytes(32)
    keepalive_s: float = 0.0
    deadtime_s: float = 0.0
    health: HealthSummary = NO_HEALTH


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A datagram that could be read.

    `is_big_endian`: the sender's byte order. `trailer` None: an original partner, or (`unread` says why) a trailer that
    cannot be read without the partner's key. `is_authentic`: signed with a key.
    """

    said: Said
    trailer: Trailer | None = None
    is_big_endian: bool = False
    is_authentic: bool = False
    unread: Rejected | None = None

    @property
    def kind(self) -> PartnerKind:
        """Return what kind of router sent it."""
        return PartnerKind.ORIGINAL if self.trailer is None else PartnerKind.NEW


_STATES: Mapping[State, int] = MappingProxyType(
    {
        State.IDLE: 1,
        State.SETTLING: 2,
        State.PASSIVE: 3,
        State.ACTIVE: 4,
        State.YIELDING: 5,
        State.HANDING_OVER: 6,
        State.LINK_FAULT: 7,
        State.INTERNAL_FAULT: 8,
        State.HELD: 9,
    }
)
_ROLES: Mapping[Role, int] = MappingProxyType({Role.PRIMARY: 1, Role.BACKUP: 2})
_STATE_OF = {number: state for state, number in _STATES.items()}
_ROLE_OF = {number: role for role, number in _ROLES.items()}
_WORDS = {int(said): said for said in Said}
_FLAGS = {"wants": 1, "by_hand": 2, "is_ready": 4, "public_up": 8, "private_up": 16}


def encode(heartbeat: Heartbeat, key: bytes = NO_KEY) -> bytes:
    """Return the bytes of a heartbeat: 4 without a trailer, else LENGTH, signed with `key`.

    Raises ValueError if a number of the trailer does not fit its place.
    """
    word = int(heartbeat.said).to_bytes(_WORD_BYTES, "big" if heartbeat.is_big_endian else "little")
    trailer = heartbeat.trailer
    if trailer is None:
        return word
    health = trailer.health
    counts = (health.servers_up, health.servers, health.virtual_up, health.virtual)
    try:
        fixed = _FIXED.pack(
            MARK,
            VERSION,
            int(trailer.is_private),
            _STATES[trailer.state],
            _ROLES[trailer.role],
            sum(bit for name, bit in _FLAGS.items() if getattr(trailer.flags, name)),
            LENGTH,
            trailer.nonce,
            trailer.echo_nonce,
            trailer.sequence,
            trailer.echo_sequence,
            trailer.let_go,
            trailer.digest,
            *(min(round(seconds * 1000), _MILLISECONDS_MOST) for seconds in (trailer.keepalive_s, trailer.deadtime_s)),
            *(min(count, _COUNT_MOST) for count in counts),
        )
    except struct.error as problem:
        raise ValueError(f"A heartbeat cannot say this: {problem}") from None
    if len(trailer.digest) != 32:
        raise ValueError("A digest has 32 bytes.")
    return word + fixed + hmac.digest(key, word + fixed, "sha256")


def decode(raw: bytes, keys: Sequence[bytes] = (), *, is_original: bool = False) -> Heartbeat | Rejected:
    """Return what a datagram says, or why it does not count.

    `keys`: the shared keys that count, the newest first; more than one while a key is changed, and NO_KEY among them
    while the first one is. Without any there is no key. `is_original`: the partner is said to be an original, so the
    first 4 bytes count alone, key or not.
    """
    if len(raw) < _WORD_BYTES:
        return Rejected.TOO_SHORT
    if len(raw) > LONGEST:
        return Rejected.TOO_LONG
    little, big = (int.from_bytes(raw[:_WORD_BYTES], order) for order in ("little", "big"))
    said = _WORDS.get(little) or _WORDS.get(big)
    if said is None:
        if OTHER_SERVICE & {little, big}:
            return Rejected.OTHER_SERVICE
        return Rejected.STOPME if STOPME in (little, big) else Rejected.UNKNOWN_WORD
    is_big_endian = said != little
    if is_original:
        return Heartbeat(said, None, is_big_endian)
    known = tuple(keys) or (NO_KEY,)
    takes_bare = NO_KEY in known
    if raw[_WORD_BYTES : _WORD_BYTES + len(MARK)] != MARK:
        return Heartbeat(said, None, is_big_endian) if takes_bare else Rejected.BARE
    read = _trailer(raw, known)
    if isinstance(read, Rejected):
        return Heartbeat(said, None, is_big_endian, unread=read) if takes_bare else read
    trailer, key = read
    return Heartbeat(said, trailer, is_big_endian, is_authentic=key != NO_KEY)


def _trailer(raw: bytes, keys: Sequence[bytes]) -> tuple[Trailer, bytes] | Rejected:
    """Return the trailer of a datagram and the key that signed it."""
    if len(raw) > _WORD_BYTES + len(MARK) and raw[_WORD_BYTES + len(MARK)] != VERSION:
        return Rejected.VERSION
    if len(raw) != LENGTH:
        return Rejected.TRAILER_LENGTH
    signed, signature = raw[:_SIGNED], raw[_SIGNED:]
    # Every key is tried, so that the time tells nothing of which one it was.
    matches = [key for key in keys if hmac.compare_digest(hmac.digest(key, signed, "sha256"), signature)]
    if not matches:
        return Rejected.SIGNATURE
    numbers = _FIXED.unpack_from(raw, _WORD_BYTES)
    _, _, channel, state, role, flags, length, nonce, echo_nonce, sequence, echo_sequence, let_go, digest = numbers[:13]
    keepalive_ms, deadtime_ms, *counts = numbers[13:]
    if state not in _STATE_OF or role not in _ROLE_OF or channel > 1 or not nonce or not sequence or length != LENGTH:
        return Rejected.VALUE
    return (
        Trailer(
            state=_STATE_OF[state],
            role=_ROLE_OF[role],
            nonce=nonce,
            echo_nonce=echo_nonce,
            sequence=sequence,
            echo_sequence=echo_sequence,
            let_go=let_go,
            is_private=bool(channel),
            flags=Flags(*(bool(flags & bit) for bit in _FLAGS.values())),
            digest=digest,
            keepalive_s=keepalive_ms / 1000,
            deadtime_s=deadtime_ms / 1000,
            health=HealthSummary(*counts),
        ),
        matches[0],
    )

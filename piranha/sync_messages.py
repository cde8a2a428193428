"""What `piranha sync` is about: the calls of the engine's API for it, and what two routers ask of one another."""

from dataclasses import dataclass
from enum import StrEnum

SHARED_BYTES_MAX = 32 * 1024
"""The longest table [failover] that is handed on."""


@dataclass(frozen=True, slots=True)
class CopyQuery:
    """GET /v1/copy: `known` is a token; the answer says whether it is in the history here."""

    known: str = ""


@dataclass(frozen=True, slots=True)
class CopyState:
    """GET /v1/copy: this router's copy of what both routers have the same.

    `token` is the SHA-256 of lvs.cf ("" : there is none), `serial_no` its serial number; `running_token` and
    `running_serial_no` are those of what runs. `shared_text` is the table [failover] of piranha.toml as it is written,
    `shared_token` what it means; `digest` is of both. `knows`: the token of the question is in the history. `waits`:
    why nothing can be received now, an Apply waits for its confirmation, or "". `problem`: what cannot be read, or "".
    `version` is Piranha's.
    """

    token: str
    serial_no: int | None
    running_token: str
    running_serial_no: int | None
    shared_text: str
    shared_token: str
    digest: str
    knows: bool = False
    waits: str = ""
    problem: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class ReceiveRequest:
    """POST /v1/copy: have exactly these bytes as lvs.cf, and this table as [failover] of piranha.toml.

    `token` and `shared_token` are what the sender saw here; nothing else is overwritten. `name`: who sent it, for the
    history.
    """

    content: bytes
    token: str
    shared_text: str
    shared_token: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReceiveAnswer:
    """What was received: the copy as it is now, read back. `number`: the version in the history, None if it stayed."""

    changed: bool
    state: CopyState
    number: int | None = None


class Outcome(StrEnum):
    """What came of a sync."""

    EQUAL = "equal"
    DIFFERENT = "different"
    SENT = "sent"
    NOT_APPLIED = "not-applied"
    NOT_PAIRED = "not-paired"
    NO_PARTNER = "no-partner"
    UNREACHABLE = "unreachable"
    WRONG_KEY = "wrong-key"
    HOST_KEY = "host-key"
    NO_PIRANHA = "no-piranha"
    OTHER_VERSION = "other-version"
    NO_ENGINE = "no-engine"
    BOTH_EDITED = "both-edited"
    PARTNER_EDITED = "partner-edited"
    OVERTAKEN = "overtaken"
    WAITS = "waits"
    REFUSED = "refused"
    TOO_LATE = "too-late"

    @property
    def is_good(self) -> bool:
        """Say whether both routers have the same now."""
        return self in (Outcome.EQUAL, Outcome.SENT)


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """POST /v1/sync: send this router's saved lvs.cf, and [failover], to the partner.

    `force`: although the partner's was edited there; what the partner has is lost, but for its history. `dry_run`: only
    compare. `applies`: have the partner apply it.
    """

    force: bool = False
    dry_run: bool = False
    applies: bool = True


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """What came of a sync, failed or not: an outcome that is not good changed nothing here, and nothing half there.

    `sentence` is for a person. `partner` is where it was looked for, "" if nobody knows. `here` is this router's copy,
    `there` the partner's before (None: it was not heard), `after` the partner's afterwards. `diff` is from the lvs.cf
    of the partner to ours, `shared_diff` the same for [failover].
    """

    outcome: Outcome
    sentence: str
    partner: str
    here: CopyState | None = None
    there: CopyState | None = None
    after: CopyState | None = None
    diff: str = ""
    shared_diff: str = ""


@dataclass(frozen=True, slots=True)
class Put:
    """The header of a `put`; its body is the lvs.cf."""

    token: str
    shared_text: str
    shared_token: str
    name: str = ""
    applies: bool = True
    force: bool = False


@dataclass(frozen=True, slots=True)
class PartnerRequest:
    """The header of every request to a partner: `verb` is "show", "put" or "reach".

    `known`: the sender's own token. `put`: what a put says.
    """

    verb: str
    known: str = ""
    put: Put | None = None


@dataclass(frozen=True, slots=True)
class PartnerAnswer:
    """The header of every answer; the body of a `show` is the lvs.cf.

    `problem` is the code of an outcome or "", `sentence` for a person. `state`: the copy. `keys`: fingerprints of the
    heartbeats' keys, the one that signs first.
    """

    problem: str = ""
    sentence: str = ""
    state: CopyState | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PairingRequest:
    """The header of what `piranha pair` sends over a person's own ssh.

    `heartbeat_keys` (base64) become the partner's. `sync_key` is the public key that may sync to it, `host_keys` are
    those of the sender's ssh server ("ssh-ed25519 AAAA..."), `name` how the sender calls itself.
    """

    heartbeat_keys: tuple[str, ...]
    sync_key: str
    host_keys: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class PairingAnswer:
    """What the partner did, a sentence each, and its own public key for sync; `problem`: why it did not, or ""."""

    done: tuple[str, ...] = ()
    sync_key: str = ""
    name: str = ""
    problem: str = ""

"""The sentences about a pair, each once, in English; `%(name)s` is filled in. The GUI translates them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Text(StrEnum):
    """Every sentence."""

    # what a state means
    IDLE = "it runs nothing: LVS is stopped, or there is nothing to balance"
    SETTLING = "it just started, and listens for its partner before it decides"
    PASSIVE = "it does not have the floating addresses, and takes over when its partner is gone"
    ACTIVE = "it has the floating addresses and balances"
    YIELDING = "both were active: its addresses are on their way down, the partner keeps them"
    HANDING_OVER = "its addresses go to the partner"
    LINK_FAULT = "its public link is down, so it does not take over"
    INTERNAL_FAULT = "its balancer failed, so it does not take over yet"
    HELD = "an operator said that it shall not take over"
    UNKNOWN = "nobody knows"
    NO_SUCH_STATE = "a state that this version does not know"

    # what is wrong
    OLD = "pulse has told nothing for %(age)s s: what stands here is how it was then, nobody knows how it is now."
    NEVER_HEARD = (
        "Nothing was ever heard of %(partner)s, so what it does is unknown. Is pulse started there, and does UDP reach "
        "this router?"
    )
    SILENT = (
        "%(partner)s has not been heard for %(age)s s (deadtime is %(deadtime)s s): what it does is unknown. If it is "
        "dead nobody takes over from this router; if only the networks between the two fail, both are active."
    )
    TWO_ACTIVE = (
        "Both routers say that they are active. The backup gives way by itself as soon as the two hear each other."
    )
    NONE_ACTIVE = "Neither router is active: this one is %(state)s, %(partner)s is %(there)s. Nobody serves."
    NO_KEY = (
        "There is no shared key, so anybody who can send from the address of %(partner)s can move the floating "
        "addresses. Make one for both routers: piranha pair, as root, on one of them."
    )
    SAME_ROLE = "Both routers take themselves for the %(role)s. primary and backup in lvs.cf must be the same on both."
    TIMERS = "The timers of %(partner)s are other ones. keepalive and deadtime must be the same on both routers."
    OTHER_CONFIG = "What runs on %(partner)s is another configuration than what runs here."
    NOT_READY = "%(partner)s is not ready to take over: its checks have not all run, or its table is not there."
    PARTNER_LINK = "The link of the %(channel)s channel is down at %(partner)s."
    ORIGINAL = (
        "%(partner)s is an original router: it tells neither its configuration nor whether it is ready, cannot be "
        "asked for anything, and the addresses never go back by themselves."
    )
    CHANNEL_TROUBLE = "The %(channel)s channel does not work: %(sentence)s"
    LINK_DOWN = "The link of the %(channel)s channel (%(device)s) is down here."
    CHANNEL_NEVER = "Nothing was ever heard on the %(channel)s channel."
    CHANNEL_SILENT = "Nothing has been heard on the %(channel)s channel for %(age)s s."
    CHANNEL_LOSS = "%(loss)s percent of the heartbeats on the %(channel)s channel are lost."
    IS_HELD = "An operator holds this router: if %(partner)s fails nobody serves, until this one is released."

    # who serves
    SERVES_HERE = "this router"
    SERVES_AT_LEAST_HERE = "this router; whether %(partner)s does too is not known"
    SERVES_THERE = "%(partner)s"
    SERVES_BOTH = "both routers"
    SERVES_NOBODY = "nobody"
    SERVES_UNKNOWN = "unknown: %(partner)s is not heard"

    # why something cannot be asked
    NO_PAIR = "There is no second router in what runs."
    NOT_NOW = "pulse does not answer just now."
    NOT_ACTIVE = "This router is not active, it is %(state)s."
    HEIR_UNKNOWN = "%(partner)s is not heard, so it cannot take the addresses."
    HEIR_ACTIVE = "%(partner)s is active too."
    HEIR_STATE = "%(partner)s is %(there)s, so it cannot take the addresses."
    HEIR_NOT_READY = "%(partner)s is not ready."
    HEIR_LINK = "The public link of %(partner)s is down."
    IS_ACTIVE = "This router is active already."
    CANNOT_TAKE = "This router is %(state)s; only a passive one, or one that just started, can take over."
    ORIGINAL_PRIMARY = (
        "%(partner)s is an original primary, or nothing is known of it: it cannot be asked. Stop pulse there; then "
        "this router takes over."
    )
    HOLD_ACTIVE = "This router is %(state)s; only one that does not have the addresses can be held. Hand over first."
    HOLD_IDLE = "This router runs nothing, so there is nothing to hold it from."
    IS_HELD_ALREADY = "This router is held already."
    NOT_HELD = "This router is not held."

    # what will happen
    WILL_GIVE = (
        "This router takes the floating addresses down and tells %(partner)s, which takes them up. Between the two "
        "nobody has them."
    )
    WILL_RETURN = (
        "If %(partner)s fails at that very moment nobody serves for up to %(most)s s; then this router has them again."
    )
    WILL_CUT = "Connections that are open end, unless the sync daemon of both routers keeps them."
    WILL_STAY = (
        "They stay there: automatic fail-back leaves a move alone that an operator asked for, until this router starts "
        "anew."
    )
    WILL_STAY_FOR_GOOD = "They stay there until somebody moves them, or that router fails."
    WILL_ASK = "This router asks %(partner)s for the floating addresses; it takes them down, this one takes them up."
    WILL_ASK_IN_VAIN = (
        "%(partner)s is not heard. If it does not answer, nothing happens; a passive router whose partner is silent "
        "for %(deadtime)s s becomes active anyway."
    )
    WILL_FORCE = (
        "This router takes the floating addresses at once, without asking. %(partner)s yields as soon as it hears of "
        "it; if it lives and does not hear, both are active."
    )
    WILL_HOLD = "This router does not take over, whatever happens, until it is released, or pulse is started anew."
    WILL_RISK = "If %(partner)s fails meanwhile, nobody serves."
    WILL_LEAVE_NOBODY = "Nobody is known to serve now. With this router held it may stay so."
    WILL_RELEASE = "This router may take over again."
    WILL_REMAIN = "It stays passive while %(partner)s is active."
    WILL_BECOME_ACTIVE = "Nobody is known to serve, so it becomes active, after %(deadtime)s s at most."
    UNHEARD = "What %(partner)s does is not known: it is not heard."

    # what counters are to be looked at for
    OTHER_PROGRAM = "another program sends to this port"
    FOS = "the partner's service is fos"
    FORGED_OR_FOS = "somebody forges heartbeats, or an old fos runs"
    NO_TRAILER = "the partner is an original, or has no key"
    VERSIONS = "the two routers have different versions of Piranha"
    OTHER_KEY = "the key differs, or somebody forges heartbeats"
    FORGED = "somebody forges heartbeats, or one of the two routers has a fault"
    OTHER_ADDRESSES = "primary and backup of the two routers differ, or somebody else sends heartbeats"
    OWN_ADDRESS = "primary and backup name the same router"
    STRANGER = (
        "once or twice after each start is nothing; more often: recordings are played back, or the partner cannot hear "
        "this router"
    )
    REPEATED = "networks that double or reorder; more often: recordings are played back"
    NO_SUCH_REASON = "a reason that this version does not know"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, and what is filled in. `str` is the English one."""

    text: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return it in English."""
        return str(self.text) % self.values if self.values else str(self.text)

    @classmethod
    def as_told(cls, sentence: str) -> "Sentence":
        """Return a sentence of the engine, which is in English alone."""
        return cls("%(sentence)s", {"sentence": sentence})


STATE_MEANS: Mapping[str, Text] = MappingProxyType(
    {
        "idle": Text.IDLE,
        "settling": Text.SETTLING,
        "passive": Text.PASSIVE,
        "active": Text.ACTIVE,
        "yielding": Text.YIELDING,
        "handing over": Text.HANDING_OVER,
        "link fault": Text.LINK_FAULT,
        "internal fault": Text.INTERNAL_FAULT,
        "held": Text.HELD,
        "unknown": Text.UNKNOWN,
    }
)

REASON_MEANS: Mapping[str, Text] = MappingProxyType(
    {
        "shorter than 4 bytes": Text.OTHER_PROGRAM,
        "longer than an Ethernet frame": Text.OTHER_PROGRAM,
        "begins with no known word": Text.OTHER_PROGRAM,
        "of failover services, not of lvs": Text.FOS,
        "an order to stop, which nobody may give this way": Text.FORGED_OR_FOS,
        "without a trailer, though a key is set": Text.NO_TRAILER,
        "trailer of a wrong length": Text.VERSIONS,
        "trailer of an unknown version": Text.VERSIONS,
        "signed with another key, or changed on its way": Text.OTHER_KEY,
        "trailer with an impossible value": Text.FORGED,
        "not from an address of the partner": Text.OTHER_ADDRESSES,
        "sent by this router itself": Text.OWN_ADDRESS,
        "not an answer to this boot of this router": Text.STRANGER,
        "older than what was heard, or heard before": Text.REPEATED,
    }
)
"""Why datagrams did not count, in the words of the status, and what that is to be looked at for."""


def reason_means(reason: str) -> Sentence:
    """Return what is to be looked at where datagrams do not count for a reason."""
    return Sentence(REASON_MEANS.get(reason, Text.NO_SUCH_REASON))

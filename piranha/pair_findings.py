"""What the status of a pair means: what is wrong with it, who serves, and what is to be known of a state or a counter.

The GUI and the commands say the same. The sentences stand here once, in English; the GUI translates them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from piranha.pair_texts import STATE_MEANS, Sentence, Text
from piranha.router_status import ChannelStatus, PartnerStatus, RedundancyStatus

OLD_S = 5.0
"""pulse tells how it stands every second; what is older than this does not count as known."""
LOSS_MUCH = 0.1
"""The share of lost heartbeats from which on a channel is not well."""
UNKNOWN = "unknown"
ACTIVE = "active"
OWNING = frozenset({ACTIVE, "yielding", "handing over"})
"""States of a router that has the floating addresses, or had them a moment ago."""
DECIDING = OWNING | {"settling"}
NO_ADDRESS = "the other router"


class Level(StrEnum):
    """How bad it is."""

    DANGER = "danger"
    WARNING = "warning"
    NOTE = "info"


class About(StrEnum):
    """What a finding is about, where there is more to see or to do."""

    PAIR = "pair"
    CONFIG = "config"
    TIMERS = "timers"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should know of the pair."""

    level: Level
    sentence: Sentence
    about: About = About.PAIR


class Serves(StrEnum):
    """Which router has the floating addresses, as far as this one knows."""

    HERE = "this router"
    AT_LEAST_HERE = "this router, and perhaps the partner too"
    THERE = "the partner"
    BOTH = "both routers"
    NOBODY = "nobody"
    UNKNOWN = "unknown"


def is_old(status: RedundancyStatus) -> bool:
    """Say whether pulse has told nothing for so long that nothing here is known to be so now."""
    return status.age_s >= OLD_S


def state_now(status: RedundancyStatus) -> str:
    """Return the state of this router, "unknown" if pulse does not tell it any more."""
    return UNKNOWN if is_old(status) else status.state


def partner_state_now(status: RedundancyStatus) -> str:
    """Return the state of the partner, "unknown" if nothing was heard, "" if there is none."""
    if status.partner is None:
        return ""
    return UNKNOWN if is_old(status) else status.partner.state


def partner_name(status: RedundancyStatus) -> str:
    """Return what the partner is called."""
    return (status.partner.address if status.partner is not None else "") or NO_ADDRESS


def serving(status: RedundancyStatus) -> Serves:
    """Return who serves, as far as it is known here."""
    if is_old(status):
        return Serves.UNKNOWN
    has_them, there = status.state in OWNING, partner_state_now(status)
    if has_them:
        return Serves.BOTH if there == ACTIVE else here_beside(there)
    if there in OWNING:
        return Serves.THERE
    return Serves.UNKNOWN if there == UNKNOWN else Serves.NOBODY


def here_beside(there: str) -> Serves:
    """Return who serves where this router does, beside a partner in this state that does not say it does."""
    return Serves.AT_LEAST_HERE if there == UNKNOWN else Serves.HERE


def age(seconds: float) -> str:
    """Return an age in seconds as people read it: tenths only where they matter."""
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"


def meaning(state: str) -> Sentence:
    """Return what a state means. A word of a newer engine means nothing here."""
    return Sentence(STATE_MEANS.get(state, Text.NO_SUCH_STATE))


def findings(status: RedundancyStatus) -> tuple[Finding, ...]:
    """Return what is to be known, the worst first."""
    found = [Finding(Level.DANGER, Sentence.as_told(each)) for each in status.trouble]
    if is_old(status):
        found.append(_danger(Text.OLD, age=age(status.age_s)))
    elif status.partner is not None and not status.is_alone:
        found += _of_both(status, status.partner)
        found += _of_partner(status, status.partner)
        for channel in status.channels:
            found += _of_channel(channel, status.deadtime_s, is_heard=status.partner.state != UNKNOWN)
    if status.state == "held":
        found.append(_warning(Text.IS_HELD, partner=partner_name(status)))
    return tuple(sorted(found, key=lambda each: list(Level).index(each.level)))


def _danger(text: Text, about: About = About.PAIR, **values: str) -> Finding:
    return Finding(Level.DANGER, Sentence(text, values), about)


def _warning(text: Text, about: About = About.PAIR, **values: str) -> Finding:
    return Finding(Level.WARNING, Sentence(text, values), about)


def _of_both(status: RedundancyStatus, partner: PartnerStatus) -> list[Finding]:
    """Return what the two routers' states are together."""
    name, there = partner_name(status), partner.state
    if partner.heard_s_ago is None:
        return [_warning(Text.NEVER_HEARD, partner=name)]
    if there == UNKNOWN:
        return [_danger(Text.SILENT, partner=name, age=age(partner.heard_s_ago), deadtime=f"{status.deadtime_s:g}")]
    if status.state == ACTIVE == there:
        return [_danger(Text.TWO_ACTIVE, partner=name)]
    if not {status.state, there} & DECIDING:
        return [_danger(Text.NONE_ACTIVE, state=status.state, partner=name, there=there)]
    return []


def _of_partner(status: RedundancyStatus, partner: PartnerStatus) -> list[Finding]:
    name, found = partner_name(status), list[Finding]()
    if partner.kind == "new" and not status.has_key:
        found.append(_danger(Text.NO_KEY, partner=name))
    if partner.role and partner.role == status.role:
        found.append(_danger(Text.SAME_ROLE, role=partner.role))
    if differs(partner.keepalive_s, status.keepalive_s) or differs(partner.deadtime_s, status.deadtime_s):
        found.append(_danger(Text.TIMERS, About.TIMERS, partner=name))
    if partner.state == UNKNOWN:
        return found
    if partner.has_same_config is False:
        found.append(_warning(Text.OTHER_CONFIG, About.CONFIG, partner=name))
    if partner.is_ready is False:
        found.append(_warning(Text.NOT_READY, partner=name))
    for is_up, channel in ((partner.public_up, "public"), (partner.private_up, "private")):
        if is_up is False and (channel == "public" or any(each.name == channel for each in status.channels)):
            found.append(_warning(Text.PARTNER_LINK, partner=name, channel=channel))
    if partner.kind == "original":
        found.append(Finding(Level.NOTE, Sentence(Text.ORIGINAL, {"partner": name})))
    return found


def differs(there: float | None, here: float) -> bool:
    """Say whether a timer of the partner is another one than ours. It tells milliseconds; None: it tells none."""
    return there is not None and abs(there - here) >= 0.001


def is_quiet(channel: ChannelStatus, deadtime_s: float) -> bool:
    """Say whether nothing was heard on a channel for deadtime."""
    return channel.heard_s_ago is None or channel.heard_s_ago >= deadtime_s


def is_lossy(channel: ChannelStatus) -> bool:
    """Say whether many heartbeats do not come."""
    return channel.loss is not None and channel.loss >= LOSS_MUCH


def _of_channel(channel: ChannelStatus, deadtime_s: float, *, is_heard: bool) -> list[Finding]:
    """Return what is wrong with a channel; that nothing is heard is news only where another one hears something."""
    name, found = channel.name, list[Finding]()
    if channel.trouble:
        found.append(_danger(Text.CHANNEL_TROUBLE, channel=name, sentence=channel.trouble))
    if channel.link == "down":
        found.append(_danger(Text.LINK_DOWN, channel=name, device=channel.device or "?"))
    if not is_heard:
        return found
    if channel.heard_s_ago is None:
        found.append(_warning(Text.CHANNEL_NEVER, channel=name))
    elif channel.heard_s_ago >= deadtime_s:
        found.append(_warning(Text.CHANNEL_SILENT, channel=name, age=age(channel.heard_s_ago)))
    elif is_lossy(channel):
        found.append(_warning(Text.CHANNEL_LOSS, channel=name, loss=percent(channel.loss)))
    return found


def percent(share: float | None) -> str:
    """Return a share as a number of hundredths, "?" for one that is not known."""
    return "?" if share is None else f"{100 * share:.0f}"


SERVES_TEXTS: Mapping[Serves, Text] = MappingProxyType(
    {
        Serves.HERE: Text.SERVES_HERE,
        Serves.AT_LEAST_HERE: Text.SERVES_AT_LEAST_HERE,
        Serves.THERE: Text.SERVES_THERE,
        Serves.BOTH: Text.SERVES_BOTH,
        Serves.NOBODY: Text.SERVES_NOBODY,
        Serves.UNKNOWN: Text.SERVES_UNKNOWN,
    }
)


def serves_in_words(serves: Serves, status: RedundancyStatus) -> Sentence:
    """Return who serves as a sentence."""
    return Sentence(SERVES_TEXTS[serves], {"partner": partner_name(status)})


def as_sentence(words: str) -> str:
    """Return what failover said, which is a line of its log, as a sentence."""
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")

"""The pair of routers as lines for a terminal, for `piranha status` and for who is asked before something is moved."""

from piranha.pair_findings import (
    UNKNOWN,
    Finding,
    Level,
    as_sentence,
    findings,
    is_old,
    partner_name,
    partner_state_now,
    percent,
    serves_in_words,
    serving,
    state_now,
)
from piranha.pair_orders import Offer
from piranha.pair_texts import reason_means
from piranha.router_status import ChannelStatus, PartnerStatus, RedundancyStatus
from piranha.status import EngineStatus

SAID_TOLD = 3
EMBEDDED = "embedded"
_MARKS = {Level.DANGER: "! ERROR: ", Level.WARNING: "! ", Level.NOTE: "  "}


def of_pair(status: EngineStatus) -> list[str]:
    """Return how the pair stands; nothing where there is no second router."""
    told = status.redundancy
    if told is None:
        return [_absent(status)] if status.role.partner else []
    if told.is_alone or told.partner is None:
        return [_of_finding(each) for each in findings(told)]
    was = f", it was {told.state}" if is_old(told) else f" since {told.since}"
    return [
        f"This router is the {told.role}, {state_now(told)}{was}; serves: {serves_in_words(serving(told), told)}",
        _of_partner(told, told.partner),
        *(_of_channel(each, told.age_s) for each in told.channels),
        *_of_failback(told),
        *(_of_finding(each) for each in findings(told)),
        *(
            f"  did not count: {each.count} datagrams, {each.reason} ({reason_means(each.reason)})"
            for each in told.rejected
        ),
        *(f"  {each.at} {as_sentence(each.sentence)}" for each in told.said[:SAID_TOLD]),
    ]


def _absent(status: EngineStatus) -> str:
    if status.data_path == EMBEDDED:
        return f"! The embedded data path has no second router: nothing is known of {status.role.partner}."
    return f"! pulse has told nothing yet: nobody knows how it stands with {status.role.partner}."


def _of_partner(told: RedundancyStatus, partner: PartnerStatus) -> str:
    role = f" ({partner.role})" if partner.role else ""
    state, heard_s = partner_state_now(told), partner.heard_s_ago
    first = f"The other router, {partner_name(told)}{role}, is {state}: {_heard(heard_s, told.age_s)}"
    if partner.kind == "original":
        return f"{first}; original Piranha"
    if partner.kind != "new":
        return first
    parts = [first, f"new Piranha, {'signed with the shared key' if partner.is_authentic else 'NOT authenticated'}"]
    if state == UNKNOWN:
        return "; ".join(parts)
    parts.append(
        _truth(partner.has_same_config, "same configuration", "ANOTHER configuration", "configuration unknown")
    )
    parts.append(_truth(partner.is_ready, "ready", "NOT ready", "readiness unknown"))
    if partner.servers:
        parts.append(f"{partner.servers_up} of {partner.servers} real servers up there")
    return "; ".join(parts)


def _truth(truth: bool | None, yes: str, no: str, unknown: str) -> str:
    return unknown if truth is None else yes if truth else no


def _heard(heard_s_ago: float | None, age_s: float) -> str:
    return "never heard" if heard_s_ago is None else f"heard {heard_s_ago + age_s:.1f} s ago"


def _of_channel(channel: ChannelStatus, age_s: float) -> str:
    lost = "" if channel.loss is None else f", {percent(channel.loss)} % lost"
    link = f"{channel.device or 'no interface'}, link {channel.link}"
    return f"  {channel.name}: {channel.own} to {channel.partner} ({link}), {_heard(channel.heard_s_ago, age_s)}{lost}"


def _of_failback(told: RedundancyStatus) -> list[str]:
    if told.failback_in_s is None or is_old(told):
        return []
    return [f"  fail-back: the addresses go back to the primary in {told.failback_in_s:.0f} s"]


def _of_finding(finding: Finding) -> str:
    return f"{_MARKS[finding.level]}{finding.sentence}"


def of_offer(offer: Offer, told: RedundancyStatus) -> list[str]:
    """Return what a command will do, for who is asked whether it shall be done."""
    lines = [_of_finding(each) for each in findings(told)]
    lines.append(f"Serves now: {serves_in_words(offer.before, told)}")
    if offer.why_not is not None:
        return [*lines, f"As it looks this will be refused: {offer.why_not}"]
    lines.append(f"Serves afterwards: {serves_in_words(offer.after, told)}")
    return [*lines, *(f"- {each}" for each in offer.will)]

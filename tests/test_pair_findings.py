"""What the status of a pair means: the findings, who serves, and what can be asked, beside the machine that decides."""

from dataclasses import replace
from itertools import product

import pytest

from piranha.ha import machine
from piranha.ha.datagram import Flags, PartnerKind, Rejected, Said, Trailer
from piranha.ha.events import Command
from piranha.ha.node import Node, PartnerFacts, Report
from piranha.ha.settings import Settings
from piranha.ha.states import Role, State
from piranha.monitoring import FailoverCommand
from piranha.pair_findings import (
    DECIDING,
    OLD_S,
    OWNING,
    About,
    Level,
    Serves,
    as_sentence,
    findings,
    partner_state_now,
    serves_in_words,
    serving,
    state_now,
)
from piranha.pair_orders import HEIRS, longest_gap_s, offer, offers
from piranha.pair_texts import REASON_MEANS, STATE_MEANS, Sentence, Text, reason_means
from piranha.router_status import PartnerStatus, RedundancyStatus
from tests import pairs

NOW = 1000.0


def told(status: RedundancyStatus) -> dict[str, Level]:
    return {str(each.sentence): each.level for each in findings(status)}


def texts(status: RedundancyStatus) -> set[str]:
    return {each.sentence.text for each in findings(status)}


def test_a_pair_that_is_well_has_nothing_to_be_said_of_it() -> None:
    assert findings(pairs.WELL) == findings(pairs.passive()) == findings(pairs.ALONE) == ()


def test_every_state_and_every_reason_has_its_meaning() -> None:
    assert set(STATE_MEANS) == {*State, "unknown"}
    assert set(REASON_MEANS) == set(Rejected)
    assert set(State) >= OWNING | DECIDING | HEIRS
    assert str(reason_means("a word of tomorrow")) == Text.NO_SUCH_REASON


@pytest.mark.parametrize("text", Text)
def test_every_sentence_can_be_filled_in(text: Text) -> None:
    names = {"partner", "state", "there", "age", "deadtime", "role", "channel", "sentence", "device", "loss", "most"}
    assert "%" not in str(Sentence(text, dict.fromkeys(names, "x")))


@pytest.mark.parametrize(
    ("status", "text", "level"),
    [
        (pairs.UNHEARD, Text.NEVER_HEARD, Level.WARNING),
        (pairs.SILENT, Text.SILENT, Level.DANGER),
        (pairs.with_partner(state="active"), Text.TWO_ACTIVE, Level.DANGER),
        (replace(pairs.WELL, state="held"), Text.NONE_ACTIVE, Level.DANGER),
        (replace(pairs.WELL, state="held"), Text.IS_HELD, Level.WARNING),
        (replace(pairs.WELL, has_key=False), Text.NO_KEY, Level.DANGER),
        (pairs.with_partner(role="primary"), Text.SAME_ROLE, Level.DANGER),
        (pairs.with_partner(keepalive_s=5.0), Text.TIMERS, Level.DANGER),
        (pairs.with_partner(deadtime_s=17.0), Text.TIMERS, Level.DANGER),
        (pairs.with_partner(has_same_config=False), Text.OTHER_CONFIG, Level.WARNING),
        (pairs.with_partner(is_ready=False), Text.NOT_READY, Level.WARNING),
        (pairs.with_partner(public_up=False), Text.PARTNER_LINK, Level.WARNING),
        (pairs.with_partner(private_up=False), Text.PARTNER_LINK, Level.WARNING),
        (pairs.ORIGINAL, Text.ORIGINAL, Level.NOTE),
        (replace(pairs.WELL, channels=(replace(pairs.PUBLIC, trouble="No."),)), Text.CHANNEL_TROUBLE, Level.DANGER),
        (replace(pairs.WELL, channels=(replace(pairs.PUBLIC, link="down"),)), Text.LINK_DOWN, Level.DANGER),
        (replace(pairs.WELL, channels=(replace(pairs.PUBLIC, heard_s_ago=18.0),)), Text.CHANNEL_SILENT, Level.WARNING),
        (replace(pairs.WELL, channels=(replace(pairs.PUBLIC, heard_s_ago=None),)), Text.CHANNEL_NEVER, Level.WARNING),
        (replace(pairs.WELL, channels=(replace(pairs.PUBLIC, loss=0.1),)), Text.CHANNEL_LOSS, Level.WARNING),
        (replace(pairs.WELL, age_s=OLD_S), Text.OLD, Level.DANGER),
    ],
)
def test_what_is_not_well_is_found(status: RedundancyStatus, text: Text, level: Level) -> None:
    found = [each for each in findings(status) if each.sentence.text == text]
    assert [each.level for each in found] == [level]
    assert "%" not in str(found[0].sentence).replace("percent", "")


def test_silent_channels_are_no_news_where_nothing_at_all_is_heard() -> None:
    assert texts(pairs.UNHEARD) == {Text.NEVER_HEARD, Text.LINK_DOWN}
    one = replace(pairs.WELL, channels=(pairs.PUBLIC, replace(pairs.PRIVATE, heard_s_ago=None)))
    assert texts(one) == {Text.CHANNEL_NEVER}


def test_a_drift_that_is_not_known_is_neither_well_nor_wrong() -> None:
    assert Text.OTHER_CONFIG not in texts(pairs.with_partner(has_same_config=None))
    # What a partner said before it fell silent is not so now.
    assert Text.OTHER_CONFIG not in texts(pairs.with_partner(pairs.SILENT, has_same_config=False))


def test_a_timer_that_a_heartbeat_rounds_does_not_differ() -> None:
    assert Text.TIMERS not in texts(replace(pairs.with_partner(keepalive_s=0.333), keepalive_s=1 / 3))
    assert Text.TIMERS not in texts(pairs.ORIGINAL)


def test_the_worst_comes_first_and_leads_to_what_can_be_done() -> None:
    levels = [list(Level).index(each.level) for each in findings(pairs.BAD)]
    assert levels == sorted(levels) and len(levels) > 8
    assert {each.about for each in findings(pairs.BAD)} == set(About)
    assert str(findings(pairs.BAD)[0].sentence) == "The shared key cannot be read: permission denied."


def test_what_is_old_is_not_known_and_nothing_else_is_said_of_it() -> None:
    old = replace(pairs.BAD, age_s=7.0, trouble=())
    assert (state_now(old), partner_state_now(old), serving(old)) == ("unknown", "unknown", Serves.UNKNOWN)
    assert list(told(old)) == [
        "pulse has told nothing for 7.0 s: what stands here is how it was then, nobody knows how it is now."
    ]
    assert {each.why_not.text for each in offers(old) if each.why_not is not None} == {Text.NOT_NOW}


@pytest.mark.parametrize(
    ("own", "there", "serves", "words"),
    [
        ("active", "passive", Serves.HERE, "this router"),
        ("handing over", "passive", Serves.HERE, "this router"),
        ("active", "unknown", Serves.AT_LEAST_HERE, "this router; whether 192.0.2.12 does too is not known"),
        ("active", "active", Serves.BOTH, "both routers"),
        ("passive", "active", Serves.THERE, "192.0.2.12"),
        ("passive", "handing over", Serves.THERE, "192.0.2.12"),
        ("held", "passive", Serves.NOBODY, "nobody"),
        ("passive", "unknown", Serves.UNKNOWN, "unknown: 192.0.2.12 is not heard"),
    ],
)
def test_who_serves(own: str, there: str, serves: Serves, words: str) -> None:
    status = replace(pairs.with_partner(state=there), state=own)
    assert serving(status) is serves
    assert str(serves_in_words(serves, status)) == words


def test_a_line_of_the_log_becomes_a_sentence() -> None:
    assert as_sentence("stopped") == "Stopped."
    assert as_sentence("pulse is not ready.") == "Pulse is not ready."
    assert as_sentence("") == "."


@pytest.mark.parametrize("is_original", [False, True])
def test_the_longest_gap_of_a_hand_over_is_that_of_the_settings(is_original: bool) -> None:
    status = pairs.ORIGINAL if is_original else pairs.WELL
    settings = Settings(Role.PRIMARY, status.keepalive_s, status.deadtime_s)
    assert longest_gap_s(status) == settings.hand_over_s(is_original)


PARTNERS = (
    None,
    *(("original", state) for state in (State.ACTIVE, State.PASSIVE)),
    *(("new", state) for state in State),
)


def both(
    role: Role, state: State, partner: tuple[str, State] | None, has_key: bool, flags: Flags
) -> tuple[Node, RedundancyStatus]:
    """Return the same pair as the machine knows it and as the status tells it."""
    facts, seen = PartnerFacts(), PartnerStatus("192.0.2.12")
    if partner is not None:
        kind, there = partner
        says = Said.RUNNING if there in (State.ACTIVE, State.YIELDING, State.HANDING_OVER) else Said.STOPPED
        trailer = None
        if kind == "new":
            trailer = Trailer(there, role.other, 7, 5, 9, 9, flags=flags, keepalive_s=2, deadtime_s=5)
        facts = PartnerFacts(PartnerKind(kind), NOW - 1, says, trailer)
        seen = PartnerStatus("192.0.2.12", kind, there, 1.0)
        if kind == "new":
            seen = replace(seen, is_ready=flags.is_ready, public_up=flags.public_up)
    settings = Settings(role, has_key=has_key)
    node = Node(settings, 5, state, partner=facts, order=1, said=3, looks_at=NOW + 1, silent_from=NOW, spell_at=NOW)
    node = replace(node, report=Report(is_ready=True), owns=state in (State.ACTIVE, State.YIELDING))
    status = replace(pairs.WELL, role=role, state=state, partner=seen, has_key=has_key, keepalive_s=2, deadtime_s=5)
    return node, status


def does(node: Node, command: Command) -> bool:
    """Say whether the machine does something, as pulse finds that out."""
    turn = machine._Turn(node, NOW)
    before = turn.node
    turn.take(machine.events.of_command(turn.node, command, NOW))
    after = turn.node
    return (before.state, before.wants_until, before.order) != (after.state, after.wants_until, after.order)


def test_what_is_offered_is_what_the_machine_does_and_what_is_not_it_refuses() -> None:
    flags = (Flags(is_ready=True), Flags(is_ready=False), Flags(is_ready=True, public_up=False))
    for role, state, partner, has_key, flag in product(Role, State, PARTNERS, (True, False), flags):
        if partner is not None and partner[0] == "original" and has_key:
            continue  # with a key an original does not count
        node, status = both(role, state, partner, has_key, flag)
        for command in FailoverCommand:
            asked = (role, state, partner, has_key, flag, command)
            assert (offer(status, command).why_not is None) == does(node, Command(command)), asked


def test_a_hand_over_says_how_long_nobody_may_serve_and_that_it_stays_so() -> None:
    made = offer(pairs.WELL, FailoverCommand.HAND_OVER)
    assert (made.before, made.after) == (Serves.HERE, Serves.THERE)
    said = " ".join(map(str, made.will))
    assert "nobody serves for up to 24 s" in said and "until this router starts anew" in said
    assert "until somebody moves them" in " ".join(map(str, offer(pairs.ORIGINAL, FailoverCommand.HAND_OVER).will))


def test_who_takes_over_from_a_router_that_is_not_heard_may_serve_beside_it() -> None:
    unheard = replace(pairs.passive(), partner=PartnerStatus("192.0.2.11"))
    assert offer(unheard, FailoverCommand.TAKE_OVER).after is Serves.AT_LEAST_HERE
    assert offer(pairs.passive(), FailoverCommand.TAKE_OVER).after is Serves.HERE


def test_to_take_over_from_a_router_that_is_not_heard_says_so() -> None:
    unheard = replace(pairs.passive(), partner=PartnerStatus("192.0.2.11"))
    asked = [each.text for each in offer(unheard, FailoverCommand.TAKE_OVER).will]
    assert asked == [Text.WILL_ASK, Text.WILL_ASK_IN_VAIN, Text.WILL_CUT]
    forced = replace(unheard, role="primary", has_key=False)
    assert [each.text for each in offer(forced, FailoverCommand.TAKE_OVER).will] == [
        Text.WILL_FORCE,
        Text.UNHEARD,
        Text.WILL_CUT,
    ]


def test_to_hold_the_only_router_that_may_serve_is_called_what_it_is() -> None:
    made = offer(pairs.passive(), FailoverCommand.HOLD)
    assert [each.text for each in made.will] == [Text.WILL_HOLD, Text.WILL_RISK]
    assert (made.before, made.after) == (Serves.THERE, Serves.THERE)
    unheard = replace(pairs.passive(), partner=PartnerStatus("192.0.2.11"))
    made = offer(unheard, FailoverCommand.HOLD)
    assert Text.WILL_LEAVE_NOBODY in [each.text for each in made.will] and made.after is Serves.UNKNOWN


def test_a_release_says_whether_the_router_stays_passive() -> None:
    held = replace(pairs.passive(), state="held")
    made = offer(held, FailoverCommand.RELEASE)
    assert made.will[-1].text == Text.WILL_REMAIN and made.after is Serves.THERE
    made = offer(replace(held, partner=PartnerStatus("192.0.2.11")), FailoverCommand.RELEASE)
    assert made.will[-1].text == Text.WILL_BECOME_ACTIVE and made.after is Serves.AT_LEAST_HERE


def test_without_a_second_router_nothing_can_be_asked() -> None:
    assert {each.why_not.text for each in offers(pairs.ALONE) if each.why_not is not None} == {Text.NO_PAIR}
    assert all(each.why_not is not None for each in offers(pairs.ALONE))

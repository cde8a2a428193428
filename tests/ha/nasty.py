"""Faults that a row cannot have: the code beside the table, broken on purpose, each in a way that somebody might.

`test_nasty.py` checks that the simulation notices those that it can notice; `make mutate` that something notices each.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from types import MappingProxyType

import pytest

from piranha.ha import events, failover, machine, node
from piranha.ha.datagram import Heartbeat, Rejected, Said, Trailer
from piranha.ha.failover import Address, Failover, Outcome
from piranha.ha.machine import Answer
from piranha.ha.node import Node, PartnerFacts
from piranha.ha.session import Accepted, Session, accept
from piranha.ha.settings import Settings
from piranha.ha.states import RANKS, Action, State
from tests.ha.routers import NewRouter

Patch = pytest.MonkeyPatch


def _settles_too_short(patch: Patch) -> None:
    patch.setattr(Settings, "settling_s", property(lambda self: self.deadtime_s / 8))


def _settles_too_long(patch: Patch) -> None:
    patch.setattr(Settings, "settling_s", property(lambda self: 3 * self.deadtime_s))


def _believes_without_echo(patch: Patch) -> None:
    def credulous(session: Session, trailer: Trailer, last_said: int) -> tuple[Session, Accepted | Rejected]:
        after, outcome = accept(session, trailer, last_said)
        if outcome is not Rejected.ECHO:
            return after, outcome
        return Session(session.own, trailer.nonce, trailer.sequence), Accepted.FIRST

    patch.setattr(failover, "accept", credulous)


def _believes_what_is_old(patch: Patch) -> None:
    def credulous(session: Session, trailer: Trailer, last_said: int) -> tuple[Session, Accepted | Rejected]:
        after, outcome = accept(session, trailer, last_said)
        return after, Accepted.NEW if outcome is Rejected.OLD else outcome

    patch.setattr(failover, "accept", credulous)


def _reads_late_copies_as_news(patch: Patch) -> None:
    def credulous(session: Session, trailer: Trailer, last_said: int) -> tuple[Session, Accepted | Rejected]:
        after, outcome = accept(session, trailer, last_said)
        return after, Accepted.NEW if outcome is Accepted.COPY else outcome

    patch.setattr(failover, "accept", credulous)


def _does_not_greet_a_new_boot(patch: Patch) -> None:
    patch.setattr(Failover, "_greet", lambda self, now: ())


def _lives_on_what_it_rejects(patch: Patch) -> None:
    receive = Failover._receive_trailer

    def reviving(self: Failover, heartbeat: Heartbeat, trailer: Trailer, source: Address, now: float) -> Outcome:
        outcome = receive(self, heartbeat, trailer, source, now)
        self.node = replace(self.node, silent_from=now)
        return outcome

    patch.setattr(Failover, "_receive_trailer", reviving)


def _says(patch: Patch, wrong: Callable[[Node, Said | None], Said | None]) -> None:
    patch.setattr(machine, "word", lambda own: wrong(own, node.word(own)))


def _says_stopped_while_undecided(patch: Patch) -> None:
    _says(patch, lambda own, says: Said.STOPPED if says is Said.HELD else says)


def _says_stopped_to_an_original_while_undecided(patch: Patch) -> None:
    _says(patch, lambda own, says: Said.STOPPED if own.state is State.SETTLING and own.is_partner_original else says)


def _says_stopped_before_they_are_down(patch: Patch) -> None:
    _says(patch, lambda own, says: Said.STOPPED if own.is_dropping else says)


def _says_running_while_undecided(patch: Patch) -> None:
    _says(patch, lambda own, says: Said.RUNNING if own.state is State.SETTLING else says)


def _never_yields(patch: Patch) -> None:
    patch.setattr(events, "_of_heartbeat_while_active", lambda *_: None)


def _minds_the_wall_clock(patch: Patch) -> None:
    patch.setattr(NewRouter, "clock", property(lambda self: self.agenda.now + self.wall_ahead_s))


def _counts_the_time_it_stood_still(patch: Patch) -> None:
    patch.setitem(machine._DO, Action.EXCUSE, lambda turn: None)


def _acts_on_an_original_that_spoke_while_it_stood_still(patch: Patch) -> None:
    true = events.of_heartbeat
    patch.setattr(events, "of_heartbeat", lambda own, beat, now: true(replace(own, stalled_at=-inf), beat, now))


def _acts_on_words_of_who_does_not_know_its_state(patch: Patch) -> None:
    patch.setattr(node, "is_known", lambda *_: True)


def _waits_until_it_is_known_for_ever(patch: Patch) -> None:
    patch.setattr(Settings, "known_after_s", inf)


def _never_thinks_that_it_is_its_turn(patch: Patch) -> None:
    patch.setattr(events, "gives_way", lambda *_: False)


def _thinks_as_the_partner_does_that_it_is_its_turn(patch: Patch) -> None:
    def gives_way(own: Node, trailer: Trailer, now: float) -> bool:
        return RANKS[own.state] >= RANKS[trailer.state] > 0 and node.is_known(own, trailer, now)

    patch.setattr(events, "gives_way", gives_way)


def _takes_every_report_for_the_last_drops(patch: Patch) -> None:
    true = machine.down
    patch.setattr(machine, "down", lambda own, order, were_any, now: true(own, own.order, were_any, now))


def _speaks_too_seldom(patch: Patch) -> None:
    true = machine._Turn.end

    def end(self: machine._Turn) -> Answer:
        after, orders = true(self)
        says_at = after.says_at + after.settings.keepalive_s / 2 if after.says_at > self.node.says_at else after.says_at
        return replace(after, says_at=says_at, looks_at=min(says_at, events.next_at(after, self.at))), orders

    patch.setattr(machine._Turn, "end", end)


def _offers_for_ever(patch: Patch) -> None:
    patch.setattr(Settings, "offer_s", lambda self, to_original: inf)


def _never_tries_again(patch: Patch) -> None:
    patch.setattr(Settings, "pause_s", lambda self, failures: inf)


def _hands_over_to_anybody(patch: Patch) -> None:
    patch.setattr(events, "heir_problem", lambda own, now: "" if own.partner.heard_at is not None else "nobody")


def _fails_back_to_a_primary_that_is_not_ready(patch: Patch) -> None:
    patch.setattr(node, "could_be_back", lambda own, trailer: trailer.state is State.PASSIVE)
    patch.setattr(events, "heir_problem", lambda own, now: "" if own.partner.trailer is not None else "nobody")


def _does_not_notice_what_the_partner_let_go(patch: Patch) -> None:
    true = node.heard_facts

    def deaf(own: Node, beat: Heartbeat, now: float) -> PartnerFacts:
        return replace(true(own, beat, now), lets_go=False)

    patch.setattr(machine, "heard_facts", deaf)


def _says_no_last_word(patch: Patch) -> None:
    patch.setitem(machine._DO, Action.LAST_WORD, lambda turn: None)


def _both_are_primary_if_both_say_so(patch: Patch) -> None:
    patch.setattr(Node, "role", property(lambda self: self.settings.role))


def _moves_for_a_link_that_both_lost(patch: Patch) -> None:
    patch.setattr(Settings, "link_judged_after_s", 0.0)


NASTY: Mapping[str, Callable[[Patch], None]] = MappingProxyType(
    {
        break_it.__name__.strip("_").replace("_", " "): break_it
        for break_it in (
            _settles_too_short,
            _settles_too_long,
            _believes_without_echo,
            _believes_what_is_old,
            _reads_late_copies_as_news,
            _does_not_greet_a_new_boot,
            _lives_on_what_it_rejects,
            _says_stopped_while_undecided,
            _says_stopped_to_an_original_while_undecided,
            _says_stopped_before_they_are_down,
            _says_running_while_undecided,
            _never_yields,
            _minds_the_wall_clock,
            _counts_the_time_it_stood_still,
            _acts_on_an_original_that_spoke_while_it_stood_still,
            _acts_on_words_of_who_does_not_know_its_state,
            _waits_until_it_is_known_for_ever,
            _never_thinks_that_it_is_its_turn,
            _thinks_as_the_partner_does_that_it_is_its_turn,
            _takes_every_report_for_the_last_drops,
            _speaks_too_seldom,
            _offers_for_ever,
            _never_tries_again,
            _hands_over_to_anybody,
            _fails_back_to_a_primary_that_is_not_ready,
            _does_not_notice_what_the_partner_let_go,
            _says_no_last_word,
            _both_are_primary_if_both_say_so,
            _moves_for_a_link_that_both_lost,
        )
    }
)

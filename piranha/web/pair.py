"""The two routers as pages show them: what this one is, what is known of the other one, and what is wrong.

What was not heard is never shown as well: it is unknown, and says so.
"""

from collections.abc import Callable
from dataclasses import dataclass

from piranha.monitoring import StatusQuery, Summary
from piranha.pair_findings import (
    UNKNOWN,
    About,
    Level,
    Serves,
    findings,
    is_old,
    meaning,
    partner_name,
    partner_state_now,
    serves_in_words,
    serving,
    state_now,
)
from piranha.pair_texts import Sentence, reason_means
from piranha.router_status import RedundancyStatus
from piranha.status import EngineStatus, RunState
from piranha.web.client import status, summary
from piranha.web.texts import _

EMBEDDED = "embedded"
LEAST = StatusQuery(limit="1", servers="1")
"""The smallest status that the engine tells: the pair does not need the table."""
SAID_SHOWN = 10
_SIGNS = {Level.DANGER: "✖", Level.WARNING: "▲", Level.NOTE: "i"}


@dataclass(frozen=True, slots=True)
class StateWord:
    """A state as a page shows it: a sign and a word, and the colour besides; `means` is the rest of the sentence."""

    sign: str
    word: str
    colour: str
    means: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to be known of the pair, in the reader's language. `about`: what the page leads to."""

    level: Level
    sign: str
    text: str
    about: About


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Datagrams that did not count: why, how many, and what to look at."""

    reason: str
    count: int
    means: str


@dataclass(frozen=True, slots=True)
class PairView:
    """The pair. `told` None: `absent` says why nothing is known; the rest is empty then."""

    told: RedundancyStatus | None
    absent: str
    at: str = ""
    own: StateWord | None = None
    partner: StateWord | None = None
    partner_name: str = ""
    serves: str = ""
    is_served: bool = False
    is_old: bool = False
    remarks: tuple[Remark, ...] = ()
    uncounted: tuple[Uncounted, ...] = ()


def said(sentence: Sentence) -> str:
    """Return a sentence in the reader's language."""
    return _(sentence.text, **sentence.values)


def state_word(state: str) -> StateWord:
    """Return how a state is shown; a word that is not known is shown as it is."""
    words: dict[str, Callable[[], tuple[str, str, str]]] = {
        "idle": lambda: ("■", _("idle"), "word-stopped"),
        "settling": lambda: ("?", _("settling"), "word-undef"),
        "passive": lambda: ("○", _("passive"), "word-up"),
        "active": lambda: ("●", _("active"), "word-active"),
        "yielding": lambda: ("▲", _("yielding"), "word-up"),
        "handing over": lambda: ("▲", _("handing over"), "word-up"),
        "link fault": lambda: ("✖", _("link fault"), "word-down"),
        "internal fault": lambda: ("✖", _("internal fault"), "word-down"),
        "held": lambda: ("■", _("held"), "word-stopped"),
        UNKNOWN: lambda: ("?", _("unknown"), "word-undef"),
    }
    sign, word, colour = words[state]() if state in words else ("?", state, "word-undef")
    return StateWord(sign, word, colour, said(meaning(state)))


def role_word(role: str) -> str:
    """Return a role in the reader's language."""
    return {"primary": _("primary"), "backup": _("backup")}.get(role, role)


def pair() -> PairView:
    """Return the pair as the engine tells it now."""
    told = status(LEAST)
    if told is None or told.redundancy is None:
        return PairView(None, _absent(told), "" if told is None else told.at)
    return view_of(told.redundancy, told.at)


def _absent(told: EngineStatus | None) -> str:
    if told is None:
        return _("The engine does not answer, so nobody knows here which router is active.")
    if told.data_path == EMBEDDED:
        return _("This engine runs the embedded data path, which has no second router: nothing takes over from it.")
    return _("pulse has told nothing yet, or this engine is older than failover: nobody knows how the pair stands.")


def view_of(told: RedundancyStatus, at: str = "") -> PairView:
    """Return a pair for a page."""
    serves = serving(told)
    remarks = (Remark(each.level, _SIGNS[each.level], said(each.sentence), each.about) for each in findings(told))
    return PairView(
        told,
        "",
        at,
        state_word(state_now(told)),
        state_word(partner_state_now(told)) if partner_state_now(told) else None,
        partner_name(told),
        said(serves_in_words(serves, told)),
        serves in (Serves.HERE, Serves.THERE),
        is_old(told),
        tuple(remarks),
        tuple(Uncounted(each.reason, each.count, said(reason_means(each.reason))) for each in told.rejected),
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """What stands on top of every page: which router this is, and how it stands with the other one.

    `role` is "" where there is no second router, `partner_state` None too. `are_two`: both say that they are active.
    """

    router: str
    role: str
    state: StateWord
    partner: str
    partner_state: StateWord | None
    is_partner_unknown: bool
    are_two: bool


def identity() -> Identity | None:
    """Return what this request knows of this router, None if the engine does not answer."""
    told = summary()
    return None if told is None else identity_of(told)


def identity_of(told: Summary) -> Identity:
    """Return what a summary says of this router."""
    role = told.role
    runs = told.state is RunState.RUNNING
    state = role.state or ("active" if role.is_active and runs else "passive" if runs else "idle")
    there = (role.partner_state or UNKNOWN) if role.partner else ""
    return Identity(
        told.router,
        role_word(role.role),
        state_word(state),
        role.partner,
        state_word(there) if there else None,
        there == UNKNOWN,
        state == there == "active",
    )

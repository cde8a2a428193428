"""Try now: the check as it is typed, made once and shown on the page of the form; nothing is saved by it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import request

from piranha.check_messages import TRIED_SERVERS_MAX, CheckFound, TriedServer, TryAnswer, TryRequest
from piranha.config.path import BlockPath, written
from piranha.errors import Busy, ConfigUnavailable, EditRefused, EngineUnavailable, NotPermitted
from piranha.web.blocks import Block, paths_inside, shown_name
from piranha.web.client import engine, opened, read_again
from piranha.web.forms import Form
from piranha.web.server_rows import Sign
from piranha.web.texts import _

BUTTON = "try"
"""The name of the button; with any other one the form is saved."""
AGAINST = "against"
BY_TOML = ("http", "https", "tls")
"""How a server is asked where piranha.toml says it, whatever stands in lvs.cf."""
_STEP = re.compile(r"\\\\|\\n")


@dataclass(frozen=True, slots=True)
class Transcript:
    """What one check did, as a page shows it: spelled as in lvs.cf, and a line of it on a line. "": nothing."""

    sent: str
    received: str


@dataclass(frozen=True, slots=True)
class TriedRow:
    """A real server that was tried. `took` is "" and `transcript` None where it was not asked."""

    name: str
    place: str
    verdict: Sign
    took: str
    reason: str
    transcript: Transcript | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a try. `status` is the page's; `refused`: why nothing was tried, "" if something was.

    `summary` says how many are good, `notes` what is to be known of the try as a whole.
    """

    status: int
    refused: str = ""
    summary: str = ""
    notes: tuple[str, ...] = ()
    rows: tuple[TriedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """Against which real servers a check may be tried: `value` is a path, "" for all of them."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from, `left_out` more real servers, and what is wrong with what was chosen, or ""."""

    offered: tuple[Choice, ...]
    left_out: int
    trouble: str = ""


def is_asked() -> bool:
    """Say whether the form was sent by the button that tries."""
    return BUTTON in request.form


def choices(virtual: Block) -> Choices:
    """Return against which real servers of a virtual server a check may be tried: all, or one of the first."""
    there = paths_inside(opened().document, virtual.steps, "server")
    offered = there[:TRIED_SERVERS_MAX]
    chosen = request.form.get(AGAINST, "")
    paths = [written(steps) for steps in offered]
    if chosen and chosen not in paths:
        offered = [*offered, *(steps for steps in there[len(offered) :] if written(steps) == chosen)]
        paths = [written(steps) for steps in offered]
    trouble = "" if chosen in ("", *paths) else _("This virtual server has no such real server (any more).")
    listed = [Choice(path, shown_name(steps), path == chosen) for path, steps in zip(paths, offered, strict=True)]
    whole = Choice("", _words_for_all(there), not any(each.is_chosen for each in listed))
    return Choices((whole, *listed), len(there) - len(offered), trouble)


def _words_for_all(there: Sequence[BlockPath]) -> str:
    if len(there) > TRIED_SERVERS_MAX:
        return _("the first %(some)s of %(count)s real servers", some=TRIED_SERVERS_MAX, count=f"{len(there):,}")
    return _("all real servers (%(count)s)", count=len(there))


def try_now(asked: TryRequest, form: Form) -> Tried:
    """Have the engine try. What is wrong with a value that was typed is told at its control."""
    try:
        return _told(engine().try_checks(asked))
    except EditRefused as problem:
        if problem.keyword and form.refuse_keyword(problem.keyword, problem.sentence):
            return Tried(422)
        return Tried(422, problem.sentence)
    except Busy as problem:
        return Tried(429, str(problem))
    except NotPermitted as problem:
        return Tried(403, str(problem))
    except (ConfigUnavailable, EngineUnavailable) as problem:
        read_again()
        return Tried(503, str(problem))


def _told(answer: TryAnswer) -> Tried:
    rows = tuple(map(_row, answer.servers))
    good = sum(each.found is not None and each.found.is_good for each in answer.servers)
    notes = []
    if answer.servers_in_all > len(rows):
        notes.append(
            _(
                "Only the first %(some)s of %(count)s real servers were tried.",
                some=len(rows),
                count=f"{answer.servers_in_all:,}",
            )
        )
    if answer.how in BY_TOML:
        words = _("piranha.toml has it checked by %(how)s: Send, Expect and Sending Program are not used.")
        notes.append(words % {"how": answer.how.upper()})
    if answer.limit_s < answer.timeout_s:
        notes.append(
            _(
                "A check may take %(timeout)s s, a try %(limit)s s: a server that answers between the two is bad here.",
                timeout=f"{answer.timeout_s:g}",
                limit=f"{answer.limit_s:g}",
            )
        )
    summary = _("%(good)s of %(count)s good.", good=good, count=len(rows)) if rows else _("It has no real servers.")
    return Tried(200, "", summary, tuple(notes), rows)


def _row(told: TriedServer) -> TriedRow:
    host = f"[{told.address}]" if ":" in told.address else told.address
    found = told.found
    if found is None:
        verdict = Sign("undef", "?", _("not tried"))
        return TriedRow(told.name, f"{host}:{told.port}" if host else "", verdict, "", told.problem, None)
    verdict = Sign("active", "●", _("good")) if found.is_good else Sign("down", "✖", _("bad"))
    return TriedRow(told.name, f"{host}:{told.port}", verdict, took(found), found.reason, transcript(found))


def took(found: CheckFound) -> str:
    """Return how long a check took, in words."""
    return _("%(seconds)s s", seconds=f"{found.took_s:.3f}")


def transcript(found: CheckFound) -> Transcript:
    """Return what a check sent and received, as a page shows it."""
    return Transcript(
        _in_lines(found.sent, is_cut=found.is_sent_cut), _in_lines(found.received, is_cut=found.is_received_cut)
    )


def _in_lines(spelled: str, *, is_cut: bool) -> str:
    r"""Return a text with an end of the line behind each \n that is in it, and ... where more came."""
    lines = _STEP.sub(lambda found: f"{found[0]}\n" if found[0] == r"\n" else found[0], spelled)
    return f"{lines}..." if is_cut else lines.removesuffix("\n")

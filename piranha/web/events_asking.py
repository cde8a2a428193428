"""What EVENTS and AUDIT share: a form that chooses, the page that is asked for, and the whole choice as a file."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

from piranha.errors import ConfigUnavailable, EditRefused, EngineUnavailable, NotPermitted
from piranha.exports import csv_lines, json_lines
from piranha.records import RECORDS_MAX, RECORDS_SHOWN, AuditEntry, EngineEvent
from piranha.web.client import engine_problem
from piranha.web.texts import _

TYPED_MAX = 200
"""Characters of a field."""

Answer = TypeVar("Answer")
Record = TypeVar("Record", EngineEvent, AuditEntry)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form; `choices` make it a list, else `width` is in characters."""

    name: str
    label: str
    hint: str
    choices: tuple[str, ...] = ()
    width: int = 30


@dataclass(frozen=True, slots=True)
class Looked(Generic[Answer]):
    """What came of a question: its answer, or what is wrong with which field, or why nothing is known."""

    answer: Answer | None
    troubles: dict[str, str]
    problem: str
    code: int


def times_and_limit() -> tuple[Field, ...]:
    """Return the fields that both forms end with."""
    hint = _("2026-05-31, 2026-05-31 14:00 (the clock of the router), or an age: 90s, 15m, 2h, 1d.")
    return (
        Field("since", _("Since"), hint, width=20),
        Field("until", _("Until"), hint, width=20),
        Field(
            "limit",
            _("How many"),
            _("1 to %(most)s; %(usual)s if empty.", most=RECORDS_MAX, usual=RECORDS_SHOWN),
            (),
            5,
        ),
    )


def typed_in(fields: Sequence[Field]) -> dict[str, str]:
    """Return what this request's address holds for the fields."""
    return {field.name: request.args.get(field.name, "").strip()[:TYPED_MAX] for field in fields}


def wanted_file() -> str:
    """Return as what file the choice is asked for, "json" or "csv"; "" for a page."""
    wanted = request.args.get("export", "")
    return wanted if wanted in ("json", "csv") else ""


def look(ask: Callable[[], Answer], fields: Sequence[Field]) -> Looked[Answer]:
    """Ask the engine; what it does not understand is told at its field."""
    problem = engine_problem()
    # An engine that hangs was waited for by now, and is not waited for once more.
    if not problem:
        try:
            return Looked(ask(), {}, "", 200)
        except EditRefused as refusal:
            if refusal.keyword in {field.name for field in fields}:
                return Looked(None, {refusal.keyword: refusal.sentence}, "", 422)
            return Looked(None, {}, refusal.sentence, 422)
        except (EngineUnavailable, ConfigUnavailable, NotPermitted) as unavailable:
            problem = str(unavailable)
    # Whoever saves a file without looking at it shall not take this page for one.
    return Looked(None, {}, problem, 503 if wanted_file() else 200)


def as_file(kind: type[Record], records: Iterator[Record], name: str) -> Response:
    """Return an answer that sends the records as they come from the engine.

    Raises what the first of them raises. An engine that dies later ends the answer before its end, which the browser
    tells as a failed download.
    """
    first = list(itertools.islice(records, 1))
    all_of_them = itertools.chain(first, records)
    is_csv = wanted_file() == "csv"
    return Response(
        csv_lines(kind, all_of_them) if is_csv else json_lines(all_of_them),
        mimetype="text/csv" if is_csv else "application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="{name}.{"csv" if is_csv else "jsonl"}"'},
    )


def respond(
    fields: Sequence[Field],
    page: Callable[[dict[str, str], str], object],
    everything: Callable[[dict[str, str]], Iterator[Record]],
    kind: type[Record],
    name: str,
    **more: object,
) -> ResponseReturnValue:
    """Return the page of a choice, or all of it as a file; what was typed stays in the form.

    `page` asks for one page of what was typed, `before` a number; `everything` for all of it. `name` is the endpoint's
    and the template's; `more` is for the template.
    """
    typed = typed_in(fields)
    if wanted_file():
        sent = look(lambda: as_file(kind, everything(typed), f"piranha-{name}"), fields)
        if sent.answer is not None:
            return sent.answer
        looked: Looked[object] = Looked(None, sent.troubles, sent.problem, sent.code)
    else:
        looked = look(lambda: page(typed, request.args.get("before", "")[:20]), fields)
    shown = render_template(
        f"{name}.html",
        fields=fields,
        typed=typed,
        answer=looked.answer,
        troubles=looked.troubles,
        problem=looked.problem,
        is_newest="before" not in request.args,
        own={field: text for field, text in typed.items() if text},
        is_chosen=any(text for field, text in typed.items() if field != "limit"),
        **more,
    )
    return shown, looked.code

"""A save, and everything that may come of it, as a value that a page can show beside what was typed."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from flask import flash, request

from piranha.config.edits import Edit, ExpectedPart, Part
from piranha.config.faults import Fault, Severity
from piranha.errors import ConfigConflict, ConfigUnavailable, EditRefused, EngineUnavailable, NotPermitted
from piranha.messages import SaveAnswer
from piranha.web.client import engine, opened, read_again
from piranha.web.texts import _

FLASHED_FAULTS_MAX = 4
FLASHED_BYTES_MAX = 600
"""Of one message, as the cookie holds it. A browser drops a cookie of more than 4096 bytes, with all it carries."""
UNDO = "undo"
"""The kind of message that becomes a button: the number of the version that was made, and the token before it."""
TOKEN_SHOWN = 12
"""So many digits of a token are enough to know a version by."""


@dataclass(frozen=True, slots=True)
class Unsaved:
    """Nothing was written. `status` is the page's HTTP status; `keyword` is where the engine saw the fault.

    `current_text` is what the part says now, if somebody else changed it; else None.
    """

    status: int
    sentence: str
    keyword: str = ""
    current_text: str | None = None


def save(edits: Sequence[Edit], expected: Sequence[ExpectedPart]) -> SaveAnswer | Unsaved:
    """Ask the engine to save these edits if these parts are as they were when the page was made."""
    return _tried(lambda: engine().save(edits, expected))


def restore(number: int, token: str, *, dry_run: bool = False) -> SaveAnswer | Unsaved:
    """Ask the engine to save a version of the history again if lvs.cf is `token` ("": whatever it is)."""
    return _tried(lambda: engine().rollback(number, token, dry_run=dry_run))


def _tried(call: Callable[[], SaveAnswer]) -> SaveAnswer | Unsaved:
    try:
        answer = call()
    except ConfigConflict as problem:
        read_again()
        return Unsaved(409, str(problem), current_text=problem.current_text)
    except EditRefused as problem:
        return Unsaved(422, problem.sentence, problem.keyword)
    except NotPermitted as problem:
        return Unsaved(403, str(problem))
    except (ConfigUnavailable, EngineUnavailable) as problem:
        read_again()
        return Unsaved(503, str(problem))
    read_again()
    return answer


def form_token(part: Part, unsaved: Unsaved | None) -> str:
    """Return the token that the form of a page carries.

    A form that was refused keeps the token it came with: if somebody else changed the part meanwhile, sending the
    mended form is a conflict still. Once the conflict was shown, the form is about what stands there now.
    """
    sent = request.form.get("token") if request.method == "POST" else None
    is_about_now = sent is None or (unsaved is not None and unsaved.current_text is not None)
    return opened().document.token(part) if is_about_now else str(sent)


def tell(answer: SaveAnswer, done: str, faults: Iterable[Fault] = ()) -> None:
    """Say on the next page what was done, with a button that undoes it, and the faults of the things concerned."""
    if answer.changed:
        flash(_("%(done)s lvs.cf is saved, serial_no %(serial)s.", done=done, serial=answer.serial_no), "success")
    else:
        flash(_("Nothing was changed: lvs.cf says that already."), "info")
    if answer.changed and answer.number is not None and answer.before_token:
        flash(f"{answer.number} {answer.before_token[:TOKEN_SHOWN]}", UNDO)
    for notice in answer.notices:
        flash(notice, "info")
    tell_faults(faults)


def tell_faults(faults: Iterable[Fault]) -> None:
    """Say the faults on the next page, the worst first, as many as a cookie can carry."""
    rank = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
    worth = sorted(faults, key=lambda fault: rank.index(fault.severity))
    worth = [fault for fault in worth if fault.severity is not Severity.NOTE]
    for fault in worth[:FLASHED_FAULTS_MAX]:
        sentence = f"{fault.message} {fault.advice}".strip()
        flash(short(sentence), "danger" if fault.severity is Severity.ERROR else "warning")
    if len(worth) > FLASHED_FAULTS_MAX:
        flash(_("And %(count)s more, listed on the page.", count=len(worth) - FLASHED_FAULTS_MAX), "warning")


def short(sentence: str) -> str:
    """Return a sentence, cut where a cookie could not carry it beside the others."""
    if len(json.dumps(sentence)) <= FLASHED_BYTES_MAX:
        return sentence
    kept, used = 0, 0
    while used + len(json.dumps(sentence[kept])) - 2 < FLASHED_BYTES_MAX - 10:
        used += len(json.dumps(sentence[kept])) - 2
        kept += 1
    return f"{sentence[:kept]}…"


def faults_at(faults: Iterable[Fault], path: str, keywords: Sequence[str] | None = None) -> list[Fault]:
    """Return the faults of a block with what is inside it, or of some keywords of that block alone."""
    if keywords is not None:
        return [fault for fault in faults if fault.path == path and fault.keyword in keywords]
    return [fault for fault in faults if fault.path == path or (path and fault.path.startswith(f"{path}."))]

"""HISTORY: every text that lvs.cf had, which, when and by whom; to look at, to compare, to take away as a file."""

from dataclasses import dataclass

from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue

from piranha.config.diffs import diff
from piranha.config.load import encode, token_of
from piranha.errors import ConfigUnavailable, EditRefused, EngineUnavailable, NotPermitted
from piranha.messages import History, VersionInfo, VersionText
from piranha.web.client import engine, engine_problem, saved_config, summary
from piranha.web.saving import TOKEN_SHOWN
from piranha.web.texts import _
from piranha.web.version_texts import running, version_text

blueprint = Blueprint("history", __name__)

VERSIONS_SHOWN = 50
TEXT_LINES_MAX = 5000
NUMBER_DIGITS_MAX = 15
SAVED, RUNNING = "saved", "running"
"""What can be compared beside the versions, as `piranha diff` calls it."""
TYPED_MAX = 40


@dataclass(frozen=True, slots=True)
class Marks:
    """Which text is saved and which runs, by token; "" where there is none, or where nobody knows."""

    saved: str
    running: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The versions of one page, each with the number of the one before it.

    `newer` and `older`: where the pages beside it begin, as `before` ("" : the newest). `undo` is what the button for
    the last save sends: the version's number and the token before it, or "".
    """

    rows: tuple[tuple[VersionInfo, int | None], ...]
    kept: int
    newer: str | None
    older: str | None
    undo: str
    is_saved_kept: bool
    problem: str


class _NoText(Exception):
    """A text that is to be compared cannot be had; the sentence says why."""


def how_words() -> dict[str, str]:
    """Return what each kind of version is called."""
    return {
        "save": _("saved"),
        "create": _("created"),
        "rollback": _("restored"),
        "adopt": _("adopted"),
        "revert": _("Apply taken back"),
        "sync": _("from the partner"),
        "hand edit": _("by hand"),
        "found": _("found"),
    }


def number_in(text: str | None) -> int | None:
    """Return the number of a version, None if that is none."""
    text = (text or "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= NUMBER_DIGITS_MAX):
        return None
    return int(text) or None


def wanted_number() -> int:
    """Return the version that the request's address names; 404 if it names none."""
    number = number_in(request.args.get("number"))
    if number is None:
        abort(404, _("There is no such version: the history counts them 1, 2, 3 and so on."))
    return number


def marks() -> Marks:
    """Return what is saved and what runs."""
    told = summary()
    return Marks("", "") if told is None else Marks(told.config.saved_token, told.config.running_token)


@blueprint.get("/secure/history")
def show_all() -> ResponseReturnValue:
    """List the versions, the newest first."""
    return list_page()


def list_page(refused: str = "") -> str:
    """Return the list. `refused`: why nothing was restored."""
    problem = engine_problem()
    listed: Listed | None = None
    if not problem:
        try:
            listed = _listed(engine().history(), number_in(request.args.get("before")))
        except (EngineUnavailable, NotPermitted, ConfigUnavailable) as trouble:
            problem = str(trouble)
    return render_template(
        "history.html",
        listed=listed,
        problem=problem,
        refused=refused,
        marks=marks(),
        how_words=how_words(),
        old=RUNNING,
        new=SAVED,
        troubles={},
    )


def _listed(history: History, before: int | None) -> Listed:
    kept = history.versions
    start = next((place for place, each in enumerate(kept) if before is None or each.number < before), len(kept))
    shown = kept[start : start + VERSIONS_SHOWN]
    newer: str | None = None
    if start:
        first = max(0, start - VERSIONS_SHOWN)
        newer = str(kept[first].number + 1) if first else ""
    before_each = [*(each.number for each in kept[start + 1 : start + 1 + len(shown)]), None]
    return Listed(
        rows=tuple(zip(shown, before_each, strict=False)),
        kept=len(kept),
        newer=newer,
        older=str(shown[-1].number) if start + VERSIONS_SHOWN < len(kept) else None,
        undo=_undoable(history) if not start else "",
        is_saved_kept=not history.saved_token or any(each.token == history.saved_token for each in kept),
        problem=history.problem,
    )


def _undoable(history: History) -> str:
    """Return how to undo the newest version, if it is lvs.cf and there is one before it."""
    certain = [each for each in history.versions if each.is_certain]
    if len(certain) < 2 or certain[0] != history.versions[0] or certain[0].token != history.saved_token:
        return ""
    return f"{certain[0].number} {certain[1].token[:TOKEN_SHOWN]}"


@blueprint.get("/secure/history/version")
def show() -> ResponseReturnValue:
    """Show one version, or send it as a file, byte for byte."""
    number = wanted_number()
    problem = engine_problem()
    version: VersionText | None = None
    earlier: int | None = None
    if not problem:
        try:
            if request.args.get("as") == "file":
                return _file(engine().version(number))
            kept = engine().history()
            version = version_text(number, kept)
            earlier = next((each.number for each in kept.versions if each.number < number), None)
        except EditRefused as trouble:
            abort(404, trouble.sentence)
        except (EngineUnavailable, NotPermitted, ConfigUnavailable) as trouble:
            problem = str(trouble)
    text = version.text if version is not None else ""
    return render_template(
        "history_version.html",
        number=number,
        version=version,
        earlier=earlier,
        problem=problem,
        text="\n".join(text.split("\n", TEXT_LINES_MAX)[:TEXT_LINES_MAX]),
        cut=max(0, text.count("\n") + 1 - TEXT_LINES_MAX),
        marks=marks(),
        how_words=how_words(),
    )


def _file(version: VersionText) -> Response:
    raw = encode(version.text, version.encoding)
    if token_of(raw) != version.info.token:
        raise ConfigUnavailable(_("The text of this version did not arrive as it is kept. Try again."))
    name = f"lvs.cf.{version.info.number}"
    return Response(
        raw,
        mimetype="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@blueprint.get("/secure/history/diff")
def compare() -> ResponseReturnValue:
    """Show how two texts differ: versions, what is saved, what runs."""
    typed = {
        name: request.args.get(name, usual).strip()[:TYPED_MAX] for name, usual in (("old", RUNNING), ("new", SAVED))
    }
    problem, troubles, code = engine_problem(), {}, 200
    texts: dict[str, str] = {}
    if not problem:
        for name, wanted in typed.items():
            try:
                texts[name] = _text_of(wanted)
            except _NoText as trouble:
                troubles[name], code = str(trouble), 422
            except (EngineUnavailable, NotPermitted, ConfigUnavailable) as trouble:
                problem = str(trouble)
    page = render_template(
        "history_diff.html",
        **typed,
        troubles=troubles,
        problem=problem,
        difference=diff(texts["old"], texts["new"], *map(_title, typed.values())) if len(texts) == 2 else None,
        command=f"piranha diff {typed['old']} {typed['new']}",
        restorable=[number for number in map(number_in, typed.values()) if number is not None and len(texts) == 2],
    )
    return page, code


def _text_of(wanted: str) -> str:
    """Return the text that a name means. Raises _NoText, and what the engine raises."""
    if wanted in (SAVED, RUNNING):
        held = saved_config() if wanted == SAVED else running()
        if held.problem:
            raise _NoText(held.problem)
        if not held.exists:
            raise _NoText(_("There is no lvs.cf.") if wanted == SAVED else _("Nothing was applied yet."))
        return held.text
    number = number_in(wanted)
    if number is None:
        raise _NoText(_("Write the number of a version, %(saved)s or %(running)s.", saved=SAVED, running=RUNNING))
    try:
        return version_text(number).text
    except EditRefused as refusal:
        raise _NoText(refusal.sentence) from refusal


def _title(wanted: str) -> str:
    match wanted:
        case "saved":
            return _("lvs.cf as saved")
        case "running":
            return _("what runs")
        case _:
            return _("version %(number)s", number=wanted)

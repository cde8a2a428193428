"""An earlier text of lvs.cf becomes the saved one again: chosen in the HISTORY, or by the UNDO behind a save.

Both go forward: the old text is saved as a new version, so that an undo is undone by another.
"""

from urllib.parse import parse_qs, urlsplit

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.config.faults import in_file_order
from piranha.config.path import parse_block
from piranha.errors import ConfigUnavailable, EngineUnavailable, NotPermitted
from piranha.messages import SaveAnswer, VersionInfo
from piranha.web.auth import own_address
from piranha.web.client import NoConfig, engine, engine_problem, opened, saved_config
from piranha.web.history import list_page, number_in, wanted_number
from piranha.web.plan import NO_VERSION
from piranha.web.saving import TOKEN_SHOWN, Unsaved, restore, tell
from piranha.web.texts import _

blueprint = Blueprint("restoring", __name__)

NO_FILE = "none"
"""Stands in the form for the token of an lvs.cf that does not exist."""


@blueprint.get("/secure/history/restore")
def ask() -> ResponseReturnValue:
    """Ask whether this version shall be lvs.cf again, and show what that changes."""
    return _question(wanted_number())


def _question(number: int, refused: str = "") -> str:
    problem, token = engine_problem(), ""
    would: SaveAnswer | None = None
    if not problem:
        try:
            saved = saved_config()
            token, problem = (saved.token if saved.exists else NO_FILE), saved.problem
        except (EngineUnavailable, NotPermitted) as trouble:
            problem = str(trouble)
    if not problem:
        answer = restore(number, "" if token == NO_FILE else token, dry_run=True)
        if not isinstance(answer, Unsaved):
            would = answer
        elif answer.status == 422:
            abort(404, answer.sentence)
        else:
            problem = answer.sentence
    return render_template(
        "history_restore.html",
        number=number,
        token=token,
        would=would,
        faults=in_file_order(would.faults) if would is not None else (),
        problem=problem,
        refused=refused,
    )


@blueprint.post("/secure/history/restore")
def save_again() -> ResponseReturnValue:
    """Save the version again, if lvs.cf is what the question showed."""
    number = number_in(request.form.get("number"))
    if number is None:
        abort(404, _("There is no such version: the history counts them 1, 2, 3 and so on."))
    token = request.form.get("token") or NO_VERSION
    if token == NO_FILE:
        # The engine takes no token as "whatever it is"; nothing is overwritten that the question did not show.
        token = NO_VERSION if engine().config().exists else ""
    answer = restore(number, token)
    if isinstance(answer, Unsaved):
        changed = _("lvs.cf was changed since the question was asked. This is the difference now; asked again:")
        return _question(number, changed if answer.status == 409 else answer.sentence), answer.status
    tell(answer, _("Version %(number)s is restored.", number=number))
    return redirect(url_for("plan.show"), 303)


@blueprint.post("/secure/undo")
def undo() -> ResponseReturnValue:
    """Save lvs.cf again as it was before a version, if it still is that version."""
    number, before = number_in(request.form.get("number")), request.form.get("before", "")
    try:
        kept = engine().history()
    except (EngineUnavailable, NotPermitted, ConfigUnavailable) as problem:
        return list_page(str(problem)), 503
    made = next((each for each in kept.versions if each.number == number), None)
    if made is None or len(before) != TOKEN_SHOWN:
        return list_page(_("What was to be undone is not in the history (any more).")), 409
    if made.token != kept.saved_token:
        told = _("lvs.cf was changed since version %(number)s was saved, so that was not undone.", number=number)
        return list_page(f"{told} {_('The versions below can be compared and restored.')}"), 409
    earlier = _earlier(kept.versions, made, before)
    if earlier is None:
        told = _("The text before version %(number)s is not in the history (any more).", number=number)
        return list_page(told), 409
    answer = restore(earlier.number, made.token)
    if isinstance(answer, Unsaved):
        return list_page(answer.sentence), answer.status
    tell(answer, _("Undone: lvs.cf is as in version %(number)s.", number=earlier.number))
    return redirect(_landing(request.form.get("back")), 303)


def _earlier(versions: tuple[VersionInfo, ...], made: VersionInfo, before: str) -> VersionInfo | None:
    return next((each for each in versions if each.number < made.number and each.token.startswith(before)), None)


def _landing(wanted: str | None) -> str:
    """Return where to go on: the page where the button was, or the list if its block went with the undo."""
    back = own_address(wanted)
    if back is None or not back.startswith("/secure/"):
        return url_for("history.show_all")
    named = parse_qs(urlsplit(back).query)
    try:
        document = opened().document
        is_there = all(
            document.has(parse_block(text)) for name in ("virtual", "server") for text in named.get(name, ())
        )
    except (ValueError, NoConfig):
        is_there = False
    return back if is_there else url_for("virtual_servers.show_all")

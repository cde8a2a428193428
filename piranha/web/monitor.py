"""CONTROL/MONITORING: what the engine does right now (manual 4.3), and PASSWORD."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.errors import EditRefused, PiranhaError
from piranha.status import RunState
from piranha.web.auth import AUTO_UPDATE
from piranha.web.blocks import set_by_hand, shown_path
from piranha.web.client import engine, engine_problem, status
from piranha.web.saving import short
from piranha.web.texts import _

blueprint = Blueprint("monitor", __name__)

INTERVAL_MIN_S = 10
INTERVAL_MAX_S = 3600


@dataclass(frozen=True, slots=True)
class AutoUpdate:
    """What was asked for. `interval_s` is in force only if `is_on`; `typed` is what the control shows."""

    is_on: bool
    interval_s: int
    typed: str
    error: str = ""
    note: str = ""


def auto_update(is_asked: bool, typed: str) -> AutoUpdate:
    """Return the auto update that these inputs mean: empty is 10 s, less is raised to 10 s, a word is an error."""
    typed = typed.strip()
    if is_asked and not typed:
        return AutoUpdate(True, INTERVAL_MIN_S, str(INTERVAL_MIN_S))
    if typed and not (typed.isascii() and typed.isdecimal() and len(typed) <= 6):
        return AutoUpdate(False, INTERVAL_MIN_S, typed[:20], error=_("The interval is a whole number of seconds."))
    if not is_asked:
        return AutoUpdate(False, INTERVAL_MIN_S, typed)
    seconds = int(typed)
    if seconds < INTERVAL_MIN_S:
        note = _("The interval was raised to %(least)s seconds, the least there is.", least=INTERVAL_MIN_S)
        return AutoUpdate(True, INTERVAL_MIN_S, str(INTERVAL_MIN_S), note=note)
    if seconds > INTERVAL_MAX_S:
        note = _("The interval was lowered to %(most)s seconds.", most=INTERVAL_MAX_S)
        return AutoUpdate(True, INTERVAL_MAX_S, str(INTERVAL_MAX_S), note=note)
    return AutoUpdate(True, seconds, str(seconds))


@blueprint.get("/secure/control")
def control() -> ResponseReturnValue:
    """Show the panel."""
    return _page()


def _page(refused: str = "") -> str:
    update = auto_update(bool(request.args.get("auto")), request.args.get("interval", ""))
    told = status()
    own: dict[str, Any] = {"auto": "1", "interval": update.typed} if update.is_on else {}
    refreshed: dict[str, Any] = {AUTO_UPDATE: "1"}
    return render_template(
        "control.html",
        status=told,
        overrides=set_by_hand(told),
        is_running=told is not None and told.state is RunState.RUNNING,
        problem=engine_problem(),
        update=update,
        is_auto_asked=bool(request.args.get("auto")),
        refused=refused,
        own=own,
        refresh_url=url_for("monitor.control", **own, **refreshed) if update.is_on else "",
    )


@blueprint.post("/secure/control/override")
def override() -> ResponseReturnValue:
    """Drain a real server, or take back what was set by hand."""
    server = request.form.get("server", "")
    try:
        match request.form.get("do"):
            case "drain":
                answer = engine().override(server, "drain")
                flash(_("%(server)s drains: it gets no new connections.", server=shown_path(server)), "success")
            case "undrain":
                answer = engine().clear(server, "drain")
                flash(_("%(server)s is no longer drained.", server=shown_path(server)), "success")
            case "clear":
                answer = engine().clear(server)
                flash(_("Nothing is set by hand for %(server)s any more.", server=shown_path(server)), "success")
            case _:
                return _page(_("Nothing was done: no button was named.")), 400
    except EditRefused as problem:
        return _page(problem.sentence), 422
    except PiranhaError as problem:
        return _page(str(problem)), 503
    for notice in answer.notices:
        flash(short(notice), "warning")
    kept: dict[str, Any] = {name: request.form[name] for name in ("auto", "interval") if request.form.get(name)}
    return redirect(url_for("monitor.control", **kept), 303)


@blueprint.get("/secure/password")
def password() -> ResponseReturnValue:
    """Say how the password is changed. The page itself changes nothing."""
    return render_template("password.html")

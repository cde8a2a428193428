"""STOP and START of LVS, from CONTROL/MONITORING. Before a stop a page says what it ends."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from piranha.errors import NotPermitted, PiranhaError, UnsafePlan
from piranha.monitoring import RunAnswer
from piranha.status import RunState
from piranha.web.client import engine, engine_problem, read_again, summary
from piranha.web.saving import short
from piranha.web.texts import _

blueprint = Blueprint("running", __name__)


@blueprint.get("/secure/control/stop")
def ask_stop() -> ResponseReturnValue:
    """Say what a stop ends, and ask."""
    return _page()


def _page(refused: str = "", did: str = "") -> str:
    told = summary()
    return render_template(
        "stop.html",
        told=told,
        is_stopped=told is not None and told.state is RunState.STOPPED,
        problem=engine_problem(),
        refused=refused,
        did=did or _("Nothing was stopped."),
    )


@blueprint.post("/secure/control/stop")
def stop() -> ResponseReturnValue:
    """Stop LVS."""
    try:
        answer = engine().stop()
    except PiranhaError as problem:
        read_again()
        return _page(str(problem)), _code(problem)
    return _told(answer)


@blueprint.post("/secure/control/start")
def start() -> ResponseReturnValue:
    """Start LVS with lvs.cf as it is saved."""
    try:
        answer = engine().start()
    except PiranhaError as problem:
        read_again()
        return _page(str(problem), _("LVS was not started.")), _code(problem)
    return _told(answer)


def _told(answer: RunAnswer) -> ResponseReturnValue:
    read_again()
    flash(short(answer.sentence), "success" if answer.changed else "info")
    for message in answer.messages:
        flash(short(message), "warning")
    return redirect(url_for("monitor.control"), 303)


def _code(problem: PiranhaError) -> int:
    if isinstance(problem, NotPermitted):
        return 403
    return 409 if isinstance(problem, UnsafePlan) else 503

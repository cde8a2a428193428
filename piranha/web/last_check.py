"""How the last check of a real server went: a page behind CONTROL/MONITORING."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from piranha.config.path import parse_block, written
from piranha.errors import EngineUnavailable, PiranhaError
from piranha.web import trying
from piranha.web.blocks import REAL, shown_path
from piranha.web.client import engine, engine_problem
from piranha.web.texts import _

blueprint = Blueprint("last_check", __name__)


@blueprint.get("/secure/check")
def show() -> ResponseReturnValue:
    """Show what was sent, what came back, and when."""
    server = request.args.get("server", "").split("\n")[0].strip()
    told, code = None, 200
    # An engine that hangs was waited for by now, and is not waited for once more.
    problem = engine_problem()
    if not server:
        problem, code = _("No real server was named."), 404
    elif not problem:
        try:
            told = engine().last_check(server)
        except EngineUnavailable as unavailable:
            problem = str(unavailable)
        except PiranhaError as refusal:
            problem, code = str(refusal), 422
    if told is not None and not told.name and told.found is None and told.problem:
        problem, code, told = _("%(name)s is not in what runs.", name=shown_path(server)), 404, None
    page = render_template(
        "last_check.html",
        title=shown_path(server),
        told=told,
        transcript=trying.transcript(told.found) if told is not None and told.found is not None else None,
        took=trying.took(told.found) if told is not None and told.found is not None else "",
        virtual=_virtual_of(server),
        problem=problem,
    )
    return page, code


def _virtual_of(server: str) -> str:
    """Return the path of the virtual server of a real server, "" if it is none."""
    try:
        steps = parse_block(server)
    except ValueError:
        return ""
    return written(steps[:-1]) if tuple(step.kind for step in steps) == REAL else ""

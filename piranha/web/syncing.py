"""SYNC: compare this router's configuration with the partner's, and send it there (manual 4.7)."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from piranha.errors import NotPermitted, PiranhaError
from piranha.sync_messages import Outcome, SyncAnswer, SyncRequest
from piranha.web.client import engine, read_again, summary
from piranha.web.pair import pair
from piranha.web.texts import _

blueprint = Blueprint("syncing", __name__)

EDITED_THERE = (Outcome.PARTNER_EDITED, Outcome.BOTH_EDITED)


@blueprint.get("/secure/redundancy/sync")
def ask() -> ResponseReturnValue:
    """Say what is known without asking the partner, and ask."""
    return _page()


def _page(answer: SyncAnswer | None = None, refused: str = "", *, forces: bool = False, applies: bool = True) -> str:
    return render_template(
        "sync.html",
        told=summary(),
        pair=pair(),
        answer=answer,
        is_good=answer is not None and answer.outcome.is_good,
        is_compared=answer is not None and answer.outcome is Outcome.DIFFERENT,
        is_edited_there=answer is not None and answer.outcome in EDITED_THERE,
        refused=refused,
        forces=forces,
        applies=applies,
    )


@blueprint.post("/secure/redundancy/sync")
def act() -> ResponseReturnValue:
    """Compare, or send; the report stands on the page."""
    does, forces = request.form.get("do"), bool(request.form.get("force"))
    applies = not request.form.get("keeps_running")
    if does not in ("compare", "sync"):
        return _page(refused=_("No button was named.")), 400
    try:
        answer = engine().sync(SyncRequest(forces, does == "compare", applies))
    except PiranhaError as problem:
        read_again()
        code = 403 if isinstance(problem, NotPermitted) else 503
        return _page(refused=str(problem), forces=forces, applies=applies), code
    read_again()
    is_fine = answer.outcome.is_good or answer.outcome is Outcome.DIFFERENT
    return _page(answer, forces=forces, applies=applies), 200 if is_fine else 409

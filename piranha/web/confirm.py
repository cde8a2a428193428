"""An Apply that waits for its confirmation: the countdown, CONFIRM and REVERT NOW, and what came of it."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.errors import ConfigUnavailable, EngineUnavailable, NothingPending, NotPermitted, PiranhaError
from piranha.records import EngineEvent, EventKind, EventsQuery
from piranha.web.auth import AUTO_UPDATE
from piranha.web.client import engine, engine_problem, read_again, summary
from piranha.web.plan import NO_VERSION
from piranha.web.texts import _

blueprint = Blueprint("confirm", __name__)

REFRESH_S = 5
"""How often the page is loaded anew where no script counts, seconds; it is no activity of a person."""


@blueprint.get("/secure/confirm")
def show() -> ResponseReturnValue:
    """Show the countdown, or what became of the last one."""
    return _page()


def _page(refused: str = "") -> str:
    told = summary()
    waits = told.confirmation if told is not None else None
    # Whoever looks at a countdown while the engine is gone goes on looking; whoever comes without one does not wait.
    looks = waits is not None or (told is None and AUTO_UPDATE in request.args)
    refreshed: dict[str, Any] = {AUTO_UPDATE: "1"}
    last = _last() if told is not None and waits is None else None
    return render_template(
        "confirm.html",
        waits=waits,
        problem=engine_problem(),
        refused=refused,
        last=last,
        taken_back=_taken_back() if last is not None and last.kind == EventKind.REVERTED else None,
        looks=looks,
        state=f"{waits.token} {waits.problem}" if waits is not None else "unknown",
        refresh_s=REFRESH_S,
        refresh_url=url_for("confirm.show", **refreshed),
    )


def _last() -> EngineEvent | None:
    """Return how the last Apply that waited ended, None if none did or nobody knows."""
    try:
        found = engine().events(EventsQuery(kind=f"{EventKind.CONFIRMED},{EventKind.REVERTED}", limit="1"))
    except PiranhaError:
        return None
    return found.events[0] if found.events else None


def _taken_back() -> int | None:
    """Return the version that the newest version of lvs.cf took back, None if that one took back none."""
    try:
        versions = [each for each in engine().history().versions if each.is_certain]
    except PiranhaError:
        return None
    return versions[1].number if len(versions) > 1 and versions[0].how == "revert" else None


@blueprint.post("/secure/confirm")
def decide() -> ResponseReturnValue:
    """Let what was applied run on, or take it back now: exactly the Apply that the page showed."""
    # An empty token would mean whatever waits by now; nothing is confirmed that no page showed.
    token = request.form.get("token") or NO_VERSION
    try:
        match request.form.get("do"):
            case "confirm":
                confirmed = engine().confirm(token)
                serial = confirmed.serial_no if confirmed.serial_no is not None else "–"
                flash(_("Confirmed: lvs.cf with serial_no %(serial)s goes on running.", serial=serial), "success")
                landing = url_for("monitor.control")
            case "revert":
                engine().revert(token)
                flash(_("Taken back: what ran before the Apply runs again."), "success")
                landing = url_for("confirm.show")
            case _:
                return _page(_("No button was named.")), 400
    except NothingPending as problem:
        read_again()
        return _page(str(problem)), 409
    except NotPermitted as problem:
        return _page(str(problem)), 403
    except (ConfigUnavailable, EngineUnavailable) as problem:
        read_again()
        return _page(str(problem)), 503
    read_again()
    return redirect(landing, 303)

"""What Apply would do, and Apply, for good or until it is confirmed: saved is not applied."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.errors import (
    ConfigConflict,
    ConfigUnavailable,
    EditRefused,
    EngineUnavailable,
    NotPermitted,
    UnsafePlan,
)
from piranha.messages import CONFIRM_LEAST_S, CONFIRM_MOST_S, ApplyAnswer, Plan
from piranha.monitoring import STATUS_ROWS_MAX, TROUBLE, StatusQuery
from piranha.web.client import engine, opened, read_again, status, summary
from piranha.web.furniture import moment
from piranha.web.saving import short
from piranha.web.texts import _

blueprint = Blueprint("plan", __name__)

STEPS_TOLD_MAX = 3
REFUSED_TOLD_MAX = 3
NO_VERSION = "-"
CONFIRM_USUAL_S = 60
"""How many seconds the page offers for the confirmation."""


@blueprint.get("/secure/plan")
def show() -> ResponseReturnValue:
    """Show the difference between what is saved and what runs, and what Apply would do about it."""
    return _page()


def _page(refused: str = "", told: str = "", trouble: str = "") -> str:
    """Return the page. `refused` and `told`: why nothing was applied; `trouble`: what is wrong with the seconds."""
    plan: Plan | None = None
    problem = opened().engine_problem
    if not problem:
        try:
            plan = engine().plan()
        except (EngineUnavailable, ConfigUnavailable) as error:
            problem = str(error)
    now = summary()
    is_new = plan is not None and plan.token != plan.running_token
    final = [text for text in plan.refusals if text not in plan.forcible] if plan is not None else []
    return render_template(
        "plan.html",
        plan=plan,
        problem=problem,
        refused=refused,
        told=told,
        trouble=trouble,
        messages=now.messages if now is not None else (),
        is_new=is_new,
        removes_at_once=bool(request.form.get("removes_at_once")),
        confirm_s=request.form.get("confirm_s", str(CONFIRM_USUAL_S))[:20],
        least_s=CONFIRM_LEAST_S,
        most_s=CONFIRM_MOST_S,
        # Who was refused just now keeps what he chose; nobody is offered a button that cannot work.
        has_form=(is_new or bool(plan and plan.steps)) and (not final or bool(refused)),
    )


@blueprint.post("/secure/plan")
def apply() -> ResponseReturnValue:
    """Run the version that the page showed, for good or until it is confirmed."""
    is_confirmed_later = request.form.get("do") == "confirm"
    confirm_s = _seconds(request.form.get("confirm_s", "")) if is_confirmed_later else 0
    if confirm_s is None:
        return _page(_("The seconds for the confirmation are not right."), trouble=_whole_seconds()), 422
    try:
        answer = engine().apply(
            # An empty token would mean whatever is saved by now; nothing is applied that no page showed.
            token=request.form.get("token") or NO_VERSION,
            force=bool(request.form.get("force")),
            removes_at_once=bool(request.form.get("removes_at_once")),
            confirm_s=confirm_s,
        )
    except ConfigConflict:
        read_again()
        told = _("lvs.cf was saved anew since this page was made. Nothing was applied. This is the plan now.")
        return _page(told=told), 409
    except UnsafePlan as problem:
        read_again()
        return _page(str(problem)), 422
    except EditRefused as problem:
        return _page(problem.sentence), 422
    except NotPermitted as problem:
        return _page(str(problem)), 403
    except (EngineUnavailable, ConfigUnavailable) as problem:
        read_again()
        return _page(str(problem)), 503
    _tell(answer)
    return redirect(url_for("confirm.show" if answer.confirmation is not None else "monitor.control"), 303)


def _seconds(typed: str) -> int | None:
    """Return how many seconds an Apply shall wait for its confirmation, None for what cannot be that."""
    typed = typed.strip()
    if not (typed.isascii() and typed.isdecimal() and len(typed) <= 6):
        return None
    return int(typed) if CONFIRM_LEAST_S <= int(typed) <= CONFIRM_MOST_S else None


def _whole_seconds() -> str:
    return _("Write a whole number from %(least)s to %(most)s.", least=CONFIRM_LEAST_S, most=CONFIRM_MOST_S)


def _tell(answer: ApplyAnswer) -> None:
    """Say on the next page what was done, and what is not served all the same."""
    read_again()
    if answer.confirmation is None:
        told = _("Applied: lvs.cf with serial_no %(serial)s is what runs now.", serial=answer.serial_no)
    else:
        told = _(
            "Applied: lvs.cf with serial_no %(serial)s runs now. Confirm it until %(deadline)s.",
            serial=answer.serial_no,
            deadline=moment(answer.confirmation.deadline),
        )
    flash(f"{told} {_steps(len(answer.steps))}", "success")
    for step in answer.steps[:STEPS_TOLD_MAX]:
        flash(short(f"{step.step} {step.impact}".strip()), "info")
    # Of thousands of virtual servers those alone that are not well, and hardly anything of their real servers.
    now = status(StatusQuery(only=TROUBLE, limit=str(STATUS_ROWS_MAX), servers="1"))
    refused = [each for each in now.virtual_servers if each.refused] if now is not None else []
    for each in refused[:REFUSED_TOLD_MAX]:
        flash(short(_("%(name)s is not served: %(why)s", name=each.name, why=each.refused)), "danger")
    if len(refused) > REFUSED_TOLD_MAX:
        more = len(refused) - REFUSED_TOLD_MAX
        flash(_("%(count)s more are not served; the table says why.", count=more), "danger")


def _steps(count: int) -> str:
    match count:
        case 0:
            return _("The table needed no change.")
        case 1:
            return _("One step was taken.")
        case _:
            return _("%(count)s steps were taken.", count=count)

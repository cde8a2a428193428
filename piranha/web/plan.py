"""What Apply would do, and Apply: saved is not applied."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.errors import ConfigConflict, ConfigUnavailable, EngineUnavailable, UnsafePlan
from piranha.messages import Plan
from piranha.web.client import engine, opened, read_again, status
from piranha.web.saving import short
from piranha.web.texts import _

blueprint = Blueprint("plan", __name__)

STEPS_TOLD_MAX = 3
REFUSED_TOLD_MAX = 3
NO_VERSION = "-"


@blueprint.get("/secure/plan")
def show() -> ResponseReturnValue:
    """Show the difference between what is saved and what runs, and what Apply would do about it."""
    return _page()


def _page(refused: str = "", told: str = "") -> str:
    plan: Plan | None = None
    problem = opened().engine_problem
    if not problem:
        try:
            plan = engine().plan()
        except (EngineUnavailable, ConfigUnavailable) as error:
            problem = str(error)
    is_new = plan is not None and plan.token != plan.running_token
    return render_template(
        "plan.html",
        plan=plan,
        problem=problem,
        refused=refused,
        told=told,
        is_new=is_new,
        removes_at_once=bool(request.form.get("removes_at_once")),
        final_refusals=[text for text in plan.refusals if text not in plan.forcible] if plan is not None else [],
    )


@blueprint.post("/secure/plan")
def apply() -> ResponseReturnValue:
    """Run the version that the page showed."""
    try:
        answer = engine().apply(
            # An empty token would mean whatever is saved by now; nothing is applied that no page showed.
            token=request.form.get("token") or NO_VERSION,
            force=bool(request.form.get("force")),
            removes_at_once=bool(request.form.get("removes_at_once")),
        )
    except ConfigConflict:
        read_again()
        told = _("lvs.cf was saved anew since this page was made. Nothing was applied. This is the plan now.")
        return _page(told=told), 409
    except UnsafePlan as problem:
        return _page(refused=str(problem)), 422
    except (EngineUnavailable, ConfigUnavailable) as problem:
        read_again()
        return _page(refused=str(problem)), 503
    read_again()
    told = _("Applied: lvs.cf with serial_no %(serial)s is what runs now.", serial=answer.serial_no)
    flash(f"{told} {_steps(len(answer.steps))}", "success")
    for step in answer.steps[:STEPS_TOLD_MAX]:
        flash(short(f"{step.step} {step.impact}".strip()), "info")
    now = status()
    refused = [each for each in now.virtual_servers if each.refused] if now is not None else []
    for each in refused[:REFUSED_TOLD_MAX]:
        flash(short(_("%(name)s is not served: %(why)s", name=each.name, why=each.refused)), "danger")
    if len(refused) > REFUSED_TOLD_MAX:
        more = len(refused) - REFUSED_TOLD_MAX
        flash(_("%(count)s more are not served; the table says why.", count=more), "danger")
    return redirect(url_for("monitor.control"), 303)


def _steps(count: int) -> str:
    match count:
        case 0:
            return _("The table needed no change.")
        case 1:
            return _("One step was taken.")
        case _:
            return _("%(count)s steps were taken.", count=count)

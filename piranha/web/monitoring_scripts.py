"""MONITORING SCRIPTS: how a virtual server's real servers are checked (manual 4.6.3)."""

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from piranha.check_messages import TryRequest
from piranha.config.edits import ExpectedPart, SetValues
from piranha.config.expressions import expression_fault
from piranha.messages import SaveAnswer
from piranha.web import blocks, trying
from piranha.web.blocks import Block
from piranha.web.client import opened
from piranha.web.forms import Form
from piranha.web.panels import ERASERS, SCRIPT_CONTROLS, keywords_of, script_part
from piranha.web.places import kept
from piranha.web.saving import Unsaved, faults_at, form_token, save, tell
from piranha.web.texts import _
from piranha.web.trying import Tried
from piranha.web.virtual_servers import wanted_virtual

blueprint = Blueprint("monitoring_scripts", __name__)

KEPT = "kept_scripts"
"""Where the session carries what was typed beside a value that was erased, to the page that follows."""
KEPT_CHARACTERS_MAX = 800


def _form(virtual: Block) -> Form:
    document = opened().document
    present = {keyword: document.get(virtual.steps, keyword) for keyword in keywords_of(SCRIPT_CONTROLS)}
    return Form(SCRIPT_CONTROLS, present)


def _page(form: Form, virtual: Block, unsaved: Unsaved | None = None, tried: Tried | None = None) -> str:
    part = script_part(virtual.path)
    pinned = blocks.pinned(opened().document, part)
    return render_template(
        "monitoring_scripts.html",
        form=form,
        virtual=virtual,
        erasers=ERASERS,
        token=form_token(pinned, unsaved),
        faults=faults_at(opened().faults, virtual.path, part.keywords),
        unsaved=unsaved,
        tried=tried,
        choices=trying.choices(virtual),
    )


@blueprint.get("/secure/monitoring_scripts")
def show() -> ResponseReturnValue:
    """Show the panel."""
    virtual = wanted_virtual()
    form = _form(virtual)
    kept = session.pop(KEPT, None)
    if isinstance(kept, dict) and kept.get("path") == virtual.path and isinstance(kept.get("typed"), dict):
        form.typed.update({name: str(text) for name, text in kept["typed"].items() if form.has(name)})
    return _page(form, virtual)


@blueprint.post("/secure/monitoring_scripts")
def accept() -> ResponseReturnValue:
    """Save the panel, erase the one value whose button was pressed, or try the checks as they are typed."""
    virtual = wanted_virtual()
    erased = request.form.get("erase", "")
    if erased in ERASERS:
        return _erase(virtual, erased)
    form = _form(virtual)
    form.fill(request.form)
    changes = form.changes()
    _judge(form)
    if form.troubles:
        return _page(form, virtual), 422
    if trying.is_asked():
        return _try_now(form, virtual, changes)
    return _save(virtual, changes)


def _try_now(form: Form, virtual: Block, changes: dict[str, str | None]) -> ResponseReturnValue:
    if trouble := trying.choices(virtual).trouble:
        return _page(form, virtual, tried=Tried(422, trouble)), 422
    asked = TryRequest(virtual.path, request.form.get(trying.AGAINST, ""), changes)
    tried = trying.try_now(asked, form)
    return _page(form, virtual, tried=tried), tried.status


def _judge(form: Form) -> None:
    """Judge what no field can judge alone."""
    if form.typed["use_regex"] == "1" and form.typed["expect"] and not form.troubles_of("expect"):
        fault = expression_fault(form.typed["expect"])
        if fault is not None:
            form.refuse("expect", fault.message, fault.advice)


def _erase(virtual: Block, keyword: str) -> ResponseReturnValue:
    """Erase one value. What else was typed is not saved, and not lost: it stands in the controls again."""
    form = _form(virtual)
    form.fill(request.form)
    form.typed[keyword] = form.shown[keyword]
    others = [name for name in form.typed if form.is_changed(name)]
    answer = _try(virtual, {keyword: None})
    if isinstance(answer, Unsaved):
        return _refused(virtual, answer)
    part = script_part(virtual.path)
    tell(
        answer,
        _("%(label)s is erased.", label=form[keyword].label),
        faults_at(answer.faults, virtual.path, part.keywords),
    )
    if others:
        flash(_("What else you typed is not saved yet; it is still here. ACCEPT saves it."), "info")
        typed = {name: text for name, text in form.typed.items() if name in others}
        if sum(len(text) for text in typed.values()) > KEPT_CHARACTERS_MAX:
            # Too much for a cookie: shown at once instead.
            again = _form(virtual)
            again.typed.update(typed)
            return _page(again, virtual)
        session[KEPT] = {"path": virtual.path, "typed": typed}
    return redirect(url_for("monitoring_scripts.show", virtual=virtual.path, **kept()), 303)


def _save(virtual: Block, values: dict[str, str | None]) -> ResponseReturnValue:
    answer = _try(virtual, values)
    if isinstance(answer, Unsaved):
        return _refused(virtual, answer)
    done = _("The checks of %(name)s are saved.", name=virtual.title)
    tell(answer, done, faults_at(answer.faults, virtual.path, script_part(virtual.path).keywords))
    return redirect(url_for("monitoring_scripts.show", virtual=virtual.path, **kept()), 303)


def _try(virtual: Block, values: dict[str, str | None]) -> SaveAnswer | Unsaved:
    part = blocks.pinned(opened().document, script_part(virtual.path))
    return save([SetValues(path=virtual.path, values=values)], [ExpectedPart(part, request.form.get("token", ""))])


def _refused(virtual: Block, answer: Unsaved) -> ResponseReturnValue:
    virtual = wanted_virtual()
    form = _form(virtual)
    form.fill(request.form)
    if answer.keyword and form.refuse_keyword(answer.keyword, answer.sentence):
        return _page(form, virtual), answer.status
    return _page(form, virtual, answer), answer.status

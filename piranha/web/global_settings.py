"""GLOBAL SETTINGS: the primary router, the timeouts, how packets reach the real servers (manual 4.4)."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.config.edits import ExpectedPart, SetValues
from piranha.web.client import opened
from piranha.web.forms import Form
from piranha.web.panels import GLOBAL_CONTROLS, GLOBAL_PART, NAT_CONTROLS
from piranha.web.saving import Unsaved, faults_at, form_token, save, tell
from piranha.web.texts import _

blueprint = Blueprint("global_settings", __name__)


def _form() -> Form:
    document = opened().document
    return Form(GLOBAL_CONTROLS, {keyword: document.get((), keyword) for keyword in GLOBAL_PART.keywords or ()})


def _page(form: Form, unsaved: Unsaved | None = None) -> str:
    return render_template(
        "global_settings.html",
        form=form,
        nat_controls=NAT_CONTROLS,
        token=form_token(GLOBAL_PART, unsaved),
        faults=faults_at(opened().faults, "", GLOBAL_PART.keywords),
        unsaved=unsaved,
        connected_to=request.host,
    )


@blueprint.get("/secure/global_settings")
def show() -> ResponseReturnValue:
    """Show the panel."""
    return _page(_form())


@blueprint.post("/secure/global_settings")
def accept() -> ResponseReturnValue:
    """Save the panel."""
    form = _form()
    form.fill(request.form)
    changes = form.changes()
    if form.troubles:
        return _page(form), 422
    notes = []
    if "primary_private" in changes and changes["primary_private"] is None and form.present["backup_private"]:
        changes["backup_private"] = None
        notes.append(_("The backup's private IP was removed too: one private address alone has no effect."))
    if changes.get("network") not in (None, "nat") and (form.typed["nat_router"] or form.typed["nat_nmask"]):
        kept = _("The settings of the NAT router stay in lvs.cf. They have no effect now, and count again with NAT.")
        notes.append(kept)
    answer = save([SetValues(path="", values=changes)], [ExpectedPart(GLOBAL_PART, request.form.get("token", ""))])
    if isinstance(answer, Unsaved):
        again = _form()
        again.fill(request.form)
        if not answer.keyword or not again.refuse_keyword(answer.keyword, answer.sentence):
            return _page(again, answer), answer.status
        return _page(again), answer.status
    tell(answer, _("Global settings saved."), faults_at(answer.faults, "", GLOBAL_PART.keywords))
    for note in notes:
        flash(note, "info")
    return redirect(url_for("global_settings.show"), 303)

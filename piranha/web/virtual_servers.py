"""VIRTUAL SERVERS: the list, and the panel of one (manual 4.6)."""

import shlex
from collections.abc import Callable, Iterable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.config.edits import AddBlock, Edit, ExpectedPart, Part, RemoveBlock, RenameBlock, SetValues
from piranha.config.faults import Fault
from piranha.config.fields import NEW_VIRTUAL_SERVER, ORDER, Scope
from piranha.config.path import Step, written
from piranha.web import blocks, virtual_list
from piranha.web.blocks import VIRTUAL, Block, NoSuchBlock
from piranha.web.client import opened
from piranha.web.forms import NAME, Form, Kind
from piranha.web.paging import beginning
from piranha.web.panels import VIRTUAL_CONTROLS, keywords_of, status_part, virtual_part
from piranha.web.places import in_virtual_servers, kept, list_of_virtual_servers
from piranha.web.saving import Unsaved, faults_at, form_token, save, tell
from piranha.web.texts import _

blueprint = Blueprint("virtual_servers", __name__)
blueprint.add_app_template_global(kept)
blueprint.add_app_template_filter(beginning)
blueprint.add_app_template_filter(shlex.quote, "in_shell")

NAME_OFFERED = "[server_name]"
KEYWORDS = keywords_of(VIRTUAL_CONTROLS, "active")
SERVERS_NAMED = 50
"""Of those that go with a virtual server."""


def wanted_virtual(argument: str = "virtual") -> Block:
    """Return the virtual server that the request's address names. Raises NoSuchBlock."""
    return blocks.find(opened().document, request.args.get(argument), VIRTUAL, KEYWORDS)


@blueprint.get("/secure/virtual_servers")
def show_all() -> ResponseReturnValue:
    """Show the list."""
    return _list()


def _list(unsaved: Unsaved | None = None) -> str:
    understood, document = opened().understood, opened().document
    return render_template(
        "virtual_servers.html",
        **virtual_list.words(understood, in_virtual_servers()),
        unsaved=unsaved,
        faults=understood.once("faults of virtual servers", lambda: _faults_inside(understood.loaded.faults)),
        failover=understood.once("failover services", lambda: blocks.names_inside(document, (), "failover")),
        service=document.get((), "service") or "lvs",
    )


def _faults_inside(faults: Iterable[Fault]) -> list[Fault]:
    return [fault for fault in faults if fault.path.startswith("virtual[")]


def _form(virtual: Block | None) -> Form:
    if virtual is not None:
        return Form(VIRTUAL_CONTROLS, virtual.values, virtual.name)
    form = Form(VIRTUAL_CONTROLS, dict.fromkeys(KEYWORDS))
    offered = Form(VIRTUAL_CONTROLS, NEW_VIRTUAL_SERVER, NAME_OFFERED)
    form.typed.update(offered.shown)
    return form


def _page(form: Form, virtual: Block | None, unsaved: Unsaved | None = None, *, was_deleted: str = "") -> str:
    return render_template(
        "virtual_server.html",
        form=form,
        virtual=virtual,
        token=form_token(_part(virtual_part, virtual), unsaved) if virtual is not None else "",
        faults=faults_at(opened().faults, virtual.path) if virtual is not None else [],
        unsaved=unsaved,
        was_deleted=was_deleted,
        list_address=list_of_virtual_servers(),
        is_direct=opened().document.get((), "network") == "direct",
    )


def _part(part_of: Callable[[str], Part], virtual: Block) -> Part:
    return blocks.pinned(opened().document, part_of(virtual.path))


def _judge(form: Form, virtual: Block | None) -> None:
    """Judge what no field can judge alone."""
    names = blocks.names_inside(opened().document, (), "virtual")
    if form.is_changed(NAME) and form.typed[NAME] in names:
        form.refuse(NAME, _("There is a virtual server of this name already."), _("Choose another name."))
    is_active = virtual is not None and virtual.is_active
    if is_active and not form.troubles_of("address") and form.typed["address"] == "0.0.0.0":
        told = _("Write its address, or deactivate the virtual server first.")
        form.refuse("address", _("An active virtual server cannot have the address 0.0.0.0."), told)


@blueprint.get("/secure/virtual_server/add")
def ask_add() -> ResponseReturnValue:
    """Offer a form with the defaults; nothing is saved yet."""
    return _page(_form(None), None)


@blueprint.post("/secure/virtual_server/add")
def add() -> ResponseReturnValue:
    """Append a virtual server. It is down until it is activated."""
    form = _form(None)
    form.fill(request.form)
    changes = form.changes()
    _judge(form, None)
    if form.troubles:
        return _page(form, None), 422
    ordered = _values_of_new(form, changes)
    name = form.typed[NAME]
    answer = save([AddBlock(parent="", kind="virtual", name=name, values=ordered)], [])
    if isinstance(answer, Unsaved):
        return _refused(form, None, answer)
    tell(answer, _("Virtual server %(name)s is added. It is down until you activate it.", name=name))
    for doubt in form.doubts():
        flash(doubt, "warning")
    for note in form.notes:
        flash(note, "info")
    return redirect(list_of_virtual_servers(len(blocks.names_inside(opened().document, (), "virtual"))), 303)


def _values_of_new(form: Form, changes: dict[str, str | None]) -> dict[str, str]:
    """Return what to write for a new virtual server, in the order of the file: what was typed, else the defaults."""
    asked = keywords_of(VIRTUAL_CONTROLS)
    values = {keyword: text for keyword, text in NEW_VIRTUAL_SERVER.items() if keyword not in asked}
    for each in form.controls:
        # A choice that is the default anyway counts as unchanged; the defaults of ADD are written all the same.
        if each.keyword in NEW_VIRTUAL_SERVER and each.keyword not in changes and each.kind is not Kind.TEXT:
            values[each.keyword] = form.typed[each.name]
    values.update({keyword: text for keyword, text in changes.items() if text})
    return {keyword: values[keyword] for keyword in ORDER[Scope.VIRTUAL] if keyword in values}


@blueprint.get("/secure/virtual_server")
def show() -> ResponseReturnValue:
    """Show the panel of one virtual server."""
    virtual = wanted_virtual()
    return _page(_form(virtual), virtual)


@blueprint.post("/secure/virtual_server")
def accept() -> ResponseReturnValue:
    """Save the panel of one virtual server."""
    try:
        virtual = wanted_virtual()
    except NoSuchBlock as problem:
        return _gone(problem.wanted)
    form = _form(virtual)
    form.fill(request.form)
    changes = form.changes()
    _judge(form, virtual)
    if form.troubles:
        return _page(form, virtual), 422
    name = form.typed[NAME]
    edits: list[Edit] = [SetValues(path=virtual.path, values=changes)]
    path = virtual.path
    if name != virtual.name:
        edits.append(RenameBlock(path=path, name=name))
        path = written((Step("virtual", name),))
    answer = save(edits, [ExpectedPart(_part(virtual_part, virtual), request.form.get("token", ""))])
    if isinstance(answer, Unsaved):
        try:
            virtual = wanted_virtual()
        except NoSuchBlock as problem:
            return _gone(problem.wanted)
        again = _form(virtual)
        again.fill(request.form)
        return _refused(again, virtual, answer)
    tell(answer, _("Virtual server %(name)s saved.", name=name), faults_at(answer.faults, path))
    for note in form.notes:
        flash(note, "info")
    return redirect(url_for("virtual_servers.show", virtual=path, **kept()), 303)


def _refused(form: Form, virtual: Block | None, answer: Unsaved) -> ResponseReturnValue:
    if answer.keyword and form.refuse_keyword(answer.keyword, answer.sentence):
        return _page(form, virtual), answer.status
    return _page(form, virtual, answer), answer.status


def _gone(wanted: str) -> ResponseReturnValue:
    """Somebody deleted the block that this form edits: offer to add it anew, with all that was typed."""
    form = _form(None)
    form.fill(request.form)
    return _page(form, None, was_deleted=blocks.shown_path(wanted)), 409


@blueprint.post("/secure/virtual_server/status")
def set_status() -> ResponseReturnValue:
    """Activate or deactivate exactly this virtual server."""
    try:
        virtual = wanted_virtual()
    except NoSuchBlock as problem:
        return _list(Unsaved(409, str(problem))), 409
    if request.form.get("do") not in ("activate", "deactivate"):
        return _list(Unsaved(400, _("No button was named."))), 400
    is_on = request.form.get("do") == "activate"
    if is_on and not virtual.has_usable_address:
        told = _("%(name)s was not activated: it has no virtual IP address yet. Edit it first.", name=virtual.title)
        return _list(Unsaved(422, told)), 422
    answer = save(
        [SetValues(path=virtual.path, values={"active": "1" if is_on else "0"})],
        [ExpectedPart(_part(status_part, virtual), request.form.get("token", ""))],
    )
    if isinstance(answer, Unsaved):
        return _list(answer), answer.status
    done = (
        _("%(name)s is activated.", name=virtual.title) if is_on else _("%(name)s is deactivated.", name=virtual.title)
    )
    tell(answer, done, faults_at(answer.faults, virtual.path) if is_on else ())
    return redirect(list_of_virtual_servers(), 303)


@blueprint.get("/secure/virtual_server/delete")
def ask_delete() -> ResponseReturnValue:
    """Ask whether it shall really go, and say what goes with it."""
    return _delete_page(wanted_virtual())


def _delete_page(virtual: Block, unsaved: Unsaved | None = None) -> str:
    document = opened().document
    part = Part(virtual.path)
    servers = blocks.paths_inside(document, virtual.steps, "server")
    return render_template(
        "delete.html",
        block=virtual,
        parent=None,
        servers=[blocks.block(document, steps, ("address",)) for steps in servers[:SERVERS_NAMED]],
        servers_in_all=len(servers),
        live=blocks.live_virtual(virtual.path),
        token=document.token(part),
        text=document.part_text(part),
        action=url_for("virtual_servers.delete", virtual=virtual.path, **kept()),
        back=list_of_virtual_servers(),
        unsaved=unsaved,
    )


@blueprint.post("/secure/virtual_server/delete")
def delete() -> ResponseReturnValue:
    """Remove a virtual server with all its real servers, if it is as the question showed it."""
    try:
        virtual = wanted_virtual()
        answer = save(
            [RemoveBlock(path=virtual.path)],
            [ExpectedPart(Part(virtual.path), request.form.get("token", ""))],
        )
        if isinstance(answer, Unsaved):
            return _delete_page(wanted_virtual(), answer), answer.status
    except NoSuchBlock as problem:
        return _list(Unsaved(409, str(problem))), 409
    tell(answer, _("Virtual server %(name)s is deleted.", name=virtual.title))
    return redirect(list_of_virtual_servers(), 303)

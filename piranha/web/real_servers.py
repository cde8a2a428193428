"""REAL SERVER: the list of one virtual server, and the form of one real server (manual 4.6.2)."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.check_messages import TryRequest
from piranha.config.edits import AddBlock, Edit, ExpectedPart, Part, RemoveBlock, RenameBlock, SetValues
from piranha.config.fields import NEW_REAL_SERVER, ORDER, Scope
from piranha.config.path import Step, parse_block, written
from piranha.web import blocks, real_list, trying
from piranha.web.blocks import REAL, Block, NoSuchBlock
from piranha.web.client import opened
from piranha.web.forms import NAME, Form
from piranha.web.panels import REAL_CONTROLS, keywords_of, real_part, status_part
from piranha.web.places import in_servers, kept, list_of_real_servers
from piranha.web.saving import Unsaved, faults_at, form_token, save, short, tell
from piranha.web.texts import _
from piranha.web.trying import Tried
from piranha.web.virtual_servers import KEYWORDS as VIRTUAL_KEYWORDS
from piranha.web.virtual_servers import wanted_virtual

blueprint = Blueprint("real_servers", __name__)

NAME_OFFERED = "[unnamed]"
KEYWORDS = keywords_of(REAL_CONTROLS, "active")


def _wanted() -> tuple[Block, Block]:
    """Return the virtual server and the real server that the request's address names. Raises NoSuchBlock."""
    document = opened().document
    real = blocks.find(document, request.args.get("server"), REAL, KEYWORDS)
    return blocks.block(document, real.steps[:-1], VIRTUAL_KEYWORDS), real


@blueprint.get("/secure/real_servers")
def show_all() -> ResponseReturnValue:
    """Show the real servers of one virtual server."""
    return _list(wanted_virtual())


def _list(virtual: Block, unsaved: Unsaved | None = None) -> str:
    return render_template(
        "real_servers.html",
        virtual=virtual,
        **real_list.words(opened().document, virtual, in_servers()),
        faults=faults_at(opened().faults, virtual.path),
        unsaved=unsaved,
    )


def _form(real: Block | None) -> Form:
    if real is not None:
        return Form(REAL_CONTROLS, real.values, real.name)
    form = Form(REAL_CONTROLS, dict.fromkeys(KEYWORDS))
    form.typed.update(Form(REAL_CONTROLS, NEW_REAL_SERVER, NAME_OFFERED).shown)
    return form


def _page(
    form: Form,
    virtual: Block,
    real: Block | None,
    unsaved: Unsaved | None = None,
    *,
    was_deleted: str = "",
    tried: Tried | None = None,
) -> str:
    document = opened().document
    part = blocks.pinned(document, real_part(real.path) if real is not None else Part(virtual.path, ()))
    return render_template(
        "real_server.html",
        form=form,
        virtual=virtual,
        real=real,
        # A form whose server is gone is about another part from now on: the virtual server it is added to.
        token=document.token(part) if was_deleted else form_token(part, unsaved),
        faults=faults_at(opened().faults, real.path) if real is not None else [],
        unsaved=unsaved,
        was_deleted=was_deleted,
        tried=tried,
        network=document.get((), "network") or "nat",
    )


def _expected(part: Part) -> ExpectedPart:
    """Return what has to be unchanged, with the token of the form that was sent."""
    return ExpectedPart(blocks.pinned(opened().document, part), request.form.get("token", ""))


def _judge(form: Form, virtual: Block, real: Block | None) -> None:
    """Judge what no field can judge alone."""
    names = blocks.names_inside(opened().document, virtual.steps, "server")
    if form.is_changed(NAME) and form.typed[NAME] in names:
        told = _("Choose another name.")
        form.refuse(NAME, _("This virtual server has a real server of this name already."), told)
    is_active = real is not None and real.is_active
    if is_active and not form.troubles_of("address") and form.typed["address"] == "0.0.0.0":
        told = _("Write its address, or deactivate the real server first.")
        form.refuse("address", _("An active real server cannot have the address 0.0.0.0."), told)


@blueprint.get("/secure/real_server/add")
def ask_add() -> ResponseReturnValue:
    """Offer a form with the defaults; nothing is saved yet."""
    return _page(_form(None), wanted_virtual(), None)


@blueprint.post("/secure/real_server/add")
def add() -> ResponseReturnValue:
    """Append a real server, or try it before. It is down until it is activated."""
    virtual = wanted_virtual()
    form = _form(None)
    form.fill(request.form)
    changes = form.changes()
    _judge(form, virtual, None)
    if trying.is_asked():
        return _try_now(form, virtual, None)
    if form.troubles:
        return _page(form, virtual, None), 422
    values = {"active": NEW_REAL_SERVER["active"], **changes}
    ordered = {keyword: text for keyword in ORDER[Scope.SERVER] if (text := values.get(keyword))}
    name = form.typed[NAME]
    answer = save(
        [AddBlock(parent=virtual.path, kind="server", name=name, values=ordered)],
        [_expected(Part(virtual.path, ()))],
    )
    if isinstance(answer, Unsaved):
        return _refused(form, wanted_virtual(), None, answer)
    path = written((*virtual.steps, Step("server", name)))
    done = _("Real server %(name)s is added. It is down until you activate it.", name=name)
    tell(answer, done, faults_at(answer.faults, path))
    for note in form.notes:
        flash(note, "info")
    count = len(blocks.names_inside(opened().document, virtual.steps, "server"))
    return redirect(list_of_real_servers(virtual.path, count), 303)


@blueprint.get("/secure/real_server")
def show() -> ResponseReturnValue:
    """Show the form of one real server."""
    virtual, real = _wanted()
    return _page(_form(real), virtual, real)


@blueprint.post("/secure/real_server")
def accept() -> ResponseReturnValue:
    """Save the form of one real server, or try it as it is typed."""
    try:
        virtual, real = _wanted()
    except NoSuchBlock as problem:
        return _gone(problem)
    form = _form(real)
    form.fill(request.form)
    changes = form.changes()
    _judge(form, virtual, real)
    if trying.is_asked():
        return _try_now(form, virtual, real)
    if form.troubles:
        return _page(form, virtual, real), 422
    name = form.typed[NAME]
    edits: list[Edit] = [SetValues(path=real.path, values=changes)]
    path = real.path
    if name != real.name:
        edits.append(RenameBlock(path=path, name=name))
        path = written((*virtual.steps, Step("server", name)))
    answer = save(edits, [_expected(real_part(real.path))])
    if isinstance(answer, Unsaved):
        try:
            virtual, real = _wanted()
        except NoSuchBlock as problem:
            return _gone(problem)
        again = _form(real)
        again.fill(request.form)
        return _refused(again, virtual, real, answer)
    tell(answer, _("Real server %(name)s saved.", name=name), faults_at(answer.faults, path))
    for note in form.notes:
        flash(note, "info")
    return redirect(url_for("real_servers.show", server=path, **kept()), 303)


def _try_now(form: Form, virtual: Block, real: Block | None) -> ResponseReturnValue:
    """Check what is typed, as the virtual server's checks do, and show the form again."""
    if not form.troubles_of("address") and form.typed["address"] in ("0.0.0.0", "::"):
        form.refuse(
            "address", _("There is nobody at %(address)s.", address=form.typed["address"]), _("Write its address.")
        )
    if form.troubles:
        return _page(form, virtual, real), 422
    values = {name: form.typed[name] or None for name in ("address", "port")}
    tried = trying.try_now(TryRequest(virtual.path, real.path if real else "", {}, values), form)
    return _page(form, virtual, real, tried=tried), tried.status


def _refused(form: Form, virtual: Block, real: Block | None, answer: Unsaved) -> ResponseReturnValue:
    if answer.keyword and form.refuse_keyword(answer.keyword, answer.sentence):
        return _page(form, virtual, real), answer.status
    return _page(form, virtual, real, answer), answer.status


def _gone(problem: NoSuchBlock) -> ResponseReturnValue:
    """Somebody deleted the real server that this form edits: offer to add it anew, with all that was typed.

    Raises the problem again where the virtual server went with it.
    """
    try:
        parent = written(parse_block(problem.wanted)[:-1])
        virtual = blocks.find(opened().document, parent, blocks.VIRTUAL, VIRTUAL_KEYWORDS)
    except (ValueError, NoSuchBlock):
        raise problem from None
    form = _form(None)
    form.fill(request.form)
    return _page(form, virtual, None, was_deleted=blocks.shown_path(problem.wanted)), 409


@blueprint.post("/secure/real_server/status")
def set_status() -> ResponseReturnValue:
    """Activate or deactivate exactly this real server."""
    virtual, real = _wanted()
    if request.form.get("do") not in ("activate", "deactivate"):
        return _list(virtual, Unsaved(400, _("No button was named."))), 400
    is_on = request.form.get("do") == "activate"
    if is_on and not real.has_usable_address:
        told = _("%(name)s was not activated: it has no address yet. Edit it first.", name=real.title)
        return _list(virtual, Unsaved(422, told)), 422
    answer = save(
        [SetValues(path=real.path, values={"active": "1" if is_on else "0"})],
        [_expected(status_part(real.path))],
    )
    if isinstance(answer, Unsaved):
        document = opened().document
        return _list(blocks.find(document, virtual.path, blocks.VIRTUAL, VIRTUAL_KEYWORDS), answer), answer.status
    done = _("%(name)s is activated.", name=real.title) if is_on else _("%(name)s is deactivated.", name=real.title)
    tell(answer, done, faults_at(answer.faults, virtual.path))
    _tell_of_sorry_server(virtual)
    return redirect(list_of_real_servers(virtual.path), 303)


def _tell_of_sorry_server(virtual: Block) -> None:
    """Say who gets the clients of an active virtual server that has no active real server left."""
    sorry = virtual.values["sorry_server"]
    servers = blocks.inside(opened().document, virtual.steps, "server", ("active",))
    if virtual.is_active and sorry and not any(each.is_active for each in servers):
        told = _("After Apply, clients of %(name)s get its sorry server, %(sorry)s.", name=virtual.title, sorry=sorry)
        flash(short(told), "warning")


@blueprint.get("/secure/real_server/delete")
def ask_delete() -> ResponseReturnValue:
    """Ask whether it shall really go."""
    virtual, real = _wanted()
    return _delete_page(virtual, real)


def _delete_page(virtual: Block, real: Block, unsaved: Unsaved | None = None) -> str:
    document = opened().document
    part = Part(real.path)
    return render_template(
        "delete.html",
        block=real,
        parent=virtual,
        servers=[],
        servers_in_all=0,
        live=blocks.live_server(real.path),
        token=document.token(blocks.pinned(document, part)),
        text=document.part_text(part),
        action=url_for("real_servers.delete", server=real.path, **kept()),
        back=list_of_real_servers(virtual.path),
        unsaved=unsaved,
    )


@blueprint.post("/secure/real_server/delete")
def delete() -> ResponseReturnValue:
    """Remove a real server, if it is as the question showed it."""
    virtual, real = _wanted()
    answer = save([RemoveBlock(path=real.path)], [_expected(Part(real.path))])
    if isinstance(answer, Unsaved):
        virtual, real = _wanted()
        return _delete_page(virtual, real, answer), answer.status
    tell(answer, _("Real server %(name)s is deleted.", name=real.title), faults_at(answer.faults, virtual.path))
    return redirect(list_of_real_servers(virtual.path), 303)

"""REDUNDANCY: how the pair stands, and the settings of backup router and heartbeats (manual 4.5)."""

from collections.abc import Sequence
from ipaddress import ip_address

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.config.edits import ExpectedPart, SetValues
from piranha.config.fields import Scope, field
from piranha.config.values import DEVICE
from piranha.pair_findings import differs
from piranha.router_status import RedundancyStatus
from piranha.web.client import opened
from piranha.web.failover import orders
from piranha.web.forms import Form
from piranha.web.other_files import other_files
from piranha.web.pair import pair
from piranha.web.panels import REDUNDANCY_CONTROLS, REDUNDANCY_PART
from piranha.web.saving import Unsaved, faults_at, form_token, save, tell
from piranha.web.texts import _

blueprint = Blueprint("redundancy", __name__)
blueprint.add_app_template_global(other_files)

NO_BACKUP = "0.0.0.0"
PROPOSED = {"backup": NO_BACKUP, "keepalive": "6", "deadtime": "18", "heartbeat_port": "539"}
"""What ENABLE writes where the file says nothing (reference 2.2), and what RESET goes back to."""


def _is_enabled() -> bool:
    row = field(Scope.GLOBAL, "backup_active")
    assert row is not None
    return row.read(opened().document.get((), "backup_active") or "0") in (1, True)


def _form() -> Form:
    document = opened().document
    present = {keyword: document.get((), keyword) for keyword in REDUNDANCY_PART.keywords or ()}
    controls = REDUNDANCY_CONTROLS
    if not present["primary_private"] and not present["backup_private"]:
        controls = tuple(each for each in controls if each.name != "backup_private")
    return Form(controls, present)


def _page(form: Form, unsaved: Unsaved | None = None, *, resets: bool = False) -> str:
    is_enabled, now = _is_enabled(), pair()
    is_pair = now.told is not None and not now.told.is_alone
    return render_template(
        "redundancy.html",
        form=form,
        pair=now,
        # Whoever has no second router is not told that it is not there.
        shows_state=(is_enabled or is_pair) and not resets,
        orders=orders(now.told) if now.told is not None and is_pair else [],
        timers_differ=now.told is not None and _timers_differ(now.told),
        is_enabled=is_enabled,
        token=form_token(REDUNDANCY_PART, unsaved),
        faults=faults_at(opened().faults, "", REDUNDANCY_PART.keywords),
        unsaved=unsaved,
        resets=resets,
        reset_values=PROPOSED,
    )


def _timers_differ(told: RedundancyStatus) -> bool:
    there = told.partner
    return there is not None and (
        differs(there.keepalive_s, told.keepalive_s) or differs(there.deadtime_s, told.deadtime_s)
    )


@blueprint.get("/secure/redundancy")
def show() -> ResponseReturnValue:
    """Show the panel."""
    return _page(_form())


@blueprint.get("/secure/redundancy/reset")
def ask_reset() -> ResponseReturnValue:
    """Ask whether the defaults shall come back."""
    return _page(_form(), resets=True)


@blueprint.post("/secure/redundancy")
def accept() -> ResponseReturnValue:
    """Do what the pressed button says: ACCEPT, ENABLE, DISABLE, RESET."""
    match request.form.get("do", "accept"):
        case "enable":
            return _enable()
        case "disable":
            return _save({"backup_active": "0"}, _("The backup is inactive. Its settings are kept."))
        case "reset":
            values: dict[str, str | None] = {**PROPOSED, "backup_private": None}
            return _save(values, _("The settings of the backup are back at their defaults."))
        case _:
            return _accept()


def _enable() -> ResponseReturnValue:
    document = opened().document
    missing = {keyword: text for keyword, text in PROPOSED.items() if document.get((), keyword) is None}
    return _save({"backup_active": "1", **missing, "heartbeat": "1"}, _("The backup is active."))


def _accept() -> ResponseReturnValue:
    form = _form()
    form.fill(request.form)
    if form.typed["syncdaemon"] == "1":
        for name, filled in (("syncd_iface", "eth0"), ("syncd_id", "0")):
            if not form.typed[name]:
                form.typed[name] = filled
                form.notes.append(
                    _("%(label)s was left blank: %(value)s is used.", label=form[name].label, value=filled)
                )
    changes = form.changes()
    _judge(form)
    if form.troubles:
        return _page(form), 422
    return _save(changes, _("Redundancy settings saved."), form.notes)


def _judge(form: Form) -> None:
    """Judge what no field can judge alone."""
    typed = form.typed
    # An interface itself, not one of its aliases: the sync daemon's multicast leaves through it.
    interface = typed["syncd_iface"]
    if interface and form.is_changed("syncd_iface") and (not DEVICE.fullmatch(interface) or ":" in interface):
        form.refuse("syncd_iface", _("This is no network interface."), _("Write for example eth0."))
    if not form.troubles_of("backup"):
        if typed["backup"] == NO_BACKUP:
            form.refuse("backup", _("0.0.0.0 is no address."), _("Write the backup's address, or press DISABLE."))
        elif _is_same(typed["backup"], form.present["primary"]):
            told = _("Each router has its own; the primary's is in GLOBAL SETTINGS.")
            form.refuse("backup", _("This is the primary's address."), told)
    if form.present["primary_private"] and not typed.get("backup_private"):
        told = _("The primary has a private address: give the backup's too, or remove both in GLOBAL SETTINGS.")
        form.refuse("backup_private", _("A value is missing."), told)
    numbers = [typed[name] for name in ("keepalive", "deadtime")]
    is_judged = form.is_changed("keepalive") or form.is_changed("deadtime")
    if is_judged and not form.troubles_of("keepalive") and not form.troubles_of("deadtime"):
        keepalive, deadtime = (
            int(text) if text.isdecimal() else default for text, default in zip(numbers, (2, 5), strict=True)
        )
        if deadtime <= keepalive:
            told = _("At least twice the heartbeat interval is sensible.")
            form.refuse("deadtime", _("The partner would count as dead between two heartbeats."), told)


def _is_same(one: str, other: str | None) -> bool:
    try:
        return ip_address(one) == ip_address(other or "")
    except ValueError:
        return bool(one) and one == other


def _save(values: dict[str, str | None], done: str, notes: Sequence[str] = ()) -> ResponseReturnValue:
    expected = [ExpectedPart(REDUNDANCY_PART, request.form.get("token", ""))]
    answer = save([SetValues(path="", values=values)], expected)
    if isinstance(answer, Unsaved):
        form = _form()
        if request.form.get("do", "accept") == "accept":
            form.fill(request.form)
        if answer.keyword and form.refuse_keyword(answer.keyword, answer.sentence):
            return _page(form), answer.status
        return _page(form, answer), answer.status
    tell(answer, done, faults_at(answer.faults, "", REDUNDANCY_PART.keywords))
    for note in notes:
        flash(note, "info")
    return redirect(url_for("redundancy.show"), 303)

"""AUDIT: who wanted what from where, and what came of it, the newest first."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from piranha.records import AUDIT_RESULTS, AUDIT_VERBS, AuditEntry, AuditQuery
from piranha.web.client import engine
from piranha.web.events_asking import Field, respond, times_and_limit
from piranha.web.texts import _

blueprint = Blueprint("audit", __name__)


def fields() -> tuple[Field, ...]:
    """Return the fields in their order."""
    return (
        Field("who", _("Who"), _("A user, for example piranha."), width=20),
        Field("verb", _("What"), "", AUDIT_VERBS),
        Field("result", _("Result"), "", AUDIT_RESULTS),
        Field("text", _("Words"), _("Words anywhere in the entry, capital or not.")),
        *times_and_limit(),
    )


@blueprint.get("/secure/audit")
def show() -> ResponseReturnValue:
    """Show the entries that are asked for, or send all of them as a file."""
    return respond(
        fields(),
        lambda typed, before: engine().audit(AuditQuery(**typed, before=before)),
        lambda typed: engine().all_audit(AuditQuery(**typed)),
        AuditEntry,
        "audit",
    )

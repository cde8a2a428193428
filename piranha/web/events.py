"""EVENTS: what the engine did and why, the newest first, chosen by kind, by what it is about, by words and by time."""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from piranha.records import EVENT_KINDS, EngineEvent, EventKind, EventsQuery
from piranha.web.client import engine
from piranha.web.events_asking import Field, respond, times_and_limit
from piranha.web.texts import _

blueprint = Blueprint("events", __name__)

BAD = frozenset(
    {
        EventKind.REVERTED,
        EventKind.SERVER_DOWN,
        EventKind.REFUSED,
        EventKind.ADDRESS_CONFLICT,
        EventKind.ADDRESS_REFUSED,
    }
)
GOOD = frozenset({EventKind.CONFIRMED, EventKind.SERVER_UP, EventKind.WORKS_AGAIN})
"""What is shown as bad or good news; all the rest is just told."""


def fields() -> tuple[Field, ...]:
    """Return the fields in their order."""
    return (
        Field("kind", _("Kind"), "", EVENT_KINDS),
        Field("about", _("About"), _("virtual[web] with all its real servers, or virtual[web].server[web1].")),
        Field("text", _("Words"), _("Words of the sentence, capital or not.")),
        *times_and_limit(),
    )


@blueprint.get("/secure/events")
def show() -> ResponseReturnValue:
    """Show the events that are asked for, or send all of them as a file."""
    return respond(
        fields(),
        lambda typed, before: engine().events(EventsQuery(**typed, before=before)),
        lambda typed: engine().all_events(EventsQuery(**typed)),
        EngineEvent,
        "events",
        bad=BAD,
        good=GOOD,
    )

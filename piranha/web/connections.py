"""Which client is on which real server: a page behind CONTROL/MONITORING, with a form that chooses."""

from dataclasses import dataclass

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from piranha.errors import EditRefused, EngineUnavailable
from piranha.messages import (
    CONNECTION_STATES,
    CONNECTIONS_MAX,
    CONNECTIONS_SHOWN,
    TEMPLATE,
    ConnectionsAnswer,
    ConnectionsQuery,
)
from piranha.web.client import engine, engine_problem
from piranha.web.texts import _

blueprint = Blueprint("connections", __name__)

TYPED_MAX = 200
"""Characters of a field; no address is longer."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form; `choices` make it a list, else `width` is in characters."""

    name: str
    label: str
    hint: str
    choices: tuple[str, ...] = ()
    width: int = 30


def fields() -> tuple[Field, ...]:
    """Return the fields in their order."""
    return (
        Field("client", _("Client"), _("An address, or a network: 192.0.2.7 or 192.0.2.0/24.")),
        Field("vip", _("Virtual server"), _("ADDRESS, ADDRESS:PORT, [IPV6]:PORT, or mark 9.")),
        Field("server", _("Real server"), _("ADDRESS, ADDRESS:PORT or [IPV6]:PORT.")),
        Field("state", _("State"), _("%(word)s: where persistent clients go.", word=TEMPLATE), CONNECTION_STATES),
        Field(
            "limit",
            _("How many"),
            _("1 to %(most)s; %(usual)s if empty.", most=CONNECTIONS_MAX, usual=CONNECTIONS_SHOWN),
            width=5,
        ),
    )


@blueprint.get("/secure/connections")
def show() -> ResponseReturnValue:
    """Show the connections that are asked for; what was typed stays in the form."""
    own = fields()
    typed = {field.name: request.args.get(field.name, "").strip()[:TYPED_MAX] for field in own}
    troubles: dict[str, str] = {}
    answer: ConnectionsAnswer | None = None
    problem, code = engine_problem(), 200
    # An engine that hangs was waited for by now, and is not waited for once more.
    if not problem:
        try:
            answer = engine().connections(ConnectionsQuery(**typed))
        except EditRefused as refusal:
            code = 422
            if refusal.keyword in typed:
                troubles[refusal.keyword] = refusal.sentence
            else:
                problem = refusal.sentence
        except EngineUnavailable as unavailable:
            problem = str(unavailable)
    page = render_template(
        "connections.html",
        fields=own,
        typed=typed,
        troubles=troubles,
        answer=answer,
        problem=problem,
        most=CONNECTIONS_MAX,
        is_chosen=any(text for name, text in typed.items() if name != "limit"),
    )
    return page, code

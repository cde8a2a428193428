"""HAND OVER, TAKE OVER, HOLD and RELEASE, from REDUNDANCY. Before each a page says what it will do."""

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.errors import EditRefused, NotPermitted, PiranhaError
from piranha.monitoring import FailoverCommand
from piranha.pair_findings import Serves, as_sentence, serves_in_words
from piranha.pair_orders import Offer, offer, offers
from piranha.router_status import RedundancyStatus
from piranha.web.client import engine, read_again
from piranha.web.pair import PairView, pair, said
from piranha.web.saving import short
from piranha.web.texts import _

blueprint = Blueprint("failover", __name__)


@dataclass(frozen=True, slots=True)
class Order:
    """A command as a page offers it. `sent` is its word in an address, `why_not` why it makes no sense now, or ""."""

    sent: str
    caption: str
    why_not: str
    will: tuple[str, ...]
    before: str
    after: str
    is_risky: bool


def orders(told: RedundancyStatus) -> list[Order]:
    """Return every command for a page."""
    return [_order(each, told) for each in offers(told)]


def _order(each: Offer, told: RedundancyStatus) -> Order:
    before, after = (said(serves_in_words(who, told)) for who in (each.before, each.after))
    return Order(
        each.command.replace(" ", "-"),
        each.command.upper(),
        said(each.why_not) if each.why_not is not None else "",
        tuple(map(said, each.will)),
        before,
        after,
        each.after not in (Serves.HERE, Serves.THERE),
    )


def _command(word: str) -> FailoverCommand | None:
    return next((each for each in FailoverCommand if each.replace(" ", "-") == word), None)


@blueprint.get("/secure/redundancy/failover")
def ask() -> ResponseReturnValue:
    """Say what a command will do, and ask."""
    command = _command(request.args.get("do", ""))
    if command is None:
        return redirect(url_for("redundancy.show"), 303)
    return _page(command)


def _page(command: FailoverCommand, refused: str = "") -> str:
    now: PairView = pair()
    order = _order(offer(now.told, command), now.told) if now.told is not None else None
    return render_template("failover.html", caption=command.upper(), order=order, pair=now, refused=refused)


@blueprint.post("/secure/redundancy/failover")
def act() -> ResponseReturnValue:
    """Have the engine do it."""
    command = _command(request.form.get("do", ""))
    if command is None:
        flash(_("No button was named."), "warning")
        return redirect(url_for("redundancy.show"), 303)
    try:
        answer = engine().failover(command)
    except PiranhaError as problem:
        read_again()
        return _page(command, str(problem)), _code(problem)
    read_again()
    sentences = " ".join(map(as_sentence, answer.sentences))
    if not answer.done:
        return _page(command, sentences or _("pulse did not say why.")), 409
    flash(short(f"{command.upper()}: {sentences or _('done.')}"), "success")
    return redirect(url_for("redundancy.show"), 303)


def _code(problem: PiranhaError) -> int:
    if isinstance(problem, NotPermitted):
        return 403
    return 422 if isinstance(problem, EditRefused) else 503

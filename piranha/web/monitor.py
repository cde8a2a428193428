"""CONTROL/MONITORING: what the engine does right now (manual 4.3), and PASSWORD.

With thousands of servers a page shows some of them and says of how many; what is shown stands in the address. Without
JavaScript the page refreshes itself when asked for; with it only the parts that change are fetched (`fragment`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.errors import EditRefused, PiranhaError
from piranha.messages import OVERRIDE_MOST_S
from piranha.monitoring import SERVERS_SHOWN, TROUBLE, VIRTUAL_SERVERS_SHOWN, StatusQuery
from piranha.status import EngineStatus, RunState, ServerStatus, VirtualServerStatus
from piranha.web.auth import AUTO_UPDATE
from piranha.web.blocks import set_by_hand, shown_path
from piranha.web.client import engine, engine_problem, status
from piranha.web.furniture import moment
from piranha.web.paging import TEXT_MAX, AddressOf, Page, Search, number_of
from piranha.web.saving import short
from piranha.web.server_rows import RowWriter, Service
from piranha.web.state import gui
from piranha.web.texts import _

blueprint = Blueprint("monitor", __name__)

INTERVAL_MIN_S = 10
INTERVAL_MAX_S = 3600
SERVERS_OF_ALL = 60
"""Real servers on a page of several virtual servers, together."""
CHART_EVERY_S = 15
"""How often a chart has something new."""
Row = VirtualServerStatus | ServerStatus
MINUTES_TYPED_MAX = 20
OWN = "own"
LASTING = (("", 0), ("15m", 15 * 60), ("1h", 3600), ("4h", 4 * 3600), ("24h", 24 * 3600), (OWN, 0))
"""How long a drain lasts: what the form sends, and the seconds; the first one lasts until it is cleared."""


@dataclass(frozen=True, slots=True)
class AutoUpdate:
    """What was asked for. `interval_s` is in force only if `is_on`; `typed` is what the control shows."""

    is_on: bool
    interval_s: int
    typed: str
    error: str = ""
    note: str = ""


def auto_update(is_asked: bool, typed: str) -> AutoUpdate:
    """Return the auto update that these inputs mean: empty is 10 s, less is raised to 10 s, a word is an error."""
    typed = typed.strip()
    if is_asked and not typed:
        return AutoUpdate(True, INTERVAL_MIN_S, str(INTERVAL_MIN_S))
    if typed and not (typed.isascii() and typed.isdecimal() and len(typed) <= 6):
        return AutoUpdate(False, INTERVAL_MIN_S, typed[:20], error=_("The interval is a whole number of seconds."))
    if not is_asked:
        return AutoUpdate(False, INTERVAL_MIN_S, typed)
    seconds = int(typed)
    if seconds < INTERVAL_MIN_S:
        note = _("The interval was raised to %(least)s seconds, the least there is.", least=INTERVAL_MIN_S)
        return AutoUpdate(True, INTERVAL_MIN_S, str(INTERVAL_MIN_S), note=note)
    if seconds > INTERVAL_MAX_S:
        note = _("The interval was lowered to %(most)s seconds.", most=INTERVAL_MAX_S)
        return AutoUpdate(True, INTERVAL_MAX_S, str(INTERVAL_MAX_S), note=note)
    return AutoUpdate(True, seconds, str(seconds))


@dataclass(frozen=True, slots=True)
class Shown:
    """Which part of the table the address asks for: one virtual server, or a page of those that match."""

    virtual: str
    text: str
    is_trouble: bool
    page: int

    @property
    def size(self) -> int:
        """Return how many rows a page has: real servers of one virtual server, else virtual servers."""
        return SERVERS_SHOWN if self.virtual else VIRTUAL_SERVERS_SHOWN

    @property
    def is_search(self) -> bool:
        """Say whether not everything matches."""
        return bool(self.text or self.is_trouble)

    @property
    def query(self) -> StatusQuery:
        """Return what is asked of the engine."""
        only = TROUBLE if self.is_trouble else ""
        servers = "" if self.virtual else str(SERVERS_OF_ALL)
        return StatusQuery(self.virtual, self.text, only, str((self.page - 1) * self.size + 1), servers=servers)

    @property
    def args(self) -> dict[str, str]:
        """Return the arguments that choose the same, but for text and page, which `search` has."""
        told = {"virtual": self.virtual, "only": TROUBLE if self.is_trouble else ""}
        return {name: text for name, text in told.items() if text}

    @property
    def all_of_it(self) -> dict[str, str]:
        """Return the arguments that lead to the same without a search."""
        return {"virtual": self.virtual} if self.virtual else {}

    def only_in(self, virtual: str) -> dict[str, str]:
        """Return the arguments of the same search in one virtual server."""
        return {**self.args, **self.search.args(1), "virtual": virtual}

    @property
    def search(self) -> Search:
        """Return text and page as links carry them."""
        return Search("", self.text, "", str(self.page))


def shown() -> Shown:
    """Return what this request's address asks for."""
    text = " ".join(request.args.get("text", "")[:TEXT_MAX].split())
    virtual = request.args.get("virtual", "").split("\n")[0].strip()
    return Shown(virtual, text, request.args.get("only") == TROUBLE, max(1, number_of(request.args.get("page", "1"))))


@dataclass(frozen=True, slots=True)
class Told:
    """What the engine told of what is shown; `status` None: it does not answer. `page` is about the rows."""

    status: EngineStatus | None
    shown: Shown
    page: Page[Row]


def ask(wanted: Shown) -> Told:
    """Ask the engine for what is shown. A page behind the last one is the last one."""
    told = status(wanted.query)
    page = _page_of(told, wanted)
    if page.number < wanted.page:
        wanted = replace(wanted, page=page.number)
        told = status(wanted.query)
        page = _page_of(told, wanted)
    return Told(told, wanted, page)


def _page_of(told: EngineStatus | None, wanted: Shown) -> Page[Row]:
    rows: Sequence[Row] = ()
    first = matching = in_all = 0
    if told is not None and wanted.virtual:
        virtual = next((each for each in told.virtual_servers if each.path == wanted.virtual), None)
        if virtual is not None:
            rows, first, matching = virtual.servers, virtual.first if virtual.servers else 0, virtual.matching
            in_all = max(matching, virtual.counts.servers)
    elif told is not None:
        # An engine that told everything has no part.
        rows, first = told.virtual_servers, told.part.first if told.part is not None else 1
        matching = told.part.matching if told.part is not None else len(rows)
        in_all = max(matching, told.counts.virtual_servers)
    pages = max(1, -(-matching // wanted.size))
    number = min(pages, max(1, (first - 1) // wanted.size + 1))
    return Page(rows, first, matching, in_all, number, pages)


@blueprint.get("/secure/control")
def control() -> ResponseReturnValue:
    """Show the panel."""
    return _panel("control.html")


@blueprint.get("/secure/control/fragment")
def fragment() -> ResponseReturnValue:
    """Show only the parts of the panel that change by themselves, for a page that fetches them."""
    return _panel("control_live.html")


def _panel(template: str, refused: str = "", trouble: str = "") -> str:
    """Return the panel. `refused`: why nothing was done, `trouble`: what is wrong with the minutes of a drain."""
    update = auto_update(bool(request.args.get("auto")), request.args.get("interval", ""))
    told, now = ask(shown()), gui().wall_clock()
    updating: dict[str, Any] = {"auto": "1", "interval": update.typed} if update.is_on else {}
    kept: dict[str, Any] = {name: text for name in ("lasts", "minutes") if (text := _typed(name))}
    own: dict[str, Any] = {**told.shown.args, **told.shown.search.args(), **updating}
    refreshed: dict[str, Any] = {AUTO_UPDATE: "1"}
    return render_template(
        template,
        status=told.status,
        shown=told.shown,
        page=told.page,
        overrides=set_by_hand(told.status),
        is_running=told.status is not None and told.status.state is RunState.RUNNING,
        problem=engine_problem(),
        update=update,
        updating=updating,
        is_auto_asked=bool(request.args.get("auto")),
        refused=refused,
        trouble=trouble,
        own=own,
        lasting=lasting_choices(),
        lasts=kept.get("lasts", ""),
        minutes=kept.get("minutes", ""),
        services=_services(told),
        chart_of=AddressOf("traffic.chart", "virtual", {AUTO_UPDATE: "1", "at": str(int(now // CHART_EVERY_S))}),
        traffic_of=AddressOf("traffic.show", "virtual", {}),
        check_of=AddressOf("last_check.show", "server", {}),
        refresh_url=url_for("monitor.control", **own, **kept, **refreshed) if update.is_on else "",
        fragment_url=url_for("monitor.fragment", **own, **refreshed) if update.is_on else "",
    )


def _services(told: Told) -> list[Service]:
    """Return the virtual servers that are shown, with their rows."""
    writer = RowWriter()
    virtuals = told.status.virtual_servers if told.status is not None else ()
    return [writer.service(each) for each in virtuals if each.is_active or not each.path or told.shown.virtual]


def _typed(name: str) -> str:
    """Return what was chosen for a new drain: in the form that was sent, else as the address keeps it."""
    return request.form.get(name, request.args.get(name, ""))[:MINUTES_TYPED_MAX]


def lasting_choices() -> list[tuple[str, str]]:
    """Return how long a drain may last: what is sent, and what is read."""
    words = {
        "": _("until cleared"),
        "15m": _("15 minutes"),
        "1h": _("1 hour"),
        "4h": _("4 hours"),
        "24h": _("24 hours"),
        OWN: _("so many minutes:"),
    }
    return [(sent, words[sent]) for sent, _seconds in LASTING]


def lasting_s(lasts: str, minutes: str) -> int | None:
    """Return how many seconds a drain lasts, 0 for until it is cleared; None: the minutes are none."""
    seconds = dict(LASTING).get(lasts, 0)
    if lasts != OWN:
        return seconds
    typed = minutes.strip()
    if not (typed.isascii() and typed.isdecimal() and len(typed) <= 6):
        return None
    return int(typed) * 60 if 1 <= int(typed) <= OVERRIDE_MOST_S // 60 else None


@blueprint.post("/secure/control/override")
def override() -> ResponseReturnValue:
    """Drain a real server, or take back what was set by hand. Each button has the server for its value."""
    for_s = lasting_s(request.form.get("lasts", ""), request.form.get("minutes", ""))
    if for_s is None and ("drain" in request.form or "keep" in request.form):
        trouble = _("Write whole minutes, from 1 to %(most)s.", most=OVERRIDE_MOST_S // 60)
        return _panel("control.html", _("The time of the drain is not right."), trouble), 422
    try:
        if server := request.form.get("drain"):
            answer = engine().override(server, "drain", for_s=for_s or 0)
            done = _("%(server)s drains: it gets no new connections.", server=shown_path(server))
            if answer.until:
                done = f"{done} {_('That ends at %(when)s.', when=moment(answer.until))}"
        elif server := request.form.get("undrain"):
            answer = engine().clear(server, "drain")
            done = _("%(server)s is no longer drained.", server=shown_path(server))
        elif server := request.form.get("clear"):
            answer = engine().clear(server)
            done = _("Nothing is set by hand for %(server)s any more.", server=shown_path(server))
        elif "keep" in request.form:
            # Enter in the field of the minutes: nobody was chosen yet.
            return _back()
        else:
            return _panel("control.html", _("No button was named.")), 400
    except EditRefused as problem:
        return _panel("control.html", problem.sentence), 422
    except PiranhaError as problem:
        return _panel("control.html", str(problem)), 503
    flash(done, "success")
    for notice in answer.notices:
        flash(short(notice), "warning")
    return _back()


def _back() -> ResponseReturnValue:
    """Lead back to what was shown, with what was chosen for drains."""
    wanted = shown()
    update = auto_update(bool(request.args.get("auto")), request.args.get("interval", ""))
    updating = {"auto": "1", "interval": update.typed} if update.is_on else {}
    chosen = {name: text for name in ("lasts", "minutes") if (text := _typed(name).strip())}
    kept: dict[str, Any] = {**wanted.args, **wanted.search.args(), **updating, **chosen}
    return redirect(url_for("monitor.control", **kept), 303)


@blueprint.get("/secure/password")
def password() -> ResponseReturnValue:
    """Say how the password is changed. The page itself changes nothing."""
    return render_template("password.html")

"""The rows of the routing table in words.

A page has a hundred of them, and to look a word up takes longer than to write it: each is looked up once for a page.
"""

from dataclasses import dataclass
from urllib.parse import quote

from piranha.status import HealthState, OverrideStatus, ServerStatus, VirtualServerStatus
from piranha.web.furniture import duration, moment
from piranha.web.texts import _


@dataclass(frozen=True, slots=True)
class Sign:
    """A state as a sign, a word and the class that colours both."""

    style: str
    sign: str
    word: str


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A real server as the table shows it. `role`: what it is if it is no real server of lvs.cf.

    `by_hand` says what is set by hand and how long that lasts, `why` what the checks found, `checked` when. `does` is
    the name of its button, "" if it has none.
    """

    told: ServerStatus
    place: str
    role: str
    health: Sign
    weight: str
    of_weight: str
    by_hand: str
    why: str
    checked: str
    does: str


@dataclass(frozen=True, slots=True)
class Service:
    """A virtual server as the table shows it: its rows, what is said beside its chart and over its rows.

    `quoted` is its path as addresses have it. `of` is the words that tell its links and buttons apart from those of
    others; `shown` says how many of its real servers are shown, "" if all are, `all` what the link to all of them says.
    """

    told: VirtualServerStatus
    quoted: str
    rows: list[ServerRow]
    chart: str
    caption: str
    of: str
    shown: str
    all: str


class RowWriter:
    """Writes rows. Made for one page."""

    def __init__(self) -> None:
        self._roles = {"sorry": _("sorry server"), "draining": _("draining")}
        self._signs = {
            HealthState.UP: Sign("active", "●", "up"),
            HealthState.DOWN: Sign("down", "✖", "down"),
            HealthState.UNKNOWN: Sign("undef", "?", _("unknown")),
        }
        self._inactive = Sign("undef", "–", _("not active"))
        self._of = _("of %(weight)s")
        self._since = _("Since %(when)s.")
        self._good = _("%(good)s of %(needed)s good checks.")
        self._leaves = _("Leaves in %(time)s at the latest.")
        self._checked = _("Checked %(age)s ago.")
        self._drained = _("Drained by hand")
        self._weight = _("Weight %(weight)s by hand")
        self._ends = _("ends in %(time)s")
        self._left = (_("no connection is left"), _("still 1 connection"), _("still %(count)s connections"))
        self._chart = _("Connections/s of %(name)s in the last hour, drawn")
        self._caption = _("Real servers of %(name)s")
        self._of_name = _("of %(name)s")
        self._shown = _("%(shown)s of %(all)s real servers are shown, those that are not well first.")
        self._all = _("All %(count)s")
        self._durations: dict[int, str] = {}

    def service(self, told: VirtualServerStatus) -> Service:
        """Return a virtual server with the rows that are told of it."""
        name, count, every = {"name": told.name}, f"{len(told.servers):,}", f"{told.matching:,}"
        is_cut = len(told.servers) < told.matching
        return Service(
            told,
            quote(told.path, safe=""),
            list(map(self.row, told.servers)),
            self._chart % name,
            self._caption % name,
            self._of_name % name,
            self._shown % {"shown": count, "all": every} if is_cut else "",
            self._all % {"count": every},
        )

    def row(self, told: ServerStatus) -> ServerRow:
        """Return the row of a real server."""
        is_server, health, weight = told.role == "server", told.health, told.traffic.weight
        is_drained = any(each.kind == "drain" for each in told.overrides)
        is_off = is_server and not told.is_active
        host = f"[{told.address}]" if ":" in told.address else told.address
        does = "" if not told.path or not is_server or is_off else "undrain" if is_drained else "drain"
        if is_drained and told.path:
            does = "undrain"
        age = health.source.age_s
        return ServerRow(
            told,
            f"{host}:{told.port}",
            "" if is_server else self._roles.get(told.role, told.role),
            self._inactive if is_off else self._signs[health.state],
            "–" if weight is None else str(weight),
            self._of % {"weight": told.configured_weight}
            if weight != told.configured_weight and told.is_active
            else "",
            " ".join(self._by_hand(each, told.traffic.active_connections) for each in told.overrides),
            self._why(told, is_drained),
            "" if age is None else self._checked % {"age": self._duration(age)},
            does,
        )

    def _by_hand(self, told: OverrideStatus, connections: int) -> str:
        words = self._drained if told.kind == "drain" else self._weight % {"weight": told.weight}
        if told.ends_in_s is not None:
            words += f", {self._ends % {'time': self._duration(told.ends_in_s)}}"
        if told.kind == "drain":
            words += f"; {self._left[min(connections, 2)] % {'count': f'{connections:,}'}}"
        return f"{words}."

    def _why(self, told: ServerStatus, is_drained: bool) -> str:
        health = told.health
        words = [health.reason]
        if health.since:
            words.append(self._since % {"when": moment(health.since)})
        if health.checks_needed and health.checks_good < health.checks_needed:
            words.append(self._good % {"good": health.checks_good, "needed": health.checks_needed})
        if told.explanation and not is_drained:
            words.append(told.explanation)
        if told.drain_ends_in_s is not None:
            words.append(self._leaves % {"time": self._duration(told.drain_ends_in_s)})
        return " ".join(word for word in words if word)

    def _duration(self, seconds: float) -> str:
        whole = max(0, int(seconds))
        if whole not in self._durations:
            self._durations[whole] = duration(whole)
        return self._durations[whole]

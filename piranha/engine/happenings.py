"""What the parts of the engine see becomes events: they hand over how things stand, and what is new is told.

Rule: nothing is told twice, and what an engine finds at its start is no news, unless it is wrong.
"""

from collections.abc import Collection, Iterable, Mapping

from piranha.config.model import Cluster, RealServerKey
from piranha.engine.events import Events
from piranha.engine.role import Standing
from piranha.engine.servers import active_servers
from piranha.health.check import Check
from piranha.health.machine import Row, log_line
from piranha.ipvs.desired import Desired
from piranha.ipvs.drain import Draining
from piranha.ipvs.table import Place, TableKey
from piranha.records import EventKind
from piranha.status import AddressState, AddressStatus, HealthState

_HERE = (AddressState.CARRIED, AddressState.WAS_THERE, AddressState.CONFLICT)
_NEW_STATE = {
    AddressState.CONFLICT: EventKind.ADDRESS_CONFLICT,
    AddressState.REFUSED: EventKind.ADDRESS_REFUSED,
}
_Links = Mapping[RealServerKey, Place]
_Services = Mapping[str, TableKey]


class Happenings:
    """Remembers how things stood, and tells `events` what became of them."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._paths: dict[RealServerKey, str] = {}
        self._paths_before: dict[RealServerKey, str] = {}
        self._standing: Standing | None = None
        self._draining: dict[Place, str] = {}
        self._refused: dict[TableKey, str] = {}
        self._troubles: tuple[str, ...] = ()
        self._links: _Links = {}
        self._services: _Services = {}
        self._addresses: Mapping[tuple[str, str], AddressStatus] | None = None

    def runs(self, cluster: Cluster) -> None:
        """Take the names of the real servers from the cluster that is about to run; the former one's are kept too."""
        self._paths_before, self._paths = self._paths, {key: server.id for _, server, key in active_servers(cluster)}

    def checked(self, check: Check, row: Row, reason: str) -> None:
        """A check changed the state of a real server."""
        kind = EventKind.SERVER_UP if row.becomes is HealthState.UP else EventKind.SERVER_DOWN
        self._events.say(kind, self._path(check.key), log_line(row, check, reason), thing=str(check.key))

    def turned(
        self, standing: Standing, target: Desired, draining: Iterable[Draining], refused: Mapping[TableKey, str]
    ) -> None:
        """A turn of the balancer is over: what should be in the table, what drains there, and what is refused."""
        self._tell_standing(standing)
        self._tell_draining({drain.place for drain in draining}, target.services)
        self._tell_refused(refused, target.services)
        self._links, self._services = target.links, target.services

    def troubles(self, sentences: Collection[str]) -> None:
        """Take what is wrong with the router as a whole; to be called whenever that may have changed."""
        for sentence in sentences:
            if sentence not in self._troubles:
                self._events.say(EventKind.REFUSED, "", sentence)
        for sentence in self._troubles:
            if sentence not in sentences:
                self._events.say(EventKind.WORKS_AGAIN, "", f"No longer so: {sentence}")
        self._troubles = tuple(sentences)

    def addresses(self, standings: Iterable[AddressStatus]) -> None:
        """Take how the floating addresses stand; to be called whenever that may have changed."""
        now = {(each.address, each.device): each for each in standings if each.address}
        before = self._addresses
        self._addresses = now
        for key, each in now.items():
            was = before.get(key) if before is not None else None
            if was is None or was.state is not each.state:
                self._tell_address(was, each, is_first=before is None)
        for key, was in (before or {}).items():
            if key not in now and was.state in _HERE:
                self._say_address(EventKind.ADDRESS_YIELDED, was, "this router gave it up.")

    def _tell_address(self, was: AddressStatus | None, each: AddressStatus, *, is_first: bool) -> None:
        if each.state in _NEW_STATE:
            self._say_address(_NEW_STATE[each.state], each, each.sentence)
        elif was is not None and was.state is AddressState.CONFLICT:
            self._say_address(EventKind.ADDRESS_CLAIMED, each, "nobody else has it any more.")
        elif not is_first or each.state is AddressState.CARRIED:
            self._say_address(EventKind.ADDRESS_CLAIMED, each, "this router carries it.")

    def _say_address(self, kind: EventKind, each: AddressStatus, what: str) -> None:
        thing = f"{each.address} on {each.device}"
        self._events.say(kind, each.source, f"{thing}: {what}", thing=thing)

    def _tell_standing(self, standing: Standing) -> None:
        before, self._standing = self._standing, standing
        if before is not None and before.is_active == standing.is_active:
            return
        if standing.is_active and before is not None:
            self._events.say(EventKind.ACTIVE, "", "This router becomes active.")
        elif not standing.is_active:
            self._events.say(EventKind.PASSIVE, "", standing.reason or "This router becomes passive.")

    def _tell_draining(self, places: set[Place], services: _Services) -> None:
        new = places - self._draining.keys()
        if new:
            paths = {place: self._path(key) for key, place in self._links.items() if place in new}
            for place in sorted(new, key=str):
                about = paths.get(place) or _service_path(place[0], services, self._services)
                self._draining[place] = about
                sentence = f"{place[1]} of {place[0].words} left lvs.cf and drains: it gets no new connections."
                self._events.say(EventKind.DRAIN, about, sentence, thing=str(place))
        for place in sorted(self._draining.keys() - places, key=str):
            about, sentence = self._draining.pop(place), f"{place[1]} of {place[0].words} drains no more."
            self._events.say(EventKind.DRAINED, about, sentence, thing=str(place))

    def _tell_refused(self, refused: Mapping[TableKey, str], services: _Services) -> None:
        for key, reason in refused.items():
            if self._refused.get(key) != reason:
                about = _service_path(key, services, self._services)
                self._events.say(EventKind.REFUSED, about, reason, thing=key.words)
        for key in self._refused.keys() - refused.keys():
            about, sentence = _service_path(key, services, self._services), f"{key.words}: nothing is refused any more."
            self._events.say(EventKind.WORKS_AGAIN, about, sentence, thing=key.words)
        self._refused = dict(refused)

    def _path(self, key: RealServerKey) -> str:
        return self._paths.get(key) or self._paths_before.get(key, "")


def _service_path(key: TableKey, *known: _Services) -> str:
    """Return the written path of the virtual server that has this place in the table, "" if none has."""
    return next((path for services in known for path, each in services.items() if each == key), "")

"""Which part of the status somebody asks for: of thousands of servers those on a page, those found, those not well.

Rule: what is left out is counted. Only what is told is put together; the rest is looked at as little as can be.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from piranha.config.model import Cluster, RealServer, RealServerKey, ServiceKey, VirtualServer
from piranha.engine.connections import QueryRefused
from piranha.engine.view import View
from piranha.health.machine import ServerHealth
from piranha.ipvs.table import DestinationKey, TableKey
from piranha.monitoring import SERVERS_SHOWN, STATUS_ROWS_MAX, TROUBLE, VIRTUAL_SERVERS_SHOWN, StatusQuery
from piranha.status import HealthState

TEXT_MAX = 200
"""Characters that are looked for; no name and no address is longer."""
_NUMBER = re.compile("[0-9]{1,9}")
_Found = tuple[VirtualServer, Sequence[RealServer] | None]
"""A virtual server, and those of its real servers that are found: None means all of them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for; the fields are those of StatusQuery. `text` is without case, "" chooses nothing."""

    path: str = ""
    text: str = ""
    is_trouble: bool = False
    first: int = 1
    limit: int = VIRTUAL_SERVERS_SHOWN
    servers: int = SERVERS_SHOWN


@dataclass(frozen=True, slots=True)
class Pick:
    """A virtual server to tell, with those of its real servers that are told.

    `virtual` None: one that lvs.cf names no more. `unnamed` are destinations that no server block names: draining ones,
    a sorry server; they stand behind the others. The first of all these is the number `first` of `matching`.
    """

    key: TableKey | None
    virtual: VirtualServer | None
    servers: Sequence[RealServer]
    unnamed: Sequence[DestinationKey]
    first: int
    matching: int


Found = dict[object, list[_Found | Pick]]
FOUND_KEPT = 20
"""Questions about one view."""


@dataclass(frozen=True, slots=True)
class Picked:
    """What is told, the number of its first virtual server (0: there is none), and how many match."""

    picks: tuple[Pick, ...]
    first: int
    matching: int


NOTHING_PICKED = Picked((), 0, 0)


def asked_of(query: StatusQuery) -> Asked | None:
    """Return what a query asks for, None for the whole. Raises QueryRefused."""
    if query == StatusQuery():
        return None
    only = query.only.strip().lower()
    if only not in ("", TROUBLE):
        raise QueryRefused("only", f'There is no {query.only[:40]!r} to choose; there is "{TROUBLE}".')
    text = " ".join(query.text.split())
    if len(text) > TEXT_MAX:
        raise QueryRefused("text", f"No name and no address has more than {TEXT_MAX} characters.")
    return Asked(
        query.path.strip(),
        text.casefold(),
        only == TROUBLE,
        _number("first", query.first, 1, 10**9),
        _number("limit", query.limit, VIRTUAL_SERVERS_SHOWN, STATUS_ROWS_MAX),
        _number("servers", query.servers, SERVERS_SHOWN, STATUS_ROWS_MAX),
    )


def shares(sizes: Sequence[int], budget: int) -> list[int]:
    """Return how much each of some gets of a budget: as much as it can use, as equally as that goes, and at least 1."""
    found = [0] * len(sizes)
    left = budget
    for place, number in enumerate(sorted(range(len(sizes)), key=lambda each: sizes[each])):
        fair = max(1, left // (len(sizes) - place))
        found[number] = min(sizes[number], fair)
        left = max(0, left - found[number])
    return found


class Index:
    """A cluster as it is searched. Made once for each cluster, when something is asked."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.in_force = cluster.active_virtual_servers

    @cached_property
    def by_path(self) -> Mapping[str, tuple[VirtualServer, RealServer | None]]:
        """Return the virtual servers and the real servers by their written paths."""
        found: dict[str, tuple[VirtualServer, RealServer | None]] = {}
        for virtual in self.cluster.virtual_servers:
            found[virtual.id] = (virtual, None)
            found.update((server.id, (virtual, server)) for server in virtual.servers)
        return found

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """Return how many real servers there are in the virtual servers in force, and how many of them are active."""
        servers = [server.is_active for virtual in self.in_force for server in virtual.servers]
        return len(servers), sum(servers)

    def host_of(self, path: str) -> str:
        """Return the address of a virtual server, "" where there is none."""
        virtual, _ = self.by_path.get(path, (None, None))
        return str(virtual.address.host) if virtual is not None and virtual.address is not None else ""

    def found(self, text: str) -> Iterator[_Found]:
        """Yield the virtual servers in force that a text finds, with the real servers where it finds only those."""
        for virtual, own, servers in self._texts:
            if text in own:
                yield virtual, None
            elif matching := [server for server, each in zip(virtual.servers, servers, strict=True) if text in each]:
                yield virtual, matching

    @cached_property
    def _texts(self) -> Sequence[tuple[VirtualServer, str, tuple[str, ...]]]:
        return [(virtual, _own_text(virtual), tuple(map(_text_of, virtual.servers))) for virtual in self.in_force]


class Chooser:
    """Chooses of one view. `overridden` are the real servers with something set by hand, `troubles` what is wrong with
    the addresses of virtual servers, by written path or address. `found` is what was found of the same view already.
    """

    def __init__(
        self,
        index: Index,
        view: View,
        healths: Mapping[RealServerKey, ServerHealth],
        overridden: Collection[RealServerKey] = (),
        troubles: Mapping[str, str] | None = None,
        may_be_unwell: frozenset[ServiceKey | None] | None = None,
        found: "Found | None" = None,
    ) -> None:
        self._found: Found = {} if found is None else found
        self._index = index
        self._view = view
        self._healths = healths
        self._overridden = overridden
        self._troubles = troubles or {}
        self._looked = may_be_unwell

    def everything(self) -> tuple[Pick, ...]:
        """Return all virtual servers with all they have, then those that lvs.cf names no more."""
        return (*map(self._pick, self._index.cluster.virtual_servers), *self._leftovers())

    def choose(self, asked: Asked) -> Picked:
        """Return what is asked for."""
        if "\n" in asked.path:
            return self._by_paths(asked)
        if asked.path:
            return self._by_path(asked)
        candidates = self._candidates(asked)
        if not candidates:
            return NOTHING_PICKED
        first = min(asked.first, len(candidates))
        shown = [
            each if isinstance(each, Pick) else self._pick(*each, has_worst_first=True)
            for each in candidates[first - 1 : first - 1 + asked.limit]
        ]
        rows = shares([each.matching for each in shown], asked.servers)
        return Picked(tuple(map(_cut, shown, rows)), first, len(candidates))

    def _candidates(self, asked: Asked) -> Sequence[_Found | Pick]:
        """Return everything that matches; a page that refreshes itself asks for the same again and again."""
        what = (asked.text, asked.is_trouble, tuple(self._troubles.items()))
        known = self._found.get(what)
        if known is None:
            found = self._matching(asked.text)
            known = list(self._with_trouble(found) if asked.is_trouble else found)
            if not asked.is_trouble:
                known += [pick for pick in self._leftovers() if asked.text in str(pick.key).casefold()]
            if len(self._found) < FOUND_KEPT:
                self._found[what] = known
        return known

    @property
    def not_served(self) -> int:
        """Return how many virtual servers in force are not served."""
        target = self._view.target
        if not self._view.refused and not target.omitted and len(target.services) == len(self._index.in_force):
            return 0
        return sum(map(self.is_not_served, self._index.in_force))

    def troubles_of(self, virtual: VirtualServer) -> str:
        """Return what is wrong with a virtual server's floating address, or ""."""
        if not self._troubles:
            return ""
        host = str(virtual.address.host) if virtual.address is not None else ""
        return self._troubles.get(virtual.id) or self._troubles.get(host, "")

    def is_not_served(self, virtual: VirtualServer) -> bool:
        """Say whether the data path does not serve a virtual server in force."""
        key = self._view.target.services.get(virtual.id)
        if virtual.id in self._view.target.omitted or key is None:
            return True
        reading = self._view.reading
        return key in self._view.refused and (key not in reading.table or key in reading.refused)

    def _by_path(self, asked: Asked) -> Picked:
        virtual, server = self._index.by_path.get(asked.path, (None, None))
        if virtual is None:
            return NOTHING_PICKED
        if server is not None:
            return Picked((self._pick(virtual, (server,)),), 1, 1)
        found = [each for each in self._matching(asked.text) if each[0] is virtual] if asked.text else [(virtual, None)]
        if asked.is_trouble:
            found = list(self._with_trouble(found))
        pick = self._pick(virtual, found[0][1] if found else ())
        first = max(1, min(asked.first, pick.matching))
        servers = pick.servers[first - 1 : first - 1 + asked.servers]
        before = max(0, first - 1 - len(pick.servers))
        unnamed = pick.unnamed[before : before + asked.servers - len(servers)]
        return Picked((Pick(pick.key, virtual, servers, unnamed, first, pick.matching),), 1, 1)

    def _by_paths(self, asked: Asked) -> Picked:
        """Return the virtual servers of a list of paths with the real servers in it; what is not there is left out."""
        found: dict[str, tuple[VirtualServer, list[RealServer]]] = {}
        for path in asked.path.split("\n"):
            virtual, server = self._index.by_path.get(path, (None, None))
            if virtual is None:
                continue
            servers = found.setdefault(virtual.id, (virtual, []))[1]
            if server is not None:
                servers.append(server)
        picks = [self._pick(virtual, servers) for virtual, servers in found.values()]
        rows = shares([each.matching for each in picks], asked.servers)
        return Picked(tuple(map(_cut, picks, rows)), 1 if picks else 0, len(picks))

    def _matching(self, text: str) -> Iterator[_Found]:
        return self._index.found(text) if text else ((virtual, None) for virtual in self._index.in_force)

    def _with_trouble(self, found: Iterable[_Found]) -> Iterator[_Found]:
        """Yield those that are not well, or have real servers that are not: these alone."""
        for virtual, servers in found:
            if self._is_in_trouble(virtual):
                yield virtual, servers
            elif virtual.key in self._may_be_unwell:
                unwell = [each for each in servers or virtual.servers if not self._is_well(virtual, each)]
                if unwell:
                    yield virtual, unwell

    def _is_in_trouble(self, virtual: VirtualServer) -> bool:
        key = self._view.target.services.get(virtual.id)
        if self.is_not_served(virtual) or key in self._view.refused or self.troubles_of(virtual):
            return True
        return not any(server.is_active for server in virtual.servers)

    @property
    def _may_be_unwell(self) -> frozenset[ServiceKey | None]:
        if self._looked is None:
            self._looked = may_be_unwell(self._index, self._view, self._healths, self._overridden)
        return self._looked

    def _is_well(self, virtual: VirtualServer, server: RealServer) -> bool:
        """Say whether nothing is unusual about a real server; one that is not active in lvs.cf is as it should be."""
        if not server.is_active:
            return True
        key = real_server_key(virtual, server)
        health = self._healths.get(key) if key is not None else None
        if key is None or health is None or health.state is not HealthState.UP or key in self._overridden:
            return False
        if server.id in self._view.target.omitted:
            return False
        return not self._view.refused_servers or self._view.target.links.get(key) not in self._view.refused_servers

    def _pick(
        self, virtual: VirtualServer, servers: Sequence[RealServer] | None = None, *, has_worst_first: bool = False
    ) -> Pick:
        """Return a virtual server with these real servers (None: all, and the unnamed destinations too)."""
        key = self._view.target.services.get(virtual.id)
        unnamed = self._unnamed(virtual, key) if servers is None and key is not None else ()
        told = virtual.servers if servers is None else servers
        if has_worst_first and virtual.key in self._may_be_unwell:
            told = sorted(told, key=lambda server: self._is_well(virtual, server))
        return Pick(key, virtual, told, unnamed, 1, len(told) + len(unnamed))

    def _unnamed(self, virtual: VirtualServer, key: TableKey) -> Sequence[DestinationKey]:
        ours = self._view.ours.get(key)
        if ours is None:
            return ()
        links = self._view.target.links
        named = {links.get(real_key) for server in virtual.servers if (real_key := real_server_key(virtual, server))}
        return tuple(each for each in ours.destinations if (key, each) not in named)

    def _leftovers(self) -> tuple[Pick, ...]:
        """Return the services that are no longer in force and still drain."""
        services = set(self._view.target.services.values())
        found = [(key, tuple(entry.destinations)) for key, entry in self._view.ours.items() if key not in services]
        return tuple(Pick(key, None, (), there, 1, len(there)) for key, there in found)


def may_be_unwell(
    index: Index, view: View, healths: Mapping[RealServerKey, ServerHealth], overridden: Collection[RealServerKey] = ()
) -> frozenset[ServiceKey | None]:
    """Return the virtual servers whose real servers are worth looking at: those of most are all well."""
    if len(healths) < index.sizes[1]:
        return frozenset(virtual.key for virtual in index.in_force)  # some have no check
    keys = [key for key, each in healths.items() if each.state is not HealthState.UP]
    found: set[ServiceKey | None] = {key.service for key in (*keys, *overridden)}
    refused = {place[0] for place in view.refused_servers}
    paths = [path for path, key in view.target.services.items() if key in refused] if refused else []
    for path in (*paths, *view.target.omitted):
        found.add(index.by_path[path][0].key)
    return frozenset(found)


def _cut(pick: Pick, rows: int) -> Pick:
    """Return a pick with its first so many rows: what is unnamed stands behind the real servers of lvs.cf."""
    servers = pick.servers[:rows]
    return Pick(pick.key, pick.virtual, servers, pick.unnamed[: rows - len(servers)], 1, pick.matching)


def real_server_key(virtual: VirtualServer, server: RealServer) -> RealServerKey | None:
    """Return what identifies a real server's check, None without a usable address."""
    service = virtual.key
    if service is None or server.address is None:
        return None
    return RealServerKey(service, server.address, server.port)


def _own_text(virtual: VirtualServer) -> str:
    host = str(virtual.address.host) if virtual.address is not None else ""
    mark = f"\nmark {virtual.fwmark}" if virtual.fwmark else ""
    return f"{virtual.name}\n{_place(host, virtual.port)}\n{host}:{virtual.port}{mark}".casefold()


def _text_of(server: RealServer) -> str:
    host = str(server.address) if server.address is not None else ""
    return f"{server.name}\n{_place(host, server.port)}".casefold()


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _number(field: str, written: str, usual: int, most: int) -> int:
    text = written.strip()
    if not text:
        return usual
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= most:
        raise QueryRefused(field, f"{written[:40]!r} is not a number between 1 and {most}.")
    return int(text)

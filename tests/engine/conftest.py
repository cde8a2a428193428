"""Doubles for the engine's tests: a data path that keeps a table, and probes that answer as they are told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest

from piranha.config.load import load
from piranha.config.model import Address, Cluster
from piranha.engine.balancer import Balancer
from piranha.errors import StepRefused
from piranha.health.check import Check, Verdict
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Counters,
    EditDestination,
    EditService,
    Entry,
    Place,
    Reading,
    RemoveDestination,
    RemoveService,
    Step,
    TableKey,
    one_by_one,
)
from piranha.paths import Paths
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.probes import Probed


@dataclass
class TablePath:
    """A data path whose table is a dictionary; it takes steps exactly, refuses what does not fit, remembers all."""

    entries: dict[TableKey, Entry] = field(default_factory=dict)
    counters: dict[Place, Counters] = field(default_factory=dict)
    taken: list[Step] = field(default_factory=list)
    refuses: dict[TableKey, str] = field(default_factory=dict)
    refused: dict[TableKey, str] = field(default_factory=dict)
    name: str = "embedded"
    shares: bool = False
    unavailable: str = ""

    async def present(self) -> Reading:
        if self.unavailable:
            raise KernelUnavailable(self.unavailable)
        counted = {
            (key, each): self.counters.get((key, each), Counters())
            for key, entry in self.entries.items()
            for each in entry.destinations
        }
        return Reading(dict(self.entries), counted, dict(self.refused))

    async def apply(self, step: Step) -> None:
        if step.key in self.refuses:
            raise StepRefused(self.refuses[step.key])
        match step:
            case AddService(key, service):
                assert key not in self.entries
                self.entries[key] = Entry(service)
            case EditService(key, service):
                self.entries[key] = Entry(service, self.entries[key].destinations)
            case RemoveService(key):
                assert not self.entries[key].destinations
                del self.entries[key]
            case AddDestination(key, place, destination):
                assert place not in self.entries[key].destinations
                self._set(key, {**self.entries[key].destinations, place: destination})
            case EditDestination(key, place, destination):
                assert place in self.entries[key].destinations
                self._set(key, {**self.entries[key].destinations, place: destination})
            case RemoveDestination(key, place):
                self._set(key, {at: each for at, each in self.entries[key].destinations.items() if at != place})
        self.taken.append(step)

    async def apply_many(self, steps: Sequence[Step]) -> tuple[StepRefused | None, ...]:
        return await one_by_one(self.apply, steps)

    async def close(self) -> None:
        self.entries.clear()

    def _set(self, key: TableKey, destinations: dict) -> None:
        self.entries[key] = Entry(self.entries[key].service, MappingProxyType(destinations))

    def weights(self) -> dict[str, int]:
        """Return the table as `address:port` -> weight."""
        return {
            str(place): destination.weight
            for entry in self.entries.values()
            for place, destination in entry.destinations.items()
        }


@dataclass
class Probes:
    """Answers checks by address: good unless told otherwise; `held` ones do not answer until released."""

    bad: set[str] = field(default_factory=set)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, check: Check, address: Address) -> Probed:
        name = f"{address}:{check.port}"
        self.asked.append(name)
        if name in self.held:
            await self.held[name].wait()
        verdict = Verdict(False, "refused") if name in self.bad else Verdict(True, "answered")
        return Probed(verdict, 0.0, b"", b"")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A root of its own with an empty place for lvs.cf."""
    found = Paths(tmp_path)
    found.lvs_cf.parent.mkdir(parents=True)
    found.run.mkdir(parents=True)
    found.state.mkdir(parents=True)
    return found


@pytest.fixture
def probes() -> Probes:
    """What the checks of this test meet."""
    return Probes()


@pytest.fixture
async def path() -> TablePath:
    return TablePath()


@pytest.fixture
async def balancer(path: TablePath, probes: Probes) -> AsyncIterator[Balancer]:
    """A balancer on a table of its own. Nothing turns it but the test."""
    async with asyncio.TaskGroup() as tasks:
        found = Balancer(path, tasks, asyncio.get_running_loop().time, probes)
        yield found
        found.nanny.stop()


@pytest.fixture
def cluster_of() -> Callable[[str], Cluster]:
    """Return a cluster for the text of an lvs.cf."""
    return lambda text: load(text).cluster


def virtual(name: str, *servers: str, port: int = 80, extra: str = "", active: int = 1) -> str:
    """Return a virtual block on 127.0.0.2 with servers given as `name=address:port[*weight]`."""
    lines = [f"virtual {name} {{", f"     active = {active}", "     address = 127.0.0.2 lo:1", f"     port = {port}"]
    lines += [f"     {line}" for line in extra.splitlines()]
    lines += ["     scheduler = rr", "     timeout = 2", "     reentry = 4"]
    for server in servers:
        title, _, rest = server.partition("=")
        place, _, weight = rest.partition("*")
        address, _, server_port = place.partition(":")
        lines += [f"     server {title} {{", f"         address = {address}", "         active = 1"]
        lines += [f"         port = {server_port}", f"         weight = {weight or 1}", "     }"]
    return "\n".join([*lines, "}", ""])


@pytest.fixture
def block() -> Callable[..., str]:
    return virtual

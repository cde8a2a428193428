"""How the balancer does, as pulse is told it."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from piranha.config.load import load
from piranha.config.model import Cluster
from piranha.engine.readiness import COUNT_MOST, UNWELL_AFTER_S, Readiness
from piranha.pulse.messages import Found
from piranha.status import HealthState

ONE = load("service = lvs\nvirtual web {\n    active = 1\n    address = 192.0.2.1 eth0:1\n}\n").cluster
UP, DOWN, UNKNOWN = (SimpleNamespace(state=each) for each in (HealthState.UP, HealthState.DOWN, HealthState.UNKNOWN))


@dataclass
class Balancer:
    cluster: Cluster = ONE
    trouble: str = ""
    healths: list[object] = field(default_factory=list)

    @property
    def nanny(self) -> SimpleNamespace:
        return SimpleNamespace(healths=dict(enumerate(self.healths)))


class Scene:
    def __init__(self) -> None:
        self.now = 100.0
        self.balancer = Balancer()
        self.readiness = Readiness(lambda: self.now, lambda: "ab" * 32)
        self.readiness.balancer = self.balancer  # type: ignore[assignment]

    def found(self) -> Found:
        return self.readiness.found()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_without_a_balancer_nothing_is_ready_and_nothing_is_wrong() -> None:
    assert Readiness(lambda: 0.0, str).found() == Found()


def test_it_is_ready_when_every_server_has_been_checked(scene: Scene) -> None:
    scene.balancer.healths = [UP, UNKNOWN]
    assert not scene.found().is_ready
    scene.balancer.healths = [UP, DOWN]
    found = scene.found()
    assert found.is_ready and found.is_well and found.digest == "ab" * 32
    assert (found.servers_up, found.servers, found.virtual) == (1, 2, 1)


def test_without_servers_it_is_ready(scene: Scene) -> None:
    assert scene.found().is_ready


def test_a_table_that_cannot_be_read_for_a_moment_makes_it_unready_and_no_fault(scene: Scene) -> None:
    scene.balancer.trouble = "The table cannot be read."
    scene.found()
    scene.now += UNWELL_AFTER_S - 0.1
    found = scene.found()
    assert found.is_well and not found.is_ready and found.reason == ""
    scene.now += 0.2
    found = scene.found()
    assert not found.is_well and found.reason == "The table cannot be read."


def test_the_time_begins_anew_after_it_could_be_read(scene: Scene) -> None:
    for _ in range(3):
        scene.balancer.trouble = "The table cannot be read."
        scene.found()
        scene.now += UNWELL_AFTER_S - 0.1
        assert scene.found().is_well
        scene.balancer.trouble = ""
        assert scene.found().is_ready
        scene.now += 1.0


def test_counts_fit_a_heartbeat(scene: Scene) -> None:
    scene.balancer.healths = [UP] * (COUNT_MOST + 5)
    found = scene.found()
    assert (found.servers_up, found.servers) == (COUNT_MOST, COUNT_MOST)

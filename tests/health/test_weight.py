"""Health, quiesce and weights set by hand give one weight."""

from collections.abc import Callable
from typing import Any

import pytest

from piranha.health.machine import ServerHealth, unheard
from piranha.health.tuning import Tuned, untuned
from piranha.health.weight import Weighed, weigh
from piranha.status import HealthState

Make = Callable[..., Any]
UP = ServerHealth(HealthState.UP, 4, 0.0, "connected", 8.0, was_up=True)
DOWN = ServerHealth(HealthState.DOWN, 0, 0.0, "refused", 8.0, was_up=True)
NEVER_UP = ServerHealth(HealthState.DOWN, 0, 0.0, "refused", 8.0, was_up=False)


def test_a_healthy_server_has_its_configured_weight(server: Make) -> None:
    assert weigh(server(weight=3), UP, False, None) == Weighed(3, True, "")


def test_weight_0_in_lvs_cf_stays_0(server: Make) -> None:
    assert weigh(server(weight=0), UP, False, None) == Weighed(0, True, "")


@pytest.mark.parametrize("override", [None, 0, 7])
@pytest.mark.parametrize("quiesces", [False, True])
@pytest.mark.parametrize("health", [None, unheard(0.0)])
def test_an_unchecked_server_is_not_in_the_table_and_nothing_is_concluded(
    server: Make, health: ServerHealth | None, quiesces: bool, override: int | None
) -> None:
    assert weigh(server(), health, quiesces, override) == Weighed(None, False, "not checked yet")


@pytest.mark.parametrize("health", [DOWN, NEVER_UP])
def test_a_failed_server_leaves_the_table(server: Make, health: ServerHealth) -> None:
    assert weigh(server(), health, False, None) == Weighed(None, True, "out of the table while it is down")


def test_with_quiesce_a_failed_server_stays_with_weight_0(server: Make) -> None:
    assert weigh(server(), DOWN, True, None) == Weighed(0, True, "quiesced while it is down")


def test_with_quiesce_a_server_that_was_never_up_is_not_in_the_table(server: Make) -> None:
    assert weigh(server(), NEVER_UP, True, None) == Weighed(None, True, "out of the table while it is down")


@pytest.mark.parametrize(
    ("override", "explanation"),
    [(0, "drained by hand; lvs.cf says 3"), (7, "weight 7 set by hand; lvs.cf says 3"), (3, "")],
)
def test_a_weight_set_by_hand_replaces_the_configured_one(server: Make, override: int, explanation: str) -> None:
    assert weigh(server(weight=3), UP, False, override) == Weighed(override, True, explanation)


@pytest.mark.parametrize(("quiesces", "weight"), [(False, None), (True, 0)])
def test_a_weight_set_by_hand_never_brings_a_failed_server_back(
    server: Make, quiesces: bool, weight: int | None
) -> None:
    assert weigh(server(), DOWN, quiesces, 7).weight == weight


@pytest.mark.parametrize(
    ("tuned", "weight", "explanation"),
    [
        (untuned(3), 3, ""),
        (Tuned(3, 1, 3, begins_at=0.0), 1, "weight 1 because of slow start; lvs.cf says 3"),
        (Tuned(3, 2, 2, load=4.0, heard_at=0.0), 2, "weight 2 because of its load; lvs.cf says 3"),
        (Tuned(3, 6, 6, load=0.0, heard_at=0.0), 6, "weight 6 because of its load; lvs.cf says 3"),
    ],
)
def test_slow_start_and_load_change_the_configured_weight(
    server: Make, tuned: Tuned, weight: int, explanation: str
) -> None:
    assert weigh(server(weight=3), UP, False, None, tuned) == Weighed(weight, True, explanation)


@pytest.mark.parametrize("override", [0, 3, 7])
def test_a_weight_set_by_hand_is_meant_as_it_is_whatever_the_load(server: Make, override: int) -> None:
    tuned = Tuned(3, 1, 1, load=9.0, heard_at=0.0)
    assert weigh(server(weight=3), UP, False, override, tuned) == weigh(server(weight=3), UP, False, override)


@pytest.mark.parametrize("health", [None, unheard(0.0), DOWN, NEVER_UP])
@pytest.mark.parametrize("quiesces", [False, True])
def test_load_and_slow_start_say_nothing_of_a_server_that_is_not_up(
    server: Make, health: ServerHealth | None, quiesces: bool
) -> None:
    tuned = Tuned(3, 1, 1, load=9.0, heard_at=0.0)
    assert weigh(server(weight=3), health, quiesces, None, tuned) == weigh(server(weight=3), health, quiesces, None)

"""Two routers on a bad wire, as many lives as fit; and that a machine that is wrong is found."""

import time

import pytest

from piranha.ha import machine
from piranha.ha.datagram import Said
from piranha.ha.states import Action, Event, Role, Row, State
from tests.ha.scenes import K, Scene
from tests.ha.simulation import PAIRS, Life, live
from tests.ha.world import Violation

CPU_SECONDS = 10.0
"""How long lives are tried here; `make simulate` tries 100,000 of them."""


def test_lives_of_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    began, seed = time.process_time(), 0
    while time.process_time() - began < CPU_SECONDS:
        live(seed)
        seed += 1
    with capsys.disabled():
        print(f"\n{seed} lives of pairs in {CPU_SECONDS:g} s of CPU", end=" ")
    assert seed > 50


@pytest.mark.parametrize("pair", sorted(set(PAIRS)))
def test_each_kind_of_pair_lives(pair: str) -> None:
    for seed in range(15):
        assert live(seed, pair).watcher.owners == 1


def test_the_same_seed_is_the_same_life() -> None:
    first, second = (Life(7, is_traced=True).run().agenda.trace for _ in range(2))
    assert first == second
    assert Life(8, is_traced=True).run().agenda.trace != first


BROKEN = [
    (Row(State.ACTIVE, Event.OWNER, Role.BACKUP, State.ACTIVE, (), ""), "two owners"),
    (Row(State.PASSIVE, Event.DEAD, None, State.PASSIVE, (), ""), "owners|alone"),
    (Row(State.PASSIVE, Event.OWNER, None, State.ACTIVE, (Action.TAKE, Action.SAY), ""), "two owners"),
    (Row(State.ACTIVE, Event.FAIL_BACK, Role.BACKUP, State.ACTIVE, (), ""), "did not get"),
]


@pytest.mark.parametrize(("row", "found"), BROKEN, ids=[f"{row.state}-{row.event}" for row, _ in BROKEN])
def test_a_wrong_row_is_found_and_told_as_a_story(row: Row, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine._ROWS, (row.state, row.event, row.role), row)
    with pytest.raises(Violation, match=found) as caught:
        for seed in range(300):
            live(seed, "new")
    story = str(caught.value)
    assert "boots to start" in story
    assert story.startswith("seed ")


def test_a_router_that_says_stopped_while_undecided_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "word", lambda node: Said.RUNNING if node.owns else Said.STOPPED)
    with pytest.raises(Violation, match="says STOPPED while it is settling"):
        live(1)


def test_routers_that_answer_each_other_for_ever_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row(None, Event.DOWN, None, State.ACTIVE, (), "")
    monkeypatch.setitem(machine._ROWS, (row.state, row.event, row.role), row)
    scene = Scene().settled()
    with pytest.raises(Violation, match="time stands still"):
        scene.primary.reports(is_well=False)
        scene.run(scene.now + K)

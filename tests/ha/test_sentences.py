"""What the operator reads: every change and every refusal is told, in words that can be searched for."""

import pytest

from piranha.ha import machine
from piranha.ha.events import Command
from piranha.ha.states import Event, State
from tests.ha.scenes import Scene

SILENT = {
    (State.IDLE, Event.STOP),
    (State.SETTLING, Event.DOWN),
    (State.ACTIVE, Event.OWNER_STILL),
}
"""Rows of which there would be a line for each heartbeat, or beside another line."""


def test_every_row_that_matters_is_told() -> None:
    silent = {(row.state, row.event) for row in machine._ROWS.values() if not row.says}
    assert silent == SILENT


def test_the_words_of_the_original_are_kept() -> None:
    scene = Scene()
    scene.boot("P")
    scene.run(7)
    for quality in scene.wire.qualities.values():
        quality.is_cut = True
    scene.boot("B")
    scene.run(20)
    for quality in scene.wire.qualities.values():
        quality.is_cut = False
    scene.run(30)
    told = "\n".join(sentence for _, sentence in scene.primary.told + scene.backup.told)
    for line in (
        "STARTING PULSE AS MASTER: listening for up to 6 s",
        "STARTING PULSE AS BACKUP: listening for up to 6 s",
        "partner dead: activating lvs (nothing heard for 6.0 s)",
        "partner active: deactivating LVS",
        "resending arps",
    ):
        assert line in told


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("P", "STARTING PULSE AS MASTER: its addresses are still here"),
        ("B", "STARTING PULSE AS BACKUP: its addresses are still here"),
    ],
)
def test_going_on_is_told_and_said_at_once(name: str, line: str) -> None:
    scene = Scene()
    scene.boot(name, Command.RESUME)
    router = scene.routers["PB".index(name)]
    assert router.told == [(0.0, line)]
    assert len(scene.words(name)) == 1


def test_no_sentence_has_a_hole() -> None:
    scene = Scene().settled()
    scene.primary.reports(is_well=False)
    scene.backup.command(Command.HAND_OVER)
    scene.run(60)
    told = [sentence for _, sentence in scene.primary.told + scene.backup.told]
    assert "balancer failed: no reason; next try in 2 s at the earliest" in told
    assert not [sentence for sentence in told if "{" in sentence or "None" in sentence]

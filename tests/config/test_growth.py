"""Twice the text is twice the time, whatever the text: no shape of an lvs.cf makes reading or editing quadratic."""

import gc
import time
from collections.abc import Callable
from typing import Any

import pytest

from piranha.config.canonical import canonical_text
from piranha.config.diffs import diff
from piranha.config.document import Document
from piranha.config.editing import apply_edits
from piranha.config.edits import AddBlock, Edit, MoveBlock, RemoveBlock, RenameBlock, SetValues
from piranha.config.load import load
from piranha.config.path import written
from piranha.config.strict import check
from piranha.errors import ConfigSyntaxError, EditRefused
from tests.config.pumped import SHAPES

Work = Callable[[Any], object]
MOST = 2.5
"""The ratio of times of a doubling; a quadratic one is 4."""
ENOUGH_S = 0.002
"""CPU seconds that can be compared. A shape that takes less even when it is longest is quick enough."""
LONGEST = 2048
ATTEMPTS = 4


def _ratios(work: Work, made: Callable[[int], Any], attempts: int) -> list[tuple[float, float]]:
    """Return the ratios of the two doublings for each attempt, until one is as it should be; [] if it is too quick."""
    n = 64
    while _seconds(work, made(n)) < ENOUGH_S:
        n *= 2
        if n > LONGEST:
            return []
    found: list[tuple[float, float]] = []
    for _ in range(attempts):
        # Twice as long every time: a step (a cache that is full) is no growth, and noise does not come back.
        once, twice, four_times = (_seconds(work, made(size)) for size in (n, 2 * n, 4 * n))
        found.append((twice / once, four_times / twice))
        if max(found[-1]) <= MOST:
            return found
        n *= 2
    return found


def _seconds(work: Work, what: object) -> float:
    """Return CPU seconds, the best of three: other processes on the machine only ever add to them."""
    gc.disable()
    try:
        times = []
        for _ in range(3):
            start = time.process_time()
            try:
                work(what)
            except (ConfigSyntaxError, EditRefused):
                pass  # told in time is all that is asked here
            times.append(time.process_time() - start)
        return min(times)
    finally:
        gc.enable()


def _is_linear(work: Work, made: Callable[[int], Any], attempts: int = ATTEMPTS) -> bool:
    ratios = _ratios(work, made, attempts)
    print(ratios)
    return not ratios or max(ratios[-1]) <= MOST


@pytest.mark.parametrize("shape", SHAPES)
def test_reading_takes_time_in_proportion(shape: str) -> None:
    assert _is_linear(load, SHAPES[shape])


@pytest.mark.parametrize("shape", SHAPES)
def test_reading_as_the_original_takes_time_in_proportion(shape: str) -> None:
    assert _is_linear(check, SHAPES[shape])


def _edited(edit: Callable[[Document], Edit]) -> Work:
    def work(document: Document) -> object:
        return apply_edits(document, [edit(document)], counts_up=True)

    return work


EDITS: dict[str, Work] = {
    "set a global value": _edited(lambda _: SetValues(path="", values={"deadtime": "99"})),
    "set a value of the last block": _edited(
        lambda document: SetValues(path=written(document.blocks()[-1]), values={"timeout": "99"})
    ),
    "add": _edited(lambda _: AddBlock(parent="", kind="virtual", name="new", values={"port": "80"})),
    "remove": _edited(lambda document: RemoveBlock(path=written(document.blocks()[-1]))),
    "rename": _edited(lambda document: RenameBlock(path=written(document.blocks()[-1]), name="new")),
    "move": _edited(
        lambda document: MoveBlock(path=written(document.blocks()[-1]), before=written(document.blocks()[0]))
    ),
    "canonical form": canonical_text,
}
EDITED = (
    "real servers", "virtual servers", "same names", "same names of real servers", "port after every server",
    "unclosed nests", "comments above a block", "duplicates",
)  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("shape", EDITED)
def test_editing_takes_time_in_proportion(shape: str, edit: str) -> None:
    # Two blocks around it, so that every edit has its block.
    def made(n: int) -> Document:
        return Document(f"virtual first {{\n}}\n{SHAPES[shape](n)}virtual last {{\n}}\n")

    assert _is_linear(EDITS[edit], made)


@pytest.mark.parametrize("shape", EDITED)
def test_the_difference_of_an_edit_takes_time_in_proportion(shape: str) -> None:
    def work(text: str) -> object:
        return diff(text, f"serial_no = 2\n{text}keepalive = 7\n", "old", "new")

    assert _is_linear(work, SHAPES[shape])


def test_a_quadratic_reader_would_be_found() -> None:
    def quadratic(text: str) -> object:
        return sum(range(30 * text.count("\n") ** 2))

    assert not _is_linear(quadratic, SHAPES["duplicates"], attempts=2)

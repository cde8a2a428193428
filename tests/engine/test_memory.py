"""What stays in memory is left alone by the collector, where it is much."""

import gc
from collections.abc import Iterator

import pytest

from piranha.engine.memory import LARGE, MANY, keep, settle
from piranha.engine.version import version_of


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.unfreeze()


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self, gone: list[int]) -> None:
        self.itself = self
        self._gone = gone

    def __del__(self) -> None:
        self._gone.append(1)


def test_much_is_taken_for_what_stays_and_garbage_is_not_kept_with_it() -> None:
    gone: list[int] = []
    Ring(gone)
    settle(MANY)
    assert gc.get_freeze_count() > 0 and gone == [1]


def test_what_stayed_before_and_does_no_more_is_found_at_the_next_time() -> None:
    gone: list[int] = []
    ring = Ring(gone)
    settle(MANY)
    del ring
    gc.collect()
    assert gone == []
    settle(MANY)
    assert gone == [1]


def test_little_is_left_to_the_collector() -> None:
    settle(MANY)
    settle(MANY - 1)
    assert gc.get_freeze_count() == 0


def test_what_a_large_text_says_is_not_searched_and_goes_when_nobody_needs_it() -> None:
    keep(LARGE - 1)
    assert gc.get_freeze_count() == 0
    blocks = 5000
    version = version_of("".join(f"virtual number{number} {{\n}}\n" for number in range(blocks)).encode())
    assert len(version.raw) >= LARGE
    much = gc.get_freeze_count()
    assert much > blocks
    del version
    assert gc.get_freeze_count() < much - blocks

"""`make mutate`: each row of failover's table, and what stands beside it, is broken in turn; a test must notice each.

The golden print of the table is left out: it notices everything and proves nothing. A row is broken by taking it away,
by sending it to another state, by taking away each of its actions, and by making it mute. The faults beside the table
are those of nasty.py. With a word as argument only what has it in its name is broken.
"""

import contextlib
import io
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from piranha.ha import machine
from piranha.ha.states import Event, Role, Row, State
from piranha.ha.table import TABLE
from tests.ha.nasty import NASTY
from tests.ha.simulation import live

HERE = Path(__file__).parent
FILES = [
    str(HERE / f"test_{name}.py")
    for name in ("sentences", "scenarios", "commands", "faults", "rejoining", "failover", "session", "settings")
]
LIVES = 150
"""Lives that are tried where no test notices."""


def name_of(row: Row) -> str:
    """Return what a row is called in the list."""
    return f"{row.state or 'any'} / {row.event}{f' ({row.role})' if row.role else ''}"


def broken(row: Row) -> Iterator[tuple[str, Row | None]]:
    """Yield the row broken in every way, each with a name."""
    yield "gone", None
    for other in (State.PASSIVE, State.ACTIVE, State.HELD):
        if other not in (row.becomes, row.state):
            yield f"becomes {other}", replace(row, becomes=other)
    if row.becomes not in (None, row.state):
        yield "stays", replace(row, becomes=row.state)
    for index, action in enumerate(row.actions):
        yield f"without {action}", replace(row, actions=row.actions[:index] + row.actions[index + 1 :])
    if row.says:
        yield "mute", replace(row, says="")


def is_noticed() -> str:
    """Return who notices that the table is wrong, "" for nobody."""
    hushed = io.StringIO()
    with contextlib.redirect_stdout(hushed), contextlib.redirect_stderr(hushed):
        if pytest.main(["-x", "-q", "--no-header", "-p", "no:cacheprovider", *FILES]) != 0:
            return "tests"
    for seed in range(LIVES):
        try:
            live(seed)
        except Exception:
            return f"simulation, seed {seed}"
    return ""


def faults() -> Iterator[tuple[str, Callable[[pytest.MonkeyPatch], None]]]:
    """Yield everything that can be broken, with a name."""
    for row in TABLE:
        for how, wrong in broken(row):
            yield f"{name_of(row)}: {how}", _row_breaker((row.state, row.event, row.role), wrong)
    yield from NASTY.items()


def _row_breaker(
    key: tuple[State | None, Event, Role | None], wrong: Row | None
) -> Callable[[pytest.MonkeyPatch], None]:
    def break_it(patch: pytest.MonkeyPatch) -> None:
        if wrong is None:
            patch.delitem(machine._ROWS, key)
        else:
            patch.setitem(machine._ROWS, key, wrong)

    return break_it


def main() -> None:
    """Break everything in turn."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if is_noticed():
        sys.exit("The tests fail with everything as it is.")
    by_whom: Counter[str] = Counter()
    for name, break_it in faults():
        if wanted in name:
            with pytest.MonkeyPatch.context() as patch:
                break_it(patch)
                by = is_noticed()
            by_whom[by.partition(",")[0] or "nobody"] += 1
            if by != "tests":
                print(f"noticed by the {by}, alone: {name}" if by else f"NOT NOTICED: {name}", flush=True)
    print(f"{by_whom.total()} broken: noticed by", dict(by_whom))
    sys.exit(1 if by_whom["nobody"] else 0)


if __name__ == "__main__":
    main()

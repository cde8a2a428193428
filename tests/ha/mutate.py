"""`make mutate`: each row of failover's table is broken in turn, and each time a test must notice.

The golden print of the table is left out: it notices everything and proves nothing. A row is broken by taking it away,
by sending it to another state, by taking away each of its actions, and by making it mute. With a word as argument only
the rows whose names hold it are broken.
"""

import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from piranha.ha import machine
from piranha.ha.states import Row, State
from piranha.ha.table import TABLE
from tests.ha.simulation import live
from tests.ha.world import Violation

HERE = Path(__file__).parent
FILES = [str(HERE / name) for name in ("test_sentences.py", "test_scenarios.py", "test_commands.py", "test_faults.py")]
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
        except (Violation, AssertionError):
            return f"simulation, seed {seed}"
    return ""


def main() -> None:
    """Break everything in turn."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if is_noticed():
        sys.exit("The tests fail with the table as it is.")
    survivors, tried = [], 0
    for row in (row for row in TABLE if wanted in name_of(row)):
        key = (row.state, row.event, row.role)
        for how, wrong in broken(row):
            if wrong is None:
                del machine._ROWS[key]
            else:
                machine._ROWS[key] = wrong
            try:
                by = is_noticed()
            finally:
                machine._ROWS[key] = row
            tried += 1
            if not by:
                survivors.append(f"{name_of(row)}: {how}")
                print(f"NOT NOTICED: {survivors[-1]}", flush=True)
    print(f"{tried} broken tables, {tried - len(survivors)} noticed")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()

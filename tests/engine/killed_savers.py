"""Kill savers, one after the other, at random moments, and look at what each of them leaves.

`python -m tests.engine.killed_savers ROOT KILLS SEED` prints what it saw as one JSON object. It ends with an
AssertionError at the first kill after which something is not true. A saver is a child of this process, which has
everything imported already: a kill costs milliseconds.
"""

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from piranha.config.load import token_of
from piranha.engine.history import Bounds
from piranha.engine.keeper import ConfigKeeper
from piranha.paths import Paths
from piranha.system import lvs_cf
from tests.engine.saved_texts import CALLER, next_save, serial_of, text_of

FIRST = 1000
BOUNDS = Bounds(versions=40)
LONGEST_SAVES = 4
"""Some savers are killed in their first save, some in their fourth."""


def save_for_ever(paths: Paths, told: int) -> None:
    """Be a saver: each save that is done is told through a pipe, 8 bytes of its serial number."""
    keeper = ConfigKeeper(paths, BOUNDS)
    while True:
        serial = serial_of(lvs_cf.read(paths.lvs_cf) or b"")
        answer = keeper.save(next_save(serial), CALLER)
        assert answer.serial_no == serial + 1
        os.write(told, (serial + 1).to_bytes(8, "big"))


def last_told(pipe: int) -> int:
    """Return the serial number of the last save that its saver knew as done, 0 if it did none."""
    told = b""
    while piece := os.read(pipe, 65536):
        told += piece
    return int.from_bytes(told[-8:], "big") if told else 0


def kill_one(paths: Paths, after_s: float) -> int:
    """Run a saver for a while, kill it, and return what it told last."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            save_for_ever(paths, writing)
        finally:
            os._exit(1)
    os.close(writing)
    never, end = os.pipe()
    select.select([never], [], [], after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the saver failed by itself"
    told = last_told(reading)
    for handle in (reading, never, end):
        os.close(handle)
    return told


def left_behind(paths: Paths) -> set[str]:
    """Return in which state the files were found: what the killed saver was doing."""
    names = [path.name for folder in (paths.lvs_cf.parent, paths.history) for path in folder.iterdir()]
    found = {name.rpartition(".")[2] for name in names} - {"version", "cf", "conf"}
    return found or {"nothing"}


def check(paths: Paths, serial_before: int, told: int, verified: set[int]) -> int:
    """Look at everything after a kill; return the serial number that was reached."""
    raw = lvs_cf.read(paths.lvs_cf) or b""
    serial = serial_of(raw)
    assert raw == text_of(serial), "lvs.cf is no text that a save would have made"
    assert max(told, serial_before) <= serial <= max(told, serial_before) + 1, "a save that was told as done is lost"
    keeper = ConfigKeeper(paths, BOUNDS)
    keeper.clean_up()
    assert keeper.catch_up() is None, "the history did not know what is in lvs.cf"
    names = [path.name for folder in (paths.lvs_cf.parent, paths.history) for path in folder.iterdir()]
    assert not [name for name in names if name.startswith(".") or name.endswith(".pending")], names
    history = keeper.history()
    assert history.problem == "" and len(history.versions) <= BOUNDS.versions
    assert history.versions[0].token == history.saved_token == token_of(raw)
    for newer, older in zip(history.versions, history.versions[1:], strict=False):
        assert older.serial_no is not None and newer.serial_no == older.serial_no + 1, "the history has a gap"
        assert newer.number > older.number
    for version in history.versions:
        assert version.is_certain
        if version.number in verified:
            continue
        assert version.serial_no is not None
        assert keeper.version(version.number).text.encode() == text_of(version.serial_no)
        assert (version.how, version.who) == (("found", "") if version.number == 1 else ("save", "admin"))
        verified.add(version.number)
    return serial


def main(root: str, kills: int, seed: int) -> None:
    """Do so many kills and print what was seen."""
    chance = random.Random(seed)
    paths = Paths(Path(root))
    paths.lvs_cf.parent.mkdir(parents=True)
    paths.lvs_cf.write_bytes(text_of(FIRST))
    keeper = ConfigKeeper(paths, BOUNDS)
    began = time.monotonic()
    for serial in range(FIRST, FIRST + 10):
        keeper.save(next_save(serial), CALLER)
    longest_s = min((time.monotonic() - began) / 10 * LONGEST_SAVES, 0.1)
    serial = FIRST + 10
    seen: dict[str, int] = {}
    verified: set[int] = set()
    for number in range(kills):
        told = kill_one(paths, chance.random() * longest_s)
        for state in left_behind(paths):
            seen[state] = seen.get(state, 0) + 1
        try:
            serial = check(paths, serial, told, verified)
        except AssertionError as error:
            raise AssertionError(f"kill {number} (seed {seed}): {error}") from error
    print(json.dumps({"kills": kills, "saves": serial - FIRST, "versions": len(verified), "left": seen}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

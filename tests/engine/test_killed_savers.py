"""1,000 kills of a saver at random moments, and savers that work at the same time; see `killed_savers`."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec

from piranha.config.edits import ExpectedPart, Part, SetValues
from piranha.engine.keeper import ConfigKeeper
from piranha.messages import SaveRequest
from tests.engine.saved_texts import SERVERS, WEIGHTED, text_of

TOP = Path(__file__).parents[2]
SEED = 20

SAVER = """
import sys
from pathlib import Path
import msgspec
from piranha.engine.caller import Caller
from piranha.engine.keeper import ConfigKeeper
from piranha.errors import ConfigConflict
from piranha.messages import SaveRequest
from piranha.paths import Paths

keeper = ConfigKeeper(Paths(Path(sys.argv[1])))
requests = msgspec.json.decode(sys.argv[2], type=list[SaveRequest])
print("ready", flush=True)
sys.stdin.readline()
for request in requests:
    try:
        print(keeper.save(request, Caller(sys.argv[3])).serial_no)
    except ConfigConflict as conflict:
        print("conflict:", conflict.part)
"""


def saved_at_the_same_time(paths, requests: list[list[SaveRequest]]) -> list[list[str]]:
    """Start a saver for each list of requests, let all of them go at once, and return what each of them says."""
    words = [
        [sys.executable, "-c", SAVER, str(paths.root), msgspec.json.encode(each).decode(), f"admin{number}"]
        for number, each in enumerate(requests)
    ]
    savers = [
        subprocess.Popen(each, cwd=TOP, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for each in words
    ]
    for saver in savers:
        assert saver.stdout is not None and saver.stdout.readline() == "ready\n"
    for saver in savers:
        assert saver.stdin is not None
        saver.stdin.write("go\n")
        saver.stdin.flush()
    said = [saver.communicate(timeout=60)[0].splitlines() for saver in savers]
    assert [saver.returncode for saver in savers] == [0] * len(savers)
    return said


def test_after_a_thousand_kills_lvs_cf_is_whole_each_time_and_the_history_true(tmp_path):
    words = [sys.executable, "-m", "tests.engine.killed_savers", str(tmp_path / "root"), "1000", str(SEED)]
    done = subprocess.run(words, cwd=TOP, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["kills"] == 1000 and seen["saves"] > 100
    # Nothing is shown unless some of them were killed in the middle: with a file half made, with a record pending.
    assert seen["left"]["new"] > 10 and seen["left"]["pending"] > 10


def test_of_savers_with_the_same_token_one_wins_and_the_others_are_told(paths):
    paths.lvs_cf.write_bytes(text_of(1))
    block = WEIGHTED.rpartition(".")[0]
    version = ConfigKeeper(paths).saved_version()
    assert version is not None
    seen = [ExpectedPart(Part(block), version.document.token(Part(block)))]
    requests = [
        [SaveRequest([SetValues(path=block, values={"weight": str(100 + number)})], seen)] for number in range(6)
    ]
    said = saved_at_the_same_time(paths, requests)
    assert sorted(each[0] for each in said) == ["2", *[f"conflict: {block}"] * 5]
    winner = said.index(["2"])
    assert f"weight = {100 + winner}\n".encode() in paths.lvs_cf.read_bytes()
    history = ConfigKeeper(paths).history()
    assert [(each.how, each.who) for each in history.versions] == [("save", f"admin{winner}"), ("found", "")]


def test_savers_of_different_parts_lose_nothing_and_each_save_counts(paths):
    paths.lvs_cf.write_bytes(text_of(1))
    version = ConfigKeeper(paths).saved_version()
    assert version is not None
    requests = []
    for number in range(4):
        parts = [Part(f"virtual[web].server[web{10 * number + each}]") for each in range(5)]
        requests.append(
            [
                SaveRequest(
                    [SetValues(path=part.path, values={"weight": str(1000 + number)})],
                    [ExpectedPart(part, version.document.token(part))],
                )
                for part in parts
            ]
        )
    said = saved_at_the_same_time(paths, requests)
    serials = sorted(int(line) for each in said for line in each)
    assert serials == list(range(2, 22))
    saved = ConfigKeeper(paths).saved_version()
    assert saved is not None and saved.serial_no == 21
    (web,) = saved.loaded.cluster.virtual_servers
    wanted = [1000 + number // 10 if number % 10 < 5 else 1 for number in range(SERVERS)]
    wanted[7] = 2
    assert [server.weight for server in web.servers] == wanted
    versions = ConfigKeeper(paths).history().versions
    assert [each.serial_no for each in versions] == list(range(21, 0, -1))
    assert {each.who for each in versions[:-1]} == {f"admin{number}" for number in range(4)}

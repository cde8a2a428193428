"""`piranha sync` as a person sees it, and `piranha receive` as ssh starts it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from piranha.client import EngineClient
from piranha.sync_frames import FRAME_MAX, unpack
from piranha.sync_messages import CopyState, Outcome, SyncAnswer, SyncRequest
from tests.cli.conftest import Run

HERE = CopyState("a" * 64, 9, "b" * 64, 8, "", "", "d" * 64)
THERE = CopyState("b" * 64, 8, "b" * 64, 8, "", "", "e" * 64)
AFTER = CopyState("a" * 64, 9, "a" * 64, 9, "", "", "d" * 64)
DIFF = "".join(f"+line {number}\n" for number in range(300))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> tuple[list[SyncRequest], list[SyncAnswer]]:
    """Give what the engine is asked, and a list to put its answer into."""
    requests: list[SyncRequest] = []
    answers: list[SyncAnswer] = []

    def sync(client: EngineClient, request: SyncRequest) -> SyncAnswer:
        requests.append(request)
        return answers[0]

    monkeypatch.setattr(EngineClient, "sync", sync)
    return requests, answers


Asked = tuple[list[SyncRequest], list[SyncAnswer]]


def test_it_tells_what_differed_how_it_stands_and_what_came_of_it(run: Run, asked: Asked) -> None:
    asked[1].append(
        SyncAnswer(Outcome.SENT, "192.0.2.2 has it now.", "192.0.2.2", HERE, THERE, AFTER, DIFF, "+x = 1\n")
    )
    done = run("sync", "--no-apply", "--force")
    assert asked[0] == [SyncRequest(force=True, dry_run=False, applies=False)]
    assert done.code == 0 and done.err == ""
    lines = done.out.splitlines()
    assert lines[0] == "+line 0" and any("more lines" in line for line in lines) and "+x = 1" in lines
    assert lines[-3:] == [
        f"here     serial_no 9, it is not applied, digest {'d' * 64}",
        f"partner  serial_no 9, it runs, digest {'d' * 64}",
        "192.0.2.2 has it now.",
    ]


def test_a_dry_run_has_the_whole_difference_and_exit_code_1(run: Run, asked: Asked) -> None:
    asked[1].append(SyncAnswer(Outcome.DIFFERENT, "They differ.", "192.0.2.2", HERE, THERE, None, DIFF))
    done = run("sync", "--dry-run")
    assert done.code == 1 and done.err == ""
    assert done.out.startswith(DIFF) and f"partner  serial_no 8, it runs, digest {'e' * 64}" in done.out


@pytest.mark.parametrize("outcome", [each for each in Outcome if each not in (Outcome.DIFFERENT, Outcome.SENT)])
def test_what_went_wrong_is_on_standard_error_and_exit_code_1(run: Run, asked: Asked, outcome: Outcome) -> None:
    asked[1].append(SyncAnswer(outcome, "A \x1b[2Jsentence.", "", None, None))
    done = run("sync")
    assert (done.code, done.out if outcome.is_good else done.err) == (int(not outcome.is_good), "A \\x1b[2Jsentence.\n")


def test_json_is_the_answer(run: Run, asked: Asked) -> None:
    asked[1].append(SyncAnswer(Outcome.BOTH_EDITED, "Both.", "192.0.2.2", HERE, THERE))
    done = run("sync", "--json")
    told = json.loads(done.out)
    assert done.code == 1
    assert (told["outcome"], told["here"]["serial_no"], told["there"]["serial_no"]) == ("both-edited", 9, 8)


def test_without_an_engine_the_exit_code_is_3(run: Run) -> None:
    assert run("sync").code == 3


def received(root: Path, data: bytes, *words: str) -> bytes:
    command = [sys.executable, "-m", "piranha.cli.main", "--root", str(root), "receive", *words]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_whatever_ssh_brings_in_one_frame_goes_out_and_nothing_else(tmp_path: Path) -> None:
    for data, says in ((b"", "does not begin"), (bytes(FRAME_MAX + 100), "does not begin"), (b"\xff" * 10, "begin")):
        told = json.loads(unpack(received(tmp_path, data)).header)
        assert told["problem"] == "refused" and says in told["sentence"]
    assert "not understood" in json.loads(unpack(received(tmp_path, b"x", "--pairing")).header)["problem"]
    assert list(tmp_path.iterdir()) == []

"""A bounded run of the fuzzer, and that it would find something."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from piranha.config.document import Document
from piranha.config.editing import apply_edits
from piranha.config.edits import Edit
from piranha.errors import EditRefused
from tests.fuzz import fuzz_lvs_cf, targets

TOP = Path(__file__).parents[2]


def fuzz(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the fuzzer as `make fuzz` does."""
    command = [sys.executable, "-m", "tests.fuzz.fuzz_lvs_cf", *words]
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False, timeout=100)


def test_some_thousand_inputs_give_a_result_or_a_documented_fault() -> None:
    done = fuzz("--fresh", "-runs=6000", "-seed=1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"^#6000\s+DONE", done.stderr, re.MULTILINE)


def test_without_its_guidance_it_runs_too() -> None:
    done = fuzz("--fresh", "--unguided", "-runs=1500", "-seed=1")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "#1500 DONE without coverage" in done.stderr


def test_a_file_runs_alone(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(next(fuzz_lvs_cf.seeds()))
    done = fuzz(str(file))
    assert done.returncode == 0, done.stderr
    assert "nothing is wrong with it" in done.stderr


@pytest.mark.parametrize("target", range(len(targets.TARGETS)))
def test_every_seed_passes_every_target(target: int) -> None:
    for seed in fuzz_lvs_cf.seeds():
        targets.one_input(bytes([target]) + seed[1:])


def test_an_edit_that_touches_another_line_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    right = apply_edits

    def wrong(document: Document, edits: list[Edit]) -> Document:
        edited = right(document, edits)
        return Document(edited.text.replace("keepalive", "keepalives")) if edited is not document else edited

    monkeypatch.setattr(targets, "apply_edits", wrong)
    with pytest.raises(AssertionError):
        _try_edits("keepalive = 6\nvirtual v {\n}\n")


def test_an_error_that_is_not_documented_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(document: Document, edits: list[Edit]) -> Document:
        raise IndexError(edits)

    monkeypatch.setattr(targets, "apply_edits", broken)
    with pytest.raises(IndexError):
        _try_edits("keepalive = 6\n")


def test_a_refusal_without_a_reason_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(document: Document, edits: list[Edit]) -> Document:
        raise EditRefused("", "", "")

    monkeypatch.setattr(targets, "apply_edits", silent)
    with pytest.raises(AssertionError):
        _try_edits("keepalive = 6\n")


def _try_edits(text: str) -> None:
    """Run the target of edits with many decisions."""
    rng = random.Random(5)
    for _ in range(200):
        targets.takes_edits(text, targets.Choices(rng.randbytes(targets.CHOICES)))


def test_changed_inputs_are_never_longer_than_the_most() -> None:
    rng = random.Random(1)
    words = [b"keepalive = 6\n", b"}"]
    raw = b"x" * fuzz_lvs_cf.LONGEST
    for _ in range(200):
        raw = fuzz_lvs_cf.changed(rng, raw, words)
        assert len(raw) <= fuzz_lvs_cf.LONGEST

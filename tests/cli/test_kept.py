"""The history without an engine: what the disk has, or the engine's error."""

import pytest

from piranha.config.load import token_of
from piranha.paths import Paths
from piranha.system.history_store import HistoryStore, Record, Standing
from tests.cli.conftest import TEXT

RAW = TEXT.encode()


@pytest.fixture
def disk(tmp_path):
    """A root that has one version, and no engine."""
    paths = Paths(tmp_path / "root")
    record = Record(3, "2026-01-02T03:04:05+00:00", "save", "ann", "", 7, token_of(RAW), len(RAW), ("a: 1 -> 2",))
    HistoryStore(paths.history).put(record, RAW, Standing.CERTAIN)
    paths.lvs_cf.parent.mkdir(parents=True)
    paths.lvs_cf.write_bytes(RAW)
    return paths


def test_without_an_engine_the_history_is_read_from_the_disk(run, disk):
    done = run("history")
    assert done.code == 0 and "no engine answers" in done.err
    (row,) = [line for line in done.out.splitlines() if line.startswith("3 ")]
    assert "saved" in row and "ann" in row and "a: 1 -> 2" in row and "runs" not in row
    assert run("history", "3").out == TEXT
    assert run("diff", "3").out == ""


def test_a_version_that_is_not_kept_or_damaged_is_exit_code_1(run, disk):
    missing = run("history", "4")
    assert missing.code == 1 and "not in the history" in missing.err
    (file,) = disk.history.iterdir()
    file.write_bytes(file.read_bytes().replace(b"keepalive", b"keepalife"))
    damaged = run("history", "3")
    assert (damaged.code, damaged.out) == (1, "") and "damaged" in damaged.err


def test_where_the_disk_has_no_history_either_the_engine_is_what_is_missing(run, tmp_path):
    for words in (("history",), ("history", "3"), ("diff", "3")):
        done = run(*words)
        assert done.code == 3 and "the engine is not running" in done.err

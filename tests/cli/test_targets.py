"""Where edits go: through the engine that owns lvs.cf, or into a plain file, and never past somebody else."""

import threading
from pathlib import Path

import pytest

from piranha.cli import targets
from piranha.cli.targets import EngineTarget, FileTarget
from piranha.client import EngineClient
from piranha.config.edits import ExpectedPart, Part, SetValues
from piranha.errors import ConfigConflict, ConfigUnavailable, EngineUnavailable
from piranha.messages import SavedConfig
from piranha.paths import Paths
from piranha.system import plain_file
from tests.cli.conftest import TEXT

EDITS = [SetValues(path="", values={"keepalive": "7"})]


def test_with_a_running_engine_a_change_goes_through_it_and_apply_is_pointed_to(run, saved):
    done = run("set", "virtual[web].server[web1].weight", "5", root=saved.root)
    assert done.code == 0 and "+         weight = 5" in done.out and "`piranha apply`" in done.out
    assert "serial_no = 8" in saved.lvs_cf.read_text()
    assert run("get", "virtual[web].server[web1].weight", root=saved.root).out == "5\n"


def test_every_change_reaches_the_engine(run, saved):
    for words in (
        ("add", "virtual[new]", "address=192.0.2.12 eth0:3"),
        ("add", "virtual[new].server[a]", "address=10.0.0.9"),
        ("rename", "virtual[new]", "newer"),
        ("move", "virtual[newer]", "--before", "virtual[web]"),
        ("activate", "virtual[newer].server[a]"),
        ("remove", "virtual[newer]"),
        ("format", "--canonical", "--yes"),
    ):
        done = run(*words, root=saved.root)
        assert done.code == 0 and "lvs.cf is saved" in done.out, words
    assert "serial_no = 14" in saved.lvs_cf.read_text()


def test_the_engine_makes_a_missing_lvs_cf(run, engine):
    engine.lvs_cf.unlink(missing_ok=True)
    done = run("set", "keepalive", "7", root=engine.root)
    assert done.code == 1 and "piranha create" in done.err
    assert run("create", root=engine.root).code == 0 and engine.lvs_cf.read_text() == "serial_no = 1\n"
    assert run("create", root=engine.root).code == 1


@pytest.mark.parametrize("name", ["lvs.cf", "link.cf"])
def test_the_lvs_cf_of_a_running_engine_is_not_edited_as_a_plain_file(run, saved, tmp_path, name):
    path = saved.lvs_cf
    if name != "lvs.cf":
        path = tmp_path / name
        path.symlink_to(saved.lvs_cf)
    for words, root in (((), saved.root), ((), tmp_path / "another")):
        done = run("set", "--file", path, "keepalive", "7", *words, root=root)
        assert done.code == 1 and "Leave --file out" in done.err
    assert saved.lvs_cf.read_text() == TEXT


def test_an_engine_that_started_meanwhile_is_noticed_before_the_file_is_written(saved):
    target = FileTarget(saved.lvs_cf, saved, saved)
    target.read()
    with pytest.raises(targets.NotPermitted):
        target.save(EDITS, [], dry_run=False)
    assert saved.lvs_cf.read_text() == TEXT


def test_without_an_engine_a_change_is_exit_code_3_and_says_both_ways_out(run):
    done = run("set", "keepalive", "7")
    assert done.code == 3 and "Start the engine" in done.err and "--file FILE" in done.err


def test_a_stopped_engines_lvs_cf_can_be_edited_as_a_file(run, tmp_path):
    paths = Paths(tmp_path / "root")
    paths.lvs_cf.parent.mkdir(parents=True)
    paths.lvs_cf.write_text(TEXT)
    assert run("set", "--file", paths.lvs_cf, "keepalive", "7").code == 0
    assert "keepalive = 7" in paths.lvs_cf.read_text()


def test_a_change_of_another_part_meanwhile_is_kept_and_one_of_this_part_is_a_conflict(file):
    target = FileTarget(file, None, Paths())
    document = target.read().document
    part = Part("", ("keepalive",))
    expected = [ExpectedPart(part, document.token(part))]
    file.write_text(TEXT.replace("deadtime = 18", "deadtime = 20"))
    target.save(EDITS, expected, dry_run=False)
    assert "keepalive = 7" in file.read_text() and "deadtime = 20" in file.read_text()
    with pytest.raises(ConfigConflict):
        target.save([SetValues(path="", values={"keepalive": "9"})], expected, dry_run=False)
    assert "keepalive = 7" in file.read_text()


def test_a_conflict_shows_what_stands_there_now(run, file, monkeypatch):
    read = FileTarget.read

    def overtaken(target):
        opened = read(target)
        file.write_text(TEXT.replace("keepalive = 6", "keepalive = 9"))
        return opened

    monkeypatch.setattr(FileTarget, "read", overtaken)
    done = run("set", "--file", file, "keepalive", "7")
    assert done.code == 1 and done.err.endswith("It says now:\nkeepalive = 9\n")
    assert "keepalive = 9" in file.read_text()


def test_of_many_savers_at_once_each_is_done_or_told(file):
    done: list[str] = []

    def save(number: int) -> None:
        target = FileTarget(file, None, Paths())
        try:
            target.save([SetValues(path="", values={"keepalive": str(100 + number)})], [], dry_run=False)
            done.append("saved")
        except ConfigConflict:
            done.append("told")

    savers = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for saver in savers:
        saver.start()
    for saver in savers:
        saver.join(60)
    assert done == ["saved"] * 8
    assert f"serial_no = {7 + 8}" in file.read_text()


def test_an_editor_between_reading_and_writing_wins(file, monkeypatch):
    replace = plain_file.replace

    def late(path: Path, was: bytes, now: bytes) -> None:
        path.write_text("keepalive = 99\n")
        replace(path, was, now)

    monkeypatch.setattr(plain_file, "replace", late)
    with pytest.raises(ConfigConflict):
        FileTarget(file, None, Paths()).save(EDITS, [], dry_run=False)
    assert file.read_text() == "keepalive = 99\n"


def test_a_file_that_is_not_utf_8_stays_so_and_a_letter_it_cannot_have_is_refused(run, file):
    raw = TEXT.replace("the site", "café").encode("latin-1")
    file.write_bytes(raw)
    assert run("set", "--file", file, "keepalive", "7").code == 0
    assert "café".encode("latin-1") in file.read_bytes()
    done = run("set", "--file", file, "virtual[web].expect", "日")
    assert done.code == 1 and "latin-1" in done.err


def test_a_save_that_was_not_answered_is_not_called_undone():
    client = EngineClient(Path("/nowhere/lvs.sock"))
    with pytest.raises(EngineUnavailable, match="It may be saved all the same"):
        EngineTarget(client).save(EDITS, [], dry_run=False)
    with pytest.raises(EngineUnavailable) as dry:
        EngineTarget(client).save(EDITS, [], dry_run=True)
    assert "may be saved" not in str(dry.value)


def test_an_unreadable_lvs_cf_is_the_engines_sentence():
    with pytest.raises(ConfigUnavailable, match="no rights"):
        targets.readable(SavedConfig("lvs.cf", "", "", True, "no rights"))

"""Reading lvs.cf: whatever stands in its place is an answer with a sentence, never a wait."""

import os

import pytest

from piranha.errors import ConfigConflict, ConfigUnavailable
from piranha.paths import Paths
from piranha.system import lvs_cf


def test_a_missing_file_and_a_dangling_link_are_no_file(tmp_path):
    (tmp_path / "lvs.cf").symlink_to(tmp_path / "nowhere")
    assert lvs_cf.read(tmp_path / "lvs.cf") is None
    assert lvs_cf.read(tmp_path / "other") is None


def test_a_fifo_a_folder_and_a_device_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "endless").symlink_to("/dev/zero")
    for name in ("fifo", "folder", "endless"):
        with pytest.raises(ConfigUnavailable, match="is not a file"):
            lvs_cf.read(tmp_path / name)


def test_a_file_of_another_size_than_any_configuration_is_not_read(tmp_path):
    with (tmp_path / "lvs.cf").open("wb") as file:
        file.truncate(lvs_cf.BYTES_MAX + 1)
    with pytest.raises(ConfigUnavailable, match="are not read"):
        lvs_cf.read(tmp_path / "lvs.cf")


def test_a_file_that_may_not_be_read_is_told_with_the_owner_and_mode_it_should_have(tmp_path, monkeypatch):
    def refuse(*words: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(lvs_cf.os, "open", refuse)
    with pytest.raises(ConfigUnavailable, match=r"root:piranha .* 0640"):
        lvs_cf.read(tmp_path / "lvs.cf")


def test_a_look_has_the_bytes_and_a_stamp_that_changes_with_every_writing(tmp_path):
    file = tmp_path / "lvs.cf"
    assert lvs_cf.look(file) == lvs_cf.Look(None, lvs_cf.MISSING, 0.0)
    assert lvs_cf.stamp(file) == lvs_cf.MISSING
    file.write_bytes(b"one")
    os.utime(file, (1_000_000_000, 1_000_000_000))
    first = lvs_cf.look(file)
    assert (first.raw, first.changed_at, first.stamp) == (b"one", 1_000_000_000, lvs_cf.stamp(file))
    os.utime(file, (1_000_000_000, 1_000_000_001))
    second = lvs_cf.stamp(file)
    fresh = tmp_path / "fresh"
    fresh.write_bytes(b"one")
    os.utime(fresh, (1_000_000_000, 1_000_000_001))
    fresh.rename(file)
    assert len({first.stamp, second, lvs_cf.stamp(file)}) == 3


def test_only_the_text_that_was_seen_is_replaced(tmp_path):
    paths = Paths(tmp_path)
    paths.lvs_cf.parent.mkdir(parents=True)
    lvs_cf.replace(paths, None, b"one")
    assert paths.lvs_cf.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigConflict):
        lvs_cf.replace(paths, None, b"two")
    with pytest.raises(ConfigConflict) as conflict:
        lvs_cf.replace(paths, b"another", b"two")
    assert conflict.value.current_text == "one" and paths.lvs_cf.read_bytes() == b"one"
    lvs_cf.replace(paths, b"one", b"two")
    assert paths.lvs_cf.read_bytes() == b"two"


def test_a_state_folder_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "var").write_text("")
    with pytest.raises(ConfigUnavailable, match="nothing can be saved"), lvs_cf.locked(Paths(tmp_path)):
        raise AssertionError("never entered")


def test_on_a_real_system_a_new_file_is_roots_and_the_group_reads_it(tmp_path, monkeypatch):
    wanted = []
    monkeypatch.setattr(lvs_cf, "write_atomically", lambda path, raw, **more: wanted.append(more))
    monkeypatch.setattr(lvs_cf, "piranha_gid", lambda: 4343)
    lvs_cf.replace(Paths(), b"old", b"new")
    lvs_cf.write(Paths(), Paths().running_cf, b"new")
    assert [(each["new_mode"], each["new_owner"]) for each in wanted] == [(0o640, (0, 4343))] * 2

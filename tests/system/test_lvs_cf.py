"""Reading lvs.cf: whatever stands in its place is an answer with a sentence, never a wait."""

import os

import pytest

from piranha.errors import ConfigUnavailable
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

"""Where a command reads an lvs.cf from: whatever stands there, it is read or there is one sentence."""

import io
import os
import sys
from pathlib import Path

import pytest

from piranha.cli import sources
from piranha.errors import ConfigUnavailable
from piranha.system import regular_file


def sentence(path: Path) -> str:
    with pytest.raises(ConfigUnavailable) as refused:
        sources.read(path)
    told = str(refused.value)
    assert "\n" not in told and str(path) in told and "cannot be read" in told
    return told


def test_a_file_is_read_byte_for_byte(tmp_path):
    (tmp_path / "lvs.cf").write_bytes(b"\xef\xbb\xbfa\r\n\0\xff")
    source = sources.read(tmp_path / "lvs.cf")
    assert source == sources.Source(str(tmp_path / "lvs.cf"), b"\xef\xbb\xbfa\r\n\0\xff")
    assert source.text.encode("latin-1") == source.raw


def test_a_dash_is_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"serial_no = 1\n")))
    assert sources.read(Path("-")) == sources.Source("<stdin>", b"serial_no = 1\n")


def test_a_file_named_dash_is_written_with_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(b"serial_no = 2\n")
    assert sources.path_of("-") == sources.STANDARD_INPUT
    assert sources.read(sources.path_of("./-")).raw == b"serial_no = 2\n"
    assert sources.path_of("./lvs.cf") == Path("lvs.cf")


def test_what_is_no_file_is_one_sentence_and_nobody_waits_for_a_fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert "no regular file" in sentence(tmp_path / "fifo")
    assert "folder" in sentence(tmp_path)
    assert "no regular file" in sentence(Path("/dev/zero"))
    assert "no such file" in sentence(tmp_path / "nobody.cf")
    (tmp_path / "loop").symlink_to("loop")
    assert "symbolic links" in sentence(tmp_path / "loop")
    assert "too long" in sentence(tmp_path / ("x" * 300))


def test_standard_input_that_is_far_too_long_is_not_read_whole(monkeypatch):
    monkeypatch.setattr(sources, "BYTES_MAX", 10)
    monkeypatch.setattr(regular_file, "BYTES_MAX", 10)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x" * 11)))
    with pytest.raises(ConfigUnavailable, match="<stdin> cannot be read: it has more than 10 bytes"):
        sources.read(Path("-"))

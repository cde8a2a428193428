"""Where a command reads an lvs.cf from: whatever stands there, it is read or there is one sentence."""

import io
import os
import sys
from pathlib import Path

import pytest

from piranha.cli import sources
from piranha.errors import ConfigUnavailable


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


def test_what_is_no_file_is_one_sentence_and_nobody_waits_for_a_fifo(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert "no regular file" in sentence(tmp_path / "fifo")
    assert "folder" in sentence(tmp_path)
    assert "no regular file" in sentence(Path("/dev/zero"))
    assert "no such file" in sentence(tmp_path / "nobody.cf")
    (tmp_path / "loop").symlink_to("loop")
    assert "symbolic links" in sentence(tmp_path / "loop")
    assert "too long" in sentence(tmp_path / ("x" * 300))


def test_a_file_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sources.os, "open", refuse)
    assert "permission denied" in sentence(tmp_path / "lvs.cf")


def test_a_file_that_is_far_too_long_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "BYTES_MAX", 10)
    (tmp_path / "fits.cf").write_bytes(b"x" * 10)
    (tmp_path / "long.cf").write_bytes(b"x" * 11)
    assert len(sources.read(tmp_path / "fits.cf").raw) == 10
    assert "more than 10 bytes" in sentence(tmp_path / "long.cf")


def test_the_output_of_another_command_can_be_named_as_a_file_and_is_waited_for(monkeypatch):
    ours, theirs = os.pipe()
    really = os.set_blocking

    def then_write(handle: int, is_blocking: bool) -> None:
        really(handle, is_blocking)
        os.write(theirs, b"serial_no = 1\n")
        os.close(theirs)

    monkeypatch.setattr(sources.os, "set_blocking", then_write)
    try:
        assert sources.read(Path(f"/dev/fd/{ours}")).raw == b"serial_no = 1\n"
    finally:
        os.close(ours)

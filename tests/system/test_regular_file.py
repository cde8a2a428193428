"""A file is read whole, or there is one sentence that names it; nobody waits for a FIFO."""

import os
from pathlib import Path

import pytest

from piranha.errors import ConfigUnavailable
from piranha.system import regular_file


def sentence(path: Path, *, takes_pipes: bool = False) -> str:
    with pytest.raises(ConfigUnavailable) as refused:
        regular_file.read(path, takes_pipes=takes_pipes)
    told = str(refused.value)
    assert "\n" not in told and str(path) in told and "cannot be read" in told
    return told


def test_the_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "lvs.cf").write_bytes(b"\xef\xbb\xbfa\r\n\0\xff")
    assert regular_file.read(tmp_path / "lvs.cf") == b"\xef\xbb\xbfa\r\n\0\xff"


def test_what_is_no_file_is_refused_and_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    for takes_pipes in (False, True):
        assert "no regular file" in sentence(tmp_path / "fifo", takes_pipes=takes_pipes)
        assert "folder" in sentence(tmp_path, takes_pipes=takes_pipes)
        assert "no such file" in sentence(tmp_path / "nobody.cf", takes_pipes=takes_pipes)
        assert "symbolic links" in sentence(tmp_path / "loop", takes_pipes=takes_pipes)
        assert "too long" in sentence(tmp_path / ("x" * 300), takes_pipes=takes_pipes)
    assert "standard input" in sentence(Path("/dev/zero"), takes_pipes=True)
    assert "standard input" not in sentence(Path("/dev/zero"))


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(regular_file.os, "open", refuse)
    assert "permission denied" in sentence(tmp_path / "lvs.cf")


def test_a_file_that_is_far_too_long_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regular_file, "BYTES_MAX", 10)
    (tmp_path / "fits.cf").write_bytes(b"x" * 10)
    (tmp_path / "long.cf").write_bytes(b"x" * 11)
    assert len(regular_file.read(tmp_path / "fits.cf")) == 10
    assert "more than 10 bytes" in sentence(tmp_path / "long.cf")


def test_the_output_of_another_command_can_be_named_as_a_file_and_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = os.pipe()
    really = os.set_blocking

    def then_write(handle: int, is_blocking: bool) -> None:
        really(handle, is_blocking)
        os.write(theirs, b"serial_no = 1\n")
        os.close(theirs)

    monkeypatch.setattr(regular_file.os, "set_blocking", then_write)
    try:
        assert "no regular file" in sentence(Path(f"/dev/fd/{ours}"))
        assert regular_file.read(Path(f"/dev/fd/{ours}"), takes_pipes=True) == b"serial_no = 1\n"
    finally:
        os.close(ours)

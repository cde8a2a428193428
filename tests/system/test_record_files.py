"""Records in files that are only appended to: killed writers, full disks, files that get a number."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from piranha.errors import ConfigUnavailable
from piranha.system import record_files
from piranha.system.record_files import RecordFiles


@dataclass(frozen=True)
class Line:
    number: int
    text: str = ""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "lines"


def files_of(file: Path, size_max: int = 1 << 20, keep: int | None = None) -> RecordFiles[Line]:
    return RecordFiles(file, Line, size_max=size_max, keep=keep, is_synced=True)


def numbers(files: RecordFiles[Line]) -> list[list[int]]:
    """Return the numbers in each part, the newest first."""
    return [[line.number for line in part.back()] for part in files.parts()]


def test_what_is_appended_is_read_back_the_newest_first_and_the_file_is_for_its_owner_alone(file):
    files = files_of(file)
    assert (files.last_number(), files.parts()) == (0, [])
    for number in range(1, 6):
        files.append(Line(number, "Grüße\n" * number))
    files.append(Line(6), Line(7))
    assert numbers(files) == [[7, 6, 5, 4, 3, 2, 1]]
    assert files_of(file).last_number() == 7
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes().count(b"\n") == 7


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_torn_last_line_is_skipped_and_what_comes_next_stands_on_its_own(file, cut):
    files = files_of(file)
    files.append(Line(1, "a"), Line(2, "b"))
    os.truncate(file, file.stat().st_size - cut)
    # A line whose end alone is missing is whole.
    known = 2 if cut == 1 else 1
    assert files.last_number() == known
    files.append(Line(known + 1, "c"))
    assert numbers(files) == [[*range(known + 1, 0, -1)]]


def test_a_file_of_rubbish_stops_nothing(file):
    file.parent.mkdir()
    file.write_bytes(b"\xff\x00rubbish\n{}\n[1]\n" + b"x" * 200_000)
    files = files_of(file)
    assert (files.last_number(), files.parts()) == (0, [])
    files.append(Line(1))
    assert numbers(files) == [[1]]


def test_lines_longer_than_a_block_are_read_back(file):
    files = files_of(file, size_max=1 << 30)
    texts = ["x" * size for size in (10, 65_530, 65_536, 200_000, 3)]
    for number, text in enumerate(texts, 1):
        files.append(Line(number, text))
    assert [line.text for part in files.parts() for line in part.back()] == texts[::-1]


@pytest.mark.parametrize("block", [16, 50, 64 * 1024])
def test_records_without_a_word_that_is_looked_for_may_be_left_out_and_the_others_are_all_there(
    file, block, monkeypatch
):
    monkeypatch.setattr(record_files, "_BLOCK", block)
    files = files_of(file)
    files.append(*(Line(number, "rare" if number % 7 == 0 else "usual" * (number % 5)) for number in range(1, 100)))
    (part,) = files.parts(lambda lines: b'"rare"' in lines)
    assert [line.number for line in part.back()] == [*range(98, 0, -7)]


@pytest.mark.parametrize("block", [16, 300, 64 * 1024])
@pytest.mark.parametrize("before", [1, 2, 50, 99, 100])
def test_records_from_a_number_on_may_be_left_out_and_those_before_are_all_there(file, block, before, monkeypatch):
    monkeypatch.setattr(record_files, "_BLOCK", block)
    files = files_of(file)
    files.append(*(Line(number) for number in range(1, 100)))
    (part,) = files.parts(before=before)
    found = [line.number for line in part.back()]
    assert found == [number for number in range(99, 0, -1) if number in found]
    assert [number for number in found if number < before] == [*range(before - 1, 0, -1)]
    if block == 300 and before == 50:
        assert len(found) < 80


def test_a_full_file_gets_the_next_number_and_all_of_them_stay(file):
    files = files_of(file, size_max=100)
    for number in range(1, 21):
        files.append(Line(number, "x" * 20))
    names = sorted(path.name for path in file.parent.iterdir())
    assert names == ["lines", *sorted(f"lines.{number}" for number in range(1, len(names)))] and len(names) > 5
    assert [number for part in numbers(files) for number in part[::-1]] == list(range(1, 21))
    assert [part.first for part in files.parts()] == [part[-1] for part in numbers(files)]
    assert all(path.stat().st_size <= 100 for path in file.parent.iterdir())


def test_only_so_many_full_files_are_kept_where_that_is_wanted(file):
    files = files_of(file, size_max=100, keep=1)
    for number in range(1, 21):
        files.append(Line(number, "x" * 20))
    assert len(list(file.parent.iterdir())) == 2
    kept = [number for part in numbers(files) for number in part[::-1]]
    assert kept == list(range(kept[0], 21))


def test_a_file_that_may_not_be_left_now_goes_on_growing(file):
    files = files_of(file, size_max=50)
    for number in range(1, 6):
        files.append(Line(number, "x" * 30), may_turn=False)
    assert [path.name for path in file.parent.iterdir()] == ["lines"]
    files.append(Line(6))
    assert numbers(files) == [[5, 4, 3, 2, 1], [6]]


def test_a_file_that_the_system_does_not_let_us_rename_goes_on_growing(file, monkeypatch):
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(errno.EPERM, "append only")

    files = files_of(file, size_max=50)
    monkeypatch.setattr(Path, "rename", refuse)
    for number in range(1, 6):
        files.append(Line(number, "x" * 30))
    assert numbers(files) == [[5, 4, 3, 2, 1]]


def test_a_reader_finds_the_records_of_a_file_that_got_its_number_meanwhile(file):
    files = files_of(file, size_max=100)
    files.append(Line(1, "x" * 40), Line(2))
    parts = files.parts()
    files.append(Line(3, "x" * 60))
    assert (file.parent / "lines.1").exists()
    assert [line.number for part in parts for line in part.back()] == [2, 1]


def test_a_disk_that_is_full_in_the_middle_of_a_line_is_told_and_the_line_does_not_count(file, monkeypatch):
    files = files_of(file)
    files.append(Line(1))
    written = os.write
    monkeypatch.setattr(record_files.os, "write", lambda handle, data: written(handle, data[:7]))
    with pytest.raises(ConfigUnavailable, match="the disk is full"):
        files.append(Line(2))
    monkeypatch.undo()
    assert files.last_number() == 1
    files.append(Line(2))
    assert numbers(files) == [[2, 1]]


def test_what_stands_in_the_way_is_named(file):
    file.mkdir(parents=True)
    with pytest.raises(ConfigUnavailable, match=str(file)):
        files_of(file).append(Line(1))


def test_a_link_is_not_followed(file, tmp_path):
    file.parent.mkdir()
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigUnavailable):
        files_of(file).append(Line(1))
    assert not (tmp_path / "elsewhere").exists()


def test_each_part_begins_where_it_does_even_if_the_disk_uses_an_inode_again(file):
    files = files_of(file, size_max=60, keep=1)
    for number in range(1, 200):
        files.append(Line(number, "x" * 20))
        assert [part.first for part in files.parts()] == [min(part) for part in numbers(files)]

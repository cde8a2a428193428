"""A file is replaced as a whole, or not at all."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from piranha.errors import ConfigUnavailable
from piranha.system import files
from piranha.system.files import (
    NotConfirmed,
    held_lock,
    locked,
    make_folder,
    remove_unfinished,
    remove_unfinished_in,
    write_atomically,
)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_atomically(tmp_path / "lvs.cf", b"serial_no = 1\n")
    assert (tmp_path / "lvs.cf").read_bytes() == b"serial_no = 1\n"
    assert mode_of(tmp_path / "lvs.cf") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["lvs.cf"]


def test_an_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "lvs.cf"
    file.write_bytes(b"old")
    file.chmod(0o640)
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
    assert mode_of(file) == 0o640


def test_the_given_mode_is_exact_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "f", b"", mode=0o664)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "f") == 0o664


def test_the_owner_of_the_old_file_is_given_to_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lvs.cf"
    file.write_bytes(b"old")
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(files, "_status", lambda path: os.stat_result((0o100640, 0, 0, 1, 4242, 4343, 0, 0, 0, 0)))
    monkeypatch.setattr(os, "fchown", lambda handle, uid, gid: given.append((uid, gid)))
    write_atomically(file, b"new")
    assert given == [(4242, 4343)]
    assert mode_of(file) == 0o640


def test_an_owner_that_cannot_be_kept_refuses_the_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lvs.cf"
    file.write_bytes(b"old")

    def refuse(handle: int, uid: int, gid: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(ConfigUnavailable, match="permission denied"):
        write_atomically(file, b"new", owner=(4242, 4343))
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["lvs.cf"]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EIO, "Input/output")],
)
def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    file = tmp_path / "lvs.cf"
    file.write_bytes(b"old")

    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ConfigUnavailable, match=words):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["lvs.cf"]


def test_the_bytes_are_on_the_disk_before_the_name_moves_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def moved(self: Path, target: Path) -> Path:
        done.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", moved)
    write_atomically(tmp_path / "lvs.cf", b"x")
    assert done == ["file", "name", "folder"]


def test_a_disk_that_does_not_confirm_the_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(NotConfirmed, match="was written, but the disk did not confirm it") as told:
        write_atomically(tmp_path / "lvs.cf", b"x")
    assert told.value.reason == "Input/output error" and (tmp_path / "lvs.cf").read_bytes() == b"x"


def test_a_missing_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnavailable, match=f"the folder {tmp_path}/etc does not exist"):
        write_atomically(tmp_path / "etc/lvs.cf", b"x")


def test_missing_folders_are_made_with_the_given_mode(tmp_path: Path) -> None:
    write_atomically(tmp_path / "etc/ha/lvs.cf", b"x", folder_mode=0o750)
    assert mode_of(tmp_path / "etc") == mode_of(tmp_path / "etc/ha") == 0o750


def test_folders_that_exist_keep_their_mode(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir(mode=0o711)
    make_folder(tmp_path / "etc/ha", 0o750)
    assert mode_of(tmp_path / "etc") == 0o711
    assert mode_of(tmp_path / "etc/ha") == 0o750


def test_a_link_stays_and_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere.cf"
    real.write_bytes(b"old")
    (tmp_path / "lvs.cf").symlink_to("elsewhere.cf")
    write_atomically(tmp_path / "lvs.cf", b"new")
    assert (tmp_path / "lvs.cf").is_symlink()
    assert real.read_bytes() == b"new"


def test_a_link_that_a_stranger_made_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lvs.cf").symlink_to("elsewhere.cf")
    monkeypatch.setattr(Path, "lstat", lambda self: os.stat_result((0o120777, 0, 0, 1, 4242, 4242, 0, 0, 0, 0)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ConfigUnavailable, match="symbolic link that neither root nor this user made"):
        write_atomically(tmp_path / "lvs.cf", b"new")
    assert not (tmp_path / "elsewhere.cf").exists()


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "lvs.cf").mkdir()
    with pytest.raises(ConfigUnavailable, match="is not a file"):
        write_atomically(tmp_path / "lvs.cf", b"x")


def is_lockable(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def test_a_folder_is_locked_for_others_exactly_as_long_as_it_is_held(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert not is_lockable(tmp_path)
    assert is_lockable(tmp_path)


def test_a_lock_in_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigUnavailable, match=r"Cannot lock the folder .*none: No such file"),
        locked(tmp_path / "none"),
    ):
        raise AssertionError("never entered")


def test_a_new_file_gets_the_mode_for_new_ones_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    file = tmp_path / "lvs.cf"
    write_atomically(file, b"x", new_mode=0o640)
    assert mode_of(file) == 0o640
    file.chmod(0o600)
    write_atomically(file, b"y", new_mode=0o640)
    assert mode_of(file) == 0o600


def test_a_new_file_gets_the_owner_for_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda handle, uid, gid: given.append((uid, gid)))
    write_atomically(tmp_path / "f", b"x", new_owner=(4242, 4343))
    write_atomically(tmp_path / "f", b"y", new_owner=(4242, 4343))
    assert given == [(4242, 4343)]


def test_a_last_look_stops_everything_and_nothing_is_left(tmp_path: Path) -> None:
    file = tmp_path / "lvs.cf"
    file.write_bytes(b"old")

    def refuse() -> None:
        assert len(list(tmp_path.iterdir())) == 2, "the new bytes are on the disk by now"
        raise ConfigUnavailable("somebody was faster")

    with pytest.raises(ConfigUnavailable, match="somebody was faster"):
        write_atomically(file, b"new", before_rename=refuse)
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]


def test_the_first_failure_is_told_even_if_cleaning_up_fails_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **more: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(Path, "unlink", fail)
    with pytest.raises(ConfigUnavailable, match="the disk is full"):
        write_atomically(tmp_path / "lvs.cf", b"x")


def test_a_link_to_nowhere_is_filled_and_a_loop_of_links_is_told(tmp_path: Path) -> None:
    (tmp_path / "lvs.cf").symlink_to("elsewhere.cf")
    write_atomically(tmp_path / "lvs.cf", b"new")
    assert (tmp_path / "elsewhere.cf").read_bytes() == b"new"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigUnavailable, match=r"loop: .*links"):
        write_atomically(tmp_path / "loop", b"new")
    remove_unfinished(tmp_path / "loop")


def test_unfinished_files_of_a_folder_that_is_not_there_are_none(tmp_path: Path) -> None:
    remove_unfinished_in(tmp_path / "none")
    remove_unfinished(tmp_path / "none" / "lvs.cf")


def test_a_lock_that_the_system_refuses_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    handle = os.open(tmp_path, os.O_RDONLY)
    with (
        pytest.raises(ConfigUnavailable, match=f"Cannot lock {tmp_path}: No locks available"),
        held_lock(handle, tmp_path),
    ):
        raise AssertionError("never entered")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)

"""The password file on the real system and below a --root."""

import grp
import stat
from pathlib import Path

import pytest

from piranha.errors import ConfigUnavailable
from piranha.passwords import verify
from piranha.paths import Paths
from piranha.system import passwd_file
from piranha.system.passwd_file import read, store

Written = list[tuple[str, int | None, tuple[int, int] | None]]


class System(Paths):
    """A real system that lies in a folder of the test."""

    is_system = True  # type: ignore[assignment]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """Record folders and files with mode and owner; make the folders, chown nothing."""
    seen: Written = []

    def make_folder(folder: Path, mode: int, owner: tuple[int, int] | None = None) -> None:
        seen.append((folder.name, mode, owner))
        folder.mkdir(parents=True, exist_ok=True)

    def write(path: Path, data: bytes, *, mode: int, owner: tuple[int, int] | None) -> None:
        seen.append((path.name, mode, owner))
        path.write_bytes(data)

    monkeypatch.setattr(passwd_file, "make_folder", make_folder)
    monkeypatch.setattr(passwd_file, "write_atomically", write)
    return seen


def test_a_stored_password_verifies_and_replaces_the_old_one(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    store(paths, "piranha", "one")
    store(paths, "piranha", "two")
    assert verify(read(paths), "piranha", "two")
    assert not verify(read(paths), "piranha", "one")
    assert stat.S_IMODE(paths.passwd.stat().st_mode) == 0o600


def test_without_a_file_the_text_is_empty(tmp_path: Path) -> None:
    assert read(Paths(tmp_path)) == ""


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.passwd.mkdir(parents=True)
    with pytest.raises(ConfigUnavailable, match=r"Cannot read .*piranha\.passwd: Is a directory"):
        read(paths)


def test_on_the_real_system_root_owns_it_and_the_gui_may_read_it(
    tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = grp.struct_group(("piranha", "x", 987, []))
    monkeypatch.setattr(grp, "getgrnam", {"piranha": group}.__getitem__)
    store(System(tmp_path), "piranha", "one")
    assert written == [
        ("sysconfig", 0o755, None),
        ("conf", 0o750, (0, 987)),
        ("piranha.passwd", 0o640, (0, 987)),
    ]


def test_below_a_root_it_is_the_callers_alone(tmp_path: Path, written: Written) -> None:
    store(Paths(tmp_path), "piranha", "one")
    assert written == [("conf", 0o700, None), ("piranha.passwd", 0o600, None)]


def test_a_system_without_the_group_is_told_how_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grp, "getgrnam", {}.__getitem__)
    with pytest.raises(ConfigUnavailable, match="groupadd --system piranha"):
        store(System(tmp_path), "piranha", "one")
    assert list(tmp_path.iterdir()) == []

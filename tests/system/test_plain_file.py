"""A plain file is replaced only if it still is what was read, and never behind a running engine's back."""

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from piranha.errors import ConfigConflict, ConfigUnavailable
from piranha.paths import Paths
from piranha.system import lvs_cf, plain_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.cf"
    path.write_bytes(b"keepalive = 6\n")
    return path


def test_a_file_that_is_as_it_was_read_is_replaced_with_its_mode(file: Path) -> None:
    file.chmod(0o640)
    plain_file.replace(file, b"keepalive = 6\n", b"keepalive = 7\n")
    assert file.read_bytes() == b"keepalive = 7\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_file_that_an_editor_changed_meanwhile_stays_as_the_editor_left_it(file: Path) -> None:
    was = file.read_bytes()
    file.write_bytes(b"keepalive = 9\n")
    with pytest.raises(ConfigConflict) as refused:
        plain_file.replace(file, was, b"keepalive = 7\n")
    assert refused.value.current_text == "keepalive = 9\n"
    assert file.read_bytes() == b"keepalive = 9\n"


def test_a_symbolic_link_stays_one(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.cf"
    link.symlink_to(file)
    plain_file.replace(link, b"keepalive = 6\n", b"keepalive = 7\n")
    assert link.is_symlink() and file.read_bytes() == b"keepalive = 7\n"


def test_a_file_that_is_there_already_is_not_made_anew(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigUnavailable, match="exists already"):
        plain_file.create(file, b"")
    assert file.read_bytes() == b"keepalive = 6\n"
    plain_file.create(tmp_path / "new.cf", b"serial_no = 1\n")
    assert (tmp_path / "new.cf").read_bytes() == b"serial_no = 1\n"


def test_two_writers_take_turns_also_on_two_names_of_one_file(file: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.cf"
    link.symlink_to(file)
    order: list[str] = []
    inside, second = threading.Event(), threading.Thread(target=lambda: _hold(link, order))
    with plain_file.held(file, None):
        second.start()
        inside.wait(0.05)  # time enough for the other one to come in, if nothing kept it out
        order.append("first")
    second.join(10)
    assert order == ["first", "second"]


def _hold(path: Path, order: list[str]) -> None:
    with plain_file.held(path, None):
        order.append("second")


def test_the_lock_of_a_root_is_taken_with_its_lvs_cf(tmp_path: Path) -> None:
    paths = _root(tmp_path / "root")
    paths.state.mkdir(parents=True)
    order: list[str] = []

    def save() -> None:
        with lvs_cf.locked(paths):
            order.append("engine")

    engine, waits = threading.Thread(target=save), threading.Event()
    with plain_file.held(paths.lvs_cf, paths):
        engine.start()
        waits.wait(0.05)
        order.append("command")
    engine.join(10)
    assert order == ["command", "engine"]


def _root(folder: Path) -> Paths:
    paths = Paths(folder)
    paths.lvs_cf.parent.mkdir(parents=True)
    paths.lvs_cf.write_bytes(b"keepalive = 6\n")
    return paths


def test_the_lvs_cf_of_a_root_is_known_under_every_name(tmp_path: Path, file: Path) -> None:
    paths, other = _root(tmp_path / "root"), Paths(tmp_path / "other")
    link, second = tmp_path / "link.cf", tmp_path / "second.cf"
    link.symlink_to(paths.lvs_cf)
    os.link(paths.lvs_cf, second)
    assert plain_file.owner_of(paths.lvs_cf, paths) == paths
    assert plain_file.owner_of(second, paths) == paths
    assert plain_file.owner_of(link, other) == paths
    assert plain_file.owner_of(paths.lvs_cf, other) == paths
    assert plain_file.owner_of(file, paths) is None
    assert plain_file.owner_of(tmp_path / "nobody.cf", paths) is None


def test_an_engine_is_there_if_somebody_answers(tmp_path: Path) -> None:
    paths = _root(tmp_path / "root")
    assert not plain_file.has_engine(paths)
    paths.run.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(paths.socket))
        listener.listen()
        assert plain_file.has_engine(paths)
    assert not plain_file.has_engine(paths)

"""The files of the history."""

import errno
import os
from dataclasses import replace

import pytest

from piranha.config.load import token_of
from piranha.errors import ConfigUnavailable
from piranha.system import files, history_store
from piranha.system.history_store import DamagedVersion, HistoryStore, Record, Standing

RAW = b"serial_no = 1\n\xff\x00{}\n\nvirtual {"


def record(number: int = 1, raw: bytes = RAW) -> Record:
    at = "2026-01-01T00:00:00+00:00"
    return Record(number, at, "save", "admin", "192.0.2.9", 1, token_of(raw), len(raw), ("x: 1 -> 2",), 3, "stamp")


@pytest.fixture
def store(tmp_path):
    return HistoryStore(tmp_path / "history")


def test_what_is_put_comes_back_whatever_bytes_it_has(store):
    for number, raw in enumerate((RAW, b"", b"\n", b"x" * 1_000_000), 1):
        store.put(record(number, raw), raw, Standing.CERTAIN)
    entries = HistoryStore(store.folder).entries()
    assert [entry.number for entry in entries] == [1, 2, 3, 4]
    assert [store.text(entry)[1] for entry in entries] == [RAW, b"", b"\n", b"x" * 1_000_000]
    assert store.record(entries[0]) == record()


def test_a_folder_that_is_not_there_is_an_empty_history(store):
    assert store.entries() == []


def test_the_folder_and_its_files_are_private_whatever_the_umask(store):
    before = os.umask(0)
    try:
        store.put(record(), RAW, Standing.CERTAIN)
    finally:
        os.umask(before)
    (entry,) = store.entries()
    assert store.folder.stat().st_mode & 0o777 == 0o700 and entry.file.stat().st_mode & 0o777 == 0o600


def test_how_sure_a_version_is_stands_in_the_name(store):
    pending = store.put(record(), RAW, Standing.PENDING)
    assert pending.file.name == "00000001.pending"
    certain = store.change(store.entries()[0], Standing.CERTAIN)
    assert [path.name for path in store.folder.iterdir()] == ["00000001.version"]
    assert store.entries()[0].standing is Standing.CERTAIN and store.text(certain) == (record(), RAW)


def test_a_first_line_is_read_once_as_long_as_the_file_is_the_same(store, monkeypatch):
    store.put(record(), RAW, Standing.CERTAIN)
    (entry,) = store.entries()
    store.record(entry)
    with monkeypatch.context() as disk:
        disk.setattr(HistoryStore, "_bytes", None)
        assert store.record(entry) == record()
    changed = replace(record(), who="somebody else")
    store.put(changed, RAW, Standing.CERTAIN)
    assert store.record(store.entries()[0]) == changed


def test_what_is_gone_is_none_and_removing_it_again_is_nothing(store):
    store.put(record(), RAW, Standing.CERTAIN)
    (entry,) = store.entries()
    store.remove(entry)
    store.remove(entry)
    assert store.text(entry) is None and store.record(entry) is None
    store.forget_read([])
    assert store.record(entry) is None


@pytest.mark.parametrize("what", ["folder", "link", "fifo", "empty", "short", "another number", "another text"])
def test_what_is_not_a_version_is_damaged_and_never_waited_for(store, what, tmp_path):
    store.put(record(), RAW, Standing.CERTAIN)
    file = store.entries()[0].file
    data = file.read_bytes()
    if what == "another number":
        file.rename(file.with_name("00000002.version"))
        file = file.with_name("00000002.version")
    else:
        file.unlink()
    match what:
        case "folder":
            file.mkdir()
        case "link":
            (tmp_path / "secret").write_bytes(data)
            file.symlink_to(tmp_path / "secret")
        case "fifo":
            os.mkfifo(file)
        case "empty":
            file.write_bytes(b"")
        case "short":
            file.write_bytes(data[:-1])
        case "another text":
            file.write_bytes(data.replace(b"virtual", b"Virtual"))
    (entry,) = store.entries()
    with pytest.raises(DamagedVersion, match=file.name):
        store.text(entry)


def test_a_shortage_of_the_moment_is_no_damage(store, monkeypatch):
    store.put(record(), RAW, Standing.CERTAIN)
    (entry,) = store.entries()

    def refuse(*words):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(history_store.os, "open", refuse)
    with pytest.raises(ConfigUnavailable, match="Too many open files"):
        store.record(entry)


def test_a_disk_that_does_not_confirm_a_record_keeps_none(store, monkeypatch):
    def unsure(path, data, **more):
        raise files.NotConfirmed(path, "Input/output error")

    monkeypatch.setattr(files, "write_atomically", unsure)
    with pytest.raises(ConfigUnavailable, match=r"did not confirm .*00000001\.version \(Input/output error\)") as error:
        store.put(record(), RAW, Standing.CERTAIN)
    assert not isinstance(error.value, files.NotConfirmed)


def test_a_refused_rename_and_a_refused_removal_name_the_file(store, monkeypatch):
    store.put(record(), RAW, Standing.PENDING)
    (entry,) = store.entries()

    def refuse(self, *words, **more):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(history_store.Path, "rename", refuse)
    monkeypatch.setattr(history_store.Path, "unlink", refuse)
    with pytest.raises(ConfigUnavailable, match=r"Cannot rename .*pending to 00000001\.version: Read-only"):
        store.change(entry, Standing.CERTAIN)
    with pytest.raises(ConfigUnavailable, match=r"Cannot remove .*pending: Read-only"):
        store.remove(entry)


def test_what_killed_writers_left_is_removed_and_nothing_else(store):
    store.put(record(), RAW, Standing.CERTAIN)
    for name in (".00000002.pending.abc.new", "notes.new", ".mine"):
        (store.folder / name).write_bytes(b"")
    store.clean_up()
    assert sorted(path.name for path in store.folder.iterdir()) == [".mine", "00000001.version", "notes.new"]

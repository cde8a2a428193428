"""The history never lies: whatever is killed where, and whatever a person does to the file then."""

import os
import shutil

import pytest

from piranha.config.edits import SetValues
from piranha.engine.caller import Caller
from piranha.engine.history import Bounds, NotKept
from piranha.engine.keeper import ConfigKeeper
from piranha.errors import ConfigUnavailable
from piranha.messages import SaveRequest
from piranha.system import files, lvs_cf
from piranha.system.history_store import HistoryStore

CALLER = Caller("admin", "192.0.2.99")
TEXT = b"serial_no = 1\nkeepalive = 6\n"


class Killed(BaseException):
    """The process ends here; nobody catches it."""


def saved(keeper, keepalive: int):
    return keeper.save(SaveRequest([SetValues(path="", values={"keepalive": str(keepalive)})], []), CALLER)


def told(history) -> list[tuple[int, str, int | None, bool]]:
    return [(each.number, each.how, each.serial_no, each.is_certain) for each in history.versions]


@pytest.fixture
def keeper(paths):
    paths.lvs_cf.write_bytes(TEXT)
    found = ConfigKeeper(paths)
    found.catch_up()
    return found


def test_a_version_says_when_who_from_where_how_and_what(keeper, paths):
    saved(keeper, 7)
    newest, first = keeper.history().versions
    assert (newest.number, newest.how, newest.who, newest.from_address) == (2, "save", "admin", "192.0.2.99")
    assert newest.changes == ("keepalive: 6 -> 7",) and newest.serial_no == 2
    assert newest.token == keeper.history().saved_token and newest.size == paths.lvs_cf.stat().st_size
    assert newest.at >= first.at and first.how == "found" and first.changes == ()
    assert keeper.version(1).text.encode() == TEXT
    assert keeper.version(2).text.encode() == paths.lvs_cf.read_bytes()


def test_a_file_of_the_history_is_private_and_is_read_with_a_shell(keeper, paths):
    (file,) = paths.history.iterdir()
    assert paths.history.stat().st_mode & 0o777 == 0o700 and file.stat().st_mode & 0o777 == 0o600
    assert file.name == "00000001.version"
    assert file.read_bytes().split(b"\n", 1)[1] == TEXT


def test_a_hand_edit_is_a_version_of_the_time_it_was_made_and_the_same_text_is_none(keeper, paths):
    paths.lvs_cf.write_bytes(TEXT.replace(b"6", b"9"))
    os.utime(paths.lvs_cf, (1_000_000_000, 1_000_000_000))
    made = keeper.catch_up()
    assert made is not None and (made.how, made.who, made.changes) == ("hand edit", "", ("keepalive: 6 -> 9",))
    assert made.at.startswith("2001-09-0")
    paths.lvs_cf.write_bytes(paths.lvs_cf.read_bytes())
    assert keeper.catch_up() is None


def test_a_hand_edit_before_a_save_is_a_version_of_its_own(keeper, paths):
    paths.lvs_cf.write_bytes(TEXT.replace(b"keepalive = 6", b"keepalive = 6\ndeadtime = 18"))
    saved(keeper, 7)
    assert [(each.how, each.changes) for each in keeper.history().versions] == [
        ("save", ("keepalive: 6 -> 7",)),
        ("hand edit", ("deadtime: not set -> 18",)),
        ("found", ()),
    ]


def test_a_file_that_is_removed_and_comes_back_is_no_new_version(keeper, paths):
    aside = paths.root / "aside"
    paths.lvs_cf.rename(aside)
    assert keeper.catch_up() is None
    assert keeper.history().saved_token == ""
    aside.rename(paths.lvs_cf)
    assert keeper.catch_up() is None
    assert len(keeper.history().versions) == 1


def test_an_unreadable_file_is_told_and_is_no_version(keeper, paths):
    paths.lvs_cf.unlink()
    paths.lvs_cf.mkdir()
    with pytest.raises(ConfigUnavailable, match="is not a file"):
        keeper.catch_up()
    assert told(keeper.history()) == [(1, "found", 1, True)]


def test_a_file_of_impossible_age_is_a_version_too(keeper, paths, monkeypatch):
    paths.lvs_cf.write_bytes(b"keepalive = 8\n")
    look = lvs_cf.look(paths.lvs_cf)
    monkeypatch.setattr(lvs_cf, "look", lambda path: lvs_cf.Look(look.raw, look.stamp, 1e18))
    made = keeper.catch_up()
    assert made is not None and made.how == "hand edit"


def test_the_watch_takes_a_file_only_when_two_looks_saw_the_same(keeper, paths):
    assert keeper.watch() is None
    for text in (b"keepalive", b"keepalive = 8"):
        paths.lvs_cf.write_bytes(text)
        assert keeper.watch() is None, "somebody is just writing it"
    made = keeper.watch()
    assert made is not None and made.size == 13
    assert keeper.watch() is None
    assert [each.number for each in keeper.history().versions] == [2, 1]


def test_the_watch_reads_nothing_as_long_as_nothing_changes(keeper, monkeypatch):
    def refuse(path):
        raise AssertionError("it read the file")

    monkeypatch.setattr(lvs_cf, "look", refuse)
    assert keeper.watch() is None


# What a save does to the disk, in order; it may be killed before and after each.
STEPS = ("record", "lvs.cf", "confirm")


def kill_at(monkeypatch, step: str, when: str) -> None:
    """Make the next save end right before or right behind one of its steps."""

    def cut(name, real):
        def act(*words, **more):
            target = str(words[0])
            is_step = name == step or (step, name, target.endswith("pending")) == ("record", "write", True)
            is_step |= (step, name, target.endswith("lvs.cf")) == ("lvs.cf", "write", True)
            if is_step and when == "before":
                raise Killed
            result = real(*words, **more)
            if is_step:
                raise Killed
            return result

        return act

    monkeypatch.setattr(files, "write_atomically", cut("write", files.write_atomically))
    monkeypatch.setattr(lvs_cf, "write_atomically", cut("write", lvs_cf.write_atomically))
    monkeypatch.setattr(HistoryStore, "change", cut("confirm", HistoryStore.change))


def nothing(paths, _was):
    """Nobody touches the file."""


def edit(paths, _was):
    paths.lvs_cf.write_bytes(b"keepalive = 99\n")


def restore(paths, was):
    """Put a copy of the old text into the place of whatever stands there."""
    fresh = paths.root / "copy"
    fresh.write_bytes(was)
    fresh.rename(paths.lvs_cf)


def remove(paths, _was):
    paths.lvs_cf.unlink()


SAVE, FOUND, HAND = (2, "save", 2, True), (1, "found", 1, True), (3, "hand edit", None, True)
UNSURE = (2, "save", 2, False)


@pytest.mark.parametrize(
    ("step", "when", "then", "expected"),
    [
        ("record", "before", nothing, [FOUND]),
        ("record", "after", nothing, [FOUND]),
        ("lvs.cf", "before", nothing, [FOUND]),
        ("lvs.cf", "after", nothing, [SAVE, FOUND]),
        ("confirm", "before", nothing, [SAVE, FOUND]),
        ("confirm", "after", nothing, [SAVE, FOUND]),
        ("record", "before", edit, [(2, "hand edit", None, True), FOUND]),
        ("record", "after", edit, [HAND, UNSURE, FOUND]),
        ("lvs.cf", "after", edit, [HAND, UNSURE, FOUND]),
        ("confirm", "after", edit, [HAND, SAVE, FOUND]),
        ("record", "after", restore, [UNSURE, FOUND]),
        ("lvs.cf", "after", restore, [UNSURE, FOUND]),
        ("confirm", "after", restore, [(3, "hand edit", 1, True), SAVE, FOUND]),
        ("record", "after", remove, [UNSURE, FOUND]),
        ("lvs.cf", "after", remove, [UNSURE, FOUND]),
        ("confirm", "after", remove, [SAVE, FOUND]),
    ],
)
def test_a_killed_save_is_settled_by_what_stands_there(keeper, paths, monkeypatch, step, when, then, expected):
    with monkeypatch.context() as killing, pytest.raises(Killed):
        kill_at(killing, step, when)
        saved(keeper, 7)
    then(paths, TEXT)
    again = ConfigKeeper(paths)
    again.clean_up()
    again.catch_up()
    assert told(again.history()) == expected
    assert not list(paths.history.glob("*.pending"))
    for version in again.history().versions:
        assert again.version(version.number).info.token == version.token
    if paths.lvs_cf.exists():
        answer = saved(again, 8)
        assert answer.token == again.history().versions[0].token
        assert again.history().versions[0].number == (expected[0][0] + 1)


def test_what_is_pending_and_stands_in_lvs_cf_is_told_before_anybody_settles_it(keeper, paths, monkeypatch):
    with monkeypatch.context() as killing, pytest.raises(Killed):
        kill_at(killing, "confirm", "before")
        saved(keeper, 7)
    assert told(ConfigKeeper(paths).history()) == [SAVE, FOUND]


def test_a_record_that_cannot_be_written_refuses_the_save(keeper, paths, monkeypatch):
    def full(path, *words, **more):
        raise ConfigUnavailable(f"Cannot write {path}: the disk is full.")

    before = paths.lvs_cf.stat()
    with monkeypatch.context() as disk:
        disk.setattr(files, "write_atomically", full)
        with pytest.raises(
            ConfigUnavailable, match=r"disk is full\. .*lvs\.cf was not changed: nothing is saved without"
        ):
            saved(keeper, 7)
    assert paths.lvs_cf.stat() == before
    assert told(keeper.history()) == [FOUND]
    assert saved(keeper, 7).serial_no == 2


def test_a_disk_that_does_not_confirm_lvs_cf_is_told_and_the_version_is_there(keeper, paths, monkeypatch):
    real = lvs_cf.write_atomically

    def unsure(path, *words, **more):
        real(path, *words, **more)
        raise files.NotConfirmed(path, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(lvs_cf, "write_atomically", unsure)
        with pytest.raises(ConfigUnavailable, match="was written, but the disk did not confirm it"):
            saved(keeper, 7)
    assert told(keeper.history()) == [SAVE, FOUND]


def damaged(paths, number: int, change) -> bytes:
    file = paths.history / f"{number:08}.version"
    data = change(file.read_bytes())
    file.write_bytes(data)
    return data


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-5],
        lambda data: b"",
        lambda data: b"nonsense\n" + data,
        lambda data: data.replace(b'"number":2', b'"number":3'),
        lambda data: b"{" * 100_000,
        lambda data: b"\xff\xfe" + data,
    ],
)
def test_a_damaged_version_is_told_left_alone_and_stops_nothing(keeper, paths, change):
    saved(keeper, 7)
    saved(keeper, 8)
    left = damaged(paths, 2, change)
    again = ConfigKeeper(paths)
    history = again.history()
    assert [each.number for each in history.versions] == [3, 1]
    assert "00000002.version is damaged" in history.problem
    with pytest.raises(ConfigUnavailable, match=r"00000002\.version is damaged"):
        again.version(2)
    saved(again, 9)
    assert (paths.history / "00000002.version").read_bytes() == left
    assert [each.number for each in again.history().versions] == [4, 3, 1]


def test_a_text_that_rotted_is_never_given_out(keeper, paths):
    damaged(paths, 1, lambda data: data.replace(b"keepalive = 6", b"keepalive = 7"))
    with pytest.raises(ConfigUnavailable, match="the text in it is not the one that was kept"):
        ConfigKeeper(paths).version(1)


def test_behind_a_damaged_newest_version_nobody_is_blamed(keeper, paths):
    saved(keeper, 7)
    damaged(paths, 2, lambda data: b"")
    saved(ConfigKeeper(paths), 8)
    assert told(ConfigKeeper(paths).history()) == [(4, "save", 3, True), (3, "found", 2, True), FOUND]


def test_many_damaged_versions_are_told_in_one_sentence(keeper, paths):
    for number in range(2, 9):
        (paths.history / f"{number:08}.version").write_bytes(b"")
    assert "And 4 more." in keeper.history().problem


def test_what_is_no_version_is_not_looked_at(keeper, paths):
    for name in ("notes.txt", "1.version", "00000009.version~", ".00000009.version.x.new"):
        (paths.history / name).write_bytes(b"mine")
    assert told(keeper.history()) == [FOUND] and keeper.history().problem == ""
    saved(keeper, 7)
    assert (paths.history / "notes.txt").read_bytes() == b"mine"


def test_the_oldest_go_first_the_one_that_runs_stays_and_numbers_are_never_used_twice(paths):
    paths.lvs_cf.write_bytes(TEXT)
    keeper = ConfigKeeper(paths, Bounds(versions=3))
    keeper.catch_up()
    for keepalive in range(10, 13):
        saved(keeper, keepalive)
        if keepalive == 10:
            running = keeper.saved_version()
            assert running is not None
            keeper.note_applied(running)
    for keepalive in range(13, 16):
        saved(keeper, keepalive)
    history = keeper.history()
    assert [each.number for each in history.versions] == [7, 6, 2]
    assert history.versions[-1].token == history.running_token
    with pytest.raises(NotKept):
        keeper.version(3)
    (paths.history / "00000006.version").unlink()
    (paths.history / "00000002.version").unlink()
    saved(keeper, 17)
    assert [each.number for each in keeper.history().versions] == [8, 7]


def test_the_bytes_are_bounded_too_and_the_newest_stays_however_long_it_is(paths):
    keeper = ConfigKeeper(paths, Bounds(size=20_000))
    for letter in b"abcd":
        paths.lvs_cf.write_bytes(b"# " + bytes([letter]) * 6_000 + b"\n")
        keeper.catch_up()
    assert [each.number for each in keeper.history().versions] == [4, 3, 2]
    paths.lvs_cf.write_bytes(b"# " + b"e" * 30_000 + b"\n")
    keeper.catch_up()
    assert [each.number for each in keeper.history().versions] == [5]


def test_a_running_cf_that_cannot_be_read_shortens_nothing(paths):
    paths.running_cf.mkdir()
    keeper = ConfigKeeper(paths, Bounds(versions=1))
    for letter in "ab":
        paths.lvs_cf.write_text(f"# {letter}\n")
        keeper.catch_up()
    assert [each.number for each in keeper.history().versions] == [2, 1]


def test_a_folder_that_cannot_be_read_is_a_problem_and_no_end(keeper, paths):
    shutil.rmtree(paths.history)
    paths.history.write_text("")
    assert "cannot be read" in keeper.history().problem
    with pytest.raises(ConfigUnavailable, match="history"):
        saved(keeper, 7)
    assert paths.lvs_cf.read_bytes() == TEXT


def test_a_history_that_was_thrown_away_begins_anew(keeper, paths):
    shutil.rmtree(paths.history)
    saved(keeper, 7)
    assert told(keeper.history()) == [SAVE, FOUND]


def test_a_file_that_goes_away_while_the_list_is_read_is_no_problem(keeper, paths, monkeypatch):
    saved(keeper, 7)
    again = ConfigKeeper(paths)
    real = HistoryStore.entries
    lists = []

    def overtaken(store):
        found = real(store)
        if not lists:
            (paths.history / "00000001.version").unlink()
        lists.append(found)
        return found

    monkeypatch.setattr(HistoryStore, "entries", overtaken)
    assert told(again.history()) == [SAVE]
    assert len(lists) == 2


def test_a_list_that_never_holds_still_ends_with_a_sentence(keeper, monkeypatch):
    monkeypatch.setattr(HistoryStore, "record", lambda store, entry: None)
    assert "Ask again" in keeper.history().problem


def test_what_is_not_kept_says_so(keeper):
    for number in (0, 2, 99_999_999):
        with pytest.raises(NotKept, match=f"Version {number} is not in the history"):
            keeper.version(number)


def test_a_number_that_is_the_last_one_is_told(keeper, paths):
    (paths.history / "00000001.version").rename(paths.history / "99999999.version")
    with pytest.raises(ConfigUnavailable, match="it counts to 99999999"):
        saved(keeper, 7)


def test_a_thousand_versions_and_128_mib_are_kept():
    assert (Bounds().versions, Bounds().size) == (1000, 128 * 1024 * 1024)

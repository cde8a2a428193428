"""The keeper of lvs.cf: what it writes, what it refuses, and that nothing is lost either way."""

import json
import threading
from dataclasses import replace

import pytest

from piranha.config.edits import AddBlock, ExpectedPart, Part, RemoveBlock, SetValues
from piranha.config.load import token_of
from piranha.engine import keeper as keeper_module
from piranha.engine.caller import Caller
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.version import version_of
from piranha.errors import ConfigConflict, ConfigUnavailable, EditRefused
from piranha.messages import ADOPTED_BYTES_MAX, AdoptRequest, RollbackRequest, SaveRequest
from piranha.system import files

TEXT = b"""# the site's balancer
serial_no = 7
primary = 192.0.2.1
site_word = kept
virtual web {
     active = 1
     address = 192.0.2.10 eth0:1
     port = 80
     # the old machine
     server web1 {
         address = 10.0.0.1
         active = 1
         weight = 1
     }
     server web2 {
         address = 10.0.0.2
         active = 1
         weight = 1
     }
}
"""
WEB1 = "virtual[web].server[web1]"


@pytest.fixture
def keeper(paths):
    paths.lvs_cf.write_bytes(TEXT)
    return ConfigKeeper(paths)


def expected(keeper, *parts):
    document = keeper.saved_version().loaded.document
    return [ExpectedPart(part, document.token(part)) for part in parts]


def test_one_changed_value_is_one_changed_line_and_the_serial_number(keeper, paths):
    request = SaveRequest([SetValues(path=WEB1, values={"weight": "5"})], expected(keeper, Part(WEB1)))
    answer = keeper.save(request, Caller("piranha"))
    was, now = TEXT.decode().splitlines(), paths.lvs_cf.read_text().splitlines()
    assert [(old, new) for old, new in zip(was, now, strict=True) if old != new] == [
        ("serial_no = 7", "serial_no = 8"),
        ("         weight = 1", "         weight = 5"),
    ]
    assert answer.changed and answer.serial_no == 8
    assert answer.token == token_of(paths.lvs_cf.read_bytes())
    assert "+         weight = 5" in answer.diff


def test_a_save_that_changes_nothing_writes_nothing(keeper, paths):
    before = paths.lvs_cf.stat()
    answer = keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "1"})], []), Caller("piranha"))
    assert not answer.changed and answer.serial_no == 7
    after = paths.lvs_cf.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_part_that_somebody_else_changed_is_a_conflict_and_nothing_is_written(keeper, paths):
    seen = expected(keeper, Part(WEB1))
    keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "3"})], seen), Caller("first"))
    after_first = paths.lvs_cf.read_bytes()
    with pytest.raises(ConfigConflict) as conflict:
        keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "9"})], seen), Caller("second"))
    assert conflict.value.part == WEB1 and "weight = 3" in conflict.value.current_text
    assert paths.lvs_cf.read_bytes() == after_first


def test_a_change_elsewhere_in_the_file_is_no_conflict(keeper, paths):
    seen = expected(keeper, Part(WEB1))
    keeper.save(SaveRequest([SetValues(path="virtual[web].server[web2]", values={"weight": "3"})], []), Caller("first"))
    keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "9"})], seen), Caller("second"))
    assert "weight = 3" in paths.lvs_cf.read_text() and "weight = 9" in paths.lvs_cf.read_text()


def test_a_part_that_is_gone_is_a_conflict(keeper):
    seen = expected(keeper, Part(WEB1))
    keeper.save(SaveRequest([RemoveBlock(path=WEB1)], []), Caller("first"))
    with pytest.raises(ConfigConflict):
        keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "9"})], seen), Caller("second"))


def test_a_refused_edit_leaves_the_file_alone(keeper, paths):
    for edits in (
        [SetValues(path=WEB1, values={"weight": "many"})],
        [SetValues(path=WEB1, values={"weight": "1\nactive = 0"})],
        [SetValues(path="virtual[nobody]", values={"port": "80"})],
        [SetValues(path=WEB1, values={"weight": "2"}), RemoveBlock(path="virtual[nobody]")],
        [AddBlock(parent="", kind="virtual", name="a { b", values={})],
    ):
        with pytest.raises(EditRefused):
            keeper.save(SaveRequest(edits, []), Caller("piranha"))
    assert paths.lvs_cf.read_bytes() == TEXT


def test_a_file_that_is_not_utf8_keeps_its_bytes(keeper, paths):
    paths.lvs_cf.write_bytes(TEXT.replace(b"old machine", b"alte M\xfchle"))
    keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "5"})], []), Caller("piranha"))
    assert b"# the alte M\xfchle\n" in paths.lvs_cf.read_bytes()
    assert b"weight = 5" in paths.lvs_cf.read_bytes()


def test_a_text_that_the_files_encoding_cannot_carry_is_refused(keeper, paths):
    paths.lvs_cf.write_bytes(TEXT.replace(b"old machine", b"alte M\xfchle"))
    before = paths.lvs_cf.read_bytes()
    with pytest.raises(EditRefused):
        keeper.save(SaveRequest([SetValues(path="virtual[web]", values={"expect": "€"})], []), Caller("piranha"))
    assert paths.lvs_cf.read_bytes() == before


def test_carriage_returns_go_at_the_first_edit_and_it_is_said(keeper, paths):
    paths.lvs_cf.write_bytes(TEXT.replace(b"\n", b"\r\n"))
    answer = keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "5"})], []), Caller("piranha"))
    assert b"\r" not in paths.lvs_cf.read_bytes()
    assert any("Carriage returns" in notice for notice in answer.notices)


def test_mode_is_kept(keeper, paths):
    paths.lvs_cf.chmod(0o664)
    keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "5"})], []), Caller("piranha"))
    assert paths.lvs_cf.stat().st_mode & 0o777 == 0o664


def test_a_disk_that_refuses_leaves_the_old_file_and_says_so(keeper, paths, monkeypatch):
    def full(*_args, **_more):
        raise ConfigUnavailable("No space left on device")

    monkeypatch.setattr(keeper_module.lvs_cf, "write_atomically", full)
    with pytest.raises(ConfigUnavailable):
        keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "5"})], []), Caller("piranha"))
    assert paths.lvs_cf.read_bytes() == TEXT
    assert keeper.saved_version().serial_no == 7


def test_savers_at_the_same_time_lose_nothing(keeper, paths):
    def save(number):
        values = {"weight": str(number)}
        ConfigKeeper(paths).save(
            SaveRequest([AddBlock(parent="virtual[web]", kind="server", name=f"n{number}", values=values)], []),
            Caller("x"),
        )

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    version = version_of(paths.lvs_cf.read_bytes())
    assert version.serial_no == 15
    (web,) = version.loaded.cluster.virtual_servers
    assert {server.name for server in web.servers} == {"web1", "web2", *(f"n{number}" for number in range(8))}


def test_a_missing_file_is_created_once(paths):
    keeper = ConfigKeeper(paths)
    assert not keeper.saved().exists
    keeper.create(Caller("piranha"))
    assert keeper.saved().exists and paths.lvs_cf.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigUnavailable):
        keeper.create(Caller("piranha"))


def test_a_file_that_cannot_be_read_is_an_answer_too(paths):
    paths.lvs_cf.mkdir()
    saved = ConfigKeeper(paths).saved()
    assert saved.exists and "is not a file" in saved.problem and saved.token == ""


def test_the_stop_mark_counts_for_one_start_in_the_same_boot(paths, monkeypatch):
    keeper = ConfigKeeper(paths)
    assert not keeper.take_stop_mark()
    keeper.note_stopped_by_operator()
    assert keeper.take_stop_mark() and not keeper.take_stop_mark()
    keeper.note_stopped_by_operator()
    monkeypatch.setattr(keeper_module, "boot_id", lambda: "another boot")
    assert not keeper.take_stop_mark()


def test_a_broken_stop_mark_is_no_mark(paths):
    (paths.state / "stopped.json").write_text(json.dumps(["what"]))
    assert not ConfigKeeper(paths).take_stop_mark()


def test_what_a_killed_save_left_behind_is_removed_and_nothing_else(keeper, paths):
    folder = paths.lvs_cf.parent
    left, other = folder / ".lvs.cf.a1b2c3.new", folder / "lvs.cf.new"
    for file in (left, other):
        file.write_text("half")
    keeper.clean_up()
    assert not left.exists() and other.exists()
    assert paths.lvs_cf.read_bytes() == TEXT


ME = Caller("admin", "192.0.2.99")


def weight(number: int, path: str = WEB1) -> SaveRequest:
    return SaveRequest([SetValues(path=path, values={"weight": str(number)})], [])


def test_a_dry_run_answers_what_would_be_and_writes_nothing(keeper, paths):
    would = keeper.save(SaveRequest(weight(5).edits, [], dry_run=True), ME)
    assert paths.lvs_cf.read_bytes() == TEXT and not paths.history.exists()
    assert would == replace(keeper.save(weight(5), ME), number=None)


def test_a_dry_run_needs_no_place_to_write(keeper, paths):
    paths.state.rmdir()
    paths.state.write_text("in the way")
    assert keeper.save(SaveRequest(weight(5).edits, [], dry_run=True), ME).changed
    with pytest.raises(ConfigUnavailable, match="nothing can be saved"):
        keeper.save(weight(5), ME)


def test_a_dry_run_of_a_conflict_is_a_conflict(keeper):
    seen = expected(keeper, Part(WEB1))
    keeper.save(weight(3), ME)
    with pytest.raises(ConfigConflict):
        keeper.save(SaveRequest(weight(9).edits, seen, dry_run=True), ME)


def test_a_file_that_an_editor_writes_during_the_save_is_a_conflict_and_stays(keeper, paths, monkeypatch):
    by_hand = TEXT.replace(b"primary = 192.0.2.1", b"primary = 192.0.2.2")
    sync = files.os.fsync
    synced = []

    def meanwhile(handle):
        synced.append(handle)
        if len(synced) == 5:  # the record found, its folder, the new record, its folder, lvs.cf
            paths.lvs_cf.write_bytes(by_hand)
        sync(handle)

    with monkeypatch.context() as disk:
        disk.setattr(files.os, "fsync", meanwhile)
        with pytest.raises(ConfigConflict) as conflict:
            keeper.save(weight(5), ME)
    assert conflict.value.current_text == by_hand.decode()
    assert paths.lvs_cf.read_bytes() == by_hand
    assert [path.name for path in paths.lvs_cf.parent.iterdir()] == ["lvs.cf"]
    assert [each.how for each in keeper.history().versions] == ["found"]
    keeper.catch_up()
    assert [each.how for each in keeper.history().versions] == ["hand edit", "found"]


def test_the_last_line_that_was_not_utf8_goes_and_the_rest_is_read_anew(keeper, paths):
    raw = TEXT.replace(b"site_word = kept", b"backup = \xff").replace(b"old machine", "alte Mühle".encode())
    paths.lvs_cf.write_bytes(raw)
    answer = keeper.save(SaveRequest([SetValues(path="", values={"backup": None})], []), ME)
    saved = keeper.saved_version()
    assert saved is not None and saved.token == answer.token
    assert "alte Mühle" in saved.document.text and keeper.saved().encoding == "utf-8"


def test_a_rollback_is_a_new_version_with_the_next_serial_number(keeper, paths):
    for number in (5, 6):
        keeper.save(weight(number), ME)
    answer = keeper.rollback(RollbackRequest(1), ME)
    assert answer.changed and answer.serial_no == 10
    assert paths.lvs_cf.read_bytes() == TEXT.replace(b"serial_no = 7", b"serial_no = 10")
    assert "-         weight = 6" in answer.diff and "+         weight = 1" in answer.diff
    newest = keeper.history().versions[0]
    assert (newest.number, newest.how, newest.who, newest.token) == (4, "rollback", "admin", answer.token)
    assert newest.changes == ("the text of version 1 again", f"{WEB1}.weight: 6 -> 1")


def test_a_rollback_does_what_the_question_about_it_found_out(keeper, paths, monkeypatch):
    found = []
    whole = keeper_module.rolled_back
    monkeypatch.setattr(keeper_module, "rolled_back", lambda *texts: (found.append(1), whole(*texts))[1])
    keeper.save(weight(5), ME)
    would = keeper.rollback(RollbackRequest(1, dry_run=True), ME)
    assert keeper.rollback(RollbackRequest(1, dry_run=True), ME) == would and len(found) == 1
    assert keeper.rollback(RollbackRequest(2, dry_run=True), ME).changed is False
    keeper.save(weight(6), ME)
    would = keeper.rollback(RollbackRequest(1, dry_run=True), ME)
    assert "-         weight = 6" in would.diff and len(found) == 3
    assert keeper.rollback(RollbackRequest(1), ME) == replace(would, number=4) and len(found) == 3
    assert keeper.rollback(RollbackRequest(1), ME).changed is False


def test_a_serial_number_never_goes_back_not_even_behind_a_hand_edit(keeper, paths):
    keeper.save(weight(5), ME)
    paths.lvs_cf.write_bytes(TEXT.replace(b"serial_no = 7", b"serial_no = 3").replace(b"weight = 1", b"weight = 2"))
    assert keeper.rollback(RollbackRequest(2), ME).serial_no == 9


def test_a_rollback_to_what_is_saved_already_writes_nothing(keeper, paths):
    keeper.save(weight(5), ME)
    keeper.save(weight(1), ME)
    before = paths.lvs_cf.stat()
    answer = keeper.rollback(RollbackRequest(1), ME)
    assert not answer.changed and answer.serial_no == 9 and answer.diff == ""
    assert paths.lvs_cf.stat() == before and len(keeper.history().versions) == 3


def test_a_rollback_brings_a_missing_file_back_and_goes_on_counting(keeper, paths):
    keeper.save(weight(5), ME)
    paths.lvs_cf.unlink()
    paths.lvs_cf.parent.rmdir()
    answer = keeper.rollback(RollbackRequest(1), ME)
    assert answer.changed and answer.serial_no == 9
    assert paths.lvs_cf.read_bytes() == TEXT.replace(b"serial_no = 7", b"serial_no = 9")


def test_a_rollback_never_writes_over_what_cannot_be_read(keeper, paths):
    keeper.save(weight(5), ME)
    paths.lvs_cf.unlink()
    paths.lvs_cf.mkdir()
    with pytest.raises(ConfigUnavailable, match="is not a file"):
        keeper.rollback(RollbackRequest(1), ME)


def test_a_rollback_from_another_text_than_the_one_seen_is_a_conflict(keeper, paths):
    seen = keeper.saved().token
    keeper.save(weight(5), ME)
    with pytest.raises(ConfigConflict) as conflict:
        keeper.rollback(RollbackRequest(1, seen), ME)
    assert "weight = 5" in conflict.value.current_text
    assert keeper.rollback(RollbackRequest(1, keeper.saved().token), ME).changed
    paths.lvs_cf.unlink()
    with pytest.raises(ConfigConflict):
        keeper.rollback(RollbackRequest(1, seen), ME)


def test_a_dry_run_of_a_rollback_writes_nothing(keeper, paths):
    keeper.save(weight(5), ME)
    before = paths.lvs_cf.read_bytes()
    would = keeper.rollback(RollbackRequest(1, dry_run=True), ME)
    assert paths.lvs_cf.read_bytes() == before and len(keeper.history().versions) == 2
    assert would == replace(keeper.rollback(RollbackRequest(1), ME), number=None)


def test_a_version_that_is_not_kept_cannot_be_rolled_back_to(keeper):
    with pytest.raises(EditRefused, match="Version 9 is not in the history"):
        keeper.rollback(RollbackRequest(9), ME)


def test_a_rollback_keeps_the_bytes_of_a_file_that_is_not_utf8(keeper, paths):
    old = TEXT.replace(b"old machine", b"alte M\xfchle")
    paths.lvs_cf.write_bytes(old)
    keeper.catch_up()
    paths.lvs_cf.write_bytes(TEXT)
    keeper.rollback(RollbackRequest(1), ME)
    assert paths.lvs_cf.read_bytes() == old.replace(b"serial_no = 7", b"serial_no = 8")


def test_a_rollback_to_windows_line_ends_says_that_they_go(keeper, paths):
    paths.lvs_cf.write_bytes(TEXT.replace(b"\n", b"\r\n"))
    keeper.catch_up()
    keeper.save(weight(5), ME)
    answer = keeper.rollback(RollbackRequest(1), ME)
    assert any("Carriage returns" in notice for notice in answer.notices)
    assert paths.lvs_cf.read_bytes() == TEXT.replace(b"serial_no = 7", b"serial_no = 9")


def test_what_is_created_is_a_version(paths):
    keeper = ConfigKeeper(paths)
    keeper.create(ME)
    (version,) = keeper.history().versions
    assert (version.how, version.who, version.serial_no, version.changes) == ("create", "admin", 1, ("created",))


def test_the_log_says_who_saved_from_where_and_which_version(keeper, caplog):
    with caplog.at_level("INFO"):
        keeper.save(weight(5), ME)
    assert "lvs.cf saved by admin from 192.0.2.99: version 2, serial_no 8, " in caplog.text


def test_what_a_killed_save_left_in_the_history_is_removed(keeper, paths):
    keeper.catch_up()
    (paths.history / ".00000002.pending.a1b2c3d4.new").write_text("half")
    keeper.clean_up()
    assert [path.name for path in paths.history.iterdir()] == ["00000001.version"]


OTHER = b"# from the old router\nserial_no = 3\nkeepalive = 9\nsite_word = odd\n"


def test_an_adopted_file_is_the_next_version_and_only_its_serial_number_differs(keeper, paths):
    before = keeper.saved().token
    answer = keeper.adopt(AdoptRequest(OTHER, before, "old.cf"), ME)
    assert answer.changed and answer.serial_no == 8 and "+keepalive = 9" in answer.diff
    assert paths.lvs_cf.read_bytes() == OTHER.replace(b"serial_no = 3", b"serial_no = 8")
    newest, found = keeper.history().versions
    assert (newest.how, newest.who, newest.changes[0]) == ("adopt", "admin", "the text of old.cf")
    assert found.token == before


def test_an_adoption_over_a_text_that_was_not_seen_is_a_conflict(keeper, paths):
    seen = keeper.saved().token
    keeper.save(weight(5), ME)
    raw = paths.lvs_cf.read_bytes()
    for token in (seen, ""):
        with pytest.raises(ConfigConflict) as conflict:
            keeper.adopt(AdoptRequest(OTHER, token), ME)
        assert "weight = 5" in conflict.value.current_text
    assert paths.lvs_cf.read_bytes() == raw


def test_an_adoption_makes_a_missing_file_and_refuses_to_expect_one(keeper, paths):
    seen = keeper.saved().token
    paths.lvs_cf.unlink()
    with pytest.raises(ConfigConflict):
        keeper.adopt(AdoptRequest(OTHER, seen), ME)
    assert not paths.lvs_cf.exists()
    assert keeper.adopt(AdoptRequest(OTHER, ""), ME).serial_no == 4
    assert paths.lvs_cf.read_bytes() == OTHER.replace(b"serial_no = 3", b"serial_no = 4")


def test_a_dry_run_of_an_adoption_and_one_of_the_same_text_write_nothing(keeper, paths):
    token, before = keeper.saved().token, paths.lvs_cf.stat()
    would = keeper.adopt(AdoptRequest(OTHER, token, dry_run=True), ME)
    assert would.changed and "+keepalive = 9" in would.diff
    same = keeper.adopt(AdoptRequest(TEXT.replace(b"serial_no = 7", b"serial_no = 99"), token), ME)
    assert not same.changed and paths.lvs_cf.stat() == before


def test_an_adopted_file_keeps_its_bytes_and_a_too_large_one_is_refused(keeper, paths):
    latin = OTHER.replace(b"router", b"M\xfchle")
    keeper.adopt(AdoptRequest(latin, keeper.saved().token), ME)
    assert paths.lvs_cf.read_bytes() == latin.replace(b"serial_no = 3", b"serial_no = 8")
    with pytest.raises(EditRefused, match="at most"):
        keeper.adopt(AdoptRequest(b"#" * (ADOPTED_BYTES_MAX + 1), keeper.saved().token), ME)

"""The keeper of lvs.cf: what it writes, what it refuses, and that nothing is lost either way."""

import json
import threading

import pytest

from piranha.config.edits import AddBlock, ExpectedPart, Part, RemoveBlock, SetValues
from piranha.config.load import token_of
from piranha.engine import keeper as keeper_module
from piranha.engine.keeper import ConfigKeeper, version_of
from piranha.errors import ConfigConflict, ConfigUnavailable, EditRefused
from piranha.messages import SaveRequest

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
    answer = keeper.save(request, "piranha")
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
    answer = keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "1"})], []), "piranha")
    assert not answer.changed and answer.serial_no == 7
    after = paths.lvs_cf.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_part_that_somebody_else_changed_is_a_conflict_and_nothing_is_written(keeper, paths):
    seen = expected(keeper, Part(WEB1))
    keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "3"})], seen), "first")
    after_first = paths.lvs_cf.read_bytes()
    with pytest.raises(ConfigConflict) as conflict:
        keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "9"})], seen), "second")
    assert conflict.value.part == WEB1 and "weight = 3" in conflict.value.current_text
    assert paths.lvs_cf.read_bytes() == after_first


def test_a_change_elsewhere_in_the_file_is_no_conflict(keeper, paths):
    seen = expected(keeper, Part(WEB1))
    keeper.save(SaveRequest([SetValues(path="virtual[web].server[web2]", values={"weight": "3"})], []), "first")
    keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "9"})], seen), "second")
    assert "weight = 3" in paths.lvs_cf.read_text() and "weight = 9" in paths.lvs_cf.read_text()


def test_a_part_that_is_gone_is_a_conflict(keeper):
    seen = expected(keeper, Part(WEB1))
    keeper.save(SaveRequest([RemoveBlock(path=WEB1)], []), "first")
    with pytest.raises(ConfigConflict):
        keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "9"})], seen), "second")


def test_a_refused_edit_leaves_the_file_alone(keeper, paths):
    for edits in (
        [SetValues(path=WEB1, values={"weight": "many"})],
        [SetValues(path=WEB1, values={"weight": "1\nactive = 0"})],
        [SetValues(path="virtual[nobody]", values={"port": "80"})],
        [SetValues(path=WEB1, values={"weight": "2"}), RemoveBlock(path="virtual[nobody]")],
        [AddBlock(parent="", kind="virtual", name="a { b", values={})],
    ):
        with pytest.raises(EditRefused):
            keeper.save(SaveRequest(edits, []), "piranha")
    assert paths.lvs_cf.read_bytes() == TEXT


def test_a_file_that_is_not_utf8_keeps_its_bytes(keeper, paths):
    paths.lvs_cf.write_bytes(TEXT.replace(b"old machine", b"alte M\xfchle"))
    keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "5"})], []), "piranha")
    assert b"# the alte M\xfchle\n" in paths.lvs_cf.read_bytes()
    assert b"weight = 5" in paths.lvs_cf.read_bytes()


def test_a_text_that_the_files_encoding_cannot_carry_is_refused(keeper, paths):
    paths.lvs_cf.write_bytes(TEXT.replace(b"old machine", b"alte M\xfchle"))
    before = paths.lvs_cf.read_bytes()
    with pytest.raises(EditRefused):
        keeper.save(SaveRequest([SetValues(path="virtual[web]", values={"expect": "€"})], []), "piranha")
    assert paths.lvs_cf.read_bytes() == before


def test_carriage_returns_go_at_the_first_edit_and_it_is_said(keeper, paths):
    paths.lvs_cf.write_bytes(TEXT.replace(b"\n", b"\r\n"))
    answer = keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "5"})], []), "piranha")
    assert b"\r" not in paths.lvs_cf.read_bytes()
    assert any("Carriage returns" in notice for notice in answer.notices)


def test_mode_is_kept(keeper, paths):
    paths.lvs_cf.chmod(0o664)
    keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "5"})], []), "piranha")
    assert paths.lvs_cf.stat().st_mode & 0o777 == 0o664


def test_a_disk_that_refuses_leaves_the_old_file_and_says_so(keeper, paths, monkeypatch):
    def full(*_args, **_more):
        raise ConfigUnavailable("No space left on device")

    monkeypatch.setattr(keeper_module.lvs_cf, "write_atomically", full)
    with pytest.raises(ConfigUnavailable):
        keeper.save(SaveRequest([SetValues(path=WEB1, values={"weight": "5"})], []), "piranha")
    assert paths.lvs_cf.read_bytes() == TEXT
    assert keeper.saved_version().serial_no == 7


def test_savers_at_the_same_time_lose_nothing(keeper, paths):
    def save(number):
        values = {"weight": str(number)}
        ConfigKeeper(paths).save(
            SaveRequest([AddBlock(parent="virtual[web]", kind="server", name=f"n{number}", values=values)], []), "x"
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
    keeper.create("piranha")
    assert keeper.saved().exists and paths.lvs_cf.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigUnavailable):
        keeper.create("piranha")


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

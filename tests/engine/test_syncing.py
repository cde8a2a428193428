"""Two engines and what passes between them, with a wire in place of ssh: what is sent, refused, and never half done."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha import sync_frames
from piranha.cli.receiving import answered
from piranha.client import EngineClient
from piranha.config.load import load, token_of
from piranha.config.shared_part import pair_digest, settings_of
from piranha.config.sync_settings import SyncSettings
from piranha.engine import api
from piranha.engine.audit import Audit
from piranha.engine.balancer import Balancer
from piranha.engine.caller import Caller
from piranha.engine.events import Events
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.engine.syncing import Failed, Syncing, destination_of
from piranha.errors import ConfigUnavailable, ConfirmationPending, PiranhaError
from piranha.messages import ApplyRequest, ConfirmRequest
from piranha.paths import Paths
from piranha.records import AuditQuery, EventsQuery
from piranha.sync_frames import pack, unpack
from piranha.sync_messages import (
    Outcome,
    PartnerAnswer,
    PartnerRequest,
    Put,
    ReceiveRequest,
    SyncAnswer,
    SyncRequest,
)
from piranha.system import files, lvs_cf, piranha_toml, unix_socket
from piranha.system.ssh import Destination
from tests.engine.conftest import Probes, TablePath

WHO = Caller("alice", "192.0.2.99")
TEXT = "# the pair\nserial_no = 4\nprimary = 192.0.2.1\nbackup = 192.0.2.2\nkeepalive = 6\ndeadtime = 18\n"
FAST = "[failover]\nkeepalive = 0.5\ndeadtime = 1.5\n"


@dataclass
class Side:
    """One of the two routers. `answer`: what its partner's ssh comes to; `asked`: every request that came."""

    paths: Paths
    engine: Engine
    keeper: ConfigKeeper
    is_there: bool = True
    answer: Callable[[bytes], bytes] | None = None
    asked: list[bytes] = field(default_factory=list)
    stops: list[threading.Event] = field(default_factory=list)

    def edit(self, text: str) -> None:
        """Write lvs.cf as somebody does it by hand."""
        self.paths.lvs_cf.write_text(text)
        self.keeper.catch_up()

    def config(self) -> str:
        return self.paths.lvs_cf.read_text()

    def toml(self) -> str:
        return self.paths.piranha_toml.read_text()

    def files(self) -> dict[str, bytes]:
        """Return everything that a sync may change."""
        places = [*self.paths.lvs_cf.parent.iterdir(), *self.paths.history.iterdir(), self.paths.running_cf]
        return {str(each): each.read_bytes() for each in places if each.is_file()}

    async def syncs(self, *, force: bool = False, dry_run: bool = False, applies: bool = True) -> SyncAnswer:
        return await self.engine.syncing.sync(SyncRequest(force, dry_run, applies), WHO)

    def hears(self, raw: bytes) -> bytes:
        self.asked.append(raw)
        if self.answer is not None:
            return self.answer(raw)
        socket = self.paths.socket if self.is_there else self.paths.socket.with_name("nobody")
        return answered(self.paths, EngineClient(socket, "partner"), raw)


def syncing_to(here: Side, there: Side, address: str) -> Syncing:
    """Return what sends from here to there. `address` is this machine's."""

    def exchange(paths: Paths, to: Destination, request: bytes, within_s: float, stop: threading.Event) -> bytes:
        assert paths == here.paths
        here.stops.append(stop)
        return there.hears(request)

    addresses = load(f"primary = {address}\n").cluster.primary
    return Syncing(
        here.keeper, here.engine.receiving, here.engine.events, here.engine.audit, exchange, lambda: {addresses}
    )


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Side, Side]]:
    """Two routers that have the same lvs.cf, applied."""
    stop = asyncio.Event()
    sides = []
    async with asyncio.TaskGroup() as tasks:
        for name in ("one", "two"):
            paths = Paths(tmp_path / name)
            for folder in (paths.lvs_cf.parent, paths.run, paths.state):
                folder.mkdir(parents=True)
            paths.lvs_cf.write_text(TEXT)
            loop = asyncio.get_running_loop()
            keeper = ConfigKeeper(paths)
            engine = Engine(keeper, Balancer(TablePath(), tasks, loop.time, Probes()), loop.time)
            await engine.start()
            await engine.apply(ApplyRequest(), WHO)
            listener = unix_socket.listen(paths.socket, mode=0o600)
            tasks.create_task(api.serve(api.application(engine), listener, stop), name=name)
            sides.append(Side(paths, engine, keeper))
        here, there = sides
        here.engine.syncing = syncing_to(here, there, "192.0.2.1")
        there.engine.syncing = syncing_to(there, here, "192.0.2.2")
        yield here, there
        stop.set()


async def test_the_same_is_told_as_the_same_and_nothing_is_sent(pair: tuple[Side, Side]) -> None:
    here, there = pair
    before = there.files()
    told = await here.syncs()
    assert (told.outcome, told.partner) == (Outcome.EQUAL, "192.0.2.2")
    assert told.sentence.startswith("Both routers have the same lvs.cf: serial_no 4, ")
    assert len(there.asked) == 1 and there.files() == before
    assert (await there.syncs()).partner == "192.0.2.1"


async def test_a_sync_makes_both_the_same_byte_for_byte_and_is_told_on_both_sides(pair: tuple[Side, Side]) -> None:
    here, there = pair
    here.edit(TEXT.replace("= 4", "= 9") + "# done\r\n")
    here.paths.piranha_toml.write_text(f"[gui]\nidle_minutes = 5\n\n{FAST}")
    there.paths.piranha_toml.write_text("[gui]\nidle_minutes = 7\n")
    mine = here.files()
    told = await here.syncs()
    assert told.outcome is Outcome.SENT, told.sentence
    assert told.sentence.endswith("and runs it.")
    assert here.paths.lvs_cf.read_bytes() == there.paths.lvs_cf.read_bytes() == there.paths.running_cf.read_bytes()
    assert there.toml() == f"[gui]\nidle_minutes = 7\n\n{FAST}"
    assert here.files() == mine
    assert told.here is not None and told.there is not None and told.after is not None
    assert told.here.digest == told.after.digest != told.there.digest
    assert told.after.digest == pair_digest(here.paths.lvs_cf.read_bytes(), settings_of(FAST)).hex()
    assert "-serial_no = 4" in told.diff and "+serial_no = 9" in told.diff and "+keepalive = 0.5" in told.shared_diff
    newest = there.keeper.history().versions[0]
    assert (newest.how, newest.who, newest.token) == ("sync", "partner", token_of(here.paths.lvs_cf.read_bytes()))
    events = [(await each.engine.events.asked(EventsQuery(kind="synced"))).events for each in pair]
    assert [len(each) for each in events] == [1, 1]
    assert events[0][0].who == "alice" and events[1][0].sentence.startswith("lvs.cf came from ")
    (sent,) = (await here.engine.audit.asked(AuditQuery(verb="sync"))).entries
    (received,) = (await there.engine.audit.asked(AuditQuery(verb="receive"))).entries
    assert (sent.who, sent.result, sent.about) == ("alice", "done", "192.0.2.2")
    assert (received.who, received.result, received.version) == ("partner", "done", newest.number)


async def test_without_apply_it_is_saved_there_and_what_runs_goes_on(pair: tuple[Side, Side]) -> None:
    here, there = pair
    here.edit(TEXT + "# new\n")
    told = await here.syncs(applies=False)
    assert told.outcome is Outcome.SENT and "was not applied there, as asked" in told.sentence
    assert there.config() == here.config() and there.paths.running_cf.read_text() == TEXT
    assert (await here.syncs()).outcome is Outcome.SENT, "the next one applies it"
    assert there.paths.running_cf.read_text() == here.config()


async def test_an_apply_that_is_refused_there_is_told_and_the_text_stays_saved(pair: tuple[Side, Side], block) -> None:
    here, there = pair
    here.edit(TEXT + block("web", "web1=127.0.0.1:8080", extra="scheduler = nonsense"))
    told = await here.syncs()
    assert told.outcome is Outcome.NOT_APPLIED and "It does not run there: lvs.cf has errors" in told.sentence
    assert there.config() == here.config() and there.paths.running_cf.read_text() == TEXT
    await there.engine.stop(WHO)
    here.edit(TEXT + "# new\n")
    assert "LVS" in (await here.syncs()).sentence


async def test_a_dry_run_changes_nothing_anywhere(pair: tuple[Side, Side]) -> None:
    here, there = pair
    here.edit(TEXT.replace("= 4", "= 5"))
    before = here.files(), there.files()
    told = await here.syncs(dry_run=True)
    assert (told.outcome, told.sentence) == (Outcome.DIFFERENT, "The two lvs.cf differ (serial_no 5 here, 4 there).")
    there.edit(TEXT.replace("= 4", "= 6"))
    assert (await here.syncs(dry_run=True)).sentence.endswith("(serial_no 5 here, 6 there). Both were edited.")
    assert here.files() == before[0]
    assert not (await here.engine.audit.asked(AuditQuery(verb="sync"))).entries


async def test_a_partner_without_any_lvs_cf_gets_one(pair: tuple[Side, Side]) -> None:
    here, there = pair
    there.paths.lvs_cf.unlink()
    told = await here.syncs(dry_run=True)
    assert told.sentence == "192.0.2.2 has no lvs.cf; this router's has serial_no 4."
    assert (await here.syncs()).outcome is Outcome.SENT
    assert there.config() == TEXT
    here.paths.lvs_cf.unlink()
    told = await here.syncs()
    assert told.outcome is Outcome.REFUSED and "There is no" in told.sentence


async def test_an_edit_of_the_partner_is_overwritten_by_force_alone_and_kept(pair: tuple[Side, Side]) -> None:
    here, there = pair
    there.edit(TEXT + "# theirs\n")
    theirs = there.files()
    told = await here.syncs()
    assert told.outcome is Outcome.PARTNER_EDITED and "type piranha sync on it" in told.sentence
    here.edit(TEXT + "# ours\n")
    told = await here.syncs()
    assert told.outcome is Outcome.BOTH_EDITED and "-# theirs" in told.diff and "+# ours" in told.diff
    assert there.files() == theirs
    assert (await here.syncs(force=True)).outcome is Outcome.SENT
    assert there.config() == TEXT + "# ours\n"
    newest, before = there.keeper.history().versions[:2]
    assert before.token == token_of((TEXT + "# theirs\n").encode()) and "(forced)" in newest.changes[0]
    (refused, *_) = (await here.engine.audit.asked(AuditQuery(verb="sync", result="refused"))).entries
    assert "edited on both routers" in refused.reason


async def test_an_old_text_of_ours_is_no_edit_of_the_partner(pair: tuple[Side, Side]) -> None:
    here, there = pair
    for number in range(5, 8):
        here.edit(TEXT.replace("= 4", f"= {number}"))
    assert (await here.syncs()).outcome is Outcome.SENT
    assert (await there.syncs(applies=False)).outcome is Outcome.EQUAL
    assert here.paths.running_cf.read_text() == TEXT
    assert (await there.syncs()).outcome is Outcome.SENT, "it was not applied there"
    assert here.paths.running_cf.read_text() == there.config()


async def test_the_shared_table_alone_and_who_edited_it(pair: tuple[Side, Side]) -> None:
    here, there = pair
    there.paths.piranha_toml.write_text(FAST)
    assert (await here.syncs()).outcome is Outcome.PARTNER_EDITED, "we have none"
    here.paths.piranha_toml.write_text("[failover]\nfailback = 'never'\n")
    assert (await here.syncs()).outcome is Outcome.BOTH_EDITED, "nobody knows which one is older"
    assert (await here.syncs(force=True)).outcome is Outcome.SENT
    assert "never" in there.toml()
    here.paths.piranha_toml.write_text(FAST)
    assert (await here.syncs()).outcome is Outcome.SENT, "the partner has what both had"
    there.paths.piranha_toml.write_text("")
    assert (await here.syncs()).outcome is Outcome.PARTNER_EDITED, "it took it out"
    assert (await there.syncs()).outcome is Outcome.SENT
    assert here.toml() == "\n".strip()
    here.paths.piranha_toml.write_text("# a word\n")
    assert (await here.syncs()).outcome is Outcome.EQUAL


async def test_an_apply_that_waits_on_either_side_stands_in_the_way(pair: tuple[Side, Side]) -> None:
    here, there = pair
    here.edit(TEXT + "# new\n")
    for side, where in ((here, "here"), (there, "on 192.0.2.2")):
        await side.engine.apply(ApplyRequest(confirm_s=300), WHO)
        theirs = there.files()
        told = await here.syncs()
        assert told.outcome is Outcome.WAITS and f"An Apply waits {where}" in told.sentence
        assert there.files() == theirs
        await side.engine.confirm(ConfirmRequest(), WHO)
    assert (await here.syncs()).outcome is Outcome.SENT


async def test_a_partner_whose_engine_does_not_run_is_told_as_that(pair: tuple[Side, Side]) -> None:
    here, there = pair
    there.is_there = False
    told = await here.syncs()
    assert told.outcome is Outcome.NO_ENGINE and told.sentence.endswith("Start pulse there.")


async def test_what_changes_between_looking_and_writing_is_not_overwritten(pair: tuple[Side, Side]) -> None:
    here, there = pair
    here.edit(TEXT + "# new\n")

    def meanwhile(raw: bytes) -> bytes:
        if b'"put":{' in raw:
            there.paths.lvs_cf.write_text(TEXT + "# meanwhile\n")
        there.answer = None
        told = there.hears(raw)
        there.answer = meanwhile
        return told

    there.answer = meanwhile
    told = await here.syncs()
    assert told.outcome is Outcome.OVERTAKEN and "sync again" in told.sentence
    assert there.config() == TEXT + "# meanwhile\n"


@pytest.mark.parametrize(
    ("raw", "outcome"),
    [
        (b"", Outcome.OTHER_VERSION),
        (b"Welcome to router2!\n", Outcome.OTHER_VERSION),
        (b"piranha-sync 2 2\n{}", Outcome.OTHER_VERSION),
        (pack(b"[]"), Outcome.OTHER_VERSION),
        (pack(b"{}"), Outcome.OTHER_VERSION),
        (pack(b'{"problem":"waits","sentence":"\\u001b[2J' + b"x" * 9000 + b'"}'), Outcome.WAITS),
        (pack(b'{"problem":"whatever","sentence":"no"}'), Outcome.REFUSED),
        (pack(b"[" * 60000), Outcome.OTHER_VERSION),
    ],
)
async def test_whatever_a_partner_answers_is_a_sentence(pair: tuple[Side, Side], raw: bytes, outcome: Outcome) -> None:
    here, there = pair
    there.answer = lambda request: raw
    told = await here.syncs()
    assert told.outcome is outcome
    assert told.sentence.isprintable() and len(told.sentence) < 1200


async def test_who_does_not_wait_any_more_stops_it(pair: tuple[Side, Side]) -> None:
    here, there = pair
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    def silent(raw: bytes) -> bytes:
        loop.call_soon_threadsafe(began.set)
        assert here.stops[0].wait(20)
        return b""

    there.answer = silent
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(here.syncs())
        await began.wait()
        assert (await asyncio.to_thread(EngineClient(here.paths.socket).status)).data_path == "embedded"
        asking.cancel()
    assert here.stops[0].is_set()
    there.answer = None
    assert (await here.syncs()).outcome is Outcome.EQUAL


async def test_what_is_too_long_for_a_frame_is_told_on_either_side(
    pair: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = pair
    here.edit(TEXT.replace("# the pair\n", ""))
    monkeypatch.setattr(sync_frames, "BODY_MAX", len(TEXT) - 1)
    told = await here.syncs()
    assert told.outcome is Outcome.REFUSED and "does not fit into an answer. A part of it is too long." in told.sentence
    monkeypatch.setattr(sync_frames, "BODY_MAX", len(TEXT))
    here.edit(TEXT + "# more\n")
    told = await here.syncs()
    assert told.outcome is Outcome.REFUSED and "to be sent is too long" in told.sentence
    assert there.config() == TEXT


async def test_an_original_partner_is_no_partner_for_a_sync(pair: tuple[Side, Side]) -> None:
    here, there = pair
    here.paths.piranha_toml.write_text('[failover]\npartner = "original"\n')
    told = await here.syncs()
    assert told.outcome is Outcome.REFUSED and "scp " in told.sentence and "never send it a HUP" in told.sentence
    assert there.asked == []


async def test_what_cannot_be_read_here_is_not_sent(pair: tuple[Side, Side]) -> None:
    here, there = pair
    here.paths.piranha_toml.write_text("[failover\n")
    assert "is no TOML" in (await here.syncs()).sentence
    here.paths.piranha_toml.write_text("failover.keepalive = 1\n")
    assert "below one line [failover]" in (await here.syncs()).sentence
    assert there.asked == []


# What a receiver takes.


def put(here: Side, there: Side, **other: object) -> Put:
    state = EngineClient(there.paths.socket).copy()
    words = {"token": state.token, "shared_text": "", "shared_token": state.shared_token, "name": "router1", **other}
    return Put(**words)  # type: ignore[arg-type]


def with_table(good: Put, text: str) -> PartnerRequest:
    return PartnerRequest("put", put=replace(good, shared_text=text))


async def sent(there: Side, request: object, *bodies: bytes) -> PartnerAnswer:
    raw = await asyncio.to_thread(there.hears, pack(msgspec.json.encode(request), bodies))
    return msgspec.json.decode(unpack(raw).header, type=PartnerAnswer)


async def test_what_a_stranger_sends_is_refused_by_its_name_and_nothing_changes(pair: tuple[Side, Side]) -> None:
    here, there = pair
    good = await asyncio.to_thread(put, here, there)
    before = there.files()
    for request, bodies, problem, says in (
        (PartnerRequest("erase"), (), "other-version", "There is no 'erase' here"),
        (PartnerRequest("put"), (b"x",), "refused", "has no lvs.cf"),
        (PartnerRequest("put", put=good), (), "refused", "has no lvs.cf"),
        (PartnerRequest("put", put=good), (b"a", b"b"), "refused", "has no lvs.cf"),
        ({"verb": "put", "put": {"token": 7}}, (b"x",), "refused", "not understood"),
        ({"verb": None}, (), "refused", "not understood"),
        (PartnerRequest("put", put=replace(good, token="f" * 64)), (b"x",), "overtaken", "changed there"),
        (with_table(good, "[gui]\nlisten = []\n"), (b"x",), "refused", "is something else"),
        (with_table(good, "[failover]\nx = 1\n[gui]\n"), (b"x",), "refused", "is something else"),
        (with_table(good, "[failover]\nkeepalive = -1\n"), (b"x",), "refused", "no number of seconds"),
        (with_table(good, "#" * 40000), (b"x",), "refused", "too long"),
    ):
        told = await sent(there, request, *bodies)
        assert (told.problem, says in told.sentence) == (problem, True), told.sentence
        assert there.files() == before


async def test_the_name_of_a_sender_is_bounded_and_has_nothing_invisible(pair: tuple[Side, Side]) -> None:
    here, there = pair
    request = await asyncio.to_thread(put, here, there, name="\x1b[2J" + "n" * 500)
    told = await sent(there, PartnerRequest("put", put=request), b"serial_no = 5\n")
    assert not told.problem, told.sentence
    assert there.keeper.history().versions[0].changes[0] == "the text of [2J" + "n" * 61


async def test_any_bytes_are_an_lvs_cf_and_stay_what_they_are(pair: tuple[Side, Side]) -> None:
    here, there = pair
    content = b"\xef\xbb\xbfserial_no = \xff\r\nvirtual {\n\0"
    request = await asyncio.to_thread(put, here, there, applies=False)
    told = await sent(there, PartnerRequest("put", put=request), content)
    assert not told.problem, told.sentence
    assert there.paths.lvs_cf.read_bytes() == content
    shown = await asyncio.to_thread(there.hears, pack(msgspec.json.encode(PartnerRequest("show"))))
    assert unpack(shown).bodies == (content,)


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda rest: pack(b'{"verb":"show"}') + rest)))
def test_whatever_comes_in_an_answer_goes_out(raw: bytes) -> None:
    nobody = Paths(Path("/nonexistent"))
    told = unpack(answered(nobody, EngineClient(nobody.socket), raw))
    assert msgspec.json.decode(told.header, type=PartnerAnswer).problem


# Old or new, and never half.


@pytest.mark.parametrize("had_toml", [True, False])
@pytest.mark.parametrize("what", ["lvs.cf", "history", "piranha.toml"])
async def test_a_full_disk_leaves_both_files_as_they_were(
    pair: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch, what: str, had_toml: bool
) -> None:
    here, there = pair
    here.edit(TEXT + "# new\n")
    here.paths.piranha_toml.write_text(FAST)
    if had_toml:
        there.paths.piranha_toml.write_text("# mine\n[gui]\n")
    place = {"lvs.cf": there.paths.lvs_cf, "piranha.toml": there.paths.piranha_toml}.get(what)
    before = there.files()
    really = files._replace

    def full(target: Path, *rest: object) -> None:
        if target == place or (what == "history" and target.parent == there.paths.history):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(target, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "_replace", full)
    told = await here.syncs()
    assert told.outcome is Outcome.REFUSED
    assert "disk is full" in told.sentence
    assert there.files() == before
    monkeypatch.undo()
    assert (await here.syncs()).outcome is Outcome.SENT
    assert there.config() == here.config() and FAST in there.toml()
    assert [each.name for each in there.paths.lvs_cf.parent.glob(".*")] == []


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("had_toml", [True, False])
@pytest.mark.parametrize("at", ["before", "behind"])
def test_a_killed_receiver_finds_the_old_pair_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, had_toml: bool
) -> None:
    paths = Paths(tmp_path)
    for folder in (paths.lvs_cf.parent, paths.state):
        folder.mkdir(parents=True)
    paths.lvs_cf.write_text("old")
    if had_toml:
        paths.piranha_toml.write_text("# old\n")
    was = piranha_toml.bytes_of(paths)
    monkeypatch.setattr(piranha_toml, "_give_back", lambda *ignored: None)
    monkeypatch.setattr(piranha_toml, "_forget", lambda *ignored: None)
    with pytest.raises(Killed), piranha_toml.replaced(paths, was, b"# new\n", token_of(b"new")):
        if at == "behind":
            lvs_cf.replace(paths, b"old", b"new")
        raise Killed
    monkeypatch.undo()
    assert piranha_toml.bytes_of(paths) == b"# new\n"
    told = piranha_toml.settle(paths, token_of(paths.lvs_cf.read_bytes()))
    assert (piranha_toml.bytes_of(paths), bool(told)) == ((b"# new\n", False) if at == "behind" else (was, True))
    assert [each.name for each in paths.lvs_cf.parent.glob(".*")] == []
    assert piranha_toml.settle(paths, token_of(b"other")) == ""


async def test_a_start_settles_what_a_kill_left(pair: tuple[Side, Side]) -> None:
    _, there = pair
    there.paths.piranha_toml.write_text("# half\n")
    there.paths.piranha_toml.with_name(f".piranha.toml.before-{'0' * 64}").write_text("# whole\n")
    await there.engine.receiving.settle()
    assert there.toml() == "# whole\n"


async def test_a_linked_piranha_toml_is_not_written_through(pair: tuple[Side, Side], tmp_path: Path) -> None:
    here, there = pair
    (tmp_path / "elsewhere").write_text("")
    there.paths.piranha_toml.symlink_to(tmp_path / "elsewhere")
    here.paths.piranha_toml.write_text(FAST)
    assert "symbolic link" in (await here.syncs()).sentence
    assert there.config() == TEXT


async def test_an_audit_that_cannot_be_written_stops_a_sync_and_a_receiving(pair: tuple[Side, Side]) -> None:
    here, there = pair
    here.edit(TEXT + "# new\n")
    there.engine.receiving._audit = Audit(there.paths.state / "no" / "such" / "folder" / "audit")
    (there.paths.state / "no").write_text("")
    told = await here.syncs()
    assert told.outcome is Outcome.REFUSED and "audit cannot be written" in told.sentence
    assert there.config() == TEXT
    syncing = Syncing(here.keeper, here.engine.receiving, Events(), there.engine.receiving._audit)
    with pytest.raises(ConfigUnavailable, match="audit cannot be written"):
        await syncing.sync(SyncRequest(), WHO)


async def test_a_receiver_of_another_copy_than_was_seen_refuses(pair: tuple[Side, Side]) -> None:
    _, there = pair
    state = await there.engine.receiving.state()
    with pytest.raises(PiranhaError, match="changed by somebody else"):
        await there.engine.receiving.receive(ReceiveRequest(b"x", state.token, "", "0" * 64), WHO)


async def test_a_receiver_with_an_apply_that_waits_refuses_whatever_the_sender_looked_at(
    pair: tuple[Side, Side],
) -> None:
    _, there = pair
    state = await there.engine.receiving.state()
    await there.engine.apply(ApplyRequest(confirm_s=300), WHO)
    with pytest.raises(ConfirmationPending):
        await there.engine.receiving.receive(ReceiveRequest(b"x", state.token, "", state.shared_token), WHO)
    assert there.config() == TEXT


# Where the partner is.


@pytest.mark.parametrize(
    ("text", "here", "partner"),
    [
        ("primary = 192.0.2.1\nbackup = 192.0.2.2\n", "192.0.2.1", "192.0.2.2"),
        ("primary = 192.0.2.1\nbackup = 192.0.2.2\n", "192.0.2.2", "192.0.2.1"),
        ("primary = 192.0.2.1\nbackup = router2.example.com\n", "192.0.2.1", "router2.example.com"),
        ("primary = 192.0.2.1\nbackup = 192.0.2.2\n", "192.0.2.3", "cannot be told"),
        ("primary = 192.0.2.1\nbackup = 0.0.0.0\n", "192.0.2.1", "no backup"),
        ("primary = 192.0.2.1\n", "192.0.2.1", "no backup"),
        ("", "192.0.2.1", "cannot be told"),
    ],
)
def test_the_partner_is_the_other_one_of_the_two_in_lvs_cf(text: str, here: str, partner: str) -> None:
    address = load(f"primary = {here}\n").cluster.primary
    assert address is not None and not isinstance(address, str)
    try:
        found = destination_of(load(text).cluster, SyncSettings(port=2222), {address}).host
    except Failed as failed:
        found = str(failed)
    assert partner in found

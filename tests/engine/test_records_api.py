"""Confirmations, events and the audit over the API: refusals with their codes, who may tell what, bounded answers."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from piranha.client import EngineClient
from piranha.config.edits import ExpectedPart, Part, SetValues
from piranha.engine import api
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.errors import (
    ConfigConflict,
    ConfigUnavailable,
    ConfirmationPending,
    EditRefused,
    EngineUnavailable,
    NothingPending,
    NotPermitted,
)
from piranha.messages import RollbackRequest
from piranha.paths import Paths
from piranha.records import AuditQuery, EventsQuery
from piranha.system import unix_socket

WEB1 = "virtual[web].server[a]"
Start = Callable[[], Awaitable[EngineClient]]


@pytest.fixture
async def start(paths, balancer, block) -> AsyncIterator[Start]:
    """Start an engine with one virtual server behind its API, and return a client."""
    stop = asyncio.Event()
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80"))
    async with asyncio.TaskGroup() as tasks:

        async def started() -> EngineClient:
            engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
            await engine.start()
            listener = unix_socket.listen(paths.socket, mode=0o600)
            tasks.create_task(api.serve(api.application(engine), listener, stop), name="api")
            return EngineClient(paths.socket, "ann", "192.0.2.7")

        yield started
        stop.set()


async def call(function, *words, **more):
    return await asyncio.to_thread(function, *words, **more)


async def answered(paths: Paths, request: str) -> tuple[int, dict]:
    return await call(_answered, paths, request)


def weight(number: int) -> list[SetValues]:
    return [SetValues(path=WEB1, values={"weight": str(number)})]


def _answered(paths: Paths, request: str) -> tuple[int, dict]:
    """Send the first line of a request, with what is needed behind it; return status and body."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(paths.socket))
        connection.sendall(f"{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        with connection.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def audited(client: EngineClient, **query: str) -> list[tuple[str, str, str, str, int | None]]:
    entries = (await call(client.audit, AuditQuery(**query))).entries
    return [(entry.verb, entry.result, entry.who, entry.from_address, entry.uid) for entry in entries]


async def test_an_apply_is_confirmed_and_reverted_over_the_api_with_its_own_refusals(start, paths):
    client = await start()
    await call(client.save, weight(5), [])
    with pytest.raises(EditRefused, match="30 to 300") as refused:
        await call(client.apply, confirm_s=5)
    assert refused.value.keyword == "confirm_s"
    for act in (client.confirm, client.revert):
        with pytest.raises(NothingPending):
            await call(act)
    assert (await answered(paths, "POST /v1/confirm"))[0] == 409
    applied = await call(client.apply, confirm_s=30)
    assert applied.confirmation is not None and applied.confirmation.token == applied.token
    assert (await call(client.status)).confirmation.token == applied.token
    with pytest.raises(ConfirmationPending):
        await call(client.apply)
    status, body = await answered(paths, "POST /v1/apply")
    assert (status, body["code"]) == (409, "confirmation_pending")
    assert (await call(client.confirm, applied.token)).token == applied.token
    await call(client.save, weight(7), [])
    await call(client.apply, confirm_s=30)
    done = await call(client.revert)
    assert done.number is not None and "was reverted by ann from 192.0.2.7" in done.sentence
    assert (await call(client.running)).text == (await call(client.config)).text
    assert "weight = 5" in (await call(client.config)).text


async def test_who_asks_for_events_gets_them_bounded_and_chosen(start, paths):
    client = await start()
    for number in range(2, 12):
        await call(client.save, weight(number), [])
    answer = await call(client.events, EventsQuery(kind="saved", limit="3"))
    assert len(answer.events) == 3 and answer.next == answer.events[-1].number
    newest = answer.events[0]
    assert (newest.about, newest.who, newest.from_address) == (WEB1, "ann", "192.0.2.7")
    assert "version 11" in newest.sentence
    everything = await asyncio.to_thread(lambda: list(client.all_events(EventsQuery(kind="saved"))))
    assert len(everything) == 10
    for query, field in (("kind=x", "kind"), ("limit=100000", "limit"), ("since=x", "since")):
        status, body = await answered(paths, f"GET /v1/events?{query}")
        assert (status, body["code"], body["keyword"]) == (400, "bad_request", field)
    assert (await answered(paths, "GET /v1/events?nonsense=1"))[0] == 400
    assert (await answered(paths, "GET /v1/audit?result=x"))[1]["keyword"] == "result"


async def test_every_change_is_in_the_audit_with_the_uid_that_the_kernel_vouches_for(start):
    client = await start()
    await call(client.save, weight(5), [], dry_run=True)
    saved = await call(client.save, weight(5), [])
    await call(client.save, weight(5), [])
    await call(client.override, WEB1, "drain")
    await call(client.clear, WEB1)
    await call(client.rollback, 1)
    with pytest.raises(ConfigUnavailable):
        await call(client.create)
    with pytest.raises(ConfigConflict):
        await call(client.save, weight(9), [ExpectedPart(Part(WEB1), "stale")])
    with pytest.raises(EditRefused):
        await call(client.override, "virtual[gone].server[a]", "drain")
    me = ("ann", "192.0.2.7", os.getuid())
    assert await audited(client) == [
        ("override", "refused", *me),
        ("save", "refused", *me),
        ("create", "failed", *me),
        ("rollback", "done", *me),
        ("clear_overrides", "done", *me),
        ("override", "done", *me),
        ("save", "done", *me),
        ("save", "done", *me),
    ]
    entries = (await call(client.audit, AuditQuery(verb="save"))).entries
    first, second = entries[-1], entries[-2]
    assert (first.after_token, first.version, first.about) == (saved.token, saved.number, WEB1)
    assert first.before_token == saved.before_token != saved.token and "+         weight = 5" in first.diff
    assert "nothing was changed" in second.reason and second.diff == ""
    assert "changed by somebody else" in entries[0].reason


async def test_while_the_audit_cannot_be_written_nothing_can_be_changed_and_the_status_says_so(start, paths, balancer):
    client = await start()
    paths.audit.mkdir()
    before = paths.lvs_cf.read_bytes()
    acts = [
        lambda: client.save(weight(5), []),
        lambda: client.rollback(1),
        client.apply,
        client.confirm,
        lambda: client.override(WEB1, "drain"),
        lambda: client.clear(WEB1),
        lambda: client.audit_login("login"),
    ]
    for act in acts:
        with pytest.raises(ConfigUnavailable, match=str(paths.audit)):
            await call(act)
    assert paths.lvs_cf.read_bytes() == before and balancer.overrides == ()
    assert any(str(paths.audit) in message for message in (await call(client.status)).messages)
    assert (await call(client.save, weight(5), [], dry_run=True)).changed
    paths.audit.rmdir()
    assert (await call(client.save, weight(5), [])).changed
    assert not any(str(paths.audit) in message for message in (await call(client.status)).messages)


async def test_who_may_not_call_is_refused_and_in_the_audit(start, paths, monkeypatch):
    client = await start()
    with monkeypatch.context() as patch:
        patch.setattr(api, "_allowed_uids", lambda: frozenset({12345}))
        for act in (client.config, lambda: client.save(weight(5), []), lambda: client.rollback(1)):
            with pytest.raises(NotPermitted):
                await call(act)
        assert (await answered(paths, "GET /v1/nowhere"))[0] == 403
    assert [entry[:2] for entry in await audited(client)] == [
        ("GET /v1/nowhere", "refused"),
        ("rollback", "refused"),
        ("save_config", "refused"),
        ("read_config", "refused"),
    ]
    assert (await audited(client))[1][2:] == ("ann", "192.0.2.7", os.getuid())


async def test_log_ins_of_the_gui_are_in_the_audit(start):
    client = await start()
    first = await call(client.audit_login, "login", "wrong password")
    await call(client.audit_login, "login")
    last = await call(client.audit_login, "logout")
    assert last.number == first.number + 2
    me = ("ann", "192.0.2.7", os.getuid())
    assert await audited(client) == [("logout", "done", *me), ("login", "done", *me), ("login", "refused", *me)]
    assert (await call(client.audit, AuditQuery(result="refused"))).entries[0].reason == "wrong password"
    with pytest.raises(EditRefused):
        await call(client.audit_login, "lunch")


@pytest.mark.parametrize(("uid", "may"), [(0, False), (998, True)])
async def test_on_the_real_system_only_the_guis_user_tells_of_log_ins(start, monkeypatch, uid, may):
    client = await start()
    with monkeypatch.context() as patch:
        patch.setattr(Paths, "is_system", True)
        patch.setattr(api, "_piranha_uid", lambda: (998,))
        patch.setattr(unix_socket, "caller", lambda connection: unix_socket.Caller(1, uid, uid))
        if may:
            await call(client.audit_login, "login")
        else:
            with pytest.raises(NotPermitted, match="Only the GUI"):
                await call(client.audit_login, "login")
    ((verb, result, _, _, told),) = await audited(client)
    assert (verb, result, told) == (("login", "done", uid) if may else ("audit_login", "refused", uid))


async def test_a_body_that_is_not_understood_is_no_attempt_and_a_fault_of_ours_is_one(start, paths, monkeypatch):
    client = await start()
    with pytest.raises(EditRefused):
        await call(client.rollback, "one")
    assert await audited(client) == []

    def broken(self, request: RollbackRequest, caller):
        raise ZeroDivisionError

    monkeypatch.setattr(ConfigKeeper, "rollback", broken)
    with pytest.raises(EngineUnavailable):
        await call(client.rollback, 1)
    assert [entry[:2] for entry in await audited(client)] == [("rollback", "failed")]


async def test_what_a_person_may_give_as_a_name_cannot_be_another_line(start, paths):
    client = await start()
    await call(EngineClient(paths.socket, 'eve\n{"number":9}', "x").audit_login, "login")
    (line,) = [json.loads(each) for each in paths.audit.read_text().splitlines()]
    assert (line["who"], line["number"]) == ('eve{"number":9}', 1)
    assert len((await call(client.audit, AuditQuery())).entries) == 1


async def test_a_hand_edit_is_an_event_however_it_is_found(start, paths, block):
    client = await start()
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:80*3"))
    await call(client.save, weight(5), [])
    found = (await call(client.events, EventsQuery(kind="hand-edit"))).events
    assert [event.sentence for event in found] == [
        f"lvs.cf was written by hand: version 2; {WEB1}.weight: 1 -> 3.",
        "lvs.cf is taken into the history as it was found: version 1.",
    ]


async def test_overrides_are_events_about_each_server_they_concern(start):
    client = await start()
    await call(client.override, "127.0.0.11", "weight", 3)
    await call(client.clear, "127.0.0.11")
    found = (await call(client.events, EventsQuery(about="virtual[web]", kind="override,override-cleared"))).events
    assert [(event.kind, event.about, event.who) for event in found] == [
        ("override-cleared", WEB1, "ann"),
        ("override", WEB1, "ann"),
    ]
    assert "weight 3 by hand" in replace(found[1]).sentence

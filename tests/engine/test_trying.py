"""Try now over the API: what is answered, what is refused, and that nothing comes of it; how the last check went."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest

from piranha.check_messages import TRIED_SERVERS_MAX, TRY_LIMIT_S, TryAnswer, TryRequest
from piranha.client import EngineClient
from piranha.config.check_kinds import CheckKind
from piranha.config.health_settings import CheckSettings
from piranha.config.model import Address
from piranha.engine import api, openapi, trying
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.engine.weighing import HealthSettings
from piranha.errors import Busy, ConfigUnavailable, EditRefused
from piranha.health.check import Check, Verdict
from piranha.paths import Paths
from piranha.records import AuditQuery, EventsQuery
from piranha.status import HealthState
from piranha.system import unix_socket
from piranha.system.probes import CannotCheck, Probed
from tests.nanny.hired import passes

WEB, A = "virtual[web]", "virtual[web].server[a]"
Start = Callable[..., Awaitable[EngineClient]]


@dataclass
class Servers:
    """Real servers that answer a try as the test says."""

    answer: bytes = b"220 ready"
    asked: list[tuple[str, Check]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    held: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: str = ""

    def __post_init__(self) -> None:
        self.held.set()

    async def probe(self, check: Check, address: Address) -> Probed:
        self.asked.append((f"{address}:{check.port}", check))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.held.wait()
            await passes(0.001)
        finally:
            self.running -= 1
        if self.trouble:
            raise CannotCheck(self.trouble)
        is_good = check.expect is None or self.answer.startswith(check.expect.text)
        return Probed(Verdict(is_good, "answered"), 0.25, check.send or b"", self.answer)


@dataclass
class Here:
    """An engine behind its API, its client, and the real servers of tries."""

    engine: Engine
    client: EngineClient
    servers: Servers
    paths: Paths

    async def try_checks(self, *words: object, **more: object) -> TryAnswer:
        return await asyncio.to_thread(self.client.try_checks, TryRequest(*words, **more))  # type: ignore[arg-type]

    async def audited(self) -> list[tuple[str, str, str, str, str]]:
        told = await self.engine.audit.asked(AuditQuery(verb="try_checks"))
        return [(each.who, each.from_address, each.result, each.about, each.reason) for each in told.entries]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await passes(0.02)


def several(block: Callable[..., str], count: int) -> str:
    return block("web", *(f"s{n}=127.0.1.{n}:80" for n in range(1, count + 1)))


@pytest.fixture
async def start(paths: Paths, balancer, block) -> AsyncIterator[Callable[..., Awaitable[Here]]]:
    """Start an engine with lvs.cf behind its API."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:

        async def started(text: str | None = None) -> Here:
            usual = block("web", "a=127.0.0.11:80", "b=127.0.0.12:81", extra='send = "hello"\nexpect = "220"')
            paths.lvs_cf.write_text(usual if text is None else text)
            engine = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
            servers = Servers()
            engine.trying.probe = servers.probe
            await engine.start()
            listener = unix_socket.listen(paths.socket, mode=0o600)
            tasks.create_task(api.serve(api.application(engine), listener, stop), name="api")
            return Here(engine, EngineClient(paths.socket, "ann", "192.0.2.7"), servers, paths)

        yield started
        stop.set()


def files(paths: Paths) -> Mapping[str, bytes]:
    """Return every file below the root, but the audit."""
    found = {str(path): path for path in paths.root.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not path.is_relative_to(paths.audit)}


async def test_all_real_servers_are_asked_with_the_values_that_are_not_saved(start) -> None:
    here = await start()
    told = await here.try_checks(WEB, values={"send": r"quit\r\n", "expect": None, "port": "8080", "timeout": "4"})
    # Each of the two has a port of its own.
    assert [place for place, _ in here.servers.asked] == ["127.0.0.11:80", "127.0.0.12:81"]
    assert {(check.send, check.expect, check.limit_s) for _, check in here.servers.asked} == {(b"quit\r\n", None, 4.0)}
    assert [(each.path, each.name, each.address, each.port, each.problem) for each in told.servers] == [
        (A, "a", "127.0.0.11", 80, ""),
        ("virtual[web].server[b]", "b", "127.0.0.12", 81, ""),
    ]
    found = told.servers[0].found
    assert found is not None
    assert (found.is_good, found.reason, found.took_s) == (True, "answered", 0.25)
    assert (found.sent, found.received, found.is_received_cut) == (r"quit\r\n", "220 ready", False)
    assert (told.virtual, told.how, told.limit_s, told.timeout_s, told.servers_in_all) == (WEB, "tcp", 4.0, 4.0, 2)


async def test_one_real_server_and_one_that_is_not_in_lvs_cf(start) -> None:
    here = await start()
    told = await here.try_checks(WEB, A, server_values={"address": "127.0.0.99", "port": None})
    assert [(each.path, each.name, each.address, each.port) for each in told.servers] == [(A, "a", "127.0.0.99", 80)]
    told = await here.try_checks(WEB, server_values={"address": "127.0.0.98", "port": "8088"})
    assert [(each.path, each.name, each.address, each.port) for each in told.servers] == [("", "", "127.0.0.98", 8088)]
    assert [place for place, _ in here.servers.asked] == ["127.0.0.99:80", "127.0.0.98:8088"]
    assert here.servers.asked[1][1].send == b"hello"
    told = await here.try_checks(WEB, server_values={})
    assert [each.problem for each in told.servers] == ["The real server has no address."]


async def test_nothing_comes_of_a_try_but_its_entry_in_the_audit(start, balancer, path) -> None:
    here = await start()
    await until(lambda: all(health.checked_at is not None for health in balancer.nanny.healths.values()))
    await balancer.turn()
    events = await here.engine.events.asked(EventsQuery())
    before = files(here.paths), dict(balancer.nanny.healths), path.weights(), list(path.taken), events
    here.servers.answer = b"nonsense"
    told = await here.try_checks(WEB, values={"expect": "x"})
    assert [each.found is not None and each.found.is_good for each in told.servers] == [False, False]
    await balancer.turn()
    events = await here.engine.events.asked(EventsQuery())
    assert (files(here.paths), dict(balancer.nanny.healths), path.weights(), path.taken) == before[:4]
    assert events.events == before[4].events
    assert await here.audited() == [("ann", "192.0.2.7", "done", WEB, "tcp to 2 real servers; 0 good")]


async def test_the_audit_names_the_program_and_the_address_that_were_tried(start) -> None:
    here = await start()
    await here.try_checks(WEB, A, {"send_program": "/usr/bin/check %h", "expect": "220"})
    await here.try_checks(WEB, server_values={"address": "127.0.0.98", "port": "8088"})
    assert [each[3:] for each in await here.audited()] == [
        (WEB, "tcp to 127.0.0.98 port 8088; 1 good"),
        (A, "'/usr/bin/check' for 127.0.0.11 port 80; 1 good"),
    ]


async def test_what_could_not_be_saved_is_refused_with_its_keyword(start, paths: Paths) -> None:
    here = await start()
    for values, keyword in (({"port": "70000"}, "port"), ({"send": r"\q"}, "send"), ({"weight": "1"}, "weight")):
        with pytest.raises(EditRefused) as refused:
            await here.try_checks(WEB, values=values)
        assert refused.value.keyword == keyword
    for words in (("virtual[none]",), (WEB, "virtual[web].server[none]"), ("",), (WEB, "virtual[web]")):
        with pytest.raises(EditRefused, match=r"is no (virtual|real) server"):
            await here.try_checks(*words)
    assert here.servers.asked == []
    assert {each[2] for each in await here.audited()} == {"refused"}
    paths.lvs_cf.unlink()
    with pytest.raises(ConfigUnavailable):
        await here.try_checks(WEB)


async def test_what_cannot_be_checked_says_why_and_the_others_are_asked_all_the_same(start, block) -> None:
    here = await start(block("web", "a=127.0.0.11:80", "b=0.0.0.0:80", "c=no-such-name.invalid:80"))
    told = await here.try_checks(WEB)
    assert told.servers[0].found is not None
    assert [each.problem for each in told.servers[1:]] == [
        "virtual[web].server[b] has no address.",
        told.servers[2].problem,
    ]
    assert told.servers[2].problem.startswith("The name no-such-name.invalid ")
    here.servers.trouble = "this router cannot make the check: no file handle is left"
    told = await here.try_checks(WEB, A)
    assert told.servers[0].problem == "this router cannot make the check: no file handle is left."
    told = await here.try_checks(WEB, A, {"expect": "a(b", "use_regex": "1"})
    assert "expect is not a regular expression" in told.servers[0].problem


async def test_many_servers_are_cut_and_their_answers_too(start, block) -> None:
    here = await start(several(block, 100))
    here.servers.answer = b"\x00\xff" * 512
    told = await here.try_checks(WEB)
    assert (len(told.servers), told.servers_in_all) == (TRIED_SERVERS_MAX, 100)
    assert len(here.servers.asked) == TRIED_SERVERS_MAX
    share = trying.TOLD_BYTES // TRIED_SERVERS_MAX
    for each in told.servers:
        assert each.found is not None and each.found.is_received_cut
        assert each.found.received == r"\x00\xff" * (share // 2)
    told = await here.try_checks(WEB, "virtual[web].server[s100]")
    assert told.servers[0].found is not None and len(told.servers[0].found.received) == 4 * 1024


async def test_programs_are_run_a_few_at_a_time(start, block) -> None:
    here = await start(several(block, 40))
    values = {"send_program": "/usr/bin/check %h", "expect": "220"}
    told = await here.try_checks(WEB, values=values)
    assert (told.how, len(here.servers.asked)) == ("program", 40)
    assert here.servers.most_running == trying.PROGRAMS_AT_ONCE


async def test_a_check_of_another_kind_is_tried_as_piranha_toml_has_it(start, balancer) -> None:
    here = await start()
    kinds = {"web": CheckKind("https", path="/alive", host="www.example.com")}
    balancer.weighing.read_settings = lambda: HealthSettings(checks=CheckSettings(kinds=kinds))
    told = await here.try_checks(WEB, A)
    assert told.how == "https"
    ((_, check),) = here.servers.asked
    assert check.http is not None and check.tls is not None and check.send is None
    assert b"GET /alive HTTP/1.1" in check.http.request
    assert [each[4] for each in await here.audited()] == ["https to 127.0.0.11 port 80; 1 good"]


async def test_a_piranha_toml_that_cannot_be_read_stops_the_try_and_is_told(start, balancer) -> None:
    def refuse() -> HealthSettings:
        raise ConfigUnavailable("piranha.toml has errors.")

    here = await start()
    balancer.weighing.read_settings = refuse
    with pytest.raises(ConfigUnavailable, match=r"piranha\.toml has errors"):
        await here.try_checks(WEB)
    assert here.servers.asked == []


async def test_a_long_timeout_is_not_waited_for(start) -> None:
    here = await start()
    told = await here.try_checks(WEB, values={"timeout": "3600"})
    assert (told.limit_s, told.timeout_s) == (TRY_LIMIT_S, 3600.0)
    assert {check.limit_s for _, check in here.servers.asked} == {TRY_LIMIT_S}


async def test_a_try_is_over_in_time_whatever_happens(start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "TRY_WITHIN_S", 0.2)
    here = await start()
    here.servers.held.clear()
    told = await here.try_checks(WEB)
    assert {each.problem for each in told.servers} == {"The try was over after 0.2 s, before this check was."}
    assert here.servers.running == 0


async def test_one_try_too_many_is_refused_at_once_and_not_queued(start, paths: Paths) -> None:
    here = await start()
    here.servers.held.clear()
    loop = asyncio.get_running_loop()
    first = [loop.create_task(here.try_checks(WEB)) for _ in range(trying.TRIES_AT_ONCE)]
    await until(lambda: len(here.servers.asked) == 2 * trying.TRIES_AT_ONCE)
    with pytest.raises(Busy, match="Try again in a moment"):
        await here.try_checks(WEB)
    status, body = await asyncio.to_thread(posted, paths, {"virtual": WEB})
    assert (status, body["code"]) == (429, "busy")
    assert len(here.servers.asked) == 2 * trying.TRIES_AT_ONCE
    here.servers.held.set()
    await asyncio.gather(*first)
    assert (await here.try_checks(WEB)).servers
    # A flood leaves nothing behind: what was refused for that is in no file.
    assert len(await here.audited()) == trying.TRIES_AT_ONCE + 1


def posted(paths: Paths, body: object) -> tuple[int, dict]:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(str(paths.socket))
        raw = json.dumps(body).encode()
        head = f"POST /v1/try HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(raw)}\r\n\r\n"
        line.sendall(head.encode() + raw)
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    head_, _, told = answer.partition(b"\r\n\r\n")
    return int(head_.split()[1]), json.loads(told)


@pytest.mark.parametrize(
    "body",
    [{}, {"virtual": 1}, {"virtual": WEB, "values": []}, {"virtual": WEB, "values": {"send": 1}}, [], None, "x"],
)
async def test_a_body_that_is_none_is_refused(start, paths: Paths, body: object) -> None:
    here = await start()
    status, told = await asyncio.to_thread(posted, paths, body)
    assert (status, told["code"]) == (400, "bad_request")
    assert here.servers.asked == []


async def test_the_last_check_of_a_server_is_told_with_what_was_sent_and_received(start, balancer, probes) -> None:
    here = await start()
    await until(lambda: all(health.checked_at is not None for health in balancer.nanny.healths.values()))
    told = await asyncio.to_thread(here.client.last_check, A)
    assert (told.server, told.name, told.address, told.port, told.state) == (A, "a", "127.0.0.11", 80, HealthState.UP)
    assert told.found is not None and (told.found.is_good, told.found.reason) == (True, "answered")
    assert told.age_s is not None and told.age_s >= 0 and told.at and told.since
    assert (told.how, told.limit_s, told.interval_s, told.problem) == ("tcp", 2.0, 2.0, "")
    assert here.servers.asked == []


@pytest.mark.parametrize("server", ["virtual[web].server[none]", "virtual[web]", "", "nonsense", "x" * 5000])
async def test_of_a_server_that_does_not_run_it_says_that(start, server: str) -> None:
    here = await start()
    told = await asyncio.to_thread(here.client.last_check, server)
    assert (told.name, told.found) == ("", None)
    assert told.problem.endswith("is no real server of what runs.") and len(told.problem) < 300


async def test_of_one_that_is_not_checked_it_says_why(start, block) -> None:
    text = block("web", "a=127.0.0.11:80") + block("off", "b=127.0.0.12:80", active=0)
    udp = block("dns", "c=127.0.0.13:53", extra="protocol = udp", port=53)
    here = await start(text + udp)
    told = await asyncio.to_thread(here.client.last_check, "virtual[off].server[b]")
    assert (told.name, told.problem) == ("b", "It is not active, so it is not checked.")
    told = await asyncio.to_thread(here.client.last_check, "virtual[dns].server[c]")
    assert "has nothing to send" in told.problem


def test_the_description_has_both_calls() -> None:
    described = openapi.description()["paths"]
    assert set(described["/v1/try"]["post"]["responses"]) >= {"200", "422", "429", "503"}
    assert [each["name"] for each in described["/v1/checks"]["get"]["parameters"]] == ["server"]

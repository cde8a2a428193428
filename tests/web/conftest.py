"""A GUI in this process, before the real keeper of an lvs.cf in a folder of the test's own.

`KeeperClient` stands where the client of the engine's socket stands: the same calls, the real rules for tokens,
conflicts and edits, and it remembers who called and what.
"""

import asyncio
import difflib
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.test import TestResponse

from piranha.check_messages import CheckFound, LastCheck, TryAnswer, TryRequest
from piranha.client import EngineClient
from piranha.config.load import load
from piranha.engine.audit import Audit
from piranha.engine.caller import Caller
from piranha.engine.connections import choice, limit_of
from piranha.engine.keeper import ConfigKeeper, described
from piranha.engine.parts import asked_of, shares
from piranha.engine.questions import of_audit, of_events, page
from piranha.engine.trying import Probe, Trying
from piranha.engine.version import Version
from piranha.engine.weighing import HealthSettings
from piranha.errors import (
    ConfigConflict,
    ConfigUnavailable,
    ConfirmationPending,
    EditRefused,
    EngineUnavailable,
    NothingPending,
    PiranhaError,
    UnsafePlan,
)
from piranha.health.check import Check, Verdict
from piranha.messages import (
    AdoptRequest,
    ApplyAnswer,
    ClientConnection,
    ConfirmAnswer,
    ConnectionsAnswer,
    ConnectionsQuery,
    History,
    OverrideAnswer,
    Plan,
    PlannedStep,
    RevertAnswer,
    RollbackRequest,
    SaveAnswer,
    SavedConfig,
    SaveRequest,
    VersionText,
)
from piranha.monitoring import (
    OVERRIDES_SHOWN,
    FailoverAnswer,
    FailoverCommand,
    RunAnswer,
    SamplesAnswer,
    StatusQuery,
    Summary,
    TrafficSample,
)
from piranha.paths import Paths
from piranha.records import (
    AuditAnswer,
    AuditEntry,
    AuditQuery,
    EngineEvent,
    EventsAnswer,
    EventsQuery,
    LoginNoted,
)
from piranha.router_status import Counts, StatusPart
from piranha.status import (
    ConfigStatus,
    ConfirmationStatus,
    EngineStatus,
    Health,
    HealthState,
    OverrideStatus,
    ProcessStatus,
    Rates,
    RunState,
    ServerStatus,
    Source,
    Traffic,
    VirtualServerStatus,
)
from piranha.sync_messages import Outcome, SyncAnswer, SyncRequest
from piranha.system import lvs_cf
from piranha.system.boot import local_now
from piranha.system.probes import Probed
from piranha.system.record_files import Part
from piranha.web import create_app
from piranha.web.throttle import RequestRate
from tests import pairs
from tests.plain_browser import Page, PlainBrowser

PASSWORD = "a bridge over 42 fjords"
LVS_CF = r"""# Kept by hand.
serial_no = 7
primary = 192.0.2.11
service = lvs
network = direct
hard_shutdown = 0
virtual http {
     active = 1
     address = 192.0.2.80 eth0:1
     vip_nmask = 255.255.255.0
     port = 80
     # what the front page says
     send = "GET / HTTP/1.0\r\n\r\n"
     expect = "HTTP"
     use_regex = 0
     load_monitor = none
     scheduler = wlc
     protocol = tcp
     timeout = 6
     reentry = 15
     quiesce_server = 0
     server web1 {
         address = 192.0.2.21
         active = 1
         weight = 1
     }
     server web2 {
         address = 192.0.2.22
         active = 1
         weight = 1
     }
}
virtual smtp {
     active = 0
     address = 192.0.2.81 eth0:2
     port = 25
}
"""


class CompiledTemplates(BytecodeCache):
    """Templates that an earlier test's GUI has compiled already."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = CompiledTemplates()
AT = "2026-11-23T10:30:00+00:00"
LATER = "2026-11-23T11:30:00+00:00"
HANDED_OVER = FailoverAnswer(True, ("handing over by command",))
NO_PARTNER = SyncAnswer(Outcome.NO_PARTNER, "lvs.cf has no backup, so there is no partner.", "")
SENT, ANSWER = (
    b"GET / HTTP/1.0\r\n\r\n",
    b'HTTP/1.0 200 OK\r\nServer: <xq-server>"\xff\x00\r\n\r\n<script>alert(1)</script>',
)
FOUND = CheckFound(
    True, 'answered "HTTP/1.0 200 OK"', 0.0042, r"GET / HTTP/1.0\r\n\r\n", r"HTTP/1.0 200 OK\r\n\r\n<xq-body>"
)


async def answers(check: Check, address: object) -> Probed:
    """Answer a check as a real server that tries what it can."""
    return Probed(Verdict(True, 'answered "HTTP/1.0 <xq-reason>"'), 0.0123, check.send or b"", ANSWER)


UNHURRIED = RequestRate(at_once=10**9)
"""The clock of most tests stands still, and some send a thousand requests."""


@dataclass
class Call:
    """One call to the engine, and on whose behalf it was made."""

    name: str
    user: str
    from_: str
    what: Any = None


@dataclass
class Clock:
    """A clock that goes when it is told to."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class KeeperEngine:
    """The engine as the GUI sees it, around a real keeper. `is_dead`: nobody answers.

    `waits`: the Apply that waits for its confirmation, and the text that comes back; `refusing`: what a confirmation, a
    stop and a start are answered with.
    """

    paths: Paths
    is_dead: bool = False
    calls: list[Call] = field(default_factory=list)
    overrides: list[OverrideStatus] = field(default_factory=list)
    state: RunState = RunState.RUNNING
    reason: str = ""
    unsafe: str = ""
    refused: Callable[[str], str] = lambda name: ""
    health: dict[str, Health] = field(default_factory=dict)
    rates: Rates | None = None
    beside: dict[str, Any] = field(default_factory=dict)
    beside_virtual: dict[str, dict[str, Any]] = field(default_factory=dict)
    _running: Version | None = None
    connections: list[ClientConnection] = field(default_factory=list)
    not_told: str = ""
    waits: tuple[ConfirmationStatus, bytes] | None = None
    refusing: PiranhaError | None = None
    events: list[EngineEvent] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)
    record_problem: str = ""
    samples: tuple[TrafficSample, ...] = ()
    failover: FailoverAnswer = HANDED_OVER
    sync: SyncAnswer = NO_PARTNER
    probe: Probe = answers
    checked: CheckFound | None = FOUND
    health_settings: HealthSettings = field(default_factory=HealthSettings)

    @cached_property
    def keeper(self) -> ConfigKeeper:
        return ConfigKeeper(self.paths)

    @property
    def running(self) -> Version | None:
        """Return what runs, read once for each text of it."""
        raw = lvs_cf.read(self.paths.running_cf)
        if self._running is None or self._running.raw != raw:
            self._running = self.keeper.running_version()
        return self._running

    def apply_now(self) -> None:
        version = self.keeper.saved_version()
        assert version is not None
        self.keeper.note_applied(version)

    def end_waiting(self, kind: str, sentence: str) -> None:
        self.waits = None
        self.events.append(EngineEvent(len(self.events) + 1, AT, kind, "", sentence))

    def named(self, name: str) -> list[Call]:
        return [call for call in self.calls if call.name == name]


class KeeperClient(EngineClient):
    """What `piranha.client.EngineClient` does, without a socket."""

    def __init__(self, engine: KeeperEngine, user: str, from_: str) -> None:
        super().__init__(engine.paths.socket, user, from_)
        self.engine = engine

    def _note(self, name: str, what: Any = None) -> None:
        self.engine.calls.append(Call(name, self.user, self.from_, what))
        if self.engine.is_dead:
            raise EngineUnavailable("The engine does not answer on its socket (nobody listens there).")

    def config(self, known: str = "") -> SavedConfig:
        self._note("config", known)
        return self.engine.keeper.saved(known)

    def create(self) -> SaveAnswer:
        self._note("create")
        return self.engine.keeper.create(Caller(self.user))

    def adopt(self, content: bytes, token: str, name: str = "", *, dry_run: bool = False) -> SaveAnswer:
        self._note("config" if dry_run else "adopt", name)
        return self.engine.keeper.adopt(AdoptRequest(content, token, name, dry_run), Caller(self.user))

    def audit_login(self, what: str, refused: str = "") -> LoginNoted:
        self._note("audit_login", (what, refused))
        return LoginNoted(len(self.engine.named("audit_login")))

    def running(self) -> SavedConfig:
        self._note("running")
        version = self.engine.keeper.running_version()
        return described("running.cf", None if version is None else version.raw)

    def history(self) -> History:
        self._note("history")
        self.engine.keeper.catch_up()
        return self.engine.keeper.history()

    def version(self, number: int) -> VersionText:
        self._note("version", number)
        return self.engine.keeper.version(number)

    def rollback(self, number: int, token: str = "", *, dry_run: bool = False) -> SaveAnswer:
        self._note("version" if dry_run else "rollback", (number, token))
        return self.engine.keeper.rollback(RollbackRequest(number, token, dry_run), Caller(self.user, self.from_))

    def save(self, edits: Any, expected: Any) -> SaveAnswer:
        self._note("save", (list(edits), list(expected)))
        return self.engine.keeper.save(SaveRequest(list(edits), list(expected)), Caller(self.user, self.from_))

    def plan(self) -> Plan:
        self._note("plan")
        saved, running = self.engine.keeper.saved(), self.running()
        is_new = saved.token != running.token
        return Plan(
            saved.token,
            running.token,
            "--- running\n+++ saved\n@@ -1 +1 @@\n-serial_no = 7\n+serial_no = 8 <b>\n" if is_new else "",
            (PlannedStep("Add TCP 192.0.2.80:80.", "It has 312 connections."),) if is_new else (),
            load(saved.text).faults,
            (*self._pending(), self.engine.unsafe) if self.engine.unsafe else self._pending(),
            (self.engine.unsafe,) if self.engine.unsafe.startswith("It would empty") else (),
        )

    def _pending(self) -> tuple[str, ...]:
        waits = self.engine.waits
        return () if waits is None else (f"The Apply by {waits[0].who} waits for its confirmation.",)

    def apply(
        self, token: str = "", force: bool = False, removes_at_once: bool = False, confirm_s: int = 0
    ) -> ApplyAnswer:
        self._note("apply", (token, force, removes_at_once, confirm_s))
        saved, running = self.engine.keeper.saved_version(), self.engine.keeper.running_version()
        assert saved is not None
        if pending := self._pending():
            raise ConfirmationPending(pending[0])
        if token and token != saved.token:
            raise ConfigConflict("", saved.loaded.document.text)
        if self.engine.unsafe and not force:
            raise UnsafePlan(self.engine.unsafe)
        if confirm_s:
            before = (running.token, running.serial_no, running.raw) if running is not None else ("", None, b"")
            times = ("2026-11-23T10:30:00+00:00", confirm_s, confirm_s - 0.4, "2026-11-23T10:31:00+00:00")
            waits = ConfirmationStatus(saved.token, saved.serial_no, *before[:2], self.user, self.from_, *times)
            self.engine.waits = (waits, before[2])
        self.engine.apply_now()
        steps = (PlannedStep("Add TCP 192.0.2.80:80.", ""),)
        return ApplyAnswer(saved.token, saved.serial_no, steps, (), self.engine.waits[0] if self.engine.waits else None)

    def confirm(self, token: str = "") -> ConfirmAnswer:
        self._note("confirm", token)
        waits, _ = self._require_waiting(token)
        self.engine.end_waiting("confirmed", f"The Apply by {waits.who} was confirmed.")
        return ConfirmAnswer(waits.token, waits.serial_no)

    def revert(self, token: str = "") -> RevertAnswer:
        self._note("revert", token)
        waits, before = self._require_waiting(token)
        keeper = self.engine.keeper
        number, what = None, "lvs.cf is what somebody saved meanwhile: it stays, not applied."
        try:
            number = keeper.revert(waits.token, before, Caller("engine")).number
            what = "What ran before runs again, and is lvs.cf again."
            self.engine.apply_now()
        except ConfigConflict:
            lvs_cf.write(keeper.paths, keeper.paths.running_cf, before)
        sentence = f"The Apply by {waits.who} of {waits.applied_at} was not confirmed. {what}"
        self.engine.end_waiting("reverted", sentence)
        return RevertAnswer(waits.before_token, waits.before_serial_no, (), number, sentence)

    def _require_waiting(self, token: str) -> tuple[ConfirmationStatus, bytes]:
        if self.engine.refusing is not None:
            raise self.engine.refusing
        if self.engine.waits is None or self.engine.waits[0].token != token:
            raise NothingPending("No Apply waits for a confirmation.")
        return self.engine.waits

    def events(self, query: EventsQuery) -> EventsAnswer:
        self._note("events", query)
        choice = of_events(query, local_now())

        def matches(event: EngineEvent) -> bool:
            return not choice.kinds or event.kind in choice.kinds

        found = page([Part(1, lambda: reversed(self.engine.events))], choice, matches, lambda each: each.at)
        return EventsAnswer(found.records, found.next, len(self.engine.events), AT, self.engine.record_problem)

    def audit(self, query: AuditQuery) -> AuditAnswer:
        self._note("audit", query)
        choice = of_audit(query, local_now())
        found = page([Part(1, lambda: reversed(self.engine.audit))], choice, lambda each: True, lambda each: each.at)
        return AuditAnswer(found.records, found.next, len(self.engine.audit), AT, self.engine.record_problem)

    def override(self, server: str, kind: str, weight: int = 0, *, until: str = "", for_s: int = 0) -> OverrideAnswer:
        self._note("override", (server, kind, weight, until, for_s))
        if "[web" not in server:
            raise EditRefused(server, "", f"{server} is not in what runs.")
        number = len(self.engine.overrides) + 1
        ends = (LATER, float(for_s)) if for_s else ("", None)
        made = OverrideStatus(
            number, kind, server, server, weight, self.user, self.from_, "2026-11-23T10:00:00+00:00", *ends
        )
        self.engine.overrides.append(made)
        return OverrideAnswer((server,), (), ends[0])

    def clear(self, server: str, kind: str = "") -> OverrideAnswer:
        self._note("clear", (server, kind))
        self.engine.overrides = [each for each in self.engine.overrides if each.scope != server]
        return OverrideAnswer((server,))

    def connections(self, query: ConnectionsQuery) -> ConnectionsAnswer:
        self._note("connections", query)
        choice(query)
        limit, found = limit_of(query.limit), self.engine.connections
        source, at = Source("kernel data path", 0.0), "2026-11-23T10:30:00+00:00"
        return ConnectionsAnswer(
            tuple(found[:limit]), len(found), len(found), True, limit, source, at, self.engine.not_told
        )

    def samples(self, virtual: str) -> SamplesAnswer:
        self._note("samples", virtual)
        name = next((each.name for each in self._status().virtual_servers if each.path == virtual), "")
        return SamplesAnswer(virtual, name, 15.0, 3600.0, AT, self.engine.samples if name else ())

    def try_checks(self, request: TryRequest) -> TryAnswer:
        self._note("try_checks", request)
        if self.engine.refusing is not None:
            raise self.engine.refusing

        async def saved() -> Version:
            version = self.engine.keeper.saved_version()
            if version is None:
                raise ConfigUnavailable("There is no lvs.cf. Create it first.")
            return version

        audit = Audit(self.engine.paths.audit)
        trying = Trying(saved, audit, lambda: self.engine.health_settings, self.engine.probe)
        return asyncio.run(trying.try_checks(request, Caller(self.user, self.from_)))

    def last_check(self, server: str) -> LastCheck:
        self._note("last_check", server)
        servers = [
            each for virtual in self._status().virtual_servers for each in virtual.servers if each.path == server
        ]
        if not servers:
            unknown = (HealthState.UNKNOWN, "", "", None, "", None, "", 0.0, 0.0)
            return LastCheck(server, "", "", 0, *unknown, f"{server} is no real server of what runs.")
        told, found = servers[0], self.engine.checked if servers[0].is_active else None
        place = (server, told.name, told.address, told.port, told.health.state, told.health.since or "")
        seen = (told.health.reason, found, AT if found else "", 2.5 if found else None)
        return LastCheck(*place, *seen, "tcp", 6.0, 6.0, "" if told.is_active else "It is not active.")

    def stop(self) -> RunAnswer:
        self._note("stop")
        if self.engine.refusing is not None:
            raise self.engine.refusing
        was, self.engine.state = self.engine.state, RunState.STOPPED
        self.engine.reason = f"by {self.user} at {AT}"
        sentence = "LVS is stopped: one virtual server was taken down, addresses first."
        return RunAnswer(was is not RunState.STOPPED, self.engine.state, sentence)

    def start(self) -> RunAnswer:
        self._note("start")
        if self.engine.refusing is not None:
            raise self.engine.refusing
        self.engine.state, self.engine.reason = RunState.RUNNING, ""
        messages = ("lvs.cf has errors <in> what would run.",) if self.engine.unsafe else ()
        return RunAnswer(True, RunState.RUNNING, "LVS runs lvs.cf, serial_no 7.", (), messages)

    def failover(self, command: FailoverCommand) -> FailoverAnswer:
        self._note("failover", command)
        if self.engine.refusing is not None:
            raise self.engine.refusing
        return self.engine.failover

    def sync(self, request: SyncRequest) -> SyncAnswer:
        self._note("sync", request)
        if self.engine.refusing is not None:
            raise self.engine.refusing
        return self.engine.sync

    def summary(self) -> Summary:
        self._note("summary")
        told = self._status()
        shared = {each.name: getattr(told, each.name) for each in fields(Summary) if each.name != "overrides_in_all"}
        shared["overrides"] = told.overrides[:OVERRIDES_SHOWN]
        return Summary(**shared, overrides_in_all=len(told.overrides))

    def status(self, query: StatusQuery | None = None) -> EngineStatus:
        self._note("status", query)
        told, paths = self._status(), query.path.split("\n") if query is not None and query.path else None
        if paths is None:
            return told if query is None else self._part(told, query)
        picked = (
            replace(each, servers=tuple(server for server in each.servers if {each.path, server.path} & {*paths}))
            for each in told.virtual_servers
        )
        return replace(told, virtual_servers=tuple(each for each in picked if each.servers or each.path in paths))

    def _part(self, told: EngineStatus, query: StatusQuery) -> EngineStatus:
        """Return what matches, page by page: a text in names, and servers that are not up."""
        asked = asked_of(query)
        assert asked is not None
        found = [
            each
            for each in told.virtual_servers
            if each.is_active
            and asked.text in each.name
            and (not asked.is_trouble or each.refused or each.counts.up < each.counts.servers)
        ]
        first = min(asked.first, len(found))
        those = found[first - 1 :][: asked.limit] if found else []
        rows = shares([len(each.servers) for each in those], asked.servers)
        cut = tuple(
            replace(each, servers=each.servers[:count], matching=len(each.servers))
            for each, count in zip(those, rows, strict=True)
        )
        numbers = (len(told.faults), len(told.pending), len(told.foreign), len(told.overrides), len(told.addresses), 0)
        return replace(told, virtual_servers=cut, part=StatusPart(first, len(found), *numbers))

    def _status(self) -> EngineStatus:
        keeper = self.engine.keeper
        saved, running = keeper.saved(), self.engine.running
        services = (
            running.loaded.cluster.virtual_servers
            if running is not None and self.engine.state is RunState.RUNNING
            else ()
        )
        return EngineStatus(
            state=self.engine.state,
            reason=self.engine.reason,
            data_path="embedded",
            router="router1",
            at="2026-11-23T10:30:00+00:00",
            running_for_s=75.0,
            config=ConfigStatus(
                file=saved.file,
                saved_token=saved.token,
                saved_serial_no=7,
                running_token="" if running is None else running.token,
                running_serial_no=None if running is None else running.serial_no,
                applied_at=keeper.applied_at(),
                is_applied=running is not None and saved.token == running.token,
                problem=saved.problem,
            ),
            virtual_servers=tuple(
                VirtualServerStatus(
                    path=each.id,
                    name=each.name,
                    address=str(each.address.host) if each.address else "",
                    port=each.port,
                    protocol=str(each.protocol),
                    fwmark=each.fwmark,
                    scheduler=each.scheduler,
                    persistent_s=each.persistent_s,
                    is_active=each.is_active,
                    refused=self.engine.refused(each.name),
                    servers=tuple(self._server(server) for server in each.servers),
                    counts=self._counts(each.servers),
                    **self.engine.beside_virtual.get(each.name, {}),
                )
                for each in services
            ),
            overrides=tuple(self.engine.overrides),
            processes=(ProcessStatus("lvs", 4711, "keeps lvs.cf", 75.0),),
            faults=(),
            confirmation=self.engine.waits[0] if self.engine.waits is not None else None,
            counts=self._all_counts([each for each in services if each.is_active]),
            **{**_pair(running), **self.engine.beside},
        )

    def _all_counts(self, virtuals: Any) -> Counts:
        found = self._counts([server for virtual in virtuals for server in virtual.servers])
        not_served = sum(bool(self.engine.refused(virtual.name)) for virtual in virtuals)
        drained = sum(each.kind == "drain" for each in self.engine.overrides)
        connections = 3 * found.servers
        return replace(
            found, virtual_servers=len(virtuals), not_served=not_served, drained=drained, connections=connections
        )

    def _counts(self, servers: Any) -> Counts:
        known = self.engine.health
        states = [
            known[each.name].state if each.name in known else HealthState.UNKNOWN for each in servers if each.is_active
        ]
        up, down = states.count(HealthState.UP), states.count(HealthState.DOWN)
        inactive = len(servers) - len(states)
        unknown = len(states) - up - down
        return Counts(1, servers=len(servers), up=up, down=down, unknown=unknown, inactive=inactive)

    def _server(self, server: Any) -> ServerStatus:
        unknown = Health(HealthState.UNKNOWN, "not checked yet", None, Source("nanny", None))
        return ServerStatus(
            path=server.id,
            name=server.name,
            role="server",
            address=str(server.address),
            port=server.port,
            is_active=server.is_active,
            configured_weight=server.weight,
            health=self.engine.health.get(server.name, unknown),
            traffic=Traffic(server.weight, 3, 1, 44, 1500, 2_500_000, Source("embedded", 0.1), rates=self.engine.rates),
            overrides=tuple(each for each in self.engine.overrides if each.scope == server.id),
        )


def _pair(running: Version | None) -> dict[str, Any]:
    """Return what failover tells where the lvs.cf that runs has two routers: all is well."""
    has_two = running is not None and running.loaded.cluster.is_backup_active
    return {"redundancy": pairs.WELL, "role": pairs.role_of(pairs.WELL)} if has_two else {}


class InProcessBrowser(PlainBrowser):
    """The plain browser, speaking to the application without a socket. It keeps the last raw answer."""

    def __init__(self, app: Flask, address: str = "127.0.0.1") -> None:
        super().__init__("localhost", 80)
        self.client = app.test_client()
        self.address = address
        self.answer: TestResponse | None = None
        self.extra: dict[str, str] = {}

    @property
    def session_cookie(self) -> str:
        """Return the value of the cookie of the session."""
        cookie = self.client.get_cookie(self._cookie_name())
        assert cookie is not None
        return cookie.value

    @session_cookie.setter
    def session_cookie(self, value: str) -> None:
        self.client.set_cookie(self._cookie_name(), value)

    def lose_cookie(self) -> None:
        """Forget the session's cookie, as a browser that was closed."""
        self.client.delete_cookie(self._cookie_name())

    def _cookie_name(self) -> str:
        return str(self.client.application.config["SESSION_COOKIE_NAME"])

    def _exchange(self, method: str, url: str, body: str | None) -> Page:
        for _ in range(10):
            self.answer = self.raw(method, url, body)
            if self.answer.status_code not in (301, 302, 303):
                return Page(self, url, self.answer.status_code, self.answer.get_data(as_text=True))
            url, method, body = urljoin(url, self.answer.headers["Location"]), "GET", None
        raise AssertionError(f"too many redirects at {url}")

    def raw(self, method: str, url: str, body: str | None = None, **headers: str) -> TestResponse:
        """Send one request and return the answer as it came, redirects not followed."""
        return self.client.open(
            url,
            method=method,
            data=body,
            content_type="application/x-www-form-urlencoded" if body is not None else None,
            headers={**self.extra, **headers},
            environ_overrides={"REMOTE_ADDR": self.address},
            buffered=True,
        )


@pytest.fixture(scope="session")
def password_line() -> str:
    """Give a line of the password file, with a hash that is quickly made and checked."""
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return f"piranha:{cheap.hash(PASSWORD)}\n"


@pytest.fixture
def paths(tmp_path: Path, password_line: str) -> Paths:
    """Give a root with an lvs.cf that runs, and a password."""
    made = Paths(tmp_path)
    made.lvs_cf.parent.mkdir(parents=True)
    made.lvs_cf.write_text(LVS_CF)
    made.passwd.parent.mkdir(parents=True)
    made.passwd.write_text(password_line)
    return made


@pytest.fixture
def engine(paths: Paths) -> KeeperEngine:
    """Give the engine behind the GUI; what is in lvs.cf is applied."""
    made = KeeperEngine(paths)
    made.keeper.catch_up()
    made.apply_now()
    return made


@pytest.fixture
def clock() -> Clock:
    """Give the clock of the GUI under test."""
    return Clock()


@pytest.fixture
def make_app(paths: Paths, engine: KeeperEngine, clock: Clock) -> Callable[[], Flask]:
    """Give a function that starts a GUI (again)."""

    def make() -> Flask:
        def engine_for(user: str, from_: str) -> EngineClient:
            return KeeperClient(engine, user, from_)

        made = create_app(paths, engine_for=engine_for, wall_clock=clock, steady_clock=clock, rate=UNHURRIED)
        made.jinja_env.bytecode_cache = COMPILED
        return made

    return make


@pytest.fixture
def app(make_app: Callable[[], Flask]) -> Flask:
    """Give a GUI."""
    return make_app()


@pytest.fixture
def stranger(app: Flask) -> InProcessBrowser:
    """Give a browser that has not logged in."""
    return InProcessBrowser(app)


@pytest.fixture
def log_in(app: Flask) -> Callable[..., InProcessBrowser]:
    """Give a function that logs one more browser in."""

    def make(address: str = "127.0.0.1") -> InProcessBrowser:
        browser = InProcessBrowser(app, address)
        assert browser.log_in(PASSWORD).status == 200
        return browser

    return make


@pytest.fixture
def browser(log_in: Callable[..., InProcessBrowser]) -> InProcessBrowser:
    """Give a browser that has logged in."""
    return log_in()


@dataclass
class Watched:
    """A file that is looked at for changes."""

    path: Path
    raw: bytes
    mtime_ns: int
    inode: int

    def is_untouched(self) -> bool:
        now = self.path.stat()
        return (self.path.read_bytes(), now.st_mtime_ns, now.st_ino) == (self.raw, self.mtime_ns, self.inode)

    def changed_lines(self) -> list[str]:
        """Return the lines that went (-) and came (+), but for the serial number."""
        delta = difflib.ndiff(self.raw.decode().splitlines(), self.path.read_text().splitlines())
        return [line for line in delta if line[0] in "+-" and "serial_no" not in line]


@pytest.fixture
def watched(paths: Paths, engine: KeeperEngine) -> Watched:
    """Give lvs.cf as it is before the test does anything."""
    now = paths.lvs_cf.stat()
    return Watched(paths.lvs_cf, paths.lvs_cf.read_bytes(), now.st_mtime_ns, now.st_ino)


@pytest.fixture
def every_secure_page() -> list[str]:
    """Give the address of every page behind the log-in."""
    http, web1 = "virtual=virtual%5Bhttp%5D", "server=virtual%5Bhttp%5D.server%5Bweb1%5D"
    return [
        "/secure/control",
        "/secure/control/stop",
        f"/secure/traffic?{http}",
        f"/secure/check?{web1}",
        "/secure/connections",
        "/secure/password",
        "/secure/global_settings",
        "/secure/redundancy",
        "/secure/redundancy/reset",
        "/secure/redundancy/failover?do=hold",
        "/secure/redundancy/sync",
        "/secure/virtual_servers",
        "/secure/virtual_server/add",
        f"/secure/virtual_server?{http}",
        f"/secure/virtual_server/delete?{http}",
        f"/secure/real_servers?{http}",
        f"/secure/real_server/add?{http}",
        f"/secure/real_server?{web1}",
        f"/secure/real_server/delete?{web1}",
        f"/secure/monitoring_scripts?{http}",
        "/secure/plan",
        "/secure/confirm",
        "/secure/history",
        "/secure/history/version?number=1",
        "/secure/history/diff?old=1&new=running",
        "/secure/history/restore?number=1",
        "/secure/events",
        "/secure/audit",
        "/secure/adopt",
        "/secure/introduction",
        "/secure/help",
    ]

"""A GUI in this process, before the real keeper of an lvs.cf in a folder of the test's own.

`KeeperClient` stands where the client of the engine's socket stands: the same calls, the real rules for tokens,
conflicts and edits, and it remembers who called and what.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.test import TestResponse

from piranha.client import EngineClient
from piranha.config.load import load
from piranha.engine.caller import Caller
from piranha.engine.connections import choice, limit_of
from piranha.engine.keeper import ConfigKeeper, described
from piranha.errors import ConfigConflict, EditRefused, EngineUnavailable, UnsafePlan
from piranha.messages import (
    AdoptRequest,
    ApplyAnswer,
    ClientConnection,
    ConnectionsAnswer,
    ConnectionsQuery,
    OverrideAnswer,
    Plan,
    PlannedStep,
    SaveAnswer,
    SavedConfig,
    SaveRequest,
)
from piranha.paths import Paths
from piranha.status import (
    ConfigStatus,
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
from piranha.web import create_app
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
    """The engine as the GUI sees it, around a real keeper. `is_dead`: nobody answers."""

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
    connections: list[ClientConnection] = field(default_factory=list)
    not_told: str = ""

    @property
    def keeper(self) -> ConfigKeeper:
        return ConfigKeeper(self.paths)

    def apply_now(self) -> None:
        version = self.keeper.saved_version()
        assert version is not None
        self.keeper.note_applied(version)

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

    def config(self) -> SavedConfig:
        self._note("config")
        return self.engine.keeper.saved()

    def create(self) -> SaveAnswer:
        self._note("create")
        return self.engine.keeper.create(Caller(self.user))

    def adopt(self, content: bytes, token: str, name: str = "", *, dry_run: bool = False) -> SaveAnswer:
        self._note("config" if dry_run else "adopt", name)
        return self.engine.keeper.adopt(AdoptRequest(content, token, name, dry_run), Caller(self.user))

    def running(self) -> SavedConfig:
        self._note("running")
        version = self.engine.keeper.running_version()
        return described("running.cf", None if version is None else version.raw)

    def save(self, edits: Any, expected: Any) -> SaveAnswer:
        self._note("save", (list(edits), list(expected)))
        return self.engine.keeper.save(SaveRequest(list(edits), list(expected)), Caller(self.user))

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
            (self.engine.unsafe,) if self.engine.unsafe else (),
            (self.engine.unsafe,) if self.engine.unsafe.startswith("It would empty") else (),
        )

    def apply(self, token: str = "", force: bool = False, removes_at_once: bool = False) -> ApplyAnswer:
        self._note("apply", (token, force, removes_at_once))
        saved = self.engine.keeper.saved_version()
        assert saved is not None
        if token and token != saved.token:
            raise ConfigConflict("", saved.loaded.document.text)
        if self.engine.unsafe and not force:
            raise UnsafePlan(self.engine.unsafe)
        self.engine.apply_now()
        return ApplyAnswer(saved.token, saved.serial_no, (PlannedStep("Add TCP 192.0.2.80:80.", ""),), ())

    def override(self, server: str, kind: str, weight: int = 0) -> OverrideAnswer:
        self._note("override", (server, kind, weight))
        if "[web" not in server:
            raise EditRefused(server, "", f"{server} is not in what runs.")
        number = len(self.engine.overrides) + 1
        made = OverrideStatus(number, kind, server, server, weight, self.user, self.from_, "2026-11-23T10:00:00+00:00")
        self.engine.overrides.append(made)
        return OverrideAnswer((server,))

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

    def status(self) -> EngineStatus:
        self._note("status")
        keeper = self.engine.keeper
        saved, running = keeper.saved(), keeper.running_version()
        services = (
            () if running is None or self.engine.state is RunState.IDLE else running.loaded.cluster.virtual_servers
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
                )
                for each in services
            ),
            overrides=tuple(self.engine.overrides),
            processes=(ProcessStatus("lvs", 4711, "keeps lvs.cf", 75.0),),
            faults=(),
            **self.engine.beside,
        )

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


class InProcessBrowser(PlainBrowser):
    """The plain browser, speaking to the application without a socket. It keeps the last raw answer."""

    def __init__(self, app: Flask, address: str = "127.0.0.1") -> None:
        super().__init__("localhost", 80)
        self.client = app.test_client()
        self.address = address
        self.answer: TestResponse | None = None
        self.extra: dict[str, str] = {}

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

        made = create_app(paths, engine_for=engine_for, wall_clock=clock, steady_clock=clock)
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
        "/secure/connections",
        "/secure/password",
        "/secure/global_settings",
        "/secure/redundancy",
        "/secure/redundancy/reset",
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
        "/secure/adopt",
        "/secure/introduction",
        "/secure/help",
    ]

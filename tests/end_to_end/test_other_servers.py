"""Checks of servers that other people wrote: each is found up, stopped, found down with the reason, and is back.

nginx (by texts, and as piranha.toml says by HTTP and HTTPS with the page and the certificate), vsftpd as the manual
says it (send `quit`, expect 220), and nsd in the two ways in which a DNS server can be checked: by a text over UDP, and
by a program that asks a real question. And sshd, over which uptime tells the load. rstatd and rwhod, which need a
network of their own, are in the lab's tests.
"""

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from piranha.cli import certificate
from piranha.client import EngineClient
from piranha.config.load import load
from piranha.errors import PiranhaError
from piranha.health.load import Unread, load_in
from piranha.health.load_questions import Question, question_of
from piranha.paths import Paths
from piranha.status import HealthState, ServerStatus
from piranha.system.load_queries import NoAnswer, ask
from tests.running_demo import until

pytestmark = [pytest.mark.end_to_end, pytest.mark.debian]

TIMEOUT_S, REENTRY_S = 2, 2
SLACK_S = 8.0
"""For processes that share two cores with other tests."""
KINDS = """
[checks.virtual.byhttp]
kind = "http"
path = "/health"
expect = "ready"
[checks.virtual.byhttps]
kind = "https"
path = "/health"
host = "localhost"
ca_file = "/cert.pem"
[checks.virtual.othername]
kind = "https"
path = "/health"
host = "www.example.com"
ca_file = "/cert.pem"
[checks.virtual.nopage]
kind = "https"
host = "localhost"
ca_file = "/cert.pem"
"""
HEAD = "serial_no = 1\nprimary = 127.0.0.1\nservice = lvs\nnetwork = nat\nnat_router = 127.0.0.1 lo:0\n"


@dataclass
class Other:
    """Somebody else's server in a process of its own, with a configuration of its own."""

    words: list[str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        """End it with its children; all of them are one process group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)
            self.process = None


def is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


PORTS = filter(is_free, random.sample(range(15_000, 30_000), 5_000))
"""Below those that a client is given, so that a server that was stopped gets its own again."""


def found(program: str) -> str:
    path = shutil.which(program, path="/usr/sbin:/usr/bin")
    assert path is not None, f"{program} is missing: run .ci/apt-install"
    return path


def nginx(folder: Path, port: int, tls_port: int) -> Other:
    made = certificate.make(("localhost",), 90, datetime.now(UTC))
    (folder / "cert.pem").write_bytes(made.certificate)
    (folder / "key.pem").write_bytes(made.key)
    config = folder / "nginx.conf"
    paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    config.write_text(
        f"daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.err;\n"
        "events {\n worker_connections 64;\n}\nhttp {\n access_log off;\n"
        + "".join(f" {each}_temp_path {folder}/{each};\n" for each in paths)
        + f" server {{\n  listen 127.0.0.1:{port};\n  listen 127.0.0.1:{tls_port} ssl;\n"
        f"  ssl_certificate {folder}/cert.pem;\n  ssl_certificate_key {folder}/key.pem;\n"
        '  location = /health { return 200 "ready\\n"; }\n  location / { return 404; }\n }\n}\n'
    )
    return Other([found("nginx"), "-p", str(folder), "-c", str(config), "-e", "stderr"], folder / "nginx.log")


def vsftpd(folder: Path, port: int) -> Other:
    config = folder / "vsftpd.conf"
    # run_as_launching_user: it needs no root then, and looks at no user of this machine.
    config.write_text(
        f"listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nrun_as_launching_user=YES\n"
        "anonymous_enable=YES\nlocal_enable=NO\nwrite_enable=NO\nxferlog_enable=NO\n"
    )
    return Other([found("vsftpd"), str(config)], folder / "vsftpd.log")


def nsd(folder: Path, port: int) -> Other:
    config = folder / "nsd.conf"
    (folder / "zone").write_text(
        "$ORIGIN example.test.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
    )
    config.write_text(
        f'server:\n ip-address: 127.0.0.1\n port: {port}\n username: ""\n chroot: ""\n zonesdir: "{folder}"\n'
        f' database: ""\n zonelistfile: "{folder}/zones"\n xfrdfile: "{folder}/xfrd"\n xfrdir: "{folder}"\n'
        ' pidfile: ""\nremote-control:\n control-enable: no\nzone:\n name: "example.test"\n zonefile: "zone"\n'
    )
    return Other([found("nsd"), "-d", "-c", str(config)], folder / "nsd.log")


def sshd(folder: Path, port: int) -> Other:
    """Return an sshd that lets its own user in, with the key `id`."""
    for name in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    config = folder / "sshd.conf"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/id.pub\n"
        "StrictModes no\nPidFile none\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    return Other([found("sshd"), "-D", "-e", "-f", str(config)], folder / "sshd.log")


def virtual(name: str, port: int, *lines: str) -> str:
    """Return a virtual server with one real server of its name."""
    head = ["active = 1", "address = 127.0.0.1 lo:1", f"port = {next(PORTS)}"]
    times = [f"timeout = {TIMEOUT_S}", f"reentry = {REENTRY_S}"]
    server = [f"server {name} {{", "address = 127.0.0.1", "active = 1", f"port = {port}", "}"]
    return "\n".join([f"virtual {name} {{", *head, *times, *lines, *server, "}", ""])


class Router:
    """An engine on the embedded data path, and the servers that it checks."""

    def __init__(self, root: Path, others: dict[str, Other], text: str) -> None:
        self.others = others
        self._paths = Paths(root)
        self._client = EngineClient(self._paths.socket)
        self._paths.lvs_cf.parent.mkdir(parents=True)
        self._paths.lvs_cf.write_text(text)
        self._paths.piranha_toml.write_text(KINDS)
        words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(root), "--data-path", "embedded"]
        with (root / "pulse.log").open("w") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def log(self) -> str:
        return (self._paths.root / "pulse.log").read_text()

    def server(self, name: str) -> ServerStatus | None:
        try:
            virtuals = self._client.status().virtual_servers
        except PiranhaError:
            return None
        return next((server for each in virtuals for server in each.servers if server.name == name), None)

    def sees(self, name: str, state: HealthState, within_s: float) -> str:
        """Wait until a server has a state; return why."""

        def is_so() -> bool:
            server = self.server(name)
            return server is not None and server.health.state is state

        until(is_so, within_s, f"{name} is {state}")
        server = self.server(name)
        assert server is not None and server.health.state is state
        assert (server.traffic.weight == 1) is (state is HealthState.UP), server
        return server.health.reason


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    folder = tmp_path_factory.mktemp("others")
    http, https, ftp, dns = itertools.islice(PORTS, 4)
    servers = {"nginx": nginx(folder, http, https), "vsftpd": vsftpd(folder, ftp), "nsd": nsd(folder, dns)}
    text = (
        HEAD
        + virtual("http", http, r'send = "GET /health HTTP/1.0\r\n\r\n"', 'expect = "HTTP/1.1 200"')
        + virtual("page", http, r'send = "GET /health HTTP/1.0\r\n\r\n"', 'expect = "^HTTP/1.. 200(.|\\n)*ready"',
                  "use_regex = 1")
        + virtual("missing", http, r'send = "GET / HTTP/1.0\r\n\r\n"', 'expect = "HTTP/1.1 200"')
        + virtual("https", https)
        + virtual("byhttp", http)
        + virtual("byhttps", https)
        + virtual("othername", https)
        + virtual("nopage", https)
        + virtual("ftp", ftp, r'send = "quit\r\n"', 'expect = "220"')
        + virtual("dns", dns, "protocol = udp", 'send = "PIranha check"', 'expect = "PI"')
        + virtual("zone", dns, "protocol = udp", 'send_program = "host -W 1 -p %p -t SOA example.test %h"',
                  'expect = "*"')
        + virtual("nozone", dns, "protocol = udp", 'send_program = "host -W 1 -p %p -t SOA example.org %h"',
                  'expect = "*"')
    )  # fmt: skip
    for each in servers.values():
        each.start()
    found = Router(folder, servers, text)
    yield found
    found.process.terminate()
    found.process.wait(30)
    for each in servers.values():
        each.stop()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", r'answered "HTTP/1.1 404 Not Found\r\n'),
        ("othername", "certificate of 127.0.0.1:"),
        ("nopage", "HTTP 404"),
        ("nozone", "the program exited with status 1"),
    ],
)
def test_one_that_answers_something_else_is_down(router: Router, name: str, reason: str) -> None:
    assert router.sees(name, HealthState.DOWN, 30.0).startswith(reason)


LIFE = [
    ("nginx", "http", 'answered "HTTP/1.1 200 OK"', "connect to 127.0.0.1:{} refused"),
    ("nginx", "page", 'answered "HTTP/1.1 200 OK', "connect to 127.0.0.1:{} refused"),
    ("nginx", "https", "connected to 127.0.0.1:{}", "connect to 127.0.0.1:{} refused"),
    ("nginx", "byhttp", 'HTTP 200 with "ready" in the body', "connect to 127.0.0.1:{} refused"),
    ("nginx", "byhttps", "HTTP 200", "connect to 127.0.0.1:{} refused"),
    ("vsftpd", "ftp", 'answered "220 (vsFTPd ', "connect to 127.0.0.1:{} refused"),
    ("nsd", "dns", 'answered "PI', "UDP port 127.0.0.1:{} is closed (ICMP port unreachable)"),
    ("nsd", "zone", 'the program answered "Using domain server:', "the program exited with status 1"),
]
"""The program, the server of lvs.cf, and how its reason begins while it is up and when it is down."""


@pytest.mark.parametrize(("program", "name", "up", "down"), LIFE, ids=[each[1] for each in LIFE])
def test_it_is_up_down_when_it_is_stopped_and_up_again(
    router: Router, program: str, name: str, up: str, down: str
) -> None:
    first = router.sees(name, HealthState.UP, 30.0)
    server = router.server(name)
    assert server is not None
    assert first.startswith(up.format(server.port)), first
    other = router.others[program]
    assert other.process is not None and other.process.poll() is None, other.log.read_text()
    other.stop()
    why = router.sees(name, HealthState.DOWN, 2 * TIMEOUT_S + SLACK_S)
    assert why.startswith(down.format(server.port)), why
    logged = f"[inactive] shutting down 127.0.0.1:{server.port} due to connection failure: {why}"
    assert logged in router.log
    other.start()
    again = router.sees(name, HealthState.UP, 2 * TIMEOUT_S + REENTRY_S + SLACK_S)
    assert again.startswith(up.format(server.port)), again


def test_uptime_over_ssh_tells_the_load_or_why_it_does_not(tmp_path: Path) -> None:
    port = next(PORTS)
    other = sshd(tmp_path, port)
    trust = f"-o StrictHostKeyChecking=no -o UserKnownHostsFile={tmp_path}/known -o LogLevel=ERROR"
    ssh = f"ssh -F /dev/null -i {tmp_path}/id -p {port} {trust}"
    lines = virtual("web", port, "load_monitor = uptime")
    cluster = load(f'{HEAD}rsh_command = "{ssh}"\n{lines}').cluster
    question = question_of(cluster, cluster.virtual_servers[0], cluster.virtual_servers[0].servers[0])
    assert isinstance(question, Question) and "BatchMode=yes" in question.words

    def told() -> float | Unread | str:
        try:
            return load_in(ask(question, threading.Event(), user=lambda name: None))
        except NoAnswer as reason:
            return str(reason)

    for _ in range(2):
        other.start()
        try:
            until(lambda: isinstance(told(), float), SLACK_S, "the load is told")
        finally:
            other.stop()
        refused = f"ssh ended with status 255: ssh: connect to host 127.0.0.1 port {port}: Connection refused"
        assert told() == refused

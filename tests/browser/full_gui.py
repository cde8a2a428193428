"""A GUI on a port of its own that has one of everything to show: odd names, faults, every state of every table.

Before it stands the real keeper of an lvs.cf; what only a router with partner, kernel and clients could tell is told by
`FullClient`, so that no page and no part of a page is left out.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from werkzeug.serving import WSGIRequestHandler, make_server

from piranha.client import EngineClient
from piranha.messages import ClientConnection
from piranha.monitoring import TrafficSample
from piranha.paths import Paths
from piranha.records import AuditEntry, EngineEvent
from piranha.status import (
    AddressState,
    AddressStatus,
    ConnectionTimeouts,
    EngineStatus,
    Health,
    HealthState,
    KernelStatus,
    PendingStep,
    Rates,
    ServiceTraffic,
    SettingStatus,
    SettingVerdict,
    Source,
    SyncDaemonStatus,
    VirtualServerStatus,
)
from piranha.web import create_app
from piranha.web.throttle import RequestRate
from tests.plain_browser import PlainBrowser
from tests.web.conftest import AT, PASSWORD, KeeperClient, KeeperEngine
from tests.web.routes import address_of

LONG = "a-name-with-sixty-characters-and-not-one-blank-to-break-it-at"[:60]
ODD = 'größe/<b>"x"&amp;'
LVS_CF = f"""# The two routers of the shop.
serial_no = 41
primary = 192.0.2.11
primary_private = 10.9.0.1
service = lvs
rsh_command = ssh
backup_active = 1
backup = 192.0.2.12
backup_private = 10.9.0.2
heartbeat = 1
heartbeat_port = 539
keepalive = 6
deadtime = 8
network = nat
nat_router = 10.0.0.254 eth1:1
nat_nmask = 255.255.255.0
debug_level = NONE
monitor_links = 1
syncdaemon = 1
syncd_iface = eth1
syncd_id = 7
tcp_timeout = 900
colour = red
failover oldweb {{
     active = 0
     address = 192.0.2.70 eth0:7
     port = 80
}}
virtual HTTP {{
     active = 1
     address = 192.0.2.80 eth0:1
     vip_nmask = 255.255.255.0
     port = 80
     # What the front page says.
     send = "GET / HTTP/1.0\\r\\n\\r\\n"
     expect = "HTTP"
     use_regex = 0
     load_monitor = none
     scheduler = wlc
     protocol = tcp
     timeout = 6
     reentry = 15
     quiesce_server = 0
     sorry_server = 192.0.2.99
     server web1 {{
         address = 10.0.0.21
         active = 1
         weight = 5
     }}
     server web2 {{
         address = 10.0.0.22
         active = 1
         weight = 1
     }}
     server web3 {{
         address = 10.0.0.23
         active = 1
         weight = 1
     }}
     server spare {{
         address = 10.0.0.24
         active = 0
         weight = 1
     }}
}}
virtual FTP {{
     active = 1
     address = 192.0.2.81 eth0:2
     port = 21
     fwmark = 21
     persistent = 300
     pmask = 255.255.255.0
     send = "quit"
     expect = "220"
     server files {{
         address = 10.0.0.31
         active = 1
         weight = 1
     }}
}}
virtual v6 {{
     active = 1
     address = 2001:db8::80 eth0:3
     port = 443
     send_program = "/usr/local/bin/check %h %p"
     expect = "OK"
     scheduler = mh
     server s6 {{
         address = 2001:db8:0:1::21
         active = 1
         port = 8443
         weight = 1
     }}
}}
virtual {LONG} {{
     active = 1
     address = 192.0.2.83 eth0:4
     port = 8080
     server {LONG} {{
         address = a-host-name.with-many.parts-and.no-end.example.org
         active = 1
         weight = 1
     }}
}}
virtual {ODD} {{
     active = 2
     address = 192.0.2.84 eth0:5
     port = 53
     protocol = udp
     server a{{b] {{
         address = 10.0.0.51
         active = 1
     }}
}}
virtual [server_name] {{
     active = 0
     address = 0.0.0.0 eth0:1
     port = 80
}}
virtual [server_name] {{
     active = 7
     address = 0.0.0.0 eth0:1
     port = 99999
     server [unnamed] {{
         address = 0.0.0.0
         active = 0
         weight = 1
     }}
}}
"""
BLOCKS = {
    "usual": ("virtual[HTTP]", "virtual[HTTP].server[web1]"),
    "long": (f"virtual[{LONG}]", f"virtual[{LONG}].server[{LONG}]"),
    "faulty": ('virtual["[server_name]"#2]', 'virtual["[server_name]"#2].server["[unnamed]"]'),
}
"""Virtual servers, each with a real server, whose own pages are looked at."""
ABOUT_A_BLOCK = (
    *("virtual_servers.show", "virtual_servers.ask_delete", "monitoring_scripts.show"),
    *("real_servers.show_all", "real_servers.show", "real_servers.ask_delete", "last_check.show"),
)
OTHER_WORDS = ("connections.", "monitor.control")
"""There `server` is an address, and `virtual` leaves out the others."""
NO_PAGES = ("static", "bootstrap.", "old_addresses.")

UP = Health(HealthState.UP, "HTTP/1.1 200 OK", "2026-11-20T08:00:00+00:00", Source("nanny", 2.5), 3, 3)
DOWN = Health(
    HealthState.DOWN,
    "Connection refused by 10.0.0.22:80 (nothing listens there)",
    "2026-11-23T10:29:00+00:00",
    Source("nanny", 2.5),
    1,
    3,
)
RATES = Rates(12, 340, 290, 51_000, 7_800_000)


class Silent(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing about each request."""


class FullClient(KeeperClient):
    """What the engine of a busy router tells."""

    def status(self, *asked: Any) -> EngineStatus:
        told = super().status(*asked)
        return replace(told, data_path="kernel", virtual_servers=tuple(map(self._dressed, told.virtual_servers)))

    @staticmethod
    def _dressed(virtual: "VirtualServerStatus") -> "VirtualServerStatus":
        if virtual.name == "HTTP" and len(virtual.servers) > 1:
            web1 = virtual.servers[0]
            leaving = replace(
                web1, path="", name="old", role="draining", address="10.0.0.20", overrides=(), drain_ends_in_s=212.0
            )
            sorry = replace(web1, name="sorry", role="sorry", address="192.0.2.99", overrides=())
            counted = ServiceTraffic(12_345, 1, 2, 987_654_321, 55_555_555_555, RATES, Source("kernel", 0.1))
            return replace(virtual, servers=(*virtual.servers, leaving, sorry), traffic=counted)
        if virtual.name == "FTP":
            return replace(
                virtual,
                differs="The kernel has no scheduler wrx; it uses wlc.",
                address_trouble="Another station answers for 192.0.2.81 (02:00:00:00:00:01).",
            )
        return virtual


def told_at(moment: int) -> tuple[float | None, float | None, float | None, int | None]:
    """Return what a sample of the last hour has; for some minutes nothing was known."""
    if 200 <= moment < 208:
        return None, None, None, None
    return moment % 40 / 3, 900.0 * (moment % 60), 125_000.0 * (moment % 50), moment % 30


def fill(engine: KeeperEngine) -> None:
    """Let everything be there that a table can hold."""
    engine.rates = RATES
    engine.health = {"web1": UP, "web2": DOWN, "files": UP, LONG: DOWN}
    engine.refused = lambda name: "The kernel has no scheduler mh: modprobe ip_vs_mh." if name == "v6" else ""
    engine.connections = [
        ClientConnection("TCP", "198.51.100.7", 40001, "192.0.2.80:80", "10.0.0.21:80", "ESTABLISHED", False, 890),
        ClientConnection(
            "TCP", "2001:db8::7", 40002, "[2001:db8::80]:443", "[2001:db8:0:1::21]:8443", "SYN_RECV", False, 50
        ),
        ClientConnection("TCP", "198.51.100.0", 0, "firewall mark 21", "10.0.0.31:21", "TEMPLATE", True, None),
    ]
    hour = datetime.fromisoformat(AT) - timedelta(hours=1)
    engine.samples = tuple(
        TrafficSample((hour + timedelta(seconds=15 * each)).isoformat(), *told_at(each)) for each in range(181, 241)
    )
    forward = "net.ipv4.ip_forward"
    engine.beside = {
        "messages": ("Router router2 has not been heard for 25 s.",),
        "pending": (
            PendingStep("Add real server 10.0.0.21:80 to TCP 192.0.2.80:80.", "the kernel has no scheduler <mh>"),
            PendingStep("Remove UDP 192.0.2.9:53."),
        ),
        "foreign": ("SCTP 192.0.2.9:5060", "TCP [2001:db8::9]:25"),
        "addresses": (
            AddressStatus(
                "192.0.2.80/24", "eth0", "eth0:1", "virtual[HTTP]", AddressState.CARRIED, rounds=5, told_s_ago=9
            ),
            AddressStatus(
                "192.0.2.81/24",
                "eth0",
                "eth0:2",
                "",
                AddressState.CONFLICT,
                "Another station has it.",
                "02:00:00:00:00:01",
            ),
            AddressStatus(
                "10.0.0.254/24", "eth1", "eth1:1", "nat_router", AddressState.WAS_THERE, "It stays when Piranha stops."
            ),
            AddressStatus("", "eth9", "eth9:1", "virtual[v6]", AddressState.REFUSED, "There is no interface eth9."),
        ),
        "kernel": KernelStatus(
            "1.2.1",
            4096,
            ConnectionTimeouts(900, 120, 300),
            (SyncDaemonStatus("master", "eth1", 7),),
            (
                SettingStatus(forward, "0", SettingVerdict.WRONG, "1", "NAT needs it.", f"sysctl -w {forward}=1"),
                SettingStatus(
                    "net.ipv4.vs.conntrack", "0", SettingVerdict.ADVISED, "1", "Slower.", "sysctl -w x=1", True
                ),
                SettingStatus("net.ipv4.conf.eth0.arp_ignore", "1", SettingVerdict.FITS, "1", "As it should be."),
                SettingStatus("net.ipv4.vs.expire_nodest_conn", None, SettingVerdict.UNKNOWN, "1", "Not shown here."),
            ),
            "",
            Source("the kernel", 0.0),
        ),
    }
    web2 = "virtual[HTTP].server[web2]"
    engine.events = [
        EngineEvent(1, AT, "server-down", web2, "web2 is down: connection refused.", count=3, since=AT),
        EngineEvent(2, AT, "refused", f"virtual[{LONG}]", "It is not served: <b>no such host</b>."),
        EngineEvent(3, AT, "applied", "", "lvs.cf with serial_no 41 runs.", "piranha", "198.51.100.7"),
    ]
    engine.audit = [
        AuditEntry(1, AT, "piranha", "198.51.100.7", 998, "override", "refused", "<i>not there", "virtual[HTTP]"),
        AuditEntry(2, AT, "root", "", 0, "save", "done", "", "virtual[HTTP]", "a" * 64, "b" * 64, 1),
        AuditEntry(3, AT, "root", "", None, "apply", "unfinished", diff="--- a\n+++ b\n@@ -1 +1 @@\n-old <b>\n+new\n"),
        AuditEntry(4, AT, "", "", None, "login", "failed", "the disk is full"),
    ]


class FullGui:
    """The GUI that runs, and the engine behind it."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.paths.lvs_cf.parent.mkdir(parents=True)
        self.paths.lvs_cf.write_text(LVS_CF)
        self.paths.passwd.parent.mkdir(parents=True)
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.paths.passwd.write_text(f"piranha:{cheap.hash(PASSWORD)}\n")
        self.engine = KeeperEngine(self.paths)
        self.engine.keeper.catch_up()
        self.engine.apply_now()
        fill(self.engine)
        self.app = create_app(self.paths, engine_for=self._engine_for, rate=RequestRate(at_once=10**9))
        self.port = 0

    def _engine_for(self, user: str, from_: str) -> EngineClient:
        return FullClient(self.engine, user, from_)

    def client(self) -> EngineClient:
        """Return the engine as somebody at another computer has it."""
        return self._engine_for("somebody", "198.51.100.9")

    def save(self, old: str, new: str) -> None:
        """Change lvs.cf as somebody with an editor does; it is not applied."""
        text = self.paths.lvs_cf.read_text()
        assert old in text
        self.paths.lvs_cf.write_text(text.replace(old, new))
        self.engine.keeper.catch_up()

    @property
    def url(self) -> str:
        """Return its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def serving(self) -> Iterator["FullGui"]:
        """Answer on a port of its own."""
        server = make_server("127.0.0.1", 0, self.app, threaded=True, request_handler=Silent)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="full GUI")
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join(30)
            server.server_close()

    def pages(self) -> dict[str, str]:
        """Return every page of the URL map: its name, and an address that leads to it.

        A page about a block is there once for each of BLOCKS. Old addresses, files and parts of pages are none.
        """
        browser = PlainBrowser("127.0.0.1", self.port)
        browser.log_in(PASSWORD)
        found = {}
        for rule in self.app.url_map.iter_rules():
            if "GET" not in (rule.methods or ()) or rule.endpoint.startswith(NO_PAGES):
                continue
            for which, (virtual, server) in BLOCKS.items():
                if which == "usual" or rule.endpoint in ABOUT_A_BLOCK:
                    query = {"number": "1", "old": "1", "new": "saved", "do": "hand-over"}
                    if not rule.endpoint.startswith(OTHER_WORDS):
                        query |= {"virtual": virtual, "server": server}
                    name = rule.endpoint if which == "usual" else f"{rule.endpoint} {which}"
                    found[name] = address_of(rule, query)
        return {name: address for name, address in found.items() if "<html" in browser.open(address).html}

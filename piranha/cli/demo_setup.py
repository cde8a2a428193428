"""The demo's own root: lvs.cf, the password, the ports of its servers. Made at the first run, then kept."""

import secrets
import socket
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from piranha import passwords, resources
from piranha.config.document import Document
from piranha.config.editing import apply_edits, with_next_serial
from piranha.config.edits import Edit, SetValues
from piranha.config.load import decode, encode, encoding_of, load
from piranha.config.path import parse_block
from piranha.errors import EditRefused, PiranhaError
from piranha.paths import Paths
from piranha.system.boot import monotonic
from piranha.system.files import make_folder, write_atomically
from piranha.system.passwd_file import store

SERVERS = ("web1", "web2", "web3")
SERVER_HOST = "127.0.0.1"
VIRTUAL = "virtual[demo]"
GUI_HOST = "127.0.0.1"
GUI_PORT = 3636
# Linux has all of 127.0.0.0/8 on lo; elsewhere 127.0.0.1 is the only loopback address.
VIP = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
VIP_PORT = 8080
# Below the range that systems take for outgoing connections, so that a port kept today is free tomorrow.
WEB_PORTS = range(20000, 30000)
PASSWORD_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike

LVS_CF = """\
# The configuration of the Piranha demo: one virtual server over three small web servers on this machine.
# `piranha demo` wrote it at its first run and keeps it from then on. Change it in the browser, or here;
# what runs changes at Apply. Comments stay where they are.
serial_no = 1

# One router alone: no partner, so no heartbeat.
primary = {server_host}
backup_active = 0
backup = 0.0.0.0
heartbeat = 0
heartbeat_port = 539
keepalive = 6
deadtime = 18
service = lvs
network = nat
# The gateway of real servers that are reached by NAT; those of the demo need none.
nat_router = {server_host} lo:2
debug_level = NONE
monitor_links = 0
syncdaemon = 0

virtual demo {{
     active = 1
     address = {vip} lo:1
     vip_nmask = 255.255.255.255
     port = {vip_port}
     protocol = tcp
     # Requests go to the three servers in turn.
     scheduler = rr
     # Each server is asked every 2 seconds; one that failed must answer for 4 seconds before it is back.
     send = "GET / HTTP/1.0\\r\\n\\r\\n"
     expect = "HTTP/1.1 200"
     use_regex = 0
     load_monitor = none
     timeout = 2
     reentry = 4
     quiesce_server = 0
{servers}}}
"""
SERVER_BLOCK = """\
     server {name} {{
         address = {host}
         active = 1
         port = {port}
         weight = 1
     }}
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered from run to run, in demo.json (0600)."""

    password: str
    web_ports: dict[str, int]


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that is ready to be started. `vip` is None where its lvs.cf has no virtual server `demo`."""

    paths: Paths
    kept: Kept
    vip: tuple[str, int] | None


def kept_file(paths: Paths) -> Path:
    """Return where the demo keeps its password and ports."""
    return paths.root / "demo.json"


def make_folders(paths: Paths) -> None:
    """Make the folders below the demo's root that are missing. Raises PiranhaError."""
    for folder in (paths.lvs_cf.parent, paths.run, paths.state, paths.gui_state, log_folder(paths)):
        make_folder(folder, 0o700)


def prepare(paths: Paths, vip_port: int | None = None, web_ports: Mapping[str, int] | None = None) -> Demo:
    """Make what is missing below the demo's root, and return the demo.

    `vip_port` and `web_ports` (by server) are ports to be used from now on; 0 is a free one. They are written
    into lvs.cf. Nothing else that is there is changed. No engine may run on this root. Raises PiranhaError.
    """
    kept = _kept(paths)
    changed = {name: port or _free_port(SERVER_HOST) for name, port in (web_ports or {}).items()}
    ports = kept.web_ports | changed
    kept = Kept(kept.password, {name: ports[name] for name in SERVERS})
    write_atomically(kept_file(paths), msgspec.json.format(msgspec.json.encode(kept)), mode=0o600)
    if vip_port == 0:
        vip_port = _free_port(VIP)
    if paths.lvs_cf.exists():
        edits: list[Edit] = [] if vip_port is None else [SetValues(path=VIRTUAL, values={"port": str(vip_port)})]
        for name, port in changed.items():
            edits.append(SetValues(path=f"{VIRTUAL}.server[{name}]", values={"port": str(port)}))
        # What ran when the demo was killed runs again at its next start, so that text gets the new ports too.
        for file in (paths.lvs_cf, paths.running_cf):
            _edit(file, edits)
    else:
        text = first_lvs_cf(vip_port or VIP_PORT, kept.web_ports)
        write_atomically(paths.lvs_cf, encode(text), mode=0o600)
    return Demo(paths, kept, vip_of(load(decode(_read(paths.lvs_cf))).document))


def first_lvs_cf(vip_port: int, web_ports: Mapping[str, int]) -> str:
    """Return the lvs.cf of a first run."""
    blocks = [SERVER_BLOCK.format(name=name, host=SERVER_HOST, port=port) for name, port in web_ports.items()]
    return LVS_CF.format(server_host=SERVER_HOST, vip=VIP, vip_port=vip_port, servers="".join(blocks))


def vip_of(document: Document) -> tuple[str, int] | None:
    """Return address and port of the virtual server `demo`, or None if there is none."""
    block = parse_block(VIRTUAL)
    if not document.has(block):
        return None
    address, port = document.get(block, "address") or VIP, document.get(block, "port") or "80"
    return (address.split()[0], int(port)) if port.isdecimal() and address.split() else None


def taken_ports(demo: Demo, gui_port: int, patience_s: float) -> list[str]:
    """Return one sentence for each port that somebody else has, with the way out.

    A port may become free within `patience_s`: programs of a demo that was killed are just ending.
    """
    wanted: list[tuple[str, str, int, str]] = [("GUI", GUI_HOST, gui_port, "--gui-port PORT")]
    if demo.vip is not None:
        wanted.append(("virtual server demo", *demo.vip, "--vip-port PORT"))
    wanted += [
        (f"web server {name}", SERVER_HOST, port, f"--web-port {name}=PORT")
        for name, port in demo.kept.web_ports.items()
    ]
    in_checkout = 'In a checkout: make run ARGS="..."' if resources.checkout() else ""
    give_up_at = monotonic() + patience_s
    while sentences := [
        f"{host}:{port}, wanted for the {what}, cannot be used ({problem}). "
        f"Choose another port: piranha demo {option} (0: a free one). {in_checkout}"
        for what, host, port, option in wanted
        if (problem := _problem_of(host, port))
    ]:
        if monotonic() > give_up_at:
            return sentences
        time.sleep(0.1)
    return []


def free_gui_port() -> int:
    """Return a port for the GUI that nobody has."""
    return _free_port(GUI_HOST)


def log_folder(paths: Paths) -> Path:
    """Return where the programs of the demo write their messages."""
    return paths.root / "var/log"


def _kept(paths: Paths) -> Kept:
    file = kept_file(paths)
    is_new = not file.exists()
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=Kept)
    except FileNotFoundError:
        taken: set[int] = set()
        for _ in SERVERS:
            taken.add(_free_port(SERVER_HOST, besides=taken))
        kept = Kept(_new_password(), dict(zip(SERVERS, sorted(taken), strict=True)))
    except OSError as problem:
        raise PiranhaError(f"Cannot read {file}: {problem.strerror}.") from problem
    except msgspec.DecodeError as problem:
        raise PiranhaError(f"{file} is damaged ({problem}). Remove {paths.root} to begin anew.") from problem
    if set(kept.web_ports) != set(SERVERS):
        raise PiranhaError(f"{file} does not name {', '.join(SERVERS)}. Remove {paths.root} to begin anew.")
    if is_new or not paths.passwd.exists():
        store(paths, passwords.USER, kept.password)
    return kept


def _new_password() -> str:
    groups = ("".join(secrets.choice(PASSWORD_LETTERS) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        raise PiranhaError(f"Cannot read {file}: {problem.strerror}.") from problem


def _edit(file: Path, edits: list[Edit]) -> None:
    if not edits or not file.exists():
        return
    raw = _read(file)
    old = load(decode(raw)).document
    try:
        document = apply_edits(old, edits)
    except EditRefused as refused:
        raise PiranhaError(f"{file}: {refused} Remove {file} to begin with a new one.") from refused
    if document.text != old.text:
        write_atomically(file, encode(with_next_serial(document).text, encoding_of(raw)))


def _free_port(host: str, besides: Iterable[int] = ()) -> int:
    """Return a port of WEB_PORTS that nobody listens on; by chance, so that two demos seldom meet."""
    avoided = set(besides)
    for _ in range(1000):
        port = WEB_PORTS[secrets.randbelow(len(WEB_PORTS))]
        if port not in avoided and not _problem_of(host, port):
            return port
    raise PiranhaError(f"No free port was found on {host} between {WEB_PORTS.start} and {WEB_PORTS.stop - 1}.")


def _problem_of(host: str, port: int) -> str:
    """Return why nobody can listen there, or ""."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            return problem.strerror or str(problem)
    return ""

"""`piranha-gui`: the GUI on port 3636, under gunicorn.

One process with many threads: the sessions and the delays after failed log-ins live in it. It writes nothing outside
its own folder, needs no privilege, and ends at SIGTERM.
"""

import errno
import ipaddress
import logging
import socket
import sys
from collections.abc import Sequence
from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication

from piranha.cli.gui_worker import ReadFirst
from piranha.errors import PiranhaError
from piranha.paths import from_environment
from piranha.web import BODY_BYTES_MAX, create_app

PORT = 3636
HOSTS = ("127.0.0.1", "::1")
THREADS = 64
GOODBYE_S = 3
"""How long a request that is being answered may go on after SIGTERM, seconds."""

log = logging.getLogger("piranha-gui")


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, app: Flask, settings: dict[str, Any]) -> None:
        self._app = app
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> ReadFirst:
        return ReadFirst(self._app, BODY_BYTES_MAX)


def settings_for(sockets: Sequence[socket.socket]) -> dict[str, Any]:
    """Return gunicorn's settings. It gets the listening sockets by number: a taken port is told before it starts."""
    return {
        "bind": [f"fd://{each.fileno()}" for each in sockets],
        "worker_class": "piranha.cli.gui_worker.Worker",
        "workers": 1,
        "threads": THREADS,
        "graceful_timeout": GOODBYE_S,
        "timeout": 60,
        "keepalive": 5,
        "limit_request_line": 8190,
        # Nobody in front of it is believed about addresses or paths.
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "control_socket_disable": True,
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        "proc_name": "piranha-gui",
    }


def listening(hosts: Sequence[str], port: int, *, is_default: bool) -> list[socket.socket]:
    """Return a listening socket for each address. Raises PiranhaError with one sentence if one cannot be had.

    By default IPv6's loopback is left out where the machine has none.
    """
    sockets: list[socket.socket] = []
    for host in hosts:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            made = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            if is_default and sockets:
                continue
            raise PiranhaError(f"This machine knows no addresses such as {host}.") from None
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((host, port))
            made.listen(128)
        except OSError as problem:
            made.close()
            if is_default and sockets and problem.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue
            for each in sockets:
                each.close()
            raise PiranhaError(_cannot_listen(host, port, problem)) from problem
        made.set_inheritable(True)
        sockets.append(made)
        # With port 0 the kernel chooses; the other addresses get the same one.
        port = made.getsockname()[1]
    return sockets


def _url(each: socket.socket) -> str:
    host, port = each.getsockname()[:2]
    return f"http://[{host}]:{port}/" if each.family == socket.AF_INET6 else f"http://{host}:{port}/"


def _cannot_listen(host: str, port: int, problem: OSError) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if problem.errno == errno.EADDRINUSE:
        return f"Something else listens on {where} already. Stop it, or choose another port: piranha-gui --port 3637"
    if problem.errno == errno.EACCES:
        return f"This user may not listen on {where}. Choose a port above 1023: piranha-gui --port {PORT}"
    if problem.errno == errno.EADDRNOTAVAIL:
        return f"{where} cannot be listened on: this machine does not have that address."
    return f"{where} cannot be listened on ({problem.strerror})."


def _addresses(hosts: Sequence[str], allows_plain_http: bool) -> list[str]:
    addresses = []
    for host in hosts:
        text = "127.0.0.1" if host == "localhost" else host
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise PiranhaError(f'"{host}" is no IP address. Write for example --host 127.0.0.1') from None
        if not address.is_loopback and not allows_plain_http:
            raise PiranhaError(
                f"{host} can be reached from other machines, and without TLS passwords travel readable. "
                "Use a tunnel (ssh -L 3636:localhost:3636 ROUTER), or accept that with --allow-plain-http."
            )
        addresses.append(str(address))
    return addresses


@click.command()
@click.option("--root", metavar="DIR", help="Prefix of all paths, for tests and the demo (or PIRANHA_ROOT).")
@click.option("--host", "hosts", multiple=True, help="Address to listen on; may be given again. 127.0.0.1 and ::1.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Port to listen on.")
@click.option(
    "--allow-plain-http", is_flag=True, help="Listen on addresses that other machines can reach, without TLS."
)
def main(root: str | None, hosts: tuple[str, ...], port: int, allow_plain_http: bool) -> None:
    """Serve the Piranha Configuration Tool, the web GUI.

    Exit status: 0 ended by a signal, 1 it could not start, 2 wrong usage.
    """
    logging.basicConfig(level=logging.INFO, format="piranha-gui: %(message)s", stream=sys.stderr)
    try:
        addresses = _addresses(hosts or HOSTS, allow_plain_http)
        app = create_app(from_environment(root))
        sockets = listening(addresses, port, is_default=not hosts)
    except (PiranhaError, FileNotFoundError) as problem:
        click.echo(f"piranha-gui: {problem}", err=True)
        sys.exit(1)
    log.info("listening on %s", " and ".join(_url(each) for each in sockets))
    _Server(app, settings_for(sockets)).run()


if __name__ == "__main__":
    main()

"""`piranha-gui`: the GUI on port 3636, under gunicorn.

One process with many threads: the sessions and the delays after failed log-ins live in it. It writes nothing outside
its own folder, needs no privilege and gives up those that it has, and ends at SIGTERM.
"""

import errno
import logging
import os
import socket
import ssl
import sys
from collections.abc import Sequence
from typing import Any

import click
from flask import Flask
from gunicorn.app.base import BaseApplication

from piranha.cli.gui_settings import below_root, gui_settings, tls_context, today
from piranha.cli.gui_worker import ReadFirst
from piranha.config.gui_settings import DEFAULT_LISTEN, GUI_PORT, GuiSettings, Listen
from piranha.errors import PiranhaError
from piranha.paths import Paths, from_environment
from piranha.system import gui_account
from piranha.system.files import make_folder
from piranha.web import BODY_BYTES_MAX, create_app
from piranha.web.auth import FORM_FIELDS_MAX

THREADS = 64
CONNECTIONS_MAX = 500
"""Well below the usual limit of 1024 open files."""
HEADERS_MAX = 64
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
        return ReadFirst(self._app, BODY_BYTES_MAX, FORM_FIELDS_MAX)


def settings_for(sockets: Sequence[socket.socket]) -> dict[str, Any]:
    """Return gunicorn's settings. It gets the listening sockets by number: a taken port is told before it starts."""
    return {
        "bind": [f"fd://{each.fileno()}" for each in sockets],
        "worker_class": "piranha.cli.gui_worker.Worker",
        # What it took for its user when it was loaded may have been root.
        "user": os.geteuid(),
        "group": os.getegid(),
        "workers": 1,
        "threads": THREADS,
        "worker_connections": CONNECTIONS_MAX,
        "graceful_timeout": GOODBYE_S,
        "timeout": 60,
        "keepalive": 5,
        "limit_request_line": 8190,
        "limit_request_fields": HEADERS_MAX,
        # The proxies that are believed are those of piranha.toml, and `piranha.web.door` believes them.
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "control_socket_disable": True,
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        "proc_name": "piranha-gui",
    }


def tls_settings_for(paths: Paths, settings: GuiSettings, context: ssl.SSLContext | None) -> dict[str, Any]:
    """Return gunicorn's settings for TLS: the names of the files turn it on, the context is ours."""
    if context is None:
        return {}
    return {
        "certfile": str(below_root(paths, settings.tls_certificate)),
        "keyfile": str(below_root(paths, settings.tls_key)),
        "ssl_context": lambda _config, _default: context,
    }


def listening(listen: Sequence[Listen], *, is_default: bool) -> list[socket.socket]:
    """Return a listening socket for each address. Raises PiranhaError with one sentence if one cannot be had.

    By default IPv6's loopback is left out where the machine has none.
    """
    sockets: list[socket.socket] = []
    chosen = 0
    for each in listen:
        # With port 0 the kernel chooses; the other addresses get the same one.
        host, port = str(each.address), each.port or chosen
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
            for other in sockets:
                other.close()
            raise PiranhaError(_cannot_listen(host, port, problem)) from problem
        made.set_inheritable(True)
        sockets.append(made)
        chosen = made.getsockname()[1]
    return sockets


def _url(each: socket.socket, *, has_tls: bool) -> str:
    host, port = each.getsockname()[:2]
    shown = f"[{host}]" if each.family == socket.AF_INET6 else host
    return f"http{'s' if has_tls else ''}://{shown}:{port}/"


def _give_up_root(paths: Paths) -> None:
    """On the real system root only opens the sockets and reads the key; then the GUI's own user goes on."""
    if not paths.is_system or os.geteuid() != 0:
        return
    account = gui_account.find()
    make_folder(paths.gui_state, 0o700, (account.uid, account.gid))
    gui_account.become(account)


def _cannot_listen(host: str, port: int, problem: OSError) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if problem.errno == errno.EADDRINUSE:
        return f"Something else listens on {where} already. Stop it, or choose another port: piranha-gui --port 3637"
    if problem.errno == errno.EACCES:
        return f"This user may not listen on {where}. Choose a port above 1023: piranha-gui --port {GUI_PORT}"
    if problem.errno == errno.EADDRNOTAVAIL:
        return f"{where} cannot be listened on: this machine does not have that address."
    return f"{where} cannot be listened on ({problem.strerror})."


@click.command()
@click.option("--root", metavar="DIR", help="Prefix of all paths, for tests and the demo (or PIRANHA_ROOT).")
@click.option("--host", "hosts", multiple=True, help="Address to listen on; may be given again. 127.0.0.1 and ::1.")
@click.option("--port", type=click.IntRange(0, 65535), help=f"Port to listen on. {GUI_PORT}.")
@click.option(
    "--allow-plain-http", is_flag=True, help="Listen on addresses that other machines can reach, without TLS."
)
def main(root: str | None, hosts: tuple[str, ...], port: int | None, allow_plain_http: bool) -> None:
    """Serve the Piranha Configuration Tool, the web GUI.

    Addresses, TLS and proxies stand in piranha.toml, table [gui]; the options win. Started by root it goes on as the
    user piranha.

    Exit status: 0 ended by a signal, 1 it could not start, 2 wrong usage.
    """
    logging.basicConfig(level=logging.INFO, format="piranha-gui: %(message)s", stream=sys.stderr)
    paths = from_environment(root)
    sockets: list[socket.socket] = []
    try:
        settings = gui_settings(paths, hosts, port, allow_plain_http=allow_plain_http)
        context = tls_context(paths, settings, today())
        sockets = listening(settings.listen, is_default=not hosts and _is_default(settings))
        _give_up_root(paths)
        app = create_app(
            paths,
            proxies=settings.proxies,
            idle_s=settings.idle_minutes * 60.0,
            absolute_s=settings.absolute_hours * 3600.0,
        )
    except (PiranhaError, FileNotFoundError) as problem:
        for each in sockets:
            each.close()
        for line in str(problem).splitlines():
            click.echo(f"piranha-gui: {line}", err=True)
        sys.exit(1)
    log.info("listening on %s", " and ".join(_url(each, has_tls=context is not None) for each in sockets))
    _Server(app, settings_for(sockets) | tls_settings_for(paths, settings, context)).run()


def _is_default(settings: GuiSettings) -> bool:
    return [each.address for each in settings.listen] == [each.address for each in DEFAULT_LISTEN]


if __name__ == "__main__":
    main()

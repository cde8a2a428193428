"""gunicorn's threaded worker with limits on how long a client may keep a thread, and answers of our own to errors.

The threads are few. Without limits, as many clients as there are threads, each sending half a request and then
nothing, would keep everybody else out. gunicorn closes a connection in the thread that accepts all others, and waits
there for the client: here the thread that answered waits.
"""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from gunicorn.http import errors, wsgi
from gunicorn.workers.gthread import ThreadWorker

from piranha.cli.gui_waits import Waits
from piranha.web.client_address import group_of
from piranha.web.log_brake import Brake
from piranha.web.security_headers import security_headers

READ_LIMIT_S = 10.0
"""How long the TLS handshake, head and body of one request may take to arrive, seconds."""
WRITE_LIMIT_S = 60.0
"""How long a client may take to fetch an answer, seconds."""
CLOSE_LIMIT_S = 2.0
"""How long a client may take to close the connection after that, seconds."""
WAITS_MAX = 48
"""How many threads may wait for clients; the others are for those who say what they want."""
LOOKED_AT_EVERY_S = 0.25

_NO_TLS = {"HTTP_REQUEST", "HTTPS_PROXY_REQUEST"}
_STATUSES: tuple[tuple[type[Exception], str], ...] = (
    (errors.LimitRequestLine, "414 URI Too Long"),
    (errors.LimitRequestHeaders, "431 Request Header Fields Too Large"),
    (errors.ExpectationFailed, "417 Expectation Failed"),
    (errors.UnsupportedTransferCoding, "501 Not Implemented"),
    (errors.InvalidResponseHeader, "500 Internal Server Error"),
    (errors.InvalidResponseHeaderName, "500 Internal Server Error"),
    (errors.ParseException, "400 Bad Request"),
)

# The version of a server helps only those who look for an old one.
wsgi.SERVER = "piranha"

_present = threading.local()

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

log = logging.getLogger("piranha-gui")


class Worker(ThreadWorker):  # type: ignore[misc]
    """Cuts a connection that keeps a thread waiting too long, or that is one too many."""

    def init_process(self) -> None:
        """Serve until the end of this process."""
        self.waits: Waits[Any] = Waits(WAITS_MAX)
        self.brake = Brake()
        threading.Thread(target=self._watch, name="watch the clients", daemon=True).start()
        super().init_process()

    def handle(self, conn: Any) -> Any:
        """Handle one request in a thread of the pool."""
        self.wait_for(conn, READ_LIMIT_S)
        _present.worker, _present.connection = self, conn
        try:
            goes_on = super().handle(conn)
            if not goes_on:
                self._part(conn)
            return goes_on
        finally:
            self.waits.end(conn)

    def wait_for(self, conn: Any, limit_s: float) -> None:
        """Note that this thread waits for the client."""
        client = group_of(conn.client[0] if isinstance(conn.client, tuple) else None)
        one_too_many = self.waits.begin(conn, client, time.monotonic() + limit_s)
        if one_too_many is not None:
            _cut(one_too_many)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer what is no request, or one that fell through everything."""
        if isinstance(exc, ssl.SSLError):
            if exc.reason in _NO_TLS:
                _send(client, "400 Bad Request", "This port speaks TLS. Write https:// in front of the address.\n")
            return
        status = next((status for kind, status in _STATUSES if isinstance(exc, kind)), "500 Internal Server Error")
        if status.startswith("500"):
            self.log.exception("a request failed")
        else:
            sender = addr[0] if addr else "a client"
            held = self.brake.held_back(f"{group_of(sender)} {status}", time.monotonic())
            if held is not None:
                more = f" ({held} more like this)" if held else ""
                log.warning("%s sent what is no request: %s%s", sender, status, more)
        _send(client, status, f"{status[4:]}.\n", is_secure=self.cfg.is_ssl)

    def _part(self, conn: Any) -> None:
        """Say that nothing more comes, and take what the client still sends: else it may lose our last words."""
        self.wait_for(conn, CLOSE_LIMIT_S)
        raw = conn.sock
        try:
            raw.setblocking(True)
            socket.socket.shutdown(raw, socket.SHUT_WR)
            while socket.socket.recv(raw, 4096):
                pass
            socket.socket.shutdown(raw, socket.SHUT_RD)
        except OSError:
            pass  # it is gone, or was cut

    def _watch(self) -> None:
        never = threading.Event()
        while not never.wait(LOOKED_AT_EVERY_S):
            for each in self.waits.overdue(time.monotonic()):
                _cut(each)


class ReadFirst:
    """A WSGI application that reads a request's body, within the limits, before it calls another one.

    A body longer than `body_bytes_max` is left unread: the application refuses it by its length. One with more fields
    than `fields_max` is refused here, before anybody takes them apart.
    """

    def __init__(self, app: Application, body_bytes_max: int, fields_max: int) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max
        self._fields_max = fields_max

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        is_chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
        body = b""
        if is_chunked or 0 < length <= self._body_bytes_max:
            body = environ["wsgi.input"].read(self._body_bytes_max + 1)
            environ["wsgi.input"] = BytesIO(body)
            if not is_chunked and len(body) < length:
                raise errors.NoMoreData
        worker, connection = _present.worker, _present.connection
        worker.waits.end(connection)
        if body.count(b"&") >= self._fields_max and "multipart/" not in environ.get("CONTENT_TYPE", ""):
            answer = _too_many_fields(environ, start_response)
        else:
            answer = self._app(environ, start_response)
        worker.wait_for(connection, WRITE_LIMIT_S)
        return answer


def _too_many_fields(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    text = b"Request Entity Too Large.\n"
    headers = security_headers(is_secure=environ["wsgi.url_scheme"] == "https")
    headers |= {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(text))}
    start_response("413 Request Entity Too Large", list(headers.items()))
    return [text]


def _send(client: socket.socket, status: str, text: str, *, is_secure: bool = False) -> None:
    """Send an answer and the end of all answers. To a client that came without TLS it goes without."""
    headers = security_headers(is_secure=is_secure)
    headers |= {
        "Server": wsgi.SERVER,
        "Connection": "close",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(text)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    raw = f"HTTP/1.1 {status}\r\n{head}\r\n{text}".encode("latin-1")
    try:
        if is_secure:
            client.sendall(raw)
        else:
            socket.socket.sendall(client, raw)
    except OSError:
        pass  # it is gone already


def _cut(conn: Any) -> None:
    try:
        # Not TLS's own, which another thread may be in.
        socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)
    except OSError:
        pass  # it is gone already

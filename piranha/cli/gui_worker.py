"""gunicorn's threaded worker with a limit on how long a client may take to say its request.

The threads are few. Without a limit, as many clients as there are threads, each sending half a request and then
nothing, would keep everybody else out.
"""

import socket
import threading
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

READ_LIMIT_S = 10.0
"""How long head and body of one request may take to arrive, seconds."""

_present = threading.local()

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Worker(ThreadWorker):  # type: ignore[misc]
    """Cuts a connection whose request has not arrived within READ_LIMIT_S."""

    def handle(self, conn: Any) -> Any:
        """Handle one request in a thread of the pool."""
        limit = threading.Timer(READ_LIMIT_S, _cut, (conn.sock,))
        limit.daemon = True
        limit.start()
        _present.limit = limit
        try:
            return super().handle(conn)
        finally:
            limit.cancel()


class ReadFirst:
    """A WSGI application that reads a request's body, within the limit, before it calls another one.

    A body longer than `body_bytes_max` is left unread: the application refuses it by its length.
    """

    def __init__(self, app: Application, body_bytes_max: int) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        is_chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
        if is_chunked or 0 < length <= self._body_bytes_max:
            environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(self._body_bytes_max + 1))
        limit = getattr(_present, "limit", None)
        if limit is not None:
            limit.cancel()
        return self._app(environ, start_response)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is gone already

"""The outermost layer of the GUI: it finds out whose request this is, and stops an address that asks too often.

What comes behind it sees the client in REMOTE_ADDR, be it that a proxy stands in front.
"""

import logging
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from piranha.web.client_address import ForwardedFault, address_of, client_of, group_of, is_one_of
from piranha.web.security_headers import security_headers
from piranha.web.state import Gui

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)


class Door:
    """A WSGI application around another one."""

    def __init__(self, app: "WSGIApplication", gui: Gui) -> None:
        self._app = app
        self._gui = gui

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        peer = environ.get("REMOTE_ADDR")
        try:
            client = client_of(peer, environ.get("HTTP_X_FORWARDED_FOR"), self._gui.proxies)
        except ForwardedFault as fault:
            self._say(peer, f"refused: {fault}")
            return _answer(environ, start_response, "403 Forbidden", "The proxy in front does not say who asks.\n")
        self._believe_proxy(environ, peer)
        if client is not None:
            environ["REMOTE_ADDR"] = client
        wait_s = self._gui.rate.wait_s(client, self._gui.steady_clock())
        if wait_s:
            self._say(client, f"{client} asks too often; it is answered 429")
            sentence = "Too many requests from your address. Try again in a moment.\n"
            return _answer(environ, start_response, "429 Too Many Requests", sentence, retry_s=math.ceil(wait_s))
        return self._app(environ, start_response)

    def _believe_proxy(self, environ: "WSGIEnvironment", peer: str | None) -> None:
        """Take it from a proxy of ours that the client came to it by TLS: cookies are then for TLS alone."""
        address = address_of(peer)
        is_believed = address is not None and is_one_of(address, self._gui.proxies)
        if is_believed and environ.get("HTTP_X_FORWARDED_PROTO") == "https":
            environ["wsgi.url_scheme"] = "https"

    def _say(self, client: str | None, sentence: str) -> None:
        held = self._gui.brake.held_back(f"{group_of(client)} {sentence}", self._gui.steady_clock())
        if held is not None:
            log.warning("%s%s", sentence, f" ({held} more like this)" if held else "")


def _answer(
    environ: "WSGIEnvironment", start_response: "StartResponse", status: str, sentence: str, retry_s: int = 0
) -> Iterable[bytes]:
    body = sentence.encode()
    headers = security_headers(is_secure=environ["wsgi.url_scheme"] == "https")
    headers |= {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
    if retry_s:
        headers["Retry-After"] = str(retry_s)
    start_response(status, list(headers.items()))
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

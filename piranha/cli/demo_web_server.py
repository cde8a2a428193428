"""One real server of the demo: a small web server that names itself.

    python -m piranha.cli.demo_web_server --name web1 --port 20001

`GET /` answers the name. `GET /bytes/N` streams N bytes, the same from every server, for long downloads.
When it listens it says so in one line on standard output, and nothing more.
"""

import hashlib
import re
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import click

BLOCK_BYTES = 65536
DOWNLOAD_BYTES_MAX = 1 << 34
_DOWNLOAD = re.compile(r"/bytes/(\d{1,11})")


def download_block(number: int) -> bytes:
    """Return block `number` of the download: 64 KiB, no two blocks alike, so that none can go astray."""
    return hashlib.sha256(number.to_bytes(8, "big")).digest() * (BLOCK_BYTES // 32)


def download(size: int) -> Iterator[bytes]:
    """Yield the first `size` bytes of the download, in pieces."""
    for number in range(size // BLOCK_BYTES):
        yield download_block(number)
    if rest := size % BLOCK_BYTES:
        yield download_block(size // BLOCK_BYTES)[:rest]


class Answers(BaseHTTPRequestHandler):
    """What the server answers. It speaks HTTP/1.1 and keeps connections."""

    protocol_version = "HTTP/1.1"
    # Head and body leave in one piece: two small writes would wait for each other (Nagle, delayed ACK).
    wbufsize = BLOCK_BYTES
    server: "WebServer"

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        """Answer a HEAD: the same without the body."""
        self._answer(has_body=False)

    def _answer(self, has_body: bool) -> None:
        path = self.path.partition("?")[0]
        wanted = _DOWNLOAD.fullmatch(path)
        if path == "/":
            self._send(200, "text/plain; charset=utf-8", f"{self.server.name}\n".encode(), has_body)
        elif wanted is not None and int(wanted[1]) <= DOWNLOAD_BYTES_MAX:
            size = int(wanted[1])
            self._head(200, "application/octet-stream", size)
            if has_body:
                for piece in download(size):
                    self.wfile.write(piece)
        else:
            self._send(404, "text/plain; charset=utf-8", b"There is / and /bytes/N here.\n", has_body)

    def _head(self, status: int, kind: str, size: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def _send(self, status: int, kind: str, body: bytes, has_body: bool) -> None:
        self._head(status, kind, len(body))
        if has_body:
            self.wfile.write(body)

    def version_string(self) -> str:
        """Return the `Server` header: the name, so that each answer says where it comes from."""
        return self.server.name

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a line for each request and each check would fill the disk."""


class WebServer(ThreadingHTTPServer):
    """The listening server. `name` is what `GET /` answers."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        self.name = name
        super().__init__(address, Answers)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that went away in the middle of an answer: they may."""


@click.command()
@click.option("--name", required=True, help="What GET / answers.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="The port to listen on; 0: a free one.")
def main(name: str, host: str, port: int) -> None:
    """Run one of the demo's web servers until it is killed."""
    try:
        server = WebServer(name, (host, port))
    except OSError as problem:
        raise click.ClickException(f"{name} cannot listen on {host}:{port}: {problem.strerror}.") from problem
    listener: socket.socket = server.socket
    listening_host, listening_port = listener.getsockname()[:2]
    click.echo(f"{name} listens on {listening_host}:{listening_port}")
    server.serve_forever()


if __name__ == "__main__":
    main(prog_name="piranha-demo-web-server")

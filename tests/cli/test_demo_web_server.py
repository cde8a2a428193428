"""The demo's web servers answer like real ones: names, downloads, kept connections."""

import hashlib
import http.client
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from piranha.cli.demo_web_server import BLOCK_BYTES, WebServer, download, download_block


@pytest.fixture
def port() -> Iterator[int]:
    server = WebServer("web7", ("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def ask(port: int, method: str, path: str) -> tuple[int, bytes, int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read(), int(answer.headers["Content-Length"])
    finally:
        connection.close()


def test_it_names_itself(port: int) -> None:
    assert ask(port, "GET", "/") == (200, b"web7\n", 5)
    assert ask(port, "GET", "/?from=curl") == (200, b"web7\n", 5)
    assert ask(port, "HEAD", "/") == (200, b"", 5)


def test_it_answers_other_paths_with_404(port: int) -> None:
    assert ask(port, "GET", "/elsewhere")[0] == 404
    assert ask(port, "GET", "/bytes/99999999999")[0] == 404


def test_one_connection_carries_many_requests(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.connect()
    first = connection.sock
    for _ in range(3):
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"web7\n"
    assert connection.sock is first
    connection.close()


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 17])
def test_a_download_has_its_size_and_its_bytes(port: int, size: int) -> None:
    status, body, length = ask(port, "GET", f"/bytes/{size}")
    assert (status, length, len(body)) == (200, size, size)
    assert body == b"".join(download(size))


def test_no_two_blocks_of_a_download_are_alike() -> None:
    assert len({hashlib.sha256(download_block(number)).digest() for number in range(200)}) == 200


def test_a_taken_port_is_one_sentence(port: int) -> None:
    command = [sys.executable, "-m", "piranha.cli.demo_web_server", "--name", "web1", "--port", str(port)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr == f"Error: web1 cannot listen on 127.0.0.1:{port}: Address already in use.\n"

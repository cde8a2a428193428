"""piranha-gui as a process: where it listens, what it refuses, that it ends when told to."""

import http.client
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from piranha.cli.gui import main

GUI = [sys.executable, "-m", "piranha.cli.gui"]
IMPATIENT = "import piranha.cli.gui_worker as w, piranha.cli.gui as g; w.READ_LIMIT_S = 0.5; g.main()"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """Give a function that starts the GUI on a port that the kernel chooses, and returns the port."""
    started: list[subprocess.Popen[str]] = []

    def make(*words: str, program: Sequence[str] = GUI) -> tuple[subprocess.Popen[str], int]:
        command = [*program, "--root", str(tmp_path), "--port", "0", *words]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://[0-9.]+:(\d+)/", line)
        assert found is not None, line + process.stderr.read()
        return process, int(found[1])

    yield make
    for process in started:
        process.kill()
        process.communicate()


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_it_serves_on_both_loopbacks_and_ends_soon_after_sigterm(
    start: Callable[..., tuple[subprocess.Popen[str], int]],
) -> None:
    process, port = start()
    assert get(port, "/")[0] == 200
    assert get(port, "/bootstrap/static/css/bootstrap.min.css")[0] == 200
    assert get(port, "/login", "::1")[0] == 200
    status, page = get(port, "/secure/control")
    assert (status, "virtual" in page) == (303, False)
    # A connection that is kept open and idle does not keep the service alive.
    with socket.create_connection(("127.0.0.1", port)):
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_it_writes_nothing_outside_its_own_folder(
    start: Callable[..., tuple[subprocess.Popen[str], int]], tmp_path: Path
) -> None:
    _, port = start()
    assert get(port, "/login")[0] == 200
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        "var/lib/piranha-gui/session.key"
    }


def test_a_taken_port_is_one_sentence_and_exit_status_1(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["--root", str(tmp_path), "--host", "127.0.0.1", "--port", str(port)])
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}" in result.stderr
    assert "--port" in result.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_plain_http_for_other_machines_must_be_asked_for(tmp_path: Path, host: str) -> None:
    result = CliRunner().invoke(main, ["--root", str(tmp_path), "--host", host, "--port", "0"])
    assert result.exit_code == 1
    assert "--allow-plain-http" in result.stderr


@pytest.mark.parametrize(
    ("host", "told"), [("no-address", "is no IP address"), ("192.0.2.1", "this machine does not have that address")]
)
def test_an_address_that_cannot_be_listened_on_is_told(tmp_path: Path, host: str, told: str) -> None:
    words = ["--root", str(tmp_path), "--host", host, "--port", "0", "--allow-plain-http"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert told in result.stderr


def test_a_folder_of_its_own_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    result = CliRunner().invoke(main, ["--root", str(tmp_path), "--port", "0"])
    assert result.exit_code == 1
    assert "var/lib/piranha-gui" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "half",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nuser=",
        b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nus",
    ],
    ids=["head", "body", "chunked body"],
)
def test_clients_that_say_half_a_request_and_no_more_do_not_keep_others_out(
    start: Callable[..., tuple[subprocess.Popen[str], int]], half: bytes
) -> None:
    _, port = start("--host", "127.0.0.1", program=[sys.executable, "-c", IMPATIENT])
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(80)]
    try:
        for each in slow:
            each.sendall(half)
        assert get(port, "/")[0] == 200
        # Every one of them is cut, not only those that came first.
        for each in slow:
            each.settimeout(20)
            while each.recv(4096):
                pass
    finally:
        for each in slow:
            each.close()


def test_a_request_that_is_answered_slowly_is_not_cut(
    start: Callable[..., tuple[subprocess.Popen[str], int]],
) -> None:
    slow_app = IMPATIENT.replace(
        "g.main()",
        "import threading; g.create_app = lambda paths: lambda environ, reply: "
        "(threading.Event().wait(1.5), reply('200 OK', []))[2:] or [b'late']; g.main()",
    )
    _, port = start("--host", "127.0.0.1", program=[sys.executable, "-c", slow_app])
    assert get(port, "/") == (200, "late")

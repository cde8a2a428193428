"""`piranha probe`: one check from the shell, with what was sent and what came back. Nothing is changed by it."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from piranha.cli import probing
from piranha.config.outside import NameTrouble
from piranha.paths import Paths
from tests.cli.conftest import Run

LVS_CF = """\
serial_no = 7
network = direct
virtual ftp {{
     active = 0
     address = 0.0.0.0 eth0:1
     port = {port}
     send = "GET / HTTP/1.0\\r\\n\\r\\n"
     expect = "HTTP"
     timeout = 2
     server files {{
         address = 127.0.0.1
         active = 0
         weight = 1
     }}
     server gone {{
         address = 127.0.0.1
         active = 1
         port = {closed}
     }}
}}
virtual bare {{
     port = 53
     protocol = udp
}}
virtual program {{
     port = {port}
     send_program = "/usr/local/bin/check %h"
     expect = "220"
     server files {{
         address = 127.0.0.1
     }}
}}
"""


class FtpServer(threading.Thread):
    """Greets as an FTP server does, and says goodbye to `quit`. It keeps what it was sent."""

    def __init__(self, greeting: bytes) -> None:
        super().__init__(name="ftp")
        self.heard: SimpleQueue[bytes] = SimpleQueue()
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                connection.sendall(self._greeting)
                try:
                    self.heard.put(connection.recv(1000))
                    connection.sendall(b"221 Goodbye.\r\n")
                except OSError:
                    continue

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.join(10)
        self._listener.close()


@pytest.fixture
def ftp() -> Iterator[Callable[[bytes], FtpServer]]:
    """Give a function that starts an FTP server with its greeting."""
    started: list[FtpServer] = []

    def start(greeting: bytes = b"220 files ready.\r\n") -> FtpServer:
        started.append(FtpServer(greeting))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def closed() -> Iterator[int]:
    """Give a port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@pytest.fixture
def lvs_cf(tmp_path: Path, closed: int) -> Callable[[int], Path]:
    """Give a function that writes an lvs.cf whose services have this port."""

    def write(port: int) -> Path:
        path = tmp_path / "plain.cf"
        path.write_text(LVS_CF.format(port=port, closed=closed))
        return path

    return write


def test_check_35_quit_and_220_find_a_healthy_ftp_server_good_and_another_one_bad(
    run: Run, ftp: Callable[..., FtpServer]
) -> None:
    """check 35"""
    healthy, full = ftp(), ftp(b"421 Too many users.\r\n")
    words = ("probe", "--address", "127.0.0.1", "--send", "quit", "--expect", "220", "--port")
    done = run(*words, str(healthy.port))
    assert done.code == 0, done
    lines = done.out.splitlines()
    assert lines[0] == f"127.0.0.1  tcp 127.0.0.1:{healthy.port}"
    assert lines[1] == '  sent      "quit"'
    assert lines[2].startswith(r'  received  "220 files ready.\r\n')
    assert lines[3].startswith("  good after ") and lines[3].endswith('answered "220 files ready."')
    assert healthy.heard.get(timeout=10) == b"quit"
    done = run(*words, str(full.port))
    assert done.code == 1
    assert "  BAD after " in done.out and 'answered "421 Too many users.' in done.out and 'expected "220"' in done.out


def test_check_35_the_same_by_path_before_it_is_saved_and_nothing_is_changed(
    run: Run, ftp: Callable[..., FtpServer], lvs_cf: Callable[[int], Path]
) -> None:
    """check 35"""
    server = ftp()
    file = lvs_cf(server.port)
    before = file.read_bytes()
    words = ("probe", "--file", file, "virtual[ftp].server[files]")
    # What lvs.cf says is asked: an FTP server is no web server.
    done = run(*words)
    assert done.code == 1 and 'expected "HTTP"' in done.out
    done = run(*words, "--send", "quit", "--expect", "220")
    assert done.code == 0, done
    assert done.out.startswith(f"virtual[ftp].server[files]  tcp 127.0.0.1:{server.port}\n")
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_all_real_servers_of_a_virtual_server_are_asked_and_one_that_is_bad_counts(
    run: Run, ftp: Callable[..., FtpServer], lvs_cf: Callable[[int], Path], closed: int
) -> None:
    server = ftp()
    done = run("probe", "--file", lvs_cf(server.port), "virtual[ftp]", "--send", "", "--expect", "220")
    assert done.code == 1
    good, bad = done.out.split("virtual[ftp].server[gone]")
    assert "  sent      nothing" in good and "  good after " in good
    assert "  received  nothing" in bad and "  BAD after " in bad and f"connect to 127.0.0.1:{closed} refused" in bad


def test_an_expression_is_searched_for_and_a_late_answer_is_bad(run: Run, ftp: Callable[..., FtpServer]) -> None:
    port = str(ftp().port)
    words = ("probe", "--address", "localhost", "--port", port, "--expect", "[0-9]+ files")
    assert run(*words, "--regex").code == 0
    assert run(*words).code == 1
    done = run(
        "probe", "--address", "127.0.0.1", "--port", port, "--expect", "220 files ready.\\r\\nmore", "--timeout", "1"
    )
    assert done.code == 1 and "within 1 s" in done.out


def test_what_cannot_be_checked_says_why(
    run: Run, ftp: Callable[..., FtpServer], lvs_cf: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "resolve", lambda names: dict.fromkeys(names, NameTrouble.NOT_FOUND))
    file = lvs_cf(ftp().port)
    done = run("probe", "--file", file, "virtual[program]")
    assert done.code == 1 and "NOT CHECKED: There is no program /usr/local/bin/check" in done.out
    assert run("probe", "--file", file, "virtual[program]", "--send", "quit").code == 0
    done = run("probe", "--address", "nobody.invalid", "--port", "21")
    assert done.code == 1 and "NOT CHECKED: The name nobody.invalid was not found." in done.out
    done = run("probe", "--file", file, "virtual[bare]")
    assert done.code == 1 and "virtual[bare] has no real server." in done.err
    done = run("probe", "--file", file, "virtual[fpt]")
    assert done.code == 1 and "virtual[ftp]" in done.err


def test_the_checks_of_piranha_toml_are_made_unless_the_options_say_another_one(
    run: Run, ftp: Callable[..., FtpServer], lvs_cf: Callable[[int], Path], tmp_path: Path
) -> None:
    web = ftp(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    file = lvs_cf(web.port)
    toml = Paths(tmp_path / "root").piranha_toml
    toml.parent.mkdir(parents=True, exist_ok=True)
    toml.write_text('[checks.virtual.ftp]\nkind = "http"\npath = "/up"\nhost = "www.example.com"\n')
    words = ("probe", "--file", file, "virtual[ftp].server[files]")
    done = run(*words)
    assert done.code == 1, done
    assert done.out.startswith(f"virtual[ftp].server[files]  http 127.0.0.1:{web.port}\n")
    assert 'sent      "GET /up HTTP/1.1\\r\\nHost: www.example.com\\r\\n' in done.out
    assert done.out.rstrip().endswith("HTTP 503, expected 200-299")
    assert run(*words, "--send", "", "--expect", "HTTP").code == 0
    toml.write_text('[checks.virtual.ftp]\nkind = "https"\nca_file = "/none.pem"\n')
    done = run(*words)
    assert done.code == 1 and "NOT CHECKED: " in done.out and "none.pem cannot be read" in done.out
    toml.write_text('[checks.virtual.ftp]\nkind = "https"\nverify = false\n')
    done = run(*words, "--timeout", "1")
    assert done.code == 1 and f"  https 127.0.0.1:{web.port}\n" in done.out and "TLS handshake failed: " in done.out
    toml.unlink()
    toml.mkdir()
    done = run(*words)
    assert done.code == 0 and "piranha.toml cannot be read" in done.err and "  tcp 127.0.0.1" in done.out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("virtual[ftp]", "--address", "127.0.0.1"),
        ("--address", "127.0.0.1"),
        ("--address", "127.0.0.1", "--port", "0"),
        ("--address", "300.1.2.3", "--port", "21"),
        ("--address", "127.0.0.1:21", "--port", "21"),
        ("--address", "127.0.0.1", "--port", "21", "--file", "lvs.cf"),
        ("virtual[ftp]", "--port", "21"),
        ("virtual[ftp].port",),
        ("failover[ftp]",),
        ("keepalive",),
        ("virtual[ftp]", "--send", 'a "b"'),
        ("virtual[ftp]", "--expect", "x" * 256),
    ],
)
def test_a_wrong_command_line_is_exit_code_2_and_nobody_is_asked(run: Run, words: tuple[str, ...]) -> None:
    done = run("probe", *words)
    assert (done.code, done.out) == (2, "")

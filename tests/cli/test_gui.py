"""piranha-gui as a process: where it listens, what it refuses, that it ends when told to.

Clients that take their time are in test_gui_clients.py, TLS is in test_gui_tls.py.
"""

import signal
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from piranha.cli.gui import main
from piranha.cli.gui_settings import gui_settings
from piranha.errors import PiranhaError
from piranha.paths import Paths
from tests.cli.running_gui import Started, exchange, get
from tests.web.apache import Apache


def test_it_serves_on_both_loopbacks_and_ends_soon_after_sigterm(
    start: Started,
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


def test_it_writes_nothing_outside_its_own_folder(start: Started, tmp_path: Path) -> None:
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


def toml(root: Path, text: str) -> Path:
    file = root / "etc/sysconfig/ha/piranha.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_check_9_without_any_setting_it_is_3636_on_this_machine_alone(tmp_path: Path) -> None:
    """check 9; that it listens there indeed, and as whom, is seen in the lab."""
    settings = gui_settings(Paths(tmp_path))
    assert [str(each) for each in settings.listen] == ["127.0.0.1:3636", "[::1]:3636"]


def test_check_10_after_a_restart_only_the_new_port_answers(start: Started, tmp_path: Path) -> None:
    """check 10"""
    old, new = free_port(), free_port()
    toml(tmp_path, f'[gui]\nlisten = ["127.0.0.1:{old}", "[::1]:{old}"]\n')
    process, port = start(port=())
    assert port == old
    assert get(old, "/")[0] == get(old, "/", "::1")[0] == 200
    toml(tmp_path, f'[gui]\nlisten = ["127.0.0.1:{new}"]\n')
    assert get(old, "/")[0] == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    start(port=())
    assert get(new, "/")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        get(old, "/")
    with pytest.raises(ConnectionRefusedError):
        get(new, "/", "::1")


@pytest.mark.debian
def test_check_11_the_gui_goes_on_when_another_web_server_of_the_host_ends(
    start: Started,
) -> None:
    """check 11"""
    process, port = start()
    with Apache() as other:
        assert other.statuses(other.new_folder(), ["192.0.2.1"]) == [200]
        assert get(port, "/")[0] == 200
        other.stop()
        with pytest.raises(ConnectionRefusedError):
            get(other.port, "/")
    assert get(port, "/")[0] == 200
    assert process.poll() is None


FATAL = [
    ('[gui]\nlisten = ["0.0.0.0:3636"]\n', [], ":2:12: error: ", "tls-init"),
    ('[gui]\nlisten = ["localhost:1"]\n', [], ":2:12: error: ", "no IP address"),
    ("[gui]\nproxies = 3\n", [], ":2:11: error: ", "no list"),
    ("[gui]\nproxies = 3\n", ["--host", "127.0.0.1"], ":2:11: error: ", "no list"),
    ("[gui\n", ["--host", "127.0.0.1", "--port", "0"], ":1:5: error: ", "no TOML"),
    ('[gui]\nlisten = ["127.0.0.1:1"]\n', ["--host", "0.0.0.0"], "", "--allow-plain-http"),
    ('[gui]\ntls_certificate = "/a"\n', [], ":2:1: error: ", "tls_key is missing"),
]


@pytest.mark.parametrize(("text", "words", "place", "told"), FATAL)
def test_an_error_in_piranha_toml_is_told_with_its_place_and_nothing_listens(
    tmp_path: Path, text: str, words: list[str], place: str, told: str
) -> None:
    file = toml(tmp_path, text)
    result = CliRunner().invoke(main, ["--root", str(tmp_path), *words])
    assert result.exit_code == 1
    assert f"{file}{place}" in result.stderr
    assert told in result.stderr
    assert not (tmp_path / "var").exists()


def test_a_piranha_toml_that_cannot_be_read_is_no_reason_to_go_on_without(tmp_path: Path) -> None:
    file = tmp_path / "etc/sysconfig/ha/piranha.toml"
    file.mkdir(parents=True)
    result = CliRunner().invoke(main, ["--root", str(tmp_path), "--port", "0"])
    assert (result.exit_code, str(file) in result.stderr) == (1, True)
    file.rmdir()
    file.symlink_to("nowhere")
    result = CliRunner().invoke(main, ["--root", str(tmp_path), "--port", "0"])
    assert (result.exit_code, str(file) in result.stderr) == (1, True)


def test_the_command_line_wins_over_piranha_toml(tmp_path: Path) -> None:
    toml(tmp_path, '[gui]\nlisten = ["0.0.0.0:1", "[::]:2"]\nidle_minutes = 5\n')
    paths = Paths(tmp_path)
    of_hosts = gui_settings(paths, ["::1", "localhost"])
    assert [str(each) for each in of_hosts.listen] == ["[::1]:3636", "127.0.0.1:3636"]
    assert of_hosts.idle_minutes == 5
    of_port = gui_settings(paths, port=99, allow_plain_http=True)
    assert [str(each) for each in of_port.listen] == ["0.0.0.0:99", "[::]:99"]
    with pytest.raises(PiranhaError, match="passwords travel readable"):
        gui_settings(paths, ["192.0.2.1"])


def test_the_settings_of_piranha_toml_reach_the_gui(start: Started, tmp_path: Path) -> None:
    toml(tmp_path, '[gui]\nproxies = ["127.0.0.1"]\nunknown = 1\n')
    (tmp_path / "etc/sysconfig/ha/web").mkdir()
    (tmp_path / "etc/sysconfig/ha/web/.htaccess").write_text("Require ip 192.0.2.1\n")
    _, port = start()
    assert get(port, "/", headers={"X-Forwarded-For": "192.0.2.1"})[0] == 200
    assert get(port, "/", headers={"X-Forwarded-For": "192.0.2.2"})[0] == 403
    assert get(port, "/")[0] == 403
    # gunicorn would make one header of these two, and what the proxy adds to the client's own stands at the right.
    assert get(port, "/", headers={"X_Forwarded_For": "192.0.2.1"})[0] == 403
    twice = b"GET / HTTP/1.0\r\nX-Forwarded-For: %s\r\nX-Forwarded-For: %s\r\n\r\n"
    assert exchange(port, twice % (b"192.0.2.1", b"192.0.2.2")).split()[1] == b"403"
    assert exchange(port, twice % (b"192.0.2.2", b"192.0.2.1")).split()[1] == b"200"

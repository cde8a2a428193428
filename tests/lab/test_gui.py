"""piranha-gui as root starts it on a router: on the real paths, which are the lab's own and thrown away with it."""

import contextlib
import http.client
import os
import pwd
import re
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from piranha.paths import Paths

PIRANHA = (sys.executable, "-m", "piranha.cli.main")
GUI = (sys.executable, "-m", "piranha.cli.gui")
TOP = Path(__file__).parents[2]
PATHS = Paths()
LIMIT_S = 60


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    environment = {name: text for name, text in os.environ.items() if name != "PIRANHA_ROOT"}
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=environment, cwd=TOP)


def open_to_all(folder: Path) -> None:
    """Let every user of the lab into a folder: here Python may be installed in one that is root's alone."""
    for each in (folder, *folder.parents):
        each.chmod(stat.S_IMODE(each.stat().st_mode) | 0o055)


@pytest.fixture(scope="module")
def account() -> pwd.struct_passwd:
    """Give the user piranha, made now."""
    assert os.environ.get("PIRANHA_LAB") == "1"
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("piranha")
    assert ran("ip", "link", "set", "lo", "up").returncode == 0
    refused = ran(*GUI)
    assert refused.returncode == 1
    assert "useradd --system" in refused.stderr, refused.stderr
    refused = ran(*PIRANHA, "tls-init")
    assert (refused.returncode, PATHS.tls_key.exists()) == (1, False)
    assert "groupadd --system" in refused.stderr
    words = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", "piranha")
    made = ran("useradd", *words)
    assert made.returncode == 0, made.stderr
    for folder in (Path(sys.base_prefix), TOP):
        open_to_all(folder)
    return pwd.getpwnam("piranha")


@contextlib.contextmanager
def gui() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the GUI as root, without any option; give it and its line about where it listens."""
    environment = {name: text for name, text in os.environ.items() if name != "PIRANHA_ROOT"}
    process = subprocess.Popen(GUI, stderr=subprocess.PIPE, text=True, env=environment, cwd=TOP)
    assert process.stderr is not None
    try:
        said = ""
        for line in process.stderr:
            said += line
            if "listening on" in line:
                break
        else:
            raise AssertionError(said)
        yield process, line
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        print(process.communicate()[1])


def listeners() -> set[tuple[str, int]]:
    """Return every address (in hexadecimal) and port that is listened on over TCP."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                address, _, port = words[1].rpartition(":")
                found.add((address, int(port, 16)))
    return found


def family(process: subprocess.Popen[str]) -> list[dict[str, str]]:
    """Return what /proc says of a process and its children."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [
        dict(re.findall(r"^(\w+):\t(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))
        for pid in (str(process.pid), *children)
    ]


def status_of(host: str, path: str) -> int:
    """Return the status of a page of the GUI."""
    connection = http.client.HTTPConnection(host, 3636, timeout=LIMIT_S)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_check_9_without_any_setting_it_listens_on_3636_as_an_unprivileged_user(account: pwd.struct_passwd) -> None:
    """check 9"""
    before = listeners()
    with gui() as (process, line):
        assert "http://127.0.0.1:3636/ and http://[::1]:3636/" in line
        assert [status_of(host, "/") for host in ("127.0.0.1", "::1")] == [200, 200]
        assert listeners() - before == {("0100007F", 3636), ("00000000000000000000000001000000", 3636)}
        processes = family(process)
        assert len(processes) == 2  # gunicorn's two
        for told in processes:
            assert told["Uid"].split() == [str(account.pw_uid)] * 4
            assert told["Gid"].split() == [str(account.pw_gid)] * 4
            assert "0" not in told["Groups"].split()
            assert {int(told[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    key = PATHS.gui_state / "session.key"
    assert (key.stat().st_uid, stat.S_IMODE(key.stat().st_mode)) == (account.pw_uid, 0o600)


def test_tls_init_makes_a_key_that_the_gui_can_read_and_others_cannot(account: pwd.struct_passwd) -> None:
    made = ran(*PIRANHA, "tls-init", "--name", "192.0.2.7")
    assert made.returncode == 0, made.stderr
    status = PATHS.tls_key.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, account.pw_gid, 0o640)
    PATHS.piranha_toml.write_text(made.stdout[made.stdout.index("[gui]") :])
    try:
        with gui() as (_, line):
            assert "https://127.0.0.1:3636/" in line
            trusting = ssl.create_default_context(cafile=str(PATHS.tls_certificate))
            connection = http.client.HTTPSConnection("localhost", 3636, timeout=LIMIT_S, context=trusting)
            connection.request("GET", "/")
            assert connection.getresponse().status == 200
            connection.close()
    finally:
        PATHS.piranha_toml.unlink()

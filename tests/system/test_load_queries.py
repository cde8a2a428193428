"""The programs that tell the load of real servers: bounded in everything, and nobody's privileges."""

import os
import pwd
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import pytest

from piranha.health.load import OUTPUT_MAX, load_in
from piranha.health.load_questions import Question
from piranha.system import load_queries
from piranha.system.confinement import unprivileged
from piranha.system.load_queries import NoAnswer, ask, forbid_new_privileges, names_of

Script = Callable[[str], Question]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Return a question to a program of these lines of Python, which anybody may run, wherever it lies."""
    file = tmp_path / "load"
    # As root the programs run as nobody, who need not get at the Python of the tests.
    interpreter = Path("/usr/bin/python3") if os.geteuid() == 0 else Path(sys.executable)

    def written(code: str) -> Question:
        file.write_text(f"#!{interpreter} -I\nimport os, sys, time\n{code}\n")
        file.chmod(0o755)
        for folder in file.parents:
            if folder.stat().st_uid == os.geteuid() and folder.is_relative_to(tmp_path.parents[1]):
                folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
        return Question((str(file), "10.0.0.1"))

    monkeypatch.setattr(load_queries, "doubt_of", lambda program, way: None)
    return written


def reason(question: Question, within_s: float = 10.0) -> str:
    with pytest.raises(NoAnswer) as caught:
        ask(question, threading.Event(), within_s=within_s)
    return str(caught.value)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_uptime_of_this_machine_is_read() -> None:
    before = float(Path("/proc/loadavg").read_text().split()[0])
    found = load_in(ask(Question(("uptime",)), threading.Event()))
    assert isinstance(found, float)
    assert abs(found - before) <= 1.0


def test_the_words_arrive_as_they_are_and_no_shell_reads_them(script: Script) -> None:
    question = script("print(sys.argv[1:], sorted(os.environ), sys.stdin.read())")
    words = (*question.words, "$(id)", "a b", "`id`", ";", "*")
    said = ask(Question(words), threading.Event()).decode()
    assert said.startswith(f"{list(words[1:])} ")
    assert "'PATH'" in said and "LD_" not in said and "HOME" not in said


def test_it_runs_without_privileges_and_as_nobody_in_particular(script: Script) -> None:
    user = unprivileged()
    wanted = (user.uid, user.gid, []) if user is not None else (os.getuid(), os.getgid(), os.getgroups())
    assert ask(script("print(os.getuid(), os.getgid(), os.getgroups())"), threading.Event()).decode().split(" ", 2) == [
        str(wanted[0]),
        str(wanted[1]),
        f"{wanted[2]}\n",
    ]


def test_no_program_of_a_thread_that_asks_gets_privileges_and_other_threads_are_as_before(script: Script) -> None:
    question = script("print(*[line for line in open('/proc/self/status') if line.startswith('NoNewPrivs')])")
    before = ask(question, threading.Event())
    with ThreadPoolExecutor(1, initializer=forbid_new_privileges) as threads:
        assert threads.submit(ask, question, threading.Event()).result().split() == [b"NoNewPrivs:", b"1"]
    assert ask(question, threading.Event()) == before


def test_it_runs_as_the_user_that_policy_toml_names(script: Script) -> None:
    question = script("print(os.getuid(), os.getgid(), os.getgroups())")
    if os.geteuid() != 0:
        with pytest.raises(NoAnswer, match="Only root can become nobody"):
            ask(question, threading.Event(), "nobody")
        return
    user = pwd.getpwnam("nobody")
    assert ask(question, threading.Event(), "nobody").decode() == f"{user.pw_uid} {user.pw_gid} []\n"


@pytest.mark.parametrize(
    ("name", "says"), [("no-such-user", "There is no user no-such-user"), ("root", "no check is made as root")]
)
def test_a_user_who_is_none_or_root_is_refused(script: Script, name: str, says: str) -> None:
    with pytest.raises(NoAnswer, match=says):
        ask(script("print(1)"), threading.Event(), name)


def test_one_that_hangs_is_killed_at_its_limit_with_all_that_it_started(script: Script, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    note.touch()
    note.chmod(0o666)
    question = script(
        f"child = os.fork()\nif child: open({str(note)!r}, 'w').write(f'{{os.getpid()}} {{child}}')\ntime.sleep(300)"
    )
    began = time.monotonic()
    assert "did not end within 0.5 seconds" in reason(question, within_s=0.5)
    assert time.monotonic() - began < 5
    pids = [int(each) for each in note.read_text().split()]
    assert len(pids) == 2 and all(map(is_gone, pids))


def test_nobody_waits_for_one_whose_question_is_not_asked_any_more(script: Script) -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        ask(script("time.sleep(300)"), stop, within_s=60)
    assert time.monotonic() - began < 5


def test_an_endless_answer_is_cut_off(script: Script) -> None:
    assert f"more than {OUTPUT_MAX} bytes" in reason(script("while True: sys.stdout.write('load 1.00 ' * 9999)"))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("sys.exit('RPC: Program not registered.')", "load ended with status 1: RPC: Program not registered"),
        ("sys.exit(3)", "load ended with status 3: it says nothing"),
        ("os.kill(os.getpid(), 9)", "load ended by signal 9: it says nothing"),
        ("print('rup: RPC: timed out', file=sys.stderr)", "load answered nothing: rup: RPC: timed out"),
        ("pass", "load answered nothing"),
        ("sys.exit('x' * 9999)", "load ended with status 1: " + "x" * 160),
        ("sys.exit('a\\x1b[2Jb')", "load ended with status 1: a[2Jb"),
    ],
)
def test_what_fails_says_how(script: Script, tmp_path: Path, code: str, says: str) -> None:
    assert reason(script(code)).replace(f"{tmp_path}/", "") == says


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("no-such-program-anywhere", "10.0.0.1"), "There is no program no-such-program-anywhere in /usr/local/sbin"),
        (("bin/load",), "bin/load is a relative path"),
        (("/etc/passwd",), "/etc/passwd is not executable"),
        (("/etc",), "/etc is a folder"),
        (("/bin/echo", "a\0b"), "cannot be started"),
    ],
)
def test_a_program_that_is_not_there_or_not_safe_is_refused_with_the_reason(words: tuple[str, ...], says: str) -> None:
    assert says in reason(Question(words))


def test_a_program_that_others_could_replace_is_never_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    file = tmp_path / "load"
    file.write_text(f"#!/bin/sh\ntouch {ran}\necho 1\n")
    file.chmod(0o777)
    assert "is" in reason(Question((str(file),)))
    assert not ran.exists()


def test_a_program_is_called_by_the_name_that_it_was_found_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of many names, as busybox is one, do what they are called."""
    (tmp_path / "uptime").symlink_to("/bin/echo")
    monkeypatch.setattr(load_queries, "candidates", lambda program: (f"{tmp_path}/{program}",))
    assert load_queries._found("uptime") == f"{tmp_path}/uptime"


def test_the_names_of_addresses_are_asked_for_in_time() -> None:
    loopback = ip_address("127.0.0.1")
    found = names_of({loopback}, 5.0)
    try:
        name, _, _ = socket.gethostbyaddr("127.0.0.1")
    except OSError:
        assert found == {loopback: ()}
    else:
        assert found[loopback][0] == name


def test_a_resolver_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hangs(address: str) -> tuple[str, list[str], list[str]]:
        if address == "10.0.0.1":
            return ("web1", ["www"], [])
        release.wait(30)
        raise OSError

    monkeypatch.setattr(socket, "gethostbyaddr", hangs)
    began = time.monotonic()
    first, second = ip_address("10.0.0.1"), ip_address("10.0.0.2")
    assert names_of([second, first], 0.5) == {first: ("web1", "www"), second: ()}
    assert time.monotonic() - began < 5
    release.set()


@pytest.mark.debian
def test_uptime_over_a_real_ssh(tmp_path: Path) -> None:
    """An sshd on loopback that takes one key; ssh is called with a configuration of its own as rsh_command."""
    for name in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    config = tmp_path / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/id.pub\n"
        "StrictModes no\nPidFile none\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    words = ["/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
    server = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        while "Server listening" not in (said := server.stderr.readline()):
            assert said, "sshd ended"
        options = ("-F", "/dev/null", "-i", f"{tmp_path}/id", "-p", str(port), "-l", "root", "-o", "BatchMode=yes")
        trust = ("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "LogLevel=ERROR")
        question = Question(("ssh", *options, *trust, "127.0.0.1", "uptime"))
        found = load_in(ask(question, threading.Event(), user=lambda name: None))
        assert isinstance(found, float) and found >= 0
    finally:
        server.kill()
        server.wait()
        assert server.stderr is not None
        server.stderr.close()

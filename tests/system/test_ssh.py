"""ssh as it is called: a fixed argument vector, no question, a bound on everything. A script stands in for it here."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from piranha.errors import ConfigUnavailable
from piranha.paths import Paths
from piranha.sync_messages import Outcome
from piranha.system import ssh
from piranha.system.ssh import Destination, SshFailed

TO = Destination("router2.example.com", 2222, "root")
Script = Callable[[str], None]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path / "a root")
    found.sync_key.parent.mkdir(parents=True)
    found.sync_key.write_text("private")
    return found


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Have these lines of Python in place of ssh."""
    file = tmp_path / "ssh"

    def written(code: str) -> None:
        file.write_text(f"#!{sys.executable} -I\nimport json, os, sys, select\n{code}\n")
        file.chmod(0o700)

    monkeypatch.setattr(ssh, "program", lambda name: str(file))
    return written


def test_the_words_of_the_call_take_nothing_from_elsewhere(paths: Paths, script: Script) -> None:
    script("print(json.dumps([sys.argv[1:], dict(os.environ), sys.stdin.read()]))")
    words, environment, heard = json.loads(ssh.exchange(paths, TO, b"a request"))
    assert heard == "a request"
    assert words[:3] == ["-F", "/dev/null", "-T"]
    assert words[-7:] == ["-p", "2222", "-l", "root", "--", "router2.example.com", "piranha receive"]
    options = {each for before, each in pairwise(words) if before == "-o"}
    assert {
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "HostKeyAlias=piranha-partner",
        "GlobalKnownHostsFile=/dev/null",
        "ClearAllForwardings=yes",
        "ControlPath=none",
        f'UserKnownHostsFile="{paths.sync_known_hosts}"',
        f'IdentityFile="{paths.sync_key}"',
    } <= options
    assert set(environment) <= {"PATH", "LC_ALL", "HOME", "LC_CTYPE"}


@pytest.mark.parametrize(
    ("code", "outcome", "says"),
    [
        ("sys.exit('sh: piranha: not found')", Outcome.NO_PIRANHA, "`piranha receive` cannot be run: sh: piranha: not"),
        ("sys.stderr.write('\\x1b[31mConnection refused\\r\\n\\n'); sys.exit(255)", Outcome.UNREACHABLE, "refused"),
        ("sys.stderr.write('x: Permission denied (publickey).'); sys.exit(255)", Outcome.WRONG_KEY, "Pair the routers"),
        ("sys.exit(255)", Outcome.UNREACHABLE, "it says nothing"),
        ("os.kill(os.getpid(), 9)", Outcome.NO_PIRANHA, "it says nothing"),
        ("select.select([], [], [])", Outcome.TOO_LATE, "did not answer within 1 seconds"),
        ("while True: print('x' * 100000)", Outcome.REFUSED, "answers nonsense"),
    ],
)  # fmt: skip
def test_each_failure_has_its_name_and_one_printable_sentence(
    paths: Paths, script: Script, code: str, outcome: Outcome, says: str
) -> None:
    script(code)
    with pytest.raises(SshFailed, match=says) as failed:
        ssh.exchange(paths, TO, b"", within_s=1 if outcome is Outcome.TOO_LATE else 30)
    assert failed.value.outcome is outcome
    assert str(failed.value).isprintable() and "router2.example.com port 2222" in str(failed.value)


def test_a_person_is_asked_by_ssh_itself_and_the_host_key_is_pinned(paths: Paths, script: Script) -> None:
    script("print(json.dumps([sys.argv[1:], sys.stdin.read(), 'SECRET' in os.environ]))")
    done = ssh.as_person(paths, TO, "piranha receive --pairing", b"keys")
    words, heard, _ = json.loads(done.stdout)
    assert heard == "keys" and words[-1] == "piranha receive --pairing"
    assert "StrictHostKeyChecking=ask" in words and "BatchMode=yes" not in words
    assert "StrictHostKeyChecking=accept-new" in ssh.as_person(paths, TO, "x", b"", trusts_new=True).stdout.decode()
    script("sys.exit(255)")
    with pytest.raises(SshFailed, match="could not log in"):
        ssh.as_person(paths, TO, "x", b"")
    script("sys.exit(127)")
    with pytest.raises(SshFailed, match="`x` could not be run there"):
        ssh.as_person(paths, TO, "x", b"")


def test_host_keys_are_pinned_and_read_again_whatever_the_address_is(paths: Paths) -> None:
    keys = ("ssh-ed25519 AAAA" + "x" * 64, "ecdsa-sha2-nistp256 AAAA" + "y" * 100 + "=")
    assert ssh.pinned(paths) == frozenset()
    ssh.pin(paths, keys)
    assert ssh.pinned(paths) == frozenset(keys)
    assert stat.S_IMODE(paths.sync_known_hosts.stat().st_mode) == 0o600


def test_the_host_keys_of_this_machine_are_its_public_ones(paths: Paths) -> None:
    assert ssh.own_host_keys(paths) == ()
    folder = paths.root / "etc/ssh"
    folder.mkdir(parents=True)
    good = "ssh-ed25519 AAAA" + "x" * 64
    (folder / "ssh_host_ed25519_key.pub").write_text(f"{good} root@router1\n")
    (folder / "ssh_host_rsa_key.pub").write_text("nonsense\n")
    (folder / "ssh_host_dsa_key.pub").write_bytes(b"\xff")
    (folder / "ssh_host_ed25519_key").write_text("private")
    assert ssh.own_host_keys(paths) == (good,)


def test_a_missing_program_is_told_with_what_to_install() -> None:
    with pytest.raises(ConfigUnavailable, match="no ssh-nothing here"):
        ssh.program("ssh-nothing")


@pytest.mark.debian
def test_a_key_is_made_once_by_ssh_keygen_for_nobody_else(paths: Paths) -> None:
    paths.sync_key.unlink()
    assert ssh.make_key(paths, "router1")
    public = ssh.public_key(paths)
    assert ssh.PUBLIC_KEY.fullmatch(public)
    assert stat.S_IMODE(paths.sync_key.stat().st_mode) == 0o600
    derived = subprocess.run(["ssh-keygen", "-y", "-f", paths.sync_key], capture_output=True, text=True, check=True)
    assert derived.stdout.startswith(public)
    assert not ssh.make_key(paths, "router1")
    assert ssh.public_key(paths) == public
    paths.sync_key.with_suffix(".pub").write_text("ssh-rsa AAAA")
    with pytest.raises(ConfigUnavailable, match="holds no ed25519 key"):
        ssh.public_key(paths)

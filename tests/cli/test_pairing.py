"""`piranha pair`, with a wire in place of ssh: who gets which key, when, and what is left alone."""

import base64
import subprocess
from pathlib import Path

import msgspec
import pytest

from piranha.cli.accepting import paired, receive_command
from piranha.config.extensions import read
from piranha.config.sync_settings import SyncSettings
from piranha.paths import Paths
from piranha.sync_frames import pack, unpack
from piranha.sync_messages import Outcome, PairingAnswer, PairingRequest, PartnerAnswer, PartnerRequest
from piranha.system import authorized_keys, heartbeat_key, ssh
from piranha.system.ssh import Destination, SshFailed, outcome_of
from tests.cli.conftest import Run

KEYS = [bytes([number]) * 32 for number in range(3)]
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "h" * 43


def public(letter: str) -> str:
    return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5" + letter * 48


class Wire:
    """A partner below a root of its own. `moments`: the heartbeats' keys (here, there) at each login."""

    def __init__(self, here: Paths, there: Paths) -> None:
        self.here, self.there = here, there
        self.moments: list[tuple[tuple[bytes, ...], tuple[bytes, ...]]] = []
        self.destinations: list[Destination] = []
        self.command = ""
        self.fails = False
        self.back = PartnerAnswer(sentence="Both routers have the same lvs.cf.")

    def as_person(
        self, paths: Paths, to: Destination, command: str, request: bytes, *, trusts_new: bool = False
    ) -> "subprocess.CompletedProcess[bytes]":
        self.destinations.append(to)
        self.command = command
        self._note()
        if self.fails:
            raise SshFailed(Outcome.UNREACHABLE, "ssh could not log in.")
        answer = pack(msgspec.json.encode(paired(self.there, request)))
        self._note()
        return subprocess.CompletedProcess([], 0, answer)

    def exchange(self, paths: Paths, to: Destination, request: bytes, within_s: float = 0.0) -> bytes:
        self._note()
        asked = msgspec.json.decode(unpack(request).header, type=PartnerRequest)
        keys = tuple(map(heartbeat_key.fingerprint, heartbeat_key.read(self.there)))
        answer = PartnerAnswer(keys=keys) if asked.verb == "show" else self.back
        return pack(msgspec.json.encode(answer))

    def _note(self) -> None:
        self.moments.append((heartbeat_key.read(self.here), heartbeat_key.read(self.there)))


def make_key(paths: Paths, name: str) -> bool:
    """Make a key as ssh-keygen does, without one."""
    if paths.sync_key.exists():
        return False
    paths.sync_key.write_text("private")
    letter = "a" if paths.root.name == "root" else "b"
    paths.sync_key.with_suffix(".pub").write_text(f"{public(letter)} piranha sync of {name}\n")
    return True


@pytest.fixture
def here(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "root")


@pytest.fixture
def wire(here: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wire:
    found = Wire(here, Paths(tmp_path / "partner"))
    for paths in (here, found.there):
        paths.lvs_cf.parent.mkdir(parents=True)
        paths.state.mkdir(parents=True)
    monkeypatch.setattr(ssh, "as_person", found.as_person)
    monkeypatch.setattr(ssh, "exchange", found.exchange)
    monkeypatch.setattr(ssh, "make_key", make_key)
    monkeypatch.setattr(ssh, "own_host_keys", lambda paths: (HOST_KEY,))
    return found


def test_two_that_never_met_know_one_another_behind_it(run: Run, wire: Wire, here: Paths) -> None:
    done = run("pair", "--host", "router2", "--port", "2222", "--program", "/opt/piranha --root '/a b'")
    assert done.code == 0, done.err
    (key,) = heartbeat_key.read(here)
    assert heartbeat_key.read(wire.there) == (key,)
    assert wire.destinations == [Destination("router2", 2222, "root")]
    assert wire.command == "/opt/piranha --root '/a b' receive --pairing"
    assert read(here.piranha_toml.read_bytes()).sync == SyncSettings("router2", 2222, "root")
    (line,) = wire.there.authorized_keys.read_text().splitlines()
    assert line.startswith('restrict,command="') and line.endswith(f'receive" {public("a")} {authorized_keys.COMMENT}')
    assert public("b") in here.authorized_keys.read_text()
    assert wire.there.authorized_keys.stat().st_mode & 0o777 == 0o600
    assert wire.there.authorized_keys.parent.stat().st_mode & 0o777 == 0o700
    assert wire.there.sync_known_hosts.read_text() == f"piranha-partner {HOST_KEY}\n"
    assert done.out.count("works") == 2
    assert base64.b64encode(key).decode() not in done.out + done.err, "a key is never shown"


def test_again_it_changes_nothing(run: Run, wire: Wire, here: Paths) -> None:
    here.piranha_toml.write_text("# mine\n[gui]\nidle_minutes = 5\n")
    assert run("pair", "--host", "router2").code == 0
    before = {file: file.read_bytes() for root in (here, wire.there) for file in root.root.rglob("*") if file.is_file()}
    done = run("pair")
    assert done.code == 0, done.err
    assert "has everything already" in done.out
    after = {file: file.read_bytes() for root in (here, wire.there) for file in root.root.rglob("*") if file.is_file()}
    assert after == before
    assert here.piranha_toml.read_text() == '# mine\n[gui]\nidle_minutes = 5\n\n[sync]\nhost = "router2"\n'


def test_at_no_moment_one_signs_with_a_key_that_the_other_does_not_take(run: Run, wire: Wire, here: Paths) -> None:
    for each in (here, wire.there):
        heartbeat_key.write(each, (KEYS[0],))
    done = run("pair", "--new-key", "--host", "router2")
    assert done.code == 0 and "The old key still counts" in done.out
    new, old = heartbeat_key.read(here)
    assert (old, heartbeat_key.read(wire.there)) == (KEYS[0], (new, KEYS[0]))
    assert run("pair").code == 0
    assert heartbeat_key.read(here) == heartbeat_key.read(wire.there) == (new,)
    assert len(wire.moments) > 4
    assert all(ours[0] in theirs and theirs[0] in ours for ours, theirs in wire.moments)


def test_a_change_that_did_not_reach_the_partner_is_taken_back_by_the_next_pair(
    run: Run, wire: Wire, here: Paths
) -> None:
    for each in (here, wire.there):
        heartbeat_key.write(each, (KEYS[0],))
    wire.fails = True
    done = run("pair", "--new-key", "--host", "router2")
    assert done.code == 1 and "could not log in" in done.err
    assert heartbeat_key.read(here)[0] == KEYS[0]
    wire.fails = False
    assert run("pair").code == 0
    assert heartbeat_key.read(here) == heartbeat_key.read(wire.there) == (KEYS[0],)
    assert all(ours[0] in theirs and theirs[0] in ours for ours, theirs in wire.moments)


def test_the_old_key_stays_while_the_partner_still_signs_with_it(run: Run, wire: Wire, here: Paths) -> None:
    heartbeat_key.write(here, (KEYS[1], KEYS[0]))
    heartbeat_key.write(wire.there, (KEYS[0],))
    assert run("pair", "--host", "router2").code == 0
    assert heartbeat_key.read(here) == heartbeat_key.read(wire.there) == (KEYS[1], KEYS[0])


def test_a_key_that_others_could_read_is_not_used_and_a_new_one_helps(run: Run, wire: Wire, here: Paths) -> None:
    heartbeat_key.write(here, (KEYS[0],))
    here.heartbeat_key.chmod(0o644)
    done = run("pair", "--host", "router2")
    assert done.code == 1 and "is no secret" in done.err
    here.heartbeat_key.unlink()
    assert run("pair", "--new-key", "--host", "router2").code == 0
    assert KEYS[0] not in heartbeat_key.read(here)


def test_a_way_back_that_does_not_work_is_told_with_what_to_do_there(run: Run, wire: Wire) -> None:
    wire.back = PartnerAnswer(problem="unreachable", sentence="192.0.2.1 cannot be reached by ssh: refused.")
    done = run("pair", "--host", "router2")
    assert done.code == 1
    assert "cannot be reached by ssh: refused." in done.err and "piranha pair --host THIS-ROUTER" in done.err


@pytest.mark.parametrize("word", ["-oProxyCommand=x", "a b", "root@b", "", "x;y"])
def test_a_host_that_is_none_is_a_wrong_command_line(run: Run, wire: Wire, word: str) -> None:
    assert run("pair", f"--host={word}").code == 2
    assert wire.destinations == []


def test_an_original_partner_cannot_be_paired(run: Run, wire: Wire, here: Paths) -> None:
    here.piranha_toml.write_text('[failover]\npartner = "original"\n')
    done = run("pair", "--host", "router2")
    assert done.code == 1 and "an original router has no key" in done.err
    assert wire.destinations == []


def test_without_a_host_and_without_lvs_cf_it_asks_for_one(run: Run, wire: Wire) -> None:
    done = run("pair")
    assert done.code == 1 and "Give --host HOST" in done.err


# The other end.

GOOD = PairingRequest((base64.b64encode(KEYS[0]).decode(),), public("a"), (HOST_KEY,), "router1")


@pytest.mark.parametrize(
    "change",
    [
        {"heartbeat_keys": ()},
        {"heartbeat_keys": ("secret",)},
        {"heartbeat_keys": ("# \n",)},
        {"sync_key": public("a") + "\nssh-ed25519 AAAA"},
        {"sync_key": 'command="sh" ' + public("a")},
        {"sync_key": ""},
        {"host_keys": (HOST_KEY + "\n* " + HOST_KEY,)},
        {"host_keys": ("@cert-authority " + HOST_KEY,)},
    ],
)
def test_what_is_no_key_changes_nothing(wire: Wire, change: dict[str, object]) -> None:
    request = msgspec.json.encode(GOOD)
    words = {**msgspec.json.decode(request), **change}
    told = paired(wire.there, pack(msgspec.json.encode(words)))
    assert told.problem and told == PairingAnswer(problem=told.problem)
    assert [file for file in wire.there.root.rglob("*") if file.is_file()] == []


def test_what_is_no_request_is_told(wire: Wire) -> None:
    for raw in (b"", b"x", pack(b"[]"), pack(b'{"sync_key":""}')):
        assert "not understood" in paired(wire.there, raw).problem


def test_other_lines_of_authorized_keys_stay_byte_for_byte(wire: Wire) -> None:
    file = wire.there.authorized_keys
    file.parent.mkdir(parents=True)
    file.write_bytes(b"# people\nssh-rsa AAAA \xe9 bob\x0cx\n\nssh-ed25519 AAAA piranha-sync-of-the-partner-too")
    others = file.read_bytes() + b"\n"
    assert authorized_keys.allow(wire.there, public("a"), "/usr/bin/piranha receive")
    assert authorized_keys.allow(wire.there, public("b"), "/usr/bin/piranha receive")
    line = authorized_keys.line_of(public("b"), "/usr/bin/piranha receive")
    assert file.read_bytes() == others + line.encode() + b"\n"
    assert not authorized_keys.allow(wire.there, public("b"), "/usr/bin/piranha receive")


def test_a_command_is_quoted_for_authorized_keys() -> None:
    assert 'command="/a\'b \\"c\\" receive"' in authorized_keys.line_of(public("a"), '/a\'b "c" receive')
    with pytest.raises(ValueError, match="cannot stand"):
        authorized_keys.line_of(public("a"), "a\nssh-rsa AAAA")


def test_the_command_is_this_piranha_below_this_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "piranha"
    script.touch()
    monkeypatch.setattr("sys.argv", [str(script), "pair"])
    assert receive_command(Paths()) == f"{script} receive"
    assert receive_command(Paths(tmp_path / "a b")) == f"{script} --root '{tmp_path}/a b' receive"
    monkeypatch.setattr("sys.argv", ["/x/pytest"])
    assert receive_command(Paths()).endswith("-m piranha.cli.main receive")


# What ssh says.


@pytest.mark.parametrize(
    ("status", "errors", "outcome"),
    [
        (255, "ssh: connect to host 192.0.2.2 port 22: Connection refused", Outcome.UNREACHABLE),
        (255, "ssh: Could not resolve hostname router2: Name or service not known", Outcome.UNREACHABLE),
        (255, "root@192.0.2.2: Permission denied (publickey).", Outcome.WRONG_KEY),
        (
            255,
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n",
            Outcome.HOST_KEY,
        ),
        (255, "No ED25519 host key is known for x\nHost key verification failed.", Outcome.NOT_PAIRED),
        (255, "", Outcome.UNREACHABLE),
        (127, "sh: piranha: not found", Outcome.NO_PIRANHA),
        (1, "", Outcome.NO_PIRANHA),
    ],
)
def test_what_ssh_says_is_told_by_its_name(status: int, errors: str, outcome: Outcome) -> None:
    assert outcome_of(status, errors) is outcome


def test_without_a_key_nothing_is_started(here: Paths) -> None:
    with pytest.raises(SshFailed, match="Pair the routers") as failed:
        ssh.exchange(here, Destination("router2", 22, "root"), b"")
    assert failed.value.outcome is Outcome.NOT_PAIRED

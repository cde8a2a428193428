"""Two routers with a real ssh between them: paired, synced; whatever fails is told by its name, nothing half done."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from piranha.config.document import Document
from piranha.config.edits import ExpectedPart, Part, SetValues
from piranha.sync_messages import Outcome, SyncAnswer, SyncRequest
from piranha.system import heartbeat_key
from tests.lab.running_router import RunningRouter, until
from tests.lab.ssh_server import PIRANHA, Person, SshServer, make_host_key
from tests.lab.topologies import LOCAL
from tests.lab.topology import Topology

# A program's start takes seconds in the lab where other programs run beside it.
pytestmark = pytest.mark.timeout(300)

Trouble = Callable[["Side"], AbstractContextManager[None]]
FAILOVER = "[failover]\nkeepalive = 0.5   # fast\ndeadtime = 1.5\n"


@dataclass
class Side:
    """One of the two routers, with its sshd."""

    router: RunningRouter
    person: Person

    def __post_init__(self) -> None:
        self.sshd = SshServer(self.router, self.person)

    @property
    def address(self) -> str:
        return self.router.host.address("dmz")

    def types(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return self.person.types(self.router.host, self.router.paths.root, *words)

    def config(self) -> bytes:
        return self.router.paths.lvs_cf.read_bytes()

    def toml(self) -> str:
        return self.router.paths.piranha_toml.read_text()

    def everything(self) -> dict[str, str]:
        """Return what a sync may change, by its SHA-256."""
        paths = self.router.paths
        files = [paths.lvs_cf, paths.piranha_toml, paths.running_cf, *sorted(paths.history.iterdir())]
        return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.exists()}

    def syncs(self, *, force: bool = False, dry_run: bool = False, applies: bool = True) -> SyncAnswer:
        return self.router.client.sync(SyncRequest(force, dry_run, applies))

    def keepalive(self, seconds: int) -> None:
        """Save another keepalive."""
        saved = self.router.client.config()
        part = Part("", ("keepalive",))
        expected = ExpectedPart(part, Document(saved.text).token(part))
        self.router.client.save([SetValues(path="", values={"keepalive": str(seconds)})], [expected])


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    folder = tmp_path_factory.mktemp("pair")
    topology = Topology(LOCAL)
    topology.make()
    person = Person(folder)
    sides = [Side(RunningRouter(topology[name], folder / name), person) for name in ("lvs1", "lvs2")]
    try:
        yield made(*sides)
    finally:
        for each in sides:
            print(each.router.said(), each.sshd.said())
        topology.remove()
        person.leaves()


def made(here: Side, there: Side) -> tuple[Side, Side]:
    """Start two routers and pair them."""
    text = f"serial_no = 1\nprimary = {here.address}\nbackup = {there.address}\nkeepalive = 6\ndeadtime = 18\n"
    for each in (here, there):
        each.router.write(text)
        each.sshd.start()
        each.router.launch("embedded")
    here.router.paths.piranha_toml.write_text(f"[gui]\nidle_minutes = 5\n\n{FAILOVER}")
    there.router.paths.piranha_toml.write_text("# of router 2\n[gui]\nidle_minutes = 7\n")
    for each in (here, there):
        until(each.router.is_there, 30, "the engine answers")
    done = here.types("pair", "--accept-host-key", "--program", f"{PIRANHA} --root {there.router.paths.root}")
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    return here, there


@pytest.fixture
def pair(two: tuple[Side, Side]) -> tuple[Side, Side]:
    """Return the two, with one configuration."""
    here, there = two
    if here.router.client.copy().digest != there.router.client.copy().digest:
        assert here.syncs(force=True).outcome is Outcome.SENT
        assert here.config() == there.config()
    return here, there


def test_both_ways_work_and_each_key_is_for_one_thing(two: tuple[Side, Side]) -> None:
    here, there = two
    keys = [heartbeat_key.read(each.router.paths) for each in two]
    assert keys[0] == keys[1] and len(keys[0]) == 1
    for each in two:
        paths = each.router.paths
        for file in (paths.heartbeat_key, paths.sync_key, paths.authorized_keys, paths.sync_known_hosts):
            assert file.stat().st_mode & 0o777 == 0o600, file

    # With the key for sync neither a shell, nor a terminal, nor a tunnel is to be had.
    words = ["ssh", "-F", "/dev/null", "-i", str(here.router.paths.sync_key), "-o", "IdentitiesOnly=yes"]
    words += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    with here.router.host.inside():
        shell = subprocess.run([*words, f"root@{there.address}", "id"], input=b"", capture_output=True, check=False)
        tunnel = subprocess.run(
            [*words, "-W", "127.0.0.1:22", f"root@{there.address}"], input=b"", capture_output=True, check=False
        )
    assert b"uid=" not in shell.stdout and shell.stdout.startswith(b"piranha-sync 1 ")
    assert b"not understood" in shell.stdout
    assert b"SSH-2.0" not in tunnel.stdout and b"open failed" in tunnel.stderr


def test_check_74_sync_copies_to_the_address_of_the_backup_and_both_have_equal_hashes(pair: tuple[Side, Side]) -> None:
    here, there = pair
    here.keepalive(7)
    before = here.everything()
    done = here.types("sync")
    assert done.returncode == 0, done.stderr
    assert "-keepalive = " in done.stdout and "+keepalive = 7" in done.stdout
    assert f"{there.address} has the same lvs.cf as this router now" in done.stdout and "and runs it" in done.stdout
    assert here.config() == there.config() == there.router.paths.running_cf.read_bytes()
    assert here.everything() == before, "here nothing is changed"
    digests = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith(("here ", "partner "))]
    assert digests == [here.router.client.copy().digest] * 2
    assert there.toml() == f"# of router 2\n[gui]\nidle_minutes = 7\n\n{FAILOVER}", "its own tables stay its own"
    assert "[gui]\nidle_minutes = 5" in here.toml()
    newest = there.router.client.history().versions[0]
    assert (newest.how, newest.who, newest.from_address) == ("sync", "partner", here.address)
    assert "the text of " in newest.changes[0]

    assert here.router.client.apply().token == here.router.client.copy().token
    assert here.syncs().outcome is Outcome.EQUAL
    assert there.router.client.history().versions[0] == newest


def test_check_75_how_the_copies_differ_is_told_with_both_serials(pair: tuple[Side, Side]) -> None:
    here, there = pair
    serial = here.router.client.copy().serial_no
    assert serial is not None
    here.keepalive(4)
    before = here.everything(), there.everything()
    told = here.syncs(dry_run=True)
    assert (told.outcome, told.partner) == (Outcome.DIFFERENT, there.address)
    assert told.sentence == f"The two lvs.cf differ (serial_no {serial + 1} here, {serial} there)."
    assert told.here is not None and told.there is not None
    assert (told.here.serial_no, told.there.serial_no) == (serial + 1, serial)
    assert "+keepalive = 4" in told.diff
    with stopped(there.sshd):
        silent = here.types("sync", "--dry-run")
    assert silent.returncode == 1 and f"serial_no {serial + 1}" in silent.stdout
    assert f"{there.address} cannot be reached by ssh: " in silent.stderr and "Connection refused" in silent.stderr
    assert (here.everything(), there.everything()) == before


@contextmanager
def stopped(sshd: SshServer) -> Iterator[None]:
    sshd.stop()
    yield
    sshd.start()


@contextmanager
def cut_off(side: Side) -> Iterator[None]:
    device = side.router.host.device("dmz")
    side.router.host.ip(f"link set {device} down")
    yield
    side.router.host.ip(f"link set {device} up")
    side.router.host.run("ip", "route", "replace", "default", "via", "198.51.100.1")


@contextmanager
def unknown_key(side: Side) -> Iterator[None]:
    file = side.router.paths.authorized_keys
    kept = file.read_bytes()
    file.write_bytes(b"")
    yield
    file.write_bytes(kept)


@contextmanager
def other_host_key(side: Side) -> Iterator[None]:
    folder = side.router.paths.root / "etc/ssh"
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    side.sshd.stop()
    make_host_key(side.router)
    side.sshd.start()
    yield
    side.sshd.stop()
    shutil.rmtree(folder)
    kept.rename(folder)
    side.sshd.start()


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Have a full file system in place of a folder, with what was in it."""
    kept = folder.with_name(f"{folder.name}-kept")
    shutil.copytree(folder, kept, symlinks=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,nr_inodes=500", "tiny", folder], check=True)
    shutil.copytree(kept, folder, dirs_exist_ok=True, symlinks=True)
    with (folder / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
    yield
    subprocess.run(["umount", "-l", folder], check=True)
    shutil.rmtree(kept)


@contextmanager
def full_etc(side: Side) -> Iterator[None]:
    with full(side.router.paths.lvs_cf.parent):
        yield


FAILURES = [
    (cut_off, Outcome.UNREACHABLE, "cannot be reached by ssh: "),
    (unknown_key, Outcome.WRONG_KEY, "does not take this router's key for sync. Pair the routers again"),
    (other_host_key, Outcome.HOST_KEY, "shows another ssh host key than when the routers were paired"),
    (full_etc, Outcome.REFUSED, "disk is full"),
]


@pytest.fixture
def different(two: tuple[Side, Side]) -> tuple[Side, Side]:
    """Return the two, of which the first was edited."""
    here, there = two
    if here.router.client.copy().token == there.router.client.copy().token:
        here.keepalive(9 if b"keepalive = 8" in here.config() else 8)
    here.router.paths.piranha_toml.write_text(here.toml().replace("1.5", "1.75"))
    return here, there


@pytest.mark.parametrize(("trouble", "outcome", "says"), FAILURES, ids=[each[0].__name__ for each in FAILURES])
def test_what_goes_wrong_is_told_by_its_name_and_nothing_is_half_done(
    different: tuple[Side, Side], trouble: Trouble, outcome: Outcome, says: str
) -> None:
    here, there = different
    before = here.everything()
    with trouble(there):
        theirs = there.everything()
        told = here.syncs()
        assert (told.outcome, says in told.sentence) == (outcome, True), told.sentence
        assert (here.everything(), there.everything()) == (before, theirs)
        assert [each.name for each in there.router.paths.lvs_cf.parent.glob(".*")] == []


def test_behind_all_that_it_goes(different: tuple[Side, Side]) -> None:
    here, there = different
    assert here.syncs().outcome is Outcome.SENT
    assert here.config() == there.config() and "1.75" in there.toml()

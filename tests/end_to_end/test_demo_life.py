"""Starting, stopping and killing the demo and its parts."""

import os
import select
import signal
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from piranha.config.edits import SetValues
from piranha.errors import PiranhaError
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def kept_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a root that several demos use one after the other."""
    return tmp_path_factory.mktemp("kept")


def answers_after(demo: RunningDemo) -> Counter[tuple[int, bytes]]:
    """Send 30 requests and count the answers."""
    return Counter(demo.get() for _ in range(30))


EVENLY = {(200, b"web1\n"): 10, (200, b"web2\n"): 10, (200, b"web3\n"): 10}


def has_ended(pidfd: int) -> bool:
    """Wait for the end of a process; a pidfd can be read from then on. Closes it."""
    ended, _, _ = select.select([pidfd], [], [], 30)
    os.close(pidfd)
    return bool(ended)


def test_ctrl_c_ends_all_that_was_started_and_a_second_run_is_the_same(
    start_demo: Callable[..., RunningDemo], kept_root: Path
) -> None:
    first = start_demo("--gui-port", "0", "--vip-port", "0", root=kept_root).wait_until_ready()
    block, text = list(first.lines), first.paths.lvs_cf.read_bytes()
    assert answers_after(first) == EVENLY
    running = [os.pidfd_open(pid) for pid in first.children().values()]
    assert len(running) == 5
    assert first.stop(signal.SIGINT) == 0
    assert first.lines[-1] == "Piranha demo: stopped."
    assert all(has_ended(process) for process in running)
    assert not list(kept_root.rglob("*.sock"))

    second = start_demo("--gui-port", str(first.gui_port), root=kept_root).wait_until_ready()
    assert second.lines == block
    assert second.paths.lvs_cf.read_bytes() == text
    assert answers_after(second) == EVENLY
    assert second.stop(signal.SIGTERM) == 0


def test_ctrl_c_before_everything_is_up_ends_it_too(start_demo: Callable[..., RunningDemo], tmp_path: Path) -> None:
    hasty = start_demo("--gui-port", "0", "--vip-port", "0", root=tmp_path)
    hasty.wait_for_line("starting on")
    until(lambda: len(hasty.children()) == 5, 30, "all five processes are there")
    running = [os.pidfd_open(pid) for pid in hasty.children().values()]
    assert hasty.stop(signal.SIGINT) == 0
    assert all(has_ended(process) for process in running)


def test_the_files_of_the_demo_are_its_users_alone(demo: RunningDemo) -> None:
    assert (demo.root / "demo.json").stat().st_mode & 0o777 == 0o600
    assert demo.paths.lvs_cf.stat().st_mode & 0o777 == 0o600
    assert demo.paths.passwd.stat().st_mode & 0o777 == 0o600
    assert demo.password not in demo.paths.passwd.read_text()


def test_the_block_holds_commands_that_work_as_they_are_printed(demo: RunningDemo) -> None:
    stop, start = (demo.told(rf"{what}\s+(\S.*)$").split() for what in ("stop one", "start it"))
    assert stop[0] == str(demo.program)
    assert demo.command(*stop[3:]).stdout.startswith("web2 is stopped.")
    assert demo.command(*start[3:]).stdout.startswith("web2 listens.")
    assert stop[1:3] == ["--root", str(demo.root)]


def test_the_written_configuration_has_no_fault(demo: RunningDemo) -> None:
    checked = demo.command("check", str(demo.paths.lvs_cf))
    assert checked.returncode == 0
    assert "error" not in checked.stdout
    assert "warning" not in checked.stdout


def test_a_second_demo_on_the_same_root_is_refused(demo: RunningDemo) -> None:
    refused = demo.command("demo")
    assert refused.returncode == 1
    assert f"process {demo.process.pid}" in refused.stderr


def test_without_a_demo_its_commands_say_so(demo: RunningDemo, tmp_path: Path) -> None:
    refused = demo.command("demo", "--root", str(tmp_path / "nothing"), "stop", "web1")
    assert refused.returncode == 1
    assert "No demo runs on" in refused.stderr
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("option", ["--gui-port", "--vip-port", "--web-port"])
def test_a_taken_port_is_named_before_anything_is_started(
    option: str, start_demo: Callable[..., RunningDemo], tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        others = [word for other in ("--gui-port", "--vip-port") if other != option for word in (other, "0")]
        wanted = f"web2={port}" if option == "--web-port" else str(port)
        refused = start_demo(*others, option, wanted, root=tmp_path)
        refused.wait_for_line(rf":{port}, wanted for the .*{option} .*PORT")
        assert refused.process.wait(30) == 1
    assert not list((tmp_path / "var/log").iterdir())
    # Free again: another run takes the ports it was told, and keeps those that stand in lvs.cf.
    again = start_demo("--gui-port", "0", root=tmp_path).wait_until_ready()
    assert answers_after(again) == EVENLY
    if option == "--vip-port":
        assert again.vip[1] == port
    again.stop()


def test_a_port_given_later_is_written_into_lvs_cf_and_nothing_else_is(
    start_demo: Callable[..., RunningDemo], tmp_path: Path
) -> None:
    first = start_demo("--gui-port", "0", "--vip-port", "0", root=tmp_path).wait_until_ready()
    old = first.paths.lvs_cf.read_text().splitlines()
    first.stop()
    second = start_demo("--gui-port", "0", "--vip-port", "0", "--web-port", "web2=0", root=tmp_path).wait_until_ready()
    new = second.paths.lvs_cf.read_text().splitlines()
    changed = [(before.split(), after.split()) for before, after in zip(old, new, strict=True) if before != after]
    assert [before[0] for before, _ in changed] == ["serial_no", "port", "port"]
    assert changed[1][1][2] == str(second.vip[1])
    assert answers_after(second) == EVENLY
    second.stop()


def test_a_killed_engine_runs_again_what_ran_and_keeps_what_was_saved(demo: RunningDemo) -> None:
    client = demo.client
    client.save([SetValues(path="virtual[demo].server[web1]", values={"weight": "7"})], [])
    saved, ran = client.config(), client.running()
    assert saved.token != ran.token
    os.kill(demo.children()["engine"], signal.SIGKILL)
    demo.wait_for_line(r"engine was killed by signal 9; it is started again now")

    def is_back() -> bool:
        try:
            servers = [server for group in demo.status().virtual_servers for server in group.servers]
            return len(servers) == 3 and all(server.health.state == "up" for server in servers)
        except PiranhaError:
            return False

    until(is_back, 30, "the engine is back with all servers up")
    assert client.config() == saved
    assert client.running() == ran
    assert demo.server("web1").configured_weight == 1
    assert answers_after(demo) == EVENLY
    client.apply()
    assert demo.server("web1").configured_weight == 7


def test_a_killed_gui_is_started_again(demo: RunningDemo) -> None:
    old = demo.children()["GUI"]
    os.kill(old, signal.SIGKILL)
    demo.wait_for_line(r"GUI was killed by signal 9; it is started again now")

    def is_back() -> bool:
        try:
            return bool(demo.get("/", ("127.0.0.1", demo.gui_port))[0] == 200)
        except OSError:
            return False

    until(is_back, 30, "the GUI answers again")
    assert demo.children()["GUI"] != old


def test_nothing_outlives_a_demo_that_is_killed_and_the_next_one_starts(
    start_demo: Callable[..., RunningDemo], tmp_path: Path
) -> None:
    killed = start_demo("--gui-port", "0", "--vip-port", "0", root=tmp_path).wait_until_ready()
    running = [os.pidfd_open(pid) for pid in killed.children().values()]
    killed.process.kill()
    assert all(has_ended(process) for process in running)
    again = start_demo("--gui-port", str(killed.gui_port), root=tmp_path).wait_until_ready()
    assert answers_after(again) == EVENLY
    again.stop()

"""The engine as a process: start, signals, a second one beside it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from piranha.client import EngineClient
from piranha.engine import run
from piranha.errors import EngineUnavailable
from piranha.paths import Paths
from piranha.status import RunState
from piranha.system.embedded import EmbeddedPath
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.kernel_ipvs import KernelPath
from tests.running_demo import until

pytestmark = pytest.mark.end_to_end
Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def start(paths) -> Iterator[Start]:
    """Start an engine on this test's root and wait until it says that it runs."""
    started: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(paths.root), "--data-path", "embedded"]
        engine = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        started.append(engine)
        await_line(engine, "The engine runs")
        return engine

    yield begin
    for engine in started:
        engine.kill()
        engine.communicate()


def free_port() -> int:
    """Return a port of the VIP that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        return int(probe.getsockname()[1])


def await_line(engine: subprocess.Popen[str], words: str) -> str:
    """Return the next line of the engine's log that has these words; its end is a failure."""
    assert engine.stderr is not None
    seen = []
    for line in engine.stderr:
        seen.append(line)
        if words in line:
            return line
    pytest.fail(f"the engine ended without saying {words!r}: {''.join(seen)}")


def test_it_starts_idle_without_a_file_and_ends_at_sigterm(start, paths):
    engine = start()
    assert EngineClient(paths.socket).status().state is RunState.IDLE
    engine.send_signal(signal.SIGTERM)
    assert engine.wait(10) == 0
    assert not paths.socket.exists()
    with pytest.raises(EngineUnavailable):
        EngineClient(paths.socket).status()


def test_a_second_engine_on_the_same_root_gives_up_with_one_sentence_and_the_first_goes_on(start, paths):
    start()
    words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(paths.root)]
    second = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    assert "already running" in second.stderr and "Traceback" not in second.stderr
    assert EngineClient(paths.socket).status().state is RunState.IDLE


def test_after_kill_9_it_starts_again_over_the_socket_that_was_left(start, paths):
    engine = start()
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait(10)
    assert paths.socket.exists()
    start()
    assert EngineClient(paths.socket).status().state is RunState.IDLE


def test_sighup_applies_what_is_saved_and_a_broken_file_is_refused(start, paths, block):
    port = free_port()
    engine = start()
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:9", port=port))
    engine.send_signal(signal.SIGHUP)
    await_line(engine, "lvs.cf applied by SIGHUP")
    until(lambda: [web.name for web in EngineClient(paths.socket).status().virtual_servers] == ["web"], 10, "it runs")
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:9", port=port, extra="port = 70000"))
    engine.send_signal(signal.SIGHUP)
    assert "70000" in await_line(engine, "errors")
    assert [web.port for web in EngineClient(paths.socket).status().virtual_servers] == [port]


def no_kernel() -> KernelPath:
    raise KernelUnavailable("This kernel has no IPVS.")


class Found(KernelPath):
    """Stands for a kernel that was found."""

    def __init__(self) -> None:
        pass


def test_auto_is_the_kernel_on_the_real_system_and_never_for_another_root(paths):
    assert isinstance(run.choose_data_path(Paths(), "auto", Found).path, Found)
    assert isinstance(run.choose_data_path(paths, "auto", Found).path, EmbeddedPath)
    assert isinstance(run.choose_data_path(Paths(), "embedded", Found).path, EmbeddedPath)
    assert isinstance(run.choose_data_path(paths, "kernel", Found).path, Found)


def test_auto_without_ipvs_is_embedded_and_says_so():
    chosen = run.choose_data_path(Paths(), "auto", no_kernel)
    assert isinstance(chosen.path, EmbeddedPath)
    assert chosen.notice.startswith("This kernel has no IPVS. Until then the embedded data path")


def test_the_kernel_that_is_asked_for_and_is_none_is_one_sentence_and_leaves_no_socket(paths, monkeypatch):
    monkeypatch.setattr(run, "choose_data_path", lambda paths, wanted: no_kernel())
    with pytest.raises(KernelUnavailable):
        run.serve(paths, "kernel")
    assert not paths.socket.exists()


def test_sigusr2_ends_it_without_the_mark_of_an_operators_stop(start, paths):
    engine = start()
    engine.send_signal(signal.SIGUSR2)
    assert engine.wait(10) == 0
    assert not (paths.state / "stopped.json").exists() and not paths.socket.exists()
    engine = start()
    engine.send_signal(signal.SIGTERM)
    assert engine.wait(10) == 0
    assert (paths.state / "stopped.json").exists()


def test_a_root_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(tmp_path / "file")]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr

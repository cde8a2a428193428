"""The engine as a process: start, signals, a second one beside it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from piranha.client import EngineClient
from piranha.errors import EngineUnavailable
from piranha.status import RunState

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
    assert [web.name for web in EngineClient(paths.socket).status().virtual_servers] == ["web"]
    paths.lvs_cf.write_text(block("web", "a=127.0.0.11:9", port=port, extra="port = 70000"))
    engine.send_signal(signal.SIGHUP)
    assert "70000" in await_line(engine, "errors")
    assert [web.port for web in EngineClient(paths.socket).status().virtual_servers] == [port]


def test_the_kernel_data_path_is_refused_with_a_sentence(paths):
    words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(paths.root), "--data-path", "kernel"]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert refused.returncode == 1 and "--data-path embedded" in refused.stderr and "Traceback" not in refused.stderr


def test_a_root_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(tmp_path / "file")]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr

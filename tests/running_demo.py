"""A demo in processes of its own, and waiting for what it does."""

import contextlib
import http.client
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from piranha.client import EngineClient
from piranha.paths import Paths
from piranha.status import EngineStatus, ServerStatus

PIRANHA = Path(sys.executable).parent / "piranha"
LAST_LINE = "Ctrl-C stops all of it."


class RunningDemo:
    """A demo in processes of its own, driven through what a person has: its output, its commands, its ports."""

    def __init__(self, root: Path, *words: str, program: Path = PIRANHA) -> None:
        self.root = root
        self.paths = Paths(root)
        self.program = program
        self.said: queue.Queue[str] = queue.Queue()
        self.lines: list[str] = []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PIRANHA_")}
        self.process = subprocess.Popen(
            [program, "demo", "--root", root, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="demo output", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self.said.put(line.rstrip("\n"))

    def wait_for_line(self, wanted: str, within_s: float = 60.0) -> str:
        """Return the next line that matches `wanted`; fail with everything that was said."""
        give_up_at = time.monotonic() + within_s
        with contextlib.suppress(queue.Empty):
            while (left_s := give_up_at - time.monotonic()) > 0:
                line = self.said.get(timeout=left_s)
                if re.search(wanted, line):
                    return line
        logs = [f"--- {log}\n{log.read_text()[-3000:]}" for log in sorted((self.root / "var/log").glob("*.log"))]
        raise AssertionError("\n".join([f"the demo did not say {wanted!r} but:", *self.lines, *logs]))

    def wait_until_ready(self) -> "RunningDemo":
        """Wait for the last line of the block."""
        self.wait_for_line(re.escape(LAST_LINE))
        return self

    def told(self, pattern: str) -> str:
        found = re.search(pattern, "\n".join(self.lines), re.MULTILINE)
        assert found is not None, f"{pattern} is not in the block:\n" + "\n".join(self.lines)
        return found[1]

    @property
    def gui_port(self) -> int:
        return int(self.told(r"http://127\.0\.0\.1:(\d+)/$"))

    @property
    def password(self) -> str:
        return self.told(r"password\s+(\S+)$")

    @property
    def vip(self) -> tuple[str, int]:
        host, port = self.told(r"curl http://(\S+)/$").split(":")
        return host, int(port)

    @property
    def client(self) -> EngineClient:
        return EngineClient(self.paths.socket, user="tests", from_="tests")

    def status(self) -> EngineStatus:
        return self.client.status()

    def server(self, name: str, virtual: str = "demo") -> ServerStatus:
        """Return the status of a real server."""
        servers = [each for group in self.status().virtual_servers if group.name == virtual for each in group.servers]
        return next(server for server in servers if server.name == name)

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run `piranha --root ROOT WORDS`."""
        return subprocess.run(
            [self.program, "--root", self.root, *words], capture_output=True, text=True, timeout=60, check=False
        )

    def get(self, path: str = "/", vip: tuple[str, int] | None = None) -> tuple[int, bytes]:
        """Send one request through the virtual server, over a connection of its own."""
        host, port = vip or self.vip
        connection = http.client.HTTPConnection(host, port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def children(self) -> dict[str, int]:
        """Return the demo's processes: engine, GUI, web1 ... with their process ids."""
        found = {}
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            for pid in (task / "children").read_text().split():
                words = []
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                modules = {"piranha.cli.pulse": "engine", "piranha.cli.gui": "GUI"}
                for module, name in modules.items():
                    if module in words:
                        found[name] = int(pid)
                if "piranha.cli.demo_web_server" in words:
                    found[words[words.index("--name") + 1]] = int(pid)
        return found

    def stop(self, order: signal.Signals = signal.SIGINT) -> int:
        """End the demo as Ctrl-C does, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(order)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def until(condition: Callable[[], object], within_s: float, what: str) -> float:
    """Ask until the condition holds; return how many seconds that took. Fails after `within_s`, saying what."""
    never = threading.Event()
    started_at = time.monotonic()
    while not condition():
        assert time.monotonic() - started_at < within_s, f"not within {within_s} s: {what}"
        never.wait(0.02)
    return time.monotonic() - started_at

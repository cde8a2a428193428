"""The GUI as a process of its own, for tests."""

import contextlib
import http.client
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

GUI = (sys.executable, "-m", "piranha.cli.gui")
IMPATIENT = (
    sys.executable,
    "-c",
    "import piranha.cli.gui_worker as w, piranha.cli.gui as g; "
    "w.READ_LIMIT_S = w.WRITE_LIMIT_S = w.CLOSE_LIMIT_S = 0.5; g.main()",
)
NOTHING: Mapping[str, str] = MappingProxyType({})


class Started:
    """Every GUI that a test starts; each is killed in the end."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._processes: list[subprocess.Popen[str]] = []

    def __call__(
        self, *words: str, program: Sequence[str] = GUI, port: Sequence[str] = ("--port", "0")
    ) -> tuple[subprocess.Popen[str], int]:
        """Start one, by default on a port that the kernel chooses; return it and its port."""
        command = [*program, "--root", str(self._root), *port, *words]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._processes.append(process)
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            found = re.search(r"listening on https?://\S+:(\d+)/", line)
            if found is not None:
                return process, int(found[1])
        raise AssertionError(said)

    def end(self) -> None:
        """Kill them all."""
        for process in self._processes:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def started(root: Path) -> Iterator[Started]:
    """Give a function that starts the GUI on a root."""
    all_of_them = Started(root)
    try:
        yield all_of_them
    finally:
        all_of_them.end()


def get(port: int, path: str, host: str = "127.0.0.1", headers: Mapping[str, str] = NOTHING) -> tuple[int, str]:
    """Return status and body of a page."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def exchange(port: int, request: bytes, source: str = "127.0.0.1") -> bytes:
    """Return everything that is answered to a request, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0)) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer

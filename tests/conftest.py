"""What all tests share: no sockets in the thinking rooms' tests, and a demo as a person starts it."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.running_demo import PIRANHA, RunningDemo

TESTS = Path(__file__).parent
PURE = tuple(TESTS / room for room in ("config", "ipvs", "health", "ha"))


@pytest.fixture(autouse=True)
def sockets_are_refused_in_thinking_rooms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every socket an error while a thinking room is tested."""
    if any(request.node.path.is_relative_to(room) for room in PURE):

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a thinking room opened a socket")

        monkeypatch.setattr(socket, "socket", refuse)


@pytest.fixture(scope="module")
def start_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningDemo]]:
    """Give a function that starts a demo (`root=`, more words for the command line); all are stopped at the end."""
    started: list[RunningDemo] = []

    def start(*words: str, root: Path | None = None, program: Path = PIRANHA) -> RunningDemo:
        chosen = words if root is not None else ("--gui-port", "0", "--vip-port", "0", *words)
        started.append(RunningDemo(root or tmp_path_factory.mktemp("demo"), *chosen, program=program))
        return started[-1]

    yield start
    for demo in started:
        demo.stop()


@pytest.fixture(scope="module")
def demo(start_demo: Callable[..., RunningDemo]) -> RunningDemo:
    """Give a demo of this module's own that is ready."""
    return start_demo().wait_until_ready()

"""Wait until the demo can be used: the GUI answers, and the engine says that the web servers are up."""

import asyncio
import contextlib
import http.client
from collections.abc import Sequence
from dataclasses import dataclass

from piranha.cli.demo_setup import GUI_HOST, SERVER_HOST, Demo, log_folder
from piranha.client import EngineClient
from piranha.errors import PiranhaError
from piranha.status import EngineStatus, HealthState, RunState, ServerStatus
from piranha.system.boot import monotonic

PROGRAMS_WITHIN_S = 60.0
SERVERS_WITHIN_S = 15.0
ASK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Readiness:
    """How the start went. `failure` is why the demo cannot be used, or ""; `notes` what is not as usual."""

    failure: str = ""
    notes: tuple[str, ...] = ()


async def wait_until_ready(demo: Demo, gui_port: int, stopping: asyncio.Event) -> Readiness:
    """Return as soon as everything is up, when waiting longer makes no sense, or when `stopping` is set."""
    client = EngineClient(demo.paths.socket, user="demo", from_="demo", answer_within_s=2.0)
    logs = log_folder(demo.paths)
    started_at = monotonic()
    answered_at: float | None = None
    while not stopping.is_set():
        status = await asyncio.to_thread(_status, client)
        has_gui = await asyncio.to_thread(_answers, gui_port)
        now = monotonic()
        if status is not None and has_gui:
            answered_at = answered_at or now
            notes = notes_of(demo, status)
            if not notes or status.state is RunState.IDLE or now - answered_at > SERVERS_WITHIN_S:
                return Readiness(notes=tuple(notes))
        elif now - started_at > PROGRAMS_WITHIN_S:
            missing = [name for name, is_there in (("engine", status is not None), ("GUI", has_gui)) if not is_there]
            return Readiness(
                f"No answer from {' and '.join(f'the {name}' for name in missing)} "
                f"within {PROGRAMS_WITHIN_S:g} seconds. The messages are in {logs}."
            )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), ASK_EVERY_S)
    return Readiness()


def notes_of(demo: Demo, status: EngineStatus) -> list[str]:
    """Return what keeps the demo's servers from being used; empty when all are up."""
    if status.state is RunState.IDLE:
        return [f"The engine runs nothing: {status.reason}"]
    notes = [
        f"The virtual server {virtual.name} is refused: {virtual.refused}"
        for virtual in status.virtual_servers
        if virtual.refused
    ]
    for name, port in demo.kept.web_ports.items():
        shown = [
            server
            for virtual in status.virtual_servers
            for server in virtual.servers
            if (server.address, server.port) == (SERVER_HOST, port) and server.is_active
        ]
        notes += _notes_of_server(name, port, shown)
    return notes


def _notes_of_server(name: str, port: int, shown: Sequence[ServerStatus]) -> list[str]:
    if not shown:
        return [f"{name} ({SERVER_HOST}:{port}) is not in what runs."]
    return [
        f"{name} is {server.health.state}: {server.health.reason}"
        for server in shown
        if server.health.state is not HealthState.UP
    ][:1]


def _status(client: EngineClient) -> EngineStatus | None:
    try:
        return client.status()
    except PiranhaError:
        return None


def _answers(gui_port: int) -> bool:
    connection = http.client.HTTPConnection(GUI_HOST, gui_port, timeout=2.0)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

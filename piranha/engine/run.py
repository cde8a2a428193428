"""Start, run and stop the engine: one process for now, with pulse, lvs and nanny as its parts."""

import asyncio
import logging
import resource
import signal
import sys
from collections.abc import Callable

from piranha.engine import api
from piranha.engine.balancer import Balancer
from piranha.engine.caller import Caller
from piranha.engine.guard import Turn
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.service import Engine
from piranha.errors import ConfigUnavailable, PiranhaError
from piranha.messages import ApplyRequest
from piranha.paths import Paths
from piranha.system import unix_socket
from piranha.system.boot import monotonic
from piranha.system.embedded import EmbeddedPath
from piranha.system.lvs_cf import piranha_gid

log = logging.getLogger("pulse")

DATA_PATHS = ("auto", "kernel", "embedded")


def serve(paths: Paths, data_path: str) -> None:
    """Run the engine until SIGTERM or SIGINT. Raises PiranhaError where it cannot start."""
    if data_path == "kernel":
        raise PiranhaError("This version has no kernel data path yet. Start with --data-path embedded.")
    _take_all_descriptors()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(paths))


def _take_all_descriptors() -> None:
    """Raise the soft limit of open files to the hard one: two descriptors for each balanced connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop: uvloop's where it is installed, else Python's own."""
    if sys.platform == "win32":
        return asyncio.new_event_loop
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _serve(paths: Paths) -> None:
    try:
        paths.run.mkdir(parents=True, exist_ok=True)
        paths.state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PiranhaError(f"Cannot use {error.filename}: {error.strerror}.") from error
    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    keeper = ConfigKeeper(paths)
    # The socket first: whoever has it is the only engine here, and touches running.cf and the table.
    listener = unix_socket.listen(paths.socket, mode=0o660, gid=piranha_gid() if paths.is_system else None)
    async with EmbeddedPath() as path, asyncio.TaskGroup() as tasks:
        balancer = Balancer(path, tasks, monotonic)
        engine = Engine(keeper, balancer, monotonic)
        ours = [
            tasks.create_task(balancer.run(), name="balancer"),
            tasks.create_task(balancer.keep_resolving(), name="names"),
            tasks.create_task(_apply_on(reload, engine), name="reload"),
        ]
        await engine.start()
        ours.append(tasks.create_task(engine.keep_watching(), name="history"))
        log.info("The engine runs (data path: %s, socket: %s).", path.name, paths.socket)
        try:
            await api.serve(api.application(engine), listener, stop)
        finally:
            paths.socket.unlink(missing_ok=True)
            balancer.nanny.stop()
            for task in ours:
                task.cancel()
    log.info("Terminating as asked.")
    try:
        keeper.note_stopped_by_operator()
    except ConfigUnavailable as error:
        log.warning("%s", error)


async def _apply_on(reload: asyncio.Event, engine: Engine) -> None:
    """Apply the saved lvs.cf at every SIGHUP; a refused one is logged and what ran goes on."""
    while True:
        await reload.wait()
        reload.clear()
        log.info("rereading configuration file")
        with Turn("The Apply of a SIGHUP"):
            try:
                await engine.apply(ApplyRequest(), Caller("SIGHUP"))
            except PiranhaError as error:
                log.error("%s", error)

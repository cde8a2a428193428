"""Start, run and stop lvs: on a router as the child of pulse, on the embedded data path alone."""

import asyncio
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from piranha.engine import api
from piranha.engine.balancer import Balancer
from piranha.engine.caller import Caller
from piranha.engine.employing import workers_of
from piranha.engine.errands import Errands, hire_for
from piranha.engine.events import Events
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.redundancy import Redundancy
from piranha.engine.router import Router
from piranha.engine.service import Engine
from piranha.engine.weighing import settings_in
from piranha.errors import ConfigUnavailable, PiranhaError
from piranha.guard import Turn
from piranha.ipvs.table import DataPath
from piranha.messages import ApplyRequest
from piranha.paths import Paths
from piranha.records import EventKind
from piranha.system import unix_socket
from piranha.system.boot import monotonic
from piranha.system.embedded import EmbeddedPath
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.kernel_ipvs import KernelPath
from piranha.system.lvs_cf import piranha_gid

log = logging.getLogger("lvs")

LOOK_S = 1.0
"""Between two looks at how things stand, for the events."""
PULSE_S = 2.0
"""How long lvs waits at its start for pulse, which started it."""
DATA_PATHS = ("auto", "kernel", "embedded")


def serve(paths: Paths, data_path: str) -> None:
    """Run the engine until SIGTERM, SIGINT or SIGUSR2. Raises PiranhaError where it cannot start."""
    _take_all_descriptors()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(paths, data_path))


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


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The data path, and what an administrator should know about the choice, "" for nothing."""

    path: DataPath
    notice: str = ""


def choose_data_path(paths: Paths, wanted: str, kernel: Callable[[], KernelPath] = KernelPath) -> _Chosen:
    """Return the data path for `--data-path`. Raises KernelUnavailable where the kernel's was asked for and is none.

    "auto" is the kernel on the real system, where it can be used; never for another root, whose engine would program
    the one table of this machine.
    """
    if wanted == "kernel":
        return _Chosen(kernel())
    if wanted == "embedded" or not paths.is_system:
        return _Chosen(EmbeddedPath())
    try:
        return _Chosen(kernel())
    except KernelUnavailable as unavailable:
        return _Chosen(
            EmbeddedPath(),
            f"{unavailable} Until then the embedded data path is used: TCP only, and connections end with the engine.",
        )


async def _serve(paths: Paths, data_path: str) -> None:
    try:
        paths.run.mkdir(parents=True, exist_ok=True)
        paths.state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PiranhaError(f"Cannot use {error.filename}: {error.strerror}.") from error
    signals = _Signals(asyncio.get_running_loop())
    keeper = ConfigKeeper(paths)
    # The socket first: whoever has it is the only engine here, and touches running.cf and the table.
    listener = unix_socket.listen(paths.socket, mode=0o660, gid=piranha_gid() if paths.is_system else None)
    async with AsyncExitStack() as stack:
        stack.callback(paths.socket.unlink, missing_ok=True)
        stack.callback(listener.close)
        chosen = choose_data_path(paths, data_path)
        stack.push_async_callback(chosen.path.close)
        if chosen.notice:
            log.warning("%s", chosen.notice)
        router = Router(paths, chosen.path) if isinstance(chosen.path, KernelPath) else None
        leaves_everything = await _run(paths, keeper, listener, signals, chosen, router)
    log.info("Terminating as asked.")
    if leaves_everything:
        return
    try:
        keeper.note_stopped_by_operator()
    except ConfigUnavailable as error:
        log.warning("%s", error)


async def _run(
    paths: Paths,
    keeper: ConfigKeeper,
    listener: socket.socket,
    signals: "_Signals",
    chosen: _Chosen,
    router: Router | None,
) -> bool:
    """Run until a signal says stop; then leave the router as that signal wants it. Say whether that is: untouched."""
    path, events = chosen.path, Events(paths.events)
    async with asyncio.TaskGroup() as tasks:
        balancer = router.balancer(tasks) if router is not None else Balancer(path, tasks, monotonic)
        balancer.weighing.read_settings = partial(settings_in, paths)

        def notices() -> tuple[str, ...]:
            told = (*((chosen.notice,) if chosen.notice else ()), *balancer.nanny.troubles)
            return (*told, *router.notices()) if router is not None else told

        engine = Engine(keeper, balancer, monotonic, notices, events=events)
        redundancy = Redundancy(engine.audit, events, router.link if router is not None else None)
        engine.redundancy = redundancy.status
        ours = [
            tasks.create_task(events.keep_writing(), name="events"),
            tasks.create_task(balancer.run(), name="balancer"),
            tasks.create_task(balancer.keep_resolving(), name="names"),
            tasks.create_task(_apply_on(signals.reload, engine), name="reload"),
        ]
        errands = Errands(tasks, hire_for(paths))
        if (workers := workers_of(paths, balancer.nanny.hear)) is not None:
            balancer.nanny.employ(workers)
            engine.trying.probe = errands.probe
            ours.append(tasks.create_task(workers.run(), name="nannies"))
        if router is not None:
            router.running_token = lambda: engine.running_token
            ours.append(tasks.create_task(router.link.run(), name="pulse"))
            await router.link.there(PULSE_S)
        await engine.start()
        ours.append(tasks.create_task(engine.keep_watching(), name="history"))
        ours.append(tasks.create_task(engine.keep_confirming(), name="confirmation"))
        ours.append(tasks.create_task(engine.keep_ending_overrides(), name="overrides"))
        ours.append(tasks.create_task(engine.sampling.keep_sampling(), name="samples"))
        ours.append(tasks.create_task(_tell_standings(engine, router, redundancy), name="standings"))
        log.info("The engine runs (data path: %s, socket: %s).", path.name, paths.socket)
        try:
            await api.serve(_application(engine, router, redundancy), listener, signals.stop)
        finally:
            paths.socket.unlink(missing_ok=True)
            balancer.weighing.stop()
            errands.stop()
            for task in ours:
                task.cancel()
    # What an active router serves stays when lvs alone ends: pulse starts it again, and takes the addresses away before
    # it ends it itself.
    leaves = signals.leaves_everything or (router is not None and router.link.standing.is_active)
    if router is not None and not leaves:
        await router.stop(balancer)
    how = " for another one: table and addresses stay" if leaves else ", as asked"
    events.say(EventKind.STOPPED, "", f"The engine ended{how}.")
    await events.close()
    return leaves


def _application(engine: Engine, router: Router | None, redundancy: Redundancy) -> web.Application:
    if router is None:
        return api.application(engine)
    return api.application(engine, tuning=router.tuning, addresses=lambda: router.link.addresses, redundancy=redundancy)


class _Signals:
    """What the signals asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stop = asyncio.Event()
        self.reload = asyncio.Event()
        self.leaves_everything = False
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload.set)
        loop.add_signal_handler(signal.SIGUSR2, self._leave)

    def _leave(self) -> None:
        if not self.stop.is_set():
            log.info("Ending for another engine: table, addresses and settings stay.")
            self.leaves_everything = True
            self.stop.set()


async def _tell_standings(engine: Engine, router: Router | None, redundancy: Redundancy) -> None:
    """Have in the events what becomes of the floating addresses, and of what is wrong."""
    while True:
        with Turn("The look at how things stand"):
            engine.tell_troubles()
            if router is not None:
                engine.happenings.addresses(router.link.addresses)
                redundancy.tell()
        await asyncio.sleep(LOOK_S)


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

"""`piranha demo`: a whole Piranha on this machine alone, with three web servers to balance; no privileges."""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path

import click

from piranha import passwords
from piranha.cli import demo_setup
from piranha.cli.demo_control import Order, Outcome, only_one, send_order, serving
from piranha.cli.demo_ready import Readiness, wait_until_ready
from piranha.cli.demo_root import ROOT_VARIABLE, default_root
from piranha.cli.demo_setup import GUI_HOST, GUI_PORT, SERVER_HOST, SERVERS, Demo
from piranha.cli.supervisor import Program, Supervisor
from piranha.errors import PiranhaError
from piranha.paths import Paths

PORTS_FREE_WITHIN_S = 2.0
"""How long ports may still be held by programs of a demo that was killed."""


@click.group(invoke_without_command=True)
@click.option(
    "--root",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Where the demo keeps its files [default: {ROOT_VARIABLE}, else .demo in a checkout].",
)
@click.option(
    "--gui-port",
    type=click.IntRange(0, 65535),
    default=GUI_PORT,
    show_default=True,
    help="The port of the GUI for this run; 0: a free one.",
)
@click.option(
    "--vip-port",
    type=click.IntRange(0, 65535),
    help="The port of the virtual server from now on; 0: a free one. It is written into lvs.cf.",
)
@click.option(
    "--web-port",
    "web_ports",
    metavar="NAME=PORT",
    multiple=True,
    help="The port of a web server (web2=20002) from now on; 0: a free one. It is written into lvs.cf.",
)
@click.pass_context
def demo(
    context: click.Context, root: Path | None, gui_port: int, vip_port: int | None, web_ports: tuple[str, ...]
) -> None:
    """Run the GUI, the engine and three web servers on loopback, until Ctrl-C.

    The configuration, the password and the ports are kept from run to run. An engine or a GUI that dies is
    started again.

    Exit codes: 0 stopped as asked; 1 it could not start, and why; 2 the command line is wrong.
    """
    paths = Paths((root or _outer_root(context) or default_root()).absolute())
    context.obj = paths
    if context.invoked_subcommand is None:
        run(paths, gui_port, vip_port, _read_web_ports(web_ports))


@demo.command()
@click.argument("server", type=click.Choice(SERVERS))
@click.pass_obj
def stop(paths: Paths, server: str) -> None:
    """Stop a web server of the running demo, as if it had died.

    Exit codes: 0 it is stopped; 1 no demo runs.
    """
    _hand_over(paths, Order("stop", server))


@demo.command()
@click.argument("server", type=click.Choice(SERVERS))
@click.pass_obj
def start(paths: Paths, server: str) -> None:
    """Start a web server of the running demo again.

    Exit codes: 0 it listens; 1 no demo runs, or the server does not start.
    """
    _hand_over(paths, Order("start", server))


def run(paths: Paths, gui_port: int, vip_port: int | None, web_ports: dict[str, int]) -> None:
    """Run the demo until SIGINT, SIGTERM or SIGHUP. Raises PiranhaError, before anything is started."""
    demo_setup.make_folders(paths)
    with only_one(paths):
        ready = demo_setup.prepare(paths, vip_port, web_ports)
        gui_port = gui_port or demo_setup.free_gui_port()
        if sentences := demo_setup.taken_ports(ready, gui_port, PORTS_FREE_WITHIN_S):
            raise PiranhaError("\n".join(sentences))
        click.echo(f"Piranha demo: starting on {paths.root} ...")
        _flush()
        failure = asyncio.run(_run(ready, gui_port))
        if failure:
            raise PiranhaError(failure)
        click.echo("Piranha demo: stopped.")


async def _run(demo: Demo, gui_port: int) -> str:
    """Run it to its end; return why it could not be used, or ""."""
    environment = {name: value for name, value in os.environ.items() if name != "PIRANHA_ROOT"}
    supervisor = Supervisor(programs(demo, gui_port), environment, _say)
    stopping = asyncio.Event()
    _stop_at_signals(stopping, supervisor)

    async def obey(order: Order) -> Outcome:
        return await _obey(supervisor, order)

    async with serving(demo.paths, obey), supervisor.running():
        readiness = await wait_until_ready(demo, gui_port, stopping)
        if not readiness.failure:
            if not stopping.is_set():
                click.echo(block(demo, gui_port, readiness))
                _flush()
            await stopping.wait()
        _say("Stopping ...")
    return readiness.failure


def programs(demo: Demo, gui_port: int) -> list[Program]:
    """Return what the demo runs."""
    root, logs = str(demo.paths.root), demo_setup.log_folder(demo.paths)
    python = (sys.executable, "-m")
    engine = (*python, "piranha.cli.pulse", "--root", root, "--data-path", "embedded")
    gui = (*python, "piranha.cli.gui", "--root", root, "--host", GUI_HOST, "--port", str(gui_port))
    farm = [
        Program(
            name,
            (
                *python,
                "piranha.cli.demo_web_server",
                "--name",
                name,
                "--host",
                SERVER_HOST,
                "--port",
                str(port),
            ),
            logs / f"{name}.log",
            announces=True,
        )
        for name, port in demo.kept.web_ports.items()
    ]
    return [*farm, Program("engine", engine, logs / "engine.log"), Program("GUI", gui, logs / "gui.log")]


def block(demo: Demo, gui_port: int, readiness: Readiness) -> str:
    """Return the block that says where everything is."""
    script = _script(demo.paths)
    lines = [
        "",
        "Piranha is running.",
        "",
        f"  GUI          http://{GUI_HOST}:{gui_port}/",
        f"  user         {passwords.USER}",
        f"  password     {demo.kept.password}",
        "",
    ]
    if demo.vip is not None:
        lines.append(f"  balanced     curl http://{demo.vip[0]}:{demo.vip[1]}/")
    lines += [
        f"  stop one     {script} demo stop web2",
        f"  start it     {script} demo start web2",
        f"  status       {script} status",
        f"  files        {demo.paths.root}",
        "",
        *(f"  NOTE: {note}" for note in readiness.notes),
        *([""] if readiness.notes else []),
        "Ctrl-C stops all of it.",
    ]
    return "\n".join(lines)


async def _obey(supervisor: Supervisor, order: Order) -> Outcome:
    if order.server not in SERVERS or order.order not in ("stop", "start"):
        return Outcome(False, f'The demo cannot {order.order} "{order.server}"; its servers are {", ".join(SERVERS)}.')
    try:
        if order.order == "stop":
            await supervisor.stop(order.server)
            return Outcome(True, f"{order.server} is stopped. The next check of it fails (they come every 2 seconds).")
        await supervisor.start(order.server)
    except PiranhaError as problem:
        return Outcome(False, str(problem))
    return Outcome(True, f"{order.server} listens. It is back when its checks have been good for the re-entry time.")


def _hand_over(paths: Paths, order: Order) -> None:
    outcome = send_order(paths, order)
    if not outcome.is_done:
        raise PiranhaError(outcome.sentence)
    click.echo(outcome.sentence)


def _outer_root(context: click.Context) -> Path | None:
    """Return the --root given to `piranha` itself."""
    given = context.parent.params.get("root") if context.parent is not None else None
    return Path(given) if given else None


def _read_web_ports(written: tuple[str, ...]) -> dict[str, int]:
    ports = {}
    for item in written:
        name, _, port = item.partition("=")
        if name not in SERVERS or not port.isascii() or not port.isdecimal() or int(port) > 65535:
            raise click.BadParameter(
                f'"{item}" is not NAME=PORT; write for example web2=20002.', param_hint="--web-port"
            )
        ports[name] = int(port)
    return ports


def _script(paths: Paths) -> str:
    """Return the command `piranha` as a person can type it anywhere, with --root if the demo needs it."""
    beside = Path(sys.executable).parent / "piranha"
    words = [str(beside)] if beside.exists() else [shutil.which("piranha") or "piranha"]
    if paths.root != default_root():
        words += ["--root", str(paths.root)]
    return shlex.join(words)


def _stop_at_signals(stopping: asyncio.Event, supervisor: Supervisor) -> None:
    def asked() -> None:
        if stopping.is_set():
            supervisor.kill_all()  # asked twice: the person does not want to wait
        stopping.set()

    loop = asyncio.get_running_loop()
    for asking in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(asking, asked)


def _say(sentence: str) -> None:
    click.echo(f"Piranha demo: {sentence}")
    _flush()


def _flush() -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()

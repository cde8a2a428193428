"""The command `piranha`: everything that the GUI does, from a shell.

Exit codes: 0 done; 1 refused, or errors were found; 2 the command line is wrong; 3 the engine does not answer.
"""

import gc
import getpass
import importlib
import io
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import click

from piranha.cli.demo_root import default_root
from piranha.client import EngineClient
from piranha.errors import EngineUnavailable, PiranhaError
from piranha.paths import Paths, from_environment

REFUSED = 1
UNREACHABLE = 3
ANSWER_WITHIN_S = 60.0
"""Longer than a page of the GUI waits: nobody is better served by a shell that gives up on a busy engine."""
_LINE_MAX = 2000
"""Characters of one line on standard error."""


COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "status": "running:status",
        "connections": "connections:connections",
        "events": "records:events",
        "audit": "records:audit",
        "probe": "probing:probe",
        "check": "checking:check",
        "show": "showing:show",
        "table": "table:table",
        "get": "getting:get",
        "set": "editing:set_",
        "add": "editing:add",
        "remove": "editing:remove",
        "rename": "editing:rename",
        "move": "editing:move",
        "activate": "editing:activate",
        "deactivate": "editing:deactivate",
        "format": "editing:format_",
        "create": "editing:create",
        "adopt": "adopting:adopt",
        "diff": "differing:diff",
        "history": "history:history",
        "rollback": "history:rollback",
        "plan": "running:plan",
        "apply": "running:apply",
        "confirm": "confirming:confirm",
        "revert": "confirming:revert",
        "drain": "running:drain",
        "undrain": "running:undrain",
        "weight": "running:weight",
        "stop": "running:stop",
        "start": "running:start",
        "failover": "failover:failover",
        "sync": "syncing:sync",
        "pair": "pairing:pair",
        "receive": "receiving:receive",
        "tls-init": "tls_init:tls_init",
        "demo": "demo:demo",
    }
)
"""Every command, in the order of the help: its module and its name there. A module is loaded when it is needed."""


@dataclass(slots=True)
class Session:
    """What every command gets: the paths below the chosen root, and the engine there.

    `remark`: what is to be said before the engine is asked, "" if nothing.
    """

    paths: Paths
    remark: str = ""

    @property
    def engine(self) -> EngineClient:
        """Return the engine's client, speaking for the user of this shell."""
        if self.remark:
            click.echo(self.remark, err=True)
            self.remark = ""
        return EngineClient(self.paths.socket, user=_login_name(), from_="shell", answer_within_s=ANSWER_WITHIN_S)


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(f"piranha.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--root", metavar="DIR", help="Prefix of all paths (else PIRANHA_ROOT, else the real system).")
@click.version_option(package_name="piranha-lvs", prog_name="piranha")
@click.pass_context
def piranha(context: click.Context, root: str | None) -> None:
    """Piranha: balance TCP and UDP services over a pool of real servers.

    A PATH names a part of lvs.cf: keepalive, virtual[http], virtual[http].server[web1].weight. Odd names are quoted,
    later ones of the same name numbered: virtual["a b"], virtual[http#2]. Quote a PATH for the shell.

    Exit codes: 0 done; 1 refused, or errors were found; 2 the command line is wrong; 3 the engine does not answer.
    """
    if context.invoked_subcommand != "demo":
        # A command ends soon, and reading a long lvs.cf takes half as long again where garbage is looked for.
        gc.disable()
        context.call_on_close(gc.enable)
    context.obj = _session(root)


def main() -> None:
    """Run the command; every expected error is one sentence on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that has no such letter is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        # Click turns an Exit into a return value here; our commands return nothing else.
        sys.exit(piranha.main(standalone_mode=False))
    except click.Abort:
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        _tell(shown.getvalue())
        sys.exit(error.exit_code)
    except EngineUnavailable as error:
        _tell(f"piranha: {error}")
        sys.exit(UNREACHABLE)
    except PiranhaError as error:
        _tell(f"piranha: {error}")
        sys.exit(REFUSED)
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain once more while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(REFUSED)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(f"piranha: {error.strerror or error}", err=True)
        sys.exit(REFUSED)


def _tell(text: str) -> None:
    """Print what went wrong; words that were typed, or stand in a file, cannot drive or flood the terminal with it."""
    for line in text.rstrip("\n").split("\n"):
        short = line if len(line) <= _LINE_MAX else f"{line[:_LINE_MAX]}..."
        click.echo(
            "".join(each if each.isprintable() or each == "\t" else ascii(each)[1:-1] for each in short), err=True
        )


def _session(root: str | None) -> Session:
    """Return the paths for --root or PIRANHA_ROOT; without both, a running demo is found where no engine runs."""
    chosen = from_environment(root)
    if root is None and "PIRANHA_ROOT" not in os.environ and not chosen.socket.exists():
        of_demo = Paths(default_root())
        if of_demo.socket.exists():
            return Session(of_demo, f"(the demo at {of_demo.root})")
    return Session(chosen)


def _login_name() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


if __name__ == "__main__":
    main()

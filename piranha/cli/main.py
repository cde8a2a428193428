"""The command `piranha`: status, check, plan, apply and what is set by hand, from a shell.

Exit codes: 0 done; 1 refused, or errors were found; 2 the command line is wrong; 3 the engine does not answer.
"""

import getpass
import io
import os
import sys
from dataclasses import dataclass

import click

from piranha.cli import checking, demo, running
from piranha.client import EngineClient
from piranha.errors import EngineUnavailable, PiranhaError
from piranha.paths import Paths, from_environment

REFUSED = 1
UNREACHABLE = 3


@dataclass(frozen=True, slots=True)
class Session:
    """What every command gets: the paths below the chosen root, and the engine there."""

    paths: Paths

    @property
    def engine(self) -> EngineClient:
        """Return the engine's client, speaking for the user of this shell."""
        return EngineClient(self.paths.socket, user=_login_name(), from_="shell")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--root", metavar="DIR", help="Prefix of all paths (else PIRANHA_ROOT, else the real system).")
@click.version_option(package_name="piranha-lvs", prog_name="piranha")
@click.pass_context
def piranha(context: click.Context, root: str | None) -> None:
    """Piranha: balance TCP and UDP services over a pool of real servers.

    Exit codes: 0 done; 1 refused, or errors were found; 2 the command line is wrong; 3 the engine does not answer.
    """
    context.obj = Session(_chosen_paths(root))


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
        error.show()
        sys.exit(error.exit_code)
    except EngineUnavailable as error:
        click.echo(f"piranha: {error}", err=True)
        sys.exit(UNREACHABLE)
    except PiranhaError as error:
        click.echo(f"piranha: {error}", err=True)
        sys.exit(REFUSED)
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain once more while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(REFUSED)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(f"piranha: {error.strerror or error}", err=True)
        sys.exit(REFUSED)


def _chosen_paths(root: str | None) -> Paths:
    """Return the paths for --root or PIRANHA_ROOT; without both, a running demo is found where no engine runs."""
    chosen = from_environment(root)
    if root is None and "PIRANHA_ROOT" not in os.environ and not chosen.socket.exists():
        of_demo = Paths(demo.default_root())
        if of_demo.socket.exists():
            click.echo(f"(the demo at {of_demo.root})", err=True)
            return of_demo
    return chosen


def _login_name() -> str:
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


piranha.add_command(checking.check)
for command in running.COMMANDS:
    piranha.add_command(command)
piranha.add_command(demo.demo)

if __name__ == "__main__":
    main()

"""The command `pulse`: the engine of a router, in the foreground."""

import logging
import sys

import click

from piranha.engine.run import DATA_PATHS, serve
from piranha.errors import PiranhaError
from piranha.paths import from_environment


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--root", metavar="DIR", help="Prefix of all paths (else PIRANHA_ROOT, else the real system).")
@click.option(
    "--data-path",
    type=click.Choice(DATA_PATHS),
    default="auto",
    show_default=True,
    help="What moves the packets: the kernel's IPVS, or the embedded balancer (TCP, no privileges needed). "
    "auto: the kernel on the real system where it has IPVS.",
)
@click.option(
    "-n",
    "--nodaemon",
    is_flag=True,
    help="Accepted for old scripts: the engine always stays in the foreground.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log every check, not only the changes.")
@click.version_option(package_name="piranha-lvs", prog_name="pulse")
def pulse(root: str | None, data_path: str, nodaemon: bool, verbose: bool) -> None:
    """Run the engine: health checks, the table, and the API for the GUI and the commands.

    SIGTERM or SIGINT stop it and take its addresses and its table away; SIGUSR2 ends it and leaves both as they are for
    the next engine (an upgrade). SIGHUP applies the saved lvs.cf.

    Exit code 0: stopped as asked. 1: it could not start.
    """
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(name)s[%(process)d]: %(message)s",
        stream=sys.stderr,
    )
    if not verbose:
        logging.getLogger("asyncio").setLevel(logging.WARNING)
    try:
        serve(from_environment(root), data_path)
    except PiranhaError as error:
        click.echo(f"pulse: {error}", err=True)
        sys.exit(1)


def main() -> None:
    """Run the command."""
    pulse()


if __name__ == "__main__":
    main()

"""The program lvs: the configuration, the table, the checks and the API of a router. pulse starts it."""

import logging
import sys

import click

from piranha.cli.pulse import logging_to_stderr
from piranha.engine.run import DATA_PATHS, serve
from piranha.errors import PiranhaError
from piranha.paths import from_environment


@click.command()
@click.option("--root", metavar="DIR")
@click.option("--data-path", type=click.Choice(DATA_PATHS), default="kernel")
@click.option("-v", "--verbose", is_flag=True)
def lvs(root: str | None, data_path: str, verbose: bool) -> None:
    """Run lvs until SIGTERM, SIGINT or SIGUSR2."""
    logging_to_stderr(verbose)
    try:
        serve(from_environment(root), data_path)
    except PiranhaError as error:
        logging.getLogger("lvs").error("%s", error)
        sys.exit(1)


if __name__ == "__main__":
    lvs()

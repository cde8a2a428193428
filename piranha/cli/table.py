"""`piranha table`: the tables of states that decide, as they are in the code."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import click

from piranha.cli.examples import examples
from piranha.ha import table as failover
from piranha.health import machine as health

_TABLES: Mapping[str, Callable[[], str]] = MappingProxyType({"ha": failover.printed, "health": health.printed})


@click.command(epilog=examples("piranha table ha", "piranha table health"))
@click.argument("name", metavar="NAME", type=click.Choice(list(_TABLES)))
def table(name: str) -> None:
    """Print a table of states: ha, which of two routers is active, or health, when a real server is up.

    Each row is a state, what happens in it, the state after it, what is done, and the sentence for the log.
    """
    click.echo(_TABLES[name](), nl=False)

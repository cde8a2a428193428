"""`piranha failover`: move the addresses between the two routers, or see that they do not move."""

import sys
from typing import TYPE_CHECKING

import click
import msgspec

from piranha.cli import report
from piranha.cli.pair_lines import of_offer
from piranha.monitoring import FailoverCommand, StatusQuery
from piranha.pair_findings import as_sentence
from piranha.pair_orders import offer

if TYPE_CHECKING:
    from piranha.cli.main import Session

COMMANDS = {each.replace(" ", "-"): each for each in FailoverCommand}
LEAST = StatusQuery(limit="1", servers="1")


@click.command()
@click.argument("command", type=click.Choice(list(COMMANDS)), metavar="hand-over|take-over|hold|release")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def failover(session: "Session", command: str, is_sure: bool, as_json: bool) -> None:
    """Tell this router's failover what to do; it says first what that will do, and asks.

    \b
    hand-over  the active router gives the addresses to its partner
    take-over  the passive router asks its partner for them
    hold       a router that is not active does not take over until it is released
    release    the end of that

    Without a terminal to ask on it needs --yes. Exit code 1: nothing was done, the reason is said.
    """
    wanted = COMMANDS[command]
    if not is_sure and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("It cannot ask here: say --yes. `piranha status` tells how the pair stands.")
    engine = session.engine
    if not is_sure:
        told = engine.status(LEAST).redundancy
        if told is not None:
            click.echo("\n".join(report.plain(line) for line in of_offer(offer(told, wanted), told)))
        if not click.confirm(f"{wanted.capitalize()}?", default=False):
            click.echo("Nothing was done.", err=True)
            raise click.exceptions.Exit(1)
    answer = engine.failover(wanted)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
    else:
        for sentence in answer.sentences:
            click.echo(report.plain(as_sentence(sentence)), err=not answer.done)
    if not answer.done:
        raise click.exceptions.Exit(1)

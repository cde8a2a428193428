"""The commands that talk to the engine: status, plan, apply, drain, undrain, weight."""

from typing import TYPE_CHECKING

import click
import msgspec

from piranha.cli import report
from piranha.cli.naming import WORD
from piranha.messages import OverrideAnswer

if TYPE_CHECKING:
    from piranha.cli.main import Session

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
_SERVER_HELP = "SERVER is a path such as virtual[http].server[web1], or an address: that server everywhere."


@click.command()
@_AS_JSON
@click.pass_obj
def status(session: "Session", as_json: bool) -> None:
    """Show what runs: virtual servers, real servers, health and why, weights, connections."""
    told = session.engine.status()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        click.echo(report.of_status(told))


@click.command()
@_AS_JSON
@click.pass_obj
def plan(session: "Session", as_json: bool) -> None:
    """Show what Apply would do. Nothing is changed.

    Exit code 1: Apply would refuse.
    """
    planned = session.engine.plan()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(planned), indent=2).decode())
    else:
        click.echo(report.of_plan(planned))
    if planned.refusals or planned.forcible:
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--force", is_flag=True, help="Apply although no real server would get traffic afterwards.")
@click.option("--at-once", is_flag=True, help="Removed real servers do not drain: their connections end now.")
@click.pass_obj
def apply(session: "Session", force: bool, at_once: bool) -> None:
    """Make the saved lvs.cf the one that runs; connections of servers that stay are not touched.

    Exit code 1: refused, with the reasons; what ran goes on running.
    """
    answer = session.engine.apply(force=force, removes_at_once=at_once)
    click.echo(report.of_apply(answer))


@click.command(epilog=_SERVER_HELP)
@click.argument("server", type=WORD)
@click.pass_obj
def drain(session: "Session", server: str) -> None:
    """Send no new connections to SERVER; those it has go on. It stays so until undrained, over restarts too."""
    _tell_servers("Draining", session.engine.override(server, "drain"))


@click.command(epilog=_SERVER_HELP)
@click.argument("server", type=WORD)
@click.pass_obj
def undrain(session: "Session", server: str) -> None:
    """Send new connections to SERVER again."""
    _tell_servers("No longer draining", session.engine.clear(server, "drain"))


@click.command(epilog=_SERVER_HELP)
@click.argument("server", type=WORD)
@click.argument("weight", type=click.IntRange(0, 65535), required=False)
@click.option("--clear", "clears", is_flag=True, help="Go back to the weight of lvs.cf.")
@click.pass_obj
def weight(session: "Session", server: str, weight: int | None, clears: bool) -> None:
    """Set the WEIGHT of SERVER by hand until it is cleared. lvs.cf is not changed."""
    if clears == (weight is not None):
        raise click.UsageError("Give either WEIGHT or --clear.")
    if weight is None:
        _tell_servers("The weight of lvs.cf is in force for", session.engine.clear(server, "weight"))
    else:
        _tell_servers(f"Weight {weight} for", session.engine.override(server, "weight", weight))


def _tell_servers(what: str, answer: OverrideAnswer) -> None:
    click.echo(f"{what}: {', '.join(answer.servers) or 'nobody any more'}")
    for notice in answer.notices:
        click.echo(f"WARNING: {notice}", err=True)

"""The commands that talk to the engine: status, plan, apply, drain, undrain, weight, stop, start."""

from typing import TYPE_CHECKING

import click
import msgspec

from piranha.cli import report
from piranha.cli.confirming import to_be_confirmed
from piranha.cli.naming import WORD
from piranha.cli.spans import SPAN
from piranha.messages import CONFIRM_LEAST_S, CONFIRM_MOST_S, OverrideAnswer
from piranha.monitoring import RunAnswer

if TYPE_CHECKING:
    from piranha.cli.main import Session

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
_FOR = click.option("--for", "for_s", type=SPAN, default=0, help="It goes by itself after 90s, 15m, 2h, 1d.")
_UNTIL = click.option("--until", default="", metavar="TIME", help="It goes by itself then: 2026-05-31T14:00.")
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
@click.option(
    "--confirm",
    "confirm_s",
    type=click.IntRange(CONFIRM_LEAST_S, CONFIRM_MOST_S),
    metavar="SECONDS",
    help="Unless `piranha confirm` comes within so many seconds, what ran before runs again, and is lvs.cf again.",
)
@click.pass_obj
def apply(session: "Session", force: bool, at_once: bool, confirm_s: int | None) -> None:
    """Make the saved lvs.cf the one that runs; connections of servers that stay are not touched.

    Exit code 1: refused, with the reasons; what ran goes on running.
    """
    answer = session.engine.apply(force=force, removes_at_once=at_once, confirm_s=confirm_s or 0)
    click.echo(report.of_apply(answer))
    if answer.confirmation is not None:
        click.echo(to_be_confirmed(answer.confirmation))


@click.command(epilog=_SERVER_HELP)
@click.argument("server", type=WORD)
@_FOR
@_UNTIL
@click.pass_obj
def drain(session: "Session", server: str, for_s: int, until: str) -> None:
    """Send no new connections to SERVER; those it has go on.

    It stays so until undrained, or until its time is over, over restarts too.
    """
    _tell_servers("Draining", session.engine.override(server, "drain", until=until, for_s=for_s))


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
@_FOR
@_UNTIL
@click.pass_obj
def weight(session: "Session", server: str, weight: int | None, clears: bool, for_s: int, until: str) -> None:
    """Set the WEIGHT of SERVER by hand until it is cleared, or until its time is over. lvs.cf is not changed."""
    if clears == (weight is not None):
        raise click.UsageError("Give either WEIGHT or --clear.")
    if clears and (for_s or until):
        raise click.UsageError("--for and --until say when a WEIGHT goes by itself.")
    if weight is None:
        _tell_servers("The weight of lvs.cf is in force for", session.engine.clear(server, "weight"))
    else:
        _tell_servers(
            f"Weight {weight} for", session.engine.override(server, "weight", weight, until=until, for_s=for_s)
        )


@click.command()
@click.pass_obj
def stop(session: "Session") -> None:
    """Stop LVS: addresses and table are taken down, connections end. The engine stays up, and runs nothing.

    It stays so until `piranha start`, after a crash too; a reboot of the router starts it.
    """
    _tell_run(session.engine.stop())


@click.command()
@click.pass_obj
def start(session: "Session") -> None:
    """Start LVS with lvs.cf as it is saved; with what was applied last where lvs.cf has errors."""
    _tell_run(session.engine.start())


def _tell_run(answer: RunAnswer) -> None:
    click.echo(answer.sentence)
    for message in answer.messages:
        click.echo(f"WARNING: {message}", err=True)


def _tell_servers(what: str, answer: OverrideAnswer) -> None:
    until = f" (until {answer.until})" if answer.until else ""
    click.echo(f"{what}: {', '.join(answer.servers) or 'nobody any more'}{until}")
    for notice in answer.notices:
        click.echo(f"WARNING: {notice}", err=True)

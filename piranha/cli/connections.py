"""`piranha connections`: which client is on which real server."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from piranha.cli.report import aligned, plain
from piranha.messages import (
    CONNECTIONS_MAX,
    CONNECTIONS_SHOWN,
    TEMPLATE,
    ClientConnection,
    ConnectionsAnswer,
    ConnectionsQuery,
)

if TYPE_CHECKING:
    from piranha.cli.main import Session

_HEADINGS = ("PROTO", "CLIENT", "VIRTUAL SERVER", "REAL SERVER", "STATE", "EXPIRES")


@click.command()
@click.option("--client", default="", metavar="A", help="Of this client: an address, or a network as 192.0.2.0/24.")
@click.option("--vip", default="", metavar="A[:PORT]", help='Of this virtual server, or of a firewall mark: "mark 9".')
@click.option("--server", default="", metavar="A[:PORT]", help="On this real server. IPv6 with a port: [A]:PORT.")
@click.option("--state", default="", metavar="S", help=f"In this state: ESTABLISHED, FIN_WAIT, ..., or {TEMPLATE}.")
@click.option(
    "--limit",
    default="",
    metavar="N",
    help=f"Show so many at most: 1 to {CONNECTIONS_MAX}, else {CONNECTIONS_SHOWN}.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def connections(session: "Session", client: str, vip: str, server: str, state: str, limit: str, as_json: bool) -> None:
    """Show which client is on which real server, persistence templates too.

    A template is no connection: it says where a persistent client's next one goes. Exit code 1: the data path does
    not tell its connections, or what was asked for cannot be understood.
    """
    answer = session.engine.connections(ConnectionsQuery(client, vip, server, state, limit))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
    elif answer.problem:
        click.echo(f"piranha: {answer.problem}", err=True)
    else:
        click.echo(in_words(answer))
    if answer.problem:
        raise click.exceptions.Exit(1)


def in_words(answer: ConnectionsAnswer) -> str:
    """Return the connections as a terminal shows them."""
    lines = aligned([_HEADINGS, *map(_row, answer.shown)]) if answer.shown else []
    return "\n".join([*lines, *_remarks(answer)])


def _remarks(answer: ConnectionsAnswer) -> Sequence[str]:
    if answer.matching == 0:
        told = "No connection is as asked for." if answer.looked_at else "There is no connection."
    elif answer.matching > len(answer.shown):
        told = f"{len(answer.shown)} of {answer.matching} are shown: more exist. Choose some, or use --limit."
    else:
        told = f"{answer.matching} in all."
    if not answer.is_whole:
        told += f" Only the first {answer.looked_at} entries of the table were looked at."
    return [told, f"as of {answer.at} ({answer.source.name})"]


def _row(each: ClientConnection) -> tuple[str, ...]:
    client = each.client if each.is_template else _endpoint(each.client, each.client_port)
    expires = "-" if each.expires_s is None else f"{each.expires_s} s"
    return each.protocol, plain(client), plain(each.virtual), plain(each.server), plain(each.state), expires


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

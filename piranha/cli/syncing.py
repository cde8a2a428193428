"""`piranha sync`: give the partner this router's configuration, and see that both have the same."""

from typing import TYPE_CHECKING

import click
import msgspec

from piranha.cli import report
from piranha.sync_messages import CopyState, Outcome, SyncAnswer, SyncRequest

if TYPE_CHECKING:
    from piranha.cli.main import Session


@click.command()
@click.option("--force", is_flag=True, help="Send although the partner's was edited there; it stays in its history.")
@click.option("--dry-run", is_flag=True, help="Only compare, and print the difference.")
@click.option("--no-apply", is_flag=True, help="Do not have the partner apply it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def sync(session: "Session", force: bool, dry_run: bool, no_apply: bool, as_json: bool) -> None:
    """Send this router's saved lvs.cf, and [failover] of piranha.toml, to the partner, and apply it there.

    It goes by ssh with the router's own key (`piranha pair`). Refused if the partner's was edited there since both had
    the same. Exit code 0: both routers have the same. 1: they do not; why, is said, and nothing is half done.
    """
    answer = session.engine.sync(SyncRequest(force, dry_run, not no_apply))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
    else:
        tell(answer, is_whole=dry_run)
    if not answer.outcome.is_good:
        raise click.exceptions.Exit(1)


def tell(answer: SyncAnswer, *, is_whole: bool) -> None:
    """Print what a sync did: what differed, how it stands, what came of it. `is_whole`: the diff to its last line."""
    differed = (Outcome.DIFFERENT, Outcome.SENT, Outcome.NOT_APPLIED, Outcome.BOTH_EDITED, Outcome.PARTNER_EDITED)
    if answer.outcome in differed:
        for each in (answer.diff, answer.shared_diff):
            text = each if is_whole else report.brief(each)
            if text:
                click.echo(text, nl=not text.endswith("\n"))
    if answer.here is not None:
        click.echo(f"here     {_of(answer.here)}")
    if answer.there is not None:
        click.echo(f"partner  {_of(answer.after or answer.there)}")
    click.echo(
        report.plain(answer.sentence), err=not answer.outcome.is_good and answer.outcome is not Outcome.DIFFERENT
    )


def _of(state: CopyState) -> str:
    """Return a copy in one line."""
    if not state.token:
        return "no lvs.cf"
    number = "no serial_no" if state.serial_no is None else f"serial_no {state.serial_no}"
    runs = "it runs" if state.running_token == state.token else "it is not applied"
    return f"{number}, {runs}, digest {state.digest}"

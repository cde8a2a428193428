"""The commands around an Apply that waits for its confirmation: confirm, revert; and what is said of it."""

from typing import TYPE_CHECKING

import click

from piranha.cli import report
from piranha.status import ConfirmationStatus

if TYPE_CHECKING:
    from piranha.cli.main import Session


@click.command()
@click.pass_obj
def confirm(session: "Session") -> None:
    """Let what was applied with --confirm run on.

    Exit code 1: nothing waits for a confirmation (any more).
    """
    answer = session.engine.confirm()
    click.echo(f"Confirmed: {report.serial_of(answer.serial_no, answer.token)} runs on.")


@click.command()
@click.pass_obj
def revert(session: "Session") -> None:
    """Run at once what ran before an Apply that waits for its confirmation.

    lvs.cf is the old text again, as a new version, unless somebody saved meanwhile. Exit code 1: nothing waits.
    """
    answer = session.engine.revert()
    click.echo("\n".join([report.plain(answer.sentence), *report.of_steps(answer.steps)]))


def to_be_confirmed(waits: ConfirmationStatus) -> str:
    """Return what somebody is to do who has just applied."""
    return (
        f"Confirm it with `piranha confirm` within {waits.remaining_s:.0f} s, until {waits.deadline}; "
        "else what ran before runs again."
    )

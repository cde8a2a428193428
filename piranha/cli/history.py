"""The commands around the versions of lvs.cf that are kept: history, rollback."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click
import msgspec

from piranha.cli import kept, report, saving, targets
from piranha.cli.examples import examples
from piranha.cli.saving import How
from piranha.errors import ConfigConflict, EditRefused, EngineUnavailable

if TYPE_CHECKING:
    from piranha.cli.main import Session

_NUMBER = click.IntRange(1, 10**15)
_SHOWN = 20


@click.command(epilog=examples("piranha history", "piranha history 41 > lvs.cf.41", "piranha diff 41 saved"))
@click.argument("number", type=_NUMBER, required=False)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(min=1),
    metavar="COUNT",
    help=f"How many, the newest first.  [default: {_SHOWN}]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on stdout: all versions, or as many as -n says."
)
@click.pass_obj
def history(session: "Session", number: int | None, count: int | None, as_json: bool) -> None:
    """List the versions of lvs.cf: when, who, from where, how, what changed. With NUMBER print that one's text.

    The text is printed byte for byte, so that its SHA-256 is the version's.
    """
    if number is not None:
        if count is not None:
            raise click.UsageError("-n is for the list; leave it or the NUMBER out.")
        version = kept.version(session, number)
        if as_json:
            click.echo(_json(version))
        else:
            click.echo(version.text.encode(version.encoding), nl=False)
        return
    listed, remark = kept.listing(session)
    if remark:
        click.echo(remark, err=True)
    if as_json:
        click.echo(_json(replace(listed, versions=listed.versions[:count])))
    else:
        click.echo(report.of_history(listed, listed.versions[: count or _SHOWN]))


@click.command(epilog=examples("piranha rollback 41 --dry-run && piranha rollback 41 && piranha apply"))
@click.argument("number", type=_NUMBER)
@click.option("--dry-run", is_flag=True, help="Print the diff; write nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but what went wrong.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout: the API's answer to a save.")
@click.pass_obj
def rollback(session: "Session", number: int, dry_run: bool, quiet: bool, as_json: bool) -> None:
    """Save version NUMBER of lvs.cf again, as a new version. Nothing of the history is lost.

    What runs is unchanged until `piranha apply`. Exit code 1: that version is not kept, or somebody saved meanwhile.
    """
    target = targets.EngineTarget(session.engine)
    opened = target.read()
    before = target.faults()
    try:
        answer = session.engine.rollback(number, opened.token, dry_run=dry_run)
    except EngineUnavailable as problem:
        raise targets.unsure(problem, dry_run) from problem
    except EditRefused as problem:
        raise saving.located(problem) from problem
    except ConfigConflict as problem:
        raise saving.overtaken(problem) from problem
    how = How(None, dry_run, quiet, as_json)
    saving.tell(how, opened, answer, before, runs_after_apply=True)


def _json(message: object) -> str:
    return msgspec.json.format(msgspec.json.encode(message), indent=2).decode()

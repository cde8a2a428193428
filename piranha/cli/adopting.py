"""`piranha adopt`: bring another machine's lvs.cf in, seen before it is saved."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from piranha.cli import report, saving, sources, targets
from piranha.cli.checking import counted
from piranha.cli.examples import examples
from piranha.cli.saving import How
from piranha.config.document import Document
from piranha.config.faults import in_file_order
from piranha.config.load import load
from piranha.errors import ConfigConflict, ConfigUnavailable, EditRefused, EngineUnavailable

if TYPE_CHECKING:
    from piranha.cli.main import Session

_FAULTS_SHOWN = 40


@click.command(epilog=examples("piranha adopt old-router.cf", "piranha adopt --yes lvs.cf.old && piranha plan"))
@click.argument("file", type=sources.FILE)
@click.option("--yes", "is_sure", is_flag=True, help="Save without asking.")
@click.option("--dry-run", is_flag=True, help="Print the report and the diff; write nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but what went wrong.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout: the API's answer to a save.")
@click.pass_obj
def adopt(session: "Session", file: Path, is_sure: bool, dry_run: bool, quiet: bool, as_json: bool) -> None:
    """Make FILE the lvs.cf of this router: shows its faults and the diff, asks, then saves.

    Every line, comment and unknown keyword stays; serial_no goes on counting. What was there is kept in the history.
    What runs is unchanged until `piranha apply`. Exit code 1: refused, or somebody saved meanwhile.
    """
    if not (is_sure or dry_run) and (file == sources.STANDARD_INPUT or not sys.stdin.isatty()):
        raise click.UsageError("Nobody can be asked here: give --yes to save, or --dry-run to look.")
    source = sources.read(file)
    opened = _present(session)
    try:
        answer = session.engine.adopt(source.raw, opened.token, source.name, dry_run=True)
        if not (quiet or as_json):
            _tell_faults(source)
        if answer.changed and not dry_run:
            shown = answer.diff
            if not is_sure:
                click.echo(report.brief(shown), nl=False)
                click.confirm("Save this as lvs.cf?", abort=True)
            answer = session.engine.adopt(source.raw, opened.token, source.name)
            if not is_sure and answer.diff == shown and not as_json:
                answer = replace(answer, diff="")
    except EngineUnavailable as problem:
        raise targets.unsure(problem, dry_run) from problem
    except EditRefused as problem:
        raise saving.located(problem) from problem
    except ConfigConflict as problem:
        raise saving.overtaken(problem) from problem
    # The faults are told already, with the lines of FILE.
    how = How(None, dry_run, quiet, as_json)
    saving.tell(how, opened, answer, answer.faults, runs_after_apply=True)


def _present(session: "Session") -> targets.Opened:
    """Return lvs.cf as it stands; an empty one with the token "" where there is none."""
    saved = session.engine.config()
    if saved.problem:
        raise ConfigUnavailable(saved.problem)
    return targets.Opened(saved.file, saved.token if saved.exists else "", Document(saved.text, saved.encoding))


def _tell_faults(source: sources.Source) -> None:
    faults = in_file_order(load(source.text, source.encoding).faults)
    lines = [fault.located(source.name) for fault in faults[:_FAULTS_SHOWN]]
    if len(faults) > _FAULTS_SHOWN:
        lines.append(f"... and {len(faults) - _FAULTS_SHOWN} more; `piranha check {source.name}` has all of them.")
    lines.append(f"{source.name}: {counted(faults)}")
    click.echo("\n".join(lines), err=True)

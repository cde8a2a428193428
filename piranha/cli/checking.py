"""`piranha check`: what the engine would say of a file, without an engine, and what only the outside can say."""

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from piranha.cli import sources
from piranha.config import outside
from piranha.config.faults import Fault, Severity, in_file_order
from piranha.config.load import Loaded, load, strict
from piranha.config.model import HostName
from piranha.errors import ConfigSyntaxError, ConfigUnavailable
from piranha.paths import Paths
from piranha.system import authority_files, piranha_toml
from piranha.system.outside import answers_to

if TYPE_CHECKING:
    from piranha.cli.main import Session


@dataclass(frozen=True, slots=True)
class Checked:
    """One file with its faults; `unreadable` says in one sentence why it could not be read.

    `loaded`: what it says, None where it could not be read or strict reading stopped.
    """

    file: str
    unreadable: str
    faults: tuple[Fault, ...]
    loaded: Loaded | None = None

    @property
    def is_bad(self) -> bool:
        """Say whether the file has errors or could not be read."""
        return bool(self.unreadable) or any(fault.severity is Severity.ERROR for fault in self.faults)


@click.command()
@click.argument("files", nargs=-1, type=sources.FILE)
@click.option(
    "--strict", "is_strict", is_flag=True, help="Read as the original daemons did: stop at their first error."
)
@click.option(
    "--outside",
    "asks_outside",
    is_flag=True,
    help="Ask besides: do the host names resolve (5 seconds), are the devices and programs here.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def check(session: "Session", files: tuple[Path, ...], is_strict: bool, asks_outside: bool, as_json: bool) -> None:
    """Check lvs.cf FILES and print every fault as file:line:column.

    Without FILES it checks the lvs.cf of this machine and its piranha.toml; - is standard input. Exit code 0: no
    errors (there may be warnings). 1: errors, or a file that cannot be read.
    """
    chosen = files or (session.paths.lvs_cf,)
    if chosen.count(sources.STANDARD_INPUT) > 1:
        raise click.UsageError("Standard input can be read only once: give - once.")
    report = [_checked(file, is_strict) for file in chosen]
    if not files:
        report += _checked_extensions(session.paths, report[0].loaded)
    if asks_outside:
        report = _with_outside(report)
    if as_json:
        told = [
            {"file": each.file, "unreadable": each.unreadable, "faults": [asdict(fault) for fault in each.faults]}
            for each in report
        ]
        click.echo(json.dumps(told, indent=2))
    else:
        for each in report:
            _tell(each)
    if any(each.is_bad for each in report):
        sys.exit(1)


def _checked(file: Path, is_strict: bool) -> Checked:
    try:
        source = sources.read(file)
    except ConfigUnavailable as error:
        return Checked(sources.name_of(file), str(error), ())
    if is_strict:
        try:
            loaded = strict(source.text, source.encoding)
        except ConfigSyntaxError as error:
            return Checked(source.name, "", (_fault_of(error),))
    else:
        loaded = load(source.text, source.encoding)
    return Checked(source.name, "", in_file_order(loaded.faults), loaded)


def _checked_extensions(paths: Paths, loaded: Loaded | None) -> list[Checked]:
    beside = (loaded.cluster.keepalive_s, loaded.cluster.deadtime_s) if loaded is not None else None
    virtuals = loaded.cluster.virtual_servers if loaded is not None else None
    try:
        told = piranha_toml.load(paths, beside, virtuals)
    except ConfigUnavailable as error:
        return [Checked(str(paths.piranha_toml), str(error), ())]
    if told is None:
        return []
    faults = told.faults
    if told.checks.kinds:
        raw = piranha_toml.bytes_of(paths) or b""
        faults = in_file_order((*faults, *authority_files.faults_of(paths, raw, told.checks.kinds)))
    return [Checked(str(paths.piranha_toml), "", faults)]


def _with_outside(report: list[Checked]) -> list[Checked]:
    """Ask the outside once about all files, so that the limit holds for all of them together."""
    questions = [outside.questions_of(each.loaded) for each in report if each.loaded is not None]
    names = frozenset[HostName]().union(*(each.names for each in questions))
    programs = frozenset[str]().union(*(each.programs for each in questions))
    answers = answers_to(outside.Questions(names, programs))
    return [
        replace(each, faults=in_file_order((*each.faults, *outside.faults_of(each.loaded, answers))))
        if each.loaded is not None
        else each
        for each in report
    ]


def _fault_of(error: ConfigSyntaxError) -> Fault:
    message = f"{error.sentence} ({error.code})"
    return Fault(Severity.ERROR, error.code, error.line, error.column, "", "", "", message, "")


def _tell(checked: Checked) -> None:
    if checked.unreadable:
        click.echo(checked.unreadable, err=True)
        return
    # One write for all: a file of a megabyte may have a hundred thousand faults.
    lines = [fault.located(checked.file) for fault in checked.faults]
    click.echo("\n".join([*lines, f"{checked.file}: {counted(checked.faults)}"]))


def counted(faults: tuple[Fault, ...]) -> str:
    """Return how many faults of each severity there are, in words."""
    counts = {severity: sum(fault.severity is severity for fault in faults) for severity in Severity}
    said = ", ".join(f"{count} {severity}{'s' if count != 1 else ''}" for severity, count in counts.items() if count)
    return said or "no faults"

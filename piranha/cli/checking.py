"""`piranha check`: what the engine would say of a file, without an engine."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from piranha.config.faults import Fault, Severity, in_file_order
from piranha.config.load import decode, load, strict
from piranha.errors import ConfigSyntaxError


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--strict", "is_strict", is_flag=True, help="Read as the original daemons did: stop at their first error."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def check(files: tuple[Path, ...], is_strict: bool, as_json: bool) -> None:
    """Check lvs.cf FILES and print every fault as file:line:column.

    Exit code 0: no errors (there may be warnings). 1: errors, or a file that cannot be read.
    """
    report = [(file, *_checked(file, is_strict)) for file in files]
    if as_json:
        told = [
            {"file": str(file), "unreadable": unreadable, "faults": [asdict(fault) for fault in faults]}
            for file, unreadable, faults in report
        ]
        click.echo(json.dumps(told, indent=2))
    else:
        for file, unreadable, faults in report:
            _tell(file, unreadable, faults)
    if any(unreadable or any(fault.severity is Severity.ERROR for fault in faults) for _, unreadable, faults in report):
        sys.exit(1)


def _checked(file: Path, is_strict: bool) -> tuple[str, tuple[Fault, ...]]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        return f"{file}: cannot be read: {error.strerror}", ()
    text = decode(raw)
    if is_strict:
        try:
            strict(text)
        except ConfigSyntaxError as error:
            fault = Fault(
                Severity.ERROR,
                error.code,
                error.line,
                error.column,
                "",
                "",
                "",
                f"{error.sentence} ({error.code})",
                "",
            )
            return "", (fault,)
    return "", in_file_order(load(text).faults)


def _tell(file: Path, unreadable: str, faults: tuple[Fault, ...]) -> None:
    if unreadable:
        click.echo(unreadable, err=True)
        return
    for fault in faults:
        click.echo(fault.located(str(file)))
    counts = {severity: sum(fault.severity is severity for fault in faults) for severity in Severity}
    said = ", ".join(f"{count} {severity}{'s' if count != 1 else ''}" for severity, count in counts.items() if count)
    click.echo(f"{file}: {said or 'no faults'}")

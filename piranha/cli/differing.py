"""`piranha diff`: any two texts of lvs.cf beside each other."""

from typing import TYPE_CHECKING

import click

from piranha.cli import patches, texts
from piranha.cli.examples import examples
from piranha.config.diffs import diff as unified_diff
from piranha.errors import PiranhaError

if TYPE_CHECKING:
    from piranha.cli.main import Session

DIFFERENT = 1
TROUBLE = 2


@click.command(
    epilog=examples(
        "piranha diff",
        "piranha diff 41",
        "piranha diff 41 42",
        "piranha diff running old.cf",
        "piranha diff saved <(ssh lvs2 cat /etc/sysconfig/ha/lvs.cf)",
    )
)
@click.argument("old", default=texts.RUNNING, metavar="[A]")
@click.argument("new", default=texts.SAVED, metavar="[B]")
@click.option(
    "--exit-code", "tells", is_flag=True, help="Exit with 1 if they differ, with 2 if one of them cannot be had."
)
@click.pass_obj
def diff(session: "Session", old: str, new: str, tells: bool) -> None:
    """Show how B differs from A. Without both: how the saved lvs.cf differs from what runs.

    A and B: digits are a version of the history; "saved" and "running"; - is standard input; anything else is a
    file (./7 is a file named 7). Without B it is "saved".

    Exit code 0, whether they differ or not, unless --exit-code.
    """
    if old == new == "-":
        raise click.UsageError("Standard input can be read only once: give - for A or for B.")
    try:
        before, after = texts.named(session, old), texts.named(session, new)
    except PiranhaError as problem:
        if not tells:
            raise
        click.echo(f"piranha: {problem}", err=True)
        raise click.exceptions.Exit(TROUBLE) from problem
    patches.tell(unified_diff(before.text, after.text, before.name, after.name), before.encoding, after.encoding)
    if tells and before.text != after.text:
        raise click.exceptions.Exit(DIFFERENT)

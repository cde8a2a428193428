"""How a diff goes to standard output: on a terminal as text, into a pipe or a file as the bytes that `patch` needs."""

import sys

import click


def tell(diff: str, old_encoding: str, new_encoding: str = "") -> None:
    """Print a unified diff. Each line of a text is written in that text's encoding, as it stands in its file.

    `new_encoding`: that of the lines that come, where it is another one than that of the lines that go or stay.
    """
    if not diff or sys.stdout.isatty():
        click.echo(diff, nl=False)
        return
    lines = diff.split("\n")
    of_names = "\n".join(lines[:2]).encode("utf-8", "surrogateescape")
    texts = [
        line.encode(new_encoding or old_encoding if line.startswith("+") else old_encoding, "surrogateescape")
        for line in lines[2:]
    ]
    click.echo(b"\n".join([of_names, *texts]), nl=False)

"""One change of an lvs.cf from the shell: read, say which parts it is about, save, tell what came of it.

Rule 1: a change names the parts it was made from, as they were read. If somebody else changed one of them meanwhile,
        nothing is written and the person sees what stands there now.
Rule 2: `--dry-run` prints the diff, and nothing else, on standard output: it can be piped into `patch`.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from piranha.cli import patches, report, sources, targets
from piranha.config.document import Document
from piranha.config.edits import Edit, ExpectedPart, Part
from piranha.config.faults import Fault
from piranha.config.nearest import absent_block
from piranha.config.new_faults import new_faults
from piranha.config.path import BlockPath, written
from piranha.errors import ConfigConflict, EditRefused, PiranhaError
from piranha.messages import SaveAnswer

if TYPE_CHECKING:
    from piranha.cli.main import Session

_CONFLICT_LINES = 100
"""A longer text than that is looked at in the file."""

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class How:
    """How a command saves and what it prints: its options."""

    file: Path | None
    dry_run: bool
    is_quiet: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What a command wants changed, and the parts of the file that it read for that."""

    edits: Sequence[Edit]
    parts: Sequence[Part]


class EditedFile(sources.FileWord):
    """The name of a file to edit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; a wrong command line for standard input, which nothing can be written back into."""
        path = super().convert(value, param, ctx)
        if path == sources.STANDARD_INPUT:
            self.fail("- is standard input, which cannot be edited. Write ./- for a file of that name.", param, ctx)
        return path


EDITED_FILE = EditedFile()


def options(command: Command) -> Command:
    """Give a command the options of every command that edits; it gets them as one `how`. Stands above pass_obj."""

    @click.option("--file", metavar="FILE", type=EDITED_FILE, help="Edit this file, without any engine.")
    @click.option("--dry-run", is_flag=True, help="Print the diff; write nothing.")
    @click.option("-q", "--quiet", is_flag=True, help="Print nothing but what went wrong.")
    @click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout: the API's answer to a save.")
    @functools.wraps(command)
    def gathered(*words: Any, file: Path | None, dry_run: bool, quiet: bool, as_json: bool, **more: Any) -> Any:
        return command(*words, how=How(file, dry_run, quiet, as_json), **more)

    return gathered  # type: ignore[return-value]


def change(session: "Session", how: How, wish_for: Callable[[Document], Wish]) -> None:
    """Make a change and tell it. `wish_for` gets the text as it stands, and may raise EditRefused.

    Raises PiranhaError with the block and keyword concerned; nothing was written then.
    """
    target = targets.chosen(session, how.file)
    opened = target.read()
    try:
        wish = wish_for(opened.document)
        expected = expectation(opened.document, wish.parts)
        before = target.faults()
        answer = target.save(wish.edits, expected, dry_run=how.dry_run)
    except EditRefused as problem:
        raise located(problem) from problem
    except ConfigConflict as problem:
        raise overtaken(problem) from problem
    tell(how, opened, answer, before, runs_after_apply=target.is_engine)


def tell(
    how: How, opened: targets.Opened, answer: SaveAnswer, before: Sequence[Fault], *, runs_after_apply: bool
) -> None:
    """Print what a save did or would do: the diff, what it brought, what is to be done."""
    if how.as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return
    fresh = new_faults(before, answer.faults)
    for notice in answer.notices:
        click.echo(f"Note: {notice}", err=True)
    file = opened.file
    if not how.is_quiet and answer.diff and how.dry_run:
        patches.tell(answer.diff, opened.document.encoding)
    elif not how.is_quiet and answer.diff:
        text = report.brief(answer.diff)
        click.echo(text, nl=not text.endswith("\n"))
    if not how.is_quiet:
        click.echo(
            report.of_save(answer, file, dry_run=how.dry_run, runs_after_apply=runs_after_apply), err=how.dry_run
        )
    for fault in fresh:
        click.echo(fault.located(file), err=how.dry_run or how.is_quiet)


def expectation(document: Document, parts: Sequence[Part]) -> list[ExpectedPart]:
    """Return the parts with their tokens as they were read."""
    return [ExpectedPart(part, document.token(part)) for part in dict.fromkeys(parts)]


def present(document: Document, path: BlockPath) -> BlockPath:
    """Return a path that leads to a block. Raises EditRefused with what may have been meant."""
    if not document.has(path):
        raise EditRefused("", "", absent_block(document, path))
    return path


def part_of(document: Document, path: BlockPath, *keywords: str) -> Part:
    """Return the part that these keywords of a block are; none: its header alone.

    Where several blocks have one name the whole block is the part: its number alone does not say which one was meant.
    """
    for length in range(1, len(path) + 1):
        step = path[length - 1]
        equals = [
            each
            for each in document.blocks(path[: length - 1])
            if (each[-1].kind, each[-1].name) == (step.kind, step.name)
        ]
        if len(equals) > 1:
            return Part(written(path[:length]))
    return Part(written(path), keywords)


def located(problem: EditRefused) -> PiranhaError:
    """Return the error with the block and keyword in front of its sentence."""
    place = ".".join(word for word in (problem.path, problem.keyword) if word)
    if not place or place in problem.sentence:
        return PiranhaError(problem.sentence)
    return PiranhaError(f"{report.plain(place)}: {problem.sentence}")


def overtaken(problem: ConfigConflict) -> PiranhaError:
    """Return the error with the text as it stands now."""
    sentence = f"{problem} Look at it and, if the change still fits, give the command again."
    lines = problem.current_text.rstrip("\n").split("\n")
    if lines == [""] or len(lines) > _CONFLICT_LINES:
        return PiranhaError(sentence)
    return PiranhaError("\n".join([f"{sentence} It says now:", *lines]))

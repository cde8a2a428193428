"""The commands that change lvs.cf: set, add, remove, rename, move, activate, deactivate, format, create.

Each of them is the edits of `config.edits` that a form of the GUI would send; `saving` does the rest.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from piranha.cli import report, saving, targets
from piranha.cli.examples import examples
from piranha.cli.naming import PATH, WORD, Named
from piranha.cli.saving import How, Wish, part_of, present
from piranha.config.document import Document
from piranha.config.edits import (
    AddBlock,
    Edit,
    MakeCanonical,
    MoveBlock,
    Part,
    RemoveBlock,
    RenameBlock,
    SetValues,
)
from piranha.config.fields import NEW_REAL_SERVER, NEW_VIRTUAL_SERVER, ORDER, Scope
from piranha.config.nearest import told, unknown_keyword
from piranha.config.path import BlockPath, parse, written
from piranha.config.values import shown
from piranha.errors import ConfigConflict, EditRefused

if TYPE_CHECKING:
    from piranha.cli.main import Session

_HTTP_CHECK = ("send", "expect")
_HTTP_PORT = "80"
# A value may begin with a minus; an option that nobody knows is then a word too many, and that is said.
_TAKES_MINUS = {"ignore_unknown_options": True}


@click.command(
    "set",
    context_settings=_TAKES_MINUS,
    epilog=examples(
        "piranha set 'virtual[http].server[web1].weight' 3",
        "piranha set 'virtual[http].address' '192.0.2.10 eth0:1' 'virtual[http].port' 8080",
    ),
)
@click.argument("words", nargs=-1, required=True, type=WORD, metavar="PATH VALUE [PATH VALUE]...")
@click.option("--unset", is_flag=True, help="Every word is the PATH of a keyword whose lines go.")
@saving.options
@click.pass_obj
def set_(session: "Session", words: tuple[str, ...], unset: bool, how: How) -> None:
    """Set keywords of lvs.cf; all of them or, if one is refused, none.

    A VALUE is the text without enclosing quotes. Only the lines concerned change, and serial_no.
    """
    context = click.get_current_context()
    values: dict[Named, str | None] = {}
    if not unset and len(words) % 2:
        raise click.UsageError(f"Give PATH VALUE, or several such pairs: these are {len(words)} words.")
    for place in range(0, len(words), 1 if unset else 2):
        named: Named = PATH.convert(words[place], None, context)
        if not named.keyword:
            example = written(named.block, "weight" if named.block and named.block[-1].kind == "server" else "port")
            raise click.UsageError(f'"{told(named.block)}" names no keyword. Write for example {example}.')
        if named in values:
            raise click.UsageError(f"{told(*named)} is given twice.")
        values[named] = None if unset else words[place + 1]
    saving.change(session, how, lambda document: _setting(document, values))


def _setting(document: Document, values: Mapping[Named, str | None]) -> Wish:
    by_block: dict[BlockPath, dict[str, str | None]] = {}
    for (path, keyword), value in values.items():
        block = document.block(present(document, path))
        assert block is not None
        if value is None:
            _require_keyword(document, Named(path, keyword))
        elif document.get(path, keyword) != value and (sentence := unknown_keyword(block.scope, keyword)):
            raise EditRefused("", "", sentence)
        by_block.setdefault(path, {})[keyword] = value
    edits = [SetValues(path=written(path), values=settings) for path, settings in by_block.items()]
    return Wish(edits, [part_of(document, path, *settings) for path, settings in by_block.items()])


def _require_keyword(document: Document, named: Named) -> None:
    """Raise EditRefused if the keyword does not stand in the file."""
    block = document.block(present(document, named.block))
    assert block is not None
    if block.effective(named.keyword) is None:
        advice = unknown_keyword(block.scope, named.keyword)
        raise EditRefused("", "", f"{told(*named)} is not in the file. {advice}".rstrip())


@click.command(
    epilog=examples(
        "piranha add 'virtual[http]' 'address=192.0.2.10 eth0:1' active=1",
        "piranha add 'virtual[http].server[web3]' address=10.0.0.3 active=1",
    )
)
@click.argument("path", type=PATH)
@click.argument("values", nargs=-1, type=WORD, metavar="[KEYWORD=VALUE]...")
@click.option("--bare", is_flag=True, help="Write the given keywords alone, without what a new block usually has.")
@saving.options
@click.pass_obj
def add(session: "Session", path: Named, values: tuple[str, ...], bare: bool, how: How) -> None:
    """Add the block PATH, behind the others of its kind.

    It gets what the GUI proposes for a new one (not active, weight 1, wlc, ...) and over that each KEYWORD=VALUE. The
    HTTP check is proposed for TCP on port 80 only.
    """
    if path.keyword or not path.block:
        raise click.UsageError(f'"{told(*path)}" is no block. Write for example virtual[http].server[web3].')
    if path.block[-1].number > 1:
        raise click.UsageError("A new block has a name of its own and no number: leave the # and what follows out.")
    given: dict[str, str] = {}
    for word in values:
        keyword, sign, value = word.partition("=")
        if not sign or not keyword.strip():
            raise click.UsageError(f'"{report.plain(word)}" is not KEYWORD=VALUE.')
        if keyword.strip() in given:
            raise click.UsageError(f"{report.plain(keyword.strip())} is given twice.")
        given[keyword.strip()] = value
    saving.change(session, how, lambda document: _adding(document, path.block, given, bare))


def _adding(document: Document, path: BlockPath, given: Mapping[str, str], is_bare: bool) -> Wish:
    parent, step = path[:-1], path[-1]
    present(document, parent)
    scope = next((each for each in Scope if each == step.kind), Scope.GLOBAL)
    if scope is Scope.GLOBAL:
        raise EditRefused("", "", f"There is no {shown(step.kind)} block: write virtual, failover or server.")
    for keyword in given:
        if sentence := unknown_keyword(scope, keyword):
            raise EditRefused("", "", sentence)
    chosen = {**({} if is_bare else proposed(scope, given)), **given}
    values = {keyword: chosen[keyword] for keyword in ORDER[scope] if keyword in chosen}
    edit = AddBlock(parent=written(parent), kind=step.kind, name=step.name, values=values)
    return Wish([edit], [part_of(document, parent)])


def proposed(scope: Scope, given: Mapping[str, str]) -> Mapping[str, str]:
    """Return what a new block gets besides the given keywords; nothing that would contradict them."""
    if scope is Scope.SERVER:
        return NEW_REAL_SERVER
    if scope is not Scope.VIRTUAL:
        return {}
    is_http = given.get("port", _HTTP_PORT) == _HTTP_PORT and given.get("protocol", "tcp") == "tcp"
    if is_http and not {"send_program", *_HTTP_CHECK} & set(given):
        return NEW_VIRTUAL_SERVER
    return {keyword: value for keyword, value in NEW_VIRTUAL_SERVER.items() if keyword not in _HTTP_CHECK}


@click.command(epilog=examples("piranha remove 'virtual[http].server[web3]'", "piranha remove 'virtual[http].pmask'"))
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@saving.options
@click.pass_obj
def remove(session: "Session", paths: tuple[Named, ...], how: How) -> None:
    """Remove each PATH: a block with all inside it and the comments that describe it, or a keyword."""
    if any(not path.block and not path.keyword for path in paths):
        raise click.UsageError("The whole file is no block and cannot be removed.")
    saving.change(session, how, lambda document: _removing(document, paths))


def _removing(document: Document, paths: Sequence[Named]) -> Wish:
    edits: list[Edit] = []
    parts: list[Part] = []
    blocks: dict[BlockPath, int] = {}
    for named in dict.fromkeys(paths):
        if named.keyword:
            _require_keyword(document, named)
            edits.append(SetValues(path=written(named.block), values={named.keyword: None}))
            parts.append(part_of(document, named.block, named.keyword))
        else:
            block = document.block(present(document, named.block))
            assert block is not None
            blocks[named.block] = block.start
            parts.append(Part(written(named.block)))
    # From the end of the file: the numbers of blocks with one name stay right, inner blocks go before outer ones.
    for path in sorted(blocks, key=lambda each: blocks[each], reverse=True):
        edits.append(RemoveBlock(path=written(path)))
    return Wish(edits, parts)


@click.command(epilog=examples("piranha rename 'virtual[http].server[web1]' web01"))
@click.argument("path", type=PATH)
@click.argument("name", type=WORD)
@saving.options
@click.pass_obj
def rename(session: "Session", path: Named, name: str, how: How) -> None:
    """Give the block PATH another NAME. Its health, weight and connections stay: they do not go by names."""
    _require_block(path)
    try:
        steps, keyword = parse(name)
    except ValueError:
        steps, keyword = (), name
    if steps and not keyword:
        raise click.UsageError(f'NAME is the bare name: write {steps[-1].name} instead of "{report.plain(name)}".')

    def renaming(document: Document) -> Wish:
        block = written(present(document, path.block))
        return Wish([RenameBlock(path=block, name=name)], [Part(block)])

    saving.change(session, how, renaming)


@click.command(
    epilog=examples(
        "piranha move 'virtual[http].server[web3]' --before 'virtual[http].server[web1]'",
        "piranha move 'virtual[http].server[web3]' --to 'virtual[https]'",
    )
)
@click.argument("path", type=PATH)
@click.option("--before", type=PATH, metavar="PATH", help="The block to stand in front of.")
@click.option("--to", "parent", type=PATH, metavar="PATH", help="The block to stand in, behind the last of its kind.")
@saving.options
@click.pass_obj
def move(session: "Session", path: Named, before: Named | None, parent: Named | None, how: How) -> None:
    """Put the block PATH elsewhere, with all inside it and the comments that describe it.

    Without --before and --to it goes behind the last one of its kind where it stands.
    """
    _require_block(path)
    if before is not None and parent is not None:
        raise click.UsageError("Give --before or --to: --before says where the block stands already.")
    if before is not None:
        _require_block(before)
    if parent is not None and parent.keyword:
        raise click.UsageError(f"{told(*parent)} is a keyword, not a block.")

    def moving(document: Document) -> Wish:
        block = written(present(document, path.block))
        parts = [Part(block)]
        inside = path.block[:-1] if parent is None else parent.block
        if before is not None:
            inside = present(document, before.block)[:-1]
            parts.append(part_of(document, before.block))
        present(document, inside)
        parts.append(part_of(document, inside))
        edit = MoveBlock(path=block, parent=written(inside), before="" if before is None else written(before.block))
        return Wish([edit], parts)

    saving.change(session, how, moving)


def _require_block(named: Named) -> None:
    if named.keyword or not named.block:
        raise click.UsageError(f'"{told(*named)}" is no block. Write for example virtual[http].server[web1].')


@click.command()
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@saving.options
@click.pass_obj
def activate(session: "Session", paths: tuple[Named, ...], how: How) -> None:
    """Set active = 1 in each block PATH."""
    _set_active(session, paths, "1", how)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@saving.options
@click.pass_obj
def deactivate(session: "Session", paths: tuple[Named, ...], how: How) -> None:
    """Set active = 0 in each block PATH."""
    _set_active(session, paths, "0", how)


def _set_active(session: "Session", paths: Sequence[Named], value: str, how: How) -> None:
    for path in paths:
        _require_block(path)
    values = {Named(path.block, "active"): value for path in paths}
    saving.change(session, how, lambda document: _setting(document, values))


@click.command("format")
@click.option("--canonical", is_flag=True, help="The canonical form: what the old GUI wrote, comments gone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@saving.options
@click.pass_obj
def format_(session: "Session", canonical: bool, yes: bool, how: How) -> None:
    """Write the whole file anew in its canonical form; first show the diff and what goes, and ask.

    Nothing but this command ever rewrites lvs.cf. Comments and keywords that the original Piranha refuses go.
    Without a terminal to ask on it needs --yes. Exit code 1: the answer was no.
    """
    if not canonical:
        raise click.UsageError("Say --canonical: it is the only form, and comments have no place in it.")
    asks = not (yes or how.dry_run)
    if asks and (how.as_json or how.is_quiet or not sys.stdin.isatty()):
        raise click.UsageError("It cannot ask here: say --yes, or --dry-run to see only what would go.")
    target = targets.chosen(session, how.file)
    opened = target.read()
    edits = [MakeCanonical()]
    try:
        expected = saving.expectation(opened.document, [Part("")])
        before = target.faults()
        answer = target.save(edits, expected, dry_run=how.dry_run or asks)
        if asks and answer.changed:
            if not _is_wanted(answer.diff, answer.notices):
                click.echo("Nothing was changed.", err=True)
                raise click.exceptions.Exit(1)
            # The diff was on the screen a moment ago, and the parts say that nobody changed anything since.
            answer = replace(target.save(edits, expected, dry_run=False), diff="", notices=())
    except EditRefused as problem:
        raise saving.located(problem) from problem
    except ConfigConflict as problem:
        raise saving.overtaken(problem) from problem
    saving.tell(how, opened, answer, before, runs_after_apply=target.is_engine)


def _is_wanted(diff: str, notices: Sequence[str]) -> bool:
    click.echo(diff, nl=False)
    for notice in notices:
        click.echo(f"Note: {notice}")
    return click.confirm("Write this?", default=False)


@click.command(epilog=examples("piranha create --file new.cf && piranha add 'virtual[http]' --file new.cf"))
@saving.options
@click.pass_obj
def create(session: "Session", how: How) -> None:
    """Make an lvs.cf, with nothing but its serial number, where there is none."""
    if how.dry_run:
        raise click.UsageError("create has nothing to show beforehand; leave --dry-run out.")
    target = targets.chosen(session, how.file)
    answer = target.create()
    saving.tell(how, target.read(), answer, answer.faults, runs_after_apply=target.is_engine)

"""`piranha get`: one value, one block or the whole of lvs.cf, bare on standard output for scripts."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from piranha.cli import sources, targets
from piranha.cli.examples import examples
from piranha.cli.naming import PATH, Named
from piranha.cli.saving import located, present
from piranha.config.blocks import Block
from piranha.config.document import Document
from piranha.config.fields import Scope, default_of, field
from piranha.config.load import load
from piranha.config.nearest import told, unknown_keyword
from piranha.config.path import BlockPath, written
from piranha.errors import EditRefused

if TYPE_CHECKING:
    from piranha.cli.main import Session

_PRIVATE = ("primary_private", "backup_private")
"""The keywords whose default is the value of another one (reference 3.2)."""


@click.command(
    epilog=examples(
        "piranha get 'virtual[http].server[web1].weight'",
        "piranha get 'virtual[http]'",
        "piranha get --file old.cf --effective keepalive",
    )
)
@click.argument("path", type=PATH, default="")
@click.option("--effective", is_flag=True, help="What is in force: where a keyword is absent, its default.")
@click.option("--file", metavar="FILE", type=sources.FILE, help="Read this file; - is standard input.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, with the place in the file.")
@click.pass_obj
def get(session: "Session", path: Named, effective: bool, file: Path | None, as_json: bool) -> None:
    """Print what lvs.cf says: the value of a keyword, the text of a block, without PATH the whole file.

    Exit code 1: it is not there. What is saved is read, not what runs.
    """
    if effective and not path.keyword:
        raise click.UsageError("--effective is for a keyword: virtual[http].port.")
    saved, remark = targets.reading(session, file)
    if remark:
        click.echo(remark, err=True)
    document = Document(saved.text, saved.encoding)
    try:
        block = document.block(present(document, path.block))
        assert block is not None
        if path.keyword:
            value = _value(document, path, block, effective)
            told_as = _keyword_as_json(document, path, block.scope, value, saved.file)
            text = value.encode(saved.encoding, "backslashreplace") + b"\n"
        else:
            span = document.plain[block.start : block.end] if path.block else saved.text
            told_as = _block_as_json(document, path.block, block, span, saved.file)
            text = span.encode(saved.encoding)
    except EditRefused as problem:
        raise located(problem) from problem
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told_as), indent=2).decode())
    else:
        click.echo(text, nl=False)


def _value(document: Document, path: Named, block: Block, is_effective: bool) -> str:
    """Return the value of a keyword. Raises EditRefused if it is not there."""
    value = document.get(path.block, path.keyword)
    overruled = is_effective and path == Named((), "backup_private") and document.get((), "primary_private") is None
    if value is not None and not overruled:
        return value
    default = _default(document, path, block.scope)
    if is_effective and default is not None:
        return default
    if value is not None:
        raise EditRefused("", "", "backup_private has no effect without primary_private, and there is no backup.")
    sentence = f"{told(*path)} is not in the file."
    if unknown := unknown_keyword(block.scope, path.keyword):
        raise EditRefused("", "", f"{sentence} {unknown}")
    if default is None:
        raise EditRefused("", "", f"{sentence} There is no default: it is unset.")
    raise EditRefused("", "", f"{sentence} So {default} is in force (--effective prints that).")


def _default(document: Document, path: Named, scope: Scope) -> str | None:
    """Return what is in force where a keyword is absent, None if nothing is."""
    if scope is Scope.GLOBAL and path.keyword in _PRIVATE:
        cluster = load(document.text).cluster
        address = cluster.primary if path.keyword == "primary_private" else cluster.backup
        is_followed = path.keyword == "primary_private" or cluster.primary_private is None
        return None if address is None or not is_followed else str(address)
    if scope is Scope.SERVER and path.keyword == "port":
        servers = (server for virtual in load(document.text).cluster.virtual_servers for server in virtual.servers)
        return next((str(server.port) for server in servers if server.id == written(path.block)), None)
    return default_of(scope, path.keyword) if field(scope, path.keyword) is not None else None


def _keyword_as_json(document: Document, path: Named, scope: Scope, value: str, file: str) -> dict[str, object]:
    line, column = document.where(path.block, path.keyword)
    is_set = document.statement(path.block, path.keyword) is not None
    return {
        "path": written(*path),
        "value": value,
        "is_set": is_set,
        "default": _default(document, path, scope),
        "file": file,
        "line": line if is_set else 0,
        "column": column if is_set else 0,
    }


def _block_as_json(document: Document, path: BlockPath, block: Block, text: str, file: str) -> dict[str, object]:
    line, column = document.where(path)
    return {
        "path": written(path),
        "values": {keyword: document.get(path, keyword) for keyword in document.keywords(path)},
        "blocks": [written(each) for each in document.blocks(path)],
        "file": file,
        "line": line,
        "column": column,
        "text": text,
    }

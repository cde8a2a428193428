"""Set keywords by changing lines, with the proof for each line alone: the text is not read again as a whole.

Why that is enough: the shape of lvs.cf is one of lines. A line that is one assignment by itself is one in every place,
and it stands in the block that its neighbour stands in; it can neither open nor close anything. The one way for lines
to act on one another is a header whose brace stands on a later line, which only a removed line can bring about. Where
the proof fails, the caller reads the whole text again.
"""

import re
from collections.abc import Mapping

from piranha.config.blocks import Block
from piranha.config.document import Document
from piranha.config.fields import ALIASES, FieldType, Scope, ValueFault, field
from piranha.config.lines import statement_of
from piranha.config.path import BlockPath, written
from piranha.config.splices import Splice, line_splices, spliced
from piranha.config.syntax import parse
from piranha.config.values import shown
from piranha.errors import EditRefused

Changes = dict[BlockPath, dict[str, str | None]]
"""What is to be set, by block: keyword -> text, None where it is to be removed."""

_BRACE_FOLLOWS = re.compile(r"(?:[ \t]*+(?:#[^\n]*+)?\n)*+[ \t]*+\{")


def judge(path: BlockPath, scope: Scope, keyword: str, value: str) -> None:
    """Raise EditRefused for a keyword or value that is not written."""
    row = field(scope, keyword)
    if row is None or row.status.is_refused:
        alias = ALIASES.get((scope, keyword))
        advice = f" Write {alias}." if alias else ""
        raise EditRefused(written(path), keyword, f"{shown(keyword)} is no keyword of a {scope} scope.{advice}")
    read = row.read_typed(value)
    if isinstance(read, ValueFault):
        raise EditRefused(written(path), keyword, f"{read.message} {read.advice}".strip())


def is_left_out(scope: Scope, keyword: str, value: str) -> bool:
    """Say whether a value is written by leaving its line out: a netmask of 0.0.0.0 is none."""
    row = field(scope, keyword)
    return row is not None and row.type is FieldType.MASK and row.read(value) is None and not row.all_ones_is_unset


def changed_values(document: Document, path: BlockPath, values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return those of the values that say something new. Raises EditRefused for one that is not written."""
    block = document.block(path)
    assert block is not None
    changed: dict[str, str | None] = {}
    for keyword, value in values.items():
        present = block.effective(keyword) if keyword else None
        if value is None:
            if present is not None:
                changed[keyword] = None
        elif present is None or present.is_bad or present.value != value:
            judge(path, block.scope, keyword, value)
            if not is_left_out(block.scope, keyword, value):
                changed[keyword] = value
            elif present is not None:
                changed[keyword] = None
    return changed


def values_set(document: Document, changes: Mapping[BlockPath, Mapping[str, str | None]]) -> Document | None:
    """Return the document with these values, or None where only the whole text can tell how it would read."""
    splices: list[Splice] = []
    for path, values in changes.items():
        block = document.block(path)
        assert block is not None
        mine = line_splices(document, block, values)
        if not _reads_as(document.plain, block, mine, values):
            return None
        splices += mine
    return Document(spliced(document.plain, splices), document.encoding)


def _reads_as(text: str, block: Block, splices: list[Splice], values: Mapping[str, str | None]) -> bool:
    """Say whether the changed lines, each for itself, say what is wanted and nothing else."""
    said: dict[str, str | None] = {}
    for splice in splices:
        if not splice.text:
            if _BRACE_FOLLOWS.match(text, splice.end):
                return False
            continue
        line = _line_after(text, splice)
        shape = parse(line)
        if shape.blocks or shape.oddities or len(shape.statements) != 1:
            return False
        statement = statement_of(line, 0, 1, block.scope)
        if statement.is_bad:
            return False
        said[statement.keyword] = statement.value
    return said == {keyword: value for keyword, value in values.items() if value is not None}


def _line_after(text: str, splice: Splice) -> str:
    """Return the line that a splice leaves behind: an inserted one, or the changed one."""
    if splice.start == splice.end and splice.text.endswith("\n"):
        return splice.text
    start = text.rfind("\n", 0, splice.start) + 1
    end = text.find("\n", splice.end) + 1 or len(text)
    return text[start : splice.start] + splice.text + text[splice.end : end]

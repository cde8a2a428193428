"""Edits of an lvs.cf in place: one changed value is one changed line, and every other byte stays.

Rule 1: a new line looks like its neighbours (indentation, blanks around the =) and stands where the canonical order
        puts it, relative to them. `port` stands before any `server`.
Rule 2: what is written is what the originals accept: plain spellings, safe quotes, keywords they know.
Rule 3: the edited text is parsed and compared with what was wanted. If it reads differently, nothing is returned.
Exception: carriage returns and a byte-order mark go at the first edit; the originals cannot read past them.
"""

import difflib
from collections.abc import Sequence

from piranha.config.content import Content, content_of
from piranha.config.document import Document
from piranha.config.edits import AddBlock, Edit, RemoveBlock, RenameBlock, SetValues
from piranha.config.fields import ALIASES, Scope, ValueFault, block_name_fault, field
from piranha.config.path import BlockPath, Step, parse_block, written
from piranha.config.splices import Splice, block_splices, line_splices, removal_splice, rename_splice, spliced
from piranha.config.values import integer_of, shown
from piranha.errors import EditRefused

_LARGEST_SERIAL = 2**63 - 1


def apply_edits(document: Document, edits: Sequence[Edit]) -> Document:
    """Return the document with the edits done, in order; the same document if they change nothing.

    Raises EditRefused, with the block and keyword concerned, if an edit names a block that is not there or a value
    that will not be written. Then nothing is done at all.
    """
    wanted = content_of(document.root)
    present = document
    pending: list[Splice] = []
    touched: set[BlockPath] = set()

    def flush() -> None:
        nonlocal present
        if pending:
            present = Document(spliced(present.plain, pending))
            pending.clear()
        touched.clear()

    for edit in edits:
        path = _path(edit.parent if isinstance(edit, AddBlock) else edit.path)
        # Edits of different blocks do not touch each other's lines; anything else is done on the text so far.
        if not isinstance(edit, SetValues) or path in touched:
            flush()
        if not present.has(path):
            raise EditRefused(written(path), "", f"{written(path) or 'lvs.cf'} is not there (any more).")
        touched.add(path)
        pending += _splices(present, edit, path, wanted)
        if not isinstance(edit, SetValues):
            flush()
    flush()
    if present is document:
        return document
    if content_of(present.root) != wanted:
        sentence = (
            "The edited file would read differently from what was wanted; nothing was written. "
            "Mend the file's braces and quotes first: its faults say where."
        )
        raise EditRefused("", "", sentence)
    return present


def with_next_serial(document: Document) -> Document:
    """Return the document with `serial_no` counted up by one; without any it becomes 1, in the first line."""
    present = document.get((), "serial_no")
    number = integer_of(present) if present is not None else 0
    following = 1 if number is None or number >= _LARGEST_SERIAL else number + 1
    return apply_edits(document, [SetValues(path="", values={"serial_no": str(following)})])


def diff(old_text: str, new_text: str, old_name: str, new_name: str) -> str:
    """Return a unified diff, "" if the texts are equal. Lines end at LF only."""
    lines = difflib.unified_diff(_lines(old_text), _lines(new_text), old_name, new_name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _path(text: str) -> BlockPath:
    try:
        return parse_block(text)
    except ValueError as error:
        raise EditRefused(text, "", str(error)) from error


def _splices(document: Document, edit: Edit, path: BlockPath, wanted: Content) -> list[Splice]:
    match edit:
        case SetValues():
            return _set(document, path, edit.values, wanted.at(path))
        case AddBlock():
            return _add(document, path, edit, wanted.at(path))
        case RemoveBlock() | RenameBlock() if not path:
            raise EditRefused("", "", "The whole file is no block: it has no name and cannot be removed.")
        case RemoveBlock():
            return _remove(document, path, wanted)
        case RenameBlock():
            return _rename(document, path, edit.name, wanted)


def _refuse(path: BlockPath, keyword: str, fault: ValueFault) -> EditRefused:
    return EditRefused(written(path), keyword, f"{fault.message} {fault.advice}".strip())


def _judged(path: BlockPath, scope: Scope, keyword: str, value: str) -> None:
    """Raise EditRefused for a keyword or value that is not written."""
    row = field(scope, keyword)
    if row is None or row.status.is_refused:
        alias = ALIASES.get((scope, keyword))
        advice = f" Write {alias}." if alias else ""
        raise EditRefused(written(path), keyword, f"{shown(keyword)} is no keyword of a {scope} scope.{advice}")
    read = row.read_typed(value)
    if isinstance(read, ValueFault):
        raise _refuse(path, keyword, read)


def _set(document: Document, path: BlockPath, values: dict[str, str | None], wanted: Content) -> list[Splice]:
    block = document.block(path)
    assert block is not None
    changed: dict[str, str | None] = {}
    for keyword, value in values.items():
        present = block.effective(keyword) if keyword else None
        if value is None:
            if present is not None:
                changed[keyword] = None
                del wanted.values[keyword]
        elif present is None or present.is_bad or present.value != value:
            _judged(path, block.scope, keyword, value)
            changed[keyword] = value
            wanted.values[keyword] = (value, False)
    return line_splices(document, block, changed)


def _add(document: Document, parent: BlockPath, edit: AddBlock, wanted: Content) -> list[Splice]:
    allowed = {"": (Scope.VIRTUAL, Scope.FAILOVER), Scope.VIRTUAL: (Scope.SERVER,)}
    outer = document.block(parent)
    assert outer is not None
    kinds = allowed.get("" if outer.header is None else outer.scope, ())
    scope = next((kind for kind in kinds if kind == edit.kind), None)
    if scope is None:
        raise EditRefused(
            written(parent), "", f"A {shown(edit.kind)} block cannot stand in {written(parent) or 'lvs.cf'}."
        )
    path = (*parent, Step(scope, edit.name))
    _judge_name(path, edit.name, scope, wanted)
    for keyword, value in edit.values.items():
        _judged(path, scope, keyword, value)
    values = {keyword: (value, False) for keyword, value in edit.values.items()}
    places = [place for place, inner in enumerate(wanted.blocks) if inner.scope is scope]
    wanted.blocks.insert(places[-1] + 1 if places else len(wanted.blocks), Content(scope, edit.name, {**values}))
    return block_splices(document, parent, scope, edit.name, edit.values)


def _remove(document: Document, path: BlockPath, wanted: Content) -> list[Splice]:
    outer = wanted.at(path[:-1])
    del outer.blocks[outer.place(path[-1:])]
    return [removal_splice(document, path)]


def _rename(document: Document, path: BlockPath, name: str, wanted: Content) -> list[Splice]:
    outer = wanted.at(path[:-1])
    inner = outer.blocks[outer.place(path[-1:])]
    if inner.name == name:
        return []
    _judge_name(path, name, inner.scope, outer)
    inner.name = name
    return [rename_splice(document, path, name)]


def _judge_name(path: BlockPath, name: str, scope: Scope, outer: Content) -> None:
    fault = block_name_fault(name)
    if fault is not None:
        raise _refuse(path, "", fault)
    if any(inner.scope is scope and inner.name == name for inner in outer.blocks):
        raise EditRefused(written(path), "", f'There is a {scope} block named "{name}" already. Choose another name.')

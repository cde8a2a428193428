"""Edits of an lvs.cf in place: one changed value is one changed line, and every other byte stays.

Rule 1: a new line looks like its neighbours (indentation, blanks around the =) and stands where the canonical order
        puts it, relative to them. `port` stands before any `server`.
Rule 2: what is written is what the originals accept: plain spellings, safe quotes, keywords they know.
Rule 3: what was edited is read again and compared with what was wanted. If it reads differently, nothing is returned.
        Lines of their own prove it line by line (`line_edits`), everything else with the whole text.
Exception: carriage returns and a byte-order mark go at the first edit; the originals cannot read past them.
"""

from collections.abc import Sequence

from piranha.config.block_edits import added, moved, removed, renamed
from piranha.config.canonical import canonical_text
from piranha.config.content import content_of
from piranha.config.document import Document
from piranha.config.edits import AddBlock, Edit, MakeCanonical, MoveBlock, RemoveBlock, RenameBlock, SetValues
from piranha.config.line_edits import Changes, changed_values, values_set
from piranha.config.path import BlockPath, parse_block, written
from piranha.config.splices import Splice, line_splices, spliced
from piranha.config.values import integer_of
from piranha.errors import EditRefused

_LARGEST_SERIAL = 2**63 - 1


def apply_edits(document: Document, edits: Sequence[Edit], *, counts_up: bool = False) -> Document:
    """Return the document with the edits done, in order; the same document if they change nothing.

    `counts_up`: if they change something, `serial_no` becomes one more than it is, unless the edits set it themselves.
    Raises EditRefused, with the block and keyword concerned, if an edit names a block that is not there or a value
    that will not be written. Then nothing is done at all.
    """
    settings = [edit for edit in edits if isinstance(edit, SetValues)]
    if len(settings) == len(edits):
        changes = _changes(document, settings)
        if not any(changes.values()):
            return document
        if counts_up and "serial_no" not in changes.get((), {}):
            changes.setdefault((), {})["serial_no"] = next_serial(document)
        after = values_set(document, changes)
        if after is not None:
            return after
    if not counts_up or _sets_serial(document, edits):
        return _applied(document, edits, None)
    return _applied(document, edits, next_serial(document))


def with_next_serial(document: Document) -> Document:
    """Return the document with `serial_no` counted up by one; without any it becomes 1, in the first line."""
    return apply_edits(document, [SetValues(path="", values={"serial_no": next_serial(document)})])


def next_serial(document: Document) -> str:
    """Return the serial number that the next change gets."""
    present = document.statement((), "serial_no")
    number = 0 if present is None else None if present.is_bad else integer_of(present.value or "")
    return str(1 if number is None or number >= _LARGEST_SERIAL else number + 1)


def _path(text: str) -> BlockPath:
    try:
        return parse_block(text)
    except ValueError as error:
        raise EditRefused(text, "", str(error)) from error


def _present_path(document: Document, text: str) -> BlockPath:
    """Return a path that leads to a block. Raises EditRefused."""
    path = _path(text)
    if not document.has(path):
        raise EditRefused(written(path), "", f"{written(path) or 'lvs.cf'} is not there (any more).")
    return path


def _changes(document: Document, edits: Sequence[SetValues]) -> Changes:
    """Return what several settings change together, by block; a later one wins. Every value is judged."""
    merged: dict[BlockPath, dict[str, str | None]] = {}
    for edit in edits:
        path = _present_path(document, edit.path)
        changed_values(document, path, edit.values)
        merged.setdefault(path, {}).update(edit.values)
    return {path: changed_values(document, path, values) for path, values in merged.items()}


def _sets_serial(document: Document, edits: Sequence[Edit]) -> bool:
    """Say whether the edits leave a serial number behind that is to stay."""
    if any(isinstance(edit, SetValues) and not edit.path and "serial_no" in edit.values for edit in edits):
        return True
    # The canonical form gives a file without any serial number its first one.
    return document.get((), "serial_no") is None and any(isinstance(edit, MakeCanonical) for edit in edits)


def _applied(document: Document, edits: Sequence[Edit], serial: str | None) -> Document:
    """Return the document with the edits done, one after the other, and the whole text read again.

    `serial`: the serial number to write if they change something.
    """
    wanted = content_of(document.root)
    present = document
    pending: list[Splice] = []
    touched: set[BlockPath] = set()

    def flush() -> None:
        nonlocal present, serial
        if pending:
            if serial is not None:  # with the first change, so that the text is not read once more for it
                pending[:0] = line_splices(present, present.root, {"serial_no": serial})
                wanted.values["serial_no"] = (serial, False)
                serial = None
            present = Document(spliced(present.plain, pending), present.encoding)
            pending.clear()
        touched.clear()

    for edit in edits:
        if isinstance(edit, MakeCanonical):
            flush()
            _require_read_as(present, wanted)
            text = canonical_text(present).text
            if text != present.text:
                present = Document(text, present.encoding)
                if serial is not None:
                    present = apply_edits(present, [SetValues(path="", values={"serial_no": serial})])
                    serial = None
            wanted = content_of(present.root)
            continue
        path = _path(edit.parent if isinstance(edit, AddBlock) else edit.path)
        # Edits of different blocks do not touch each other's lines; anything else is done on the text so far.
        if not isinstance(edit, SetValues) or path in touched:
            flush()
        _present_path(present, written(path))
        touched.add(path)
        match edit:
            case SetValues():
                changed = changed_values(present, path, edit.values)
                values = wanted.at(path).values
                for keyword, value in changed.items():
                    if value is None:
                        del values[keyword]
                    else:
                        values[keyword] = (value, False)
                block = present.block(path)
                assert block is not None
                pending += line_splices(present, block, changed)
            case AddBlock():
                pending += added(present, path, edit, wanted.at(path))
            case RemoveBlock():
                pending += removed(present, path, wanted)
            case RenameBlock():
                pending += renamed(present, path, edit.name, wanted)
            case MoveBlock():
                parent = _present_path(present, edit.parent)
                before = _present_path(present, edit.before) if edit.before else None
                pending += moved(present, path, parent, before, wanted)
        if not isinstance(edit, SetValues):
            flush()
    flush()
    if present is not document:
        _require_read_as(present, wanted)
    return present


def _require_read_as(document: Document, wanted: object) -> None:
    if content_of(document.root) != wanted:
        sentence = (
            "The edited file would read differently from what was wanted; nothing was written. "
            "Mend the file's braces and quotes first: its faults say where."
        )
        raise EditRefused("", "", sentence)

"""Which bytes of a text change for one edit: pure geometry of lines, with the style of the neighbours.

Offsets are those of a document's plain text. A splice replaces the text from `start` to `end`; equal ends insert.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from piranha.config.blocks import Block, Statement
from piranha.config.document import Document
from piranha.config.fields import ORDER, Field, FieldType, Scope, field
from piranha.config.path import BlockPath

_BLANKS = re.compile(r"[ \t]*")
_NO_DESCRIPTION = re.compile(
    r"[ \t]*#[# \t]*(?:(?:virtual|failover|server)\b[^\n]*\{|[{}]|[a-z_]+[ \t]*=|(?:[Ee]nd|END)\b)"
)
"""A comment that is configuration out of use, or says what ended above it."""
_ONLY_COMMENTS = re.compile(r"(?:[ \t]*+(?:#[^\n]*+)?(?:\n|\Z))*+")
_AROUND_EQUALS = re.compile(r"([ \t]+)=([ \t]+)")
_REWRITTEN = frozenset({"missing-equals", "missing-blanks"})
_SERVICE_INDENT = " " * 5
_SERVER_INDENT = " " * 4


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace a piece of the text."""

    start: int
    end: int
    text: str


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """Return the text with splices done; they do not overlap. Insertions at one place keep their order."""
    pieces: list[str] = []
    place = 0
    for splice in sorted(splices, key=lambda each: (each.start, each.end)):
        piece = text[place : splice.start]
        pieces.append(piece)
        is_new_line = splice.start == splice.end and splice.text.endswith("\n")
        if is_new_line and splice.start == len(text) and text and not text.endswith("\n") and not _ends_line(pieces):
            pieces.append("\n")
        pieces.append(splice.text)
        place = splice.end
    pieces.append(text[place:])
    return "".join(pieces)


def _ends_line(pieces: Sequence[str]) -> bool:
    last = next((piece for piece in reversed(pieces) if piece), "\n")
    return last.endswith("\n")


def spelled(row: Field, value: str) -> str:
    """Return a value as it is written: texts in double quotes, everything else bare if it has no blank."""
    needs_quotes = row.type is FieldType.STRING and (not value or "\t" in value or " " in value or value[0] in "'\"")
    return f'"{value}"' if row.is_quoted or needs_quotes else value


def line_splices(document: Document, block: Block, values: Mapping[str, str | None]) -> list[Splice]:
    """Return what changes for setting (or, with None, removing) keywords of a block."""
    splices: list[Splice] = []
    added: list[tuple[str, str]] = []
    for keyword, value in values.items():
        present = block.values.get(keyword, ())
        row = field(block.scope, keyword)
        if value is None:
            splices += [Splice(statement.start, statement.end, "") for statement in present]
        elif row is not None and present:
            splices.append(_changed(document.plain, present[-1], keyword, spelled(row, value)))
        elif row is not None:
            added.append((keyword, spelled(row, value)))
    order = ORDER[block.scope]
    for keyword, text in sorted(added, key=lambda pair: order.index(pair[0])):
        splices.append(_added(document.plain, block, keyword, text))
    return splices


def _changed(text: str, statement: Statement, keyword: str, value: str) -> Splice:
    """Change one value. Blanks behind it go: behind a quote, the original refuses them."""
    end = statement.value_end
    line_end = statement.end - text.endswith("\n", statement.start, statement.end)
    if not text[end:line_end].strip(" \t"):
        end = line_end
    is_rewritten = (
        statement.is_bad
        or statement.written_keyword != keyword
        or any(oddity.code in _REWRITTEN for oddity in statement.oddities)
    )
    if is_rewritten:
        return Splice(statement.keyword_start, end, f"{keyword} = {value}")
    return Splice(statement.value_start, end, value)


def _added(text: str, block: Block, keyword: str, value: str) -> Splice:
    """Add a line where the canonical order puts it."""
    if keyword == "serial_no":
        neighbour = block.statements[0] if block.statements else None
        return Splice(0, 0, _line_like(text, block, neighbour, keyword, value))
    before, behind = _neighbours(block, keyword)
    if before is not None:
        return Splice(before.end, before.end, _line_like(text, block, before, keyword, value))
    if behind is not None:
        # In front of the comments that describe the neighbour, but inside of the block.
        place = max(_comments_start(text, behind.start), block.header.end if block.header else 0)
        return Splice(place, place, _line_like(text, block, behind, keyword, value))
    if block.header is not None:
        place = block.header.end
    elif block.blocks:
        place = _comments_start(text, block.blocks[0].start)
    else:
        place = len(text)
    return Splice(place, place, _line_like(text, block, None, keyword, value))


def _neighbours(block: Block, keyword: str) -> tuple[Statement | None, Statement | None]:
    """Return the line to follow, or else the line to precede.

    Inside of a service only lines before its first server count: a `port` behind a server comes too late for it.
    """
    first = block.blocks[0].start if block.blocks else None
    lines = [line for line in block.statements if first is None or line.start < first]
    if not lines and block.scope is Scope.GLOBAL:
        lines = block.statements
    ranks = {each: place for place, each in enumerate(ORDER[block.scope])}
    mine = ranks[keyword]
    known = [line for line in lines if line.keyword in ranks]
    before = [line for line in known if ranks[line.keyword] < mine]
    if before:
        return max(before, key=lambda line: (ranks[line.keyword], line.start)), None
    if known:
        return None, min(known, key=lambda line: (ranks[line.keyword], line.start))
    return None, None


def _line_like(text: str, block: Block, neighbour: Statement | None, keyword: str, value: str) -> str:
    """Return a new line with the indentation of its neighbour and, if blanks pad its = to a column, its column."""
    if neighbour is None:
        return f"{_body_indent_of(text, block)}{keyword} = {value}\n"
    indent = text[neighbour.start : neighbour.keyword_start]
    written_end = neighbour.keyword_start + len(neighbour.written_keyword)
    found = _AROUND_EQUALS.match(text, written_end, neighbour.end)
    if found is None:
        return f"{indent}{keyword} = {value}\n"
    left, right = found.groups()
    if left.strip(" ") == "" and len(left) > 1:
        width = len(neighbour.written_keyword) + len(left)
        left = " " * max(1, width - len(keyword))
    return f"{indent}{keyword}{left}={right}{value}\n"


def _body_indent_of(text: str, block: Block) -> str:
    if block.header is None:
        return indent_at(text, block.blocks[0].start) if block.blocks else ""
    if block.statements:
        return indent_at(text, block.statements[0].start)
    own = indent_at(text, block.start)
    if block.blocks:
        return indent_at(text, block.blocks[0].start)
    return own + (_SERVER_INDENT if block.scope is Scope.SERVER else _SERVICE_INDENT)


def indent_at(text: str, start: int) -> str:
    """Return the blanks at the start of a line."""
    found = _BLANKS.match(text, start)
    return found.group() if found else ""


def lead_start(text: str, block: Block) -> int:
    """Return where the comments begin that describe a block: directly above it, indented like it; else its start.

    Configuration that is commented out describes nothing, nor does a comment that says what ended above. What stands
    at the very top describes the file.
    """
    start = _comments_start(text, block.start)
    return block.start if start == 0 else start


def _comments_start(text: str, place: int) -> int:
    """Return where the comment lines begin that stand directly above a line and describe it."""
    indent = indent_at(text, place)
    start = place
    while start > 0:
        previous = text.rfind("\n", 0, start - 1) + 1
        line = text[previous:start]
        if not line.startswith(f"{indent}#") or _NO_DESCRIPTION.match(line):
            break
        start = previous
    return start


def removal_splice(document: Document, path: BlockPath) -> Splice:
    """Return what goes with a block: its lines, the comments that describe it, and a blank line that stood for two."""
    text = document.plain
    block = document.block(path)
    assert block is not None
    start, end = lead_start(text, block), block.end
    is_blank_above = start > 0 and _is_blank_line(text, text.rfind("\n", 0, start - 1) + 1)
    if is_blank_above and end < len(text) and _is_blank_line(text, end):
        end = text.find("\n", end) + 1 or len(text)
    elif is_blank_above and (end == len(text) or text.startswith("}", end + len(indent_at(text, end)))):
        start = text.rfind("\n", 0, start - 1) + 1
    return Splice(start, end, "")


def move_splices(document: Document, path: BlockPath, parent: BlockPath, before: BlockPath | None) -> list[Splice]:
    """Return what changes for a block that stands elsewhere: in front of a sibling, or behind the last of its kind.

    Its comments go with it, and it is indented like the blocks there.
    """
    text = document.plain
    block, outer = document.block(path), document.block(parent)
    assert block is not None and outer is not None
    moved = text[lead_start(text, block) : block.end]
    moved = moved if moved.endswith("\n") else f"{moved}\n"
    moved += "".join(f"{line}\n" for line in _closers(text, block))
    others = [each for each in outer.blocks if each is not block]
    same = [each for each in others if each.scope is block.scope]
    target = document.block(before) if before is not None else None
    model = target or (same[-1] if same else others[-1] if others else None)
    indent = _header_indent(text, outer, model)
    moved = _indented(document, block, moved, indent, model)
    if target is not None:
        blank = "\n" if _is_blank_above(text, target) else ""
        place, moved = lead_start(text, target), f"{moved}{blank}"
    elif model is not None:
        closers = "".join(f"{line}\n" for line in _closers(text, model))
        blank = "\n" if _is_blank_above(text, model) else ""
        place, moved = _end_of(text, outer, model), f"{closers}{blank}{moved}"
    else:
        place = outer.close_start if outer.close_start is not None else outer.end if outer.header else len(text)
    return [removal_splice(document, path), Splice(place, place, moved)]


def _indented(document: Document, block: Block, lines: str, indent: str, model: Block | None) -> str:
    """Return a block's lines indented like its new neighbours: its header, its body, and the servers in it.

    Where no neighbour shows how, the body keeps what it has more than its header.
    """
    text = document.plain
    old = indent_at(text, block.start)
    steps = {old: indent}
    if block.statements:
        old_body = indent_at(text, block.statements[0].start)
        body = _seen_body_indent(document, block.scope, indent, model, block)
        steps.setdefault(old_body, indent + old_body.removeprefix(old) if body is None else body)
    for server in block.blocks[:1]:
        old_head = indent_at(text, server.start)
        head = steps.setdefault(old_head, indent + old_head.removeprefix(old))
        if server.statements:
            old_inner = indent_at(text, server.statements[0].start)
            inner = _seen_body_indent(document, Scope.SERVER, head, None, block)
            steps.setdefault(old_inner, head + old_inner.removeprefix(old_head) if inner is None else inner)
    if all(old == new for old, new in steps.items()):
        return lines
    deepest_first = sorted(steps, key=len, reverse=True)
    new_lines = []
    for line in lines.split("\n"):
        known = next((step for step in deepest_first if line.strip(" \t") and line.startswith(step)), None)
        new_lines.append(line if known is None else steps[known] + line[len(known) :])
    return "\n".join(new_lines)


def _is_blank_line(text: str, start: int) -> bool:
    end = text.find("\n", start)
    return not text[start : end if end >= 0 else len(text)].strip(" \t")


def rename_splice(document: Document, path: BlockPath, name: str) -> Splice:
    """Return what changes for another name."""
    text = document.plain
    block = document.block(path)
    assert block is not None and block.header is not None
    header = block.header
    left = "" if text[header.name_start - 1] in " \t" else " "
    right = " " if text.startswith("{", header.name_end) else ""
    return Splice(header.name_start, header.name_end, f"{left}{name}{right}")


def block_splices(
    document: Document, parent: BlockPath, scope: Scope, name: str, values: Mapping[str, str]
) -> list[Splice]:
    """Return what changes for a new block: behind the last of its kind, in its style, else in the canonical one."""
    text = document.plain
    outer = document.block(parent)
    assert outer is not None
    same = [block for block in outer.blocks if block.scope is scope]
    model = same[-1] if same else outer.blocks[-1] if outer.blocks else None
    indent = _header_indent(text, outer, model)
    body = _body_indent(document, scope, indent, model)
    lines = [f"{indent}{scope} {name} {{"]
    for keyword, value in values.items():
        row = field(scope, keyword)
        assert row is not None
        lines.append(f"{body}{keyword} = {spelled(row, value)}")
    lines.append(f"{indent}}}")
    if model is not None:
        place = _end_of(text, outer, model)
        lines = _closers(text, model) + lines
        if _is_blank_above(text, model):
            lines.insert(len(lines) - len(values) - 2, "")
    elif outer.close_start is not None:
        place = outer.close_start
    else:
        place = outer.end if outer.header else len(text)
    return [Splice(place, place, "".join(f"{line}\n" for line in lines))]


def _header_indent(text: str, outer: Block, model: Block | None) -> str:
    if model is not None:
        return indent_at(text, model.start)
    if outer.statements:
        return indent_at(text, outer.statements[0].start)
    return indent_at(text, outer.start) + _SERVICE_INDENT if outer.header else ""


def _body_indent(document: Document, scope: Scope, indent: str, model: Block | None) -> str:
    """Return the indentation of the lines inside: as seen in the file, else the canonical one."""
    seen = _seen_body_indent(document, scope, indent, model)
    if seen is not None:
        return seen
    if "\t" in indent:
        return indent + "\t"
    return indent + (_SERVER_INDENT if scope is Scope.SERVER else _SERVICE_INDENT)


def _seen_body_indent(
    document: Document, scope: Scope, indent: str, model: Block | None, besides: Block | None = None
) -> str | None:
    """Return the indentation inside of the model, else of any block that is indented alike; None if there is none."""
    text = document.plain
    services = [service for service in document.root.blocks if service is not besides]
    candidates = [model] if model is not None else []
    candidates += [server for service in services for server in service.blocks] if scope is Scope.SERVER else services
    for block in candidates:
        if block is besides or block.scope is not scope or not block.statements:
            continue
        if indent_at(text, block.start) == indent:
            return indent_at(text, block.statements[0].start)
    return None


def _closers(text: str, block: Block) -> list[str]:
    """Return the closing braces that a block lacks, the innermost first."""
    lines = _closers(text, block.blocks[-1]) if block.blocks and block.close_start is None else []
    return [*lines, f"{indent_at(text, block.start)}}}"] if block.close_start is None else lines


def _end_of(text: str, outer: Block, block: Block) -> int:
    """Return where a block ends; one that nothing closes has everything up to the end of the text, comments too."""
    is_open = block.close_start is None and block is outer.blocks[-1] and outer.close_start is None
    follows = text[block.end :] if is_open else ""
    return len(text) if is_open and _ONLY_COMMENTS.fullmatch(follows) else block.end


def _is_blank_above(text: str, block: Block) -> bool:
    start = lead_start(text, block)
    return start > 0 and _is_blank_line(text, text.rfind("\n", 0, start - 1) + 1)

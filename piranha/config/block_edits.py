"""Edits of whole blocks: add, remove, rename, move. Each changes the wanted content and says what bytes change."""

from piranha.config.content import Content
from piranha.config.document import Document
from piranha.config.edits import AddBlock
from piranha.config.fields import Scope, block_name_fault
from piranha.config.line_edits import is_left_out, judge
from piranha.config.path import BlockPath, Step, written
from piranha.config.splices import Splice, block_splices, move_splices, removal_splice, rename_splice
from piranha.config.values import shown
from piranha.errors import EditRefused

_KINDS = {Scope.GLOBAL: (Scope.VIRTUAL, Scope.FAILOVER), Scope.VIRTUAL: (Scope.SERVER,)}
_NO_BLOCK = "The whole file is no block: it has no name, it cannot be removed or moved."


def added(document: Document, parent: BlockPath, edit: AddBlock, wanted: Content) -> list[Splice]:
    """Add a block behind the last of its kind; `wanted` is the parent's content. Raises EditRefused."""
    scope = _fitting(document, parent, edit.kind)
    path = (*parent, Step(scope, edit.name))
    _judge_name(path, edit.name, scope, wanted)
    for keyword, value in edit.values.items():
        judge(path, scope, keyword, value)
    values = {keyword: value for keyword, value in edit.values.items() if not is_left_out(scope, keyword, value)}
    _insert(wanted, Content(scope, edit.name, {keyword: (value, False) for keyword, value in values.items()}), None)
    return block_splices(document, parent, scope, edit.name, values)


def removed(document: Document, path: BlockPath, wanted: Content) -> list[Splice]:
    """Remove a block; `wanted` is the content of the whole file. Raises EditRefused."""
    _require_block(path)
    outer = wanted.at(path[:-1])
    del outer.blocks[outer.place(path[-1:])]
    return [removal_splice(document, path)]


def renamed(document: Document, path: BlockPath, name: str, wanted: Content) -> list[Splice]:
    """Rename a block; `wanted` is the content of the whole file. Raises EditRefused."""
    _require_block(path)
    outer = wanted.at(path[:-1])
    inner = outer.blocks[outer.place(path[-1:])]
    if inner.name == name:
        return []
    _judge_name(path, name, inner.scope, outer)
    inner.name = name
    return [rename_splice(document, path, name)]


def moved(
    document: Document, path: BlockPath, parent: BlockPath, before: BlockPath | None, wanted: Content
) -> list[Splice]:
    """Move a block in front of a sibling-to-be, or behind the last of its kind. Raises EditRefused."""
    _require_block(path)
    _fitting(document, parent, path[-1].kind)
    if before is not None and (not before or before[:-1] != parent):
        there = written(parent) or "the top of lvs.cf"
        raise EditRefused(written(path), "", f"{written(before) or 'lvs.cf'} is no block directly in {there}.")
    if before == path:
        return []
    source, target = wanted.at(path[:-1]), wanted.at(parent)
    inner = source.blocks[source.place(path[-1:])]
    neighbour = target.blocks[target.place(before[-1:])] if before is not None else None
    if source is not target and any((each.scope, each.name) == (inner.scope, inner.name) for each in target.blocks):
        sentence = f'There is a {inner.scope} block named "{shown(inner.name)}" already. Rename one of them first.'
        raise EditRefused(written(path), "", sentence)
    old_order = [id(each) for each in target.blocks]
    # By identity: equal neighbours are not the same block.
    source.blocks[:] = [each for each in source.blocks if each is not inner]
    _insert(target, inner, neighbour)
    if old_order == [id(each) for each in target.blocks]:
        return []
    if source is target:
        _require_same_port(document, path, before)
    return move_splices(document, path, parent, before)


def _require_same_port(document: Document, path: BlockPath, before: BlockPath | None) -> None:
    """Refuse to move a real server past the `port` line of its virtual server, whose port it would get or lose."""
    service, server = document.block(path[:-1]), document.block(path)
    neighbour = document.block(before) if before is not None else None
    assert service is not None and server is not None
    if server.effective("port") is not None:
        return
    place = neighbour.start if neighbour is not None else service.end
    low, high = sorted((server.start, place))
    for statement in service.values.get("port", ()):
        if low < statement.start < high:
            sentence = (
                f"The port of {written(path)} would change: it names none, and port stands between the servers "
                f"(line {statement.line}). Give it a port of its own first, or put port above the servers."
            )
            raise EditRefused(written(path), "port", sentence)


def _insert(outer: Content, inner: Content, before: Content | None) -> None:
    """Put a block in front of another, or behind the last of its kind."""
    if before is not None:
        place = next(place for place, each in enumerate(outer.blocks) if each is before)
    else:
        places = [place for place, each in enumerate(outer.blocks) if each.scope is inner.scope]
        place = places[-1] + 1 if places else len(outer.blocks)
    outer.blocks.insert(place, inner)


def _require_block(path: BlockPath) -> None:
    if not path:
        raise EditRefused("", "", _NO_BLOCK)


def _fitting(document: Document, parent: BlockPath, kind: str) -> Scope:
    """Return the scope of a block of this kind inside of a parent. Raises EditRefused where none can stand."""
    outer = document.block(parent)
    assert outer is not None
    kinds = _KINDS.get(Scope.GLOBAL if outer.header is None else outer.scope, ())
    scope = next((each for each in kinds if each == kind), None)
    if scope is None:
        sentence = f"A {shown(kind)} block cannot stand in {written(parent) or 'lvs.cf'}."
        raise EditRefused(written(parent), "", sentence)
    return scope


def _judge_name(path: BlockPath, name: str, scope: Scope, outer: Content) -> None:
    fault = block_name_fault(name)
    if fault is not None:
        raise EditRefused(written(path), "", f"{fault.message} {fault.advice}".strip())
    if any(inner.scope is scope and inner.name == name for inner in outer.blocks):
        raise EditRefused(written(path), "", f'There is a {scope} block named "{name}" already. Choose another name.')

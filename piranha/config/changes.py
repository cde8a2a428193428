"""What changed between two texts of lvs.cf, in sentences: `virtual[http].server[web1].weight: 1 -> 5`.

Rule 1: what counts is what the file says (the last line of a keyword, without quotes). A text that differs and says
        the same differs in "comments or layout only".
Rule 2: blocks are known by kind, name and number. One that is gone while its very content stands under another name
        beside it was renamed, in another block it was moved.
Rule 3: `serial_no` counts the changes and is none, unless nothing else changed.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from piranha.config.blocks import Block
from piranha.config.document import Document
from piranha.config.fields import Scope
from piranha.config.path import BlockPath, Step, written
from piranha.config.values import shown

TOLD_MAX = 50
LAYOUT_ONLY = "comments or layout only"
SERIAL_ONLY = "serial_no only"
_PATH_MAX = 160
_Said = tuple[tuple[tuple[str, str], ...], tuple[tuple[Scope, str, Any], ...]]
_WORDS = {Scope.VIRTUAL: "virtual servers", Scope.FAILOVER: "failover services", Scope.SERVER: "real servers"}


@dataclass(frozen=True, slots=True)
class Changes:
    """The first sentences, printable and short, and how many more there are."""

    told: tuple[str, ...]
    more: int = 0

    def led_by(self, sentence: str) -> "Changes":
        """Return the changes with a sentence in front of them."""
        told = (sentence, *self.told)
        return Changes(told[:TOLD_MAX], self.more + len(told[TOLD_MAX:]))


def changes_between(before: Document, after: Document) -> Changes:
    """Return what changed from one text to the other; none if they are the same text. Linear in their size."""
    if before.text == after.text:
        return Changes(())
    sentences = list(_Comparison(before, after).sentences())
    if not sentences:
        is_serial = before.get((), "serial_no") != after.get((), "serial_no")
        sentences = [SERIAL_ONLY if is_serial else LAYOUT_ONLY]
    return Changes(tuple(sentences[:TOLD_MAX]), len(sentences[TOLD_MAX:]))


class _Comparison:
    """Two texts, and what became of the blocks that only one of them has."""

    def __init__(self, before: Document, after: Document) -> None:
        self._before = before
        self._after = after
        self._gone: list[tuple[BlockPath, Block]] = []
        self._new: list[tuple[BlockPath, Block]] = []
        self._changed: list[tuple[BlockPath, str]] = []

    def sentences(self) -> Iterator[str]:
        """Yield what changed: values in file order, then blocks."""
        self._compare((), self._before.root, self._after.root)
        origins = self._origins()
        came = set(origins.values())
        for path, what in self._changed:
            yield f"{_told(path)}{what}" if path else what.lstrip(".: ")
        for path, _ in self._new:
            origin = origins.get(path)
            if origin is None:
                yield f"{_told(path)}: added"
            elif origin[:-1] == path[:-1]:
                yield f"{_told(origin)}: renamed to {_told(path)}"
            else:
                yield f"{_told(origin)}: moved to {_told(path[:-1]) or 'the top'}"
        for path, _ in self._gone:
            if path not in came:
                yield f"{_told(path)}: removed"

    def _compare(self, path: BlockPath, before: Block, after: Block) -> None:
        self._changed += [(path, what) for what in _value_changes(before, after, not path)]
        old, new = dict(_inner(before)), dict(_inner(after))
        for step, block in new.items():
            inner = (*path, step)
            if step in old:
                if self._text(self._before, old[step]) != self._text(self._after, block):
                    self._compare(inner, old[step], block)
            else:
                self._new.append((inner, block))
        self._gone += [((*path, step), block) for step, block in old.items() if step not in new]
        for scope, words in _WORDS.items():
            stayed = [step for step in old if step in new and step.kind == scope]
            if stayed != [step for step in new if step in old and step.kind == scope]:
                self._changed.append((path, f": {'its' if path else 'the'} {words} stand in another order"))

    @staticmethod
    def _text(document: Document, block: Block) -> str:
        return document.plain[block.start : block.end]

    def _origins(self) -> dict[BlockPath, BlockPath]:
        """Return for each new block the gone one that it was: the same content under another name, or elsewhere."""
        if not self._gone or not self._new:
            return {}
        renamed: dict[tuple[BlockPath, Scope, _Said], list[BlockPath]] = {}
        moved: dict[tuple[Step, _Said], list[BlockPath]] = {}
        for path, block in reversed(self._gone):
            said = _said(block)
            renamed.setdefault((path[:-1], block.scope, said), []).append(path)
            moved.setdefault((Step(path[-1].kind, path[-1].name), said), []).append(path)
        origins: dict[BlockPath, BlockPath] = {}
        taken: set[BlockPath] = set()
        for path, block in self._new:
            said = _said(block)
            for candidates in (
                moved.get((Step(path[-1].kind, path[-1].name), said), []),
                renamed.get((path[:-1], block.scope, said), []),
            ):
                while candidates and candidates[-1] in taken:
                    candidates.pop()
                if candidates:
                    origins[path] = candidates.pop()
                    taken.add(origins[path])
                    break
        return origins


def _inner(block: Block) -> Iterable[tuple[Step, Block]]:
    return ((Step(inner.scope, inner.name, inner.number), inner) for inner in block.blocks)


def _value_changes(before: Block, after: Block, is_top: bool) -> Iterator[str]:
    """Yield what changed in a block's own lines, to be put behind its path."""
    for keyword in dict.fromkeys((*after.values, *before.values)):
        if is_top and keyword == "serial_no":
            continue
        if not keyword:
            old, new = (len(block.values.get("", ())) for block in (before, after))
            if [each.value for each in before.values.get("", ())] != [each.value for each in after.values.get("", ())]:
                yield f": lines that cannot be understood: {old} -> {new}"
            continue
        old_value, new_value = _value(before, keyword), _value(after, keyword)
        if old_value != new_value:
            yield f".{shown(keyword)}: {old_value} -> {new_value}"


def _value(block: Block, keyword: str) -> str:
    statement = block.effective(keyword)
    if statement is None:
        return "not set"
    return _short(statement.value) if statement.value else '""'


def _short(value: str) -> str:
    """Return a value as it is told; one that is cut is told with its digest, so that two of them differ."""
    if len(value) <= 60:
        return shown(value)
    return (
        f"{shown(value)} ({len(value)} characters, {hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()[:6]})"
    )


def _told(path: BlockPath) -> str:
    text = written(path)
    if len(text) <= _PATH_MAX and text.isprintable():
        return text
    return "".join(each if each.isprintable() else "?" for each in text[:_PATH_MAX]) + "..." * (len(text) > _PATH_MAX)


def _said(block: Block) -> _Said:
    """Return all that a block says, but for its own name, as something to compare."""
    values = tuple(sorted((keyword, lines[-1].value or "") for keyword, lines in block.values.items()))
    return values, tuple((inner.scope, inner.name, _said(inner)) for inner in block.blocks)

"""What somebody may have meant by a path that names nothing: the nearest blocks and keywords, in one sentence."""

import difflib
from collections.abc import Iterable, Sequence

from piranha.config.document import Document
from piranha.config.fields import ALIASES, ORDER, Scope, field, scopes_of
from piranha.config.path import BlockPath, Step, written
from piranha.config.values import shown

_TOLD_MAX = 3
_LISTED_MAX = 8
_COMPARED_MAX = 100
"""Characters of a name that are compared: the time grows with their square."""
_KINDS = {"": ("virtual", "failover"), "virtual": ("server",)}


def absent_block(document: Document, path: BlockPath) -> str:
    """Say that the block of a path is not in the file, and which ones may have been meant."""
    length = next(length for length in range(1, len(path) + 1) if not document.has(path[:length]))
    parent, step, rest = path[: length - 1], path[length - 1], path[length:]
    sentence = f"{told(path[:length])} is not in the file."
    kinds = _KINDS.get(parent[-1].kind if parent else "", ())
    near = _near(document, parent, step)
    near = [(*found, *rest) if document.has((*found, *rest)) else found for found in near]
    if near:
        return f"{sentence} Did you mean {_either([told(found) for found in near])}?"
    if step.kind not in kinds:
        inside = f"in {told(parent)}" if parent else "at the top of the file"
        return f"{sentence} What can stand {inside}: {', '.join(kinds) or 'no block'}."
    present = [told(found) for found in document.blocks(parent) if found[-1].kind == step.kind]
    if not present:
        return f"{sentence} There is no {step.kind} block{f' in {told(parent)}' if parent else ''}."
    more = f" and {len(present) - _LISTED_MAX} more" if len(present) > _LISTED_MAX else ""
    return f"{sentence} There is {', '.join(present[:_LISTED_MAX])}{more}."


def unknown_keyword(scope: Scope, keyword: str) -> str:
    """Say that a keyword cannot be written in a scope, and which one may have been meant; "" if it can be."""
    row = field(scope, keyword)
    if row is not None and not row.status.is_refused:
        return ""
    sentence = f"{shown(keyword)} is no keyword of {_of(scope)}."
    if row is not None:
        return f"{sentence} The original Piranha refuses the whole file for it, so it is not written."
    if alias := ALIASES.get((scope, keyword)):
        return f"{sentence} Write {alias}."
    if elsewhere := scopes_of(keyword):
        return f"{sentence} It stands in {' or '.join(_of(each) for each in elsewhere)}."
    known = [each for each in ORDER[scope] if (found := field(scope, each)) and not found.status.is_refused]
    near = _close(keyword, known)
    return f"{sentence} Did you mean {_either(near)}?" if near else sentence


def told(path: BlockPath, keyword: str = "") -> str:
    """Return a written path as it may stand in a message: on one line, nothing invisible."""
    text = written(path, keyword)
    return text if text.isprintable() and len(text) <= 200 else shown(text)


def _of(scope: Scope) -> str:
    return "the global scope" if scope is Scope.GLOBAL else f"a {scope} block"


def _near(document: Document, parent: BlockPath, step: Step) -> list[BlockPath]:
    """Return the blocks that a step may have meant: of the same name, of a similar one, the same one elsewhere."""
    beside = document.blocks(parent)
    # Whatever its kind or number is: vritual[http], virtual[http#2].
    same = [found for found in beside if found[-1].name == step.name]
    if same:
        return same[:_TOLD_MAX]
    names = {found[-1].name: found for found in reversed(beside) if found[-1].kind == step.kind}
    similar = [names[name] for name in _close(step.name, names)]
    if similar:
        return similar
    if step.kind == "server":
        inside = ((*outer, step) for outer in document.blocks())
        return [found for found in inside if document.has(found)][:_TOLD_MAX]
    return []


def _close(word: str, words: Iterable[str]) -> list[str]:
    """Return the few words that are like a word, the most similar first; capitals count little."""
    by_letters: dict[str, str] = {}
    for each in words:
        by_letters.setdefault(each[:_COMPARED_MAX].lower(), each)
    near = difflib.get_close_matches(word[:_COMPARED_MAX].lower(), by_letters, _TOLD_MAX, 0.6)
    return [by_letters[each] for each in near]


def _either(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

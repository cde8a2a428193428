"""Unified diffs of two lvs.cf texts, quick where little differs in a lot of text.

difflib compares every line with every other one like it, and lvs.cf repeats the same few lines thousands of times.
Edits leave nearly everything alone, so the texts are walked side by side, and after a difference the nearest place is
looked for where both go on alike. Where that is not near, difflib does the rest.
"""

import difflib
from collections.abc import Iterator, Sequence
from typing import Literal

_ALIKE = 4
"""So many equal lines are no accident (or the texts end)."""
_NEAR = 200
"""How many lines of either text are looked through for the place where they go on alike."""
_CONTEXT = 3

_C_ESCAPES = {'"': '\\"', "\\": "\\\\", **{chr(code): f"\\{code:03o}" for code in range(32)}}

_Opcode = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]


def diff(old_text: str, new_text: str, old_name: str, new_name: str) -> str:
    """Return a unified diff, "" if the texts are equal. Lines end at LF only."""
    if old_text == new_text:
        return ""
    lines = _unified(_lines(old_text), _lines(new_text), old_name, new_name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    last = lines.pop()
    return [f"{line}\n" for line in lines] + ([last] if last else [])


class _Walked(difflib.SequenceMatcher[str]):
    """Steps that are known already, to be put in groups with the lines around them as difflib does it."""

    def __init__(self, opcodes: list[_Opcode]) -> None:
        super().__init__()
        self._known = opcodes

    def get_opcodes(self) -> list[_Opcode]:
        """Return the steps that were given."""
        return self._known


def _unified(old: Sequence[str], new: Sequence[str], old_name: str, new_name: str) -> Iterator[str]:
    yield f"--- {_header_name(old_name)}\n"
    yield f"+++ {_header_name(new_name)}\n"
    for group in _Walked(_opcodes(old, new)).get_grouped_opcodes(_CONTEXT):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for tag, old_start, old_end, new_start, new_end in group:
            if tag == "equal":
                yield from (f" {line}" for line in old[old_start:old_end])
                continue
            yield from (f"-{line}" for line in old[old_start:old_end])
            yield from (f"+{line}" for line in new[new_start:new_end])


def _header_name(name: str) -> str:
    """Return a name so that patch reads all of it: a blank ends it but before a tab, odd ones are quoted as in C."""
    if any(character in '"\\' or ord(character) < ord(" ") for character in name):
        return "".join(['"', *(_C_ESCAPES.get(character, character) for character in name), '"'])
    return f"{name}\t" if " " in name else name


def _range(start: int, end: int) -> str:
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _opcodes(old: Sequence[str], new: Sequence[str]) -> list[_Opcode]:
    """Return the steps from the old lines to the new ones, as difflib has them."""
    found: list[_Opcode] = []
    place, new_place = 0, 0
    while place < len(old) or new_place < len(new):
        start, new_start = place, new_place
        while place < len(old) and new_place < len(new) and old[place] == new[new_place]:
            place, new_place = place + 1, new_place + 1
        if place > start:
            _append(found, ("equal", start, place, new_start, new_place))
        if place == len(old) and new_place == len(new):
            break
        skipped = _skipped(old, new, place, new_place)
        gone, come = (len(old) - place, len(new) - new_place) if skipped is None else skipped
        # A single line that stays between two that change is found here.
        for step in _compared(old, new, (place, place + gone), (new_place, new_place + come)):
            _append(found, step)
        place, new_place = place + gone, new_place + come
    return found


def _compared(
    old: Sequence[str], new: Sequence[str], old_span: tuple[int, int], new_span: tuple[int, int]
) -> list[_Opcode]:
    """Return the steps between two pieces, found by comparing every line with every other."""
    place, new_place = old_span[0], new_span[0]
    pieces = difflib.SequenceMatcher(None, old[slice(*old_span)], new[slice(*new_span)], autojunk=False)
    return [
        (tag, place + i1, place + i2, new_place + j1, new_place + j2) for tag, i1, i2, j1, j2 in pieces.get_opcodes()
    ]


def _append(steps: list[_Opcode], step: _Opcode) -> None:
    """Add a step; one of the same kind as the last goes on where that ended."""
    if steps and steps[-1][0] == step[0]:
        step = (step[0], steps[-1][1], step[2], steps[-1][3], step[4])
        steps.pop()
    steps.append(step)


def _skipped(old: Sequence[str], new: Sequence[str], place: int, new_place: int) -> tuple[int, int] | None:
    """Return how many lines to leave out of each, as few as possible, until both go on alike; None: not near."""
    for count in range(1, 2 * _NEAR + 1):
        for gone in range(max(0, count - _NEAR), min(count, _NEAR) + 1):
            if _go_on_alike(old, new, place + gone, new_place + count - gone):
                return gone, count - gone
    return None


def _go_on_alike(old: Sequence[str], new: Sequence[str], place: int, new_place: int) -> bool:
    if place > len(old) or new_place > len(new):
        return False
    ahead, new_ahead = old[place : place + _ALIKE], new[new_place : new_place + _ALIKE]
    return ahead == new_ahead

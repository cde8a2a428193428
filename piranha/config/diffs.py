"""Unified diffs of two lvs.cf texts, quick whatever differs, in time about in proportion to the texts.

difflib compares every line with every other one like it, and lvs.cf repeats the same few lines thousands of times.
Edits leave nearly everything alone, so the texts are walked side by side, and after a difference the nearest place is
looked for where both go on alike. Where there are more than a few differences (blocks were moved, the file was sorted)
what stays is told by the lines that each text has once and that stand in one order in both; what lies between two of
them is compared alone. difflib gets small pieces only, and all of them together only so much work; beyond that a piece
is told as replaced, which is right and may be longer than it had to be.
"""

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

_ALIKE = 4
"""So many equal lines are no accident (or the texts end)."""
_NEAR = (8, 40, 200)
"""How many lines of either text are looked through for the place where they go on alike: few are enough mostly."""
_CONTEXT = 3
_CHUNK = 512
_PAIRS_MOST = 1_000_000
"""So many lines are compared with others in all, where nothing better than comparing is known."""
_PIECE_MOST = 400
"""So many lines of both texts together are compared with each other at once."""
_FEW = 20
"""So many differences of two texts are walked over; of the next one's place nobody can be sure any more."""
_DEPTH_MOST = 20
"""Pieces of pieces of pieces: so often what lies between two lines that stay is searched for more of them."""
_TEXTS_KEPT = 4
"""A page that shows a difference is loaded again, and an answer is asked for that a page showed."""

_C_ESCAPES = {'"': '\\"', "\\": "\\\\", **{chr(code): f"\\{code:03o}" for code in range(32)}}

_Span = tuple[int, int]
_Opcode = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]


def diff(old_text: str, new_text: str, old_name: str, new_name: str) -> str:
    """Return a unified diff, "" if the texts are equal. Lines end at LF only."""
    if old_text == new_text:
        return ""
    return f"--- {_header_name(old_name)}\n+++ {_header_name(new_name)}\n{_changes(old_text, new_text)}"


@lru_cache(maxsize=_TEXTS_KEPT)
def _changes(old_text: str, new_text: str) -> str:
    lines = _unified(_lines(old_text), _lines(new_text))
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


def _unified(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
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
    comparing, whole = _Comparing(old, new), ((0, len(old)), (0, len(new)))
    found: list[_Opcode] = []
    for step in comparing.walked(*whole, most=_FEW) or comparing.between(*whole):
        _append(found, step)
    return found


class _Comparing:
    """Compares pieces of two texts, and puts a bound to all the work that this takes together."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._old = old
        self._new = new
        self._pairs_left = _PAIRS_MOST

    def walked(self, old_span: _Span, new_span: _Span, most: int = 0) -> list[_Opcode] | None:
        """Return the steps between two pieces; None if there are more than `most` differences, or one is too large.

        `most` 0: there are always steps.
        """
        found: list[_Opcode] = []
        (place, end), (new_place, new_end) = old_span, new_span
        count = 0
        while place < end or new_place < new_end:
            alike = self._alike((place, end), (new_place, new_end))
            if alike:
                found.append(("equal", place, place + alike, new_place, new_place + alike))
                place, new_place = place + alike, new_place + alike
            if place == end and new_place == new_end:
                break
            count += 1
            skipped = self._skipped((place, end), (new_place, new_end))
            if most and (count > most or skipped is None):
                return None
            gone, come = skipped if skipped is not None else (end - place, new_end - new_place)
            # A single line that stays between two that change is found here.
            found += self._compared((place, place + gone), (new_place, new_place + come))
            place, new_place = place + gone, new_place + come
        return found

    def between(self, old_span: _Span, new_span: _Span, depth: int = 0) -> Iterator[_Opcode]:
        """Yield the steps between two pieces."""
        old, new = self._old, self._new
        alike = self._alike(old_span, new_span)
        (place, end), (new_place, new_end) = old_span, new_span
        if alike:
            yield "equal", place, place + alike, new_place, new_place + alike
            place, new_place = place + alike, new_place + alike
        while place < end and new_place < new_end and old[end - 1] == new[new_end - 1]:
            end, new_end = end - 1, new_end - 1
        yield from self._parted((place, end), (new_place, new_end), depth)
        if end < old_span[1]:
            yield "equal", end, old_span[1], new_end, new_span[1]

    def _parted(self, old_span: _Span, new_span: _Span, depth: int) -> Iterator[_Opcode]:
        """Yield the steps between two pieces that neither begin nor end alike."""
        (place, end), (new_place, new_end) = old_span, new_span
        if place == end or new_place == new_end or end - place + new_end - new_place <= _PIECE_MOST:
            yield from self._compared(old_span, new_span)
            return
        anchors = _rising(self._anchors(old_span, new_span)) if depth < _DEPTH_MOST else []
        if not anchors:
            yield from self.walked(old_span, new_span) or ()
            return
        for anchor, new_anchor in anchors:
            yield from self.between((place, anchor), (new_place, new_anchor), depth + 1)
            yield "equal", anchor, anchor + 1, new_anchor, new_anchor + 1
            place, new_place = anchor + 1, new_anchor + 1
        yield from self.between((place, end), (new_place, new_end), depth + 1)

    def _alike(self, old_span: _Span, new_span: _Span) -> int:
        """Return with how many equal lines two pieces begin."""
        old, new = self._old, self._new
        (place, end), (new_place, new_end) = old_span, new_span
        most = min(end - place, new_end - new_place)
        alike = 0
        step = 1
        while alike < most and step:
            there, new_there = place + alike, new_place + alike
            if step <= most - alike and old[there : there + step] == new[new_there : new_there + step]:
                alike += step
                step = min(2 * step, _CHUNK)
            else:
                step //= 2
        return alike

    def _anchors(self, old_span: _Span, new_span: _Span) -> list[tuple[int, int]]:
        """Return where the lines stand that both pieces have once, in the order of the old one."""
        there = _once(self._old[slice(*old_span)])
        new_there = _once(self._new[slice(*new_span)])
        return [
            (old_span[0] + place, new_span[0] + new_there[line]) for line, place in there.items() if line in new_there
        ]

    def _compared(self, old_span: _Span, new_span: _Span) -> Iterator[_Opcode]:
        """Yield the steps between two pieces, found by comparing every line with every other if that is little work."""
        (place, end), (new_place, new_end) = old_span, new_span
        if place == end or new_place == new_end:
            if place < end:
                yield "delete", place, end, new_place, new_end
            elif new_place < new_end:
                yield "insert", place, end, new_place, new_end
            return
        old, new = self._old[place:end], self._new[new_place:new_end]
        is_small = len(old) + len(new) <= 2 * _PIECE_MOST
        times = Counter(new) if is_small else Counter[str]()
        pairs = sum(times[line] for line in old)
        if not is_small or pairs > self._pairs_left:
            yield "replace", place, end, new_place, new_end
            return
        self._pairs_left -= pairs
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            yield tag, place + i1, place + i2, new_place + j1, new_place + j2

    def _skipped(self, old_span: _Span, new_span: _Span) -> tuple[int, int] | None:
        """Return how many lines to leave out of each, as few as possible, until both go on alike; None: not near."""
        for near in _NEAR:
            if near > self._pairs_left:
                return None
            self._pairs_left -= near
            found = self._nearest(old_span, new_span, near)
            # One that leaves out more lines may have a better one beyond what was looked through.
            if found is not None and (sum(found) <= near or near == _NEAR[-1]):
                return found
        return None

    def _nearest(self, old_span: _Span, new_span: _Span, near: int) -> tuple[int, int] | None:
        (place, end), (new_place, new_end) = old_span, new_span
        there: dict[tuple[str, ...], int] = {}
        for come in range(min(near, new_end - new_place), -1, -1):
            there[tuple(self._new[new_place + come : min(new_place + come + _ALIKE, new_end)])] = come
        best: tuple[int, int] | None = None
        for gone in range(min(near, end - place) + 1):
            come = there.get(tuple(self._old[place + gone : min(place + gone + _ALIKE, end)]), -1)
            if come >= 0 and gone + come and (best is None or gone + come < sum(best)):
                best = gone, come
        return best


def _once(lines: Sequence[str]) -> dict[str, int]:
    """Return the places of the lines that are there once, in their order."""
    times = Counter(lines)
    return {line: place for place, line in enumerate(lines) if times[line] == 1}


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return as many of the pairs as can be with both numbers rising; the first ones rise already."""
    ends: list[int] = []  # the least second number in which so many pairs can end
    tails: list[int] = []  # and which pair that is
    before: list[int] = []
    for number, (_, second) in enumerate(pairs):
        length = bisect_left(ends, second)
        before.append(tails[length - 1] if length else -1)
        ends[length : length + 1] = [second]
        tails[length : length + 1] = [number]
    found: list[tuple[int, int]] = []
    number = tails[-1] if tails else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _append(steps: list[_Opcode], step: _Opcode) -> None:
    """Add a step; one of the same kind as the last goes on where that ended."""
    if steps and steps[-1][0] == step[0]:
        step = (step[0], steps[-1][1], step[2], steps[-1][3], step[4])
        steps.pop()
    steps.append(step)

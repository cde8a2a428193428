"""Which faults of a file a change brought: those that were not there before, wherever their lines stand now."""

import re
from collections import Counter
from collections.abc import Iterable

from piranha.config.faults import Fault, in_file_order
from piranha.config.path import parse_block

_LINE = re.compile(r"\bline \d+")
_QUOTED = re.compile(r'"[^"]*"')


def new_faults(before: Iterable[Fault], after: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return the faults of `after` that `before` had not, in file order.

    Lines move with every edit, so a fault is known by what it says and by its block. A block that was renamed or
    moved takes its faults along: they are known by what they say alone, names left out, each old one once.
    """
    old: dict[tuple[str, ...], list[Fault]] = {}
    for fault in before:
        old.setdefault(_placed(fault), []).append(fault)
    fresh = []
    for fault in in_file_order(after):
        same = old.get(_placed(fault))
        if same:
            same.pop()
        else:
            fresh.append(fault)
    left = Counter(_said(fault) for faults in old.values() for fault in faults)
    told = []
    for fault in fresh:
        if left[_said(fault)]:
            left[_said(fault)] -= 1
        else:
            told.append(fault)
    return tuple(told)


def _placed(fault: Fault) -> tuple[str, ...]:
    return fault.path, fault.severity, fault.code, fault.keyword, fault.text, _LINE.sub("line", fault.message)


def _said(fault: Fault) -> tuple[str, ...]:
    """Return what a fault says without the names of blocks: of its own, and of others that its message mentions."""
    path = parse_block(fault.path)
    text = "" if path and fault.text == path[-1].name else fault.text
    message = _QUOTED.sub('""', _LINE.sub("line", fault.message))
    return fault.severity, fault.code, fault.keyword, text, message

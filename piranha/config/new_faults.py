"""Which faults of a file a change brought: those that were not there before, wherever their lines stand now."""

from collections import Counter
from collections.abc import Iterable

from piranha.config.faults import Fault, in_file_order


def new_faults(before: Iterable[Fault], after: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return the faults of `after` that `before` had not, in file order.

    Lines move with every edit, so a fault is known by what it says and by its block. A block that was renamed or
    moved takes its faults along: they are known by what they say alone, each old one once.
    """
    old = Counter(map(_placed, before))
    fresh = []
    for fault in in_file_order(after):
        if old[_placed(fault)]:
            old[_placed(fault)] -= 1
        else:
            fresh.append(fault)
    left = Counter(key[1:] for key in old.elements())
    told = []
    for fault in fresh:
        if left[_placed(fault)[1:]]:
            left[_placed(fault)[1:]] -= 1
        else:
            told.append(fault)
    return tuple(told)


def _placed(fault: Fault) -> tuple[str, str, str, str, str, str]:
    return fault.path, fault.severity, fault.code, fault.keyword, fault.text, fault.message

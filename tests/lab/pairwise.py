"""A few combinations in which any two choices meet, in place of all combinations."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any


def pairwise(*choices: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return combinations, one of each of `choices`: any two of different `choices` are in at least one of them.

    Greedy: always the combination with the most pairs that are still missing, the first in order of several; so the
    same choices give the same combinations.
    """
    every = list(product(*choices))
    missing = set().union(*(pairs(each) for each in every))
    found = []
    while missing:
        best = max(every, key=lambda each: len(missing & pairs(each)))
        found.append(best)
        missing -= pairs(best)
    return found


def pairs(combination: Sequence[Any]) -> set[tuple[tuple[int, Any], ...]]:
    """Return the pairs of a combination, each choice with its place."""
    return set(combinations(enumerate(combination), 2))

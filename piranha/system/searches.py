"""Searching an answer for a regular expression without standing still.

RE2's time grows with the answer times the expression, and never explodes; but for a large expression and an answer that
was made for it that is seconds. Such a search is made in a thread (RE2 lets the others run meanwhile), so that the
checks of all other servers go on; it cannot be interrupted, and a check whose limit ends meanwhile is bad.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, lru_cache
from typing import TypeVar

from piranha.config.expressions import compiled
from piranha.health.check import Expectation, Match, Verdict, excerpt

HERE_MAX = 1_500_000
"""Bytes of an answer times instructions of an expression that are searched at once: 15 ms at worst, mostly 0.1 ms."""
THREADS = 4
EXPRESSIONS_KEPT = 4096
LOWER_PRIORITY = 10

_T = TypeVar("_T")


def is_costly(expect: Expectation | None, size: int) -> bool:
    """Say whether judging an answer of so many bytes may take long."""
    return expect is not None and expect.match is Match.PATTERN and size * _instructions(expect.text) > HERE_MAX


async def considered(expect: Expectation | None, size: int, work: Callable[[], _T]) -> _T:
    """Return what `work` makes of an answer of so many bytes, without holding up the loop."""
    if not is_costly(expect, size):
        return work()
    return await asyncio.get_running_loop().run_in_executor(_threads(), work)


def late_without(expect: Expectation | None, received: bytes, limit_s: float, *, is_searched: bool) -> Verdict:
    """Return the verdict on what came until a check's limit ended it, without one more search.

    `is_searched`: all of it was searched through, and nothing was found.
    """
    if expect is None or not is_searched:
        what = f"the answer of {len(received)} bytes could not be searched for the regular expression"
        return Verdict(False, f"{what} within {limit_s:g} s")
    wanted = f"expected something that matches {excerpt(expect.text)}"
    return Verdict(False, f"answered {excerpt(received)}; {wanted}, within {limit_s:g} s")


@lru_cache(EXPRESSIONS_KEPT)
def _instructions(pattern: bytes) -> int:
    return int(compiled(pattern).programsize)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="search", initializer=_give_way)


def _give_way() -> None:
    """Have the loop come before this thread (on Linux each has its own priority)."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWER_PRIORITY)

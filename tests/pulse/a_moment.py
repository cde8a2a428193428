"""Waiting in tests for what the event loop does next, without a time that has to be guessed."""

import asyncio
from collections.abc import Callable

LIMIT_S = 10.0
LOOK_S = 0.002


async def a_moment(times: int = 1) -> None:
    """Let the event loop do what is ready."""
    for _ in range(times):
        turn = asyncio.Event()
        asyncio.get_running_loop().call_soon(turn.set)
        await turn.wait()


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so. Raises TimeoutError."""
    async with asyncio.timeout(LIMIT_S):
        while not is_so():
            turn = asyncio.Event()
            asyncio.get_running_loop().call_later(LOOK_S, turn.set)
            await turn.wait()

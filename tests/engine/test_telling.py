"""To tell of thousands of servers takes its time, and others have their turn meanwhile."""

import asyncio

from piranha.engine import telling
from piranha.engine.parts import Pick


class Report:
    """Tells virtual servers by a number, and notes each."""

    def __init__(self, done: list[str]) -> None:
        self._done = done

    def virtual_server(self, pick: Pick) -> int:
        self._done.append("told")
        return pick.first


async def test_others_have_their_turn_between_so_many_rows():
    done: list[str] = []
    rows = telling.ROWS_AT_ONCE // 2
    picks = [Pick(None, None, (None,) * rows, (), number, rows) for number in range(6)]

    def check() -> None:
        done.append("checked")
        if done.count("checked") < 9:
            asyncio.get_running_loop().call_soon(check)

    asyncio.get_running_loop().call_soon(check)
    assert await telling._told(Report(done), picks) == tuple(range(6))
    assert done.index("checked") <= 2
    assert "checked" in done[3:6]


async def test_a_page_is_told_in_one_go():
    done: list[str] = []
    asyncio.get_running_loop().call_soon(done.append, "checked")
    assert len(await telling._told(Report(done), [Pick(None, None, (None,) * 5, (), 1, 5)] * 20)) == 20
    assert "checked" not in done

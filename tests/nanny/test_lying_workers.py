"""What a worker says is read as what a stranger says: with bounds, and without belief."""

import asyncio
import sys
import textwrap

import pytest

from piranha.nanny import post
from piranha.nanny.frames import HEARD_MAX
from tests.nanny.hired import hired, order

pytestmark = pytest.mark.end_to_end

NONSENSE = {
    "a frame longer than any": f"talk.send(({HEARD_MAX} + 1).to_bytes(4, 'big') + b'x')",
    "no message": "talk.send((5).to_bytes(4, 'big') + b'xxxxx')",
    "another message": "talk.send((2).to_bytes(4, 'big') + bytes([0x91, 0x05]))",
    "an endless text": "told(Found(1, 0.0, 0.0, True, 'x' * 5000, 0.1, b'', b''))",
    "an endless transcript": "told(Found(1, 0.0, 0.0, True, 'x', 0.1, b'', b'y' * 100_000))",
    "a time that is none": "told(Same(1, float('nan'), 0.0, 0.1))",
    "a time before all": "told(Same(1, -5.0, 0.0, 0.1))",
    "frames without end": "[told() for _ in range(20_000)]",
    "outcomes without end": "[told(*[Same(2, 1.0, 1.0, 0.1)] * 5000) for _ in range(5)]",
    "the same as nothing": "told(Same(1, 1.0, 1.0, 0.1))",
}


def liar(says: str) -> tuple[str, ...]:
    """Return the words that start a process which says something else than a worker does."""
    code = f"""
        import socket, sys
        from piranha.nanny.frames import Found, Note, Same, told_frame
        talk = socket.socket(fileno=int(sys.argv[1]))
        def told(*what):
            talk.sendall(told_frame(list(what)))
        {says}
        while talk.recv(65536):
            pass
    """
    return (sys.executable, "-c", textwrap.dedent(code))


@pytest.mark.parametrize("says", NONSENSE.values(), ids=NONSENSE.keys())
async def test_a_worker_that_says_nonsense_is_killed_and_nothing_of_it_counts(
    says: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with hired(words=liar(says)) as found:
        found.workers.order([order(1, 9)])
        await found.until(lambda: "said what no nanny says" in caplog.text)
    assert found.told == []


async def test_a_verdict_from_the_future_or_on_a_strangers_server_changes_no_rhythm() -> None:
    says = (
        "told(Found(1, 9e11, 9e11, True, 'fine\\n[inactive] forged', 0.1, b'', b''), "
        "Found(7, 1.0, 1.0, False, 'x', 0.1, b'', b''))"
    )
    async with hired(words=liar(says)) as found:
        found.workers.order([order(1, 9, interval_s=5.0)])
        await found.until(lambda: bool(found.told))
        (told,) = found.told
        now = asyncio.get_running_loop().time()
    assert told.number == 1
    assert told.ended <= now and told.due <= now + 5.0
    assert told.probed is not None and told.probed.verdict.reason == "fine\\n[inactive] forged"


async def test_a_worker_that_talks_without_end_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    says = "[told(Note(30, f'complaint {n}\\n[ active ] forged')) for n in range(500)]"
    async with hired(words=liar(says)) as found:
        await found.until(lambda: "complaint 19" in caplog.text)
        await found.until(lambda: bool(found.pids))
    lines = [record.getMessage() for record in caplog.records if "complaint" in record.getMessage()]
    assert len(lines) == post.NOTES_MAX
    assert all("\n    [ active ] forged" in line for line in lines)

"""An independent watcher: a process that sleeps 20 ms again and again, and writes down when it overslept.

    python -m tests.lab.stalls FILE

It goes before every other process of the lab's kernel, so that what it writes down is not how busy that kernel is, but
that the kernel itself stood still: the machine below it had no time for it.
"""

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.topology import Host

EVERY_S = 0.02
NOTED_S = 0.03
"""Longer than that it slept too long."""
_PRIORITY = 50  # above that of pulse


@dataclass(frozen=True)
class Watcher:
    """A watcher at work, and what it writes."""

    file: Path

    def stalls(self) -> list[tuple[float, float]]:
        """Return when the kernel stood still (its monotonic clock, the end), and for how long, seconds."""
        lines = self.file.read_text().splitlines()
        assert lines and lines[0] == "watching", f"the watcher does not watch: {lines}"
        return [(float(at), float(length)) for at, length in (line.split() for line in lines[1:])]

    def longest_s(self, since: float = 0.0) -> float:
        """Return the longest standstill that ended since a moment of the monotonic clock, seconds; 0: none."""
        return max((length for at, length in self.stalls() if at >= since), default=0.0)


@contextmanager
def watched(host: Host, file: Path) -> Iterator[Watcher]:
    """Have a watcher during the block."""
    process = host.start(sys.executable, "-m", "tests.lab.stalls", str(file), output=file.with_suffix(".log"))
    ends_at = time.monotonic() + 30
    while not (file.exists() and file.read_text().startswith("watching\n")):
        assert process.poll() is None and time.monotonic() < ends_at, "the watcher did not start"
        select.select([], [], [], 0.05)
    try:
        yield Watcher(file)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Watch until killed."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    with Path(sys.argv[1]).open("w", buffering=1) as file:
        file.write("watching\n")
        before = time.monotonic()
        while True:
            select.select([], [], [], EVERY_S)
            at = time.monotonic()
            if at - before > EVERY_S + NOTED_S:
                file.write(f"{at:.3f} {at - before:.3f}\n")
            before = at


if __name__ == "__main__":
    main()

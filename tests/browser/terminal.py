"""A program in a terminal of its own, as a person sees it: a screen of characters, and keys."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence

import pyte

ROWS, COLUMNS = 200, 132
"""So tall that no page needs to be scrolled."""
READ_BYTES = 65536
WAIT_S = 30.0


class Terminal:
    """A program that runs in a terminal, what stands on its screen, and a keyboard for it."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._lines: list[str] = []
        self._our_end, its_end = pty.openpty()
        fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        # A Linux console is what pyte draws.
        self.process = subprocess.Popen(
            words, stdin=its_end, stdout=its_end, stderr=its_end, env={**environment, "TERM": "linux"}, close_fds=True
        )
        os.close(its_end)

    @property
    def lines(self) -> list[str]:
        """Return what stands on the screen, without the blanks at the ends and the empty lines below."""
        if not self._lines:
            self._lines = "\n".join(line.rstrip() for line in self._screen.display).rstrip("\n").split("\n")
        return self._lines

    @property
    def cursor(self) -> tuple[int, int]:
        """Return row and column of the cursor, from 0."""
        return self._screen.cursor.y, self._screen.cursor.x

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._our_end, keys.encode())

    def wait_for(self, condition: Callable[[list[str]], bool], what: str) -> None:
        """Read what the program draws until the screen is so; fail with the screen if it does not become so."""
        give_up_at = time.monotonic() + WAIT_S
        while not condition(self.lines):
            left_s = give_up_at - time.monotonic()
            ready, _, _ = select.select([self._our_end], [], [], max(0.0, left_s))
            assert ready, "\n".join([f"not within {WAIT_S} s: {what}; the screen:", *self.lines])
            self._read()

    def _read(self) -> None:
        try:
            drawn = os.read(self._our_end, READ_BYTES)
        except OSError:  # the program has ended, and the other end is closed
            drawn = b""
        assert drawn, "\n".join(["the program has ended; the screen:", *self.lines])
        self._stream.feed(drawn)
        self._lines = []

    def end(self) -> None:
        """End the program if it still runs."""
        self.process.kill()
        self.process.wait(30)
        os.close(self._our_end)

"""Where a command reads an lvs.cf from: a file that somebody names, or standard input."""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from piranha.config.load import decode
from piranha.errors import ConfigUnavailable
from piranha.system.lvs_cf import BYTES_MAX

STANDARD_INPUT = Path("-")
_OPEN_ALREADY = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


@dataclass(frozen=True, slots=True)
class Source:
    """What was read, and how it is called in messages."""

    name: str
    raw: bytes

    @property
    def text(self) -> str:
        """Return the text; nothing of the bytes is lost in it."""
        return decode(self.raw)


def name_of(path: Path) -> str:
    """Return how a file is called in messages."""
    return "<stdin>" if path == STANDARD_INPUT else str(path)


def read(path: Path) -> Source:
    """Read a file, or standard input for `-`. Raises ConfigUnavailable with a sentence; never waits for a FIFO."""
    name = name_of(path)
    if path == STANDARD_INPUT:
        return Source(name, _within_limit(name, sys.stdin.buffer.read(BYTES_MAX + 1)))
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            return Source(name, _within_limit(name, _bytes(name, handle)))
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        raise ConfigUnavailable(f"{name} cannot be read: there is no such file.") from error
    except PermissionError as error:
        raise ConfigUnavailable(f"{name} cannot be read: permission denied. Read it as root.") from error
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        raise ConfigUnavailable(f"{name} cannot be read: {words}.") from error


def _bytes(name: str, handle: int) -> bytes:
    kind = os.fstat(handle).st_mode
    if stat.S_ISDIR(kind):
        raise ConfigUnavailable(f"{name} cannot be read: it is a folder. Name a file in it.")
    if stat.S_ISFIFO(kind) and name.startswith(_OPEN_ALREADY):
        os.set_blocking(handle, True)  # the shell's <(...): its writer is there and will end
    elif not stat.S_ISREG(kind):
        raise ConfigUnavailable(f"{name} cannot be read: it is no regular file. Write - to read standard input.")
    with open(handle, "rb", closefd=False) as file:
        return file.read(BYTES_MAX + 1)


def _within_limit(name: str, raw: bytes) -> bytes:
    if len(raw) > BYTES_MAX:
        raise ConfigUnavailable(f"{name} cannot be read: it has more than {BYTES_MAX} bytes, so it is no lvs.cf.")
    return raw

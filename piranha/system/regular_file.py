"""Read a regular file whole, as far as an lvs.cf goes; nothing else is read, and nobody waits."""

import os
import stat
from pathlib import Path

from piranha.errors import ConfigUnavailable
from piranha.system.lvs_cf import BYTES_MAX

_OPEN_ALREADY = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


def read(path: Path, *, takes_pipes: bool = False) -> bytes:
    """Return the bytes of a file. Raises ConfigUnavailable with a sentence; never waits for a FIFO.

    `takes_pipes`: the output of another command that the shell opened, <(...), may stand for a file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            return within_limit(str(path), _bytes(path, handle, takes_pipes))
        finally:
            os.close(handle)
    except FileNotFoundError as error:
        raise ConfigUnavailable(f"{path} cannot be read: there is no such file.") from error
    except PermissionError as error:
        sentence = f"{path} cannot be read: permission denied. Run this as its owner or as root."
        raise ConfigUnavailable(sentence) from error
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        raise ConfigUnavailable(f"{path} cannot be read: {words}.") from error


def within_limit(name: str, raw: bytes) -> bytes:
    """Return the bytes that were read. Raises ConfigUnavailable if there are more than any lvs.cf has."""
    if len(raw) > BYTES_MAX:
        raise ConfigUnavailable(f"{name} cannot be read: it has more than {BYTES_MAX} bytes, so it is no lvs.cf.")
    return raw


def _bytes(path: Path, handle: int, takes_pipes: bool) -> bytes:
    kind = os.fstat(handle).st_mode
    if stat.S_ISDIR(kind):
        raise ConfigUnavailable(f"{path} cannot be read: it is a folder. Name a file in it.")
    if takes_pipes and stat.S_ISFIFO(kind) and str(path).startswith(_OPEN_ALREADY):
        os.set_blocking(handle, True)  # its writer is there and will end
    elif not stat.S_ISREG(kind):
        advice = " Write - to read standard input." if takes_pipes else ""
        raise ConfigUnavailable(f"{path} cannot be read: it is no regular file.{advice}")
    with open(handle, "rb", closefd=False) as file:
        return file.read(BYTES_MAX + 1)

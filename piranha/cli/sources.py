"""Where a command reads an lvs.cf from: a file that somebody names, or standard input."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from piranha.config.load import decode, encoding_of
from piranha.system import regular_file
from piranha.system.lvs_cf import BYTES_MAX

STANDARD_INPUT = Path("-")


@dataclass(frozen=True, slots=True)
class Source:
    """What was read, and how it is called in messages."""

    name: str
    raw: bytes

    @property
    def text(self) -> str:
        """Return the text; nothing of the bytes is lost in it."""
        return decode(self.raw)

    @property
    def encoding(self) -> str:
        """Return how the bytes became the text."""
        return encoding_of(self.raw)


class FileWord(click.ParamType):  # type: ignore[type-arg]
    """The name of a file to read; - is standard input, ./- a file of that name."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        return path_of(value) if isinstance(value, str) else value


FILE = FileWord()


def path_of(word: str) -> Path:
    """Return the path that a word of the command line names; `Path` alone takes ./- for -."""
    path = Path(word)
    return path.absolute() if path == STANDARD_INPUT and word != "-" else path


def name_of(path: Path) -> str:
    """Return how a file is called in messages."""
    return "<stdin>" if path == STANDARD_INPUT else str(path)


def read(path: Path) -> Source:
    """Read a file, or standard input for `-`. Raises ConfigUnavailable with a sentence; never waits for a FIFO."""
    name = name_of(path)
    if path == STANDARD_INPUT:
        return Source(name, regular_file.within_limit(name, sys.stdin.buffer.read(BYTES_MAX + 1)))
    return Source(name, regular_file.read(path, takes_pipes=True))

"""What reads one value of piranha.toml, and what it says of a value that cannot stand there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from piranha.config.values import shown


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table: the field of its settings, and what reads its value or raises ValueProblem."""

    field: str
    read: Callable[[object], Any]


class ValueProblem(Exception):
    """A value that cannot stand there: the words that are wrong, what is wrong with them, what to write instead."""

    def __init__(self, word: str, message: str, advice: str) -> None:
        super().__init__(message)
        self.word = word
        self.message = message
        self.advice = advice


def texts(value: object, example: str) -> list[str]:
    """Return a list of texts. Raises ValueProblem."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueProblem(word_of(value), "This is no list of texts.", f"Write for example {example}.")
    return value


def yes_or_no(value: object) -> bool:
    """Return true or false. Raises ValueProblem."""
    if not isinstance(value, bool):
        message = f"{quoted(value)} is neither true nor false."
        raise ValueProblem(str(value), message, "Write one of these, without quotes.")
    return value


def whole(least: int, most: int) -> Callable[[object], int]:
    """Return what reads a whole number from `least` to `most`."""

    def read_it(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            message = f"{quoted(value)} is no whole number from {least} to {most}."
            raise ValueProblem(word_of(value), message, "Write one, without quotes.")
        return value

    return read_it


def seconds(least: float, most: float) -> Callable[[object], float]:
    """Return what reads a time in seconds from `least` to `most`, with a fraction or without."""

    def read_it(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            message = f"{quoted(value)} is no number of seconds from {least:g} to {most:g}."
            raise ValueProblem(word_of(value), message, "Write one, without quotes, for example 0.5 or 6.")
        return float(value)

    return read_it


def one_of(*words: str) -> Callable[[object], str]:
    """Return what reads one of these words."""

    def read_it(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            choices = " or ".join(f'"{word}"' for word in words)
            raise ValueProblem(word_of(value), f"{quoted(value)} cannot stand here.", f"Write {choices}.")
        return value

    return read_it


def quoted(value: object) -> str:
    """Return a value as a sentence shows it."""
    return f'"{shown(word_of(value))}"'


def word_of(value: object) -> str:
    """Return a value as it is probably written."""
    return str(value).lower() if isinstance(value, bool) else str(value)

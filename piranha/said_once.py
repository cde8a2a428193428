"""What is wrong is logged when it begins and when it becomes something else, not each time it is met."""

import logging
from collections.abc import Collection


class SaidOnce:
    """What is wrong at present, by what it is about, in one sentence each; what is new goes to the log."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._said: dict[str, str] = {}

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return what is wrong at present."""
        return tuple(self._said.values())

    def about(self, about: str) -> str:
        """Return what is wrong with one thing, or ""."""
        return self._said.get(about, "")

    def say(self, about: str, sentence: str, level: int = logging.ERROR, prefix: str = "") -> None:
        """Take note of what is wrong ("" : nothing any more). `prefix` stands before it in the log."""
        if not sentence:
            self._said.pop(about, None)
        elif self._said.get(about) != sentence:
            self._said[about] = sentence
            self._log.log(level, "%s%s", prefix, sentence)

    def keep(self, abouts: Collection[str]) -> None:
        """Forget everything about other things than these."""
        self._said = {about: sentence for about, sentence in self._said.items() if about in abouts}

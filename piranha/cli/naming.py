"""Words of the command line that name something in lvs.cf, or stand for a value in it."""

from typing import Any, NamedTuple

import click

from piranha.config.path import BlockPath, parse
from piranha.config.values import shown

_LONGEST_PATH = 4096
"""Characters. No path into an lvs.cf is longer; a message about one that is would fill the screen."""


class Named(NamedTuple):
    """What a PATH names: a keyword of a block, or (keyword "") the block itself; () and "" is the whole file."""

    block: BlockPath
    keyword: str


class Word(click.ParamType):  # type: ignore[type-arg]
    """A word that may go into lvs.cf or into a message: whole characters only."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word. A byte that is no character of this terminal's encoding is a wrong command line."""
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            self.fail(f'"{shown(value)}" has bytes that are no text in the encoding of this terminal.', param, ctx)
        return value


class PathWord(Word):
    """A written path such as virtual[http].server[web1].weight."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a Named; a wrong command line, with the place, where the text is no path."""
        if isinstance(value, Named):
            return value
        text = super().convert(value, param, ctx)
        if len(text) > _LONGEST_PATH:
            self.fail(f"{len(text)} characters are no path: {shown(text)}", param, ctx)
        try:
            return Named(*parse(text))
        except ValueError as problem:
            sentence = str(problem) if str(problem).isprintable() else repr(str(problem))[1:-1]
            self.fail(sentence, param, ctx)


WORD = Word()
PATH = PathWord()

"""What a file says, without how it says it: names, values and their order of blocks. Edits are proved with it."""

from dataclasses import dataclass, field

from piranha.config.blocks import Block
from piranha.config.fields import Scope
from piranha.config.path import BlockPath


@dataclass(slots=True)
class Content:
    """A block's values (text, and whether its line can be understood) and its inner blocks. Mutable: a draft.

    `strays` counts the lines that are no statement at all.
    """

    scope: Scope
    name: str
    values: dict[str, tuple[str | None, bool]] = field(default_factory=dict)
    blocks: list["Content"] = field(default_factory=list)
    strays: int = 0

    def at(self, path: BlockPath) -> "Content":
        """Return the content of an inner block. Raises KeyError if it is not there."""
        if not path:
            return self
        return self.blocks[self.place(path)].at(path[1:])

    def place(self, path: BlockPath) -> int:
        """Return the index of the block that the first step of a path names. Raises KeyError."""
        step = path[0]
        number = 0
        for place, inner in enumerate(self.blocks):
            if (inner.scope, inner.name) == (step.kind, step.name):
                number += 1
                if number == step.number:
                    return place
        raise KeyError(str(step))


def content_of(block: Block) -> Content:
    """Return what a block says."""
    values = {}
    for keyword, statements in block.values.items():
        if keyword:
            values[keyword] = (statements[-1].value, statements[-1].is_bad)
    inner = [content_of(each) for each in block.blocks]
    return Content(block.scope, block.name, values, inner, len(block.values.get("", ())))

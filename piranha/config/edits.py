"""What a person wants changed in an lvs.cf, as values that travel from a form to the engine.

An edit names blocks by written path (`config.path`), never by position. A `Part` is the piece of the file that a
page shows and edits; its token (a digest of that piece, `config.document.Document.token`) travels with the edits, so
that a save is accepted exactly when nobody else changed that piece meanwhile.
"""

from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the file: a whole block with all inside it, or only some keywords of a block.

    `path`: written path, "" for the global scope. `keywords`: None means the whole block with its inner blocks;
    a tuple means the block's header line and those keywords alone (for a panel that shows only them).
    """

    path: str
    keywords: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ExpectedPart:
    """A part and the token it had when the page was made."""

    part: Part
    token: str


class SetValues(msgspec.Struct, frozen=True, kw_only=True, tag="set", tag_field="edit"):
    """Set keywords of a block. A value is the text without enclosing quotes, None removes the keyword.

    Escapes stay as typed (`\\r\\n` is four characters); `address` of a virtual server and `nat_router` are two words,
    `192.0.2.1 eth0:1`. Values equal to the present ones change nothing.
    """

    path: str
    values: dict[str, str | None]


class AddBlock(msgspec.Struct, frozen=True, kw_only=True, tag="add", tag_field="edit"):
    """Append a block (`virtual`, `failover`, `server`) to a parent ("" for the top) with these keywords, in order."""

    parent: str
    kind: str
    name: str
    values: dict[str, str]


class RemoveBlock(msgspec.Struct, frozen=True, kw_only=True, tag="remove", tag_field="edit"):
    """Remove a block with all inside it and the comments that describe it."""

    path: str


class RenameBlock(msgspec.Struct, frozen=True, kw_only=True, tag="rename", tag_field="edit"):
    """Give a block another name."""

    path: str
    name: str


class MoveBlock(msgspec.Struct, frozen=True, kw_only=True, tag="move", tag_field="edit"):
    """Put a block, with all inside it and the comments that describe it, elsewhere.

    `parent`: written path of the block to stand in ("" for the top). `before`: written path of the block there to
    stand in front of, "" to stand behind the last one of its kind.
    """

    path: str
    parent: str = ""
    before: str = ""


class MakeCanonical(msgspec.Struct, frozen=True, kw_only=True, tag="canonical", tag_field="edit"):
    """Write the whole file anew in the canonical form (reference 4.3). Comments and strange keywords go."""


Edit = SetValues | AddBlock | RemoveBlock | RenameBlock | MoveBlock | MakeCanonical

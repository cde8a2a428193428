"""A text of lvs.cf with an index of its blocks and statements. Reading only: `editing` makes new documents.

The text stays as it came, byte for byte. Offsets and lines are those of the *plain* text, which differs from it only
in line ends (CRLF and CR become LF) and in the byte-order mark; it is also what an edit starts from.
"""

import hashlib

from piranha.config.blocks import Block, Statement
from piranha.config.collecting import collector_paused
from piranha.config.edits import Part
from piranha.config.path import BlockPath, Step, parse_block
from piranha.config.syntax import parse

_MARKS = ("\ufeff", "\xef\xbb\xbf")  # a byte-order mark, read as UTF-8 or as Latin-1


class Document:
    """An lvs.cf. Paths are `config.path` block paths; () is the global scope.

    `encoding` is how the bytes of the file became the text; what is sent to a real server are its bytes.
    The text is parsed when somebody first asks what it says: an edit that proves itself line by line need not.
    """

    __slots__ = ("_parsed", "encoding", "plain", "text")

    def __init__(self, text: str, encoding: str = "utf-8") -> None:
        self.text = text
        self.encoding = encoding
        self.plain = plain_text(text)
        self._parsed: tuple[Block, dict[BlockPath, Block], dict[int, BlockPath]] | None = None

    @property
    def root(self) -> Block:
        """Return the whole file as a block."""
        return self._understood()[0]

    @property
    def _index(self) -> dict[BlockPath, Block]:
        return self._understood()[1]

    @property
    def _paths(self) -> dict[int, BlockPath]:
        return self._understood()[2]

    def _understood(self) -> tuple[Block, dict[BlockPath, Block], dict[int, BlockPath]]:
        if self._parsed is None:
            with collector_paused():
                root = parse(self.plain)
                index: dict[BlockPath, Block] = {}
                paths: dict[int, BlockPath] = {}
                _enter((), root, index, paths)
            self._parsed = root, index, paths
        return self._parsed

    def block(self, path: BlockPath) -> Block | None:
        """Return the block at a path with its statements and places, or None."""
        return self._index.get(path)

    def path_of(self, block: Block) -> BlockPath:
        """Return the path of one of this document's blocks."""
        return self._paths[id(block)]

    def blocks(self, parent: BlockPath = ()) -> tuple[BlockPath, ...]:
        """Return the paths of the blocks inside a block, in file order; () if the parent is not there."""
        block = self._index.get(parent)
        return tuple(self._paths[id(inner)] for inner in block.blocks) if block else ()

    def has(self, path: BlockPath) -> bool:
        """Say whether there is a block at a path."""
        return path in self._index

    def keywords(self, path: BlockPath) -> tuple[str, ...]:
        """Return the keywords of a block, each once, in file order."""
        block = self._index.get(path)
        return tuple(keyword for keyword in block.values if keyword) if block else ()

    def statement(self, path: BlockPath, keyword: str) -> Statement | None:
        """Return the line that counts for a keyword: the last one of several."""
        block = self._index.get(path)
        return block.effective(keyword) if block else None

    def get(self, path: BlockPath, keyword: str) -> str | None:
        """Return the text that counts for a keyword, without quotes; None if the block or the keyword is not there.

        A line that cannot be understood gives its text as it stands, so that it can be shown and mended.
        """
        statement = self.statement(path, keyword)
        return None if statement is None else statement.value or ""

    def where(self, path: BlockPath, keyword: str = "") -> tuple[int, int]:
        """Return line and column (from 1) of a keyword, of the block if it is not there, (0, 0) for the whole file."""
        statement = self.statement(path, keyword) if keyword else None
        if statement is not None:
            return statement.line, statement.column
        block = self._index.get(path)
        if block is None or block.header is None:
            return 0, 0
        return block.header.line, block.header.column

    def token(self, part: Part) -> str:
        """Return the digest of a part: equal as long as nobody changed it."""
        return hashlib.sha256(self.part_text(part).encode("utf-8", "surrogatepass")).hexdigest()

    def part_text(self, part: Part) -> str:
        """Return the text of a part; "" if its block is not there, or its path is none."""
        try:
            path = parse_block(part.path)
        except ValueError:
            return ""
        block = self._index.get(path)
        if block is None:
            return ""
        if part.keywords is None:
            return self.plain[block.start : block.end] if path else self.plain
        spans = [(block.header.start, block.header.end)] if block.header else []
        for keyword in part.keywords:
            spans += [(statement.start, statement.end) for statement in block.values.get(keyword, ())]
        return "".join(self.plain[start:end] for start, end in sorted(set(spans)))


def _enter(path: BlockPath, block: Block, index: dict[BlockPath, Block], paths: dict[int, BlockPath]) -> None:
    index[path] = block
    paths[id(block)] = path
    for inner in block.blocks:
        _enter((*path, Step(inner.scope, inner.name, inner.number)), inner, index, paths)


def plain_text(text: str) -> str:
    """Return a text with LF for every line end and without a byte-order mark."""
    for mark in _MARKS:
        if text.startswith(mark):
            text = text[len(mark) :]
            break
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text

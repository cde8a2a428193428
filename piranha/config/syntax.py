"""Text -> blocks. Any text parses; what is odd about it says so.

The shape comes from grammar/lvs.lark. How a line falls into keyword and value is in `lines`, headers in `headers`.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer

from piranha import resources
from piranha.config.blocks import Block
from piranha.config.fields import Scope
from piranha.config.headers import closing_oddities, header_of
from piranha.config.lines import statement_of


def parse(text: str) -> Block:
    """Return the file as a block. The text has plain line ends. Never raises."""
    parsed: Any = _parser().parse(text)
    assert isinstance(parsed, Block)
    return parsed


@cache
def _parser() -> Lark:
    grammar = (resources.tree("grammar") / "lvs.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="basic", transformer=_Builder())


class _Builder(Transformer[Token, Any]):
    """Called by the parser as it goes, so that no tree is built and walked. Children are blocks and lines."""

    def start(self, children: list[Any]) -> Block:
        return _filled(Block(Scope.GLOBAL, None), children)

    def service(self, children: list[Any]) -> Block:
        token = children[0]
        scope = Scope.VIRTUAL if token.lstrip(" \t").startswith("virtual") else Scope.FAILOVER
        return _filled(Block(scope, header_of(str(token), *_place(token))), children[1:])

    def server(self, children: list[Any]) -> Block:
        token = children[0]
        return _filled(Block(Scope.SERVER, header_of(str(token), *_place(token))), children[1:])


def _filled(block: Block, children: Iterable[Any]) -> Block:
    """Put lines and inner blocks into a block, and count equal names."""
    seen: dict[tuple[Scope, str], int] = {}
    for child in children:
        if isinstance(child, Block):
            same = (child.scope, child.name)
            child.number = seen[same] = seen.get(same, 0) + 1
            block.blocks.append(child)
            block.end = child.end
            continue
        start, number = _place(child)
        block.end = start + len(child)
        if child.type == "CLOSE":
            block.oddities += closing_oddities(str(child), number, is_surplus=block.header is None)
            if block.header is not None:
                block.close_start = start
            continue
        statement = statement_of(str(child), start, number, block.scope)
        block.statements.append(statement)
        block.values.setdefault(statement.keyword, []).append(statement)
    return block


def _place(token: Token) -> tuple[int, int]:
    assert token.start_pos is not None and token.line is not None
    return token.start_pos, token.line

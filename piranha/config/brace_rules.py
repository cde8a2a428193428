"""Rules of braces: blocks that are never closed, and blocks that a } too many cut in two."""

from bisect import bisect_left
from collections.abc import Iterator

from piranha.config.blocks import Block, Statement
from piranha.config.faults import Severity
from piranha.config.fields import Scope, scopes_of
from piranha.config.findings import Findings
from piranha.config.values import shown


def find(findings: Findings) -> None:
    """Find what braces that are missing, or too many, did to the blocks."""
    root = findings.document.root
    _ends(findings, root)
    for service in root.blocks:
        _ends(findings, service)
    _cuts(findings, root)


def _ends(findings: Findings, block: Block) -> None:
    """Find missing closing braces: at the end of the text they are harmless, elsewhere what follows is in doubt."""
    for place, inner in enumerate(block.blocks):
        if inner.close_start is not None:
            continue
        is_last = place == len(block.blocks) - 1
        header = inner.header
        assert header is not None
        where = (header.line, header.column, "", inner.name)
        message = f'The {inner.scope} block "{shown(inner.name)}" is never closed.'
        if is_last:
            findings.place(Severity.WARNING, "unclosed-block", inner, *where, message, "Write } at its end.")
        else:
            advice = "Write } where it ends; what follows was read as if it stood there."
            findings.place(Severity.ERROR, "missing-brace", inner, *where, message, advice, matters=True)


def _cuts(findings: Findings, root: Block) -> None:
    """Find where a block was cut in two: its keywords stand outside of it, and later a } closes nothing.

    One fault for each such brace: the first line that it cut off.
    """
    surplus = [oddity.line for oddity in root.oddities if oddity.code == "surplus-brace"]
    if not surplus:
        return
    told = set[int]()
    for block, statement in _outside_of_their_block(root):
        brace = bisect_left(surplus, statement.line)
        if brace in told:
            continue
        told.add(brace)
        line = surplus[min(brace, len(surplus) - 1)]
        keyword = statement.keyword
        message = f"{keyword} stands outside of its block, and the }} in line {line} closes nothing: a block was cut."
        advice = "Remove the } too many, which is above; or mend the line that was to begin the block."
        place = (statement.line, statement.column, keyword, statement.written_keyword)
        findings.place(Severity.ERROR, "cut-block", block, *place, message, advice, matters=True)


def _outside_of_their_block(root: Block) -> Iterator[tuple[Block, Statement]]:
    """Yield the lines, in file order, that belong into a block deeper than the one where they stand."""
    found = [(root, statement) for statement in root.statements if _belongs_deeper(statement, Scope.GLOBAL)]
    for service in root.blocks:
        if service.scope is not Scope.SERVER:
            found += [(service, each) for each in service.statements if _belongs_deeper(each, service.scope)]
    return iter(sorted(found, key=lambda each: each[1].start))


def _belongs_deeper(statement: Statement, scope: Scope) -> bool:
    places = scopes_of(statement.keyword)
    return bool(places) and scope not in places and (scope is Scope.GLOBAL or Scope.SERVER in places)

"""Rules of the texts of a check: what is sent, what is expected, the program (reference 1.4)."""

import re

from piranha.config.blocks import Block, Statement
from piranha.config.escapes import translate
from piranha.config.faults import Severity
from piranha.config.fields import Field, ValueFault
from piranha.config.findings import Findings
from piranha.config.values import shown

LONGEST_COMPARED = 254
"""Bytes of a reply that the original compares, and of a program that it has room for."""

_ESCAPE = re.compile(r"\\.?", re.DOTALL)
_PLACEHOLDER = re.compile(r"%[hp]")
_WORD = re.compile(r"[^ ]+")


def find(findings: Findings, block: Block, statement: Statement, row: Field) -> None:
    """Find the faults of `send`, `expect` or `send_program`."""
    text = statement.value or ""
    length = len(text.encode("utf-8", "replace"))
    if length > LONGEST_COMPARED:
        does = "keeps" if row.takes_escapes else "has room for"
        message = f"{row.label} has {length} bytes; the original Piranha {does} {LONGEST_COMPARED}."
        findings.say_of_line(Severity.WARNING, "long-text", block, statement, message, "Shorten it.")
    if not row.takes_escapes:
        _placeholders(findings, block, statement, text)
    elif "\\" in text:
        _escapes(findings, block, statement, text)


def _escapes(findings: Findings, block: Block, statement: Statement, text: str) -> None:
    if text == "\\":
        fault = ValueFault("The text is one backslash, taken as it is.", r"Write \\ for a backslash, \" for a quote.")
        findings.say_inside(Severity.WARNING, "lone-backslash", block, statement, (0, text), fault)
        return
    unknown = translate(text)[1]
    if unknown:
        listed = " ".join(shown(escape) for escape in dict.fromkeys(unknown))
        fault = ValueFault(
            f"{listed} means nothing here and stays as it is; the original monitor hangs at it.",
            r"Known are \\ \n \r \t \' and \"; write \\ for a backslash.",
        )
        piece = next((found.start(), unknown[0]) for found in _ESCAPE.finditer(text) if found.group() == unknown[0])
        findings.say_inside(Severity.WARNING, "unknown-escape", block, statement, piece, fault)
    if text.endswith('\\"') and translate(text)[0].endswith(b'"'):
        fault = ValueFault(
            "The text ends in a double quote, which the original Piranha drops for all real servers but the first.",
            "Leave the last quote out.",
        )
        findings.say_inside(Severity.WARNING, "quote-at-end", block, statement, (len(text) - 2, '\\"'), fault)


def _placeholders(findings: Findings, block: Block, statement: Statement, text: str) -> None:
    """Find %h and %p that are not words of their own: they reach the program as they are."""
    for word in _WORD.finditer(text):
        if word.group() not in ("%h", "%p") and _PLACEHOLDER.search(word.group()):
            fault = ValueFault(
                f'"{shown(word.group())}" reaches the program as it is: %h and %p count only as words of their own.',
                "Write them as words of their own, and let the program put them together.",
            )
            findings.say_inside(
                Severity.WARNING, "joined-placeholder", block, statement, (word.start(), word.group()), fault
            )

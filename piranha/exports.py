"""Events and the audit as files: JSON lines, and CSV (RFC 4180) that is harmless in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields

import msgspec

from piranha.records import AuditEntry, EngineEvent

_Record = EngineEvent | AuditEntry
_RUNS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the beginning of a formula, the full-width forms too."""


def json_lines(records: Iterable[_Record]) -> Iterator[str]:
    """Yield one line of JSON, with its line end, for each record."""
    for record in records:
        yield f"{msgspec.json.encode(record).decode()}\n"


def csv_lines(kind: type[_Record], records: Iterable[_Record]) -> Iterator[str]:
    """Yield the names of the columns, then each record, as CSV with CR LF line ends.

    A text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    yield _row([each.name for each in fields(kind)])
    for record in records:
        yield _row([_harmless(value) for value in astuple(record)])


def _harmless(value: object) -> object:
    if isinstance(value, str) and value.lstrip(" ").startswith(_RUNS):
        return f"'{value}"
    return value


def _row(cells: list[object] | list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()

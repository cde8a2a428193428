"""Events and the audit as files that programs and spreadsheets read."""

import csv
import io
import json

import pytest

from piranha.exports import csv_lines, json_lines
from piranha.records import AuditEntry, EngineEvent

EVENT = EngineEvent(7, "2026-05-31T14:00:00.123+00:00", "saved", "virtual[web]", "saved", "ann", "192.0.2.7")


def read(lines) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(lines), newline="")))


def test_a_line_of_json_for_each_and_nothing_is_lost():
    odd = EngineEvent(8, "", "refused", "", 'a "quoted"\nline, größer', count=3, since="then")
    lines = list(json_lines([EVENT, odd]))
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    assert [EngineEvent(**json.loads(line)) for line in lines] == [EVENT, odd]


def test_csv_has_a_heading_and_quotes_what_needs_it():
    odd = EngineEvent(8, "", "refused", "", 'a "quoted"\nline, größer')
    heading, first, second = read(csv_lines(EngineEvent, [EVENT, odd]))
    assert heading[:5] == ["number", "at", "kind", "about", "sentence"]
    assert first == ["7", EVENT.at, "saved", "virtual[web]", "saved", "ann", "192.0.2.7", "1", ""]
    assert second[4] == 'a "quoted"\nline, größer'
    assert "".join(csv_lines(EngineEvent, [EVENT])).endswith("\r\n")


def test_an_empty_export_has_its_heading():
    assert len(read(csv_lines(AuditEntry, []))) == 1


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "  =", "＝", "＋", "－", "＠"])
def test_nothing_that_a_spreadsheet_would_run_begins_a_cell(begin):
    text = f"{begin}HYPERLINK(1)"
    entry = AuditEntry(1, "at", text, text, None, "save", "done", diff=text)
    cells = read(csv_lines(AuditEntry, [entry]))[1]
    assert [cell for cell in cells if "HYPERLINK" in cell] == [f"'{text}"] * 3


def test_what_is_harmless_stays_as_it_is():
    entry = AuditEntry(1, "2026-05-31", "ann", "192.0.2.7", 0, "save", "done", diff="a=1")
    assert read(csv_lines(AuditEntry, [entry]))[1][2:5] == ["ann", "192.0.2.7", "0"]

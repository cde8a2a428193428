"""The page of faults is what the table says."""

import pytest

from piranha.config.fault_kinds import KINDS
from piranha.config.fault_page import fault_page
from piranha.config.fault_types import FaultKind
from tests.write_docs import DOCS, PAGES

PAGE = fault_page()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_made_from_the_tables_is_up_to_date(path: object) -> None:
    (committed,) = [(each.read_text(encoding="utf-8"), text()) for each, text in PAGES.items() if each == path]
    assert committed[0] == committed[1], "make docs"


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.code)
def test_the_page_has_a_row_for_every_kind_of_fault(kind: FaultKind) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith((f"| `{kind.code}`", f"| [`{kind.code}`]"))]
    assert kind.wrong in row
    assert kind.advice in row
    assert all(f"{case.severity}" in row and case.when in row for case in kind.cases)
    assert row.count("|") == 5


def test_every_example_is_shown_with_what_is_said_about_it() -> None:
    _, _, examples = PAGE.partition("## Examples")
    shown = [part.partition("\n") for part in examples.split("\n### ")[1:]]
    assert len(shown) > 80
    for code, _, text in shown:
        assert text.count("```text") == 2 * len(KINDS[code].cases)
        assert text.count("\nlvs.cf:") >= len(KINDS[code].cases)
        assert f"(#{code})" in PAGE


def test_the_page_can_be_read_as_plain_lines() -> None:
    assert all(line.isprintable() for line in PAGE.splitlines())
    assert DOCS.name == "docs"

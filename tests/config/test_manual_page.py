"""lvs.cf(5) tells all that the table of keywords knows."""

import re

import pytest

from piranha.config import manual_words
from piranha.config.fault_kinds import KINDS
from piranha.config.fields import ALIASES, FIELDS, Field, FieldType, Scope, Status
from piranha.config.load import load
from piranha.config.manual_page import manual_page, properties, range_of

PAGE = manual_page()
SECTIONS = dict(re.findall(r'^\.SH "([^"]+)"\n(.*?)(?=^\.SH |\Z)', PAGE, re.DOTALL | re.MULTILINE))
WHERE = {
    Status.CURRENT: {
        Scope.GLOBAL: "GLOBAL KEYWORDS",
        Scope.VIRTUAL: "VIRTUAL SERVER KEYWORDS",
        Scope.SERVER: "REAL SERVER KEYWORDS",
        Scope.FAILOVER: "FAILOVER SERVICE KEYWORDS",
    },
    Status.IGNORED: dict.fromkeys(Scope, "KEYWORDS WITHOUT EFFECT"),
    Status.GUI_ONLY: dict.fromkeys(Scope, "REFUSED KEYWORDS"),
    Status.DOCUMENTED_ONLY: dict.fromkeys(Scope, "REFUSED KEYWORDS"),
}


def plain(roff: str) -> str:
    """Return what a reader sees, on one line: no macros, no fonts, escapes as their characters."""
    text = "\n".join(line for line in roff.splitlines() if not line.startswith("."))
    for code, character in ((r"\fB", ""), (r"\fR", ""), (r"\%", ""), (r"\&", ""), (r"\ ", " "), (r"\-", "-"),
                            (r"\(dq", '"'), (r"\(aq", "'"), (r"\e", "\\")):  # fmt: skip
        text = text.replace(code, character)
    return " ".join(text.split())


def entry_of(row: Field, scope: Scope) -> str:
    """Return what the page says about a keyword, in the section where it belongs."""
    title = WHERE[row.status][scope]
    if row.status is Status.IGNORED and row.keyword in ("start_cmd", "stop_cmd") and scope is Scope.FAILOVER:
        title = "FAILOVER SERVICE KEYWORDS"
    found = [part for part in SECTIONS[title].split("\n.TP\n") if part.startswith(rf"\fB{row.keyword}\fR")]
    told = [part for part in map(plain, found) if " ".join(row.help.split()) in part]
    assert told, f"{row.keyword} is not in {title}"
    return told[0]


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: f"{'+'.join(sorted(row.scopes))}.{row.keyword}")
def test_every_keyword_has_help_type_range_default_and_scope(row: Field) -> None:
    first = next(scope for scope in Scope if scope in row.scopes)
    whole = plain(SECTIONS[WHERE[row.status][first]])
    entry = entry_of(row, first)
    told = properties(row).replace("`", "")
    assert row.help
    assert told in (whole if row.choices else entry)
    assert told.startswith("Type: ")
    assert f"Default: {row.default_words or ('unset' if row.default is None else row.default)}." in told
    assert "Scope: " in told
    assert f"Known to the originals: {'no' if row.status.is_refused else 'yes'}." in told
    assert (f"Range: {range_of(row)}." in told) == (row.type in (FieldType.INT, FieldType.PORT))
    for choice in row.choices:
        assert choice.value in whole


def test_a_scope_is_told_for_each_place_of_a_keyword() -> None:
    (timeout,) = [row for row in FIELDS if row.keyword == "timeout"]
    assert "Scope: virtual server, failover service." in properties(timeout)
    assert "timeout" in plain(SECTIONS["FAILOVER SERVICE KEYWORDS"])


def test_every_number_says_its_range() -> None:
    numbers = [row for row in FIELDS if row.type in (FieldType.INT, FieldType.PORT)]
    assert len(numbers) > 15
    ranges = {(min(row.scopes), row.keyword): range_of(row) for row in numbers}
    assert ranges[Scope.GLOBAL, "syncd_id"] == "0 to 255"
    assert ranges[Scope.GLOBAL, "keepalive"] == "1 or more seconds"
    assert ranges[Scope.SERVER, "weight"] == "0 to 65535"
    assert [key for key, text in ranges.items() if text == "any"] == [(Scope.GLOBAL, "serial_no")]


@pytest.mark.parametrize("alias", sorted(alias for _, alias in ALIASES))
def test_a_misspelling_that_is_understood_is_told(alias: str) -> None:
    assert rf"\fB{alias}\fR" in SECTIONS["REFUSED KEYWORDS"]


@pytest.mark.parametrize("code", KINDS)
def test_every_kind_of_fault_is_told(code: str) -> None:
    text = plain(SECTIONS["DIAGNOSTICS"])
    assert f" {code} " in text
    assert KINDS[code].wrong.replace("`", "") in text
    assert KINDS[code].advice.replace("`", "") in text


def test_the_sections_are_those_of_a_manual_page_of_files() -> None:
    titles = list(SECTIONS)
    assert titles[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"]
    assert titles[-4:] == ["DIAGNOSTICS", "FILES", "EXAMPLE", "SEE ALSO"]


def test_nothing_is_wrong_with_the_example() -> None:
    assert load(manual_words.EXAMPLE).faults == ()
    assert plain(SECTIONS["EXAMPLE"]) == " ".join(manual_words.EXAMPLE.split())

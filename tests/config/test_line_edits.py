"""Values that are set without reading the whole text again: what proves them, and when that is not enough."""

from collections.abc import Iterator

import pytest

from piranha.config import document as documents
from piranha.config.blocks import Block
from piranha.config.content import content_of
from piranha.config.document import Document
from piranha.config.editing import apply_edits
from piranha.config.edits import RenameBlock, SetValues
from piranha.config.line_edits import values_set
from piranha.config.load import load
from piranha.config.syntax import parse


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Give the list of the whole texts that documents parse."""
    seen: list[str] = []

    def counting(text: str) -> Block:
        seen.append(text)
        return parse(text)

    monkeypatch.setattr(documents, "parse", counting)
    yield seen


def test_setting_values_parses_no_text_twice(large_text: str, parsed: list[str]) -> None:
    document = Document(large_text)
    edits = [
        SetValues(path="virtual[v7].server[s7_3]", values={"weight": "9"}),
        SetValues(path="virtual[v8]", values={"port": None, "scheduler": "rr"}),
        SetValues(path="", values={"keepalive": "7"}),
    ]
    after = apply_edits(document, edits, counts_up=True)
    assert parsed == [large_text]
    assert after.get((), "serial_no") == "2"
    assert parsed == [large_text, after.text]
    assert content_of(after.root) == content_of(load(after.text).document.root)


def test_a_change_of_blocks_is_read_again_as_a_whole(parsed: list[str]) -> None:
    document = Document("serial_no = 4\nvirtual a {\n}\n")
    after = apply_edits(document, [RenameBlock(path="virtual[a]", name="b")], counts_up=True)
    assert after.text == "serial_no = 5\nvirtual b {\n}\n"
    assert parsed == ["serial_no = 4\nvirtual a {\n}\n", after.text]


def test_a_removed_line_that_lets_a_brace_meet_its_header_is_not_proved_by_lines() -> None:
    text = "virtual a\nkeepalive = 6\n# note\n\n{\ndeadtime = 9\n"
    document = load(text).document
    assert values_set(document, {(): {"keepalive": None}}) is None
    assert values_set(document, {(): {"deadtime": None}}) is not None


def test_a_line_says_what_is_wanted_or_nothing_is_proved() -> None:
    # A value that nobody judged: the line would be read as something else.
    document = load("keepalive = 6\n").document
    for value in ("7\n}", "7 8", '"7', "7\nvirtual x {"):
        assert values_set(document, {(): {"keepalive": value}}) is None
    after = values_set(document, {(): {"keepalive": "7"}})
    assert after is not None
    assert after.text == "keepalive = 7\n"


def test_of_several_settings_of_one_keyword_the_last_one_stays() -> None:
    text = "keepalive = 6\n"
    document = load(text).document
    settings = [SetValues(path="", values={"keepalive": value}) for value in ("7", "6")]
    assert apply_edits(document, settings) is document
    settings = [SetValues(path="", values={"deadtime": value}) for value in ("7", None)]
    assert apply_edits(document, settings) is document


def test_a_serial_number_that_is_set_by_hand_stays_as_it_is_set() -> None:
    document = load("serial_no = 4\nkeepalive = 6\n").document
    edit = SetValues(path="", values={"serial_no": "100", "keepalive": "7"})
    assert apply_edits(document, [edit], counts_up=True).text == "serial_no = 100\nkeepalive = 7\n"
    rename = RenameBlock(path="virtual[a]", name="b")
    document = load("serial_no = 4\nvirtual a {\n}\n").document
    after = apply_edits(document, [SetValues(path="", values={"serial_no": "100"}), rename], counts_up=True)
    assert after.text == "serial_no = 100\nvirtual b {\n}\n"

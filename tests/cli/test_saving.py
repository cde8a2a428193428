"""What a change expects of the file, and how its refusals are told."""

import pytest

from piranha.cli import saving
from piranha.config.document import Document
from piranha.config.edits import Part
from piranha.config.path import parse_block
from piranha.errors import ConfigConflict, EditRefused
from tests.cli.conftest import TEXT

TWINS = (
    "virtual a {\n     server x {\n     }\n     server x {\n     }\n}\nvirtual b {\n}\nvirtual b {\n     port = 1\n}\n"
)


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("", Part("", ("port",))),
        ("virtual[a]", Part("virtual[a]", ("port",))),
        ("virtual[b]", Part("virtual[b]")),
        ("virtual[b#2]", Part("virtual[b#2]")),
        ("virtual[a].server[x#2]", Part("virtual[a].server[x#2]")),
    ],
)
def test_a_keyword_is_the_part_and_the_whole_block_where_several_have_its_name(path, part):
    assert saving.part_of(Document(TWINS), parse_block(path), "port") == part


def test_with_the_first_of_two_equal_names_gone_the_second_is_not_taken_for_it():
    before, after = Document(TWINS), Document(TWINS.replace("virtual b {\n}\n", "", 1))
    (expected,) = saving.expectation(before, [saving.part_of(before, parse_block("virtual[b]"), "port")])
    assert after.token(expected.part) != expected.token


def test_each_part_is_expected_once():
    document = Document(TEXT)
    assert len(saving.expectation(document, [Part("virtual[web]"), Part("virtual[web]"), Part("")])) == 2


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (EditRefused("virtual[a]", "port", "No."), "virtual[a].port: No."),
        (EditRefused("", "keepalive", "No."), "keepalive: No."),
        (EditRefused("virtual[a]", "", "No."), "virtual[a]: No."),
        (EditRefused("virtual[a]", "", "virtual[a] is gone."), "virtual[a] is gone."),
        (EditRefused("", "", "No."), "No."),
        (EditRefused('virtual["\x1b"]', "", "No."), 'virtual["\\x1b"]: No.'),
    ],
)
def test_a_refusal_begins_with_what_it_is_about(problem, sentence):
    assert str(saving.located(problem)) == sentence


def test_a_conflict_shows_the_present_text_unless_it_is_long():
    shown = str(saving.overtaken(ConfigConflict("virtual[a]", "virtual a {\n}\n")))
    assert shown.endswith("It says now:\nvirtual a {\n}") and "virtual[a] was changed by somebody else" in shown
    assert "It says now" not in str(saving.overtaken(ConfigConflict("", "line\n" * 101)))
    assert "It says now" not in str(saving.overtaken(ConfigConflict("", "")))


def test_a_path_that_leads_nowhere_is_refused_with_what_may_have_been_meant():
    assert saving.present(Document(TEXT), parse_block("virtual[web]")) == parse_block("virtual[web]")
    with pytest.raises(EditRefused, match=r"Did you mean virtual\[web\]"):
        saving.present(Document(TEXT), parse_block("virtual[wbe]"))

"""Which brace of a line begins a block, what its name is, and what is odd about it."""

import pytest

from piranha.config.load import load
from piranha.config.strict import check


def header(line: str) -> tuple[str, list[str]]:
    """Return the name of the one block of a file, and the codes of what is odd about its first line."""
    loaded = load(f"{line}\n     active = 1\n}}\n")
    (block,) = loaded.document.root.blocks
    assert block.effective("active") is not None and block.close_start is not None
    return block.name, [fault.code for fault in loaded.faults if fault.line == 1 and fault.code != "no-address"]


@pytest.mark.parametrize(
    "comment", ["# x", "# was {old}", "# was {old", "# {", "#{", "# } {", "# {x} {", "# '", '# "a" {', "# { # }"]
)
@pytest.mark.parametrize("brace", [" { ", " {", "{ "])
def test_braces_in_a_comment_behind_the_brace_are_harmless(brace: str, comment: str) -> None:
    name, codes = header(f"virtual v{brace}{comment}")
    assert name == "v" and "trailing-comment" in codes
    assert set(codes) <= {"trailing-comment", "missing-blanks", "no-active-server"}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("virtual {# {", "{#"),
        ("virtual {a} {", "{a}"),
        ("virtual a} {", "a}"),
        ("virtual =v {", "=v"),
        ("virtual = {", "="),
        ("virtual a#b\t{  ", "a#b"),
        ('virtual "a { # b" {', "a { # b"),
        ("virtual v '{'", "v"),
        ('virtual v "{"', "v"),
    ],
)
def test_three_words_with_a_brace_as_the_third_mean_what_they_meant_to_the_originals(line: str, name: str) -> None:
    check(f"{line}\n}}\n")
    assert header(line)[0] == name


@pytest.mark.parametrize(
    ("line", "name", "code"),
    [
        ("virtual = v {", "v", "bad-header"),
        ("virtual a b {", "a b", "extra-words"),
        ("virtual a { b {", "a { b", "extra-words"),
        ("virtual a { b", "a", "extra-words"),
        ("virtual {", "", "missing-name"),
        ("virtual v '{'", "v", "quoted-brace"),
        ('virtual "v {', '"v', "bad-quoting"),
    ],
)
def test_an_odd_header_begins_its_block_and_is_told(line: str, name: str, code: str) -> None:
    found, codes = header(line)
    assert found == name and code in codes


def test_an_equals_sign_in_a_header_is_told_with_what_to_write() -> None:
    (fault,) = [fault for fault in load("virtual = v {\n}\n").faults if fault.code == "bad-header"]
    assert fault.message == 'A block begins without any =: "= v".' and fault.advice == "Write virtual v {."
    assert fault.stops_apply and fault.column == 9


@pytest.mark.parametrize("line", ["virtual v { active = 1", "virtual v { server s {"])
def test_a_setting_or_block_that_a_header_loses_stops_an_apply_in_an_inactive_block_too(line: str) -> None:
    (fault,) = [fault for fault in load(f"{line}\n     active = 0\n}}\n").faults if fault.code == "extra-words"]
    assert fault.stops_apply


@pytest.mark.parametrize("line", ['"}"', "  '}'", '"}" \t'])
def test_a_brace_in_quotes_closes_a_block_as_for_the_originals(line: str) -> None:
    loaded = load(f"virtual v {{\n{line}\nkeepalive = 7\n")
    assert loaded.cluster.keepalive_s == 7
    assert [fault.code for fault in loaded.faults if fault.line == 2] == ["quoted-brace"]


@pytest.mark.parametrize("line", ['"}', '"}" x', '" }"', '"}"}'])
def test_other_quotes_around_a_brace_close_nothing(line: str) -> None:
    assert "not-understood" in [fault.code for fault in load(f"virtual v {{\n{line}\n}}\n").faults]

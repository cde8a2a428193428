"""Diffs are right whatever differs (`patch` turns the old text into the new one), and quick where little does."""

import difflib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.config import diffs
from piranha.config.diffs import diff

LINES = st.lists(st.sampled_from(["", "a", "  b = 1", "}", "c\x0c"]), max_size=30)


def kept_lines(text: str) -> list[str]:
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def apply(old: str, patch: str) -> str:
    """Return the old text with a patch applied; every line that goes or stays must be there, at its number."""
    lines, result, place = kept_lines(old), [], 0
    words = patch.split("\n")[2:-1]
    for number, word in enumerate(words):
        if word.startswith("@@"):
            start, _, length = word.split()[1][1:].partition(",")
            begin = int(start) - (1 if length != "0" else 0)
            assert begin >= place
            result += lines[place:begin]
            place = begin
            continue
        if word.startswith("\\"):
            continue
        is_last = number + 1 < len(words) and words[number + 1].startswith("\\")
        line = word[1:] + ("" if is_last else "\n")
        if word[0] in " -":
            assert lines[place] == line
            place += 1
        if word[0] in " +":
            result.append(line)
    return "".join([*result, *lines[place:]])


def test_a_difference_is_shown_line_by_line() -> None:
    assert diff("a\nb", "a\nc\n", "old", "new") == (
        "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"
    )
    assert diff("a\x0cb\n", "a\x0cb\n", "old", "new") == ""
    assert "+a\x0cc\n" in diff("a\x0cb\n", "a\x0cc\n", "old", "new")


def test_a_line_between_two_changed_ones_stays() -> None:
    told = diff("a = 1\nb = 2\nc = 3\n", "a = 2\nb = 2\nc = 4\n", "old", "new")
    assert told.split("\n")[3:] == ["-a = 1", "+a = 2", " b = 2", "-c = 3", "+c = 4", ""]


@pytest.mark.parametrize(
    ("name", "header"),
    [("lvs.cf", "lvs.cf"), ("my lvs.cf", "my lvs.cf\t"), ('a"b', '"a\\"b"'), ("a\tb\n", '"a\\011b\\012"')],
)
def test_a_name_is_written_so_that_patch_reads_all_of_it(name: str, header: str) -> None:
    assert diff("a\n", "b\n", name, "new").startswith(f"--- {header}\n+++ new\n")


@given(LINES, LINES, st.sampled_from(["", "\n"]), st.sampled_from(["", "\n"]))
def test_a_diff_leads_from_one_text_to_the_other(old: list[str], new: list[str], end: str, new_end: str) -> None:
    old_text, new_text = "\n".join(old) + end, "\n".join(new) + new_end
    patch = diff(old_text, new_text, "old", "new")
    assert (patch == "") == (old_text == new_text)
    assert apply(old_text, patch) == new_text


def test_a_line_that_stays_between_two_that_change_is_no_change() -> None:
    old = "serial_no = 1\nprimary = ::1\nkeepalive = 6\ndeadtime = 18\n"
    new = "serial_no = 2\nprimary = ::1\nkeepalive = 7\ndeadtime = 18\n"
    changed = [line for line in diff(old, new, "old", "new").split("\n")[2:] if line[:1] in ("+", "-")]
    assert changed == ["-serial_no = 1", "+serial_no = 2", "-keepalive = 6", "+keepalive = 7"]


def test_texts_that_have_little_in_common_have_a_diff_too() -> None:
    old = "".join(f"old {number}\n" for number in range(900)) + "end\n"
    new = "".join(f"new {number}\n" for number in range(700)) + "end\n"
    assert apply(old, diff(old, new, "old", "new")) == new


def test_few_changes_in_a_large_text_are_found_without_difflib(
    large_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = difflib.SequenceMatcher.set_seqs

    def small(self: difflib.SequenceMatcher[str], old: list[str], new: list[str]) -> None:
        assert len(old) < 500 > len(new), "difflib compares the texts"
        whole(self, old, new)

    monkeypatch.setattr(difflib.SequenceMatcher, "set_seqs", small)
    lines = kept_lines(large_text)
    lines[0] = "serial_no = 2\n"
    lines[2000:2005] = []
    lines[5000:5000] = ["# one\n", "# two\n"]
    new = "".join(lines)
    patch = diff(large_text, new, "old", "new")
    assert apply(large_text, patch) == new
    changed = [line for line in patch.split("\n")[2:] if line[:1] in ("+", "-")]
    assert len(changed) == 9


@given(LINES, LINES)
def test_a_diff_is_right_where_pieces_are_compared_alone_and_where_the_work_has_its_bound(
    old: list[str], new: list[str]
) -> None:
    old_text, new_text = ("".join(f"{line}\n" for line in lines) for lines in (old, new))
    for few, piece, pairs in ((1, 4, 1000), (1, 4, 9), (0, 0, 0), (20, 0, 3)):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(diffs, "_FEW", few)
            patched.setattr(diffs, "_PIECE_MOST", piece)
            patched.setattr(diffs, "_PAIRS_MOST", pairs)
            patched.setattr(diffs, "_NEAR", (2, 4))
            diffs._changes.cache_clear()
            assert apply(old_text, diff(old_text, new_text, "old", "new")) == new_text


def test_a_block_that_was_moved_far_is_all_that_changes() -> None:
    servers = "".join(f"server s{number} {{\nactive = 1\nport = 80\nweight = 1\n}}\n" for number in range(6))
    blocks = [f"virtual v{number} {{\naddress = 192.0.2.{number}\nactive = 1\n{servers}}}\n" for number in range(90)]
    old, new = "".join(blocks), "".join([*blocks[1:], blocks[0]])
    patch = diff(old, new, "old", "new")
    changed = [line for line in patch.split("\n")[2:] if line.startswith(("+", "-"))]
    assert apply(old, patch) == new and len(changed) == 2 * blocks[0].count("\n")


@pytest.mark.parametrize("unit", ["line", "block"])
def test_shuffled_texts_are_compared_in_pieces(large_text: str, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = [0]
    whole = difflib.SequenceMatcher.set_seqs

    def counted(self: difflib.SequenceMatcher[str], old: list[str], new: list[str]) -> None:
        compared[0] += len(old) * len(new)
        assert len(old) + len(new) <= 800
        whole(self, old, new)

    monkeypatch.setattr(difflib.SequenceMatcher, "set_seqs", counted)
    head, *parts = kept_lines(large_text) if unit == "line" else large_text.split("virtual ")
    shuffled = random.Random(7).sample(parts, len(parts))
    joint = "" if unit == "line" else "virtual "
    new = joint.join([head, *shuffled])
    assert apply(large_text, diff(large_text, new, "old", "new")) == new
    assert compared[0] < 200 * large_text.count("\n")

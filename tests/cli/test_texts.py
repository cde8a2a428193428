"""Which words are versions, and what a word that names nothing is told."""

import pytest

from piranha.cli import texts


@pytest.mark.parametrize(
    ("word", "is_one"),
    [
        ("7", True),
        ("007", True),
        ("./7", False),
        ("-7", False),
        ("²", False),
        ("٧", False),
        ("", False),
        ("1" * 99, False),
    ],
)
def test_plain_digits_are_a_version_and_nothing_else_is(word, is_one):
    assert texts.is_version(word) == is_one


@pytest.mark.parametrize("word", ["", "nobody.cf", "./saved", "SAVED", "²", "1" * 99, "a\x1bb"])
def test_a_word_that_is_no_file_is_exit_code_1_and_one_line(run, monkeypatch, tmp_path, word):
    monkeypatch.chdir(tmp_path)
    done = run("diff", word, "/dev/null")
    assert (done.code, done.out) == (1, "") and done.err.count("\n") == 1 and "\x1b" not in done.err

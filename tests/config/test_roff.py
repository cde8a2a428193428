"""Text as roff: every character survives, no line of the text is taken for a macro."""

from hypothesis import given
from hypothesis import strategies as st

from piranha.config import roff


def test_a_literal_is_typed_as_it_stands() -> None:
    assert roff.literal(r'"a-b\n" ~^`x`') == r"\(dqa\-b\en\(dq \(ti\(ha\(gax\(ga"


def test_a_sentence_begins_a_line_and_what_is_to_be_typed_is_never_broken() -> None:
    assert roff.prose("One. Write `a = b` here.") == "One.\nWrite \\%\\fBa\\ =\\ b\\fR here."


def test_a_backslash_outside_of_a_literal_survives_too() -> None:
    assert roff.prose(r"A \n is a line end") == r"A \en is a line end"


def test_no_line_of_a_text_is_taken_for_a_macro() -> None:
    assert roff.prose(".TH x") == "\\&.TH x"
    assert roff.example(".TH x\n'y") == ".RS 4\n.nf\n\\&.TH x\n\\(aqy\n.fi\n.RE"


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters="`"), max_size=300))
def test_lines_are_short_and_none_begins_like_a_macro(text: str) -> None:
    for line in roff.prose(text).splitlines():
        assert not line.startswith((".", "'"))
        assert len(line) <= 82 or " " not in line


@given(
    st.lists(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"], exclude_characters="`"), min_size=1))
)
def test_no_word_is_lost(words: list[str]) -> None:
    told = roff.prose(" ".join(words)).replace("\\&", "").replace(r"\e", "\\")
    assert told.split() == words

"""The nine rows of reference 6.3, and what any text becomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.config.escapes import translate, with_known_escapes

ROWS = [
    (r"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", ()),
    (r"a\\b", b"a\\b", ()),
    (r"\\n", b"\\n", ()),
    (r"it\'s", b"it's", ()),
    (r"a\"b", b'a"b', ()),
    (r"\t", b"\t", ()),
    ("\\", b"\\", ()),
    (r"a\\.b", rb"a\.b", ()),
    (r"\d+", rb"\d+", (r"\d",)),
    ("x\\", b"x\\", ("\\",)),
    (r"\x41", rb"\x41", (r"\x",)),
    (r"\0", rb"\0", (r"\0",)),
]


@pytest.mark.parametrize(("text", "sent", "unknown"), ROWS, ids=[row[0] for row in ROWS])
def test_escapes_become_bytes_in_one_pass_and_unknown_ones_stay(
    text: str, sent: bytes, unknown: tuple[str, ...]
) -> None:
    assert translate(text) == (sent, unknown)


@given(st.text(alphabet=st.characters(exclude_characters="\\", codec="utf-8")))
def test_text_without_backslashes_is_sent_as_it_is(text: str) -> None:
    assert translate(text) == (text.encode(), ())


@given(st.text(alphabet="ab\\nrt'\"", min_size=2))
def test_every_byte_sent_is_accounted_for(text: str) -> None:
    sent, unknown = translate(text)
    known = (len(text) - len(sent), len(unknown))
    assert known[0] >= 0
    assert sum(len(escape) for escape in unknown) + known[0] <= len(text)
    if not unknown:
        # Doubling every backslash of the text must bring it back, character for character.
        assert translate(text.replace("\\", "\\\\"))[0] == text.encode()


@pytest.mark.parametrize("text", ["", "\\", "a\\d", "\\x\\n", "a\\", "\\\\d", "\\'\\q"])
def test_a_text_with_known_escapes_only_means_the_same(text: str) -> None:
    known = with_known_escapes(text)
    assert translate(known) == (translate(text)[0], ())
    assert with_known_escapes(known) == known


def test_the_bytes_are_those_of_the_file() -> None:
    assert translate("gr\xfc\\n", "latin-1") == (b"gr\xfc\n", ())
    assert translate("gr\xfc\\n") == (b"gr\xc3\xbc\n", ())

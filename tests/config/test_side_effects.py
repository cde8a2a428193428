"""What a save changes besides the edits is said."""

import pytest

from piranha.config.document import Document
from piranha.config.edits import MakeCanonical, SetValues
from piranha.config.load import decode
from piranha.config.side_effects import side_effects

EDIT = SetValues(path="", values={"keepalive": "7"})


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"keepalive = 6\n", []),
        (b"keepalive = 6\r\n", ["Carriage returns"]),
        (b"\xef\xbb\xbfkeepalive = 6\n", ["byte-order mark"]),
        (b"\xef\xbb\xbfkeepalive = 6\r", ["byte-order mark", "Carriage returns"]),
    ],
)
def test_line_ends_and_a_mark_that_go_are_named(raw: bytes, words: list[str]) -> None:
    said = side_effects(raw, Document(decode(raw)), [EDIT])
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


def test_the_canonical_form_names_each_comment_that_goes_with_its_line() -> None:
    raw = b"keepalive = 6\n# the network group knows why\n"
    assert side_effects(raw, Document(decode(raw)), [EDIT]) == ()
    (said,) = side_effects(raw, Document(decode(raw)), [MakeCanonical()])
    assert "line 2: # the network group knows why" in said

"""The document: places, texts, tokens of parts."""

from hypothesis import given
from hypothesis import strategies as st

from piranha.config.document import Document
from piranha.config.editing import apply_edits
from piranha.config.edits import Part, SetValues
from piranha.config.path import Step, parse_block

TEXT = """\
# top
keepalive = 6
deadtime = 18
virtual web {
     port = 80
     server a {
         weight = 1
     }
     port = 81
}
virtual web {
}
keepalive = 7
"""
WEB = (Step("virtual", "web"),)


def test_blocks_are_named_by_paths_that_number_equal_names() -> None:
    document = Document(TEXT)
    assert document.blocks() == (WEB, (Step("virtual", "web", 2),))
    assert document.blocks(WEB) == (parse_block("virtual[web].server[a]"),)
    assert document.blocks(parse_block("virtual[other]")) == ()
    assert document.has(WEB)
    assert document.has(())
    assert not document.has(parse_block("virtual[web#3]"))


def test_the_last_of_equal_keywords_counts() -> None:
    document = Document(TEXT)
    assert document.get((), "keepalive") == "7"
    assert document.get(WEB, "port") == "81"
    assert document.get(WEB, "active") is None
    assert document.get(parse_block("virtual[none]"), "port") is None
    assert document.keywords(()) == ("keepalive", "deadtime")


def test_places_count_from_one_and_fall_back_to_the_block() -> None:
    document = Document(TEXT)
    assert document.where((), "keepalive") == (13, 1)
    assert document.where(WEB, "port") == (9, 6)
    assert document.where(WEB, "active") == (4, 1)
    assert document.where(parse_block("virtual[web].server[a]")) == (6, 6)
    assert document.where((), "primary") == (0, 0)


def test_places_are_the_same_whatever_ends_the_lines() -> None:
    for end in ("\r\n", "\r"):
        assert Document(TEXT.replace("\n", end)).where(WEB, "port") == (9, 6)


def test_a_part_is_a_block_or_some_lines_of_it() -> None:
    document = Document(TEXT)
    assert document.part_text(Part("")) == TEXT
    assert document.part_text(Part("virtual[web#2]")) == "virtual web {\n}\n"
    assert document.part_text(Part("", ("deadtime", "keepalive", "backup"))) == (
        "keepalive = 6\ndeadtime = 18\nkeepalive = 7\n"
    )
    assert document.part_text(Part("virtual[web]", ("port",))) == "virtual web {\n     port = 80\n     port = 81\n"
    assert document.part_text(Part("virtual[none]")) == ""
    assert document.part_text(Part("no path")) == ""


def test_a_token_changes_with_its_part_and_with_nothing_else() -> None:
    document = Document(TEXT)
    edited = apply_edits(document, [SetValues(path="virtual[web]", values={"port": "82"})])
    changed = [Part(""), Part("virtual[web]"), Part("virtual[web]", ("port", "active"))]
    same = [Part("", ("keepalive",)), Part("virtual[web#2]"), Part("virtual[web].server[a]"), Part("virtual[none]")]
    assert all(document.token(part) != edited.token(part) for part in changed)
    assert all(document.token(part) == edited.token(part) for part in same)


def test_an_absent_block_has_another_token_than_an_empty_one_with_a_name() -> None:
    document = Document("virtual a {\n}\n")
    assert document.token(Part("virtual[a]")) != document.token(Part("virtual[b]"))


@given(st.text(alphabet="\r\nab= {}", max_size=60))
def test_the_text_stays_as_it_came(text: str) -> None:
    document = Document(text)
    assert document.text == text
    assert "\r" not in document.plain
    assert document.plain.count("\n") == text.replace("\r\n", "\n").replace("\r", "\n").count("\n")

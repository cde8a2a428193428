"""Any bytes and any text go in, and nothing is lost on the way."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from piranha.config.bind import cluster_of
from piranha.config.content import content_of
from piranha.config.document import Document
from piranha.config.editing import apply_edits, with_next_serial
from piranha.config.edits import AddBlock, Edit, RemoveBlock, RenameBlock, SetValues
from piranha.config.fields import FIELDS, Scope, ValueFault, field
from piranha.config.load import decode, encode, encoding_of, load, strict, token_of
from piranha.config.path import BlockPath, parse_block, written
from piranha.errors import ConfigSyntaxError, EditRefused

WORDS = [
    *sorted({row.keyword for row in FIELDS}),
    "virtual", "failover", "server", "web1", "http", "192.0.2.1", "10.1", "::1", "eth0:1", "0", "1", "010", "-3",
    '"a b"', '"ab"', "'ab'", '"a', '""', '"', "\\d", "\\", "[", "]", "#", "debug", "wlc", "sed", "tcp", "udp", "99999",
    "=", "==", "{", "}",
]  # fmt: skip
KINDS = ["virtual", "failover", "server"]
LINES = st.one_of(
    st.builds(
        lambda indent, keyword, value: f"{indent}{keyword} = {value}",
        st.sampled_from(["", "     ", "\t"]),
        st.sampled_from(WORDS),
        st.sampled_from(WORDS),
    ),
    st.builds(lambda kind, name: f"{kind} {name} {{", st.sampled_from(KINDS), st.sampled_from(WORDS)),
    st.sampled_from(["}", "", "# comment", "  # comment", "} # end", "} server x {", "{", "\0", "server v{"]),
    st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join),
    st.text(alphabet=" \t\"'#={}[]\\ab1.\x00\x0b\x85é", max_size=12),
)  # fmt: skip
TEXTS = st.builds(
    lambda lines, end, last: end.join(lines) + last,
    st.lists(LINES, max_size=14),
    st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"]),
    st.sampled_from(["", "\n"]),
)


@given(st.one_of(TEXTS, st.text()))
@example("virtual v{{{{")
@example('send = "')
@example("\ufeff\ufeff")
@example("=")
@example("} {")
@example("virtual \n{\n")
@example("dirs = [ ]")
def test_any_text_loads_and_stays_as_it_is(text: str) -> None:
    loaded = load(text)
    assert loaded.document.text == text
    lines = loaded.document.plain.count("\n") + 1
    for fault in loaded.faults:
        assert 0 <= fault.line <= lines
        assert fault.message.isprintable()
        assert fault.advice.isprintable()
        assert loaded.document.has(parse_block(fault.path))


@given(TEXTS)
def test_what_the_daemons_refuse_always_has_a_fault(text: str) -> None:
    try:
        strict(text)
    except ConfigSyntaxError as error:
        assert load(text).faults
        assert 0 <= error.line <= text.count("\n") + text.count("\r") + 1


@given(st.binary())
@example("größe".encode("latin-1"))
@example(b"\xef\xbb\xbfserial_no = 1\n")
@example(b"\xed\xa0\x80")
def test_any_bytes_come_back(raw: bytes) -> None:
    assert encode(decode(raw), encoding_of(raw)) == raw


def test_a_file_that_is_not_utf_8_keeps_its_bytes_through_an_edit() -> None:
    raw = b"# gr\xfc\xdfe\nkeepalive = 6\n"
    assert encoding_of(raw) == "latin-1"
    edited = apply_edits(load(decode(raw)).document, [SetValues(path="", values={"keepalive": "7"})])
    assert encode(edited.text, encoding_of(raw)) == b"# gr\xfc\xdfe\nkeepalive = 7\n"


def test_a_character_that_the_file_cannot_hold_is_refused() -> None:
    with pytest.raises(EditRefused, match="€"):
        encode("# 5 €", "latin-1")


def test_a_version_is_named_by_the_sha_256_of_its_bytes() -> None:
    assert token_of(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@st.composite
def edits_of(draw: st.DrawFn, document: Document) -> Edit:
    """Draw an edit of one of a document's blocks, sensible or not."""
    paths = [(), *document.blocks(), *(inner for path in document.blocks() for inner in document.blocks(path))]
    path = draw(st.sampled_from(paths))
    scope = Scope(path[-1].kind) if path else Scope.GLOBAL
    keywords = [row.keyword for row in FIELDS if scope in row.scopes]
    values = st.one_of(
        st.sampled_from([*WORDS, "192.0.2.9 eth0:1", "GET / HTTP/1.0\\r\\n", "255.255.255.0"]), st.text(max_size=8)
    )
    kind = draw(st.sampled_from(["set", "set", "set", "add", "remove", "rename"]))
    if kind == "add":
        return AddBlock(
            parent=written(path),
            kind=draw(st.sampled_from(["virtual", "failover", "server"])),
            name=draw(st.sampled_from(["new", "web1", "a b"])),
            values=draw(st.dictionaries(st.sampled_from(["active", "address", "port"]), values, max_size=2)),
        )
    if kind == "remove":
        return RemoveBlock(path=written(path))
    if kind == "rename":
        return RenameBlock(path=written(path), name=draw(st.one_of(st.sampled_from(WORDS), st.text(max_size=5))))
    return SetValues(
        path=written(path),
        values=draw(st.dictionaries(st.sampled_from(keywords), st.one_of(st.none(), values), max_size=3)),
    )


@given(st.data(), TEXTS)
def test_an_edit_gives_what_was_wanted_and_nothing_else_or_is_refused(data: st.DataObject, text: str) -> None:
    document = Document(text)
    edit = data.draw(edits_of(document))
    try:
        edited = apply_edits(document, [edit])
    except EditRefused:
        return
    if isinstance(edit, SetValues):
        path = parse_block(edit.path)
        before, after = content_of(document.root), content_of(edited.root)
        for keyword, value in edit.values.items():
            assert edited.get(path, keyword) == value
            for content in (before.at(path), after.at(path)):
                content.values.pop(keyword, None)
            row = field(Scope(path[-1].kind) if path else Scope.GLOBAL, keyword)
            assert row is not None
            if value is not None and document.get(path, keyword) != value:
                assert not isinstance(row.read(value), ValueFault)
        assert before == after
        new_lines = edited.plain.split("\n")
        lost = [line for line in document.plain.split("\n") if line not in new_lines]
        assert len(lost) <= sum(max(1, len(_lines(document, path, keyword))) for keyword in edit.values)
    cluster_of(edited)


def _lines(document: Document, path: BlockPath, keyword: str) -> list[object]:
    block = document.block(path)
    assert block is not None
    return list(block.values.get(keyword, ()))


@given(TEXTS)
def test_counting_up_the_serial_number_touches_nothing_else(text: str) -> None:
    document = Document(text)
    try:
        edited = with_next_serial(document)
    except EditRefused:
        # A line above the first statement may be glued to what is inserted only if it has no end; that never is.
        raise AssertionError(f"refused for {text!r}") from None
    before, after = content_of(document.root), content_of(edited.root)
    before.values.pop("serial_no", None)
    number, is_bad = after.values.pop("serial_no")
    assert before == after
    assert not is_bad
    assert int(number or "") == cluster_of(edited).serial_no

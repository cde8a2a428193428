"""What holds for every file and every edit: the edit is there, and nothing else is different."""

import os

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from piranha.config.canonical import canonical_text, text_of_cluster
from piranha.config.content import content_of
from piranha.config.diffs import diff
from piranha.config.document import Document
from piranha.config.editing import apply_edits
from piranha.config.edits import MakeCanonical, SetValues
from piranha.config.fields import FIELDS, Field, FieldType, Scope, ValueFault
from piranha.config.load import load
from piranha.config.model import Cluster
from piranha.config.path import BlockPath, parse_block, written
from piranha.errors import EditRefused
from tests.config.clusters import clusters
from tests.config.edit_checks import check_edit
from tests.config.form_checks import check_strict, meaning
from tests.config.lvs_cf_texts import (
    any_edits,
    orderly_texts,
    paths_of,
    right_edits,
    settings_of,
    values_of,
    wild_texts,
    writable,
)
from tests.config.plain_reading import changed_lines, comments_of, read

# The same inputs in every run, so that a red build is never luck; PROPERTY_EXAMPLES=1000 looks for more, anew.
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "0"))
much = settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
ROWS = [row for row in FIELDS if not row.status.is_refused and row.type is not FieldType.LIST]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.keyword}-{min(row.scopes)}")
def test_every_right_value_may_be_written_and_reads_as_itself(row: Field) -> None:
    @settings(much, max_examples=EXAMPLES or 15)
    @given(values_of(row))
    def holds(value: str) -> None:
        assert not isinstance(row.read_typed(value), ValueFault)
        scope = min(row.scopes)
        kind = {Scope.GLOBAL: "", Scope.SERVER: "virtual v {\nserver s {\n"}.get(scope, f"{scope} v {{\n")
        path = {Scope.GLOBAL: "", Scope.SERVER: "virtual[v].server[s]"}.get(scope, f"{scope}[v]")
        edited = apply_edits(Document(kind), [SetValues(path=path, values={row.keyword: value})])
        again = load(edited.text).document
        assert again.get(parse_block(path), row.keyword) == value
        check_strict(edited.text)

    holds()


@much
@given(st.one_of(orderly_texts(), wild_texts()))
def test_any_text_loads_and_its_document_holds_it_unchanged(text: str) -> None:
    loaded = load(text)
    assert loaded.document.text == text
    assert apply_edits(loaded.document, []) is loaded.document


@much
@given(orderly_texts())
def test_two_readers_see_the_same_blocks(text: str) -> None:
    document = Document(text)
    reading = read(document.plain)
    assert [block.kind for block in reading.blocks] == [path[-1].kind for path in document.blocks()]
    for path, block in zip(document.blocks(), reading.blocks, strict=True):
        assert len(block.blocks) == len(document.blocks(path))


@much
@given(st.data(), orderly_texts())
def test_a_right_edit_of_a_file_in_order_is_done_and_touches_nothing_else(data: st.DataObject, text: str) -> None:
    document = Document(text)
    edit = data.draw(right_edits(document))
    edited = apply_edits(document, [edit])
    assert document.text == text
    check_edit(document, edit, edited)


@much
@given(st.data(), wild_texts())
def test_any_edit_of_any_text_touches_nothing_else_or_is_refused_with_a_reason(data: st.DataObject, text: str) -> None:
    document = Document(text)
    edit = data.draw(any_edits(document))
    try:
        edited = apply_edits(document, [edit])
    except EditRefused as refusal:
        assert refusal.sentence.strip()
        assert document.text == text
        return
    check_edit(document, edit, edited)


@much
@given(st.data(), orderly_texts())
def test_edits_together_say_the_same_as_one_after_the_other(data: st.DataObject, text: str) -> None:
    document = Document(text)
    edits = data.draw(st.lists(right_edits(document), min_size=2, max_size=3))
    present = document
    try:
        for edit in edits:
            present = apply_edits(present, [edit])
        together = apply_edits(document, edits)
    except EditRefused:
        return  # the first one took away what the second one names
    assert content_of(together.root) == content_of(present.root)
    assert comments_of(together.plain) == comments_of(present.plain)


@much
@given(st.data(), orderly_texts())
def test_counting_up_is_one_line_more_than_the_edit(data: st.DataObject, text: str) -> None:
    document = Document(text)
    edit = data.draw(right_edits(document))
    edited = apply_edits(document, [edit])
    counted = apply_edits(document, [edit], counts_up=True)
    if edited is document:
        assert counted is document
    elif isinstance(edit, SetValues) and not edit.path and "serial_no" in edit.values:
        assert counted.text == edited.text
    else:
        check_edit(edited, SetValues(path="", values={"serial_no": counted.get((), "serial_no")}), counted)
        assert load(counted.text).cluster.serial_no in (1, load(text).cluster.serial_no + 1)


@much
@given(st.data(), st.one_of(orderly_texts(), clusters().map(text_of_cluster)))
def test_set_and_set_back_restores_the_text(data: st.DataObject, text: str) -> None:
    document = Document(text)
    restorable = [
        (path, row)
        for path in paths_of(document)
        for row in writable(Scope(path[-1].kind) if path else Scope.GLOBAL)
        if _is_in_our_spelling(document, path, row)
    ]
    assume(restorable)
    path, row = data.draw(st.sampled_from(restorable))
    old = document.get(path, row.keyword)
    value = data.draw(values_of(row))
    there = apply_edits(document, [SetValues(path=written(path), values={row.keyword: value})])
    assert there.get(path, row.keyword) == value
    back = apply_edits(there, [SetValues(path=written(path), values={row.keyword: old})])
    assert back.plain == document.plain


def _is_in_our_spelling(document: Document, path: BlockPath, row: Field) -> bool:
    """Say whether the line that counts is spelled as we would spell it; only such a line can come back as it was."""
    statement, old = document.statement(path, row.keyword), document.get(path, row.keyword)
    if statement is None or old is None or statement.oddities or isinstance(row.read_typed(old), ValueFault):
        return False
    is_quoted = row.is_quoted or (row.type is FieldType.STRING and (" " in old or old.startswith("'")))
    line = document.plain[statement.start : statement.end].removesuffix("\n")
    return line.endswith(f'"{old}"' if is_quoted else f" {old}")


@much
@given(st.data(), orderly_texts())
def test_added_and_removed_again_restores_the_text(data: st.DataObject, text: str) -> None:
    document = Document(text)
    path = data.draw(st.sampled_from(paths_of(document)))
    edit = data.draw(settings_of(document, path))
    ((keyword, _),) = edit.values.items()
    assume(document.statement(path, keyword) is None)
    there = apply_edits(document, [edit])
    back = apply_edits(there, [SetValues(path=edit.path, values={keyword: None})])
    ended = document.plain + "\n" if document.plain and not document.plain.endswith("\n") else document.plain
    assert back.text in (document.plain, ended)


@much
@given(st.data(), orderly_texts())
def test_a_difference_shows_exactly_the_lines_of_an_edit(data: st.DataObject, text: str) -> None:
    document = Document(text)
    edited = apply_edits(document, [data.draw(right_edits(document))])
    shown = diff(document.plain, edited.plain, "old", "new").split("\n")[2:]
    lost, came = changed_lines(document.plain, edited.plain)
    if len(lost) <= 1 and len(came) <= 1 and document.plain.endswith("\n"):
        assert [line[1:] for line in shown if line.startswith("-")] == lost
        assert [line[1:] for line in shown if line.startswith("+")] == came


@much
@given(clusters())
def test_a_cluster_written_and_read_is_the_same_cluster(cluster: Cluster) -> None:
    text = text_of_cluster(cluster)
    assert load(text).cluster == cluster
    assert not comments_of(text)
    check_strict(text)


@much
@given(clusters())
def test_a_written_cluster_is_in_the_canonical_form_already(cluster: Cluster) -> None:
    document = Document(text_of_cluster(cluster))
    form = canonical_text(document)
    # All but the spelling of escapes that mean nothing: a model says them as they were written.
    assert (form.text.replace("\\\\", "\\"), form.lost) == (document.text.replace("\\\\", "\\"), ())
    canonical = Document(form.text)
    assert apply_edits(canonical, [MakeCanonical()]) is canonical


@much
@given(st.data(), clusters())
def test_comments_and_spacing_are_all_that_the_canonical_form_takes(data: st.DataObject, cluster: Cluster) -> None:
    text = canonical_text(Document(text_of_cluster(cluster))).text
    around = st.sampled_from([" = ", "  =\t", "\t= "])
    above = st.lists(st.sampled_from(["# why", "", "\t# } virtual x {", " \t"]), max_size=1)
    lines = []
    for line in text.splitlines():
        lines += data.draw(above)
        if line == "network = nat" and data.draw(st.booleans()):
            continue  # what the absent line means
        keyword, equals, value = line.strip(" ").partition(" = ")
        lines.append(data.draw(st.sampled_from(["", "\t"])) + keyword + (data.draw(around) if equals else "") + value)
    form = canonical_text(Document("\n".join(lines)))
    assert form.text == text
    assert len(form.lost) == len(comments_of("\n".join(lines)))


@much
@given(st.one_of(orderly_texts(), wild_texts(), clusters().map(text_of_cluster)))
@example("primary = 192.0.2.1\n")
@example("virtual v {\nserver a {\n}\nport = 21\nserver b {\n}\n}\n")
def test_the_canonical_form_means_the_same_and_is_a_fixed_point(text: str) -> None:
    loaded = load(text)
    try:
        form = canonical_text(loaded.document)
    except EditRefused as refusal:
        assert refusal.sentence.strip()
        return
    again = load(form.text)
    assert meaning(again.cluster) == meaning(loaded.cluster)
    second = canonical_text(again.document)
    assert (second.text, second.lost) == (form.text, ())
    check_strict(form.text)
    assert not comments_of(form.text)
    assert len(form.lost) >= len(comments_of(loaded.document.plain))
    assert apply_edits(loaded.document, [MakeCanonical()]).text == form.text

"""What a fuzzer feeds: bytes in, a documented fault or a result out. Anything else that is raised is a finding.

The first byte of an input chooses the target, the next `CHOICES` bytes steer it, the rest is the text.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from piranha.config import escapes, path
from piranha.config.canonical import canonical_text, text_of_cluster
from piranha.config.diffs import diff
from piranha.config.document import Document
from piranha.config.editing import apply_edits, with_next_serial
from piranha.config.edits import AddBlock, Edit, MoveBlock, Part, RemoveBlock, RenameBlock, SetValues
from piranha.config.fields import FIELDS, Scope
from piranha.config.load import decode, encode, encoding_of, load, strict
from piranha.config.model import Cluster
from piranha.errors import ConfigSyntaxError, EditRefused
from tests.config.edit_checks import check_edit
from tests.config.form_checks import check_strict, meaning
from tests.config.plain_reading import Reading, comments_of, read

CHOICES = 16
KEYWORDS = sorted({row.keyword for row in FIELDS})
VALUES = (
    "0", "1", "2", "80", "010", "-1", "99999", "", "a b", "192.0.2.7", "192.0.2.7 eth0:1", "255.255.255.0", "wlc",
    "sed", "tcp", "udp", "nat", "lvs", "::1", "web1.example", 'a\\"b', 'a b"', "{", "}", "#x", "'x", "é", "\\", "x y z",
)  # fmt: skip
NAMES = ("new", "web1", "a b", "", "[x]", "a.b", "x{", "é", "virtual", "#", "a" * 61)

T = TypeVar("T")


class Choices:
    """Bytes as a row of decisions; an input that is short of them decides 0."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._place = 0

    def below(self, limit: int) -> int:
        """Return the next decision, from 0 to below the limit."""
        byte = self._raw[self._place] if self._place < len(self._raw) else 0
        self._place += 1
        return byte % limit

    def one_of(self, things: Sequence[T]) -> T:
        """Return the thing that the next decision names."""
        return things[self.below(len(things))]


def paths_of(document: Document) -> list[path.BlockPath]:
    """Return the path of every block, the whole file first."""
    services = document.blocks()
    return [(), *services, *(inner for service in services for inner in document.blocks(service))]


def reads_leniently(text: str, _: Choices) -> None:
    """Read a text: it stays as it is, every fault has a place in it, every block a path that leads to it."""
    loaded = load(text)
    document = loaded.document
    assert document.text == text
    lines = document.plain.count("\n") + 1
    for fault in loaded.faults:
        assert 0 <= fault.line <= lines, fault
        assert fault.message.isprintable() and fault.advice.isprintable(), fault
        assert document.has(path.parse_block(fault.path)), fault
    for each in paths_of(document):
        assert path.parse_block(path.written(each)) == each
        part = document.part_text(Part(path.written(each)))
        assert part in document.plain
    _same_shape(document, read(document.plain), ())


def _same_shape(document: Document, reading: Reading, at: path.BlockPath) -> None:
    """Compare with the second reader: the same blocks, as many lines in each."""
    block = document.block(at)
    assert block is not None
    assert [inner.kind for inner in reading.blocks] == [inner.scope for inner in block.blocks]
    assert len(reading.lines) == len(block.statements)
    for inner, place in zip(reading.blocks, document.blocks(at), strict=True):
        _same_shape(document, inner, place)


def reads_strictly(text: str, _: Choices) -> None:
    """Read a text as the original: what it refuses has a fault in the lenient reading too."""
    try:
        loaded = strict(text)
    except ConfigSyntaxError as error:
        assert 0 <= error.line <= text.count("\n") + text.count("\r") + 1
        assert load(text).faults
    else:
        assert loaded.document.text == text


def takes_edits(text: str, choices: Choices) -> None:
    """Do up to three edits: each gives what was wanted and nothing else, or is refused with a reason."""
    document = Document(text)
    for _ in range(1 + choices.below(3)):
        edit = _edit(document, choices)
        before = document.text
        try:
            edited = apply_edits(document, [edit])
        except EditRefused as refusal:
            assert refusal.sentence.strip(), edit
            assert document.text == before
            continue
        check_edit(document, edit, edited)
        document = edited
    counted = with_next_serial(document)
    present = document.statement((), "serial_no")
    if present is None or not present.is_bad:
        assert load(counted.text).cluster.serial_no in (1, load(document.text).cluster.serial_no + 1)
    diff(document.text, counted.text, "old", "new")


def _edit(document: Document, choices: Choices) -> Edit:
    at = choices.one_of(paths_of(document))
    where = path.written(at)
    match choices.below(8):
        case 0:
            kind = choices.one_of(("virtual", "failover", "server"))
            values = {choices.one_of(("active", "port", "address")): choices.one_of(VALUES)}
            return AddBlock(parent=where, kind=kind, name=choices.one_of(NAMES), values=values)
        case 1:
            return RemoveBlock(path=where)
        case 2:
            return RenameBlock(path=where, name=choices.one_of(NAMES))
        case 3:
            before = choices.one_of(paths_of(document))
            parent = before[:-1] if before and choices.below(2) else choices.one_of(paths_of(document))
            there = path.written(before) if choices.below(3) else ""
            return MoveBlock(path=where, parent=path.written(parent), before=there)
        case _:
            scope = Scope(at[-1].kind) if at else Scope.GLOBAL
            mine = [row.keyword for row in FIELDS if scope in row.scopes] + ["unknown"]
            value = choices.one_of((*VALUES, None, None))
            return SetValues(path=where, values={choices.one_of(mine): value})


def becomes_canonical(text: str, _: Choices) -> None:
    """Write a text in the canonical form: it means the same, and it is a fixed point. Or refuse it with a reason."""
    loaded = load(text)
    try:
        form = canonical_text(loaded.document)
    except EditRefused as refusal:
        assert refusal.sentence.strip()
    else:
        again = load(form.text)
        assert meaning(again.cluster) == meaning(loaded.cluster)
        second = canonical_text(again.document)
        assert (second.text, second.lost) == (form.text, ())
        assert not comments_of(form.text)
        check_strict(form.text)
    try:
        written = text_of_cluster(loaded.cluster)
    except EditRefused as refusal:
        assert refusal.sentence.strip()
    else:
        assert load(written).cluster == loaded.cluster
        if not _is_without_form(loaded.cluster):
            # Only an escape that means nothing is spelled anew: a model says it as it was written.
            form = canonical_text(Document(written))
            assert (form.text.replace("\\\\", "\\"), form.lost) == (written.replace("\\\\", "\\"), ())


def _is_without_form(cluster: Cluster) -> bool:
    """Say whether a cluster can be written down, though not in the canonical form: an address without its device."""
    floating = [cluster.nat_router, *(virtual.address for virtual in cluster.virtual_servers)]
    floating += [failover.address for failover in cluster.failover_services]
    return any(address is not None and not address.device for address in floating)


def parses_paths(text: str, _: Choices) -> None:
    """Read a written path: a path that is written the same way again, or a ValueError that says where."""
    try:
        at, keyword = path.parse(text)
    except ValueError as error:
        assert "is not a path" in str(error)
        return
    assert path.parse(path.written(at, keyword)) == (at, keyword)


def translates_escapes(text: str, _: Choices) -> None:
    """Translate escapes: never longer than written, and every one that means nothing is named and kept."""
    translated, unknown = escapes.translate(text)
    raw = text.encode("utf-8", "replace")
    assert len(translated) <= len(raw)
    if "\\" not in text:
        assert (translated, unknown) == (raw, ())
    for escape in unknown:
        assert escape.encode("utf-8", "replace") in translated


def keeps_bytes(text: str, _: Choices) -> None:
    """Turn a text into bytes and back."""
    try:
        raw = encode(text)
    except EditRefused:
        return
    assert decode(raw) == text
    assert encode(decode(raw), encoding_of(raw)) == raw


TARGETS: tuple[Callable[[str, Choices], None], ...] = (
    reads_leniently,
    takes_edits,
    reads_strictly,
    becomes_canonical,
    parses_paths,
    translates_escapes,
    takes_edits,
    keeps_bytes,
)


def one_input(raw: bytes) -> None:
    """Run one input through its target. Raises whatever is a finding."""
    if raw:
        TARGETS[raw[0] % len(TARGETS)](decode(raw[1 + CHOICES :]), Choices(raw[1 : 1 + CHOICES]))

"""Files go through unharmed: byte for byte without edits, by exactly one line and serial_no with one."""

import difflib
from pathlib import Path

import pytest

from piranha.config.blocks import Block
from piranha.config.document import Document
from piranha.config.editing import apply_edits, with_next_serial
from piranha.config.edits import MakeCanonical, SetValues
from piranha.config.faults import Severity
from piranha.config.fields import Field, FieldType, Scope, field
from piranha.config.load import decode, encode, load, strict
from piranha.config.path import BlockPath, written

CORPUS = sorted((Path(__file__).parent.parent / "data/corpus").glob("*.cf"))

# The full example of the reference (4.3), in the order and spelling of the old GUI.
CANONICAL = (Path(__file__).parent.parent / "data/canonical.cf").read_text(encoding="utf-8")


def changed_lines(old: str, new: str) -> list[str]:
    """Return the removed and added lines, signs in front."""
    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), lineterm="", n=0)
    return [line for line in lines if line[0] in "+-" and not line.startswith(("+++", "---"))]


def test_the_corpus_is_there() -> None:
    assert len(CORPUS) == 10


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_a_file_of_the_field_comes_back_byte_for_byte(file: Path) -> None:
    raw = file.read_bytes()
    loaded = load(decode(raw))
    assert encode(loaded.document.text) == raw
    assert apply_edits(loaded.document, []) is loaded.document


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_a_file_of_the_field_has_no_errors(file: Path) -> None:
    assert [fault for fault in load(decode(file.read_bytes())).faults if fault.severity is Severity.ERROR] == []


def another(row: Field, present: str | None) -> str:
    """Return a right value of a keyword that is not the present one."""
    spare: dict[FieldType, tuple[str, ...]] = {
        FieldType.BOOL: ("0", "1"),
        FieldType.INT: (str(row.low or 7), str((row.low or 7) + 1)),
        FieldType.PORT: ("7777", "8888"),
        FieldType.HOST: ("198.51.100.7", "198.51.100.8"),
        FieldType.IP: ("198.51.100.7", "198.51.100.8"),
        FieldType.HOST_DEVICE: ("198.51.100.7 eth7:7", "198.51.100.8 eth7:7"),
        FieldType.MASK: ("255.255.255.0", "255.255.0.0"),
        FieldType.QSTRING: ("seven 7", "eight 8"),
        FieldType.STRING: ("/seven", "/eight"),
    }
    if row.names_interface:
        return "eth7" if present != "eth7" else "eth8"
    choices = tuple(choice.value for choice in row.choices if not choice.is_extension) or spare[row.type]
    return next(value for value in choices if value != present)


def assignments(document: Document) -> list[tuple[BlockPath, str, str]]:
    """Return path, keyword and another right value for every line of a file that counts and may be set."""
    paths = [(), *document.blocks(), *(inner for path in document.blocks() for inner in document.blocks(path))]
    found = []
    for path in paths:
        for keyword in document.keywords(path):
            row = field(Scope(path[-1].kind) if path else Scope.GLOBAL, keyword)
            if row is not None and not row.status.is_refused and row.type is not FieldType.LIST:
                found.append((path, keyword, another(row, document.get(path, keyword))))
    return found


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_setting_any_one_value_changes_its_line_and_the_serial_number_and_no_other_byte(file: Path) -> None:
    document = load(decode(file.read_bytes())).document
    if "crlf" in file.name:
        # Its first edit turns it to plain line ends; from then on it is a file like the others.
        document = with_next_serial(document)
    old = document.text.split("\n")
    tried = assignments(document)
    assert len(tried) >= 20
    for path, keyword, value in tried:
        statement = document.statement(path, keyword)
        assert statement is not None
        place = statement.line - 1
        edited = apply_edits(document, [SetValues(path=written(path), values={keyword: value})], counts_up=True)
        wanted = list(old)
        spelled = f'"{value}"' if " " in value and keyword != "address" and keyword != "nat_router" else value
        if keyword in ("send", "expect", "send_program", "start_cmd", "stop_cmd"):
            spelled = f'"{value}"'
        wanted[place] = old[place][: statement.value_start - statement.start] + spelled
        if keyword != "serial_no":
            serial = document.statement((), "serial_no")
            if serial is None:
                wanted.insert(0, "serial_no = 1")
            else:
                before = old[serial.line - 1][: serial.value_start - serial.start]
                wanted[serial.line - 1] = f"{before}{int(serial.value or '') + 1}"
        assert edited.text.split("\n") == wanted, (written(path), keyword)
        assert edited.get(path, keyword) == value


def test_every_line_that_counts_in_the_corpus_is_tried() -> None:
    documents = [load(decode(file.read_bytes())).document for file in CORPUS]
    lines = sum(len(set(block.values)) for document in documents for block in _blocks(document.root))
    tried = sum(len(assignments(document)) for document in documents)
    assert tried == lines == 383


def _blocks(block: Block) -> list[Block]:
    return [block, *(each for inner in block.blocks for each in _blocks(inner))]


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_a_file_of_the_field_would_still_run_on_the_original_after_an_edit(file: Path) -> None:
    document = load(decode(file.read_bytes())).document
    strict(with_next_serial(apply_edits(document, [SetValues(path="", values={"deadtime": "99"})])).text)


def test_the_first_edit_turns_carriage_returns_into_plain_line_ends() -> None:
    (file,) = (file for file in CORPUS if "crlf" in file.name)
    document = load(decode(file.read_bytes())).document
    assert "\r\n" in document.text
    edited = apply_edits(document, [SetValues(path="", values={"keepalive": "7"})])
    assert edited.text == document.text.replace("\r\n", "\n").replace("keepalive = 6", "keepalive = 7")


def test_6_4_1_the_example_comes_back_and_one_change_is_two_lines() -> None:
    document = strict(CANONICAL).document
    assert document.text == CANONICAL
    edited = with_next_serial(apply_edits(document, [SetValues(path="virtual[names_udp]", values={"timeout": "7"})]))
    assert changed_lines(CANONICAL, edited.text) == [
        "-serial_no = 27",
        "+serial_no = 28",
        "-     timeout = 6",
        "+     timeout = 7",
    ]


def test_6_4_1_the_example_has_no_errors() -> None:
    faults = load(CANONICAL).faults
    assert [fault.code for fault in faults if fault.severity is not Severity.NOTE] == []


def test_6_4_2_comments_and_order_survive_a_minimal_edit() -> None:
    text = "# first\ndeadtime = 18\n\n  # of the primary\nprimary = 192.0.2.1\nkeepalive = 6\n# last"
    edited = apply_edits(load(text).document, [SetValues(path="", values={"keepalive": "7"})])
    assert edited.text == text.replace("keepalive = 6", "keepalive = 7")


def test_6_4_2_making_it_canonical_gives_the_order_of_the_reference() -> None:
    shuffled = "# note\n" + "".join(reversed(CANONICAL.partition("failover")[0].splitlines(keepends=True)))
    shuffled += "failover" + CANONICAL.partition("failover")[2]
    assert apply_edits(load(shuffled).document, [MakeCanonical()]).text == CANONICAL


def test_6_4_3_keywords_that_the_old_gui_lost_survive() -> None:
    text = CANONICAL.replace("udp_timeout = 300\n", "udp_timeout = 300\nhard_shutdown = 0\n")
    text = text.replace("monitor_links", 'active_cmd = "/usr/local/sbin/up now"\nmonitor_links')
    edited = apply_edits(strict(text).document, [SetValues(path="", values={"keepalive": "7"})])
    assert edited.text == text.replace("keepalive = 6", "keepalive = 7")
    assert load(edited.text).cluster.active_cmd == "/usr/local/sbin/up now"


def test_6_4_4_an_active_virtual_server_under_fos_is_nothing_to_run() -> None:
    loaded = load(CANONICAL.replace("service = lvs", "service = fos"))
    assert "nothing-active" in [fault.code for fault in loaded.faults]
    assert loaded.cluster.active_virtual_servers == ()


def test_6_4_5_a_backup_that_is_active_and_not_named_is_told() -> None:
    loaded = load("backup_active = 1\n")
    assert "no-backup" in [fault.code for fault in loaded.faults]
    assert loaded.cluster.is_backup_active
    assert loaded.cluster.backup is None


def test_6_4_7_the_example_means_what_the_original_derived_from_it() -> None:
    shop, names = load(CANONICAL).cluster.virtual_servers
    assert shop.key is not None
    assert (shop.key.fwmark, shop.scheduler, shop.persistent_s, str(shop.pmask)) == (80, "wlc", 300, "255.255.255.0")
    assert [(server.name, server.port, server.weight) for server in shop.servers if server.is_active] == [
        ("node_a", 8080, 2)
    ]
    assert (shop.timeout_s, shop.reentry_s, shop.quiesces, shop.load_monitor) == (6, 15, True, "none")
    assert str(names.key) == "udp 198.51.100.53:53"
    assert (names.scheduler, names.send_program, names.reentry_s) == ("rr", "/usr/local/bin/check_dns %h %p", 15)

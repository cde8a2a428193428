"""Files go through unharmed: byte for byte without edits, by exactly one line and serial_no with one."""

import difflib
from pathlib import Path

import pytest

from piranha.config.editing import apply_edits, with_next_serial
from piranha.config.edits import SetValues
from piranha.config.faults import Severity
from piranha.config.load import decode, encode, load, strict
from piranha.config.path import written

CORPUS = sorted((Path(__file__).parent.parent / "data/corpus").glob("*.cf"))

# The full example of the reference (4.3), in the order and spelling of the old GUI.
CANONICAL = r"""serial_no = 27
primary = 192.0.2.11
primary_private = 10.20.0.11
primary_shared = /dev/sdc
service = lvs
rsh_command = ssh
backup_active = 1
backup = 192.0.2.12
backup_private = 10.20.0.12
backup_shared = /dev/sdd
heartbeat = 1
heartbeat_port = 539
keepalive = 6
deadtime = 18
network = nat
nat_router = 10.20.0.254 eth1:1
nat_nmask = 255.255.255.0
reservation_conflict_action = nothing
debug_level = NONE
monitor_links = 1
syncdaemon = 1
syncd_iface = eth1
syncd_id = 3
tcp_timeout = 900
tcpfin_timeout = 120
udp_timeout = 300
failover mail_relay {
     address = 198.51.100.25 eth0:5
     vip_nmask = 255.255.255.0
     active = 0
     port = 25
     timeout = 10
     send = "QUIT\r\n"
     expect = "220"
     start_cmd = "/etc/init.d/relay start"
     stop_cmd = "/etc/init.d/relay stop"
}
virtual shop_http {
     active = 1
     address = 198.51.100.80 eth0:1
     sorry_server = 10.20.0.99
     vip_nmask = 255.255.255.0
     fwmark = 80
     port = 80
     persistent = 300
     pmask = 255.255.255.0
     send = "GET /health HTTP/1.0\r\n\r\n"
     expect = "HTTP"
     use_regex = 0
     load_monitor = none
     scheduler = wlc
     protocol = tcp
     timeout = 6
     reentry = 15
     quiesce_server = 1
     server node_a {
         address = 10.20.0.21
         active = 1
         port = 8080
         weight = 2
     }
     server node_b {
         address = 10.20.0.22
         active = 0
         weight = 1
     }
}
virtual names_udp {
     active = 1
     address = 198.51.100.53 eth0:2
     port = 53
     expect = "OK"
     use_regex = 0
     send_program = "/usr/local/bin/check_dns %h %p"
     load_monitor = none
     scheduler = rr
     protocol = udp
     timeout = 6
     reentry = 15
     quiesce_server = 0
     server ns1 {
         address = 10.20.0.31
         active = 1
         weight = 1
     }
}
"""


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


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_setting_any_one_value_changes_one_line_and_the_serial_number(file: Path) -> None:
    document = load(decode(file.read_bytes())).document
    new = {"address": "198.51.100.7 eth7:7", "weight": "77", "port": "777", "keepalive": "7", "expect": "seven 7"}
    paths = [(), *document.blocks(), *(inner for path in document.blocks() for inner in document.blocks(path))]
    tried = 0
    for path in paths:
        for keyword in document.keywords(path):
            if keyword not in new:
                continue
            value = "198.51.100.7" if keyword == "address" and path[-1].kind == "server" else new[keyword]
            edited = with_next_serial(apply_edits(document, [SetValues(path=written(path), values={keyword: value})]))
            changed = changed_lines(document.plain, edited.text)
            statement = document.statement(path, keyword)
            assert statement is not None
            old_line = document.plain[statement.start : statement.end].rstrip("\n")
            of_value = [line for line in changed if "serial_no" not in line]
            assert of_value[0] == f"-{old_line}"
            assert len(of_value) == 2
            assert [line[0] for line in changed if "serial_no" in line] in (["-", "+"], ["+"])
            assert load(edited.text).document.get(path, keyword) == value
            tried += 1
    assert tried >= 4


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

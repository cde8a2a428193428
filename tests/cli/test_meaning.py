"""What a terminal shows of an lvs.cf: effective values, defaults marked, 80 columns, nothing invisible."""

from pathlib import Path

import pytest

from piranha.cli import meaning
from piranha.config.fields import FIELDS, Scope, Status
from piranha.config.load import decode, load

CORPUS = sorted((Path(__file__).parents[1] / "data/corpus").glob("*.cf"))
WEB = "virtual web {\nactive = 1\naddress = 192.0.2.80 eth0:1\nserver a {\naddress = 10.0.0.1\nactive = 1\n}\n}\n"


def told(text: str) -> str:
    return meaning.of_file("lvs.cf", "0123456789abcdef", load(text))


def line_of(text: str, word: str) -> str:
    (line,) = [line for line in told(text).splitlines() if line.strip().startswith(word)]
    return " ".join(line.split())


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_a_file_of_the_corpus_is_shown_in_80_columns_with_all_its_blocks(file):
    loaded = load(decode(file.read_bytes()))
    shown = meaning.of_file("lvs.cf", "0" * 64, loaded)
    assert max(map(len, shown.splitlines())) <= 80
    for virtual in loaded.cluster.virtual_servers:
        assert f"{virtual.id}: " in shown
        for server in virtual.servers:
            assert f"\n  {server.name} " in shown
    assert "\n\n\n" not in shown and shown == shown.strip()


def test_every_keyword_that_has_an_effect_is_shown_set_or_not():
    in_words = {"serial_no", "active", "address", "protocol", "port", "fwmark", "vip_nmask"}
    shown = told(WEB)
    for row in FIELDS:
        if row.status is Status.CURRENT and row.scopes & {Scope.GLOBAL, Scope.VIRTUAL} and row.keyword not in in_words:
            assert f"{row.keyword} " in shown, row.keyword


@pytest.mark.parametrize(
    ("text", "word", "line"),
    [
        ("keepalive = 6\n", "keepalive", "keepalive 6 s"),
        ("", "keepalive", "keepalive 2 s (default)"),
        ("network = direct\n", "network", "network direct"),
        ("nat_router = 10.0.0.254 eth1:1\n", "nat_router", "nat_router 10.0.0.254 on eth1:1"),
        ("tcp_timeout = 900\n", "tcp_timeout", "tcp_timeout 900 s"),
        ("", "udp_timeout", "udp_timeout left to the kernel (default)"),
        ("monitor_links = 5\n", "monitor_links", "monitor_links yes"),
        ("debug_level = NONE\n", "debug_level", "debug_level NONE (kept, without effect)"),
        ("primary = 192.0.2.1\n", "primary_private", "primary_private 192.0.2.1, as primary (default)"),
        ("backup_active = 1\n", "backup_active", "backup_active no, because there is no backup"),
        (
            "primary = 192.0.2.1\nbackup = 192.0.2.2\nbackup_private = 10.0.0.2\n",
            "backup_private",
            "backup_private 192.0.2.2, as backup",
        ),
        (WEB, "virtual[web]", "virtual[web]: active, tcp 192.0.2.80:80 on eth0:1"),
        (
            WEB.replace("active = 1", "fwmark = 9", 1),
            "virtual[web]",
            "virtual[web]: not active, firewall mark 9 (tcp 192.0.2.80:80) on eth0:1",
        ),
        (
            "service = fos\n" + WEB,
            "virtual[web]",
            "virtual[web]: active, not in force (service is fos), tcp 192.0.2.80:80 on eth0:1",
        ),
        (WEB, "a ", "a 10.0.0.1:80 1 active"),
        (
            WEB.replace("{\naddress = 10.0.0.1", "{\nweight = 0\naddress = 2001:db8::1"),
            "a ",
            "a [2001:db8::1]:80 0 active",
        ),
        (WEB, "checked", 'checked as a web server: send "GET / HTTP/1.0\\r\\n\\r\\n", expect "HTTP"'),
        (WEB.replace("active = 1", "reentry = 0", 1), "reentry", "reentry 180 s (0 counts as that)"),
        ("virtual v {\n}\n", "no real", "no real servers"),
        ("", "none", "none"),
    ],
)
def test_a_value_is_shown_as_it_counts(text, word, line):
    assert line_of(text, word) == line


def test_what_the_file_says_stands_apart_from_the_defaults():
    shown = told(WEB.replace("active = 1", "active = 1\nscheduler = wlc", 1))
    said, _, defaults = shown.partition("by default: ")
    assert "scheduler wlc" in said and "scheduler" not in defaults
    assert "persistent off" in defaults and "timeout 10 s" in " ".join(defaults.split())


def test_no_text_is_lost_however_long_and_nothing_invisible_reaches_the_terminal():
    command = "/bin/check " + " ".join(f"--option-{number}" for number in range(40))
    shown = told(
        WEB.replace("active = 1", f'active = 1\nsend_program = "{command}"\nsend = "a\x1b[2Jb {"x" * 300}"', 1)
    )
    assert command.replace(" ", "") in "".join(shown.split())
    assert "x" * 300 in "".join(shown.split())
    assert "\x1b" not in shown and "a\\x1b[2Jb" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_failover_services_are_shown_as_kept():
    shown = told('failover f {\nactive = 1\naddress = 192.0.2.9 eth0:1\nstart_cmd = "/bin/up now"\n}\n')
    assert "FAILOVER (kept, not run by this program)" in shown
    assert "failover[f]: active, not in force (service is lvs)" in shown
    assert 'start_cmd "/bin/up now" (kept, without effect)' in shown


def test_faults_are_counted_at_the_end():
    assert told("nonsense\n").endswith("1 error, 1 warning; `piranha check` names them.")
    assert told(f"primary = 192.0.2.1\nnetwork = direct\n{WEB}").endswith("No faults.")

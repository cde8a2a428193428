"""The numbered cases of the original parser (reference 6.1), read strictly and leniently."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from piranha.config.escapes import translate
from piranha.config.load import load, strict
from piranha.errors import ConfigSyntaxError

# Faults that say that so short a file is not worth running; they have tests of their own.
OF_SHORT_FILES = {
    "nothing-active",
    "no-primary",
    "no-network",
    "no-nat-router",
    "no-address",
    "no-active-server",
    "short-deadtime",
    "no-command",
    "needs-backup",
}


@dataclass(frozen=True)
class Case:
    """`strict`: the original's error class and line, "" where it accepts the text. `means`: what the cluster says.

    `faults`: code and line of each fault of lenient reading.
    """

    number: int
    text: str
    strict: str
    means: dict[str, Any]
    faults: list[str]


CASES = [
    Case(1, "serial_no = 7\nkeepalive = 9", "", {"serial_no": 7, "keepalive_s": 9}, []),
    Case(2, "# note\n\n\t \n   # indented note\nserial_no = 7\n", "", {"serial_no": 7}, []),
    Case(3, "serial_no = 7 # note\n", "EXTRAARGS 1", {"serial_no": 7}, ["trailing-comment 1"]),
    Case(4, "serial_no=7\n", "BADCOMMAND 1", {"serial_no": 7}, ["missing-blanks 1"]),
    Case(5, "serial_no =7\n", "EQUALEXPECTED 1", {"serial_no": 7}, ["missing-blanks 1"]),
    Case(6, "serial_no 7\n", "EQUALEXPECTED 1", {"serial_no": 7}, ["missing-equals 1"]),
    Case(7, "\tserial_no\t=\t7\t\n", "", {"serial_no": 7}, []),
    Case(8, "serial_no =\n", "MISSINGARGS 1", {"serial_no": 0}, ["missing-value 1"]),
    Case(9, "serial_no = 1\nserial_no = 2\n", "", {"serial_no": 2}, ["duplicate-keyword 2"]),
    Case(10, "Serial_no = 7\n", "BADCOMMAND 1", {"serial_no": 0}, ["unknown-keyword 1"]),
    Case(11, "serial_no = 7\r\nkeepalive = 9\r\n", "", {"serial_no": 7, "keepalive_s": 9}, ["carriage-return 1"]),
    Case(12, "serial_no = 7\nkeepalive = 9\r\n", "", {"serial_no": 7, "keepalive_s": 9}, ["carriage-return 2"]),
    Case(13, "serial_no = 7\rkeepalive = 9\r", "", {"serial_no": 7, "keepalive_s": 9}, ["carriage-return 1"]),
    Case(
        14, "", "STAT 0", {"serial_no": 0, "keepalive_s": 2, "deadtime_s": 5, "heartbeat_port": 539}, ["empty-file 0"]
    ),
    Case(15, "\n", "", {"serial_no": 0, "forwarding": "nat", "service": "lvs"}, []),
    Case(16, "keepalive = 010\n", "", {"keepalive_s": 8}, ["spelling 1"]),
    Case(17, "keepalive = 0x1f\n", "", {"keepalive_s": 31}, ["spelling 1"]),
    Case(18, "keepalive = 08\n", "INTEXPECTED 1", {"keepalive_s": 2}, ["bad-value 1"]),
    Case(19, "keepalive = 5s\n", "INTEXPECTED 1", {"keepalive_s": 2}, ["bad-value 1"]),
    Case(20, 'keepalive = ""\n', "", {"keepalive_s": 0}, ["out-of-range 1", "quoted-value 1", "spelling 1"]),
    Case(21, "keepalive = -3\n", "", {"keepalive_s": -3}, ["out-of-range 1"]),
    Case(22, "backup_active = yes\n", "INTEXPECTED 1", {"is_backup_active": False}, ["bad-value 1"]),
    Case(23, "backup_active = 2\n", "BOOLEXPECTED 1", {"is_backup_active": False}, ["bad-value 1"]),
    Case(24, "monitor_links = 5\n", "", {"monitors_links": True}, ["spelling 1"]),
    Case(25, "heartbeat_port = http\n", "", {"heartbeat_port": 80}, []),
    Case(26, "heartbeat_port = no-such\n", "BADARGUMENT 1", {"heartbeat_port": 539}, ["bad-value 1"]),
    Case(27, "heartbeat_port = 70000\n", "", {"heartbeat_port": 70000}, ["out-of-range 1"]),
    Case(28, "primary = 0.0.0.0\n", "BADHOSTNAME 1", {"primary": None}, ["bad-value 1"]),
    Case(29, "backup = 0.0.0.0\n", "", {"backup": None}, []),
    Case(30, "primary = 10.1\n", "", {"primary": "10.0.0.1"}, ["spelling 1"]),
    Case(
        31,
        "primary = 192.0.2.1\nbackup = 192.0.2.2\nbackup_private = 10.0.0.2\n",
        "",
        {"backup_private": "10.0.0.2", "effective_backup_private": "192.0.2.2"},
        ["one-private 3"],
    ),
    Case(
        32,
        "primary = 192.0.2.1\nprimary_private = 10.0.0.1\nbackup = 192.0.2.2\n",
        "",
        {"backup_private": None, "effective_backup_private": None, "effective_primary_private": "10.0.0.1"},
        ["one-private 2"],
    ),
    Case(
        33, "nat_router = 10.0.0.254 eth1:1\n", "", {"nat_router.host": "10.0.0.254", "nat_router.device": "eth1:1"}, []
    ),
    Case(
        34,
        "nat_router = 10.0.0.254\n",
        "MISSINGARGS 1",
        {"nat_router.host": "10.0.0.254", "nat_router.device": ""},
        ["missing-device 1"],
    ),
    Case(35, "nat_nmask = /24\n", "BADNETMASK 1", {"nat_nmask": None}, ["bad-value 1"]),
    Case(36, "nat_nmask = 255.0.255.0\n", "", {"nat_nmask": "255.0.255.0"}, ["out-of-range 1"]),
    Case(37, "service = LVS\n", "BADARGUMENT 1", {"service": "lvs"}, ["bad-value 1"]),
    Case(38, "network = fnat\n", "BADARGUMENT 1", {"forwarding": "nat"}, ["bad-value 1"]),
    Case(39, "debug = NONE\n", "BADCOMMAND 1", {}, ["alias 1"]),
    Case(40, "}\n", "BADCOMMAND 1", {"virtual_servers": ()}, ["surplus-brace 1"]),
    Case(
        41,
        "virtual v {\nactive = 1\n",
        "",
        {"virtual_servers.0.name": "v", "virtual_servers.0.is_active": True},
        ["unclosed-block 1"],
    ),
    Case(
        42,
        "virtual v {\nactive = 1\n} trailing words\nserial_no = 5\n",
        "",
        {"virtual_servers.0.is_active": True, "serial_no": 5},
        ["text-after-brace 3"],
    ),
    Case(43, "virtual v{\n}\n", "MISSINGARGS 1", {"virtual_servers.0.name": "v"}, ["missing-blanks 1"]),
    Case(
        44,
        "virtual v\n{\nactive = 1\n}\n",
        "MISSINGARGS 1",
        {"virtual_servers.0.name": "v", "virtual_servers.0.is_active": True},
        ["brace-on-next-line 1"],
    ),
    Case(45, "virtual v { active = 1 }\n", "EXTRAARGS 1", {"virtual_servers": ()}, ["bad-header 1"]),
    Case(46, "virtual {\n}\n", "MISSINGARGS 1", {"virtual_servers.0.name": ""}, ["missing-name 1"]),
    Case(47, "virtual a b {\n}\n", "EXTRAARGS 1", {"virtual_servers.0.name": "a b"}, ["extra-words 1"]),
    Case(48, 'virtual "a b" {\n}\n', "", {"virtual_servers.0.name": "a b"}, ["quoted-name 1"]),
    Case(
        49,
        "virtual v {\n}\nvirtual v {\n}\n",
        "",
        {"virtual_servers.0.id": "virtual[v]", "virtual_servers.1.id": "virtual[v#2]"},
        ["duplicate-name 3"],
    ),
    Case(
        50,
        "virtual v {\nserver a {\naddress = 10.0.0.1\n}\nport = 21\nserver b {\naddress = 10.0.0.2\n}\n}\n",
        "",
        {"virtual_servers.0.port": 21, "virtual_servers.0.servers.0.port": 80, "virtual_servers.0.servers.1.port": 21},
        ["port-after-server 5"],
    ),
    Case(
        51,
        "virtual v {\nserver a {\naddress = 10.0.0.1\nport = http\n}\n}\n",
        "INTEXPECTED 4",
        {"virtual_servers.0.servers.0.port": 80},
        ["bad-value 4"],
    ),
    Case(
        52,
        "virtual v {\nserver a {\naddress = 10.0.0.1:8080\n}\n}\n",
        "BADARGUMENT 3",
        {"virtual_servers.0.servers.0.address": None},
        ["bad-value 3"],
    ),
    Case(
        53,
        "virtual v {\nserver a {\nnmask = 255.255.255.0\n}\n}\n",
        "BADCOMMAND 3",
        {"virtual_servers.0.servers.0.name": "a"},
        ["refused-keyword 3"],
    ),
    Case(
        54,
        "virtual v {\nexpect_program = x\n}\n",
        "BADCOMMAND 2",
        {"virtual_servers.0.expect": None},
        ["refused-keyword 2"],
    ),
    Case(
        55, "failover f {\nheartbeat = 1\n}\n", "BADCOMMAND 2", {"failover_services.0.name": "f"}, ["refused-keyword 2"]
    ),
    Case(
        56,
        "virtual v {\naddress = 192.0.2.9\n}\n",
        "MISSINGARGS 2",
        {"virtual_servers.0.address.host": "192.0.2.9", "virtual_servers.0.address.device": ""},
        ["missing-device 2"],
    ),
    Case(57, "virtual v {\npmask = 255.255.255.255\n}\n", "", {"virtual_servers.0.pmask": None}, []),
    Case(58, "virtual v {\npmask = rubbish\n}\n", "", {"virtual_servers.0.pmask": None}, ["bad-value 2"]),
    Case(
        59,
        "virtual v {\nsorry_server = localhost\n}\n",
        "BADHOSTNAME 2",
        {"virtual_servers.0.sorry_server": None},
        ["bad-value 2"],
    ),
    Case(
        60,
        "virtual v {\nscheduler = sed\n}\n",
        "BADARGUMENT 2",
        {"virtual_servers.0.scheduler": "sed"},
        ["newer-than-original 2"],
    ),
    Case(61, "virtual v {\nfwmark = -1\n}\n", "", {"virtual_servers.0.fwmark": -1}, ["out-of-range 2"]),
    Case(
        62,
        'virtual v {\nactive = 1\nsend = "GET / HTTP/1.0\\r\\n\\r\\n"\n}\n',
        "",
        {"virtual_servers.0.send": "GET / HTTP/1.0\\r\\n\\r\\n"},
        [],
    ),
    Case(63, "virtual v {\nsend = 'ab'\n}\n", "", {"virtual_servers.0.send": "ab"}, ["single-quotes 2"]),
    Case(
        64,
        'virtual v {\nactive = 1\nsend = "ab" \n}\n',
        "BADQUOTING 3",
        {"virtual_servers.0.send": "ab"},
        ["quote-not-last 3"],
    ),
    Case(65, 'virtual v {\nactive = 1\nsend = "a b" \n}\n', "", {"virtual_servers.0.send": "a b"}, []),
    Case(
        66,
        'virtual v {\nactive = 1\nsend = "ab\n}\n',
        "BADQUOTING 3",
        {"virtual_servers.0.send": None},
        ["bad-quoting 3"],
    ),
    Case(67, 'virtual v {\nsend = "ab\n}\n', "BADQUOTING 2", {"virtual_servers.0.send": None}, ["bad-quoting 2"]),
    Case(68, 'serial_no = "7\n', "BADQUOTING 1", {"serial_no": 0}, ["bad-quoting 1"]),
    Case(69, 'virtual v {\nsend = "a\\"b"\n}\n', "", {"virtual_servers.0.send": 'a\\"b'}, []),
    Case(
        70,
        'virtual v {\nsend = "say \\"hi\\" now"\n}\n',
        "EXTRAARGS 2",
        {"virtual_servers.0.send": 'say \\"hi\\" now'},
        ["inner-quotes 2"],
    ),
    Case(71, 'virtual v {\nsend = "a" b"\n}\n', "", {"virtual_servers.0.send": 'a" b'}, ["inner-quotes 2"]),
    Case(72, 'virtual v {\nsend = ""\n}\n', "", {"virtual_servers.0.send": ""}, []),
    Case(73, "virtual v {\nsend = one two\n}\n", "EXTRAARGS 2", {"virtual_servers.0.send": None}, ["extra-words 2"]),
    Case(
        74,
        'nat_router = "10.0.0.1" eth1\n',
        "BADQUOTING 1",
        {"nat_router.host": "10.0.0.1", "nat_router.device": "eth1"},
        ["quoted-value 1", "quote-not-last 1", "no-alias 1"],
    ),
    Case(
        75,
        'virtual v {\nsend = "{"\nexpect = "}"\n}\n',
        "",
        {"virtual_servers.0.send": "{", "virtual_servers.0.expect": "}"},
        [],
    ),
    Case(76, "virtual v {\ndirs = [ /a /b ]\n}\n", "", {}, ["no-effect-here 2"]),
    Case(77, "virtual v {\ndirs = [/a /b]\n}\n", "LISTEXPECTED 2", {}, ["no-effect-here 2", "list-expected 2"]),
    Case(78, "virtual v {\ndirs = [ /a /b\n}\n", "LISTEXPECTED 2", {}, ["no-effect-here 2", "list-expected 2"]),
    Case(
        79,
        'virtual v {\nstart_cmd = "/x y"\n}\nfailover f {\nscheduler = rr\nserver s {\n}\n}\n',
        "",
        {"virtual_servers.0.name": "v", "failover_services.0.name": "f"},
        ["no-effect-here 2", "no-effect-here 5", "no-effect-here 6"],
    ),
    Case(80, "virtual v {\nactive = 1\nserial_no = 4\n}\n", "BADCOMMAND 3", {"serial_no": 0}, ["misplaced-keyword 3"]),
    Case(81, 'active_cmd = "/usr/local/bin/up now"\n', "", {"active_cmd": "/usr/local/bin/up now"}, []),
    Case(82, "\xef\xbb\xbfserial_no = 1\n", "BADCOMMAND 1", {"serial_no": 1}, ["byte-order-mark 1"]),
    Case(
        83,
        "service = fos\nservice = lvs\nfailover f {\n}\nvirtual v {\n}\n",
        "",
        {"service": "lvs", "virtual_servers.0.name": "v", "failover_services.0.name": "f"},
        ["duplicate-keyword 2"],
    ),
]


def fact(cluster: Any, name: str) -> Any:
    """Return an attribute by its dotted name; addresses and enumerations as text."""
    value = cluster
    for step in name.split("."):
        value = value[int(step)] if step.isdecimal() else getattr(value, step)
    if isinstance(value, Enum):
        return value.value
    return value if value is None or isinstance(value, (bool, int, str, tuple)) else str(value)


def test_every_case_is_here() -> None:
    assert [case.number for case in CASES] == list(range(1, 84))


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_lenient_reading_means_what_the_daemons_mean(case: Case) -> None:
    loaded = load(case.text)
    assert {name: fact(loaded.cluster, name) for name in case.means} == case.means
    assert loaded.document.text == case.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_lenient_reading_tells_every_deviation_with_its_line(case: Case) -> None:
    told = [f"{fault.code} {fault.line}" for fault in load(case.text).faults if fault.code not in OF_SHORT_FILES]
    assert told == case.faults


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_strict_reading_stops_where_the_daemons_stopped(case: Case) -> None:
    if not case.strict:
        assert strict(case.text).document.text == case.text
        return
    with pytest.raises(ConfigSyntaxError) as refused:
        strict(case.text)
    assert f"{refused.value.code} {refused.value.line}" == case.strict


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_what_the_daemons_refuse_is_never_silently_accepted(case: Case) -> None:
    if case.strict:
        assert case.faults


def test_case_62_has_real_line_ends_when_it_is_sent() -> None:
    virtual = load(CASES[61].text).cluster.virtual_servers[0]
    assert translate(virtual.send or "") == (b"GET / HTTP/1.0\r\n\r\n", ())


def test_case_69_has_a_plain_quote_when_it_is_sent() -> None:
    virtual = load(CASES[68].text).cluster.virtual_servers[0]
    assert translate(virtual.send or "") == (b'a"b', ())

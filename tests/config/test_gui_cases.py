"""What the old GUI misread or damaged (reference 6.2), read as it should be."""

import pytest

from piranha.config.load import load
from piranha.config.path import parse

A70, B20 = "A" * 70, "B" * 20
CASES = [
    (
        "G1",
        "serial_no = 7\r\nprimary = 192.0.2.1\r\n",
        {"serial_no": "7", "primary": "192.0.2.1"},
        ["carriage-return 1"],
    ),
    ("G2", "primary = 192.0.2.1\n", {"serial_no": None, "primary": "192.0.2.1"}, []),
    ("G3", "serial_no = 7\nkeepalive  =  9\n", {"keepalive": "9"}, []),
    ("G4", "serial_no = 7\nkeepalive\t=\t9\n", {"keepalive": "9"}, []),
    ("G5", "serial_no = 7\nprimary =\n", {"serial_no": "7", "primary": ""}, ["missing-value 2"]),
    ("G6", "primary 192.0.2.1\n", {"primary": "192.0.2.1"}, ["missing-equals 1"]),
    ("G7", "virtual v\n{\n active = 1\n}\n", {"virtual[v].active": "1"}, ["brace-on-next-line 1"]),
    ("G8", "virtual v {\n\n active = 1\n}\n", {"virtual[v].active": "1", "virtual[v#2].active": None}, []),
    (
        "G9",
        "virtual v {\n active = 0\n server s {\n  active = 1\n }\n\n server t {\n  active = 0\n }\n}\n",
        {"virtual[v].active": "0", "virtual[v].server[s].active": "1", "virtual[v].server[t].active": "0"},
        [],
    ),
    (
        "G10",
        'virtual v {\n send = "GET /}x"\n active = 1\n}\nservice = lvs\n',
        {"virtual[v].send": "GET /}x", "virtual[v].active": "1", "service": "lvs"},
        [],
    ),
    (
        "G11",
        'virtual v {\n send = "a b"\n expect = "a b  c"\n}\n',
        {"virtual[v].send": "a b", "virtual[v].expect": "a b  c"},
        [],
    ),
    (
        "G11 damaged",
        'virtual v {\n     send = "a b"\n     expect = "a b\n}\n',
        {"virtual[v].send": "a b", "virtual[v].expect": '"a b'},
        ["bad-quoting 3"],
    ),
    (
        "G12",
        "virtual v {\n send = 'a b c'\n active = 1\n}\n",
        {"virtual[v].send": "a b c", "virtual[v].active": "1"},
        ["single-quotes 2"],
    ),
    (
        "G13",
        "service = lvs\nhard_shutdown = 0\nactive_cmd = /x\nipvsadm = /y\nsync = 1\n",
        {"service": "lvs", "hard_shutdown": "0", "active_cmd": "/x", "ipvsadm": "/y", "sync": "1"},
        ["not-used 2", "not-used 4", "not-used 5"],
    ),
    (
        "G14",
        "virtual v {\n client_monitor = /x\n master = 10.0.0.1\n active = 1\n}\n",
        {"virtual[v].client_monitor": "/x", "virtual[v].master": "10.0.0.1", "virtual[v].active": "1"},
        ["not-used 2", "no-effect-here 3"],
    ),
    (
        "G15",
        "failover f {\n reentry = 5\n protocol = udp\n heartbeat = 1\n}\n",
        {"failover[f].reentry": "5", "failover[f].protocol": "udp", "failover[f].heartbeat": "1", "heartbeat": None},
        ["no-effect-here 2", "refused-keyword 4"],
    ),
    (
        "G16",
        f'service = fos\nfailover f {{\n send = "{A70} {B20}"\n expect = "X"\n}}\n',
        {"failover[f].send": f"{A70} {B20}", "failover[f].expect": "X"},
        [],
    ),
    (
        "G16 damaged",
        f'service = fos\nfailover f {{\n     send = "{A70[:67]}     expect = "X"\n}}\n',
        {"failover[f].expect": None},
        ["glued-lines 3"],
    ),
    (
        "G17",
        "virtual v {\n address = 192.0.2.9 eth0:1\n",
        {"virtual[v].address": "192.0.2.9 eth0:1"},
        ["unclosed-block 1"],
    ),
]
OF_SHORT_FILES = {
    "nothing-active",
    "no-primary",
    "no-network",
    "no-nat-router",
    "no-address",
    "no-active-server",
    "short-deadtime",
    "no-command",
    "fos-not-run",
}


@pytest.mark.parametrize(("number", "text", "says", "faults"), CASES, ids=[case[0] for case in CASES])
def test_what_the_old_gui_lost_is_read_as_it_is_written(
    number: str, text: str, says: dict[str, str | None], faults: list[str]
) -> None:
    loaded = load(text)
    assert {name: loaded.document.get(*parse(name)) for name in says} == says
    told = [f"{fault.code} {fault.line}" for fault in loaded.faults if fault.code not in OF_SHORT_FILES]
    assert told == faults


def test_one_block_with_a_blank_line_stays_one_block() -> None:
    assert len(load("virtual v {\n\n active = 1\n}\n").cluster.virtual_servers) == 1

"""Every rule: broken once, told once, with its place, its severity, and whether it stops an Apply."""

import time

import pytest

from piranha.config.faults import Fault, Severity
from piranha.config.load import load

# A pair of routers with two virtual servers, in which nothing is wrong.
SOUND = r"""serial_no = 1
primary = 192.0.2.1
primary_private = 10.0.0.1
service = lvs
backup_active = 1
backup = 192.0.2.2
backup_private = 10.0.0.2
heartbeat = 1
heartbeat_port = 539
keepalive = 6
deadtime = 18
network = nat
nat_router = 10.0.0.254 eth1:1
nat_nmask = 255.255.255.0
syncdaemon = 1
syncd_iface = eth1
syncd_id = 3
virtual http {
     active = 1
     address = 192.0.2.80 eth0:1
     vip_nmask = 255.255.255.0
     port = 80
     persistent = 60
     pmask = 255.255.255.0
     send = "GET / HTTP/1.0\r\n\r\n"
     expect = "HTTP"
     use_regex = 0
     load_monitor = none
     scheduler = wlc
     protocol = tcp
     timeout = 6
     reentry = 15
     server web1 {
         address = 10.0.0.21
         active = 1
         port = 8080
         weight = 1
     }
     server web2 {
         address = 10.0.0.22
         active = 1
         weight = 0
     }
}
virtual ftp {
     active = 1
     address = 192.0.2.21 eth0:2
     port = 21
     fwmark = 21
     persistent = 300
     expect = "220"
     timeout = 6
     reentry = 15
     server ftp1 {
         address = 10.0.0.23
         active = 1
     }
}
"""
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
STOPS = True
HTTP, FTP = "virtual[http]", "virtual[ftp]"
WEB1, WEB2 = "virtual[http].server[web1]", "virtual[http].server[web2]"

# What to replace in the sound file, by what; the fault: code, severity, block, line, and whether it stops an Apply.
BROKEN = [
    # routers and heartbeats
    ("primary = 192.0.2.1\n", "", "no-primary", WARNING, "", 0, not STOPS),
    ("primary = 192.0.2.1\n", "primary = 0.0.0.0\n", "bad-value", ERROR, "", 2, STOPS),
    ("backup = 192.0.2.2\n", "backup = 0.0.0.0\n", "no-backup", WARNING, "", 5, not STOPS),
    ("backup = 192.0.2.2\n", "", "no-backup", WARNING, "", 5, not STOPS),
    ("backup = 192.0.2.2\n", "backup = 192.0.2.1\n", "same-routers", ERROR, "", 6, STOPS),
    ("primary_private = 10.0.0.1\n", "", "one-private", WARNING, "", 6, not STOPS),
    ("backup_private = 10.0.0.2\n", "", "one-private", WARNING, "", 3, not STOPS),
    ("heartbeat_port = 539", "heartbeat_port = 70000", "out-of-range", ERROR, "", 9, STOPS),
    ("keepalive = 6", "keepalive = 0", "out-of-range", ERROR, "", 10, STOPS),
    ("deadtime = 18", "deadtime = 6", "short-deadtime", ERROR, "", 11, STOPS),
    ("deadtime = 18", "deadtime = 11", "short-deadtime", WARNING, "", 11, not STOPS),
    ("deadtime = 18", "deadtime = 18s", "bad-value", ERROR, "", 11, STOPS),
    ("backup_active = 1", "backup_active = 0", "needs-backup", NOTE, "", 15, not STOPS),
    ("backup_private = 10.0.0.2", "backup_private = 10.0.0.1", "same-routers", ERROR, "", 7, STOPS),
    ("backup = 192.0.2.2\n", "backup = 2001:db8::2\n", "mixed-families", ERROR, "", 6, STOPS),
    ("backup = 192.0.2.2\n", "backup = 2001:DB8::2\n", "newer-than-original", WARNING, "", 6, not STOPS),
    ("backup = 192.0.2.2\n", "backup = 255.255.255.255\n", "unusable-address", ERROR, "", 6, STOPS),
    ("primary = 192.0.2.1\n", "primary = 224.0.0.18\n", "unusable-address", ERROR, "", 2, STOPS),
    ("primary = 192.0.2.1\n", "primary = fe80::1\n", "unusable-address", ERROR, "", 2, STOPS),
    ("primary = 192.0.2.1\n", "primary = ::\n", "unusable-address", ERROR, "", 2, STOPS),
    ("primary = 192.0.2.1\n", "primary = 24\n", "unusable-address", ERROR, "", 2, STOPS),
    ("192.0.2.80 eth0:1", "192.0.2.1 eth0:1", "not-floating", WARNING, HTTP, 20, not STOPS),
    # network, sync daemon, disks
    ("network = nat\n", "", "no-network", NOTE, "", 0, not STOPS),
    ("nat_router = 10.0.0.254 eth1:1\n", "", "no-nat-router", WARNING, "", 12, not STOPS),
    ("10.0.0.254 eth1:1", "0.0.0.0 eth1:1", "no-nat-router", WARNING, "", 13, not STOPS),
    ("10.0.0.254 eth1:1", "0 eth1:1", "no-nat-router", WARNING, "", 13, not STOPS),
    ("10.0.0.254 eth1:1", "10.0.0.1 eth1:1", "not-floating", WARNING, "", 13, not STOPS),
    ("10.0.0.254 eth1:1", "2001:db8::254 eth1:1", "unusable-address", ERROR, "", 13, STOPS),
    ("network = nat", "network = direct", "needs-nat", NOTE, "", 13, not STOPS),
    ("syncd_iface = eth1", "syncd_iface = eth1:1", "bad-device", ERROR, "", 16, STOPS),
    ("10.0.0.254 eth1:1", "10.0.0.254", "missing-device", ERROR, "", 13, STOPS),
    ("nat_nmask = 255.255.255.0", "nat_nmask = 255.0.255.0", "out-of-range", ERROR, "", 14, STOPS),
    ("syncd_iface = eth1", "syncd_iface = fifteen_letters", "bad-device", ERROR, "", 16, None),
    ("syncd_iface = eth1", "syncd_iface = sixteen_letters__", "bad-device", ERROR, "", 16, STOPS),
    ("syncd_iface = eth1", "syncd_iface = a/b", "bad-device", ERROR, "", 16, STOPS),
    ("syncd_id = 3", "syncd_id = 300", "out-of-range", ERROR, "", 17, STOPS),
    ("serial_no = 1\n", "primary_shared = /dev/sdb\n", "one-shared-disk", WARNING, "", 1, not STOPS),
    ("serial_no = 1\n", "backup_shared = /dev/sdb\n", "one-shared-disk", WARNING, "", 1, not STOPS),
    (
        "serial_no = 1\n",
        "primary_shared = /dev/sdb\nbackup_shared = /dev/sdb\n",
        "no-conflict-action", WARNING, "", 1, not STOPS,
    ),
    # virtual servers
    ("     address = 192.0.2.80 eth0:1\n", "", "no-address", ERROR, HTTP, 18, STOPS),
    ("192.0.2.80 eth0:1", "0.0.0.0 eth0:1", "no-address", ERROR, HTTP, 20, STOPS),
    ("192.0.2.80 eth0:1", "192.0.2.80", "missing-device", ERROR, HTTP, 20, STOPS),
    ("192.0.2.80 eth0:1", "192.0.2.80 sixteen_letters__:1", "bad-device", ERROR, HTTP, 20, STOPS),
    ("192.0.2.80 eth0:1", "192.0.2.80 eth0", "no-alias", WARNING, HTTP, 20, not STOPS),
    ("192.0.2.80 eth0:1", "192.0.2.80 eth0:1 eth1:1", "extra-words", ERROR, HTTP, 20, STOPS),
    ("192.0.2.80 eth0:1", "2001:db8::80 eth0:1", "newer-than-original", WARNING, HTTP, 20, not STOPS),
    ("     port = 80\n", "     port = 0\n", "out-of-range", ERROR, HTTP, 22, STOPS),
    ("     timeout = 6\n", "     timeout = 0\n", "out-of-range", ERROR, HTTP, 31, STOPS),
    ("     reentry = 15\n", "     reentry = 0\n", "reentry-zero", NOTE, HTTP, 32, not STOPS),
    ("     reentry = 15\n", "     reentry = -1\n", "out-of-range", ERROR, HTTP, 32, STOPS),
    ("vip_nmask = 255.255.255.0", "vip_nmask = 24", "out-of-range", ERROR, HTTP, 21, STOPS),
    ("fwmark = 21", "fwmark = -1", "out-of-range", ERROR, FTP, 49, STOPS),
    ("     persistent = 300\n", "", "mark-without-persistence", WARNING, FTP, 49, not STOPS),
    ("     persistent = 60\n", "     persistent = 1000000000\n", "out-of-range", ERROR, HTTP, 23, STOPS),
    ("192.0.2.80 eth0:1", "239.0.0.80 eth0:1", "unusable-address", ERROR, HTTP, 20, STOPS),
    (
        "192.0.2.80 eth0:1\n     vip_nmask = 255.255.255.0\n",
        "2001:db8::80 eth0:1\n",
        "mask-with-ipv6", WARNING, HTTP, 23, not STOPS,
    ),
    (
        "     port = 80\n     persistent = 60\n     pmask = 255.255.255.0\n",
        "     port = 80\n     vip_nmask = 255.255.255.0\n",
        "duplicate-keyword", WARNING, HTTP, 23, not STOPS,
    ),
    ("192.0.2.80 eth0:1", "2001:db8::80 eth0:1", "mixed-families", ERROR, WEB1, 34, STOPS),
    ("address = 10.0.0.21", "address = 2001:db8::21", "mixed-families", ERROR, WEB1, 34, STOPS),
    (
        "     port = 80\n",
        "     port = 80\n     sorry_server = 0.0.0.0\n",
        "no-sorry-server", WARNING, HTTP, 23, not STOPS,
    ),
    (
        "     address = 192.0.2.21 eth0:2\n     port = 21\n     fwmark = 21\n",
        "     address = 192.0.2.80 eth0:1\n     vip_nmask = 255.255.255.0\n     port = 80\n     fwmark = 21\n",
        "only-mark-differs", NOTE, FTP, 47, not STOPS,
    ),
    ("     persistent = 60\n", "", "mask-without-persistence", WARNING, HTTP, 23, not STOPS),
    ("scheduler = wlc", "scheduler = mh", "newer-than-original", WARNING, HTTP, 29, not STOPS),
    ("scheduler = wlc", "scheduler = best", "bad-value", ERROR, HTTP, 29, STOPS),
    ("load_monitor = none", "load_monitor = /bin/x", "own-load-monitor", WARNING, HTTP, 28, not STOPS),
    (
        "     active = 1\n     address = 192.0.2.80",
        "     active = yes\n     address = 192.0.2.80",
        "bad-value", ERROR, HTTP, 19, STOPS,
    ),
    # checks
    (
        "     expect = \"HTTP\"\n",
        "     expect = \"HTTP\"\n     send_program = \"/x %h\"\n",
        "send-ignored", WARNING, HTTP, 25, not STOPS,
    ),
    (
        "     expect = \"220\"\n",
        "     send_program = \"/x %h\"\n",
        "program-without-expect", WARNING, FTP, 51, not STOPS,
    ),
    ("     expect = \"220\"\n", "     protocol = udp\n", "udp-without-send", WARNING, FTP, 51, not STOPS),
    ("     fwmark = 21\n", "     protocol = udp\n", "udp-without-send", WARNING, FTP, 49, not STOPS),
    ("     fwmark = 21\n", "     protocol = udp\n     send = \"x\"\n", "udp-without-send", WARNING, FTP, 0, None),
    (
        "     expect = \"220\"\n",
        "     protocol = udp\n     send = \"x\"\n",
        "udp-without-expect", NOTE, FTP, 51, not STOPS,
    ),
    ("     fwmark = 21\n", "     protocol = udp\n     send = \"x\"\n", "udp-without-expect", NOTE, FTP, 0, None),
    ("     expect = \"220\"\n", "     expect = \"2(\"\n     use_regex = 1\n", "bad-regex", ERROR, FTP, 51, STOPS),
    (
        "     expect = \"220\"\n",
        "     expect = \"220\"\n     send_program = \"/x\"\n     use_regex = 1\n",
        "regex-ignored", NOTE, FTP, 53, not STOPS,
    ),
    ("expect = \"220\"", "expect = \"2\\d\\d\"", "unknown-escape", WARNING, FTP, 51, not STOPS),
    ("expect = \"220\"", "expect = \"\\\"", "lone-backslash", WARNING, FTP, 51, not STOPS),
    ("expect = \"220\"", "expect = \"a\\\"\"", "quote-at-end", WARNING, FTP, 51, not STOPS),
    (
        "     expect = \"220\"\n",
        "     expect = \"220\"\n     send_program = \"/x %h:%p\"\n",
        "joined-placeholder", WARNING, FTP, 52, not STOPS,
    ),
    (
        "     expect = \"220\"\n",
        f"     expect = \"220\"\n     send_program = \"{'/x' * 128}\"\n",
        "long-text", WARNING, FTP, 52, not STOPS,
    ),
    ("     expect = \"220\"\n", "     use_regex = 1\n", "regex-ignored", NOTE, FTP, 51, not STOPS),
    ("expect = \"220\"", f"expect = \"{'2' * 255}\"", "long-text", WARNING, FTP, 51, not STOPS),
    # real servers
    ("         address = 10.0.0.21\n", "", "no-address", ERROR, WEB1, 33, STOPS),
    ("address = 10.0.0.21", "address = 0.0.0.0", "no-address", ERROR, WEB1, 34, STOPS),
    ("address = 10.0.0.21", "address = 0", "no-address", ERROR, WEB1, 34, STOPS),
    ("address = 10.0.0.21", "address = 10.0.0.300", "bad-value", ERROR, WEB1, 34, STOPS),
    ("         weight = 1\n", "         weight = 65536\n", "out-of-range", ERROR, WEB1, 37, STOPS),
    ("         weight = 1\n", "         weight = -1\n", "out-of-range", ERROR, WEB1, 37, STOPS),
    ("port = 8080", "port = 0", "out-of-range", ERROR, WEB1, 36, STOPS),
    ("network = nat", "network = direct", "port-not-mapped", WARNING, WEB1, 36, not STOPS),
    ("address = 10.0.0.23\n", "address = 10.0.0.23\n         port = 2121\n", "port-not-mapped", NOTE,
        "virtual[ftp].server[ftp1]", 56, not STOPS),
    ("address = 10.0.0.23\n         active = 1\n", "address = 10.0.0.23\n         active = 0\n         port = 2121\n",
        "port-not-mapped", NOTE, "virtual[ftp].server[ftp1]", 57, not STOPS),
    ("10.0.0.22", "10.0.0.21\n         port = 8080", "same-server", WARNING, WEB2, 40, not STOPS),
    ("server web2", "server web1", "duplicate-name", WARNING, "virtual[http].server[web1#2]", 39, not STOPS),
    ("         address = 10.0.0.23\n         active = 1\n", "", "no-active-server", WARNING, FTP, 45, not STOPS),
    ("         address = 10.0.0.23\n", "         address = 10.0.0.23\n         weight = 0\n",
        "no-weight", WARNING, FTP, 45, not STOPS),
    # several of them
    ("virtual ftp", "virtual http", "duplicate-name", WARNING, "virtual[http#2]", 45, not STOPS),
    (
        "     address = 192.0.2.21 eth0:2\n     port = 21\n     fwmark = 21\n",
        "     address = 192.0.2.80 eth0:1\n     vip_nmask = 255.255.255.0\n     port = 80\n",
        "same-service", ERROR, HTTP, 47, None,
    ),
    (
        "     address = 192.0.2.21 eth0:2\n     port = 21\n     fwmark = 21\n",
        "     address = 192.0.2.80 eth0:1\n     vip_nmask = 255.255.255.0\n     port = 80\n",
        "same-service", ERROR, FTP, 47, STOPS,
    ),
    ("     port = 80\n", "     port = 80\n     fwmark = 21\n", "mark-persistence", WARNING, FTP, 50, not STOPS),
    ("     port = 80\n", "     port = 80\n     fwmark = 21\n", "mark-persistence", WARNING, HTTP, 23, not STOPS),
    (
        "     active = 1\n     address = 192.0.2.80 eth0:1\n",
        "     active = 0\n     address = 192.0.2.80 eth0:1\n     fwmark = 21\n",
        "mark-persistence", WARNING, HTTP, 21, not STOPS,
    ),
    ("192.0.2.21 eth0:2", "192.0.2.80 eth0:2", "other-device", WARNING, FTP, 47, not STOPS),
    ("192.0.2.21 eth0:2", "192.0.2.80 eth0:1", "other-netmask", WARNING, FTP, 45, not STOPS),
    # kinds of block
    ("service = lvs", "service = fos", "nothing-active", WARNING, "", 4, not STOPS),
    ("service = lvs", "service = fos", "fos-not-run", WARNING, "", 4, not STOPS),
    ("service = lvs", "service = fos", "not-in-force", NOTE, HTTP, 18, not STOPS),
    (
        "virtual ftp {",
        'failover relay {\n     active = 1\n     address = 192.0.2.25 eth0:5\n     start_cmd = "/x"\n}\nvirtual ftp {',
        "no-command", WARNING, "failover[relay]", 45, not STOPS,
    ),
    # shape
    ("     server web2 {", "     server {", "missing-name", ERROR, 'virtual[http].server[""]', 39, STOPS),
    ("     }\n     server web2 {", "     server web2 {", "missing-brace", ERROR, WEB1, 33, STOPS),
    ("     }\n}\nvirtual ftp {", "     }\nvirtual ftp {", "missing-brace", ERROR, HTTP, 18, STOPS),
    (
        "     reentry = 15\n     server web1 {",
        "     reentry = 15\n}\n     server web1 {",
        "server-outside", ERROR, "server[web1]", 34, STOPS,
    ),
    ("     }\n     server web2 {", "     } server web2 {", "lost-block", ERROR, WEB1, 38, STOPS),
    ("virtual ftp {", "virtual ftp", "bad-header", ERROR, "", 45, STOPS),
    ("virtual ftp {", "virtual=ftp {", "bad-header", ERROR, "", 45, STOPS),
    ("virtual ftp {", "virtual = ftp {", "bad-header", ERROR, FTP, 45, STOPS),
    ("virtual ftp {", "virtual=ftp {", "cut-block", ERROR, "", 46, STOPS),
    ("     port = 21\n", "}\n     port = 21\n", "cut-block", ERROR, "", 49, STOPS),
    ("     port = 21\n", "     port = 21\n}\n", "server-outside", ERROR, "server[ftp1]", 55, STOPS),
    ("         active = 1\n         port = 8080\n", "         active = 1\n     }\n         port = 8080\n",
        "cut-block", ERROR, HTTP, 38, STOPS),
    ("virtual ftp {", "virtual ftp '{'", "quoted-brace", WARNING, FTP, 45, not STOPS),
    ("backup = 192.0.2.2\nbackup_private = 10.0.0.2\n", "", "needs-backup", NOTE, "", 3, not STOPS),
    ("syncd_iface = eth1", 'syncd_iface = ""', "spelling", WARNING, "", 16, not STOPS),
    ("service = lvs\n", 'service = lvs\nrsh_command = ""\n', "spelling", WARNING, "", 5, not STOPS),
    ('expect = "220"', 'expect = "*"\n     use_regex = 1', "regex-ignored", NOTE, FTP, 52, not STOPS),
    ("fwmark = 21", "fwmark = 4294967296", "spelling", WARNING, FTP, 49, not STOPS),
    ("fwmark = 21", "fwmark = 4294967295", "out-of-range", ERROR, FTP, 49, None),
    ("virtual ftp {", "}}\nvirtual ftp {", "not-understood", ERROR, "", 45, STOPS),
    ("virtual ftp {", "<<<<<<< HEAD\nvirtual ftp {", "not-understood", ERROR, "", 45, STOPS),
    ("network = nat", "netwrok = nat", "unknown-keyword", WARNING, "", 12, not STOPS),
    ("network = nat", "network = nat\nport = 80", "misplaced-keyword", WARNING, "", 13, not STOPS),
    ("network = nat", "network = nat\0", "nul-byte", ERROR, "", 12, STOPS),
    ("virtual ftp", f"virtual {'f' * 61}", "long-name", WARNING, f"virtual[{'f' * 61}]", 45, not STOPS),
    ("network = nat", f"network = nat{' x' * 97}", "too-many-words", ERROR, "", 12, STOPS),
]  # fmt: skip


def faults_of(text: str) -> tuple[Fault, ...]:
    return load(text).faults


def test_nothing_is_wrong_with_a_sound_file() -> None:
    assert faults_of(SOUND) == ()


@pytest.mark.parametrize(
    ("old", "new", "code", "severity", "path", "line", "stops"),
    BROKEN,
    ids=[f"{each[2]}-{number}" for number, each in enumerate(BROKEN)],
)
def test_a_broken_rule_is_told_with_its_place(
    old: str, new: str, code: str, severity: Severity, path: str, line: int, stops: bool | None
) -> None:
    assert old in SOUND
    found = [fault for fault in faults_of(SOUND.replace(old, new, 1)) if fault.code == code and fault.path == path]
    if stops is None:  # the counter-example of the row below: this much is still all right
        assert found == []
        return
    assert [(fault.severity, fault.line, fault.stops_apply) for fault in found] == [(severity, line, stops)]
    assert found[0].message
    assert found[0].column >= (1 if line else 0)


@pytest.mark.parametrize("row", [row for row in BROKEN if row[3] is ERROR and row[6]], ids=lambda row: row[2])
def test_an_error_in_a_block_that_is_not_in_force_stops_nothing(
    row: tuple[str, str, str, Severity, str, int, bool],
) -> None:
    old, new, code, _, path, _, _ = row
    is_of_shape = code in {"missing-brace", "server-outside", "lost-block", "cut-block", "bad-header"}
    if not path or is_of_shape or new.startswith("     active = yes"):
        return
    broken = SOUND.replace(old, new, 1)
    inactive = broken.replace("     active = 1\n", "     active = 0\n")
    for text in (inactive, broken.replace("service = lvs", "service = fos")):
        assert [fault for fault in faults_of(text) if fault.path == path and fault.stops_apply] == []


@pytest.mark.parametrize(
    ("old", "new", "off"),
    [
        ("keepalive = 6", "keepalive = 0", ("backup_active = 1", "backup_active = 0")),
        ("heartbeat_port = 539", "heartbeat_port = 0", ("backup_active = 1", "backup_active = 0")),
        ("nat_nmask = 255.255.255.0", "nat_nmask = 255.0.255.0", ("network = nat", "network = tunnel")),
        ("10.0.0.254 eth1:1", "10.0.0.254", ("network = nat", "network = tunnel")),
        ("syncd_id = 3", "syncd_id = 300", ("syncdaemon = 1", "syncdaemon = 0")),
        ("serial_no = 1", "serial_no = 1\nheartbeat = 5", ("", "")),
        ("serial_no = 1", "serial_no = 1\nsync = 5", ("", "")),
    ],
)
def test_an_error_in_a_setting_that_is_not_in_force_stops_nothing(old: str, new: str, off: tuple[str, str]) -> None:
    errors = [fault for fault in faults_of(SOUND.replace(old, new, 1).replace(*off, 1)) if fault.severity is ERROR]
    assert len(errors) == 1
    assert not errors[0].stops_apply


def test_a_service_that_is_not_active_takes_no_address_from_another() -> None:
    text = SOUND.replace("192.0.2.21 eth0:2\n     port = 21\n     fwmark = 21", "192.0.2.80 eth0:1\n     port = 80")
    assert "same-service" in [fault.code for fault in faults_of(text)]
    head, _, ftp = text.rpartition("     active = 1\n     address")
    assert "same-service" not in [fault.code for fault in faults_of(f"{head}     active = 0\n     address{ftp}")]


def test_a_short_deadtime_matters_little_to_a_router_without_partner() -> None:
    alone = SOUND.replace("backup_active = 1", "backup_active = 0").replace("syncdaemon = 1", "syncdaemon = 0")
    assert faults_of(alone.replace("deadtime = 18", "deadtime = 11")) == ()
    (fault,) = faults_of(alone.replace("deadtime = 18", "deadtime = 6"))
    assert (fault.code, fault.severity) == ("short-deadtime", WARNING)


@pytest.mark.parametrize("backup", ["", "backup = 0.0.0.0\n"])
def test_without_a_backup_address_nothing_about_heartbeats_stops_an_apply(backup: str) -> None:
    alone = SOUND.replace("backup = 192.0.2.2\n", backup)
    for old, new in (("deadtime = 18", "deadtime = 6"), ("keepalive = 6", "keepalive = 0")):
        faults = faults_of(alone.replace(old, new))
        assert "no-backup" in [fault.code for fault in faults]
        assert not any(fault.stops_apply for fault in faults)


def test_a_backup_address_that_cannot_be_read_is_meant_to_be_one() -> None:
    faults = faults_of(SOUND.replace("backup = 192.0.2.2\n", "backup = 192.0.2.2:539\n"))
    assert [fault.stops_apply for fault in faults if fault.code == "bad-value"] == [STOPS]


def test_one_pair_of_quotes_around_an_address_and_its_device_is_told_to_be_refused() -> None:
    faults = faults_of(SOUND.replace("10.0.0.254 eth1:1", '"10.0.0.254 eth1:1"'))
    assert [(fault.code, fault.line, fault.column) for fault in faults] == [("quoted-value", 13, 14)]
    assert "The original Piranha refuses the file for it." in faults[0].advice
    (harmless,) = faults_of(SOUND.replace("keepalive = 6", 'keepalive = "6"'))
    assert harmless.advice == "Remove them."


@pytest.mark.parametrize(
    ("old", "new", "code", "line", "word"),
    [
        ("10.0.0.254 eth1:1", "10.0.0.254  eth1", "no-alias", 13, "eth1"),
        ("10.0.0.254 eth1:1", "10.0.0.254 eth1:1:1 ", "bad-device", 13, "eth1:1:1"),
        ("192.0.2.80 eth0:1", "192.0.2.80\teth0_much_too_long:1", "bad-device", 20, "eth0_much_too_long:1"),
        ("syncd_iface = eth1", "syncd_iface = eth1/", "bad-device", 16, "eth1/"),
    ],
)
def test_a_fault_of_a_device_points_at_the_device(old: str, new: str, code: str, line: int, word: str) -> None:
    text = SOUND.replace(old, new)
    (fault,) = faults_of(text)
    assert (fault.code, fault.line, fault.text) == (code, line, word)
    assert text.splitlines()[line - 1][fault.column - 1 :].split()[0] == word


@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        ("keepalive = 6", "keepalive = 6 seconds", "Write one word behind the = and no more."),
        ("port = 21", "port = 21 protocol = tcp", "Write one word behind the = and no more."),
        ('expect = "220"', "expect = 220 ready", 'Put a text with blanks between " and ".'),
    ],
)
def test_only_a_text_is_advised_to_be_quoted(old: str, new: str, advice: str) -> None:
    assert [fault.advice for fault in faults_of(SOUND.replace(old, new)) if fault.code == "extra-words"] == [advice]


@pytest.mark.parametrize(
    ("old", "new", "code", "word"),
    [
        ('expect = "220"', r'expect = "2\n\d"', "unknown-escape", r"\d"),
        ('expect = "220"', r"expect = 2\d", "unknown-escape", r"\d"),
        ('expect = "220"', r'expect = "\\d\d"', "unknown-escape", r"\d"),
        ('expect = "220"', r'expect = "ab\""', "quote-at-end", r"\""),
        ('expect = "220"', 'send_program = "/x -a %h:%p"', "joined-placeholder", "%h:%p"),
        ('expect = "220"', 'expect = "2[0-9"\n     use_regex = 1', "bad-regex", "[0-9"),
        ("virtual ftp {", "virtual   http {", "duplicate-name", "http"),
        ("virtual ftp {", f"virtual {'f' * 61} {{", "long-name", "f" * 61),
    ],
)
def test_a_fault_of_a_piece_points_at_the_piece(old: str, new: str, code: str, word: str) -> None:
    text = SOUND.replace(old, new)
    (fault,) = [fault for fault in faults_of(text) if fault.code == code]
    assert fault.text == word
    at = fault.column - 1
    assert text.splitlines()[fault.line - 1][at : at + len(word)] == word
    if code == "unknown-escape":
        assert at == text.splitlines()[fault.line - 1].rindex(word)


def test_monitored_links_of_a_lone_router_are_told_to_have_no_effect() -> None:
    alone = SOUND.replace("backup_active = 1", "backup_active = 0\nmonitor_links = 1").replace("syncdaemon = 1\n", "")
    assert [(each.code, each.severity, each.line) for each in faults_of(alone)] == [("needs-backup", NOTE, 6)]


@pytest.mark.parametrize(("backup_active", "severity"), [("1", WARNING), ("0", NOTE)])
def test_a_lone_router_with_nat_needs_no_floating_gateway(backup_active: str, severity: Severity) -> None:
    text = SOUND.replace("nat_router = 10.0.0.254 eth1:1\n", "").replace("syncdaemon = 1\n", "")
    faults = faults_of(text.replace("backup_active = 1", f"backup_active = {backup_active}"))
    assert [(fault.code, fault.severity) for fault in faults] == [("no-nat-router", severity)]
    assert ("failover" in faults[0].message) == (severity is WARNING)


@pytest.mark.parametrize(
    ("network", "syncdaemon", "is_told"),
    [("nat", "0", True), ("direct", "0", True), ("tunnel", "0", False), ("tunnel", "1", True)],
)
def test_only_a_tunnel_without_the_sync_daemon_carries_one_family_in_the_other(
    network: str, syncdaemon: str, is_told: bool
) -> None:
    text = SOUND.replace("network = nat", f"network = {network}").replace(
        "syncdaemon = 1", f"syncdaemon = {syncdaemon}"
    )
    text = text.replace("     port = 21\n", "     port = 21\n     sorry_server = 192.0.2.99\n")
    text = text.replace("192.0.2.21 eth0:2", "2001:db8::21 eth0:2")
    told = [fault.path for fault in faults_of(text) if fault.code == "mixed-families"]
    assert told == ([FTP, "virtual[ftp].server[ftp1]"] if is_told else [])


def test_a_lone_routers_own_address_may_be_the_gateway() -> None:
    text = SOUND.replace("10.0.0.254 eth1:1", "10.0.0.1 eth1:1").replace("syncdaemon = 1\n", "")
    assert [fault.code for fault in faults_of(text)] == ["not-floating"]
    assert faults_of(text.replace("backup_active = 1", "backup_active = 0")) == ()


def test_a_name_has_no_family_yet() -> None:
    text = SOUND.replace("10.0.0.23", "ftp1.example.com").replace("192.0.2.21 eth0:2", "2001:db8::21 eth0:2")
    assert "mixed-families" not in [fault.code for fault in faults_of(text)]


def test_routers_of_two_families_matter_little_without_heartbeats() -> None:
    text = SOUND.replace("backup_active = 1", "backup_active = 0").replace("backup = 192.0.2.2", "backup = 2001:db8::2")
    assert [fault.severity for fault in faults_of(text) if fault.code == "mixed-families"] == [WARNING]


def test_a_mask_that_cannot_be_read_matters_only_with_persistence() -> None:
    text = SOUND.replace("pmask = 255.255.255.0", "pmask = rubbish")
    assert [fault.stops_apply for fault in faults_of(text)] == [STOPS]
    without = text.replace("     persistent = 60\n", "")
    assert [fault.stops_apply for fault in faults_of(without)] == [not STOPS]


def test_an_unknown_remote_shell_matters_only_where_it_is_used() -> None:
    text = SOUND.replace("service = lvs\n", "service = lvs\nrsh_command = telnet\n")
    assert faults_of(text) == ()
    asked = text.replace("load_monitor = none", "load_monitor = uptime")
    assert [(fault.code, fault.line) for fault in faults_of(asked)] == [("own-remote-shell", 5)]


def test_words_of_their_own_reach_a_program_replaced() -> None:
    text = SOUND.replace('expect = "220"', 'expect = "220"\n     send_program = "/x %h %p 50%"')
    assert faults_of(text) == ()


def test_a_file_too_large_for_the_original_is_told() -> None:
    large = SOUND + "#" * 7_900_000
    assert [(fault.code, fault.severity) for fault in faults_of(large)] == [("large-file", WARNING)]


def test_an_active_that_cannot_be_read_counts_as_meant() -> None:
    text = SOUND.replace("     active = 1\n     address = 192.0.2.80", "     active = yes\n     address = 192.0.2.80")
    (fault,) = [fault for fault in faults_of(text) if fault.keyword == "active"]
    assert fault.stops_apply
    assert not load(text).cluster.virtual_servers[0].is_active


def test_two_virtual_servers_may_share_a_mark_if_their_persistence_is_the_same() -> None:
    text = SOUND.replace(
        "     port = 80\n     persistent = 60\n     pmask = 255.255.255.0\n",
        "     port = 80\n     persistent = 300\n     fwmark = 21\n",
    ).replace("         port = 8080\n", "")
    assert [(fault.code, fault.severity) for fault in faults_of(text)] == [("same-mark", NOTE)]


def test_all_faults_of_a_file_are_told_at_once_and_in_its_order() -> None:
    text = SOUND
    for old, new in (("keepalive = 6", "keepalive = x"), ("port = 21", "port = x y"), ("weight = 0", "weight = x")):
        text = text.replace(old, new)
    faults = faults_of(text)
    assert [(fault.line, fault.code) for fault in faults if fault.severity is ERROR] == [
        (10, "bad-value"),
        (42, "bad-value"),
        (48, "extra-words"),
    ]
    assert [fault.line for fault in faults] == sorted(fault.line for fault in faults)


def test_a_fault_shows_the_text_it_is_about() -> None:
    (fault,) = faults_of(SOUND.replace("weight = 0", "weight = heavy"))
    assert (fault.text, fault.keyword) == ("heavy", "weight")
    assert fault.located("lvs.cf") == (
        'lvs.cf:42:19: error: "heavy" is not a whole number. Write it in plain digits, for example 6.'
    )


def test_an_unknown_keyword_gets_the_one_that_may_be_meant() -> None:
    (fault,) = [
        fault for fault in faults_of(SOUND.replace("network = nat", "netwrok = nat")) if fault.code == "unknown-keyword"
    ]
    assert fault.advice.startswith("Is network meant?")


@pytest.mark.parametrize(
    ("text", "code", "advice"),
    [
        ("sorry_server = 192.0.2.9\n", "misplaced-keyword", "Move it there, or remove it."),
        ("nmask = 255.255.255.0\n", "misplaced-keyword", "Remove it."),
        ("\u00a0keepalive = 6\n", "unknown-keyword", "Write a plain blank, or none, instead of the character U+00A0."),
        ("keepalive\u00a0= 6\n", "not-understood", "Write a plain blank, or none, instead of the character U+00A0."),
        ("keepalive = 4294967295\n", "spelling", "Write a whole number of 1 or more seconds."),
        ("backup = 192.0.2.2/24\n", "bad-value", "Write the address alone; a netmask has a line of its own."),
        ("network = NAT\n", "bad-value", "Write nat, in lower case."),
        ("network = fnat\n", "bad-value", "Write one of them."),
    ],
)
def test_the_advice_fits_what_was_written(text: str, code: str, advice: str) -> None:
    (told,) = [fault.advice for fault in faults_of(text) if fault.code == code]
    assert told.startswith(advice)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("port = 53\n", "A UDP service without Send cannot be checked"),
        ('port = 80\nexpect = "*"\n', "A UDP service without Send cannot be checked"),
        ('port = 80\nsend = ""\n', "A UDP service without Send cannot be checked"),
        ("", "A UDP service on port 80 without Send and Expect is asked for a web page"),
    ],
)
def test_a_udp_service_that_nobody_asks_is_told(lines: str, message: str) -> None:
    text = f"virtual a {{\nprotocol = udp\n{lines}}}\n"
    (told,) = [fault.message for fault in faults_of(text) if fault.code == "udp-without-send"]
    assert told.startswith(message)


def test_a_misplaced_keyword_is_sent_where_it_has_an_effect() -> None:
    (fault,) = [fault for fault in faults_of("sorry_server = 192.0.2.9\n") if fault.keyword == "sorry_server"]
    assert fault.message == "sorry_server has no effect here; it belongs in a virtual server."


def test_a_large_file_costs_no_more_per_line_than_a_small_one(large_text: str) -> None:
    head, _, services = large_text.partition("virtual ")
    small = head + "virtual " + services[: services.index("virtual v40 ")]

    def cost(text: str) -> float:
        load(text)
        costs = []
        for _ in range(3):
            start = time.process_time()
            load(text)
            costs.append(time.process_time() - start)
        return min(costs) / len(text)

    # Five times the size: quadratic work would cost five times as much per byte.
    assert cost(large_text) < 3 * cost(small)

"""What the outside is asked about a file, and what its answers mean."""

from collections.abc import Mapping
from ipaddress import ip_address

import pytest

from piranha.config.faults import Fault, Severity
from piranha.config.load import load
from piranha.config.model import HostName
from piranha.config.outside import Answers, NameAnswer, NameTrouble, chosen, faults_of, questions_of
from piranha.config.programs import Kind, Seen, Way

TEXT = """\
primary = 192.0.2.11
backup = 192.0.2.12
backup_active = 1
network = nat
nat_router = 10.0.0.254 eth1:1
rsh_command = ssh
active_cmd = "/usr/local/sbin/up now"
virtual web {
     active = 1
     address = 192.0.2.80  eth0:1
     send_program = "/usr/local/bin/check %h"
     load_monitor = uptime
     server a {
         address = a.example
         active = 1
     }
     server b {
         address = b.example
     }
}
virtual old {
     active = 0
     address = 192.0.2.81 eth7:1
     send_program = "/usr/local/bin/old %h"
     server c {
         address = a.example
         active = 1
     }
}
"""
HERE = {
    "lo": (ip_address("127.0.0.1"), ip_address("::1")),
    "eth0": (ip_address("192.0.2.11"),),
    "eth1": (ip_address("10.0.0.1"),),
    "eth7": (),
}
SAFE = Way((Seen("/", Kind.FOLDER, 0, 0, 0o755), Seen("/check", Kind.FILE, 0, 0, 0o755)))
NAMES: Mapping[str, NameAnswer] = {"a.example": (ip_address("10.0.0.5"),), "b.example": (ip_address("10.0.0.6"),)}


def found(
    text: str = TEXT,
    names: Mapping[str, NameAnswer] = NAMES,
    interfaces: Mapping[str, tuple[object, ...]] | None = HERE,
    programs: Mapping[str, Way | None] | None = None,
) -> tuple[Fault, ...]:
    """Return the faults where everything is right but what is said."""
    loaded = load(text)
    ways: dict[str, Way | None] = dict.fromkeys(questions_of(loaded).programs, SAFE)
    ways |= programs or {}
    answered = {HostName(name): answer for name, answer in names.items()}
    problem = "" if interfaces is not None else "Permission denied"
    return faults_of(loaded, Answers(answered, interfaces, ways, problem))  # type: ignore[arg-type]


def codes(faults: tuple[Fault, ...]) -> list[str]:
    return [fault.code for fault in faults]


def places(faults: tuple[Fault, ...]) -> list[tuple[str, str, int, int]]:
    return [(fault.code, str(fault.severity), fault.line, fault.column) for fault in faults]


def test_names_and_programs_of_all_blocks_are_asked_for_once():
    questions = questions_of(load(TEXT))
    assert questions.names == {"a.example", "b.example"}
    assert questions.programs == {"/usr/local/sbin/up", "/usr/local/bin/check", "/usr/local/bin/old", "ssh"}


@pytest.mark.parametrize(
    ("line", "programs"),
    [
        ("load_monitor = none", {"/usr/local/sbin/up", "/usr/local/bin/check", "/usr/local/bin/old"}),
        ("load_monitor = rup", {"/usr/local/sbin/up", "/usr/local/bin/check", "/usr/local/bin/old", "rup"}),
    ],
)
def test_the_remote_shell_is_asked_for_only_where_it_is_needed(line, programs):
    assert questions_of(load(TEXT.replace("load_monitor = uptime", line))).programs == programs


def test_commands_of_failover_services_are_programs_too():
    text = 'failover f {\nstart_cmd = "/a x"\nstop_cmd = "/b"\nsend_program = "/c %h"\naddress = f.example eth0:1\n}\n'
    questions = questions_of(load(text))
    assert questions.programs == {"/a", "/b", "/c"} and questions.names == {"f.example"}


def test_a_file_that_fits_its_machine_has_no_fault():
    assert found() == ()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (NameTrouble.NOT_FOUND, "name-not-found"),
        (NameTrouble.FAILED, "resolver-failed"),
        (NameTrouble.SILENT, "name-not-answered"),
    ],
)
def test_a_name_without_address_is_a_warning_where_it_counts_and_a_note_where_not(answer, code):
    faults = found(names={**NAMES, "a.example": answer})
    assert places(faults) == [(code, "warning", 14, 20), (code, "note", 26, 20)]
    assert all("a.example" in fault.message and fault.advice for fault in faults)
    assert [fault.path for fault in faults] == ["virtual[web].server[a]", "virtual[old].server[c]"]


def test_a_name_that_nobody_answered_for_counts_as_silent():
    assert codes(found(names={"b.example": NAMES["b.example"]})) == ["name-not-answered"] * 2


def test_a_name_that_means_this_machine_is_a_trap_unless_it_is_localhost():
    loopback = (ip_address("127.0.1.1"),)
    assert codes(found(names={**NAMES, "b.example": loopback})) == ["name-is-loopback"]
    text = TEXT.replace("b.example", "localhost")
    assert codes(found(text, names={**NAMES, "localhost": loopback})) == []


def test_a_name_with_several_addresses_is_a_note_that_says_which_counts():
    many = (ip_address("2001:db8::5"), ip_address("10.0.0.6"), ip_address("10.0.0.7"))
    (fault,) = found(names={**NAMES, "b.example": many})
    assert (fault.code, fault.severity) == ("name-ambiguous", Severity.NOTE) and "10.0.0.6 is used" in fault.message
    assert found(names={**NAMES, "b.example": many[:2]}) == ()


def test_of_several_addresses_the_first_counts_and_ipv4_before_ipv6():
    assert chosen((ip_address("2001:db8::5"), ip_address("10.0.0.7"), ip_address("10.0.0.6"))) == ip_address("10.0.0.7")
    assert chosen(NameTrouble.FAILED) is None and chosen(()) is None and chosen(None) is None


def test_a_missing_device_stands_at_the_word_that_names_it():
    here = {"lo": HERE["lo"], "eth1": (ip_address("192.0.2.11"),)}
    faults = found(interfaces=here)
    assert places(faults) == [("no-such-device", "warning", 10, 28), ("no-such-device", "note", 23, 27)]
    assert "eth0" in faults[0].message and "eth1, lo" in faults[0].message


def test_the_nat_router_counts_only_with_nat():
    here = {"lo": HERE["lo"], "eth0": HERE["eth0"], "eth7": ()}
    assert places(found(interfaces=here)) == [("no-such-device", "warning", 5, 25)]
    direct = TEXT.replace("network = nat", "network = direct")
    assert places(found(direct, interfaces=here)) == [("no-such-device", "note", 5, 25)]


@pytest.mark.parametrize(
    ("lines", "place"), [("syncdaemon = 1\n", (1, 14)), ("syncdaemon = 1\nsyncd_iface = eth9\n", (2, 15))]
)
def test_the_device_of_the_sync_daemon_is_asked_for_where_it_runs(lines, place):
    here = {"lo": HERE["lo"], "eth1": HERE["eth0"], "eth7": ()}
    faults = found(lines + "primary = 192.0.2.11\n", interfaces=here)
    assert places(faults) == [("no-such-device", "warning", *place)]
    assert found(lines.replace("syncdaemon = 1", "syncdaemon = 0") + "primary = 192.0.2.11\n", interfaces=here) == ()


def test_of_many_devices_only_some_are_listed():
    here = {f"tap{number}": () for number in range(100)} | HERE
    del here["eth1"]
    (fault,) = found(interfaces=here)
    assert len(fault.message) < 200 and ", ..." in fault.message


def test_on_a_machine_that_is_no_router_of_the_file_that_is_said_and_the_rest_are_notes():
    here = {"lo": HERE["lo"], "eth5": (ip_address("203.0.113.1"),)}
    faults = found(interfaces=here, programs={"/usr/local/bin/check": None, "ssh": None})
    assert [each for each in places(faults) if each[1] == "warning"] == [("not-a-router", "warning", 1, 11)]
    assert set(codes(faults)) == {"not-a-router", "no-such-device", "no-such-program"}
    assert "Neither primary (192.0.2.11) nor backup (192.0.2.12)" in faults[0].message


def test_the_backup_router_is_one_of_the_file_only_where_a_backup_is_in_force():
    here = {**HERE, "eth0": (ip_address("192.0.2.12"),)}
    assert found(interfaces=here) == ()
    alone = TEXT.replace("backup_active = 1", "backup_active = 0")
    (fault,) = found(alone, interfaces=here)
    assert fault.code == "not-a-router" and "192.0.2.12" not in fault.message


def test_one_machine_cannot_be_both_routers():
    here = {**HERE, "eth0": (ip_address("192.0.2.11"), ip_address("192.0.2.12"))}
    assert places(found(interfaces=here)) == [("both-routers-here", "warning", 2, 10)]


def test_a_router_has_its_own_private_address():
    text = "primary_private = 10.9.0.1\nbackup_private = 10.9.0.2\n" + TEXT
    assert places(found(text)) == [("private-not-here", "warning", 1, 19)]
    backup = {**HERE, "eth0": (ip_address("192.0.2.12"),)}
    assert places(found(text, interfaces=backup)) == [("private-not-here", "warning", 2, 18)]
    both = {**HERE, "eth1": (ip_address("10.9.0.1"),)}
    assert found(text, interfaces=both) == ()


def test_a_router_named_by_a_name_is_found_by_its_address():
    text = TEXT.replace("primary = 192.0.2.11", "primary = lvs1.example")
    assert found(text, names={**NAMES, "lvs1.example": (ip_address("192.0.2.11"),)}) == ()
    elsewhere = found(text, names={**NAMES, "lvs1.example": (ip_address("192.0.2.99"),)})
    assert codes(elsewhere) == ["not-a-router"]
    assert codes(found(text, names={**NAMES, "lvs1.example": NameTrouble.NOT_FOUND})) == ["name-not-found"]


def test_a_virtual_address_on_its_own_device_is_a_note_and_on_another_a_warning():
    own = {**HERE, "eth0": (ip_address("192.0.2.11"), ip_address("192.0.2.80"))}
    assert places(found(interfaces=own)) == [("address-present", "note", 10, 16)]
    other = {**HERE, "lo": (*HERE["lo"], ip_address("192.0.2.80"))}
    (fault,) = found(interfaces=other)
    assert (fault.code, fault.severity) == ("address-elsewhere", Severity.WARNING) and "on lo" in fault.message


def test_an_address_that_several_services_share_is_told_once():
    block = TEXT[TEXT.index("virtual web") : TEXT.index("virtual old")].replace("virtual web", "virtual web2")
    own = {**HERE, "eth0": (ip_address("192.0.2.11"), ip_address("192.0.2.80"))}
    assert codes(found(TEXT + block.replace("active = 1", "active = 1\n     port = 81", 1), interfaces=own)) == [
        "address-present"
    ]


def test_addresses_of_what_is_not_in_force_are_nobodys_business():
    own = {**HERE, "eth7": (ip_address("192.0.2.81"),)}
    assert found(interfaces=own) == ()


def test_a_program_that_is_missing_or_unsafe_is_a_warning_at_its_command():
    unsafe = Way((Seen("/tmp", Kind.FOLDER, 0, 0, 0o1777), Seen("/tmp/x", Kind.FILE, 0, 0, 0o755)))
    faults = found(
        programs={"/usr/local/bin/check": None, "/usr/local/sbin/up": unsafe, "/usr/local/bin/old": None, "ssh": unsafe}
    )
    assert places(faults) == [
        ("unsafe-program", "warning", 6, 15),
        ("unsafe-program", "warning", 7, 14),
        ("no-such-program", "warning", 11, 21),
        ("no-such-program", "note", 24, 21),
    ]


def test_the_remote_shell_of_the_default_stands_at_the_first_block_that_needs_it():
    text = TEXT.replace("rsh_command = ssh\n", "")
    assert places(found(text, programs={"rsh": None})) == [("no-such-program", "warning", 11, 21)]


def test_interfaces_that_cannot_be_read_are_one_note_and_nothing_is_concluded():
    (fault,) = found(interfaces=None)
    assert (fault.code, fault.severity) == (
        "interfaces-unknown",
        Severity.NOTE,
    ) and "Permission denied" in fault.message


def test_nothing_of_the_outside_is_an_error_or_stops_an_apply():
    faults = found(names={}, interfaces={}, programs={"ssh": None, "/usr/local/bin/check": None})
    assert len(faults) > 4
    assert all(fault.severity is not Severity.ERROR and not fault.stops_apply for fault in faults)
    assert [fault.line for fault in faults] == sorted(fault.line for fault in faults)

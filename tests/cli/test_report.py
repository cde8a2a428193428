"""What a terminal shows of a status and a plan."""

from dataclasses import replace

from piranha.cli import report
from piranha.config.load import load
from piranha.ipvs.settings import FORWARD, KernelSettings, judged, use_of
from piranha.messages import Plan, PlannedStep, SaveAnswer
from piranha.status import (
    AddressState,
    AddressStatus,
    ConfigStatus,
    ConnectionTimeouts,
    EngineStatus,
    Health,
    HealthState,
    KernelStatus,
    PendingStep,
    Rates,
    RunState,
    ServerStatus,
    ServiceTraffic,
    SettingStatus,
    SettingVerdict,
    Source,
    SyncDaemonStatus,
    Traffic,
    VirtualServerStatus,
)

TABLE = Source("embedded data path", 0.0)
UP = Health(HealthState.UP, "answered", "2026-01-02T03:04:05+00:00", Source("check", 1.0))
DOWN = replace(UP, state=HealthState.DOWN, reason="connect to 10.0.0.2:80 refused", since="2026-01-02T03:05:06+00:00")


def server(name: str, health: Health, weight: int | None) -> ServerStatus:
    traffic = Traffic(weight, 2, 1, 30, 0, 0, TABLE)
    return ServerStatus(f"virtual[web].server[{name}]", name, "server", "10.0.0.2", 80, True, 1, health, traffic)


STATUS = EngineStatus(
    state=RunState.RUNNING,
    reason="",
    data_path="embedded",
    router="lvs1",
    at="2026-01-02T03:06:07+00:00",
    running_for_s=10.0,
    config=ConfigStatus("/etc/sysconfig/ha/lvs.cf", "a" * 64, 3, "a" * 64, 3, None, True, ""),
    virtual_servers=(
        VirtualServerStatus(
            "virtual[web]",
            "web",
            "192.0.2.1",
            80,
            "tcp",
            0,
            "rr",
            0,
            True,
            "",
            (server("web1", UP, 1), server("web2", DOWN, None)),
        ),
    ),
    overrides=(),
    processes=(),
    faults=(),
)


def test_a_server_that_is_down_stands_with_why_and_since_when():
    (row,) = [line for line in report.of_status(STATUS).splitlines() if "web2" in line]
    assert "DOWN" in row and "connect to 10.0.0.2:80 refused" in row and "2026-01-02T03:05:06" in row


def test_what_is_saved_and_not_applied_is_said():
    pending = replace(STATUS, config=replace(STATUS.config, saved_token="b" * 64, is_applied=False))
    assert "lvs.cf is not what runs" in report.of_status(pending)
    assert "lvs.cf is not what runs" not in report.of_status(STATUS)


def test_a_stopped_engine_says_why():
    assert "LVS is stopped: there is no lvs.cf" in report.of_status(
        replace(STATUS, state=RunState.IDLE, reason="there is no lvs.cf yet", virtual_servers=())
    )


def test_a_service_that_is_refused_says_why():
    (web,) = STATUS.virtual_servers
    told = report.of_status(replace(STATUS, virtual_servers=(replace(web, refused="port 80 needs privileges"),)))
    assert "NOT SERVED: port 80 needs privileges" in told


def test_what_is_served_otherwise_and_what_is_wrong_with_its_address_stand_with_the_virtual_server():
    (web,) = STATUS.virtual_servers
    both = replace(web, differs="The change was refused.", address_trouble="There is no interface eth9.")
    lines = report.of_status(replace(STATUS, virtual_servers=(both,))).splitlines()
    at = lines.index("web  tcp 192.0.2.1:80  rr")
    assert lines[at + 1 : at + 3] == [
        "  NOT AS lvs.cf ASKS: The change was refused.",
        "  ADDRESS: There is no interface eth9.",
    ]


def test_a_plan_shows_diff_steps_impact_and_refusals():
    plan = Plan(
        "b" * 64, "a" * 64, "--- a\n+++ b\n", (PlannedStep("change it", "3 connections: drains"),), (), ("no",), ()
    )
    told = report.of_plan(plan)
    assert "+++ b" in told and "  change it (3 connections: drains)" in told and "Apply will refuse: no" in told


def test_a_plan_with_nothing_to_do_says_so():
    assert "nothing to apply" in report.of_plan(Plan("a" * 64, "a" * 64, "", (), (), (), ()))


SAVED = SaveAnswer(True, "a" * 64, 8, "", ())


def test_a_save_through_the_engine_points_to_apply_and_one_of_a_plain_file_does_not():
    through = report.of_save(SAVED, "/etc/lvs.cf", dry_run=False, runs_after_apply=True)
    assert "lvs.cf is saved, serial_no 8." in through and "`piranha apply`" in through
    plain = report.of_save(SAVED, "site.cf", dry_run=False, runs_after_apply=False)
    assert plain == "site.cf is saved, serial_no 8."
    dry = report.of_save(SAVED, "site.cf", dry_run=True, runs_after_apply=True)
    assert "Nothing was written" in dry and "saved" not in dry
    same = replace(SAVED, changed=False)
    assert report.of_save(same, "site.cf", dry_run=False, runs_after_apply=False) == (
        "Nothing was changed: site.cf says that already."
    )


def test_a_diff_is_cut_only_where_that_saves_lines():
    lines = [f"+{number}" for number in range(66)]
    assert report.brief("\n".join(lines)) == "\n".join(lines)
    cut = report.brief("\n".join([*lines, "+66"]))
    assert cut.splitlines()[:60] == lines[:60] and cut.splitlines()[60].startswith("... and 7 more lines")


def test_nothing_invisible_stands_in_a_line():
    assert report.plain("a\x1b\n\u202eb\u65e5") == "a\\x1b\\n\\u202eb\u65e5"


RATES = Rates(12, 340, 290, 51_000, 7_800_000)
KERNEL = KernelStatus(
    "1.2.1",
    4096,
    ConnectionTimeouts(900, 120, 300),
    (SyncDaemonStatus("master", "eth1", 7),),
    (SettingStatus("net.ipv4.ip_forward", "0", SettingVerdict.WRONG, "1", "NAT needs it.", "sysctl -w x=1"),),
    "",
    Source("the kernel", 0.0),
)


def with_rates(rates):
    (web,) = STATUS.virtual_servers
    first, second = web.servers
    first = replace(first, traffic=replace(first.traffic, rates=rates))
    return replace(STATUS, virtual_servers=(replace(web, servers=(first, second)),))


def test_rates_stand_in_columns_and_what_is_not_told_is_no_zero():
    assert "CONN/S" not in report.of_status(STATUS)
    lines = report.of_status(with_rates(RATES)).splitlines()
    (row,) = [line for line in lines if "web1" in line]
    assert row.split()[-7:] == ["30", "12", "340", "290", "51000", "7800000", "answered"]
    (row,) = [line for line in lines if "web2" in line]
    assert row.split()[8:13] == ["-", "-", "-", "-", "-"]


def test_a_virtual_server_is_told_as_a_whole():
    (web,) = STATUS.virtual_servers
    traffic = ServiceTraffic(99, 1, 2, 3, 4, RATES, TABLE)
    told = report.of_status(replace(STATUS, virtual_servers=(replace(web, traffic=traffic),)))
    assert "now: 12 connections/s, in 340 packets/s and 51000 bytes/s" in told and "total: 99 connections" in told


def test_the_difference_is_told_with_what_was_refused():
    assert "what it should be" not in report.of_status(STATUS)
    steps = (PendingStep("add x", "no scheduler"), *(PendingStep(f"add {number}") for number in range(30)))
    told = report.of_status(replace(STATUS, pending=steps))
    assert "  add x - REFUSED: no scheduler" in told and "  and 11 more" in told


def test_what_is_not_ours_is_told_apart():
    told = report.of_status(replace(STATUS, foreign=("SCTP 192.0.2.9:5060",)))
    assert "not ours (never touched):\n  SCTP 192.0.2.9:5060" in told


def test_floating_addresses_are_told_and_a_conflict_is_loud():
    fine = AddressStatus("192.0.2.1/24", "eth0", "eth0:1", "virtual[web]", AddressState.CARRIED)
    taken = AddressStatus("192.0.2.2/24", "eth0", "eth0:2", "nat_router", AddressState.CONFLICT, "Two.", "02::1")
    lines = report.of_status(replace(STATUS, addresses=(fine, taken))).splitlines()
    assert ["192.0.2.1/24", "eth0:1", "virtual[web]", "carried", "-"] in [line.split() for line in lines]
    assert ["192.0.2.2/24", "eth0:2", "nat_router", "CONFLICT", "(02::1)", "Two."] in [line.split() for line in lines]


def test_check_30_floating_addresses_are_listed_under_their_interfaces():
    told = [
        AddressStatus("192.0.2.1/24", "eth0", "eth0:1", "virtual[web]", AddressState.CARRIED),
        AddressStatus("10.0.0.254/24", "eth1", "eth1:1", "nat_router", AddressState.WAS_THERE),
        AddressStatus("192.0.2.2/24", "eth0", "eth0:2", "virtual[ftp]", AddressState.CARRIED),
        AddressStatus("", "", "", "virtual[x]", AddressState.REFUSED, "No name."),
    ]
    lines = report.of_status(replace(STATUS, addresses=tuple(told))).splitlines()
    at = lines.index("Floating addresses")
    assert [line.split()[:2] for line in lines[at + 1 : at + 8]] == [
        ["on", "no"],
        ["-", "-"],
        ["on", "eth0:"],
        ["192.0.2.1/24", "eth0:1"],
        ["192.0.2.2/24", "eth0:2"],
        ["on", "eth1:"],
        ["10.0.0.254/24", "eth1:1"],
    ]
    assert "Floating addresses" not in report.of_status(STATUS)


def test_check_22_forwarding_that_is_off_is_told_with_what_to_type_and_forwarding_that_is_on_is_fine():
    use = use_of(load("network = nat\nvirtual a {\n active = 1\n address = 192.0.2.1 eth0:1\n}\n").cluster)
    told = {}
    for value in ("0", "1"):
        kernel = replace(KERNEL, settings=judged(KernelSettings({FORWARD: value}), use))
        lines = report.of_status(replace(STATUS, kernel=kernel)).splitlines()
        (told[value],) = [" ".join(line.split()) for line in lines if FORWARD in line]
    assert told["0"].startswith("net.ipv4.ip_forward 0 WRONG NAT: the router must forward IPv4")
    assert told["0"].endswith("Type: sysctl -w net.ipv4.ip_forward=1")
    assert told["1"] == "net.ipv4.ip_forward 1 ok NAT: the router forwards the answers of real servers."


def test_the_kernel_is_told_with_what_to_type():
    told = report.of_status(replace(STATUS, kernel=KERNEL))
    assert "Kernel: IPVS 1.2.1, connection table of 4096" in told
    assert "timeouts: tcp 900 s, tcpfin 120 s, udp 300 s" in told and "sync daemons: master on eth1, id 7" in told
    assert "net.ipv4.ip_forward  0  WRONG  NAT needs it. Type: sysctl -w x=1" in told
    (setting,) = KERNEL.settings
    managed = report.of_status(replace(STATUS, kernel=replace(KERNEL, settings=(replace(setting, is_managed=True),))))
    assert "WRONG (managed)" in managed and "Type:" not in managed


def test_a_kernel_that_tells_nothing_says_why():
    told = report.of_status(
        replace(STATUS, kernel=replace(KERNEL, problem="modprobe ip_vs", timeouts=None, sync_daemons=None))
    )
    assert "! modprobe ip_vs" in told and "sync daemons" not in told and "timeouts" not in told

"""The daemon on a real kernel, as a shell sees it. Numbers are those of the reference for the GUI, 7."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from piranha.cli.main import Session
from piranha.cli.running import status
from piranha.ipvs.announcements import FINISHED
from piranha.ipvs.settings import FORWARD, TRACKED
from piranha.status import RunState
from piranha.system import kernel_settings
from tests.lab.running_router import RunningRouter, until
from tests.lab.topology import Host, Topology

VIP, OTHER = "198.51.100.100", "198.51.100.101"
TEXT = f"""serial_no = 1
primary = 198.51.100.11
network = nat
nat_router = 10.0.0.254 eth1:1
nat_nmask = 255.255.255.0
virtual http {{
     active = 1
     address = {VIP} eth0:1
     port = 8080
     persistent = 60
     timeout = 2
     server rs1 {{
         address = 10.0.0.21
         active = 1
     }}
}}
"""
MORE = TEXT + f"virtual dns {{\n active = 1\n address = {OTHER} eth0:2\n port = 8081\n}}\n"


def outside(host: Host) -> tuple[object, ...]:
    """Return what is not Piranha's: the kernel's settings, the rules of the packet filter, the files of sysctl."""
    settings = host.call(kernel_settings.read)
    # How many connections are tracked is no setting.
    values = {name: value for name, value in settings.values.items() if name != TRACKED}
    rules = [line for line in host.run("iptables-legacy-save").splitlines() if line.startswith("-")]
    files = [Path("/etc/sysctl.conf"), *Path("/etc/sysctl.d").glob("*")]
    times = {str(path): path.stat().st_mtime_ns for path in files if path.exists()}
    return values, dict(settings.reverse_paths), rules, times


@dataclass
class Running:
    """A router whose engine runs, and what was outside of it before it did."""

    router: RunningRouter
    before: tuple[object, ...]


@pytest.fixture(scope="module")
def running(lab: Topology, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a router with forwarding off and a rule of the packet filter, on which the engine was started."""
    router = RunningRouter(lab["lvs1"], tmp_path_factory.mktemp("router"))
    router.write(TEXT)
    router.host.sysctl(FORWARD, "0")
    router.host.run("modprobe", "ip_vs")
    router.host.run("iptables-legacy", "-t", "mangle", "-A", "PREROUTING", "-d", VIP, "-j", "MARK", "--set-mark", "9")
    before = outside(router.host)
    router.start()
    yield Running(router, before)
    if router.process is not None and router.process.poll() is None:
        router.end(signal.SIGTERM)
    print(router.said())
    router.host.run("ipvsadm", "-C")


def told(router: RunningRouter) -> list[str]:
    """Return the lines of `piranha status`, blanks taken together."""
    done = CliRunner().invoke(status, obj=Session(router.paths))
    assert done.exit_code == 0, done.output
    return [" ".join(line.split()) for line in done.output.splitlines()]


def test_check_77_the_log_reports_progress_and_that_the_arps_are_finished_and_status_is_running(
    running: Running,
) -> None:
    router = running.router
    until(lambda: FINISHED in router.said(), 20, "the addresses were announced")
    lines = router.said().partition(FINISHED)[0].splitlines()
    progress = [line for line in lines if "The engine runs" in line or "starting virtual service" in line]
    assert len(progress) >= 2, lines
    assert router.status().state is RunState.RUNNING
    assert told(router)[0].startswith("LVS is running")


def test_check_22_status_warns_of_forwarding_that_is_off_with_the_setting_and_not_when_it_is_on(
    running: Running,
) -> None:
    router = running.router
    (row,) = [line for line in told(router) if line.startswith(FORWARD)]
    assert row.startswith(f"{FORWARD} 0 WRONG NAT: ") and row.endswith(f"Type: sysctl -w {FORWARD}=1")
    router.host.run("sysctl", "-w", f"{FORWARD}=1")  # as it says
    (row,) = [line for line in told(router) if line.startswith(FORWARD)]
    assert row == f"{FORWARD} 1 ok NAT: the router forwards the answers of real servers."
    router.host.sysctl(FORWARD, "0")


def test_check_30_status_lists_the_floating_addresses_that_are_there_under_each_interface(running: Running) -> None:
    router = running.router
    router.apply(MORE)
    until(lambda: all(each in router.addresses() for each in (VIP, OTHER, "10.0.0.254")), 15, "the addresses are there")
    lines = told(router)
    at = lines.index("Floating addresses")
    assert lines[at + 1 : at + 6] == [
        "on eth0:",
        f"{VIP}/32 eth0:1 virtual[http] carried -",
        f"{OTHER}/32 eth0:2 virtual[dns] carried -",
        "on eth1:",
        "10.0.0.254/24 eth1:1 nat_router carried -",
    ]
    router.apply(TEXT)
    until(lambda: OTHER not in router.addresses(), 10, "one is gone")
    assert not any(OTHER in line for line in told(router))


def test_check_76_the_kernels_settings_and_the_packet_filter_stay_as_they_are(running: Running) -> None:
    router = running.router
    router.apply(MORE)
    until(lambda: OTHER in router.addresses(), 10, "the address is there")
    assert outside(router.host) == running.before
    assert router.end(signal.SIGTERM) == 0
    assert outside(router.host) == running.before

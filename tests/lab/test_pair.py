"""Two routers, real heartbeats and a client that opens a connection all the time: who serves, and how long nobody does.

The numbers are those of the scenarios in the reference (section 9), as the design corrects them.
"""

import contextlib
import itertools
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from piranha.monitoring import FailoverCommand
from piranha.router_status import RedundancyStatus
from tests.lab.running_router import RealServers, Requests, RunningRouter, asked, connected, requests, stays, until
from tests.lab.test_engine import VIP
from tests.lab.test_sync import NAMES, are_checked, carries, daemon, daemons, pair
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

KEEPALIVE_S, DEADTIME_S = 0.5, 2.5
TIMES = f"[failover]\nkeepalive = {KEEPALIVE_S}\ndeadtime = {DEADTIME_S}\n"
QUICK_BACK = f"{TIMES}failback_after = 1\n"
SLOW = '[failover]\nkeepalive = 2\ndeadtime = 6\nfailback = "never"\n'
"""With these a move that waits for deadtime is seen to have waited."""
NO_BACK = f'{TIMES}failback = "never"\n'
Pair = tuple[RunningRouter, RunningRouter]


@pytest.fixture(scope="module")
def lab() -> Iterator[Topology]:
    topology = Topology(NAT)
    topology.make()
    servers = RealServers(topology, (NAMES, 8090))
    servers.start()
    yield topology
    topology.remove()
    servers.stop()


@pytest.fixture
def routers(lab: Topology, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Return the primary, which is active, and the backup, ready; a test's parameter is piranha.toml."""
    found = RunningRouter(lab["lvs1"], tmp_path / "lvs1"), RunningRouter(lab["lvs2"], tmp_path / "lvs2")
    toml = getattr(request, "param", NO_BACK)
    for each in found:
        each.write(pair(lab["lvs1"], lab["lvs2"]))
        each.paths.piranha_toml.write_text(toml)
        each.start()
    until(lambda: carries(found[0].host), 20, "the primary is active")
    until(lambda: are_ready(found), 30, "both have checked everybody and know each other")
    yield found
    for each in found:
        if each.process is not None and each.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                for pid in each.pids("lvs"):
                    os.kill(pid, signal.SIGCONT)
            each.end(signal.SIGTERM)
        switch_on(each)
        print(each.said())
        assert "Traceback" not in each.said()


def cut_off(router: RunningRouter) -> None:
    """Take the power away."""
    router.end(signal.SIGKILL)
    router.host.ip("link set eth0 down", "link set eth1 down")


def switch_on(router: RunningRouter) -> None:
    """Have the machine as it is after a boot: only its own addresses, an empty table."""
    host = router.host
    host.ip(
        "addr flush dev eth0 scope global", "addr flush dev eth1 scope global", "link set eth0 up", "link set eth1 up"
    )
    host.ip(f"addr add {host.address('dmz')}/24 dev eth0", f"addr add {host.address('private')}/24 dev eth1")
    host.ip("route replace default via 198.51.100.1")
    host.run("ipvsadm", "-C")
    shutil.rmtree(router.paths.run, ignore_errors=True)


def known(host: Host) -> set[int]:
    """Return the client's ports of the open connections that a router's kernel knows."""
    lines = host.run("cat", "/proc/net/ip_vs_conn").splitlines()[1:]
    return {int(line.split()[2], 16) for line in lines if " ESTABLISHED " in line}


def told(router: RunningRouter) -> RedundancyStatus:
    until(lambda: router.status().redundancy, 30, "pulse has told of the pair: one that just started has not")
    status = router.status().redundancy
    assert status is not None
    return status


def are_ready(found: Pair) -> bool:
    if not all(are_checked(each) for each in found):
        return False
    partners = [told(each).partner for each in found]
    is_known = all(each is not None and each.is_ready and each.has_same_config for each in partners)
    return is_known and told(found[1]).state == "passive"


def is_active(router: RunningRouter) -> bool:
    return told(router).state == "active" and carries(router.host)


def longest_gap(client: Requests) -> float:
    """Return the longest time between two requests that were answered, seconds."""
    return max(later - before for before, later in itertools.pairwise(client.answered_at))


@contextlib.contextmanager
def serving(lab: Topology) -> Iterator[Requests]:
    """Have a client that opens a connection every 20 ms and does not wait longer than half a second for one."""
    with requests(lab["client"], VIP, NAMES, pause_s=0.02) as (client,):
        until(lambda: client.count > 20, 30, "requests go on")
        yield client
        more = client.count + 20
        until(lambda: client.count > more, 30, "requests go on at the end")


@pytest.mark.parametrize("routers", [SLOW], indirect=True)
def test_scenario_7_8_an_orderly_stop_moves_at_once_and_a_return_changes_nothing(lab: Topology, routers: Pair) -> None:
    one, two = routers
    with serving(lab) as client:
        assert one.end(signal.SIGTERM) == 0
        until(lambda: is_active(two), 20, "the backup takes over")
        assert one.table() == [] and not carries(one.host)
        one.start()
        until(lambda: told(one).state == "passive", 30, "the primary is passive")
        stays(lambda: is_active(two) and not carries(one.host), 2, "nothing moves back")
    assert client.failures == []
    gap = longest_gap(client)
    print(f"orderly stop: {gap * 1000:.0f} ms without an answer, {client.count} requests")
    assert gap < 3
    assert "primary inactive: activating lvs" in two.said()


@pytest.mark.parametrize("routers", [QUICK_BACK], indirect=True)
def test_scenario_6_power_loss_is_a_takeover_and_the_primary_gets_it_back_without_a_failed_request(
    lab: Topology, routers: Pair
) -> None:
    one, two = routers
    with serving(lab) as client:
        cut_off(one)
        until(lambda: is_active(two), 30, "the backup takes over")
        assert "partner dead: activating lvs" in two.said()
        before = len(client.failures)
        switch_on(one)
        one.start()
        until(lambda: is_active(one), 40, "the primary has it back")
        until(lambda: told(two).state == "passive" and two.table() == [], 20, "the backup is passive")
    assert len(client.failures) == before
    assert "the primary is back and in sync: handing over" in two.said()


def test_connections_that_the_kernel_did_not_tell_of_live_on_over_a_planned_move(lab: Topology, routers: Pair) -> None:
    one, two = routers
    two.end(signal.SIGTERM)
    with contextlib.ExitStack() as stack:
        old = [stack.enter_context(connected(lab["client"], VIP, NAMES)) for _ in range(20)]
        names = [asked(each) for each in old]
        ports = {each.getsockname()[1] for each in old}
        assert not ports & known(two.host)
        two.start()
        until(lambda: are_ready(routers), 30, "the backup is back")
        until(lambda: ports <= known(two.host), 20, "it was told of connections that say nothing")
        new = [stack.enter_context(connected(lab["client"], VIP, NAMES)) for _ in range(20)]
        names += [asked(each) for each in new]
        until(lambda: one.client.failover(FailoverCommand.HAND_OVER).done, 30, "the backup is ready")
        until(lambda: is_active(two), 20, "the backup is active")
        assert [asked(each) for each in (*old, *new)] == names


@pytest.mark.parametrize("stops", [False, True], ids=["hand-over", "stop"])
def test_persistent_clients_stay_with_their_real_server_over_a_planned_move(
    lab: Topology, routers: Pair, stops: bool
) -> None:
    one, two = routers
    sources = [f"192.0.2.{number}" for number in range(31, 37)]
    lab["client"].ip(*(f"addr replace {each}/32 dev eth0" for each in sources))
    text = pair(lab["lvs1"], lab["lvs2"]).replace("scheduler = rr", "scheduler = rr\npersistent = 300")
    for each in routers:
        each.apply(text)
    until(lambda: are_ready(routers), 30, "both run it")

    def servers() -> dict[str, str]:
        found = {}
        for source in sorted(sources, key=lambda each: each[::-1]):
            with connected(lab["client"], VIP, NAMES, source=source) as connection:
                found[source] = asked(connection)
        return found

    before = servers()
    assert len(set(before.values())) == 4
    with connected(lab["client"], VIP, NAMES) as connection:
        asked(connection)  # the next one would be another's
    if stops:
        one.end(signal.SIGTERM)
    else:
        until(lambda: one.client.failover(FailoverCommand.HAND_OVER).done, 30, "the backup is ready behind the Apply")
    until(lambda: is_active(two), 20, "the backup is active")
    tellings = 1 if stops else 2
    until(lambda: one.said().count("persistent clients belong") == tellings, 30, "it was told where they belong")
    assert servers() == before
    lab["client"].ip(*(f"addr del {each}/32 dev eth0" for each in sources))


@pytest.mark.parametrize("routers", [SLOW], indirect=True)
def test_a_hand_over_and_back_by_command_fail_no_request(lab: Topology, routers: Pair) -> None:
    one, two = routers
    refused = two.client.failover(FailoverCommand.HAND_OVER)
    assert not refused.done and "not active" in refused.sentences[0]
    with serving(lab) as client:
        assert one.client.failover(FailoverCommand.HAND_OVER).done
        until(lambda: is_active(two), 20, "the backup is active")
        until(lambda: told(one).state == "passive" and one.table() == [], 20, "the primary is passive")
        until(lambda: (daemons(one), daemons(two)) == (daemon("backup"), daemon("master")), 20, "the daemons changed")
        until(lambda: are_checked(one), 20, "it checks on")
        assert one.client.failover(FailoverCommand.TAKE_OVER).done
        until(lambda: is_active(one), 20, "the primary is active again")
        until(lambda: not carries(two.host), 20, "the backup is passive")
    assert client.failures == []
    assert longest_gap(client) < 3


def test_a_held_router_does_not_take_over_until_it_is_released(lab: Topology, routers: Pair) -> None:
    one, two = routers
    assert two.client.failover(FailoverCommand.HOLD).done
    assert told(two).state == "held"
    cut_off(one)
    stays(lambda: not carries(two.host) and two.table() == [], 2 * DEADTIME_S, "it does not take over")
    assert told(two).partner.state == "unknown"  # type: ignore[union-attr]
    assert two.client.failover(FailoverCommand.RELEASE).done
    until(lambda: is_active(two), 2 * DEADTIME_S, "it takes over")


def test_scenario_12_13_a_partition_heals_to_one_owner_within_a_keepalive(lab: Topology, routers: Pair) -> None:
    one, two = routers
    for each, partner in ((one, two), (two, one)):
        each.host.run("iptables-legacy", "-A", "INPUT", "-p", "udp", "-s", partner.host.address("dmz"), "-j", "DROP")
    until(lambda: is_active(two), 3 * DEADTIME_S, "both are active")
    assert is_active(one)
    for each in routers:
        each.host.run("iptables-legacy", "-F", "INPUT")
    until(lambda: not carries(two.host), 2 * KEEPALIVE_S + 1, "the backup yields")
    assert carries(one.host)
    until(lambda: told(two).state == "passive", 2, "it is passive")
    with serving(lab) as client:
        pass
    assert client.failures == []
    assert "partner active: deactivating LVS" in two.said() and "resending arps" in one.said()


def test_killed_processes_of_the_active_router_are_back_before_anybody_takes_over(lab: Topology, routers: Pair) -> None:
    one, two = routers
    with serving(lab) as client:
        for _ in range(3):
            (pid,) = one.pids("lvs")
            os.kill(pid, signal.SIGKILL)
            until(lambda: one.pids("lvs") not in ([], [pid]), 30, "pulse starts another lvs")  # noqa: B023
            until(one.is_there, 30, "its API answers")
            until(lambda: one.status().redundancy, 20, "it hears pulse")
            assert told(one).state == "active" and not carries(two.host)
            until(lambda: are_checked(one), 30, "it has checked everybody")
    assert one.process is not None
    assert [each.pid for each in one.status().processes[:2]] == [one.process.pid, *one.pids("lvs")]
    assert client.failures == []
    assert told(two).state == "passive"


def test_a_pulse_that_does_not_come_back_leaves_no_address_to_the_next_owner(lab: Topology, routers: Pair) -> None:
    one, two = routers
    assert one.process is not None
    os.kill(one.process.pid, signal.SIGKILL)
    one.process.wait()
    until(lambda: is_active(two), 3 * DEADTIME_S, "the backup takes over")
    until(lambda: not carries(one.host), 1, "the dead pulse's addresses are gone")
    until(lambda: one.table() == [], 20, "and so is the table")
    one.start()
    until(lambda: told(one).state == "passive", 30, "it comes back as the passive one")
    assert is_active(two)


def test_a_hung_lvs_is_replaced_and_nobody_takes_over(lab: Topology, routers: Pair) -> None:
    one, two = routers
    (pid,) = one.pids("lvs")
    with serving(lab) as client:
        os.kill(pid, signal.SIGSTOP)
        until(lambda: pid not in one.pids("lvs"), 30, "pulse ends it")
        until(one.is_there, 30, "another one answers")
    assert client.failures == []
    assert "said nothing for" in one.said() and told(two).state == "passive"

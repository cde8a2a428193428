"""Timeouts and the sync daemon, on a kernel that the test holds in its hand."""

from dataclasses import dataclass, field, replace

import pytest

from piranha.engine.ipvs_settings import REST_TURNS, IpvsSettings
from piranha.engine.table_store import TableStore
from piranha.errors import StepRefused
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.ipvs_values import SyncDaemon, SyncRole, Timeouts

KERNELS = Timeouts(900, 120, 300)
MASTER = SyncDaemon(SyncRole.MASTER, "eth1", 7)
BACKUP = SyncDaemon(SyncRole.BACKUP, "eth0", 9)


@dataclass
class Kernel:
    """Has timeouts and sync daemons; `refuses` all orders or starts with a sentence, `is_gone` altogether.

    `orders` are those about the daemons that were obeyed.
    """

    values: Timeouts = KERNELS
    daemons: dict[SyncRole, SyncDaemon] = field(default_factory=dict)
    refuses: str = ""
    refuses_start: str = ""
    is_gone: bool = False
    sets: int = 0
    orders: list[str] = field(default_factory=list)

    async def timeouts(self) -> Timeouts:
        if self.is_gone:
            raise KernelUnavailable("This kernel has no IPVS.")
        return self.values

    async def set_timeouts(self, wanted: Timeouts) -> None:
        if self.refuses:
            raise StepRefused(self.refuses)
        self.sets += 1
        self.values = Timeouts(*(new or old for new, old in zip(wanted, self.values, strict=True)))

    async def sync_daemons(self) -> tuple[SyncDaemon, ...]:
        if self.is_gone:
            raise KernelUnavailable("This kernel has no IPVS.")
        return tuple(self.daemons.values())

    async def start_sync(self, role: SyncRole, interface: str, sync_id: int) -> None:
        if self.refuses or self.refuses_start:
            raise StepRefused(self.refuses or self.refuses_start)
        assert role not in self.daemons
        self.orders.append(f"start {role} {interface} {sync_id}")
        self.daemons[role] = SyncDaemon(role, interface, sync_id)

    async def stop_sync(self, role: SyncRole) -> None:
        if self.refuses:
            raise StepRefused(self.refuses)
        self.orders.append(f"stop {role}")
        self.daemons.pop(role, None)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def settings(kernel: Kernel, paths) -> IpvsSettings:
    return IpvsSettings(kernel, TableStore(paths))


@pytest.fixture
def cluster(cluster_of, block):
    text = "tcp_timeout = 100\nsyncdaemon = 1\nsyncd_iface = eth1\nsyncd_id = 7\n"
    return cluster_of(text + block("web", "a=127.0.0.11:80"))


async def test_they_are_set_once_and_put_back_when_the_keywords_go(kernel, settings, cluster, cluster_of):
    for _ in range(2):
        await settings.follow(cluster, True)
    assert (kernel.values, kernel.sets) == (Timeouts(100, 120, 300), 1)
    assert kernel.daemons == {SyncRole.MASTER: MASTER}
    await settings.follow(cluster_of(""), True)
    assert (kernel.values, kernel.daemons) == (KERNELS, {})


async def test_the_next_engine_knows_what_was_there_before(kernel, settings, cluster, paths):
    await settings.follow(cluster, True)
    after = IpvsSettings(kernel, TableStore(paths))
    await after.follow(cluster, True)
    await after.restore()
    assert (kernel.values, kernel.daemons) == (KERNELS, {})


async def test_what_was_there_is_on_the_disk_before_it_is_changed(kernel, settings, cluster, paths):
    kernel.refuses = "no"
    await settings.follow(cluster, True)
    assert TableStore(paths).memory.timeouts == (900, 0, 0)


async def test_a_sync_daemon_with_another_id_is_started_anew_and_a_foreign_one_of_the_backup_role_stays(
    kernel, settings, cluster
):
    kernel.daemons[SyncRole.BACKUP] = BACKUP
    await settings.follow(cluster, True)
    await settings.follow(replace(cluster, syncd_id=8), True)
    assert kernel.daemons[SyncRole.MASTER] == replace(MASTER, sync_id=8)
    await settings.restore()
    assert kernel.daemons == {SyncRole.BACKUP: BACKUP}


async def test_a_master_that_somebody_else_started_is_left_alone_where_lvs_cf_asks_for_none(
    kernel, settings, cluster, cluster_of
):
    kernel.daemons[SyncRole.MASTER] = replace(MASTER, sync_id=99)
    await settings.follow(cluster_of(""), True)
    await settings.restore()
    assert kernel.daemons[SyncRole.MASTER].sync_id == 99


async def test_a_master_that_somebody_else_has_put_in_the_place_of_ours_is_left_alone_at_the_end(
    kernel, settings, cluster
):
    await settings.follow(cluster, True)
    kernel.daemons[SyncRole.MASTER] = replace(MASTER, sync_id=99)
    await settings.restore()
    assert kernel.daemons[SyncRole.MASTER].sync_id == 99


async def test_a_passive_router_listens_and_each_change_of_state_stops_the_one_before_first(kernel, settings, cluster):
    for is_active in (False, False, True, True, False):
        await settings.follow(cluster, is_active)
    listens, tells = "start backup eth1 7", "start master eth1 7"
    assert kernel.orders == [listens, "stop backup", tells, "stop master", listens]
    await settings.restore()
    assert kernel.daemons == {}


async def test_a_router_with_nothing_to_serve_runs_none(kernel, settings, cluster):
    for is_active in (False, True):
        await settings.follow(replace(cluster, virtual_servers=()), is_active)
        await settings.follow(replace(cluster, runs_sync_daemon=False), is_active)
    assert kernel.orders == []


@pytest.mark.parametrize("is_active", [True, False])
async def test_the_next_engine_takes_over_what_runs_and_knows_it_as_its_own(
    kernel, settings, cluster, paths, is_active
):
    await settings.follow(cluster, is_active)
    orders = list(kernel.orders)
    after = IpvsSettings(kernel, TableStore(paths))
    await after.follow(cluster, is_active)
    assert kernel.orders == orders
    await after.restore()
    assert kernel.daemons == {}


async def test_after_a_crash_another_state_and_another_id_leave_no_daemon_behind(kernel, settings, cluster, paths):
    await settings.follow(cluster, False)
    after = IpvsSettings(kernel, TableStore(paths))
    await after.follow(replace(cluster, syncd_id=8), True)
    assert kernel.daemons == {SyncRole.MASTER: replace(MASTER, sync_id=8)}


@pytest.mark.parametrize(("is_active", "left"), [(True, SyncRole.BACKUP), (False, SyncRole.MASTER)])
async def test_what_has_the_interface_and_the_id_of_lvs_cf_in_the_other_role_is_stopped(
    kernel, settings, cluster, is_active, left
):
    # As an original Piranha leaves it behind that was stopped.
    kernel.daemons[left] = replace(MASTER, role=left)
    await settings.follow(cluster, is_active)
    assert kernel.orders[0] == f"stop {left}"
    assert [daemon for role, daemon in kernel.daemons.items() if role is left] == []


@pytest.mark.parametrize("is_active", [True, False])
async def test_what_somebody_else_runs_in_the_other_role_stays_through_all_changes(
    kernel, settings, cluster, is_active
):
    other = SyncDaemon(SyncRole.BACKUP if is_active else SyncRole.MASTER, "eth1", 99)
    kernel.daemons[other.role] = other
    await settings.follow(cluster, is_active)
    await settings.follow(replace(cluster, syncd_iface="eth2"), is_active)
    await settings.restore()
    assert kernel.daemons == {other.role: other}


async def test_a_daemon_whose_device_was_made_anew_is_started_anew(kernel, paths, cluster):
    number = 3
    settings = IpvsSettings(kernel, TableStore(paths), lambda name: number)
    await settings.follow(cluster, False)
    # While there is no such device the daemon is told as what it is: nothing that hears.
    number, kernel.refuses_start = 0, "this router has no such interface"
    for _ in range(2):
        await settings.follow(cluster, False)
    assert (kernel.daemons, settings.problems) == ({}, ("this router has no such interface",))
    number, kernel.refuses_start = 4, ""
    for _ in range(2):
        await settings.follow(cluster, False)
    started = "start backup eth1 7"
    assert (kernel.orders, settings.problems) == ([started, "stop backup", started], ())
    number = 5
    await settings.follow(cluster, False)
    assert kernel.orders[3:] == ["stop backup", started]


async def test_what_the_engine_before_has_started_is_taken_over_on_whatever_device(kernel, paths, cluster):
    settings = IpvsSettings(kernel, TableStore(paths), lambda name: 3)
    kernel.daemons[SyncRole.MASTER] = MASTER
    for _ in range(2):
        await settings.follow(cluster, True)
    assert kernel.orders == []


async def test_it_is_on_the_disk_before_it_runs_and_forgotten_after_it_is_stopped(kernel, settings, cluster, paths):
    kernel.refuses = "no"
    await settings.follow(cluster, False)
    assert TableStore(paths).memory.sync == ("backup", "eth1", 7)
    kernel.refuses = ""
    for _ in range(REST_TURNS + 1):
        await settings.follow(cluster, False)
    kernel.refuses = "no"
    await settings.follow(cluster, True)
    await settings.restore()
    assert TableStore(paths).memory.sync == ("backup", "eth1", 7)
    kernel.refuses = ""
    await settings.restore()
    assert (TableStore(paths).memory.sync, kernel.daemons) == (None, {})


async def test_a_refusal_is_logged_once_kept_and_tried_again(kernel, settings, cluster, caplog):
    kernel.refuses = "Change syncd_iface."
    for _ in range(2):
        await settings.follow(cluster, True)
    assert settings.problems == ("Change syncd_iface.",)
    assert caplog.messages == ["Change syncd_iface."]
    kernel.refuses = ""
    for _ in range(REST_TURNS - 1):
        await settings.follow(cluster, True)
    assert settings.problems == ("Change syncd_iface.",), "it rests, and is told as long as it does"
    await settings.follow(cluster, True)
    assert settings.problems == () and kernel.daemons == {SyncRole.MASTER: MASTER}


async def test_a_kernel_that_is_gone_is_a_problem_and_no_more(kernel, settings, cluster):
    kernel.is_gone = True
    await settings.follow(cluster, True)
    assert settings.problems == ("This kernel has no IPVS.",)

"""Timeouts and the sync daemon, on a kernel that the test holds in its hand."""

from dataclasses import dataclass, field, replace

import pytest

from piranha.engine.ipvs_settings import IpvsSettings
from piranha.engine.table_store import TableStore
from piranha.errors import StepRefused
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.ipvs_values import SyncDaemon, SyncRole, Timeouts

KERNELS = Timeouts(900, 120, 300)
MASTER = SyncDaemon(SyncRole.MASTER, "eth1", 7)
BACKUP = SyncDaemon(SyncRole.BACKUP, "eth0", 9)


@dataclass
class Kernel:
    """Has timeouts and sync daemons; `refuses` with a sentence, `is_gone` altogether."""

    values: Timeouts = KERNELS
    daemons: dict[SyncRole, SyncDaemon] = field(default_factory=dict)
    refuses: str = ""
    is_gone: bool = False
    sets: int = 0

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
        if self.refuses:
            raise StepRefused(self.refuses)
        assert role not in self.daemons
        self.daemons[role] = SyncDaemon(role, interface, sync_id)

    async def stop_sync(self, role: SyncRole) -> None:
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


async def test_only_an_active_router_with_something_to_serve_tells_its_partner(kernel, settings, cluster):
    await settings.follow(cluster, False)
    await settings.follow(replace(cluster, virtual_servers=()), True)
    assert kernel.daemons == {}


async def test_a_refusal_is_logged_once_kept_and_tried_again(kernel, settings, cluster, caplog):
    kernel.refuses = "Change syncd_iface."
    for _ in range(2):
        await settings.follow(cluster, True)
    assert settings.problems == ("Change syncd_iface.",)
    assert caplog.messages == ["Change syncd_iface."]
    kernel.refuses = ""
    await settings.follow(cluster, True)
    assert settings.problems == () and kernel.daemons == {SyncRole.MASTER: MASTER}


async def test_a_kernel_that_is_gone_is_a_problem_and_no_more(kernel, settings, cluster):
    kernel.is_gone = True
    await settings.follow(cluster, True)
    assert settings.problems == ("This kernel has no IPVS.",)

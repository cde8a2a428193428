"""What the kernel tells beside its table."""

import pytest

from piranha.config.load import load
from piranha.engine.kernel_facts import kernel_status
from piranha.ipvs.settings import FORWARD, NAMES, KernelSettings
from piranha.status import ConnectionTimeouts, SettingVerdict, SyncDaemonStatus
from piranha.system.ipvs_socket import KernelUnavailable
from piranha.system.ipvs_values import Info, SyncDaemon, SyncRole, Timeouts
from tests.engine.conftest import TablePath

NAT = load("network = nat\nvirtual a {\n active = 1\n address = 192.0.2.1 eth0:1\n port = 80\n}\n").cluster


class KernelTablePath(TablePath):
    """A data path that tells what the kernel's does."""

    async def timeouts(self) -> Timeouts:
        return Timeouts(900, 120, 300)

    async def sync_daemons(self) -> tuple[SyncDaemon, ...]:
        return (SyncDaemon(SyncRole.MASTER, "eth1", 7),)

    async def info(self) -> Info:
        return Info("1.2.1", 4096)


class GonePath(KernelTablePath):
    """The same after the module went."""

    async def info(self) -> Info:
        raise KernelUnavailable("There is no IPVS here.")


def no_forwarding() -> KernelSettings:
    return KernelSettings({**dict.fromkeys(NAMES), FORWARD: "0"})


async def test_a_data_path_outside_of_the_kernel_has_no_kernel_to_tell_of() -> None:
    assert await kernel_status(TablePath(), NAT, read=no_forwarding) is None


@pytest.mark.parametrize("is_managed", [True, False])
async def test_version_timeouts_daemons_and_settings_are_told_for_what_runs(is_managed: bool) -> None:
    told = await kernel_status(KernelTablePath(), NAT, is_managed=is_managed, read=no_forwarding)
    assert told is not None
    assert (told.ipvs_version, told.connection_table_size) == ("1.2.1", 4096)
    assert told.timeouts == ConnectionTimeouts(900, 120, 300)
    assert told.sync_daemons == (SyncDaemonStatus("master", "eth1", 7),)
    (forward,) = [each for each in told.settings if each.name == FORWARD]
    assert (forward.verdict, forward.is_managed) == (SettingVerdict.WRONG, is_managed)
    assert told.problem == "" and told.source.age_s is not None


async def test_what_is_not_known_is_said_and_the_settings_are_told_all_the_same() -> None:
    told = await kernel_status(GonePath(), NAT, read=no_forwarding)
    assert told is not None
    assert told.problem == "There is no IPVS here."
    assert told.timeouts is None and told.sync_daemons is None
    assert {each.name for each in told.settings} >= {FORWARD}

"""Which client is on which real server, as the API tells it, of real connections in a real kernel."""

import asyncio
import select
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest
import pytest_asyncio

from piranha.config.load import load
from piranha.config.model import Forwarding, Protocol
from piranha.engine.connections import asked
from piranha.engine.kernel_facts import kernel_status
from piranha.ipvs.settings import EXPIRE_NODEST, FORWARD, REVERSE_PATH
from piranha.ipvs.table import AddDestination, AddService, Destination, DestinationKey, Service, TableKey
from piranha.messages import ConnectionsQuery
from piranha.status import SettingVerdict
from piranha.system import kernel_settings
from piranha.system.ipvs_connections import Connections, Wanted
from piranha.system.ipvs_values import Timeouts
from piranha.system.kernel_ipvs import KernelPath
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

VIP = "198.51.100.100"
WEB = TableKey(Protocol.TCP, ip_address(VIP), 80)
STICKY = TableKey(Protocol.TCP, ip_address(VIP), 81)
NAT_CLUSTER = load(f"network = nat\nvirtual web {{\n active = 1\n address = {VIP} eth0:1\n port = 80\n}}\n").cluster


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    """Give the NAT topology with the floating addresses on lvs1."""
    made = Topology(NAT)
    made.make()
    made["lvs1"].ip(f"addr add {VIP}/32 dev eth0", "addr add 10.0.0.254/24 dev eth1")
    yield made
    made.remove()


class RouterPath(KernelPath):
    """The kernel path of a router that is not this process' own namespace: its /proc/net is another."""

    proc_net: Path

    async def connections(
        self, wanted: Wanted, shown_max: int = 1000, proc_net: Path = Path("/proc/net")
    ) -> Connections:
        return await super().connections(wanted, shown_max, self.proc_net)


@pytest_asyncio.fixture
async def path(topology: Topology) -> AsyncIterator[RouterPath]:
    """Give lvs1's kernel with two services of two real servers each, one of them persistent."""
    lvs1 = topology["lvs1"]
    holder = lvs1.start("tail", "-f", "/dev/null", output=Path("/dev/null"))
    made = lvs1.call(RouterPath)
    made.proc_net = Path(f"/proc/{holder.pid}/net")
    steps = [AddService(WEB, Service("rr")), AddService(STICKY, Service("rr", 300))]
    for key in (WEB, STICKY):
        for number in (21, 22):
            place = DestinationKey(ip_address(f"10.0.0.{number}"), 8080)
            steps.append(AddDestination(key, place, Destination(Forwarding.NAT, 1)))
    assert await made.apply_many(steps) == (None,) * len(steps)
    yield made
    lvs1.run("ipvsadm", "-C")
    await made.close()


def listening(host: Host, stack: ExitStack) -> socket.socket:
    """Return a listener of a real server."""
    made = stack.enter_context(host.socket())
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("0.0.0.0", 8080))
    made.listen(64)
    return made


def connected(client: Host, port: int, listeners: dict[str, socket.socket], stack: ExitStack) -> tuple[int, str]:
    """Connect from the client; return its port, and the name of the real server that took the connection."""
    made = stack.enter_context(client.socket())
    made.settimeout(10)
    made.connect((VIP, port))
    ready, _, _ = select.select(list(listeners.values()), [], [], 10)
    (listener,) = ready
    stack.enter_context(listener.accept()[0])
    name = next(name for name, each in listeners.items() if each is listener)
    return made.getsockname()[1], name


async def test_each_open_connection_stands_there_with_its_client_and_the_server_that_really_has_it(
    topology: Topology, path: RouterPath
) -> None:
    client = topology["client"]
    with ExitStack() as stack:
        listeners = {f"10.0.0.{number}:8080": listening(topology[f"rs{number - 20}"], stack) for number in (21, 22)}
        really = dict(connected(client, 80, listeners, stack) for _ in range(6))
        sticky = dict(connected(client, 81, listeners, stack) for _ in range(3))
        told = await asked(path, ConnectionsQuery(client=client.address(), state="ESTABLISHED"))
        assert {each.client_port: each.server for each in told.shown} == {**really, **sticky}
        assert set(really.values()) == set(listeners), "rr used both"
        assert {each.virtual for each in told.shown} == {f"{VIP}:80", f"{VIP}:81"}
        assert not any(each.is_template for each in told.shown)

        templates = await asked(path, ConnectionsQuery(state="template"))
        ((only,), (server,)) = templates.shown, set(sticky.values())
        assert (only.client, only.client_port, only.server, only.virtual) == (client.address(), 0, server, f"{VIP}:81")
        assert only.expires_s is not None and 0 < only.expires_s <= 300

        of_one = await asked(path, ConnectionsQuery(vip=f"{VIP}:80", server="10.0.0.21"))
        assert {each.client_port for each in of_one.shown} == {
            port for port, server in really.items() if server == "10.0.0.21:8080"
        }
        bounded = await asked(path, ConnectionsQuery(vip=VIP, limit="2"))
        assert len(bounded.shown) == 2 and bounded.matching == 10 and bounded.is_whole
        nobody = await asked(path, ConnectionsQuery(client="192.0.2.200"))
        assert (nobody.shown, nobody.matching, nobody.problem) == ((), 0, "")


async def test_the_kernel_tells_version_timeouts_daemons_and_the_settings_of_the_router(
    topology: Topology, path: RouterPath
) -> None:
    lvs1 = topology["lvs1"]
    await path.set_timeouts(Timeouts(901, 121, 301))
    lvs1.sysctl(REVERSE_PATH, "0")
    lvs1.sysctl(EXPIRE_NODEST, "0")
    told = await kernel_status(path, NAT_CLUSTER, read=lambda: lvs1.call(kernel_settings.read))
    assert told is not None and told.problem == "" and told.timeouts is not None
    assert (told.timeouts.tcp_s, told.timeouts.tcp_fin_s, told.timeouts.udp_s) == (901, 121, 301)
    assert told.ipvs_version.startswith("1.") and told.connection_table_size
    assert told.sync_daemons == ()
    verdicts = {each.name: each.verdict for each in told.settings}
    assert verdicts[FORWARD] is SettingVerdict.FITS
    assert verdicts[EXPIRE_NODEST] is SettingVerdict.ADVISED
    assert SettingVerdict.UNKNOWN not in verdicts.values()


async def test_a_router_that_does_not_forward_is_told_and_mended_by_the_command(
    topology: Topology, path: RouterPath
) -> None:
    lvs1 = topology["lvs1"]
    lvs1.sysctl(FORWARD, "0")
    try:
        told = await kernel_status(path, NAT_CLUSTER, read=lambda: lvs1.call(kernel_settings.read))
        assert told is not None
        (row,) = [each for each in told.settings if each.name == FORWARD]
        assert row.verdict is SettingVerdict.WRONG
        await asyncio.to_thread(lambda: lvs1.call(lambda: kernel_settings.write(FORWARD, row.wanted)))
        assert lvs1.call(lambda: kernel_settings.value(FORWARD)) == "1"
    finally:
        lvs1.sysctl(FORWARD, "1")

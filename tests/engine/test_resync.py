"""Which connections the partner is told of, and what becomes of it where that cannot be."""

from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import pytest

from piranha.config.model import Cluster, Forwarding
from piranha.engine import resync as module
from piranha.engine.resync import MOVING_MOST, Resync
from piranha.errors import PiranhaError
from piranha.ipvs.table import DestinationKey
from piranha.system.ipvs_connections import Connection, Connections, Wanted
from piranha.system.ipvs_socket import KernelUnavailable

SYNCED = Cluster(runs_sync_daemon=True, syncd_iface="eth1", syncd_id=7, forwarding=Forwarding.DIRECT)
OPEN = Connection(
    "TCP",
    DestinationKey(ip_address("192.0.2.10"), 40000),
    DestinationKey(ip_address("198.51.100.100"), 80),
    DestinationKey(ip_address("10.0.0.21"), 8080),
    "ESTABLISHED",
    899,
)
MARKED = replace(OPEN, protocol="IP", virtual=None, fwmark=9, is_template=True, state="NONE", expires_s=300)


@dataclass
class Path:
    """A data path with some connections."""

    shown: tuple[Connection, ...] = ()
    trouble: str = ""
    asked: list[tuple[Wanted, int]] = field(default_factory=list)

    async def connections(self, wanted: Wanted, shown_max: int) -> Connections:
        self.asked.append((wanted, shown_max))
        if self.trouble:
            raise KernelUnavailable(self.trouble)
        return Connections(self.shown[:shown_max], len(self.shown), len(self.shown), True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[bytes]]]:
    """What goes out, by interface."""
    found: list[tuple[str, list[bytes]]] = []
    monkeypatch.setattr(module.sync_sender, "send", lambda device, them: found.append((device, list(them))))
    return found


async def test_every_connection_goes_out_by_the_interface_of_the_sync_daemon_with_its_id(sent) -> None:
    path = Path((OPEN, MARKED))
    assert await Resync(path).tell_all(SYNCED) == 2
    ((device, (message,)),) = sent
    assert device == "eth1" and message[1] == 7 and message[4] == 2
    assert message[8 + 4 : 8 + 8] == (3).to_bytes(4, "big"), "direct routing"
    assert message[8 + 36 + 28 : 8 + 36 + 32] == ip_address("0.0.0.9").packed, "the mark in place of the address"
    assert message[8 + 36 + 20 : 8 + 36 + 24] == (300).to_bytes(4, "big"), "how long the template is kept"


async def test_a_move_tells_of_no_more_than_there_is_time_for(sent) -> None:
    path = Path((OPEN,) * (MOVING_MOST + 1))
    assert await Resync(path).tell_moving(SYNCED) == MOVING_MOST
    await Resync(path).tell_templates(SYNCED)
    assert [wanted.templates for wanted, _ in path.asked] == [None, True]


async def test_without_a_sync_daemon_or_connections_nothing_is_sent(sent) -> None:
    path = Path((OPEN,))
    assert await Resync(path).tell_all(replace(SYNCED, runs_sync_daemon=False)) == 0
    assert await Resync(Path()).tell_all(SYNCED) == 0
    assert sent == [] and path.asked == []


async def test_a_refusal_is_told_and_over_when_it_goes(sent, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    path = Path((OPEN,), "no table")
    resync = Resync(path)
    for _ in range(2):
        assert await resync.tell_all(SYNCED) == 0
    assert resync.troubles == ("no table",) and caplog.text.count("no table") == 1
    path.trouble = ""
    assert await resync.tell_all(SYNCED) == 1 and resync.troubles == ()

    def refuse(device: str, them: object) -> None:
        raise PiranhaError("no device")

    monkeypatch.setattr(module.sync_sender, "send", refuse)
    assert await resync.tell_all(SYNCED) == 0 and resync.troubles == ("no device",)

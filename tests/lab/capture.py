"""What the tests of floating addresses look at: the addresses of a host, their changes, frames at an interface."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from piranha.ipvs.addresses import Held
from piranha.system import arp
from piranha.system.addresses import AddressChanged, ChangeWatch, RouterAddresses
from piranha.system.arp_frames import claim_of
from tests.lab.topology import Host

ETH_P_ALL = 3
MARK = b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x88\xb5" + bytes(46)  # an ethertype for experiments (IEEE 802)
WAIT_S = 5


def held_by(host: Host, device: str = "") -> set[Held]:
    """Return the addresses of a host, on one device or on all."""
    with host.inside(), RouterAddresses() as router:
        return {each.held for each in router.read().addresses if device in ("", each.held.device)}


class Capture:
    """Every frame that comes to an interface."""

    def __init__(self, host: Host, device: str) -> None:
        self._host, self._device = host, device
        self._socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        with host.inside():
            self._socket.bind((device, ETH_P_ALL))

    def about(self, address: object, sender: Host, device: str) -> list[bytes]:
        """Return the frames that claim an address or ask for it, up to now: to a mark that the sender sends."""
        with sender.inside():
            arp.send(device, MARK)
        found = []
        ends_at = time.monotonic() + WAIT_S
        while True:
            assert select.select([self._socket], [], [], ends_at - time.monotonic())[0], "the mark did not come"
            frame = self._socket.recv(2048)
            if frame[12:14] == MARK[12:14]:
                return found
            claim = claim_of(frame)
            if claim is not None and claim[0] == address:
                found.append(frame)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def captured(host: Host, device: str) -> Iterator[Capture]:
    """Capture what comes to an interface during the block."""
    capture = Capture(host, device)
    try:
        yield capture
    finally:
        capture.close()


@contextmanager
def watching(host: Host) -> Iterator[ChangeWatch]:
    """Hear of every change of a host's addresses during the block."""
    with host.inside():
        watch = ChangeWatch()
    with watch:
        yield watch


def changed(host: Host, watch: ChangeWatch) -> list[tuple[str, bool]]:
    """Return which addresses came (False) and went (True)."""
    with host.inside():
        said = [each for each in watch.changes() if isinstance(each, AddressChanged)]
    return [(str(each.address.held), each.is_gone) for each in said]


def gone(host: Host, watch: ChangeWatch) -> list[str]:
    """Return which addresses went. (Of new IPv6 ones the kernel tells a second time, a little later.)"""
    return [written for written, is_gone in changed(host, watch) if is_gone]

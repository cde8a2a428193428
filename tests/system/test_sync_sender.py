"""Messages of the connection sync go to the group, by the interface that was named."""

import socket
import struct

import pytest

from piranha.errors import PiranhaError
from piranha.ipvs.sync_wire import GROUP, PORT
from piranha.system.sync_sender import send


def test_messages_go_to_the_group_by_the_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[object, ...]] = []

    class Socket(socket.socket):
        def setsockopt(self, *words: object) -> None:  # type: ignore[override]
            said.append(words)

        def sendto(self, *words: object) -> int:  # type: ignore[override]
            said.append(words)
            return 0

    monkeypatch.setattr(socket, "socket", Socket)
    assert send("lo", iter([b"one", b"two"])) == 2
    index = socket.if_nametoindex("lo")
    way = struct.pack("=4s4si", bytes(4), bytes(4), index)
    assert (socket.IPPROTO_IP, socket.IP_MULTICAST_IF, way) in said
    assert (socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1) in said
    assert said[-2:] == [(b"one", (GROUP, PORT)), (b"two", (GROUP, PORT))]


def test_an_interface_that_is_not_there_is_told() -> None:
    with pytest.raises(PiranhaError, match="on eth99: "):
        send("eth99", [b"one"])

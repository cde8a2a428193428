"""One connection of the embedded data path: bytes carried between a client's socket and a real server's.

Rule 1: what happens on one side happens on the other. An end of data is passed on as one (the other direction
goes on), a reset as a reset.
Rule 2: nobody is read who has something unsent at the other side, so a slow reader costs one buffer and no
more.
Rule 3: a relay decides nothing. Whom to connect to, and what to do when that fails, is its owner's business.

It works on non-blocking sockets and the loop's readiness callbacks: no task, no stream, no copy unless the
kernel takes less than it was given.
"""

import asyncio
import socket
import struct
from typing import Protocol as Interface

BUFFER_BYTES = 128 * 1024
"""How much is read at once, and how much one direction can hold unsent."""

_NO_LINGER = struct.pack("ii", 1, 0)
"""struct linger {on, 0 s}: close() sends a reset."""


class Tally:
    """Bytes counted in one direction."""

    __slots__ = ("bytes",)

    def __init__(self) -> None:
        self.bytes = 0


class Scratch:
    """The buffer that all relays of one loop read into: between two callbacks it holds nothing."""

    __slots__ = ("view",)

    def __init__(self, size: int = BUFFER_BYTES) -> None:
        self.view = memoryview(bytearray(size))


class Owner(Interface):
    """Who is told how a relay fares. Each is called at most once, `refused` once for each attempt."""

    def connected(self, relay: "Relay") -> None:
        """The server took the connection; bytes flow from now on."""
        ...

    def refused(self, relay: "Relay") -> None:
        """The server did not take the connection. Attempt another one, or reset the relay."""
        ...

    def half_closed(self, relay: "Relay") -> None:
        """One side has sent all it had to send."""
        ...

    def ended(self, relay: "Relay", is_orderly: bool) -> None:
        """Both sockets are closed; orderly: both sides had sent all they had to send."""
        ...


class _Flow:
    """One direction: what `source` sends goes to `sink`."""

    __slots__ = ("has_ended", "loop", "relay", "sink", "source", "tally", "unsent", "view")

    def __init__(
        self, relay: "Relay", source: socket.socket, sink: socket.socket, scratch: Scratch, tally: Tally
    ) -> None:
        self.relay = relay
        self.loop = relay.loop
        self.source = source
        self.sink = sink
        self.view = scratch.view
        self.tally = tally
        self.unsent: memoryview | None = None
        self.has_ended = False

    def start(self) -> None:
        self.loop.add_reader(self.source, self.read)

    def stop(self) -> None:
        if self.unsent is not None:
            self.loop.remove_writer(self.sink)
        elif not self.has_ended:
            self.loop.remove_reader(self.source)

    def read(self) -> None:
        try:
            count = self.source.recv_into(self.view)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.relay.reset()
            return
        if count == 0:
            self.loop.remove_reader(self.source)
            # Nothing is unsent here: the source is only read while that is so.
            self.has_ended = True
            self.relay.flow_ended(self.sink)
            return
        self.tally.bytes += count
        try:
            sent = self.sink.send(self.view[:count])
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.relay.reset()
            return
        if sent < count:
            self.unsent = memoryview(bytes(self.view[sent:count]))
            self.loop.remove_reader(self.source)
            self.loop.add_writer(self.sink, self.write)

    def write(self) -> None:
        assert self.unsent is not None
        try:
            sent = self.sink.send(self.unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.relay.reset()
            return
        self.unsent = self.unsent[sent:]
        if not self.unsent:
            self.unsent = None
            self.loop.remove_writer(self.sink)
            self.loop.add_reader(self.source, self.read)


class Relay:
    """A client's connection and the one to the real server that serves it.

    `attempt` starts a connection to a server; the owner hears `connected` or `refused`. `reset` ends both
    sides at once, at any time.
    """

    __slots__ = ("_flows", "_owner", "_scratch", "client", "is_over", "loop", "server")

    def __init__(self, loop: asyncio.AbstractEventLoop, client: socket.socket, owner: Owner, scratch: Scratch) -> None:
        self.loop = loop
        self.client = client
        self.server: socket.socket | None = None
        self.is_over = False
        self._owner = owner
        self._scratch = scratch
        self._flows: tuple[_Flow, _Flow] | None = None

    def attempt(self, family: int, address: tuple[str, int]) -> None:
        """Begin to connect to a server. `Owner.refused` may be called before this returns."""
        try:
            server = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            # Out of descriptors: that is nobody's refusal, and another server would change nothing.
            self.reset()
            return
        self.server = server
        server.setblocking(False)
        try:
            server.connect(address)
        except (BlockingIOError, InterruptedError):
            self.loop.add_writer(server, self._connect_finished)
        except OSError:
            self.give_up_server()
            self._owner.refused(self)
        else:
            self._connected(server)

    def give_up_server(self) -> None:
        """Close the server's socket while it is still connecting."""
        if self.server is not None:
            self.loop.remove_writer(self.server)
            self.server.close()
            self.server = None

    def count_into(self, bytes_in: Tally, bytes_out: Tally) -> None:
        """Start to carry bytes: in is what the client sends. To be called from `Owner.connected`."""
        assert self.server is not None
        self.loop.remove_writer(self.server)
        there = _Flow(self, self.client, self.server, self._scratch, bytes_in)
        back = _Flow(self, self.server, self.client, self._scratch, bytes_out)
        self._flows = (there, back)
        there.start()
        back.start()
        # What the client said while the server was connecting is here by now, most likely.
        there.read()

    def reset(self) -> None:
        """End both sides with a reset."""
        self._close(is_orderly=False)

    def flow_ended(self, sink: socket.socket) -> None:
        """Pass the end of one direction on to its sink; after both, the connection is over."""
        assert self._flows is not None
        if self._flows[0].has_ended and self._flows[1].has_ended:
            self._close(is_orderly=True)
            return
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.reset()
        else:
            self._owner.half_closed(self)

    def _connect_finished(self) -> None:
        server = self.server
        assert server is not None
        if server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or _is_connected_to_itself(server):
            self.give_up_server()
            self._owner.refused(self)
        else:
            self._connected(server)

    def _connected(self, server: socket.socket) -> None:
        prepare(server)
        self._owner.connected(self)

    def _close(self, *, is_orderly: bool) -> None:
        if self.is_over:
            return
        self.is_over = True
        if self._flows is not None:
            for flow in self._flows:
                flow.stop()
            self._flows = None
        elif self.server is not None:
            self.loop.remove_writer(self.server)
        for end in (self.client, self.server):
            if end is not None:
                if not is_orderly:
                    _set(end, socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                end.close()
        self._owner.ended(self, is_orderly)


def _is_connected_to_itself(connection: socket.socket) -> bool:
    # Nobody listens there, but the system gave our end the very port we connect to (RFC 9293, 3.5: both ends
    # open).
    try:
        return bool(connection.getsockname() == connection.getpeername())
    except OSError:
        return False


def prepare(connection: socket.socket) -> None:
    """Set what every connection has: no delay of small writes, and a probe of peers that are silent for
    hours.
    """
    _set(connection, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _set(connection, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _set(connection: socket.socket, level: int, option: int, value: int | bytes) -> None:
    # A peer may have reset the connection meanwhile; some systems then refuse options. The next read tells.
    try:
        connection.setsockopt(level, option, value)
    except OSError:
        pass

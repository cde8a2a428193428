"""The inside of a worker: hears on its socket what to check, checks, and tells what it found, once per turn.

It ends when lvs closes the socket. Where lvs does not read, no new check begins: nothing is thrown away, and nothing
grows.
"""

import asyncio
import logging
import socket
from typing import cast

from piranha.nanny.frames import BATCH, NOTE_MAX, ORDERED_MAX, Found, Frames, Note, Same, Told, found_of, read_watch
from piranha.nanny.frames import told_frame as frame_of
from piranha.nanny.rounds import Outcome, Rounds, slots_here

ALIVE_S = 1.0
"""A worker says something that often at least."""
UNREAD_BYTES = 1024 * 1024
"""Beyond this much that lvs did not read no check begins."""


class Worker(asyncio.Protocol):
    """One worker, at the other end of lvs' socket."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.ended = asyncio.Event()
        self._rounds = Rounds(group, self._tell, slots=slots_here())
        self._loop = asyncio.get_running_loop()
        self._frames = Frames(ORDERED_MAX)
        self._transport: asyncio.Transport | None = None
        self._told: list[Told] = []
        self._last: dict[int, tuple[bool, str, bytes, bytes]] = {}
        self._is_flushing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say that this worker is there, and go on saying it."""
        # uvloop's are no children of asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNREAD_BYTES)
        self._live()

    def data_received(self, data: bytes) -> None:
        """Take orders."""
        for body in self._frames.add(data):
            orders, dropped = read_watch(body)
            for number in dropped:
                self._last.pop(number, None)
            self._rounds.drop(dropped)
            self._rounds.order(orders)

    def pause_writing(self) -> None:
        """lvs does not read."""
        self._rounds.hold()

    def resume_writing(self) -> None:
        """lvs reads again."""
        self._rounds.go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """lvs is gone, or wants this worker to go."""
        self._transport = None
        self._rounds.stop()
        self.ended.set()

    def note(self, level: int, text: str) -> None:
        """Tell lvs a line for its log."""
        self._add(Note(level, text[:NOTE_MAX]))

    def _tell(self, outcome: Outcome) -> None:
        told = found_of(outcome)
        if isinstance(told, Found):
            found = (told.is_good, told.reason, told.sent, told.received)
            if self._last.get(told.number) == found:
                told = Same(told.number, told.ended, told.due, told.took_s)
            else:
                self._last[told.number] = found
        self._add(told)

    def _add(self, told: Told) -> None:
        self._told.append(told)
        if len(self._told) >= BATCH:
            self._flush()
        elif not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._flush)  # behind everything else that ends in this turn

    def _flush(self) -> None:
        self._is_flushing = False
        if self._transport is not None and self._told:
            self._transport.write(frame_of(self._told))
        self._told.clear()

    def _live(self) -> None:
        if self._transport is not None:
            self._transport.write(frame_of([]))
            self._loop.call_later(ALIVE_S, self._live)


class _Notes(logging.Handler):
    """Tells lvs what this process logs."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def emit(self, record: logging.LogRecord) -> None:
        self._worker.note(record.levelno, self.format(record))


async def work(talk: socket.socket) -> None:
    """Be a worker at this socket until it is closed."""
    async with asyncio.TaskGroup() as group:
        worker = Worker(group)
        notes = _Notes(worker)
        logging.getLogger().addHandler(notes)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: worker, sock=talk)
            await worker.ended.wait()
        finally:
            logging.getLogger().removeHandler(notes)

"""lvs as pulse sees it: a process that is started, started again when it ends, and heard on a Unix socket.

Rule 1: a dead lvs takes nothing along: the table stays in the kernel, the addresses are pulse's. The next one takes
both over. Rule 2: one that is silent for HUNG_S is as good as dead, and is ended. Rule 3: one that outlived an earlier
pulse is taken over as it is. Rule 4: pulse never waits for it. Rule 5: whoever connects is lvs when it speaks as lvs
does, not before: another pulse that starts knocks too. Rule 6: the time that pulse stood still itself is no silence.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from piranha.guard import Turn
from piranha.pulse.messages import LINE_BYTES_MAX, FromLvs, FromPulse, decode_from_lvs, encode
from piranha.system import unix_socket

log = logging.getLogger("pulse")

LEASE_S = 20.0
"""So long an active router carries on without its lvs."""
HUNG_S = 12.0
"""An lvs that was heard and says nothing for so long is ended; its successor has the rest of the lease."""
START_S = 30.0
"""One that was never heard is ended after so long."""
ADOPT_S = 2.0
"""So long a pulse that just started waits for an lvs that outlived the one before."""
LOOK_MOST_S = 2.0
"""So much silence is counted between two looks at most."""
PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0)
"""Before it is started again; from the beginning after one that was heard."""
END_S = 15.0
_UNSENT_BYTES_MAX = 4 * 1024 * 1024


class Lvs:
    """Starts, hears and ends lvs. `hear` gets what it says, `came` is called when one is there."""

    def __init__(
        self,
        words: Sequence[str],
        api: Path,
        now: Callable[[], float],
        hear: Callable[[FromLvs], None],
        came: Callable[[], None],
    ) -> None:
        """`words` start it; `api` is the socket that it answers at."""
        self._words = tuple(words)
        self._api = api
        self._now = now
        self._hear = hear
        self._came = came
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._pid = 0
        self._looked_at = now()
        self._silent_s = self._quiet_s = 0.0
        self._killed = 0
        self._was_heard = False
        self._reloads_later = False
        self._connected, self._lost = asyncio.Event(), asyncio.Event()
        self._is_over = False

    @property
    def silent_s(self) -> float:
        """Return for how long nothing was heard of it, seconds."""
        return self._silent_s

    @property
    def is_there(self) -> bool:
        """Say whether it is connected and was heard."""
        return self._connected.is_set()

    def tell(self, message: FromPulse) -> None:
        """Tell it something; nothing if it is not there."""
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > _UNSENT_BYTES_MAX:
            writer.transport.abort()  # it does not read: it is started again when the lease is over
            return
        writer.write(encode(message) + b"\n")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def reload(self) -> None:
        """Have it apply the saved lvs.cf; later, if it is not there: one that just starts would die of the signal."""
        if self._connected.is_set():
            self.send(signal.SIGHUP)
        else:
            self._reloads_later = True

    async def accept(self, listener: socket.socket) -> None:
        """Hear whoever connects, the last one only, until cancelled."""
        server = await asyncio.start_unix_server(self._connection, sock=listener, limit=LINE_BYTES_MAX)
        async with server:
            await server.serve_forever()

    async def keep(self) -> None:
        """Have one that runs, until `end`."""
        if unix_socket.is_answered(self._api):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ADOPT_S):
                    await self._connected.wait()
        tries = 0
        while not self._is_over:
            with Turn("Running lvs"):
                if self._writer is not None and self._process is None:
                    log.info("lvs, process %d, is taken over.", self._pid)
                    await self._lost.wait()
                else:
                    tries = 0 if await self._run_one() else tries
            if not self._is_over:
                await asyncio.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])
                tries += 1

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait for that; a process that does not end is killed."""
        self._is_over = True
        self.send(number)
        try:
            async with asyncio.timeout(END_S):
                await self._gone()
        except TimeoutError:
            log.error("lvs did not end within %g s and is killed.", END_S)
            self.send(signal.SIGKILL)

    def look(self) -> None:
        """Count its silence, and kill one that hangs, once."""
        passed_s = min(self._now() - self._looked_at, LOOK_MOST_S)
        self._looked_at = self._now()
        self._silent_s += passed_s
        self._quiet_s += passed_s
        is_hung = self._quiet_s > (HUNG_S if self._connected.is_set() else START_S)
        if self._pid and self._pid != self._killed and is_hung:
            log.error("lvs, process %d, said nothing for %.0f s and is killed.", self._pid, self._quiet_s)
            self._killed = self._pid
            self.send(signal.SIGKILL)

    async def _gone(self) -> None:
        if self._process is not None:
            await self._process.wait()
        elif self._writer is not None:
            await self._lost.wait()

    async def _run_one(self) -> bool:
        """Run one until it ends; say whether it was heard."""
        try:
            process = await asyncio.create_subprocess_exec(*self._words, stdin=asyncio.subprocess.DEVNULL)
        except OSError as error:
            log.error("lvs cannot be started: %s", error.strerror)
            return False
        self._process, self._pid, self._killed = process, process.pid, 0
        self._quiet_s, self._was_heard = 0.0, False
        try:
            status = await process.wait()
        finally:
            self._process, self._pid = None, 0
        if status < 0:
            log.warning("Child process %d terminated with signal %d", process.pid, -status)
        else:
            log.log(
                logging.INFO if self._is_over else logging.WARNING,
                "Child process %d exited with status %d",
                process.pid,
                status,
            )
        return self._was_heard

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with Turn("Hearing lvs"):
            caller = unix_socket.caller(writer.get_extra_info("socket"))
            if caller is None or caller.uid != os.geteuid():
                log.error("Somebody who is not lvs spoke to pulse (uid %s) and was not heard.", caller and caller.uid)
                writer.close()
                return
            try:
                await self._read(reader, writer, caller.pid)
            finally:
                if self._writer is writer:
                    self._writer = None
                    if self._process is None:
                        self._pid = 0  # it may be another process's soon
                    self._connected.clear()
                    self._lost.set()
                writer.close()

    def _is_here(self, writer: asyncio.StreamWriter, pid: int) -> None:
        """Take note that lvs spoke, and tell it how things stand if it did not speak on this connection before."""
        self._silent_s, self._quiet_s, self._was_heard = 0.0, 0.0, True
        if self._writer is writer:
            return
        if self._writer is not None:
            self._writer.transport.abort()
        self._lost.set()
        self._writer, self._lost = writer, asyncio.Event()
        if self._process is None:
            self._pid, self._killed = pid, 0
        self._connected.set()
        self._came()
        if self._reloads_later:
            self._reloads_later = False
            self.send(signal.SIGHUP)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int) -> None:
        while True:
            try:
                line = await reader.readline()
            except (OSError, ValueError):
                return
            if not line:
                return
            with Turn("What lvs said"):
                try:
                    message = decode_from_lvs(line)
                except msgspec.DecodeError as problem:
                    log.error("lvs said what pulse does not understand: %s", problem)
                    continue
                self._is_here(writer, pid)
                self._hear(message)

"""Start, run and stop pulse on a router: the heart, the addresses, and lvs, which it keeps running.

SIGTERM and SIGINT: the addresses go, the partner hears it, the table goes, lvs ends. SIGUSR2: everything stays for the
next pulse. SIGHUP: lvs applies the saved lvs.cf.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from secrets import randbits

from piranha.errors import PiranhaError
from piranha.guard import Turn
from piranha.ha.datagram import HealthSummary
from piranha.ha.node import Report
from piranha.paths import Paths
from piranha.pulse.carrier import Carrier
from piranha.pulse.floating import Floating
from piranha.pulse.heart import Heart
from piranha.pulse.hooks import Hooks
from piranha.pulse.links import Links
from piranha.pulse.lvs import LEASE_S, Lvs
from piranha.pulse.messages import Ask, Carried, Carry, Configure, Found, FromLvs, Moved, Moving, Shown
from piranha.pulse.telling import redundancy
from piranha.system import heartbeat_key, punctual, unix_socket
from piranha.system.boot import monotonic, wall_at
from piranha.system.life_sign import LifeSign

log = logging.getLogger("pulse")

LOOK_S = 1.0
NEWS_AFTER_S = 0.1
"""So long after a new sentence: it is most often a takeover, and who serves comes before who is told."""
MOVING_S = 0.15
"""So long a planned move waits at most for connections to be told to the partner: nobody has the addresses then."""
TABLE_STAYS_S = 0.5
"""So long behind the addresses' going: the partner has its table then."""
LEAVES_S = 20.0
"""So long a stop waits for the addresses to go."""


def serve(paths: Paths, options: Sequence[str] = (), *, forces: bool = False) -> None:
    """Run pulse until SIGTERM, SIGINT or SIGUSR2. `options` are more words for lvs.

    `forces`: take over as soon as it runs, or ask the partner for that. Raises PiranhaError.
    """
    try:
        paths.run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PiranhaError(f"Cannot use {error.filename}: {error.strerror}.") from error
    listener = unix_socket.listen(paths.pulse_socket, mode=0o600, what="pulse")
    punctual.prefer_this_process()
    words = [sys.executable, "-P", "-m", "piranha.cli.lvs", "--root", str(paths.root), *options]
    with listener:
        asyncio.run(Pulse(paths, words, forces=forces).serve(listener))


class Pulse:
    """The parts of pulse, and who tells whom what."""

    def __init__(self, paths: Paths, words: Sequence[str], *, forces: bool = False) -> None:
        """`words` start lvs; `forces`: take over at the start."""
        self._paths = paths
        self._lvs = Lvs(words, paths.socket, monotonic, self._hear, self._lvs_came)
        self._floating = Floating(paths, monotonic)
        self._carrier = Carrier(self._floating, self._down, self._carried, self._move)
        self._links = Links(self._report)
        self._found = Found()
        self._began = monotonic()
        self._moved, self._moves = asyncio.Event(), itertools.count(1)
        self._stop, self._leaves = asyncio.Event(), False
        self._hooks: Hooks | None = None
        self._heart = Heart(
            monotonic,
            randbits(63) | 1,
            _Addresses(self._floating, self._carrier),
            self._lvs.tell,
            self._changed,
            LifeSign(paths),
            lambda: heartbeat_key.read(paths),
            forces=forces,
        )

    async def serve(self, listener: socket.socket) -> None:
        """Run until a signal says stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._terminate, number)
        loop.add_signal_handler(signal.SIGHUP, self._lvs.reload)
        loop.add_signal_handler(signal.SIGUSR2, self._leave)
        async with asyncio.TaskGroup() as tasks:
            self._hooks = Hooks(tasks)
            self._heart.resumed = self._hooks.resumed
            self._links.open()
            ours = [
                tasks.create_task(self._lvs.accept(listener), name="lvs' words"),
                tasks.create_task(self._lvs.keep(), name="lvs"),
                tasks.create_task(self._floating.run(), name="addresses"),
                tasks.create_task(self._carrier.run(), name="orders"),
                tasks.create_task(self._keep_telling(), name="status"),
            ]
            await self._stop.wait()
            await self._end()
            # While it is still answered: afterwards it may be another pulse's.
            self._paths.pulse_socket.unlink(missing_ok=True)
            for task in ours:
                task.cancel()

    async def _end(self) -> None:
        if self._leaves:
            assert self._hooks is not None
            await self._hooks.end()  # heartbeats go on until this process ends: then the partner counts
        else:
            if self._hooks is not None:
                self._hooks.stopping()
            has_taker = self._heart.has_taker and self._floating.has_any
            self._heart.stop()
            try:
                async with asyncio.timeout(LEAVES_S):
                    await self._heart.is_finished.wait()
            except TimeoutError:
                log.error("The floating addresses did not go within %g s.", LEAVES_S)
            # The table stays for a moment: answers that are under way find it still, and the partner takes over.
            await asyncio.sleep(TABLE_STAYS_S if has_taker else 0)
        await self._floating.stop(yields=not self._leaves)
        await self._lvs.end(signal.SIGUSR2 if self._leaves else signal.SIGTERM)
        self._heart.close()
        self._links.close()

    def _terminate(self, number: int) -> None:
        log.info("Terminating due to signal %d", number)
        self._stop.set()

    def _leave(self) -> None:
        if not self._stop.is_set():
            log.info("Ending for another pulse: addresses and table stay.")
            self._leaves = True
            self._stop.set()

    def _hear(self, message: FromLvs) -> None:
        match message:
            case Configure():
                assert self._hooks is not None
                self._hooks.active_cmd, self._hooks.inactive_cmd = message.active_cmd, message.inactive_cmd
                self._links.read()
                self._report()
                self._heart.configured(message)
                self._report()
                self._show()
            case Carry():
                self._carrier.carry(message)
            case Found():
                self._found = message
                self._report()
            case Moved():
                self._moved.set()
            case Ask():
                answer = self._heart.asked(message)
                self._show()  # before the answer: who asks for the status then finds it done
                self._lvs.tell(answer)

    def _lvs_came(self) -> None:
        self._heart.lvs_is_back()
        self._show()

    def _down(self, order: int, were_any: bool) -> None:
        self._heart.down(order, were_any)

    def _carried(self, number: int) -> None:
        self._lvs.tell(Carried(number))
        self._show()

    async def _move(self) -> None:
        """Have the partner told of connections that it may not know, where it can take over now."""
        if not self._heart.hands_on or not self._lvs.is_there:
            return
        self._moved.clear()
        self._lvs.tell(Moving(next(self._moves)))
        try:
            async with asyncio.timeout(MOVING_S):
                await self._moved.wait()
        except TimeoutError:
            log.warning("Connections were not told to the partner within %g s; the move goes on.", MOVING_S)

    def _changed(self, is_active: bool) -> None:
        if self._hooks is not None:
            self._hooks.changed(is_active)

    def _report(self) -> None:
        found, silent_s = self._found, self._lvs.silent_s
        is_there = silent_s < LEASE_S
        reason = found.reason if is_there else f"lvs said nothing for {silent_s:.0f} s"
        is_alone = self._heart.told is not None and self._heart.told.is_alone  # then nobody else could serve
        ways = {str(name): self._links.of(way.own).is_up for name, way in self._heart.wires.ways.items()}
        self._heart.reported(
            Report(
                public_up=ways.get("public") is not False,
                private_up=ways.get("private") is not False,
                is_well=(found.is_well and is_there) or is_alone,
                is_ready=found.is_ready and is_there,
                reason=reason,
                digest=bytes.fromhex(found.digest) or bytes(32),
                health=HealthSummary(found.servers_up, found.servers, found.virtual_up, found.virtual),
            )
        )

    async def _keep_telling(self) -> None:
        """Tell lvs for ever how things stand: soon when there is a new sentence, and every LOOK_S seconds."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._heart.news.wait()
            if self._heart.news.is_set():
                await asyncio.sleep(NEWS_AFTER_S)
            self._heart.news.clear()
            with Turn("Telling how failover stands"):
                self._lvs.look()
                self._heart.look_for_key()
                self._links.open()
                self._report()
                self._show()

    def _show(self) -> None:
        heart, now = self._heart, monotonic()
        if heart.failover is None:
            return
        trouble = tuple(each for each in (heart.key_trouble,) if each)
        shown = redundancy(heart.failover, heart.wires, self._links.of, heart.said, trouble, wall_at, now)
        shown = replace(shown, pid=os.getpid(), running_for_s=now - self._began)
        self._lvs.tell(Shown(now, shown, self._floating.standings(), self._floating.troubles()))


class _Addresses:
    """The floating addresses as the heart orders them about."""

    def __init__(self, floating: Floating, carrier: Carrier) -> None:
        self._floating = floating
        self.take = carrier.take
        self.drop = carrier.drop
        self.announce = floating.announce_again

    @property
    def has_any(self) -> bool:
        """Say whether addresses of ours are here."""
        return self._floating.has_any

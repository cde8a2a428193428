"""The kernel's IPVS as data path: the table read and changed over generic netlink.

Rule 1: nothing is remembered that the kernel knows; `present` reads all of it. What an administrator set by hand
beside our words (thresholds, tunnel encapsulation, persistence engine) goes back as it was read with an edit.
Rule 2: what our table cannot say (another protocol, another forwarding method) is left out of it, so that no plan
touches it, and named in `KernelReading.foreign`. Only what a step names is changed; there is no flush here.
Rule 3: a refused step is a sentence; the others of the same call are taken.
Rule 4: the kernel forgets nothing when this process ends: table, connections, timeouts and sync daemons stay.

What a removal does to connections: the kernel keeps their entries but drops their packets without a word, until they
expire, or go on if the same destination is added again. With net.ipv4.vs.expire_nodest_conn = 1 the next packet ends
the entry instead. It cannot do that for one destination alone, so `ends_connections` makes no difference here: whoever
wants connections to end in peace sets weight 0 first (a drain), with which the kernel lets them go on.

The kernel puts a new destination before the others, and rr and wrr go round in that order; so does `present`.
"""

import asyncio
import errno
import struct
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from piranha.errors import StepRefused
from piranha.ipvs.table import (
    AddDestination,
    AddService,
    Counters,
    Destination,
    DestinationKey,
    EditDestination,
    EditService,
    Entry,
    Place,
    RemoveDestination,
    RemoveService,
    Step,
    TableKey,
)
from piranha.system import ipvs_module, ipvs_netlink, ipvs_refusals, ipvs_words
from piranha.system.ipvs_connections import EVERYTHING, PROC_NET, SHOWN_MAX, Connections, Wanted, connections
from piranha.system.ipvs_netlink import Extras, KernelService, Stats
from piranha.system.ipvs_socket import LIMIT_S, IpvsSocket, KernelUnavailable, Order
from piranha.system.ipvs_values import (
    INTERFACE_CHARACTERS_MAX,
    SYNC_ID_MAX,
    Info,
    KernelReading,
    SyncDaemon,
    SyncRole,
    Timeouts,
)

_STATE_OF = {SyncRole.MASTER: 1, SyncRole.BACKUP: 2}
_ROLE_OF = {state: role for role, state in _STATE_OF.items()}
_Answer = TypeVar("_Answer")


class KernelPath:
    """The kernel's IPVS. Its calls run in a thread of their own, one after the other."""

    name = "kernel"
    shares = True

    def __init__(self, *, loads_modules: bool = True, limit_s: float = LIMIT_S) -> None:
        """Find IPVS in the kernel, for the network namespace of the calling thread. Raises KernelUnavailable.

        `loads_modules`: `ip_vs` and missing schedulers may be loaded by modprobe.
        """
        self._socket = IpvsSocket(loads_module=loads_modules, limit_s=limit_s)
        try:
            # Everybody may see that there is IPVS. Whether it answers us, who starts the engine is to know at once.
            self._socket.ask(ipvs_netlink.GET_INFO)
        except KernelUnavailable:
            self._socket.close()
            raise
        self._loads_modules = loads_modules
        # Not the loop's own threads: those may all wait for a resolver that does not answer.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ipvs")
        self._extras: dict[Place, Extras] = {}
        self._engines: dict[TableKey, bytes] = {}
        self._tried: dict[str, str] = {}
        self._is_closed = False

    @property
    def writes(self) -> int:
        """Return how many requests were written to the kernel so far; a batch is one."""
        return self._socket.writes

    async def present(self) -> KernelReading:
        """Return the kernel's table. Raises KernelUnavailable."""
        return await self._alone(self._read)

    async def apply(self, step: Step) -> None:
        """Take one step: one write. Raises StepRefused with a sentence; nothing is changed then.

        RemoveService looks first whether destinations are left, since the kernel would remove them too.
        """
        refusal = (await self.apply_many((step,)))[0]
        if refusal is not None:
            raise refusal

    async def apply_many(self, steps: Sequence[Step]) -> tuple[StepRefused | None, ...]:
        """Take steps in their order, many in one write; return for each None or why it was refused.

        A refused step stops no other one.
        """
        return await self._alone(lambda: self._take(steps))

    async def close(self) -> None:
        """Let go of the socket and the thread, for good. The kernel's table stays."""
        if not self._is_closed:
            self._is_closed = True
            await self._alone(self._socket.close)
            self._thread.shutdown(wait=False)

    async def timeouts(self) -> Timeouts:
        """Return the connection timeouts. Raises KernelUnavailable."""
        return await self._alone(lambda: Timeouts(*self._told(ipvs_netlink.read_timeouts, ipvs_netlink.GET_CONFIG)))

    async def set_timeouts(self, wanted: Timeouts) -> None:
        """Set the connection timeouts; 0 leaves one as it is. Raises StepRefused."""
        advice = "The timeouts tcp_timeout, tcpfin_timeout and udp_timeout were refused: "
        try:
            attributes = ipvs_netlink.timeouts(*wanted)
        except struct.error:
            raise StepRefused(advice + "they are seconds from 1 to 2147483. Check them.") from None
        if not attributes:
            return
        code = await self._ordered((ipvs_netlink.SET_CONFIG, attributes))
        if code == errno.EINVAL:
            raise StepRefused(advice + "the kernel takes seconds from 1 to 2147483. Check them.")
        if code:
            raise StepRefused(advice + ipvs_refusals.general(code))

    async def sync_daemons(self) -> tuple[SyncDaemon, ...]:
        """Return the sync daemons that run. Raises KernelUnavailable."""
        return await self._alone(self._daemons)

    async def start_sync(self, role: SyncRole, interface: str, sync_id: int) -> None:
        """Start a sync daemon. One of each role can run. Raises StepRefused."""
        what = f"The {role} sync daemon on {interface} was refused: "
        if not 0 <= sync_id <= SYNC_ID_MAX:
            raise StepRefused(f"{what}its id {sync_id} is not from 0 to {SYNC_ID_MAX}. Change syncd_id.")
        if not 0 < len(interface.encode()) <= INTERFACE_CHARACTERS_MAX or "\0" in interface:
            raise StepRefused(f"{what}no interface can have that name. Change syncd_iface.")
        body = ipvs_netlink.daemon(_STATE_OF[role], interface, sync_id)
        match await self._ordered((ipvs_netlink.NEW_DAEMON, body)):
            case 0:
                return
            case errno.EEXIST:
                raise StepRefused(f"{what}one runs already. Stop it first (ipvsadm --stop-daemon {role}).")
            case errno.ENODEV:
                raise StepRefused(f"{what}this router has no such interface. Change syncd_iface, or make it.")
            case errno.EADDRNOTAVAIL | errno.EADDRINUSE:
                raise StepRefused(f"{what}the interface has no usable address. Give it an IPv4 address.")
            case errno.EINVAL:
                raise StepRefused(
                    f"{what}connection sync does not go with real servers of another IP version than their virtual "
                    "server (tunneling), nor with an interface that is down. Change one of them."
                )
            case code:
                raise StepRefused(what + ipvs_refusals.general(code))

    async def stop_sync(self, role: SyncRole) -> None:
        """Stop a sync daemon; one that does not run is fine. Raises StepRefused."""
        code = await self._ordered((ipvs_netlink.DEL_DAEMON, ipvs_netlink.daemon(_STATE_OF[role])))
        if code not in (0, errno.ESRCH):
            raise StepRefused(f"The {role} sync daemon was not stopped: {ipvs_refusals.general(code)}")

    async def info(self) -> Info:
        """Return IPVS's version and the size of its connection table. Raises KernelUnavailable."""
        number, size = await self._alone(lambda: self._told(ipvs_netlink.read_info, ipvs_netlink.GET_INFO))
        return Info(".".join(str(part) for part in number.to_bytes(4, "big")[1:]), size)

    async def connections(
        self, wanted: Wanted = EVERYTHING, shown_max: int = SHOWN_MAX, proc_net: Path = PROC_NET
    ) -> Connections:
        """Return the wanted connections of the kernel's table. Raises KernelUnavailable.

        It has a thread of its own: a million connections take a second, and steps do not wait for that.
        """
        return await asyncio.to_thread(connections, wanted, shown_max, proc_net=proc_net)

    async def _alone(self, work: Callable[[], _Answer]) -> _Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _ordered(self, order: Order) -> int:
        try:
            return (await self._alone(lambda: self._socket.take((order,))))[0]
        except KernelUnavailable as unavailable:
            raise StepRefused(str(unavailable)) from None

    def _told(self, read: Callable[[bytes, int, int], _Answer], command: int) -> _Answer:
        try:
            return read(*self._socket.ask(command))
        except ValueError as error:
            raise _not_understood(error) from None

    def _daemons(self) -> tuple[SyncDaemon, ...]:
        try:
            found = [ipvs_netlink.read_daemon(*span) for span in self._socket.dump(ipvs_netlink.GET_DAEMON)]
        except ValueError as error:
            raise _not_understood(error) from None
        return tuple(
            SyncDaemon(_ROLE_OF[daemon.state], daemon.interface, daemon.sync_id)
            for daemon in found
            if daemon.state in _ROLE_OF
        )

    def _read(self) -> KernelReading:
        try:
            services = [ipvs_netlink.read_service(*span) for span in self._socket.dump(ipvs_netlink.GET_SERVICE)]
            return self._read_entries(services)
        except ValueError as error:
            raise _not_understood(error) from None

    def _read_entries(self, services: Collection[KernelService]) -> KernelReading:
        table: dict[TableKey, Entry] = {}
        counters: dict[Place, Counters] = {}
        stats: dict[Place, Stats] = {}
        service_stats: dict[TableKey, Stats] = {}
        foreign: list[str] = []
        extras: dict[Place, Extras] = {}
        engines: dict[TableKey, bytes] = {}
        for service in services:
            key = ipvs_words.key_of(service)
            if key is None:
                foreign.append(ipvs_words.words(service))
                continue
            destinations: dict[DestinationKey, Destination] = {}
            for each in self._destinations(key):
                forwarding = ipvs_netlink.FORWARDING_OF.get(each.method)
                if forwarding is None:
                    method = ipvs_netlink.METHOD_WORDS.get(each.method, f"method {each.method}")
                    foreign.append(f"{each.key} of {key.words} ({method})")
                    continue
                place = (key, each.key)
                destinations[each.key] = Destination(forwarding, each.weight)
                now = each.stats
                counters[place] = Counters(each.active, each.inactive, now.connections, now.bytes_in, now.bytes_out)
                stats[place] = now
                if each.extras is not ipvs_netlink.NO_EXTRAS:
                    extras[place] = each.extras
            table[key] = Entry(ipvs_words.service_of(service), MappingProxyType(destinations))
            service_stats[key] = service.stats
            if service.engine:
                engines[key] = service.engine
        self._extras, self._engines = extras, engines
        return KernelReading(
            MappingProxyType(table),
            MappingProxyType(counters),
            stats=MappingProxyType(stats),
            service_stats=MappingProxyType(service_stats),
            foreign=tuple(foreign),
        )

    def _destinations(self, key: TableKey) -> list[ipvs_netlink.KernelDestination]:
        spans = self._socket.dump(ipvs_netlink.GET_DEST, ipvs_netlink.service_key(key))
        return [ipvs_netlink.read_destination(*span, key.version) for span in spans]

    def _take(self, steps: Sequence[Step]) -> tuple[StepRefused | None, ...]:
        refused: dict[int, StepRefused] = {}
        waiting: list[tuple[int, Order]] = []
        for place, step in enumerate(steps):
            if isinstance(step, RemoveService):
                self._take_waiting(steps, waiting, refused)
                refusal = self._not_empty(step.key)
                if refusal is not None:
                    refused[place] = refusal
                    continue
            try:
                waiting.append((place, self._order(step)))
            except (struct.error, OverflowError, UnicodeEncodeError):
                # The reason is the one that the kernel gives for values that just fit into its message.
                code = errno.ERANGE if isinstance(step, AddDestination | EditDestination) else errno.EINVAL
                refused[place] = self._refusal(step, code)
        self._take_waiting(steps, waiting, refused)
        return tuple(refused.get(place) for place in range(len(steps)))

    def _not_empty(self, key: TableKey) -> StepRefused | None:
        try:
            left = self._destinations(key)
        except (KernelUnavailable, ValueError) as error:
            return StepRefused(f"Virtual server {key.words} was not removed: {error}")
        return StepRefused(ipvs_refusals.has_left(key, [str(each.key) for each in left])) if left else None

    def _take_waiting(
        self, steps: Sequence[Step], waiting: list[tuple[int, Order]], refused: dict[int, StepRefused]
    ) -> None:
        failed = {place: 0 for place, _ in waiting}
        try:
            failed = self._failures(waiting)
            if errno.ENOENT in failed.values() and self._has_cured([steps[place] for place in failed]):
                # The services that were refused may be added now, and the real servers that found no service.
                again = [pair for pair in waiting if failed.get(pair[0]) in (errno.ENOENT, errno.ESRCH)]
                failed = {place: code for place, code in failed.items() if code not in (errno.ENOENT, errno.ESRCH)}
                failed |= self._failures(again)
        except KernelUnavailable as unavailable:
            refused |= {place: StepRefused(str(unavailable)) for place in failed}
            failed = {}
        for place, code in failed.items():
            refused[place] = self._refusal(steps[place], code)
        waiting.clear()

    def _failures(self, orders: Sequence[tuple[int, Order]]) -> dict[int, int]:
        codes = self._socket.take([order for _, order in orders])
        return {place: code for (place, _), code in zip(orders, codes, strict=True) if code}

    def _has_cured(self, failed: Sequence[Step]) -> bool:
        """Return whether what was not found may be there now: a scheduler, or IPVS after it was loaded anew.

        Raises KernelUnavailable where there is no IPVS any more.
        The kernel has tried to load the scheduler itself; modprobe is tried once for each in the life of this
        process, so that a step that is taken again and again does not start a program each time.
        """
        has_cured = self._socket.find_family()
        for scheduler in {step.service.scheduler for step in failed if isinstance(step, AddService | EditService)}:
            if scheduler not in self._tried and self._loads_modules:
                module = ipvs_module.module_of(scheduler)
                self._tried[scheduler] = ipvs_module.load(module) if module else ""
                has_cured |= bool(module) and not self._tried[scheduler]
        return has_cured

    def _refusal(self, step: Step, code: int) -> StepRefused:
        why = self._tried.get(step.service.scheduler, "") if isinstance(step, AddService | EditService) else ""
        return StepRefused(ipvs_refusals.sentence(step, code, why))

    def _order(self, step: Step) -> Order:
        key = step.key
        match step:
            case AddService(_, service):
                return ipvs_netlink.NEW_SERVICE, ipvs_netlink.service(key, service)
            case EditService(_, service):
                return ipvs_netlink.SET_SERVICE, ipvs_netlink.service(key, service, self._engines.get(key, b""))
            case RemoveService():
                return ipvs_netlink.DEL_SERVICE, ipvs_netlink.service_key(key)
            case AddDestination(_, destination_key, destination):
                body = ipvs_netlink.destination(destination_key, destination)
                return ipvs_netlink.NEW_DEST, ipvs_netlink.service_key(key) + body
            case EditDestination(_, destination_key, destination):
                extras = self._extras.get((key, destination_key), ipvs_netlink.NO_EXTRAS)
                body = ipvs_netlink.destination(destination_key, destination, extras)
                return ipvs_netlink.SET_DEST, ipvs_netlink.service_key(key) + body
            case RemoveDestination(_, destination_key, _):
                body = ipvs_netlink.destination_key(destination_key)
                return ipvs_netlink.DEL_DEST, ipvs_netlink.service_key(key) + body


def _not_understood(error: ValueError) -> KernelUnavailable:
    return KernelUnavailable(f"This version does not understand what the kernel's IPVS says ({error}). Report it.")

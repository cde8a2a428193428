"""Try now: a check made once, with values that nobody saved; and how the last check of a real server went.

Rule 1: a try changes nothing: no health, no table, no file but the audit, which says who tried what.
Rule 2: it is the engine's own check, made where the others are made and never in their way: few tries at once, each
bounded in servers, time and what it tells. One too many is refused, not queued.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from piranha.check_messages import (
    TRIED_SERVERS_MAX,
    TRY_LIMIT_S,
    TRY_WITHIN_S,
    CheckFound,
    LastCheck,
    TriedServer,
    TryAnswer,
    TryRequest,
)
from piranha.config.check_kinds import name_of
from piranha.config.model import Address, Cluster, HostName, RealServer, RealServerKey, VirtualServer
from piranha.config.outside import NameAnswer, address_or_why
from piranha.config.path import parse_block
from piranha.engine.audit import Audit
from piranha.engine.caller import Caller
from piranha.engine.nanny import Nanny
from piranha.engine.version import Version
from piranha.engine.weighing import HealthSettings
from piranha.errors import Busy, EditRefused
from piranha.health.check import Check, Unchecked, check_of
from piranha.health.kinds import of_kind
from piranha.health.trial import unsaved_server, with_server_values, with_values
from piranha.status import HealthState
from piranha.system import outside, probes
from piranha.system.boot import monotonic, wall_at
from piranha.system.probes import TRANSCRIPT_BYTES, CannotCheck, Probed

TRIES_AT_ONCE = 2
PROGRAMS_AT_ONCE = 8
"""A program costs a process; the other checks of a try are made all at once."""
TOLD_BYTES = 8 * 1024
"""So many bytes of what was sent, and of what was received, has an answer, shared by its servers."""
NAMES_S = 2.0
"""How long the resolver is waited for."""

Probe = Callable[[Check, Address], Awaitable[Probed]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A real server and its check, or why there is none."""

    server: RealServer
    check: Check | Unchecked


class Trying:
    """`saved_version` returns lvs.cf as it is saved, `read_settings` what piranha.toml says of checks; it may raise
    ConfigUnavailable. `probe` makes one check.
    """

    def __init__(
        self,
        saved_version: Callable[[], Awaitable[Version]],
        audit: Audit,
        read_settings: Callable[[], HealthSettings] = HealthSettings,
        probe: Probe = probes.probe,
    ) -> None:
        self.probe = probe
        self._read_settings = read_settings
        self._saved_version = saved_version
        self._audit = audit
        self._under_way = 0

    async def try_checks(self, request: TryRequest, caller: Caller) -> TryAnswer:
        """Make the checks that are asked for, once.

        Raises Busy, EditRefused for a block that is not in lvs.cf or a value that could not be saved,
        ConfigUnavailable.
        """
        if self._under_way >= TRIES_AT_ONCE:
            raise Busy(f"{TRIES_AT_ONCE} tries are under way, and there are never more. Try again in a moment.")
        self._under_way += 1
        try:
            about = request.server or request.virtual
            # Nothing is changed, so a disk that refuses the audit stops no try.
            async with self._audit.entry("try_checks", caller, about[:200], must_go_on=True) as told:
                virtual, servers = _meant(await self._saved_version(), request)
                settings = await asyncio.to_thread(self._read_settings)
                asked = [_Asked(each, _check(virtual, each, settings)) for each in servers[:TRIED_SERVERS_MAX]]
                told.reason = _described(asked)
                answer = _answer(request, virtual, asked, await self._all(asked), len(servers))
                good = sum(each.found is not None and each.found.is_good for each in answer.servers)
                told.reason += f"; {good} good"
                return answer
        finally:
            self._under_way -= 1

    async def _all(self, asked: Sequence[_Asked]) -> list[Probed | str]:
        """Return what came of each check, or why it was not made; TRY_WITHIN_S is all the time there is."""
        names = {each.check.address for each in asked if isinstance(each.check, Check)}
        wanted = {host for host in names if isinstance(host, str)}
        answers = await asyncio.to_thread(outside.resolve, wanted, NAMES_S) if wanted else {}
        slots = asyncio.Semaphore(PROGRAMS_AT_ONCE)
        over_at = asyncio.get_running_loop().time() + TRY_WITHIN_S

        async def in_time(one: _Asked) -> Probed | str:
            try:
                async with asyncio.timeout_at(over_at):
                    return await self._one(one, answers, slots)
            except TimeoutError:
                return f"The try was over after {TRY_WITHIN_S:g} s, before this check was."

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_time(each), name="try") for each in asked]
        return [task.result() for task in tasks]

    async def _one(
        self, asked: _Asked, answers: Mapping[HostName, NameAnswer], slots: asyncio.Semaphore
    ) -> Probed | str:
        check = asked.check
        if isinstance(check, Unchecked):
            return check.reason
        address = address_or_why(check.address, answers)
        if isinstance(address, str):
            return address
        try:
            if not check.program:
                return await self.probe(check, address)
            async with slots:
                return await self.probe(check, address)
        except CannotCheck as problem:
            return f"{str(problem).rstrip('.')}."


def _meant(version: Version, request: TryRequest) -> tuple[VirtualServer, Sequence[RealServer]]:
    """Return the virtual server as it would be, and which of its real servers are meant. Raises EditRefused."""
    document = version.loaded.document
    saved = next((each for each in version.loaded.cluster.virtual_servers if each.id == request.virtual), None)
    if saved is None:
        raise EditRefused(request.virtual, "", f"{request.virtual!r:.200} is no virtual server of lvs.cf.")
    steps = parse_block(saved.id)
    virtual = with_values(saved, request.values, lambda keyword: document.get(steps, keyword))
    if not request.server:
        if request.server_values is None:
            return virtual, virtual.servers
        made = with_server_values(virtual, unsaved_server(virtual), request.server_values, lambda keyword: None)
        return virtual, (made,)
    server = next((each for each in virtual.servers if each.id == request.server), None)
    if server is None:
        raise EditRefused(request.server, "", f"{request.server!r:.200} is no real server of {saved.id}.")
    inside = parse_block(server.id)
    values = request.server_values or {}
    return virtual, (with_server_values(virtual, server, values, lambda keyword: document.get(inside, keyword)),)


def _check(virtual: VirtualServer, server: RealServer, settings: HealthSettings) -> Check | Unchecked:
    """Return the check as an Apply would have it made, within the time of a try."""
    check = check_of(virtual, server)
    if isinstance(check, Unchecked):
        return check
    check = of_kind(check, settings.checks.kinds.get(name_of(virtual)), settings.authorities)
    return replace(check, limit_s=min(check.limit_s, TRY_LIMIT_S))


def _how(check: Check) -> str:
    """Return in a word how a check asks."""
    if check.program:
        return "program"
    if check.http is not None:
        return "http" if check.tls is None else "https"
    return str(check.protocol) if check.tls is None else "tls"


def _described(asked: Sequence[_Asked]) -> str:
    """Return in words for the audit what is tried."""
    check = next((each.check for each in asked if isinstance(each.check, Check)), None)
    count = f"{len(asked)} real server{'s' if len(asked) != 1 else ''}"
    if len(asked) == 1 and check is not None:
        count = f"{check.address} port {check.port}"
    if check is None:
        return f"{count}, which cannot be checked"
    program = f"{check.program[0].decode(errors='replace')!r:.80} for " if check.program else f"{_how(check)} to "
    return program + count


def _answer(
    request: TryRequest, virtual: VirtualServer, asked: Sequence[_Asked], found: Sequence[Probed | str], in_all: int
) -> TryAnswer:
    most = min(TRANSCRIPT_BYTES, TOLD_BYTES // max(1, len(asked)))
    is_saved = bool(request.server) or request.server_values is None
    servers = tuple(
        TriedServer(
            path=each.server.id if is_saved else "",
            name=each.server.name,
            address="" if each.server.address is None else str(each.server.address),
            port=each.server.port,
            found=None if isinstance(came, str) else told_of(came, most),
            problem=came if isinstance(came, str) else "",
        )
        for each, came in zip(asked, found, strict=True)
    )
    timeout_s = float(max(0, virtual.timeout_s))
    how = next((_how(each.check) for each in asked if isinstance(each.check, Check)), "")
    return TryAnswer(request.virtual, how, min(timeout_s, TRY_LIMIT_S), timeout_s, servers, in_all)


def told_of(probed: Probed, most: int = TRANSCRIPT_BYTES) -> CheckFound:
    """Return what a check did as it is told: `most` bytes of what was sent, and of what was received."""
    return CheckFound(
        probed.verdict.is_good,
        probed.verdict.reason,
        probed.took_s,
        spelled(probed.sent[:most]),
        spelled(probed.received[:most]),
        _is_cut(probed.sent, most),
        _is_cut(probed.received, most),
    )


def _is_cut(data: bytes, most: int) -> bool:
    # Nobody keeps more than TRANSCRIPT_BYTES: with as many there may have been more.
    return len(data) > most or len(data) >= TRANSCRIPT_BYTES


def spelled(data: bytes) -> str:
    """Return bytes as lvs.cf spells them: printable ASCII and escapes."""
    shown = data.decode("latin-1").encode("unicode_escape").decode("ascii")
    return shown.replace('"', '\\"')


def last_check(cluster: Cluster, nanny: Nanny, path: str) -> LastCheck:
    """Return how the last check of a real server of what runs went."""
    virtual, server = _named(cluster, path)
    unknown = LastCheck(path[:200], "", "", 0, HealthState.UNKNOWN, "", "", None, "", None, "", 0.0, 0.0)
    if virtual is None or server is None:
        return replace(unknown, problem=f"{path[:200]} is no real server of what runs.")
    place = "" if server.address is None else str(server.address)
    told = replace(unknown, name=server.name, address=place, port=server.port)
    service = virtual.key
    is_in_force = server.is_active and any(each is virtual for each in cluster.active_virtual_servers)
    key = RealServerKey(service, server.address, server.port) if service and server.address is not None else None
    check, health = (nanny.checks.get(key), nanny.healths.get(key)) if key is not None else (None, None)
    if not is_in_force or key is None:
        return replace(told, problem="It is not active, so it is not checked.")
    if check is None or health is None:
        made = check_of(virtual, server)
        return replace(
            told, problem=made.reason if isinstance(made, Unchecked) else "It is not checked on this router."
        )
    probed, ended = nanny.probes.get(key), health.checked_at
    return replace(
        told,
        state=health.state,
        since=wall_at(health.since),
        reason=health.reason,
        found=None if probed is None else told_of(probed),
        at="" if ended is None else wall_at(ended),
        age_s=None if ended is None else max(0.0, monotonic() - ended),
        how=_how(check),
        limit_s=check.limit_s,
        interval_s=check.interval_s,
    )


def _named(cluster: Cluster, path: str) -> tuple[VirtualServer | None, RealServer | None]:
    for virtual in cluster.virtual_servers:
        if path.startswith(f"{virtual.id}."):
            for server in virtual.servers:
                if server.id == path:
                    return virtual, server
    return None, None

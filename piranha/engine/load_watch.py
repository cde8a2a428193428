"""Asking the real servers of what runs for their load, each on a rhythm of its own, beside the checks, never in them.

Rule 1: one question is asked once, for however many virtual servers its answer is: ruptime for all hosts there are.
Rule 2: programs run in threads of their own, AT_ONCE at most: neither checks nor saves ever wait for one that hangs.
Rule 3: a question without an answer says nothing about a real server but that its load is not known.
"""

import asyncio
import logging
import threading
import zlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from piranha.config.model import Address, Cluster, Host, HostName, RealServerKey
from piranha.engine.servers import active_servers
from piranha.guard import Turn
from piranha.health.load import HostNames, Unread, load_in, loads_of_hosts
from piranha.health.load_questions import EVERY_S, Question, question_of
from piranha.said_once import SaidOnce
from piranha.system.load_queries import Ask, NoAnswer, ask, forbid_new_privileges, names_of

log = logging.getLogger("lvs")

AT_ONCE = 8
"""So many programs run at once."""
TOLD_AT_ONCE = 500
"""So many answers are told together, in some 10 ms, and then others have their turn."""
SPREAD = 0.1
"""The first pause is shorter by up to this part: questions begun together drift apart."""
NAMES_S = 5.0
"""So long the names of the real servers' addresses are waited for: ruptime knows names only."""
NAMES_AGAIN_S = 300.0
"""How often addresses without a name are looked up again."""
_UNKNOWN_HOST = Unread(
    "ruptime does not know this real server: neither the names of its address nor its name in lvs.cf is in its list"
)

OnAnswers = Callable[[Mapping[RealServerKey, float | Unread]], None]
NamesOf = Callable[[Collection[Address], float], Mapping[Address, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One whose load is asked for: its key, its address if it is known, and its name in lvs.cf."""

    key: RealServerKey
    address: Address | None
    name: str


class LoadWatch:
    """Asks. Made inside a TaskGroup that owns its tasks.

    `on_answers` is told of the answers that came together, `is_down` says whether a real server is known to be down:
    then it is not asked. `clock` is monotonic seconds.
    """

    def __init__(
        self,
        group: asyncio.TaskGroup,
        on_answers: OnAnswers,
        is_down: Callable[[RealServerKey], bool],
        clock: Callable[[], float],
        *,
        ask: Ask = ask,
        names_of: NamesOf = names_of,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._group = group
        self._on_answers = on_answers
        self._is_down = is_down
        self._clock = clock
        self._ask = ask
        self._names_of = names_of
        self._pause = pause
        self.run_as: Mapping[str, str] = {}
        """Whom programs run as, by the program as lvs.cf writes it; the others run as nobody in particular."""
        self._asked: dict[Question, tuple[Asked, ...]] = {}
        self._tasks: dict[Question, asyncio.Task[None]] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._names: dict[Address, tuple[str, ...]] = {}
        self._looks_again_at = 0.0
        self._said = SaidOnce(log)

    @property
    def questions(self) -> Mapping[Question, tuple[Asked, ...]]:
        """Return what is asked, and for whom."""
        return dict(self._asked)

    def watch(self, cluster: Cluster, resolved: Mapping[HostName, Address]) -> None:
        """Ask exactly for the loads that this cluster wants to know. Questions that stay keep their rhythm."""
        wanted: dict[Question, list[Asked]] = {}
        for virtual, server, key in active_servers(cluster):
            question = question_of(cluster, virtual, server)
            if isinstance(question, Unread):
                self._on_answers({key: question})
            elif question is not None:
                address = resolved.get(key.address) if isinstance(key.address, str) else key.address
                wanted.setdefault(question, []).append(Asked(key, address, server.name))
        self._asked = {question: tuple(asked) for question, asked in wanted.items()}
        for question in self._tasks.keys() - wanted.keys():
            self._tasks.pop(question).cancel()
        self._said.keep({str(question) for question in wanted})
        if wanted and self._threads is None:
            self._threads = ThreadPoolExecutor(AT_ONCE, "load", initializer=forbid_new_privileges)
        elif not wanted and self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
        for question in wanted.keys() - self._tasks.keys():
            self._tasks[question] = self._group.create_task(self._keep_asking(question), name=f"load {question}")

    def stop(self) -> None:
        """Ask nobody any more; programs that run are killed."""
        self.watch(Cluster(), {})

    async def _keep_asking(self, question: Question) -> None:
        spread_s = EVERY_S * SPREAD * (zlib.crc32(str(question).encode()) / 2**32)
        while True:
            began = self._clock()
            with Turn(f"The question {question}"):
                await self._turn(question)
            await self._pause(max(0.0, began + EVERY_S - spread_s - self._clock()))
            spread_s = 0.0

    async def _turn(self, question: Question) -> None:
        if all(self._is_down(each.key) for each in self._asked[question]):
            return
        stop = threading.Event()
        assert self._threads is not None
        try:
            answers = await asyncio.get_running_loop().run_in_executor(
                self._threads, self._answers, question, self._asked[question], stop
            )
        except NoAnswer as trouble:
            reason = str(trouble)
            self._said.say(str(question), f"The load is not known from `{question}`: {reason}.", logging.WARNING)
            answers = {each.key: Unread(reason) for each in self._asked[question]}
        else:
            self._said.say(str(question), "")
        finally:
            stop.set()  # cancelled: nobody waits for the program any more
        told = list(answers.items())
        for first in range(0, len(told), TOLD_AT_ONCE):
            self._on_answers(dict(told[first : first + TOLD_AT_ONCE]))
            await asyncio.sleep(0)

    def _answers(
        self, question: Question, asked: Collection[Asked], stop: threading.Event
    ) -> dict[RealServerKey, float | Unread]:
        """Ask and read the answer, in a thread. Raises NoAnswer."""
        output = self._ask(question, stop, self.run_as.get(question.words[0], ""))
        if not question.is_of_all:
            load = load_in(output)
            return {each.key: load for each in asked}
        loads = loads_of_hosts(output)
        self._look_up({each.address for each in asked if each.address is not None}, stop)
        hosts = HostNames(loads)
        found = {each.key: hosts.find(self._sure_names(each)) for each in asked}
        sure = set(found.values())
        for each in asked:
            if found[each.key] is None and (guess := hosts.find([each.name])) not in sure:
                found[each.key] = guess
        servers: dict[str, set[Host]] = {}
        for key, host in found.items():
            if host is not None:
                servers.setdefault(host, set()).add(key.address)
        return {key: _load_of(host, loads, servers) for key, host in found.items()}

    def _sure_names(self, asked: Asked) -> tuple[str, ...]:
        """Return the names of a real server. That in lvs.cf is none of them: it may be anything."""
        names = self._names.get(asked.address, ()) if asked.address is not None else ()
        return (asked.key.address, *names) if isinstance(asked.key.address, str) else names

    def _look_up(self, addresses: Collection[Address], stop: threading.Event) -> None:
        missing = {each for each in addresses if each not in self._names}
        if self._clock() >= self._looks_again_at:
            self._looks_again_at = self._clock() + NAMES_AGAIN_S
            missing = {each for each in addresses if not self._names.get(each)}
        if missing and not stop.is_set():
            self._names.update(self._names_of(missing, NAMES_S))


def _load_of(
    host: str | None, loads: Mapping[str, float | Unread], servers: Mapping[str, Collection[Host]]
) -> float | Unread:
    """Return the load of the host that a real server was found to be."""
    if host is None:
        return _UNKNOWN_HOST
    if len(servers[host]) > 1:
        return Unread(f"{len(servers[host])} real servers may be the host that ruptime lists as {host}")
    return loads[host]

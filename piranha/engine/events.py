"""What the engine did, and why, for people: told once to `Events`, kept on the disk and asked for through the API.

Rule 1: telling costs nothing and never fails: it is one entry in a list. The disk is written behind it, by one task.
Rule 2: numbers only grow, over restarts too; an event's number says its place, its time when it happened.
Rule 3: it is bounded: two files of FILE_BYTES, and RING in memory. What flaps is told together (`engine.flapping`).
Rule 4: a disk that refuses is told in the log once and in every answer; the newest events are in memory meanwhile.
"""

import asyncio
import itertools
import logging
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from piranha.engine import questions
from piranha.engine.caller import Caller
from piranha.engine.flapping import Flapping, Held
from piranha.errors import ConfigUnavailable
from piranha.guard import Turn
from piranha.records import EngineEvent, EventKind, EventsAnswer, EventsQuery
from piranha.said_once import SaidOnce
from piranha.system.boot import local_now, monotonic, wall, wall_exactly
from piranha.system.record_files import Part, RecordFiles

log = logging.getLogger("lvs")

FILE_BYTES = 4 * 1024 * 1024
RING = 2000
UNWRITTEN_MAX = 20_000
"""Events that wait for the disk; where it takes none, the oldest of them go."""
BATCH = 200
"""Events in one write."""
LOOK_S = 1.0
"""How often what is held is looked at."""
SENTENCE_MAX = 1000
_MANY = 4096
_ASCII = bytes(range(128))
_PLAIN_WITHOUT_CASE = (
    *(b"\xc3\x9f", b"\xc4\xb0", b"\xc5\x89", b"\xc5\xbf"),
    *(b"\xc7\xb0", b"\xe1\xba", b"\xe2\x84\xaa", b"\xef\xac"),
)
"""How letters begin, in UTF-8, that have a plain one in them without their case: the sign of Kelvin, ligatures."""
_PLAIN = re.compile(r"[ !#-\[\]-~]+")


_ONE_THING = {
    EventKind.SERVER_UP: "health",
    EventKind.SERVER_DOWN: "health",
    EventKind.DRAIN: "drain",
    EventKind.DRAINED: "drain",
    EventKind.REFUSED: "refusal",
    EventKind.WORKS_AGAIN: "refusal",
    EventKind.ACTIVE: "role",
    EventKind.PASSIVE: "role",
    EventKind.ADDRESS_CLAIMED: "address",
    EventKind.ADDRESS_YIELDED: "address",
    EventKind.ADDRESS_CONFLICT: "address",
    EventKind.ADDRESS_REFUSED: "address",
}
"""Kinds that may flap, and which of them do so together. What people do, and the engine's own life, never flap."""


class Events:
    """The events of one engine. `file` None: in memory alone. `now` is monotonic seconds, `at` the time of day.

    `say` may be called from every thread; the rest belongs to the event loop.
    """

    def __init__(
        self,
        file: Path | None = None,
        *,
        now: Callable[[], float] = monotonic,
        at: Callable[[], str] = wall_exactly,
        file_bytes: int = FILE_BYTES,
    ) -> None:
        self._files = (
            RecordFiles(file, EngineEvent, size_max=file_bytes, keep=1, is_synced=True) if file is not None else None
        )
        self._now = now
        self._at = at
        self._lock = threading.Lock()
        self._file_lock = threading.Lock()
        self._flapping: Flapping[EngineEvent] = Flapping()
        self._ring: deque[EngineEvent] = deque(maxlen=RING)
        self._unwritten: deque[EngineEvent] = deque(maxlen=UNWRITTEN_MAX)
        self._last = 0
        self._is_open = file is None
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._troubles = SaidOnce(log)

    def say(self, kind: EventKind, about: str, sentence: str, caller: Caller | None = None, thing: str = "") -> None:
        """Tell that something happened. `about` is a written path, "" for the router as a whole.

        `thing` tells apart what flaps by itself within one `about`.
        """
        who, address = (caller.user, caller.address) if caller is not None else ("", "")
        told = sentence if len(sentence) <= SENTENCE_MAX else f"{sentence[: SENTENCE_MAX - 3]}..."
        event = EngineEvent(0, self._at(), kind, about, told, who, address)
        group = _ONE_THING.get(kind)
        with self._lock:
            if group is None or caller is not None:
                self._number(event)
            else:
                for held in self._flapping.offer((group, about, thing), event, self._now()):
                    self._number(_together(held))
        self._wake()

    async def open(self) -> None:
        """Go on behind what former engines kept. To be called before anybody asks; `say` may come before."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._write)

    async def keep_writing(self) -> None:
        """Write what is told, until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            with Turn("Writing the events"):
                self.tell_due()
                await asyncio.to_thread(self._write)

    async def close(self) -> None:
        """Write everything, what was held too."""
        with self._lock:
            for held in self._flapping.all():
                self._number(_together(held))
        await asyncio.to_thread(self._write)

    def tell_due(self) -> None:
        """Tell what was held long enough."""
        with self._lock:
            for held in self._flapping.due(self._now()):
                self._number(_together(held))

    async def asked(self, query: EventsQuery) -> EventsAnswer:
        """Return what a person asks for. Raises QueryRefused."""
        choice = questions.of_events(query, local_now())
        return await asyncio.to_thread(self._answer, query, choice)

    def _answer(self, query: EventsQuery, choice: questions.Choice) -> EventsAnswer:
        about = query.about.strip()

        def matches(event: EngineEvent) -> bool:
            return (
                (not choice.kinds or event.kind in choice.kinds)
                and (not about or _is_about(event, about))
                and (not choice.text or choice.text in event.sentence.casefold())
            )

        with self._lock:
            recent = list(self._ring)
            last = self._last
        problem = " ".join(self._troubles.sentences)
        try:
            parts = self._older(recent[0].number if recent else None, choice)
        except ConfigUnavailable as error:
            parts, problem = [], str(error)
        if recent:
            parts.append(Part(recent[0].number, lambda: reversed(recent)))
        try:
            found = questions.page(parts, choice, matches, lambda event: event.at)
        except ConfigUnavailable as error:
            problem = str(error)
            found = questions.page(parts[-1:] if recent else [], choice, matches, lambda event: event.at)
        return EventsAnswer(found.records, found.next, last, wall(), problem)

    def _older(self, first_recent: int | None, choice: questions.Choice) -> list[Part[EngineEvent]]:
        """Return what is on the disk, but for files that have nothing that is not in memory too."""
        parts = self._files.parts(_line_filter(choice), choice.before) if self._files is not None else []
        return [part for part in parts if first_recent is None or part.first < first_recent]

    def _number(self, event: EngineEvent) -> None:
        """Give an event its number; until the files were read it is the place among those that wait for that."""
        self._last += 1
        numbered = replace(event, number=self._last)
        self._ring.append(numbered)
        if self._files is not None:
            self._unwritten.append(numbered)

    def _open(self, files: RecordFiles[EngineEvent]) -> None:
        """Find the last number, and put what was told so far behind it."""
        try:
            last = files.last_number()
        except ConfigUnavailable as error:
            self._troubles.say("file", f"The events so far cannot be read, and no more are written: {error}")
            return
        with self._lock:
            for waiting in (self._ring, self._unwritten):
                moved = [replace(event, number=event.number + last) for event in waiting]
                waiting.clear()
                waiting.extend(moved)
            self._last += last
            self._is_open = True

    def _write(self) -> None:
        with self._file_lock:
            if self._files is not None:
                self._write_to(self._files)

    def _write_to(self, files: RecordFiles[EngineEvent]) -> None:
        if not self._is_open:
            self._open(files)
        while self._is_open and self._unwritten:
            with self._lock:
                batch = list(itertools.islice(self._unwritten, BATCH))
            try:
                files.append(*batch)
            except ConfigUnavailable as error:
                self._troubles.say("file", f"Events are not kept on the disk: {error}")
                return
            with self._lock:
                while self._unwritten and self._unwritten[0].number <= batch[-1].number:
                    self._unwritten.popleft()
        if self._is_open:
            self._troubles.say("file", "")

    def _wake(self) -> None:
        if self._loop is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._woken.set)


def _together(held: Held[EngineEvent]) -> EngineEvent:
    if held.count == 1:
        return held.last
    sentence = f"{held.last.sentence} (the last of {held.count} changes since {held.first.at})"
    return replace(held.last, sentence=sentence, count=held.count, since=held.first.at)


@dataclass(frozen=True, slots=True)
class _LineFilter:
    """Says of lines of the file whether they may be wanted."""

    kinds: tuple[bytes, ...]
    text: bytes

    @property
    def needle(self) -> bytes:
        """Return what every plain line has that may be wanted, b"" for nothing."""
        return self.text or (self.kinds[0] if len(self.kinds) == 1 else b"")

    def __call__(self, lines: bytes) -> bool:
        has_kind = not self.kinds or any(kind in lines for kind in self.kinds)
        return has_kind and (not self.text or _may_have(self.text, lines))


def _line_filter(choice: questions.Choice) -> _LineFilter | None:
    """Return what says of lines of the file whether they may be wanted; None: there is nothing to tell it by."""
    kinds = tuple(f'"{kind}"'.encode() for kind in choice.kinds)
    # Another letter may be written as an escape.
    text = choice.text.encode() if _PLAIN.fullmatch(choice.text) else b""
    return _LineFilter(kinds, text) if kinds or text else None


def _may_have(text: bytes, lines: bytes) -> bool:
    """Say whether a text of plain letters, without case, may be in lines."""
    if text in lines.lower():
        return True
    if len(lines) < _MANY:  # to read one line takes no longer than to look at it again
        return not lines.isascii()
    strange = b"" if lines.isascii() else lines.translate(None, _ASCII)
    return any(letter in strange for letter in _PLAIN_WITHOUT_CASE)


def _is_about(event: EngineEvent, about: str) -> bool:
    return event.about == about or event.about.startswith((f"{about}.", f"{about}["))

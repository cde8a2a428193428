"""The audit: who wanted what from where, and what came of it. It is only appended to, and nothing in it is removed.

Rule 1: nothing is changed on somebody's behalf before its entry is on the disk, as begun. Where that cannot be written
        the change is refused; only a revert goes on, because it leads back to what was safe.
Rule 2: what came of it is a second line. Where the disk refuses that, it is kept in memory and written before the next
        entry. A begun entry without one is told as "unfinished": the engine was killed meanwhile.
Rule 3: an entry says before and after, and the diff where it is short: the history has every text by its number.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

from piranha.engine import questions
from piranha.engine.caller import Caller
from piranha.errors import ConfigUnavailable, PiranhaError
from piranha.messages import SaveAnswer
from piranha.records import AuditAnswer, AuditEntry, AuditQuery
from piranha.system.boot import local_now, wall, wall_exactly
from piranha.system.record_files import Part, RecordFiles

log = logging.getLogger("lvs")

FILE_BYTES = 8 * 1024 * 1024
DIFF_MAX = 16 * 1024
"""Bytes of a diff that stands in the entry itself."""
REASON_MAX = 2000
OWED_MAX = 1000
"""Entries in memory while the disk refuses; those behind them are in the log alone."""
_FAULT = "a fault of the engine; its log says more"


@dataclass(frozen=True, slots=True)
class AuditLine(AuditEntry):
    """A line of the file: an entry; `of`: the number of the begun one that it is the end of, 0 if of none."""

    of: int = 0


@dataclass(slots=True)
class Told:
    """What an entry is to say, filled in while the thing is done."""

    about: str = ""
    reason: str = ""
    before_token: str = ""
    after_token: str = ""
    version: int | None = None
    diff: str = ""

    def saved(self, answer: SaveAnswer) -> None:
        """Take what a save did."""
        self.before_token, self.after_token = answer.before_token, answer.token
        self.version, self.diff = answer.number, answer.diff
        if not answer.changed:
            self.reason = "nothing was changed: lvs.cf says that already"


class Audit:
    """The audit below one root. `at` is the time of day."""

    def __init__(self, file: Path, *, at: Callable[[], str] = wall_exactly, file_bytes: int = FILE_BYTES) -> None:
        self._files = RecordFiles(file, AuditLine, size_max=file_bytes, is_synced=True)
        self._at = at
        self._last: int | None = None
        self._open: set[int] = set()
        self._owed: list[AuditLine] = []
        self._trouble = ""
        self._writing = asyncio.Lock()

    @property
    def trouble(self) -> str:
        """Return what is wrong with the audit in one sentence, or ""."""
        return self._trouble

    @asynccontextmanager
    async def entry(
        self, verb: str, caller: Caller, about: str = "", *, must_go_on: bool = False
    ) -> AsyncIterator[Told]:
        """Have what is done inside in the audit. It ends as done, refused (a PiranhaError) or failed.

        Raises ConfigUnavailable before anything is done, if the entry cannot be written and it is not `must_go_on`.
        """
        told = Told(about)
        number = await self._begin(verb, caller, told, must_go_on)
        try:
            yield told
        except ConfigUnavailable as error:
            await self._end(number, verb, caller, told, "failed", str(error))
            raise
        except PiranhaError as error:
            await self._end(number, verb, caller, told, "refused", str(error))
            raise
        except BaseException:
            await self._end(number, verb, caller, told, "failed", _FAULT)
            raise
        await self._end(number, verb, caller, told, "done", told.reason)

    async def note(self, verb: str, caller: Caller, result: str, reason: str = "", about: str = "") -> int:
        """Write an entry of something that is over; return its number. Raises ConfigUnavailable."""
        async with self._writing:
            await self._pay()
            return await self._put(self._line(verb, caller, Told(about), result, reason))

    async def note_surely(self, verb: str, caller: Caller, result: str, told: Told) -> None:
        """Write an entry of something that cannot be undone: where the disk refuses, it is written later."""
        await self._end(0, verb, caller, told, result, told.reason)

    async def asked(self, query: AuditQuery) -> AuditAnswer:
        """Return what a person asks for. Raises QueryRefused."""
        choice = questions.of_audit(query, local_now())
        return await asyncio.to_thread(self._answer, query, choice)

    async def _begin(self, verb: str, caller: Caller, told: Told, must_go_on: bool) -> int:
        async with self._writing:
            try:
                await self._pay()
                number = await self._put(self._line(verb, caller, told, "unfinished", ""))
            except ConfigUnavailable as error:
                self._note_trouble(error)
                if not must_go_on:
                    sentence = f"The audit cannot be written, so nothing is changed: {error}"
                    raise ConfigUnavailable(sentence) from error
                return 0
            self._open.add(number)
            return number

    async def _end(self, number: int, verb: str, caller: Caller, told: Told, result: str, reason: str) -> None:
        line = replace(self._line(verb, caller, told, result, reason), of=number)
        async with self._writing:
            if len(self._owed) < OWED_MAX:
                self._owed.append(line)
            try:
                await self._pay()
            except ConfigUnavailable as error:
                self._note_trouble(error)
                log.error("Not in the audit yet: %s by %s (uid %s), %s %s", verb, caller, caller.uid, result, reason)

    async def _pay(self) -> None:
        """Write what is owed. Raises ConfigUnavailable."""
        while self._owed:
            await self._put(self._owed[0])
            self._open.discard(self._owed.pop(0).of)

    async def _put(self, line: AuditLine) -> int:
        numbered = await asyncio.to_thread(self._put_now, line)
        if self._trouble:
            log.warning("The audit can be written again.")
        self._trouble = ""
        return numbered

    def _put_now(self, line: AuditLine) -> int:
        if self._last is None:
            self._last = self._files.last_number()
        number = self._last + 1
        # A file is left for a new one only where nothing is begun: both lines of an entry stand in one.
        try:
            self._files.append(replace(line, number=number), may_turn=not self._open)
        except ConfigUnavailable:
            self._last = None  # it may stand there all the same: look again next time
            raise
        self._last = number
        return number

    def _line(self, verb: str, caller: Caller, told: Told, result: str, reason: str) -> AuditLine:
        return AuditLine(
            number=0,
            at=self._at(),
            who=caller.user,
            from_address=caller.address,
            uid=caller.uid,
            verb=verb,
            result=result,
            reason=reason[:REASON_MAX],
            about=told.about,
            before_token=told.before_token,
            after_token=told.after_token,
            version=told.version,
            diff=told.diff if len(told.diff.encode()) <= DIFF_MAX else "",
        )

    def _note_trouble(self, error: ConfigUnavailable) -> None:
        if not self._trouble:
            log.error("%s", error)
        self._trouble = str(error)

    def _answer(self, query: AuditQuery, choice: questions.Choice) -> AuditAnswer:
        def matches(entry: AuditLine) -> bool:
            return (
                query.who in ("", entry.who)
                and query.verb in ("", entry.verb)
                and query.result in ("", entry.result)
                and (not choice.text or choice.text in _all_text(entry))
            )

        problem = self._trouble
        try:
            parts = [Part(part.first, lambda part=part: self._finished(part)) for part in self._files.parts()]  # type: ignore[misc]
            found = questions.page(parts, choice, matches, lambda entry: entry.at)
            last = self._files.last_number()
        except ConfigUnavailable as error:
            return AuditAnswer((), None, self._last or 0, wall(), str(error))
        return AuditAnswer(tuple(map(_entry, found.records)), found.next, last, wall(), problem)

    def _finished(self, part: Part[AuditLine]) -> Iterator[AuditLine]:
        """Yield the lines of a file, but the begun ones that ended, or are under way."""
        ended = set(self._open)
        for line in part.back():
            if line.of:
                ended.add(line.of)
            if line.result != "unfinished" or line.number not in ended:
                yield line


def _entry(line: AuditLine) -> AuditEntry:
    return AuditEntry(**{each.name: getattr(line, each.name) for each in fields(AuditEntry)})


def _all_text(entry: AuditEntry) -> str:
    words = (entry.who, entry.from_address, entry.verb, entry.result, entry.reason, entry.about, entry.diff)
    return "\n".join(words).casefold()

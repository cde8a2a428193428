"""This router's copy of what both routers have the same: told to the partner, and replaced by what the partner sends.

Rule 1: lvs.cf becomes the partner's byte for byte, so that both have one digest; [failover] of piranha.toml with it.
        Nothing is overwritten that the partner has not seen, and what was there is in the history.
Rule 2: both files, or neither: whatever goes wrong in between, a kill too, the old ones count (system.piranha_toml).
Rule 3: what was written is read back from the disk, and that is what the partner is told.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import replace

from piranha.config.extensions import read
from piranha.config.load import token_of
from piranha.config.shared_part import (
    SHARED,
    NotSeparable,
    digest_of,
    settings_of,
    shared_text,
    shared_token,
    with_table,
)
from piranha.engine.audit import Audit
from piranha.engine.caller import Caller
from piranha.engine.confirming import Confirming
from piranha.engine.events import Events
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.openapi import program_version
from piranha.engine.version import Version
from piranha.errors import ConfigConflict, ConfigUnavailable, EditRefused
from piranha.messages import ADOPTED_BYTES_MAX, SaveAnswer
from piranha.records import EventKind
from piranha.sync_messages import SHARED_BYTES_MAX, CopyState, ReceiveAnswer, ReceiveRequest
from piranha.system import lvs_cf, piranha_toml

log = logging.getLogger("lvs")


class Receiving:
    """The copy below one root. `changing` is the engine's lock, `running` returns what runs."""

    def __init__(
        self,
        keeper: ConfigKeeper,
        confirming: Confirming,
        changing: asyncio.Lock,
        events: Events,
        audit: Audit,
        running: Callable[[], Version | None],
    ) -> None:
        self._keeper = keeper
        self._paths = keeper.paths
        self._confirming = confirming
        self._changing = changing
        self._events = events
        self._audit = audit
        self._running = running

    async def settle(self) -> None:
        """Decide what a sync left that was killed. To be called before anything reads piranha.toml."""
        try:
            saved = await asyncio.to_thread(self._keeper.saved_version)
        except ConfigUnavailable:
            return  # the next start sees more
        done = await asyncio.to_thread(piranha_toml.settle, self._paths, saved.token if saved is not None else "")
        if done:
            log.warning("%s", done)

    async def state(self, known: str = "") -> CopyState:
        """Return this router's copy; `known`: a token to look for in the history. What cannot be read is in it."""
        waits = " ".join(self._confirming.objections())
        running = self._running()
        return await asyncio.to_thread(self._state, known, waits, running)

    async def receive(self, request: ReceiveRequest, caller: Caller) -> ReceiveAnswer:
        """Replace the copy by the partner's.

        Raises ConfigConflict if it is not the one that the partner has seen, ConfirmationPending, EditRefused for what
        cannot be taken, ConfigUnavailable; then everything is as it was.
        """
        async with self._audit.entry("receive", caller, request.name) as told, self._changing:
            self._confirming.require_none()
            saved = await asyncio.to_thread(self._receive, request, caller)
            told.saved(saved)
        state = await self.state()
        if state.token != token_of(request.content):
            raise ConfigUnavailable(f"{self._paths.lvs_cf} was written, and reads otherwise now. Look at the disk.")
        if saved.changed:
            who = request.name or "the partner"
            numbered = f"version {saved.number}, serial_no {saved.serial_no}." if saved.number else "it is as it was."
            sentence = " ".join([f"lvs.cf came from {who}: {numbered}", *saved.notices])
            self._events.say(EventKind.SYNCED, "", sentence, caller)
        return ReceiveAnswer(saved.changed, state, saved.number)

    def last_shared(self) -> str:
        """Return the token of the [failover] that both had after the last sync, "" where nobody knows."""
        try:
            kept = json.loads(self._paths.synced.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        return str(kept.get("shared_token", "")) if isinstance(kept, dict) else ""

    def note_shared(self, token: str) -> None:
        """Remember the [failover] that both have now. A disk that refuses costs a question at the next sync."""
        if token == self.last_shared():
            return
        try:
            lvs_cf.write(self._paths, self._paths.synced, json.dumps({"shared_token": token}).encode())
        except ConfigUnavailable as error:
            log.warning("%s", error)

    def _state(self, known: str, waits: str, running: Version | None) -> CopyState:
        problems = []
        saved = None
        try:
            saved = self._keeper.saved_version()
        except ConfigUnavailable as error:
            problems.append(str(error))
        raw, text = b"", ""
        try:
            raw = piranha_toml.bytes_of(self._paths) or b""
            text = shared_text(raw)
        except (ConfigUnavailable, NotSeparable) as error:
            problems.append(str(error))
        token, shared = saved.token if saved is not None else "", shared_token(read(raw).failover)
        return CopyState(
            token=token,
            serial_no=saved.serial_no if saved is not None else None,
            running_token=running.token if running is not None else "",
            running_serial_no=running.serial_no if running is not None else None,
            shared_text=text,
            shared_token=shared,
            digest=digest_of(token, shared).hex(),
            knows=bool(known) and any(each.token == known for each in self._keeper.history().versions),
            waits=waits,
            problem=" ".join(problems),
            version=program_version(),
        )

    def _receive(self, request: ReceiveRequest, caller: Caller) -> SaveAnswer:
        """Write both files, or none."""
        if len(request.content) > ADOPTED_BYTES_MAX or len(request.shared_text.encode()) > SHARED_BYTES_MAX:
            raise EditRefused("", "", "What the partner sent is too long.")
        try:
            wanted = settings_of(request.shared_text)
            was = piranha_toml.bytes_of(self._paths)
            present = read(was or b"")
            if shared_token(present.failover) != request.shared_token:
                raise ConfigConflict("[failover] of piranha.toml", "")
            if present.failover == wanted and not present.errors:
                now = was
            else:
                now = with_table(was or b"", SHARED, request.shared_text)
        except NotSeparable as problem:
            raise EditRefused("", "", str(problem)) from problem
        if now is None or now == was:
            answer = self._keeper.receive(request, caller)
        else:
            with piranha_toml.replaced(self._paths, was, now, token_of(request.content)):
                answer = self._keeper.receive(request, caller)
            answer = replace(answer, changed=True, notices=("[failover] of piranha.toml was changed.",))
        self.note_shared(shared_token(wanted))
        return answer

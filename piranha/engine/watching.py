"""What others write into lvs.cf: taken into the history, told in the events; a history in trouble stops nothing."""

import asyncio
import logging
from collections.abc import Callable

from piranha.engine.events import Events
from piranha.engine.keeper import ConfigKeeper
from piranha.errors import ConfigUnavailable
from piranha.guard import Turn
from piranha.messages import VersionInfo
from piranha.records import EventKind

log = logging.getLogger("lvs")

WATCH_S = 2.0
"""Between two looks at lvs.cf for changes by hand."""


class Watching:
    """Looks at the lvs.cf of a keeper."""

    def __init__(self, keeper: ConfigKeeper, events: Events) -> None:
        self._keeper = keeper
        self._events = events
        self._trouble = ""
        keeper.on_found = self._tell_found

    async def keep_watching(self) -> None:
        """Take into the history, for ever, what others write into lvs.cf."""
        while True:
            await asyncio.sleep(WATCH_S)
            with Turn("The look at lvs.cf"):
                await self._told_once(self._keeper.watch)

    async def catch_up(self) -> None:
        """Take into the history what others wrote; a history in trouble is told and stops nothing."""
        await self._told_once(self._keeper.catch_up)

    async def _told_once(self, act: Callable[[], object]) -> None:
        """Do something whose failure is for the log: once, however often it fails in the same way."""
        try:
            await asyncio.to_thread(act)
            self._trouble = ""
        except ConfigUnavailable as error:
            if str(error) != self._trouble:
                log.error("What was written into lvs.cf by hand cannot be kept in the history: %s", error)
            self._trouble = str(error)

    def _tell_found(self, found: VersionInfo) -> None:
        what = "was written by hand" if found.how == "hand edit" else "is taken into the history as it was found"
        more = len(found.changes) - 1 + found.more_changes
        changes = f"; {found.changes[0]}{f' and {more} more' if more else ''}" if found.changes else ""
        self._events.say(EventKind.HAND_EDIT, "", f"lvs.cf {what}: version {found.number}{changes}.")

"""Hears in the event loop what the kernel tells of interfaces and addresses. Deaf, it says so and is opened anew."""

import asyncio
from collections.abc import Callable

from piranha.errors import PiranhaError
from piranha.guard import Turn
from piranha.system.addresses import Change, ChangesLost, ChangeWatch


class AddressEar:
    """Hands on what changed, as soon as it is told. `watch` opens what listens."""

    def __init__(self, watch: Callable[[], ChangeWatch], hand_on: Callable[[tuple[Change, ...]], None]) -> None:
        self._watch = watch
        self._hand_on = hand_on
        self._open: ChangeWatch | None = None

    @property
    def is_open(self) -> bool:
        """Say whether anything would be heard."""
        return self._open is not None

    def open(self) -> str:
        """Listen, from within the event loop; return why that is not possible, or "". What came before is lost."""
        if self._open is not None:
            return ""
        try:
            self._open = self._watch()
        except PiranhaError as error:
            return str(error)
        asyncio.get_running_loop().add_reader(self._open.fileno(), self._heard)
        self._hand_on((ChangesLost(),))
        return ""

    def close(self) -> None:
        """Hear no more."""
        if self._open is not None:
            asyncio.get_running_loop().remove_reader(self._open.fileno())
            self._open.close()
            self._open = None

    def _heard(self) -> None:
        with Turn("Hearing of changed addresses"):
            if self._open is None:
                return
            try:
                changes = self._open.changes()
            except PiranhaError:
                self.close()  # the next turn opens it anew, and says so where that is not possible
                changes = (ChangesLost(),)
            self._hand_on(changes)

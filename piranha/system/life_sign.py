"""When this router last spoke as the active one, for a pulse that starts behind one that was killed.

A heartbeat is sent first and noted here afterwards, in a file of /run: a write into memory, never waited for.
"""

import contextlib
import os

from piranha.paths import Paths
from piranha.system.boot import boot_id, boottime

NAME = "active"


class LifeSign:
    """The note of one router."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.run / NAME
        self._descriptor: int | None = None
        self._boot = boot_id()
        self._is_over = False

    def note(self) -> None:
        """Write down that this router speaks as the active one now. A failure costs no more than a resumed start."""
        self._is_over = False
        with contextlib.suppress(OSError):
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            os.pwrite(self._descriptor, f"{boottime():017.6f} {self._boot}\n".encode(), 0)

    def age_s(self) -> float | None:
        """Return how long ago this router spoke as the active one in this boot, seconds; None: it did not."""
        try:
            moment, _, boot = self._path.read_text(encoding="ascii").strip().partition(" ")
            age_s = boottime() - float(moment)
        except (OSError, ValueError):
            return None
        return age_s if boot == self._boot and age_s >= 0 else None

    def end(self) -> None:
        """Forget it: this router is active no more, and says so."""
        if self._is_over:
            return
        self._is_over = True
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

"""LVS stopped by an operator while the engine stays up: who, when, in which boot.

Rule 1: it is on the disk before anything is taken away: an engine that dies and starts again goes on standing still.
Rule 2: it holds for one boot, and until an operator starts again, LVS or the engine.
"""

import logging
from dataclasses import dataclass

import msgspec

from piranha.engine.caller import Caller
from piranha.errors import ConfigUnavailable, UnsafePlan
from piranha.paths import Paths
from piranha.router_status import StoppedStatus
from piranha.system import files
from piranha.system.boot import BootClock, wall

log = logging.getLogger("lvs")


@dataclass(frozen=True, slots=True)
class Stopped:
    """Who stopped LVS, from where and when, as it is kept on the disk. `boot_id`: in which boot of the machine."""

    boot_id: str
    who: str
    from_address: str
    at: str

    @property
    def by(self) -> str:
        """Return who and when in words."""
        return f"by {Caller(self.who, self.from_address)} at {self.at}"

    @property
    def words(self) -> str:
        """Return it all in words."""
        return f"stopped {self.by}"


class Standstill:
    """Whether LVS is stopped. What changes something does file I/O and is called under the engine's lock."""

    def __init__(self, paths: Paths, clock: BootClock | None = None) -> None:
        self._paths = paths
        self._clock = clock or BootClock()
        self._stopped: Stopped | None = None

    @property
    def stopped(self) -> Stopped | None:
        """Return who stopped LVS, None if it is not stopped."""
        return self._stopped

    def status(self) -> StoppedStatus | None:
        """Return what the status says of it."""
        held = self._stopped
        return None if held is None else StoppedStatus(held.who, held.from_address, held.at)

    def objections(self) -> tuple[str, ...]:
        """Return why nothing can be applied now."""
        if self._stopped is None:
            return ()
        return (
            f"LVS is {self._stopped.words}. Start it instead (START on CONTROL/MONITORING, or `piranha start`): "
            "that runs lvs.cf as it is saved.",
        )

    def require_none(self) -> None:
        """Raise UnsafePlan if LVS is stopped."""
        for sentence in self.objections():
            raise UnsafePlan(sentence)

    def begin(self, caller: Caller) -> Stopped:
        """Keep on the disk that LVS is stopped. Raises ConfigUnavailable: then it is not."""
        stopped = Stopped(self._clock.boot_id(), caller.user, caller.address, wall())
        files.write_atomically(self._paths.standstill, msgspec.json.encode(stopped), mode=0o600)
        self._stopped = stopped
        return stopped

    def end(self) -> None:
        """Forget it, also after a power cut. Raises ConfigUnavailable: then it is stopped still."""
        files.remove(self._paths.standstill)
        self._stopped = None

    def found(self, *, was_ordered: bool) -> tuple[str, ...]:
        """Take up at a start what a former engine left; return what the administrator should know.

        `was_ordered`: an operator stopped that engine, so this start is an operator's too.
        """
        try:
            kept = msgspec.json.decode(self._paths.standstill.read_bytes(), type=Stopped)
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            return (f"{self._paths.standstill} cannot be read ({error}): if LVS was stopped, it runs again.",)
        if was_ordered or not kept.boot_id or kept.boot_id != self._clock.boot_id():
            log.info("LVS was %s; that is over by this start.", kept.words)
            try:
                self.end()  # else the next start in this boot would find it
            except ConfigUnavailable as error:
                return (f"{error} If the engine is started again, LVS may be found stopped.",)
            return ()
        self._stopped = kept
        return ()

"""Which addresses on this machine are ours, and the note of it for the run after this one."""

from piranha.errors import ConfigUnavailable
from piranha.ipvs.addresses import Held
from piranha.paths import Paths
from piranha.pulse import address_store
from piranha.said_once import SaidOnce

ABOUT = "own addresses"


class OwnAddresses:
    """What this router claimed, and a former run of this boot. What cannot be read or written is told to `troubles`."""

    def __init__(self, paths: Paths, troubles: SaidOnce) -> None:
        self.held: frozenset[Held] = frozenset()
        self._paths = paths
        self._troubles = troubles
        try:
            self.held = address_store.read(paths)
        except ConfigUnavailable as error:
            troubles.say(ABOUT, str(error))
        self._written = self.held

    def write(self) -> None:
        """Write down what is ours. Where that fails the address is claimed all the same: who serves comes first."""
        if self.held == self._written:
            return
        try:
            address_store.write(self._paths, self.held)
        except ConfigUnavailable as error:
            self._troubles.say(ABOUT, f"{error} After a crash this router would not know its own addresses.")
        else:
            self._written = self.held
            self._troubles.say(ABOUT, "")

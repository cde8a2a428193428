"""Reading the table of a data path again and again: one that cannot be read is said once, and when it can be again."""

import logging

from piranha.ipvs.table import DataPath, Reading
from piranha.system.ipvs_socket import KernelUnavailable

log = logging.getLogger("lvs")


class TableReader:
    """Reads one table. `trouble` is why it could not be read last, or ""."""

    def __init__(self, path: DataPath) -> None:
        self.trouble = ""
        self._path = path

    async def read(self) -> Reading | None:
        """Return the present table; None if it cannot be had now."""
        try:
            reading = await self._path.present()
        except KernelUnavailable as unavailable:
            if str(unavailable) != self.trouble:
                log.error("%s", unavailable)
            self.trouble = str(unavailable)
            return None
        if self.trouble:
            log.info("The table can be read again.")
        self.trouble = ""
        return reading

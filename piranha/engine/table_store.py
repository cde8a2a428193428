"""What the engine must know of the kernel's table after a crash, kept on the disk before it is needed.

It is of this boot only, and stands beside the sockets: a reboot empties the table.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from piranha.config.model import Address, HostName
from piranha.errors import ConfigUnavailable
from piranha.ipvs.drain import Draining
from piranha.ipvs.ownership import Owned, TableMemory, memory_of, memory_text
from piranha.paths import Paths
from piranha.system.boot import boot_id
from piranha.system.files import write_atomically

log = logging.getLogger("lvs")


class TableStore:
    """The memory of one table. `trouble` says what is wrong with its file, "" for nothing.

    Made without paths it keeps everything in this process: for a table that ends with it.
    """

    def __init__(self, paths: Paths | None = None) -> None:
        """Read what a former engine left. A file that makes no sense is said in the log and counts as missing."""
        self.path: Path | None = None if paths is None else paths.run / "ipvs-table.json"
        self.memory = TableMemory()
        self.trouble = ""
        self._boot_id = boot_id()
        if self.path is not None:
            self._read(self.path)
        self._is_written = not self.trouble

    async def keep(
        self,
        *,
        owned: Owned | None = None,
        draining: Sequence[Draining] | None = None,
        timeouts: tuple[int, int, int] | None = None,
        names: Mapping[HostName, Address] | None = None,
    ) -> None:
        """Keep these; what is not named stays. It is on the disk when this returns, or `trouble` says why not."""
        memory = self.memory
        await self._keep(
            replace(
                memory,
                owned=memory.owned if owned is None else owned,
                draining=memory.draining if draining is None else tuple(draining),
                timeouts=memory.timeouts if timeouts is None else timeouts,
                names=memory.names if names is None else tuple(sorted(names.items())),
            )
        )

    async def keep_sync(self, sync: tuple[str, str, int] | None) -> None:
        """Keep which sync daemon is ours, by role, interface and id; None for none."""
        await self._keep(replace(self.memory, sync=sync))

    async def _keep(self, memory: TableMemory) -> None:
        if memory == self.memory and self._is_written:
            return
        self.memory = memory
        if self.path is None:
            return
        try:
            await asyncio.to_thread(write_atomically, self.path, memory_text(memory, self._boot_id), mode=0o600)
        except ConfigUnavailable as error:
            self._is_written = False
            self._tell(f"{error} After a crash the engine would not know which entries of the table are its own.")
        else:
            self._is_written = True
            self.trouble = ""

    def _read(self, path: Path) -> None:
        try:
            self.memory = memory_of(path.read_bytes(), self._boot_id)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self._tell(
                f"{path} cannot be used ({reason}): only what lvs.cf names counts as ours in the table. "
                "Look at ipvsadm -Ln for entries of a former configuration, and remove them by hand."
            )

    def _tell(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.error("%s", trouble)
        self.trouble = trouble

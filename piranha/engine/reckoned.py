"""What a turn reckoned, kept for the next turns as long as it is true: with thousands of real servers it takes long."""

from collections.abc import Mapping
from dataclasses import dataclass

from piranha.config.model import RealServerKey
from piranha.health.weight import Weighed
from piranha.ipvs.desired import Desired
from piranha.ipvs.table import Entry, Table, TableKey


@dataclass(frozen=True, slots=True)
class Reckoned:
    """The weights and the desired table, and what they were reckoned from.

    `waiting`: the entries of virtual servers with real servers that were never checked, as they were in the table.
    """

    depends: object
    waiting: Mapping[TableKey, Entry | None]
    weighed: Mapping[RealServerKey, Weighed]
    target: Desired

    def is_of(self, table: Table) -> bool:
        """Say whether a table has these entries still."""
        return all(table.get(key) == entry for key, entry in self.waiting.items())

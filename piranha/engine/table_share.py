"""What of a table is ours, and what of it is on its way out."""

from piranha.engine.table_store import TableStore
from piranha.ipvs.desired import Desired
from piranha.ipvs.drain import SETTLE_S, Draining, what_drains
from piranha.ipvs.ownership import NOTHING, Owned, claimed, named
from piranha.ipvs.table import DataPath, Place, Reading


class TableShare:
    """Our share of the table of a data path: all of it, or what `store` remembers of one that others use too."""

    def __init__(self, path: DataPath, store: TableStore) -> None:
        self._path = path
        self._store = store

    def owned(
        self,
        reading: Reading,
        target: Desired,
        here: frozenset[Place],
        draining: tuple[Draining, ...],
        *,
        is_active: bool,
    ) -> Owned:
        """Return what steps may touch. `here`: what is configured; an active router claims what it names."""
        if not self._path.shares:
            every = frozenset((key, each) for key, entry in reading.table.items() for each in entry.destinations)
            return Owned(frozenset(reading.table), every)
        now_named = named(target.services.values(), here, draining) if is_active else NOTHING
        return claimed(self._store.memory.owned, now_named, reading.table)

    def leaving(
        self,
        reading: Reading,
        before: frozenset[Place],
        after: frozenset[Place],
        draining: tuple[Draining, ...],
        now: float,
        *,
        at_once: bool,
    ) -> tuple[Draining, ...]:
        """Return what drains when what is configured changes. `now`: monotonic seconds; `at_once`: it ends then."""
        # What a former engine left and does not drain yet is on its way out too.
        left = self._store.memory.owned.places - {drain.place for drain in draining}
        return what_drains(
            reading,
            before=before | left,
            after=after,
            now=now,
            removes_at_once=at_once,
            settle_s=SETTLE_S if self._path.shares else 0.0,
        )

"""The history of lvs.cf: every text that it had, and for each how sure that is.

Rule 1: it never lies. A save's record is on the disk, *pending*, before lvs.cf is replaced, and certain after. What a
        killed save left pending is settled by looking at lvs.cf; where that does not tell, the version says so.
Rule 2: what is found in lvs.cf and is not the newest certain version was written by somebody else, and is a version.
Rule 3: the oldest go first when there are too many; the newest and the one that runs stay. No number is used twice.
Rule 4: a file that is damaged is told, left alone, and stops nothing.

All methods do file I/O. Those that write raise ConfigUnavailable, and are called under the lock of lvs.cf.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from piranha.config.changes import Changes, changes_between
from piranha.config.document import Document
from piranha.config.load import decode, encoding_of, token_of
from piranha.engine.caller import Caller
from piranha.engine.version import Version
from piranha.errors import ConfigUnavailable, EditRefused
from piranha.messages import History, VersionInfo, VersionText
from piranha.paths import Paths
from piranha.system.boot import wall, wall_of
from piranha.system.history_store import DamagedVersion, Entry, HistoryStore, Record, Standing
from piranha.system.lvs_cf import Look

log = logging.getLogger("lvs")

PROBLEMS_TOLD = 3


class NotKept(EditRefused):
    """There is no version of that number (any more)."""

    def __init__(self, number: int) -> None:
        super().__init__("", "", f"Version {number} is not in the history (any more); `piranha history` lists them.")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept: versions, and bytes of all their files."""

    versions: int = 1000
    size: int = 128 * 1024 * 1024


class ConfigHistory:
    """The history below one root. `on_found` is told of every version that somebody else wrote."""

    def __init__(
        self,
        paths: Paths,
        bounds: Bounds | None = None,
        on_found: Callable[[VersionInfo], None] = lambda version: None,
    ) -> None:
        self._store = HistoryStore(paths.history)
        self._bounds = bounds or Bounds()
        self._on_found = on_found

    def clean_up(self) -> None:
        """Remove what killed writers left. To be called where none can be at work."""
        self._store.clean_up()

    def catch_up(self, look: Look, understood: Callable[[bytes], Version]) -> VersionInfo | None:
        """Settle what a killed save left, and take what somebody else wrote; return that version, if there is one.

        `look` is lvs.cf as it is under the lock; `understood` reads bytes that are to become a version.
        """
        entries = self.settle(look)
        if look.raw is None:
            return None
        newest = _newest(entries)
        kept = self._record(newest)
        if kept is not None and kept.token == token_of(look.raw):
            return None
        version = understood(look.raw)
        changes = self._changes_since(newest, version.document)
        record = Record(
            number=_next_number(entries),
            at=wall_of(look.changed_at),
            # Where the version before cannot be read nobody knows who wrote this one.
            how="found" if kept is None else "hand edit",
            who="",
            from_address="",
            serial_no=version.serial_no,
            token=version.token,
            size=len(look.raw),
            changes=changes.told,
            more_changes=changes.more,
        )
        self._store.put(record, look.raw, Standing.CERTAIN)
        what = "lvs.cf as it was found" if kept is None else f"lvs.cf as somebody wrote it by hand ({record.at})"
        log.info("%s is version %s of the history.", what, record.number)
        self._on_found(record.info())
        return record.info()

    def settle(self, look: Look) -> list[Entry]:
        """Decide what the pending versions are, now that nobody is saving: `look` tells which text won.

        Return the files that are left.
        """
        settled = [self._settled(entry, look) for entry in self._store.entries()]
        return [entry for entry in settled if entry is not None]

    def _settled(self, entry: Entry, look: Look) -> Entry | None:
        record = self._record(entry) if entry.standing is Standing.PENDING else None
        if record is None:  # settled long ago, or damaged
            return entry
        if look.raw is not None and record.token == token_of(look.raw):
            return self._store.change(entry, Standing.CERTAIN)
        if record.over == look.stamp:
            self._store.remove(entry)  # nobody has touched lvs.cf: the save ended before it did
            return None
        log.warning("Nobody knows whether version %s ever was lvs.cf.", record.number)
        return self._store.change(entry, Standing.UNCERTAIN)

    def begin(self, how: str, version: Version, changes: Changes, caller: Caller, look: Look) -> Entry:
        """Keep, as pending, the version that is about to replace `look`."""
        record = Record(
            number=_next_number(self._store.entries()),
            at=wall(),
            how=how,
            who=caller.user,
            from_address=caller.address,
            serial_no=version.serial_no,
            token=version.token,
            size=len(version.raw),
            changes=changes.told,
            more_changes=changes.more,
            over=look.stamp,
        )
        return self._store.put(record, version.raw, Standing.PENDING)

    def confirm(self, entry: Entry) -> None:
        """Say that a pending version is lvs.cf now. A disk that refuses is no harm: it is settled next time."""
        try:
            self._store.change(entry, Standing.CERTAIN)
        except ConfigUnavailable as error:
            log.warning("%s The version counts as saved.", error)

    def abandon(self, entry: Entry) -> None:
        """Forget a pending version that never was lvs.cf. A disk that refuses is no harm: it is settled next time."""
        try:
            self._store.remove(entry)
        except ConfigUnavailable as error:
            log.warning("%s It is tried again at the next save.", error)

    def prune(self, running_token: Callable[[], str]) -> None:
        """Remove the oldest versions beyond the bounds; a disk that refuses is told in the log."""
        try:
            entries = [entry for entry in self._store.entries() if entry.standing is not Standing.PENDING]
            sizes = {entry: self._store.size(entry) for entry in entries}
            count, size = len(entries), sum(sizes.values())
            if count <= self._bounds.versions and size <= self._bounds.size:
                return
            runs, newest = running_token(), _newest(entries)
            for entry in entries[:-1]:
                if count <= self._bounds.versions and size <= self._bounds.size:
                    break
                record = self._record(entry)
                if record is None or entry is newest or record.token == runs:
                    continue
                self._store.remove(entry)
                count, size = count - 1, size - sizes[entry]
            self._store.forget_read(entries)
        except ConfigUnavailable as error:
            log.warning("The history could not be shortened: %s", error)

    def number_of(self, token: str) -> int | None:
        """Return the number of the newest certain version, if it has that token."""
        kept = self._record(_newest(self._store.entries()))
        return kept.number if kept is not None and kept.token == token else None

    def newest_serial(self) -> int | None:
        """Return the serial number of the newest version, None if there is none."""
        kept = self._record(_newest(self._store.entries()))
        return None if kept is None else kept.serial_no

    def listing(self, saved_token: str, running_token: str) -> History:
        """Return what is kept, the newest first. Never raises: what is wrong is in `problem`."""
        for _ in range(5):
            found = self._listing(saved_token, running_token)
            if found is not None:
                return found
        return History((), saved_token, running_token, "The history changes faster than it can be read. Ask again.")

    def text(self, number: int) -> VersionText:
        """Return a version with its text. Raises NotKept, ConfigUnavailable if its file is damaged."""
        info, raw = self.kept(number)
        return VersionText(info, decode(raw), encoding_of(raw))

    def kept(self, number: int) -> tuple[VersionInfo, bytes]:
        """Return a version and its bytes. Raises NotKept, ConfigUnavailable if its file is damaged."""
        for _ in range(2):  # it may become certain in between, and its file then has another name
            for entry in self._store.entries():
                if entry.number != number or entry.standing is Standing.PENDING:
                    continue
                try:
                    found = self._store.text(entry)
                except DamagedVersion as error:
                    raise ConfigUnavailable(f"{error} Move it away; version {number} is lost.") from error
                if found is not None:
                    return found[0].info(is_certain=entry.standing is Standing.CERTAIN), found[1]
        raise NotKept(number)

    def _listing(self, saved_token: str, running_token: str) -> History | None:
        """Return what is kept, None if a file went away while it was read."""
        versions, problems = [], []
        try:
            entries = self._store.entries()
        except ConfigUnavailable as error:
            return History((), saved_token, running_token, str(error))
        for entry in reversed(entries):
            try:
                record = self._store.record(entry)
            except (DamagedVersion, ConfigUnavailable) as error:
                problems.append(str(error))
                continue
            if record is None:
                return None
            # A pending one that is lvs.cf was saved: its confirmation is under way, or the disk refused it.
            if entry.standing is not Standing.PENDING or record.token == saved_token:
                versions.append(record.info(is_certain=entry.standing is not Standing.UNCERTAIN))
        self._store.forget_read(entries)
        if len(problems) > PROBLEMS_TOLD:
            problems[PROBLEMS_TOLD:] = [f"And {len(problems) - PROBLEMS_TOLD} more."]
        return History(tuple(versions), saved_token, running_token, " ".join(problems))

    def _record(self, entry: Entry | None) -> Record | None:
        """Return what a version's file says, None if it is damaged, gone, or none."""
        try:
            return None if entry is None else self._store.record(entry)
        except DamagedVersion as error:
            log.warning("%s", error)
            return None

    def _changes_since(self, newest: Entry | None, document: Document) -> Changes:
        try:
            found = None if newest is None else self._store.text(newest)
        except DamagedVersion:
            found = None
        return Changes(()) if found is None else changes_between(Document(decode(found[1])), document)


def _newest(entries: list[Entry]) -> Entry | None:
    """Return the newest version that certainly was lvs.cf."""
    return next((entry for entry in reversed(entries) if entry.standing is Standing.CERTAIN), None)


def _next_number(entries: list[Entry]) -> int:
    return entries[-1].number + 1 if entries else 1

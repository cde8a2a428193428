"""The keeper of lvs.cf: the only writer of it, of its history, and of the text that was applied last.

Rule 1: saved is not applied. `lvs.cf` is what an administrator saved, `running.cf` what was applied; they may differ.
Rule 2: a save names the parts of the file it was made from, with their tokens. If one of them was changed by
        somebody else meanwhile, nothing is written.
Rule 3: a save that changes nothing writes nothing. One that changes something counts `serial_no` up once.
Rule 4: a version's identity is the SHA-256 of its bytes, never its serial number.
Rule 5: no text becomes lvs.cf without its record in the history, and what others wrote into it is recorded first.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from piranha.config.changes import Changes, changes_between
from piranha.config.diffs import diff
from piranha.config.document import Document
from piranha.config.editing import apply_edits
from piranha.config.edits import ExpectedPart
from piranha.config.load import decode, encoding_of, token_of
from piranha.config.rollback import rolled_back
from piranha.config.side_effects import side_effects
from piranha.engine.caller import Caller
from piranha.engine.history import Bounds, ConfigHistory
from piranha.engine.version import Version, edited_version, version_of
from piranha.errors import ConfigConflict, ConfigUnavailable, EditRefused
from piranha.messages import (
    ADOPTED_BYTES_MAX,
    AdoptRequest,
    History,
    RollbackRequest,
    SaveAnswer,
    SavedConfig,
    SaveRequest,
    VersionInfo,
    VersionText,
)
from piranha.paths import Paths
from piranha.sync_messages import ReceiveRequest
from piranha.system import lvs_cf
from piranha.system.boot import boot_id
from piranha.system.files import NotConfirmed, remove_unfinished
from piranha.system.lvs_cf import Look

log = logging.getLogger("lvs")

_NOTHING = Document("")
_CREATED = b"serial_no = 1\n"
_DONE = {
    "save": "saved",
    "create": "created",
    "rollback": "rolled back",
    "adopt": "adopted",
    "revert": "reverted",
    "sync": "received",
}

_Next = tuple[SaveAnswer, Version | None, Changes]
"""What is answered, the version that is made (None: nothing would change), and what the history says of it."""
_NAME_MAX = 200


class ConfigKeeper:
    """Owns lvs.cf, its history and running.cf below one root. All methods do file I/O and return when it is done.

    `on_found` is told of what others wrote into lvs.cf, in whatever thread found it.
    """

    def __init__(self, paths: Paths, bounds: Bounds | None = None) -> None:
        self.paths = paths
        self.on_found: Callable[[VersionInfo], None] = lambda version: None
        self._history = ConfigHistory(paths, bounds, lambda version: self.on_found(version))
        self._cache: Version | None = None
        self._rolled: tuple[tuple[str, bytes, bytes | None], _Next] | None = None
        self._seen = self._taken = ""

    def saved_version(self) -> Version | None:
        """Return lvs.cf as it is on the disk, None if there is none. Raises ConfigUnavailable."""
        raw = lvs_cf.read(self.paths.lvs_cf)
        return None if raw is None else self._understood(raw)

    def running_version(self) -> Version | None:
        """Return the text that was applied last, None if none ever was. Raises ConfigUnavailable."""
        raw = lvs_cf.read(self.paths.running_cf)
        return None if raw is None else version_of(raw)

    def saved(self, known: str = "") -> SavedConfig:
        """Return lvs.cf for a reader, without its text if he knows it; a file that cannot be read is an answer too."""
        file = str(self.paths.lvs_cf)
        try:
            raw = lvs_cf.read(self.paths.lvs_cf)
        except ConfigUnavailable as error:
            return SavedConfig(file, "", "", True, str(error))
        cached = self._cache
        if known and cached is not None and cached.token == known and cached.raw == raw:
            return SavedConfig(file, "", known, True, "", encoding_of(raw), is_known=True)
        answer = described(file, raw)
        return replace(answer, text="", is_known=True) if known and answer.token == known else answer

    def save(self, request: SaveRequest, caller: Caller) -> SaveAnswer:
        """Do the edits if every expected part is as expected.

        Raises ConfigConflict, EditRefused or ConfigUnavailable; then the file is as it was.
        """
        return self._make("save", partial(self._edited, request), caller, dry_run=request.dry_run)

    def create(self, caller: Caller) -> SaveAnswer:
        """Create an lvs.cf with nothing but its serial number. Raises ConfigUnavailable if there is one already."""
        return self._make("create", self._created, caller)

    def rollback(self, request: RollbackRequest, caller: Caller) -> SaveAnswer:
        """Save the text of a kept version again, as a new version; a missing lvs.cf comes back this way.

        Raises EditRefused if it is not kept or takes no serial number, ConfigConflict if lvs.cf is not as expected,
        ConfigUnavailable; then the file is as it was.
        """
        return self._make("rollback", partial(self._rolled_back, request), caller, dry_run=request.dry_run)

    def adopt(self, request: AdoptRequest, caller: Caller) -> SaveAnswer:
        """Save another file's text as the next version, if lvs.cf is the one that the caller has seen.

        Raises ConfigConflict if it is not, EditRefused for a text that takes no serial number, ConfigUnavailable; then
        the file is as it was.
        """
        return self._make("adopt", partial(self._adopted, request), caller, dry_run=request.dry_run)

    def revert(self, applied_token: str, before: bytes, caller: Caller) -> SaveAnswer:
        """Save the text that ran before an Apply as the next version, if lvs.cf still is what was applied.

        `changed` False: it says that already. Raises ConfigConflict if somebody saved something else meanwhile,
        EditRefused if the old text takes no serial number, ConfigUnavailable; then the file is as it was.
        """
        return self._make("revert", partial(self._reverted, applied_token, before), caller)

    def receive(self, request: ReceiveRequest, caller: Caller) -> SaveAnswer:
        """Save the partner's text, byte for byte. Raises ConfigConflict, ConfigUnavailable: the file is as it was."""
        return self._make("sync", partial(self._received, request), caller)

    def history(self) -> History:
        """Return the versions that are kept. Never raises: what is wrong is in the answer."""
        return self._history.listing(_token_at(self.paths.lvs_cf), _token_at(self.paths.running_cf))

    def version(self, number: int) -> VersionText:
        """Return a version with its text. Raises EditRefused if it is not kept, ConfigUnavailable if damaged."""
        return self._history.text(number)

    def number_of(self, token: str) -> int | None:
        """Return the number of the newest version, if it is that text. Raises ConfigUnavailable."""
        return self._history.number_of(token)

    def catch_up(self) -> VersionInfo | None:
        """Record what others wrote into lvs.cf, and what a killed save left unsaid; return the version if one came.

        Raises ConfigUnavailable.
        """
        with lvs_cf.locked(self.paths):
            look = lvs_cf.look(self.paths.lvs_cf)
            found = self._history.catch_up(look, self._understood)
            self._history.prune(self._running_token)
        self._seen = self._taken = look.stamp
        return found

    def watch(self) -> VersionInfo | None:
        """Look whether others wrote into lvs.cf, to be called every few seconds; return the version if one came.

        A file that is just being written is left for the next look. Raises ConfigUnavailable.
        """
        stamp = lvs_cf.stamp(self.paths.lvs_cf)
        if stamp == self._taken:
            return None
        if stamp != self._seen:
            self._seen = stamp
            return None
        return self.catch_up()

    def note_applied(self, version: Version) -> None:
        """Keep the text that runs from now on. Raises ConfigUnavailable."""
        try:
            self.paths.state.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigUnavailable(f"{self.paths.state} cannot be made ({error.strerror}).") from error
        lvs_cf.write(self.paths, self.paths.running_cf, version.raw)

    def applied_at(self) -> str | None:
        """Return when the running text was applied, ISO 8601, or None."""
        try:
            moment = self.paths.running_cf.stat().st_mtime
        except OSError:
            return None
        return datetime.fromtimestamp(moment, UTC).astimezone().isoformat(timespec="seconds")

    def clean_up(self) -> None:
        """Remove what a save left behind that was killed. To be called by the only engine, before its first save."""
        kept = (self.paths.running_cf, self.paths.overrides, self.paths.unconfirmed, self.paths.standstill)
        for path in (self.paths.lvs_cf, *kept):
            remove_unfinished(path)
        self._history.clean_up()

    def note_stopped_by_operator(self) -> None:
        """Remember that the stop was ordered, and in which boot, so that the next start takes lvs.cf."""
        mark = json.dumps({"boot_id": boot_id()}).encode()
        lvs_cf.write(self.paths, self.paths.state / "stopped.json", mark)

    def take_stop_mark(self) -> bool:
        """Say whether the last stop was an operator's in this boot, and forget it: it counts for one start."""
        mark = self.paths.state / "stopped.json"
        try:
            kept = json.loads(mark.read_text(encoding="utf-8"))
            mark.unlink()
        except (OSError, ValueError):
            return False
        return isinstance(kept, dict) and kept.get("boot_id") == boot_id()

    def _make(self, how: str, next_of: Callable[[Look], _Next], caller: Caller, *, dry_run: bool = False) -> SaveAnswer:
        """Save what comes next after lvs.cf as it is under the lock, and say so; `dry_run`: only say it."""
        if dry_run:
            return next_of(lvs_cf.look(self.paths.lvs_cf))[0]
        with lvs_cf.locked(self.paths):
            look = lvs_cf.look(self.paths.lvs_cf)
            answer, after, changes = next_of(look)
            if after is None:
                return answer
            if look.raw is None:
                self._make_folder()
            number = self._commit(how, look, after, changes, caller)
        return replace(answer, number=number)

    def _commit(self, how: str, look: Look, after: Version, changes: Changes, caller: Caller) -> int:
        """Put a new text into the place of `look`, its record before and behind; return its number. Under the lock."""
        try:
            self._history.catch_up(look, self._understood)
            entry = self._history.begin(how, after, changes, caller, look)
        except ConfigUnavailable as error:
            kept = "was not changed: nothing is saved without its record in the history."
            raise ConfigUnavailable(f"{error} {self.paths.lvs_cf} {kept}") from error
        try:
            lvs_cf.replace(self.paths, look.raw, after.raw)
        except NotConfirmed:
            self._history.confirm(entry)
            raise
        except ConfigConflict:
            self._history.abandon(entry)
            raise
        except ConfigUnavailable:
            self._settle()
            raise
        self._history.confirm(entry)
        self._cache, self._rolled = after, None
        self._history.prune(self._running_token)
        done = _DONE[how]
        log.info(
            "lvs.cf %s by %s: version %s, serial_no %s, %s",
            done,
            caller,
            entry.number,
            after.serial_no,
            after.token[:12],
        )
        return entry.number

    def _settle(self) -> None:
        """Look what became of a save that failed; where that cannot be seen now, the next one does it."""
        try:
            self._history.settle(lvs_cf.look(self.paths.lvs_cf))
        except ConfigUnavailable as error:
            log.warning("%s", error)

    def _present(self, look: Look) -> Version:
        if look.raw is None:
            raise ConfigUnavailable(f"{self.paths.lvs_cf} does not exist any more. Create it first.")
        return self._understood(look.raw)

    def _edited(self, request: SaveRequest, look: Look) -> _Next:
        """Return what becomes of a save."""
        before = self._present(look)
        require_expected(before.document, request.expected)
        document = apply_edits(before.document, request.edits, counts_up=True)
        if document.text == before.document.text:
            return _unchanged(before)
        after = edited_version(document, encoding_of(before.raw))
        notices = side_effects(before.raw, before.document, request.edits)
        return self._changed(before, after, notices), after, changes_between(before.document, after.document)

    def _changed(self, before: Version | None, after: Version, notices: tuple[str, ...]) -> SaveAnswer:
        file = str(self.paths.lvs_cf)
        text, token = (before.document.text, before.token) if before is not None else ("", "")
        told = diff(text, after.document.text, file, file)
        return SaveAnswer(True, after.token, after.serial_no, told, after.loaded.faults, notices, token)

    def _created(self, look: Look) -> _Next:
        """Return what becomes of a creation."""
        if look.raw is not None:
            raise ConfigUnavailable(f"{self.paths.lvs_cf} exists already; nothing was changed.")
        created = version_of(_CREATED)
        return SaveAnswer(True, created.token, 1, "", created.loaded.faults), created, Changes(("created",))

    def _rolled_back(self, request: RollbackRequest, look: Look) -> _Next:
        """Return what becomes of a rollback. A page that asks about it comes first, mostly, and finds it out."""
        if request.token:
            self._require_token(request.token, look)
        raw, told = self._history.kept(request.number)[1], f"the text of version {request.number} again"
        known = self._rolled
        if look.raw is None or known is None or known[0] != (told, raw, look.raw):
            known = self._rolled = (told, raw, look.raw), self._next(raw, look, told)
        return known[1]

    def _adopted(self, request: AdoptRequest, look: Look) -> _Next:
        """Return what becomes of an adoption."""
        self._require_token(request.token, look)
        if len(request.content) > ADOPTED_BYTES_MAX:
            size = len(request.content)
            raise EditRefused("", "", f"It has {size} bytes, and at most {ADOPTED_BYTES_MAX} are brought in this way.")
        source = "".join(letter for letter in request.name if letter.isprintable())[:_NAME_MAX]
        return self._next(request.content, look, f"the text of {source or 'another file'}")

    def _received(self, request: ReceiveRequest, look: Look) -> _Next:
        """Return what becomes of the partner's text."""
        self._require_token(request.token, look)
        present = None if look.raw is None else self._understood(look.raw)
        if present is not None and present.raw == request.content:
            return _unchanged(present)
        after = version_of(request.content)
        changes = changes_between(present.document if present else _NOTHING, after.document)
        return self._changed(present, after, ()), after, changes.led_by(f"the text of {request.name or 'the partner'}")

    def _reverted(self, applied_token: str, before: bytes, look: Look) -> _Next:
        """Return what becomes of a revert. One that was killed has the old text in lvs.cf already."""
        answer = self._next(before, look, "the text that ran before, because an Apply was not confirmed")
        if answer[1] is not None:
            self._require_token(applied_token, look)
        return answer

    def _require_token(self, token: str, look: Look) -> None:
        present = None if look.raw is None else self._understood(look.raw)
        if token != (present.token if present else ""):
            raise ConfigConflict("", present.document.text if present else "")

    def _next(self, raw: bytes, look: Look, told: str) -> _Next:
        """Return what a whole text as the next lvs.cf means. Raises EditRefused."""
        present = None if look.raw is None else self._understood(look.raw)
        kept = Document(decode(raw), encoding_of(raw))
        # Without lvs.cf its serial number must not go back either.
        floor = self._history.newest_serial() if present is None else None
        document = rolled_back(kept, present.document if present else None, floor)
        if document is None:
            assert present is not None
            return _unchanged(present)
        after = edited_version(document, encoding_of(raw))
        before = present.document if present else _NOTHING
        changes = changes_between(before, after.document).led_by(told)
        return self._changed(present, after, side_effects(raw, kept, ())), after, changes

    def _make_folder(self) -> None:
        try:
            self.paths.lvs_cf.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigUnavailable(f"{self.paths.lvs_cf.parent} cannot be made ({error.strerror}).") from error

    def _running_token(self) -> str:
        """Return the token of what runs, "" for nothing. Raises ConfigUnavailable: then nobody knows."""
        raw = lvs_cf.read(self.paths.running_cf)
        return "" if raw is None else token_of(raw)

    def _understood(self, raw: bytes) -> Version:
        """Return the version of these bytes; an unchanged file is parsed once, however often it is asked for."""
        found = self._cache
        if found is None or found.raw != raw:
            self._cache = found = version_of(raw)
        return found


def described(file: str, raw: bytes | None) -> SavedConfig:
    """Return these bytes as a reader gets them."""
    if raw is None:
        return SavedConfig(file, "", "", False, "")
    return SavedConfig(file, decode(raw), token_of(raw), True, "", encoding_of(raw))


def require_expected(document: Document, expected: Sequence[ExpectedPart]) -> None:
    """Raise ConfigConflict for the first part that is not as expected (changed, renamed, removed)."""
    for each in expected:
        if document.token(each.part) != each.token:
            raise ConfigConflict(each.part.path, document.part_text(each.part))


def _unchanged(present: Version) -> _Next:
    answer = SaveAnswer(False, present.token, present.serial_no, "", present.loaded.faults, before_token=present.token)
    return answer, None, Changes(())


def _token_at(path: Path) -> str:
    try:
        raw = lvs_cf.read(path)
    except ConfigUnavailable:
        return ""
    return "" if raw is None else token_of(raw)

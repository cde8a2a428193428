"""The keeper of lvs.cf: the only writer of it, and of the text that was applied last.

Rule 1: saved is not applied. `lvs.cf` is what an administrator saved, `running.cf` what was applied; they may differ.
Rule 2: a save names the parts of the file it was made from, with their tokens. If one of them was changed by
        somebody else meanwhile, nothing is written.
Rule 3: a save that changes nothing writes nothing. One that changes something counts `serial_no` up once.
Rule 4: a version's identity is the SHA-256 of its bytes, never its serial number.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from piranha.config.document import Document
from piranha.config.editing import apply_edits, diff, with_next_serial
from piranha.config.edits import ExpectedPart
from piranha.config.load import Loaded, decode, encode, encoding_of, load, token_of
from piranha.errors import ConfigConflict, ConfigUnavailable
from piranha.messages import SaveAnswer, SavedConfig, SaveRequest
from piranha.paths import Paths
from piranha.system import lvs_cf
from piranha.system.boot import boot_id
from piranha.system.files import remove_unfinished

log = logging.getLogger("lvs")


@dataclass(frozen=True, slots=True)
class Version:
    """A text with its identity, read and understood once."""

    raw: bytes
    token: str
    loaded: Loaded

    @property
    def serial_no(self) -> int | None:
        """Return the serial number, None where the file has none."""
        return self.loaded.cluster.serial_no if self.loaded.document.get((), "serial_no") is not None else None


def version_of(raw: bytes) -> Version:
    """Return the version that these bytes are."""
    return Version(raw, token_of(raw), load(decode(raw)))


class ConfigKeeper:
    """Owns lvs.cf and running.cf below one root. All methods do file I/O and return when it is done."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self._cache: Version | None = None

    def saved_version(self) -> Version | None:
        """Return lvs.cf as it is on the disk, None if there is none. Raises ConfigUnavailable."""
        return self._understood(lvs_cf.read(self.paths.lvs_cf))

    def running_version(self) -> Version | None:
        """Return the text that was applied last, None if none ever was. Raises ConfigUnavailable."""
        raw = lvs_cf.read(self.paths.running_cf)
        return None if raw is None else version_of(raw)

    def saved(self) -> SavedConfig:
        """Return lvs.cf for a reader; a file that cannot be read is an answer too."""
        file = str(self.paths.lvs_cf)
        try:
            raw = lvs_cf.read(self.paths.lvs_cf)
        except ConfigUnavailable as error:
            return SavedConfig(file, "", "", True, str(error))
        return described(file, raw)

    def save(self, request: SaveRequest, who: str) -> SaveAnswer:
        """Do the edits if every expected part is as expected.

        Raises ConfigConflict, EditRefused or ConfigUnavailable; then the file is as it was.
        """
        with lvs_cf.locked(self.paths):
            raw = lvs_cf.read(self.paths.lvs_cf)
            if raw is None:
                raise ConfigUnavailable(f"{self.paths.lvs_cf} does not exist any more. Create it first.")
            before = version_of(raw)
            require_expected(before.loaded.document, request.expected)
            edited = apply_edits(before.loaded.document, request.edits)
            if edited.text == before.loaded.document.text:
                return SaveAnswer(False, before.token, before.serial_no, "", before.loaded.faults)
            text = with_next_serial(edited).text
            after = version_of(encode(text, encoding_of(raw)))
            lvs_cf.write(self.paths, self.paths.lvs_cf, after.raw)
        self._cache = after
        log.info("lvs.cf saved by %s: serial_no %s, %s", who, after.serial_no, after.token[:12])
        file = str(self.paths.lvs_cf)
        return SaveAnswer(
            True,
            after.token,
            after.serial_no,
            diff(before.loaded.document.text, text, f"{file} (before)", f"{file} (saved)"),
            after.loaded.faults,
            _normalised(raw),
        )

    def create(self, who: str) -> SaveAnswer:
        """Create an lvs.cf with nothing but its serial number. Raises ConfigUnavailable if there is one already."""
        with lvs_cf.locked(self.paths):
            if lvs_cf.read(self.paths.lvs_cf) is not None:
                raise ConfigUnavailable(f"{self.paths.lvs_cf} exists already; nothing was changed.")
            created = version_of(b"serial_no = 1\n")
            try:
                self.paths.lvs_cf.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigUnavailable(f"{self.paths.lvs_cf.parent} cannot be made ({error.strerror}).") from error
            lvs_cf.write(self.paths, self.paths.lvs_cf, created.raw)
        log.info("lvs.cf created by %s", who)
        return SaveAnswer(True, created.token, 1, "", created.loaded.faults)

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
        for path in (self.paths.lvs_cf, self.paths.running_cf, self.paths.overrides):
            remove_unfinished(path)

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

    def _understood(self, raw: bytes | None) -> Version | None:
        """Return the version of these bytes; an unchanged file is parsed once, however often it is asked for."""
        if raw is None:
            return None
        if self._cache is None or self._cache.raw != raw:
            self._cache = version_of(raw)
        return self._cache


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


def _normalised(raw: bytes) -> tuple[str, ...]:
    """Say what an edit changed besides: carriage returns and a byte-order mark go at the first edit."""
    said = []
    if raw.startswith(b"\xef\xbb\xbf"):
        said.append("The byte-order mark at the start of the file was removed: the old daemons do not read past it.")
    if b"\r" in raw:
        said.append("Carriage returns were replaced by plain line ends: the old daemons lose lines at them.")
    return tuple(said)

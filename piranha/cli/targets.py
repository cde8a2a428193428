"""Where the edits of a command go: to the engine, which owns lvs.cf, or into a plain file that no engine has."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from piranha.cli import sources
from piranha.client import EngineClient
from piranha.config.diffs import diff
from piranha.config.document import Document
from piranha.config.editing import apply_edits
from piranha.config.edits import Edit, ExpectedPart
from piranha.config.faults import Fault
from piranha.config.load import encoding_of, token_of
from piranha.config.side_effects import side_effects
from piranha.engine.version import Version, edited_version, version_of
from piranha.errors import ConfigConflict, ConfigUnavailable, EngineUnavailable, NotPermitted
from piranha.messages import SaveAnswer, SavedConfig
from piranha.paths import Paths
from piranha.system import plain_file, regular_file

if TYPE_CHECKING:
    from piranha.cli.main import Session

EMPTY = b"serial_no = 1\n"


@dataclass(frozen=True, slots=True)
class Opened:
    """A text that is going to be edited: its file, the SHA-256 of its bytes, what it says."""

    file: str
    token: str
    document: Document


class Target(Protocol):
    """What a command edits. `is_engine`: the engine's lvs.cf, which runs only after an Apply."""

    is_engine: bool

    def read(self) -> Opened:
        """Return the text as it stands. Raises ConfigUnavailable, EngineUnavailable with what to do."""
        ...

    def faults(self) -> tuple[Fault, ...]:
        """Return the faults of the text as it stands."""
        ...

    def save(self, edits: Sequence[Edit], expected: Sequence[ExpectedPart], *, dry_run: bool) -> SaveAnswer:
        """Do the edits if every part is as expected; `dry_run`: say only what that would do."""
        ...

    def create(self) -> SaveAnswer:
        """Make the file with nothing but its serial number. Raises ConfigUnavailable if there is one."""
        ...


class EngineTarget:
    """The lvs.cf of a running engine. `otherwise`: what can be done without one, besides starting it."""

    is_engine = True

    def __init__(self, engine: EngineClient, otherwise: str = "") -> None:
        self._engine = engine
        self._otherwise = otherwise

    def read(self) -> Opened:
        """Return the saved lvs.cf."""
        try:
            saved = self._engine.config()
        except EngineUnavailable as problem:
            raise self._unreachable(problem) from problem
        return Opened(saved.file, saved.token, Document(readable(saved).text, saved.encoding))

    def faults(self) -> tuple[Fault, ...]:
        """Return the faults as the engine sees them: no edits change nothing."""
        return self._engine.save((), (), dry_run=True).faults

    def save(self, edits: Sequence[Edit], expected: Sequence[ExpectedPart], *, dry_run: bool) -> SaveAnswer:
        """Ask the engine."""
        try:
            return self._engine.save(edits, expected, dry_run=dry_run)
        except EngineUnavailable as problem:
            raise unsure(problem, dry_run) from problem

    def create(self) -> SaveAnswer:
        """Ask the engine."""
        try:
            return self._engine.create()
        except EngineUnavailable as problem:
            raise self._unreachable(problem) from problem

    def _unreachable(self, problem: EngineUnavailable) -> EngineUnavailable:
        return EngineUnavailable(f"{problem} Start the engine (pulse){self._otherwise}.")


class FileTarget:
    """A plain file. `owner`: the root of a stopped engine whose lvs.cf it is, if it is one."""

    is_engine = False

    def __init__(self, path: Path, owner: Paths | None, usual: Paths) -> None:
        self._path = path
        self._owner = owner
        self._usual = usual
        self._understood: Version | None = None

    def read(self) -> Opened:
        """Return the file."""
        try:
            raw = regular_file.read(self._path)
        except ConfigUnavailable as problem:
            if self._path.exists():
                raise
            sentence = f"{problem} `piranha create --file {self._path}` makes one."
            raise ConfigUnavailable(sentence) from problem
        return Opened(str(self._path), token_of(raw), self._version(raw).document)

    def faults(self) -> tuple[Fault, ...]:
        """Return the faults of the file."""
        return self._version(regular_file.read(self._path)).loaded.faults

    def save(self, edits: Sequence[Edit], expected: Sequence[ExpectedPart], *, dry_run: bool) -> SaveAnswer:
        """Edit the file as the engine edits its own: all or nothing, serial_no counted up once.

        Raises ConfigConflict, EditRefused, ConfigUnavailable; the file is as it was then.
        """
        with plain_file.held(self._path, self._owner):
            before = self._version(regular_file.read(self._path))
            for each in expected:
                if before.document.token(each.part) != each.token:
                    raise ConfigConflict(each.part.path, before.document.part_text(each.part))
            edited = apply_edits(before.document, edits, counts_up=True)
            if edited.text == before.document.text:
                return SaveAnswer(False, before.token, before.serial_no, "", before.loaded.faults)
            after = edited_version(edited, encoding_of(before.raw))
            if not dry_run:
                self._require_no_engine()
                plain_file.replace(self._path, before.raw, after.raw)
        return SaveAnswer(
            True,
            after.token,
            after.serial_no,
            diff(before.document.text, edited.text, str(self._path), str(self._path)),
            after.loaded.faults,
            side_effects(before.raw, before.document, edits),
        )

    def create(self) -> SaveAnswer:
        """Make the file."""
        with plain_file.held(self._path, self._owner):
            plain_file.create(self._path, EMPTY)
        made = version_of(EMPTY)
        return SaveAnswer(True, made.token, made.serial_no, "", made.loaded.faults)

    def _require_no_engine(self) -> None:
        """Look once more, under the lock: an engine may have started since the command did."""
        if self._owner is not None:
            refuse_owned(self._path, self._owner, self._usual)

    def _version(self, raw: bytes) -> Version:
        """Return what these bytes are; the same ones are understood once."""
        if self._understood is None or self._understood.raw != raw:
            self._understood = version_of(raw)
        return self._understood


def chosen(session: "Session", file: Path | None) -> Target:
    """Return what --file names, else the engine's lvs.cf. Raises NotPermitted for the lvs.cf of a running engine."""
    if file is None:
        return EngineTarget(session.engine, ", or edit a plain file with --file FILE")
    owner = plain_file.owner_of(file, session.paths)
    if owner is not None:
        refuse_owned(file, owner, session.paths)
    return FileTarget(file, owner, session.paths)


def refuse_owned(file: Path, owner: Paths, usual: Paths) -> None:
    """Raise NotPermitted for a file that a running engine owns: it would be a hand edit behind its back."""
    if plain_file.has_engine(owner):
        root = "" if owner == usual else f" and write --root {owner.root}"
        raise NotPermitted(
            f"{file} is the lvs.cf of the engine that runs here, which alone writes it. Leave --file out{root}."
        )


def reading(session: "Session", file: Path | None) -> tuple[SavedConfig, str]:
    """Return a text for a command that only reads, and a remark about where it comes from ("" if none is needed).

    Without --file it is the engine's; where no engine answers, lvs.cf itself, if this user may read it.
    Raises ConfigUnavailable, EngineUnavailable.
    """
    if file is not None:
        return described(sources.read(file)), ""
    try:
        return readable(session.engine.config()), ""
    except (EngineUnavailable, NotPermitted) as problem:
        try:
            found = sources.read(session.paths.lvs_cf)
        except ConfigUnavailable as unreadable:
            raise EngineUnavailable(f"{problem} And {unreadable}") from problem
        return described(found), f"(no engine answers; this is {found.name} as it stands)"


def described(source: sources.Source) -> SavedConfig:
    """Return what was read as the engine would tell it."""
    return SavedConfig(source.name, source.text, token_of(source.raw), True, "", source.encoding)


def readable(saved: SavedConfig) -> SavedConfig:
    """Return a text that is there. Raises ConfigUnavailable where the engine has none to give."""
    if saved.problem:
        raise ConfigUnavailable(saved.problem)
    if not saved.exists:
        raise ConfigUnavailable(f"{saved.file} does not exist. `piranha create` makes one.")
    return saved


def unsure(problem: EngineUnavailable, dry_run: bool) -> EngineUnavailable:
    """Return the error of a save that was asked for and not answered: nobody knows whether it was done."""
    return problem if dry_run else EngineUnavailable(f"{problem} It may be saved all the same: see `piranha diff`.")

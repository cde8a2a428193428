"""The texts of lvs.cf that a word of the command line can mean: a version, what is saved, what runs, a file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from piranha.cli import kept, sources, targets
from piranha.errors import ConfigUnavailable, EngineUnavailable, NotPermitted

if TYPE_CHECKING:
    from piranha.cli.main import Session

SAVED = "saved"
RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Text:
    """A text, how it is called in a diff, and how its bytes became it."""

    name: str
    text: str
    encoding: str


def named(session: "Session", word: str) -> Text:
    """Return the text that a word means: digits are a version, `saved`, `running`; anything else is a file.

    A file of such a name is written with its folder: ./7. Raises PiranhaError with what to do.
    """
    if is_version(word):
        version = kept.version(session, int(word))
        return Text(f"version {int(word)}", version.text, version.encoding)
    if word == SAVED:
        saved, _ = targets.reading(session, None)
        return Text(saved.file, saved.text, saved.encoding)
    if word == RUNNING:
        return _running(session)
    source = sources.read(sources.path_of(word))
    return Text(source.name, source.text, source.encoding)


def is_version(word: str) -> bool:
    """Say whether a word is a version's number."""
    return word.isascii() and word.isdecimal() and len(word) <= 15


def _running(session: "Session") -> Text:
    """Return the text that was applied last; where no engine answers, as it is kept on the disk."""
    try:
        running = session.engine.running()
    except (EngineUnavailable, NotPermitted) as problem:
        try:
            kept = sources.read(session.paths.running_cf)
        except ConfigUnavailable as unreadable:
            raise EngineUnavailable(f"{problem} And {unreadable}") from problem
        return Text(RUNNING, kept.text, kept.encoding)
    return Text(RUNNING, running.text, running.encoding)

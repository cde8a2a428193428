"""The history of lvs.cf for a command that only reads it: the engine's, or, where no engine answers, the disk's."""

from pathlib import Path
from typing import TYPE_CHECKING

from piranha.cli import sources
from piranha.config.load import token_of
from piranha.engine.history import ConfigHistory
from piranha.errors import ConfigUnavailable, EngineUnavailable, NotPermitted, PiranhaError
from piranha.messages import History, VersionText

if TYPE_CHECKING:
    from piranha.cli.main import Session


def listing(session: "Session") -> tuple[History, str]:
    """Return the versions that are kept, and a remark where no engine told them ("" if it did).

    Raises EngineUnavailable where there is nothing on the disk to read instead.
    """
    try:
        return session.engine.history(), ""
    except (EngineUnavailable, NotPermitted) as problem:
        history = _on_disk(session, problem)
        told = history.listing(_token(session.paths.lvs_cf), _token(session.paths.running_cf))
        if told.problem and not told.versions:
            raise EngineUnavailable(f"{problem} {told.problem}") from problem
        return told, f"(no engine answers; this is {session.paths.history} as it stands)"


def version(session: "Session", number: int) -> VersionText:
    """Return one version with its text. Raises EditRefused if it is not kept, EngineUnavailable as `listing`."""
    try:
        return session.engine.version(number)
    except (EngineUnavailable, NotPermitted) as problem:
        return _on_disk(session, problem).text(number)


def _on_disk(session: "Session", problem: PiranhaError) -> ConfigHistory:
    """Return the history as it is kept. Raises the problem where there is none, or none that this user may see."""
    try:
        next(session.paths.history.iterdir(), None)
    except OSError:
        raise problem from None
    return ConfigHistory(session.paths)


def _token(path: Path) -> str:
    try:
        return token_of(sources.read(path).raw)
    except ConfigUnavailable:
        return ""

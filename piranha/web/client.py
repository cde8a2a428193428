"""The engine as one request sees it, and what is left to see when the engine does not answer.

Every request asks for lvs.cf once, through the API, and gets its text only if this process has not understood it yet.
If nobody answers there, the pages are made read-only from the file itself, which the GUI's user may read and never
write.
"""

import gc
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from flask import g, request
from flask_login import current_user

from piranha.client import EngineClient
from piranha.config.document import Document
from piranha.config.faults import Fault
from piranha.config.load import decode, encoding_of, load, token_of
from piranha.errors import EngineUnavailable, NotPermitted, PiranhaError
from piranha.messages import SavedConfig
from piranha.monitoring import StatusQuery, Summary
from piranha.status import EngineStatus
from piranha.web.state import gui

LARGE = 100_000
"""Characters of lvs.cf from which on its objects count."""
FILE_BYTES_MAX = 64 * 1024 * 1024
Made = TypeVar("Made")


class NoConfig(PiranhaError):
    """There is no lvs.cf to show. `exists`: it is there and cannot be read."""

    def __init__(self, file: str, exists: bool, sentence: str, engine_problem: str) -> None:
        super().__init__(sentence)
        self.file = file
        self.exists = exists
        self.engine_problem = engine_problem


class Understood:
    """A text of lvs.cf that this process has understood, and what its pages found out about it."""

    def __init__(self, saved: SavedConfig) -> None:
        self.saved = saved
        self.loaded = load(saved.text, saved.encoding)
        if len(saved.text) >= LARGE:
            gc.freeze()  # a search for garbage in it would hold up everybody, and find none
        self._found: dict[str, Any] = {}

    def once(self, what: str, find: Callable[[], Made]) -> Made:
        """Return what `find` returns. It is asked once for each text: most requests see the text of the one before."""
        if what not in self._found:
            self._found[what] = find()
        return cast("Made", self._found[what])


@dataclass(frozen=True, slots=True)
class Opened:
    """lvs.cf as this request found it. `engine_problem` is why nothing can be saved, "" if the engine answers."""

    saved: SavedConfig
    understood: Understood
    engine_problem: str

    @property
    def document(self) -> Document:
        """Return the file as statements."""
        return self.understood.loaded.document

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Return everything that is to say about the file."""
        return self.understood.loaded.faults


def engine() -> EngineClient:
    """Return a client that speaks on behalf of the person who sent this request."""
    if "engine" not in g:
        user = str(current_user.get_id() or "") if current_user.is_authenticated else ""
        g.engine = gui().engine_for(user, request.remote_addr or "")
    client: EngineClient = g.engine
    return client


def opened() -> Opened:
    """Return lvs.cf, read once for each request. Raises NoConfig."""
    if "opened" not in g:
        g.opened = _open()
    held: Opened = g.opened
    return held


def saved_config() -> SavedConfig:
    """Return lvs.cf as it is saved now; a text that is known here is not sent again. Raises what the engine raises."""
    known = _latest.get("understood")
    saved = engine().config(known.saved.token if known is not None else "")
    return replace(saved, text=known.saved.text) if saved.is_known and known is not None else saved


def read_again() -> None:
    """Forget what this request has read: it has just changed, or somebody else changed it."""
    for name in ("opened", "told", "engine_problem"):
        g.pop(name, None)


def summary() -> Summary | None:
    """Return in short how the engine stands, asked once for each request, or None if it does not answer."""
    return _told("summary", lambda: engine().summary())


def status(query: StatusQuery | None = None) -> EngineStatus | None:
    """Return the engine's status or a part of it, asked once for each request, or None if it does not answer."""
    return _told(repr(query), lambda: engine().status() if query is None else engine().status(query))


def _told(what: str, ask: Callable[[], Made]) -> Made | None:
    # An engine that hangs is waited for once in a request.
    if g.get("engine_problem"):
        return None
    g.setdefault("engine_problem", "")
    told: dict[str, Any] = g.setdefault("told", {})
    if what not in told:
        try:
            told[what] = ask()
        except (EngineUnavailable, NotPermitted) as problem:
            g.engine_problem = str(problem)
            return None
    return cast("Made", told[what])


def engine_problem() -> str:
    """Return why the engine does not answer, "" if it does."""
    summary()
    return str(g.engine_problem)


def _open() -> Opened:
    problem = ""
    known = _latest.get("understood")
    try:
        saved = engine().config(known.saved.token if known is not None else "")
    except (EngineUnavailable, NotPermitted) as refusal:
        g.engine_problem = problem = str(refusal)
        saved = _from_disk()
    if not saved.exists:
        raise NoConfig(saved.file, False, saved.problem, problem)
    if saved.problem:
        raise NoConfig(saved.file, True, saved.problem, problem)
    if saved.is_known:
        assert known is not None
        return Opened(replace(saved, text=known.saved.text), known, problem)
    return Opened(saved, _understood(saved), problem)


def _understood(saved: SavedConfig) -> Understood:
    # The lock: of all the requests that find a large new text only one reads it, the others wait for that.
    with _reading:
        known = _latest.get("understood")
        if known is None or known.saved.token != saved.token:
            known = _latest["understood"] = Understood(saved)
        return known


_latest: dict[str, Understood] = {}
_reading = threading.Lock()


def _from_disk() -> SavedConfig:
    path = gui().paths.lvs_cf
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to open a FIFO would be to wait for its writer
            return SavedConfig(str(path), "", "", True, f"{path} is not a file. Move away what stands there.")
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX)
    except FileNotFoundError:
        return SavedConfig(str(path), "", "", False, f"{path} does not exist.")
    except OSError as problem:
        return SavedConfig(str(path), "", "", True, f"{path} cannot be read ({problem.strerror}).")
    return SavedConfig(str(path), decode(raw), token_of(raw), True, "", encoding_of(raw))

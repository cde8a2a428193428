"""The engine as one request sees it, and what is left to see when the engine does not answer.

Every request reads lvs.cf once, through the API. If nobody answers there, the pages are made read-only from the file
itself, which the GUI's user may read and never write.
"""

import stat
from dataclasses import dataclass

from flask import g, request
from flask_login import current_user

from piranha.client import EngineClient
from piranha.config.document import Document
from piranha.config.faults import Fault
from piranha.config.load import Loaded, decode, encoding_of, load, token_of
from piranha.errors import EngineUnavailable, NotPermitted, PiranhaError
from piranha.messages import SavedConfig
from piranha.status import EngineStatus
from piranha.web.state import gui

FILE_BYTES_MAX = 64 * 1024 * 1024


class NoConfig(PiranhaError):
    """There is no lvs.cf to show. `exists`: it is there and cannot be read."""

    def __init__(self, file: str, exists: bool, sentence: str, engine_problem: str) -> None:
        super().__init__(sentence)
        self.file = file
        self.exists = exists
        self.engine_problem = engine_problem


@dataclass(frozen=True, slots=True)
class Opened:
    """lvs.cf as this request found it. `engine_problem` is why nothing can be saved, "" if the engine answers."""

    saved: SavedConfig
    loaded: Loaded
    engine_problem: str

    @property
    def document(self) -> Document:
        """Return the file as statements."""
        return self.loaded.document

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Return everything that is to say about the file."""
        return self.loaded.faults


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


def read_again() -> None:
    """Forget what this request has read: it has just changed, or somebody else changed it."""
    for name in ("opened", "status", "engine_problem"):
        g.pop(name, None)


def status() -> EngineStatus | None:
    """Return the engine's status, asked once for each request, or None if it does not answer."""
    if "status" not in g:
        g.engine_problem = ""
        try:
            g.status = engine().status()
        except (EngineUnavailable, NotPermitted) as problem:
            g.status = None
            g.engine_problem = str(problem)
    held: EngineStatus | None = g.status
    return held


def engine_problem() -> str:
    """Return why the engine does not answer, "" if it does."""
    status()
    return str(g.engine_problem)


def _open() -> Opened:
    problem = ""
    try:
        saved = engine().config()
    except (EngineUnavailable, NotPermitted) as refusal:
        problem = str(refusal)
        # An engine that hangs is waited for once in a request, not again for its status.
        g.status, g.engine_problem = None, problem
        saved = _from_disk()
    if not saved.exists:
        raise NoConfig(saved.file, False, saved.problem, problem)
    if saved.problem:
        raise NoConfig(saved.file, True, saved.problem, problem)
    return Opened(saved, _loaded(saved.text), problem)


def _loaded(text: str) -> Loaded:
    # The last text understood is kept: most requests read the same file as the one before.
    held: tuple[str, Loaded] | None = _last.get("loaded")
    if held is None or held[0] != text:
        held = (text, load(text))
        _last["loaded"] = held
    return held[1]


_last: dict[str, tuple[str, Loaded]] = {}


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

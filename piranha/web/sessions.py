"""Sessions: an id in a signed cookie, and a file in the GUI's own folder for each session that lives.

Rule 1: a session without its file is none. Log-out removes the file, so that a copied cookie is worth nothing; a lost
        folder ends all sessions. A restart, or a new worker process, finds the sessions that there are.
Rule 2: what has ended stays ended: an expired session loses its file at the next look, so that neither a clock that is
        set back nor the old password line brings it to life again.
Rule 3: a disk that takes no file keeps nobody out: such a session lives in this process alone.
"""

import contextlib
import hashlib
import json
import logging
import os
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from piranha.errors import PiranhaError

IDLE_S = 30 * 60.0
ABSOLUTE_S = 12 * 3600.0
SEEN_EVERY_S = 30.0
"""How often the time of the last activity is written anew: a note for each click would say nothing more."""
CLOCK_STEP_S = 60.0
"""How far the clock may be set back without ending sessions, seconds."""

SESSIONS_MAX = 500
KEY_FILE = "session.key"
SESSIONS_FOLDER = "sessions"
KEY_BYTES = 32

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """One log-in. Times are wall-clock seconds (they must survive a restart)."""

    id: str
    user: str
    began: float
    seen: float
    fingerprint: str

    def is_over(self, now: float, fingerprint: str, idle_s: float, absolute_s: float) -> bool:
        """Say whether it has expired, comes from the future, or the password line is another one now."""
        return (
            not fingerprint
            or not secrets.compare_digest(self.fingerprint.encode(), fingerprint.encode())
            or not -CLOCK_STEP_S <= now - self.seen < idle_s
            or not -CLOCK_STEP_S <= now - self.began < absolute_s
        )


def begun(user: str, fingerprint: str, now: float) -> Session:
    """Return a new session."""
    return Session(secrets.token_urlsafe(24), user, now, now, fingerprint)


class SessionFolder:
    """The GUI's own folder. Raises PiranhaError if it cannot be made or used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / SESSIONS_FOLDER
        self._lock = threading.Lock()
        self._unwritten: dict[str, Session] = {}
        self._unremoved: set[str] = set()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self.signing_key = _key(folder / KEY_FILE)
            # A browser has one jar for all ports of localhost: two routers behind tunnels would take turns logging out.
            self.cookie_name = f"piranha-{hashlib.sha256(self.signing_key.encode()).hexdigest()[:8]}"
        except OSError as problem:
            raise PiranhaError(
                f"The GUI cannot use its own folder {folder} ({problem.strerror}). It must belong to the GUI's user."
            ) from problem

    def begin(self, session: Session, idle_s: float) -> None:
        """Keep a new session. The files of those that have expired go, and the oldest where there are too many."""
        with self._lock:
            try:
                self._tidy(session.began, idle_s)
                path = self._path(session.id)
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
                    json.dump({"user": session.user, "began": session.began, "line": session.fingerprint}, file)
                os.utime(path, (session.seen, session.seen))
            except OSError as problem:
                log.error("a session cannot be kept in %s (%s): a restart ends it", self._folder, problem.strerror)
                self._unwritten[session.id] = session
                while len(self._unwritten) > SESSIONS_MAX:
                    del self._unwritten[next(iter(self._unwritten))]

    def find(self, key: object) -> Session | None:
        """Return the session of an id from a cookie; None if there is none (any more)."""
        if not isinstance(key, str):
            return None
        with self._lock:
            if key in self._unremoved:
                return None
            return self._unwritten.get(key) or self._read(key)

    def note_activity(self, session: Session, now: float) -> None:
        """Keep that the person did something just now."""
        with self._lock:
            if session.id in self._unwritten:
                self._unwritten[session.id] = replace(session, seen=now)
                return
            # Only the time of the file: a session that was ended in between stays ended.
            with contextlib.suppress(OSError):
                os.utime(self._path(session.id), (now, now))

    def end(self, session: Session) -> None:
        """End a session for good: its cookie is worth nothing any more, here and after a restart."""
        with self._lock:
            self._unwritten.pop(session.id, None)
            try:
                self._path(session.id).unlink(missing_ok=True)
            except OSError as problem:
                log.error("the end of a session cannot be kept on the disk: %s", problem.strerror)
                self._unremoved.add(session.id)
        with contextlib.suppress(OSError):
            _settle(self._folder)

    def _path(self, key: str) -> Path:
        # Whoever reads a copy of the folder finds no id in it that a cookie could carry.
        return self._folder / hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()

    def _read(self, key: str) -> Session | None:
        path = self._path(key)
        try:
            with path.open(encoding="ascii") as file:
                seen = os.fstat(file.fileno()).st_mtime
                held = json.loads(file.read(4096))
        except (OSError, ValueError):
            return None
        match held:
            case {"user": str(user), "began": float() | int() as began, "line": str(line)}:
                return Session(key, user, float(began), seen, line)
            case _:
                return None

    def _tidy(self, now: float, idle_s: float) -> None:
        found = sorted(self._files(), reverse=True)
        for place, (seen, path) in enumerate(found):
            if place >= SESSIONS_MAX - 1 or not -CLOCK_STEP_S <= now - seen < idle_s:
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[float, Path]]:
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                yield path.stat().st_mtime, path


def _settle(folder: Path) -> None:
    """Wait until the disk knows which files there are: a power cut gives no session back."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _key(path: Path) -> str:
    with contextlib.suppress(FileExistsError):
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(made, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
    key = path.read_text(encoding="ascii").strip()
    if len(key) < KEY_BYTES:
        # Cut short by a full disk or a kill in between: sessions signed with it never existed.
        path.unlink()
        return _key(path)
    path.chmod(0o600)
    return key

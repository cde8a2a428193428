"""Sessions: a signed cookie, bound to the password line, that ends when it should.

The cookie carries when the session began, when its owner last did something, and a fingerprint of the password line.
What a cookie cannot say is kept in the GUI's own folder: the key that signs it, and the ids of sessions that were
ended by log-out, until they would have expired by themselves. Both survive a restart of the GUI.
"""

import contextlib
import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piranha.errors import PiranhaError

IDLE_S = 30 * 60.0
ABSOLUTE_S = 12 * 3600.0
SEEN_EVERY_S = 30.0
"""How often the time of the last activity is written anew: a cookie for each click would say nothing more."""

KEY_FILE = "session.key"
ENDED_FILE = "ended-sessions"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """One log-in. Times are wall-clock seconds (they must survive a restart)."""

    id: str
    user: str
    began: float
    seen: float
    fingerprint: str

    def as_cookie(self) -> dict[str, Any]:
        """Return what the cookie holds."""
        return {"id": self.id, "user": self.user, "began": self.began, "seen": self.seen, "line": self.fingerprint}

    def is_over(self, now: float, fingerprint: str) -> bool:
        """Say whether it has expired, comes from the future, or the password line is another one now."""
        return (
            not fingerprint
            or not secrets.compare_digest(self.fingerprint.encode(), fingerprint.encode())
            or not -60.0 <= now - self.seen < IDLE_S
            or not -60.0 <= now - self.began < ABSOLUTE_S
        )


def begun(user: str, fingerprint: str, now: float) -> Session:
    """Return a new session."""
    return Session(secrets.token_urlsafe(24), user, now, now, fingerprint)


def from_cookie(held: object) -> Session | None:
    """Return the session that a cookie holds; None if it holds none."""
    match held:
        case {
            "id": str(key),
            "user": str(user),
            "began": float() | int() as began,
            "seen": float() | int() as seen,
            "line": str(line),
        }:
            return Session(key, user, float(began), float(seen), line)
        case _:
            return None


class SessionFolder:
    """The GUI's own folder. Raises PiranhaError if it cannot be made or used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.signing_key = _key(folder / KEY_FILE)
            self._ended = dict(_ended(folder / ENDED_FILE))
        except OSError as problem:
            raise PiranhaError(
                f"The GUI cannot use its own folder {folder} ({problem.strerror}). It must belong to the GUI's user."
            ) from problem

    def has_ended(self, session: Session) -> bool:
        """Say whether the session was ended by log-out."""
        with self._lock:
            return session.id in self._ended

    def end(self, session: Session, now: float) -> None:
        """End a session for good: its cookie is worth nothing any more, here and after a restart."""
        with self._lock:
            self._ended = {key: until for key, until in self._ended.items() if until > now}
            self._ended[session.id] = session.began + ABSOLUTE_S
            _write(self._folder / ENDED_FILE, self._ended)


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


def _ended(path: Path) -> list[tuple[str, float]]:
    if not path.exists():
        return []
    ended = []
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        key, _, until = line.partition(" ")
        with contextlib.suppress(ValueError):
            ended.append((key, float(until)))
    return ended


def _write(path: Path, ended: Mapping[str, float]) -> None:
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.writelines(f"{key} {until:.0f}\n" for key, until in ended.items())
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)

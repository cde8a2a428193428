"""Following the way to a program on the disk, place by place: what `config.programs` judges."""

import os
import stat
from pathlib import Path, PurePosixPath

from piranha.config.programs import Kind, Seen, Trouble, Way, candidates, is_executable

_LINKS_MAX = 40


def way_to(program: str) -> Way | None:
    """Return the way to a program: as written, or to the first executable of its name in the folders searched.

    None: it is in none of them. A path that leads nowhere is a way that says where it ends.
    """
    if "\0" in program:
        return None
    if program.startswith("/"):
        return follow(program)
    ways = [follow(candidate) for candidate in candidates(program)]
    there = [way for way in ways if way.trouble is not Trouble.MISSING]
    return next((way for way in there if is_executable(way)), there[0] if there else None)


def follow(path: str) -> Way:
    """Return every place from `/` to where a path leads, behind links too, each once."""
    seen: dict[str, Seen] = {}
    todo = list(reversed(PurePosixPath(path).parts[1:]))
    at = "/"
    links = 0
    while True:
        try:
            status = os.lstat(at)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > _LINKS_MAX:
                    return Way(tuple(seen.values()), Trouble.UNREADABLE, at, "too many links")
                target = Path(at).readlink()
                if target.is_absolute():
                    at = "/"
                    todo += reversed(target.parts[1:])
                else:
                    at = _above(at)
                    todo += reversed(target.parts)
                continue
        except OSError as error:
            return Way(tuple(seen.values()), _trouble(error), at, error.strerror or str(error))
        seen.pop(at, None)  # the last place stands last
        seen[at] = Seen(at, _kind(status.st_mode), status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))
        if not todo:
            return Way(tuple(seen.values()))
        step = todo.pop()
        at = _above(at) if step == ".." else f"{at.rstrip('/')}/{step}"


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _kind(mode: int) -> Kind:
    return Kind.FOLDER if stat.S_ISDIR(mode) else Kind.FILE if stat.S_ISREG(mode) else Kind.OTHER


def _trouble(error: OSError) -> Trouble:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Trouble.MISSING
    return Trouble.DENIED if isinstance(error, PermissionError) else Trouble.UNREADABLE

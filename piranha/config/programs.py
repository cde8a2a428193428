"""Whether a program that lvs.cf names may be run: it is there, and only root can put another one in its place.

A program is found as written, with an absolute path, or by its name alone in the folders of SEARCHED. Looking at the
disk is `system.outside`'s business; what it saw is judged here.
"""

from dataclasses import dataclass
from enum import StrEnum

from piranha.config.values import ValueFault, shown

SEARCHED = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""Where a program without a path is looked for. The variable PATH is whoever's, and says nothing."""

ROOT = 0
_WRITABLE_BY_GROUP = 0o020
_WRITABLE_BY_ALL = 0o002
_EXECUTABLE = 0o111


class Kind(StrEnum):
    """What stands at a place on the way to a program."""

    FOLDER = "folder"
    FILE = "file"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Seen:
    """One place on the way to a program: path, kind, uid, gid and permission bits."""

    path: str
    kind: Kind
    uid: int
    gid: int
    mode: int


class Trouble(StrEnum):
    """Why a way could not be followed to its end."""

    NONE = ""
    MISSING = "missing"
    DENIED = "denied"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Way:
    """What was seen from `/` to a program, behind links too; the last place is the program where `trouble` is NONE.

    `trouble_at` is the place that could not be seen, `detail` the system's words for it.
    """

    places: tuple[Seen, ...]
    trouble: Trouble = Trouble.NONE
    trouble_at: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a program may not be run: a fault's code, what is wrong and what to do."""

    code: str
    what: ValueFault


def program_of(command: str) -> str:
    """Return the program of a command line: its first word, "" if it has none. No shell reads it, so no quotes."""
    words = command.split()
    return words[0] if words else ""


def candidates(program: str) -> tuple[str, ...]:
    """Return the absolute paths where a program is looked for, in order; none if the path is relative."""
    if program.startswith("/"):
        return (program,)
    return () if "/" in program else tuple(f"{folder}/{program}" for folder in SEARCHED)


def is_executable(way: Way) -> bool:
    """Say whether a way ends at a file that somebody may execute."""
    if way.trouble is not Trouble.NONE:
        return False
    return way.places[-1].kind is Kind.FILE and bool(way.places[-1].mode & _EXECUTABLE)


def doubt_of(program: str, way: Way | None) -> Doubt | None:
    """Say why a program may not be run, None if nothing speaks against it. `way` None: it was found nowhere."""
    name = shown(program)
    if "/" in program and not program.startswith("/"):
        message = f"{name} is a relative path, which depends on the folder that the engine was started in."
        return Doubt("unsafe-program", ValueFault(message, "Write its absolute path."))
    if way is None:
        message = f"There is no program {name} in {', '.join(SEARCHED)}."
        return Doubt("no-such-program", ValueFault(message, "Install it, or write its absolute path."))
    return _unseen(name, way) or _unusable(name, way) or _unsafe(name, way)


def _unseen(name: str, way: Way) -> Doubt | None:
    at = shown(way.trouble_at)
    match way.trouble:
        case Trouble.NONE:
            return None
        case Trouble.MISSING:
            missing = "" if way.trouble_at == name else f": {at} does not exist"
            return Doubt(
                "no-such-program", ValueFault(f"There is no program {name}{missing}.", "Install it, or mend the path.")
            )
        case Trouble.DENIED:
            message = f"This user may not look at {at}, so nothing is known about {name}."
            return Doubt("program-not-seen", ValueFault(message, "Check as root."))
        case _:
            message = f"{at} cannot be looked at ({way.detail}), so nothing is known about {name}."
            return Doubt("program-not-seen", ValueFault(message, "Mend the path."))


def _unusable(name: str, way: Way) -> Doubt | None:
    program = way.places[-1]
    if program.kind is not Kind.FILE:
        what = "a folder" if program.kind is Kind.FOLDER else "no regular file"
        return Doubt("no-such-program", ValueFault(f"{name} is {what}, not a program.", "Name a program."))
    if not is_executable(way):
        return Doubt("not-executable", ValueFault(f"{name} is not executable.", f"As root: chmod 0755 {name}"))
    return None


def _unsafe(name: str, way: Way) -> Doubt | None:
    for place in way.places:
        at = shown(place.path)
        if place.uid != ROOT:
            message = f"{at} belongs to uid {place.uid}, not to root, who alone may decide what {name} is."
            return Doubt("unsafe-program", ValueFault(message, f"As root: chown root:root {at}"))
        if place.mode & _WRITABLE_BY_ALL:
            message = f"Everybody may write to {at} and so decide what {name} is."
            return Doubt("unsafe-program", ValueFault(message, _moving(place, "o-w")))
        if place.mode & _WRITABLE_BY_GROUP and place.gid != ROOT:
            message = f"The group {place.gid} may write to {at} and so decide what {name} is."
            return Doubt("unsafe-program", ValueFault(message, _moving(place, "g-w")))
    return None


def _moving(place: Seen, change: str) -> str:
    if place.kind is Kind.FOLDER:
        return f"Move it to a folder that only root can change, or as root: chmod {change} {shown(place.path)}"
    return f"As root: chmod {change} {shown(place.path)}"

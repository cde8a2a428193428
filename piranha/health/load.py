"""What a real server's load is, read from the output of rup, ruptime, uptime or any other program; and its weight then.

Rule 1: the load is the average number of runnable processes over one minute, the first of the three that these programs
print. Whatever else they print, in whatever format, is passed over.
Rule 2: what cannot be read is unknown, with the reason. Unknown is never a number: the weight is the configured one.
Rule 3: load alone never gives weight 0, and never more than a bound; small changes change nothing (`by_load`).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from math import cbrt, floor

from piranha.health.check import excerpt

OUTPUT_MAX = 1024 * 1024
"""No more bytes of an output are read: a ruptime of 10,000 hosts. Of one server's answer the last _ANSWER_MAX count."""
LOAD_MAX = 1e6
WEIGHT_MAX = 65535
SCALE = 10
"""How many times its configured weight an idle server can get, the original's way."""
LEAST, MOST = 0.25, 2.0
"""The bounds of the factor that a load is, the bounded way."""
STEP_PART, STEP_LEAST = 0.25, 0.75
"""A weight is changed if it would move by this part of the configured one, and by so much."""

CUT_AT = 12
"""So many letters of a host's name ruptime prints (Debian's rwho 0.17)."""

_ANSWER_MAX = 64 * 1024
_TAIL = 200
_SAID = re.compile(r"\bload(?: {1,8}averages?)?[ \t]{0,16}[:=]?[ \t]{0,16}(?=[0-9])", re.IGNORECASE)
_NUMBERS = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{1,9}){0,5}(?![0-9])")
_BEHIND = re.compile(r"[\s,;]|$")
_THREE = re.compile(
    r"(?<![^\s:])([0-9]{1,7}[.,][0-9]{1,4})[,;]?\s{1,8}[0-9]{1,7}[.,][0-9]{1,4}[,;]?\s{1,8}[0-9]{1,7}[.,][0-9]{1,4}$"
)
_OF_HOST = re.compile(r"[ \t]{0,64}(\S{1,255})[ \t]{1,64}(up|down)\b(.{0,200})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unread:
    """An answer without a load in it, and why, as a sentence without its full stop."""

    reason: str


class Formula(StrEnum):
    """How a load becomes a weight (`load_formula` in piranha.toml)."""

    BOUNDED = "bounded"
    ORIGINAL = "original"


def load_in(output: bytes) -> float | Unread:
    """Return the one-minute load average in the output about one host.

    It stands behind the word load (rup, uptime, ruptime; `load average:`, `load averages:`), or is the first of the
    three numbers at the end of the last line (an uptime of another language), or the number that the last line begins
    with (/proc/loadavg, a program of one's own). The fraction may stand behind a point or a comma.
    """
    text = output[-_ANSWER_MAX:].decode("ascii", "replace").replace("\0", " ").strip()
    if not text:
        return Unread("it answered nothing")
    last = text.splitlines()[-1].strip()
    places = [found.end() for found in _SAID.finditer(text)]
    three = _THREE.search(last[-_TAIL:])
    for begins in (text[places[-1] :] if places else "", three[1] if three else "", last):
        value = _number(begins[: 2 * _TAIL])
        if value is not None and value <= LOAD_MAX:
            return value
    return Unread(f"there is no load in its answer {excerpt(last.encode('ascii', 'replace'))}")


def loads_of_hosts(output: bytes) -> dict[str, float | Unread]:
    """Return the load of every host in the output of ruptime, by its name in small letters.

    A host that is said to be down, or whose line was cut, has none; lines of another shape are passed over.
    """
    whole = output if len(output) <= OUTPUT_MAX else output[:OUTPUT_MAX].rpartition(b"\n")[0]
    found: dict[str, float | Unread] = {}
    for line in whole.decode("ascii", "replace").splitlines():
        host = _OF_HOST.match(line[:1024])
        if host is None:
            continue
        name, state, rest = host[1].lower(), host[2].lower(), host[3]
        if name in found:
            found[name] = Unread(f"ruptime lists several hosts as {name}")
        elif state == "down":
            found[name] = Unread("ruptime says that it is down")
        else:
            found[name] = load_in(rest.encode("ascii", "replace")) if "load" in rest.lower() else _CUT
    return found


_CUT = Unread("the line of ruptime has no load")


class HostNames:
    """The hosts that ruptime lists, to be found by the names that others know them by."""

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = frozenset(hosts)
        self._short: dict[str, str | None] = {}
        for host in hosts:
            label = host.partition(".")[0]
            self._short[label] = None if label in self._short else host

    def find(self, names: Collection[str]) -> str | None:
        """Return the host that has the first of these names that is known; None: none is.

        A name counts without its domain too, if one host alone has it then; and ruptime cuts names at CUT_AT letters.
        """
        for name in (each.lower().rstrip(".") for each in names):
            if not name:
                continue
            for written in (name, name[:CUT_AT]):
                if written in self._hosts:
                    return written
            label = name.partition(".")[0]
            alone = self._short.get(label) or self._short.get(label[:CUT_AT])
            # Two full names of different domains are two hosts.
            if alone is not None and not ("." in name and "." in alone):
                return alone
        return None


def usual(loads: Collection[float]) -> float:
    """Return the usual load of a pool: the median, so that one runaway changes nobody else's weight. 0 of none."""
    if not loads:
        return 0.0
    ordered = sorted(loads)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def by_load(formula: Formula, configured: int, present: int, load: float | None, usual: float) -> int:
    """Return the weight of a server by its load.

    `configured` is that of lvs.cf, `present` the one that the last call returned (at first the configured one), `load`
    the one-minute average, None: unknown; `usual` that of the virtual server's real servers, its own among them.
    """
    if configured <= 0 or load is None:
        return configured
    if formula is Formula.ORIGINAL:
        return _original(configured, present, load)
    return _bounded(configured, present, load, usual)


def _bounded(configured: int, present: int, load: float, usual: float) -> int:
    """Return the configured weight times how much less loaded this server is than its pool usually is.

    Where all are equally loaded, idle or busy, the weights are the configured ones: a load of 8 is nothing on 16 cores,
    and only the other servers say so.
    """
    wanted = min(WEIGHT_MAX, configured * min(MOST, max(LEAST, (1 + usual) / (1 + load))))
    if abs(wanted - present) < max(configured * STEP_PART, STEP_LEAST):
        return present
    return max(1, floor(wanted + 0.5))


def _original(configured: int, present: int, load: float) -> int:
    """Return the weight as the original reckoned it (engine.md 4.6): from W up to 10 W, and never below W."""
    half = configured / 2
    if load < 1:
        wanted = min(int(present + half * cbrt(1 - load)), SCALE * configured, WEIGHT_MAX)
    elif load > 1:
        wanted = max(int(present - half * cbrt(load - 1)), configured)
    else:
        return present
    return wanted if abs(wanted - present) >= configured / 4 else present


def _number(text: str) -> float | None:
    """Return the number that a text begins with; of several joined by commas the first."""
    found = _NUMBERS.match(text)
    if found is None or _BEHIND.match(text, found.end()) is None:
        return None
    parts = found[0].split(",")
    if "." in found[0]:
        return float(parts[0]) if parts[0].count(".") <= 1 else None
    match len(parts):
        case 1 | 3:  # 2 or 2,3,4: whole numbers
            return float(parts[0])
        case 2 | 6:  # 0,20 or 0,20,0,18,0,12: decimal commas
            return float(f"{parts[0]}.{parts[1]}")
        case _:
            return None

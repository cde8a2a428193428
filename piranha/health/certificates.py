"""Whether a certificate is for a name, and how long it is good. Whether it is trusted is the edge's to say.

As RFC 6125 asks: only the alternative names count, never the common name; `*` stands for the whole first label and for
one label alone.
"""

from collections.abc import Sequence
from ipaddress import ip_address

from piranha.health.check import Tls

DAY_S = 86_400
NAMES_SHOWN = 5
NAME_LETTERS = 100


AlternativeName = tuple[str, str]
"""As Python's ssl tells it: ("DNS", "www.example.com") or ("IP Address", "192.0.2.1")."""


def is_for(name: str, told: Sequence[AlternativeName]) -> bool:
    """Say whether a certificate with these alternative names is for a host name, or an IP address."""
    try:
        address = ip_address(name)
    except ValueError:
        return any(kind == "DNS" and _matches(name, each) for kind, each in told)
    return any(kind == "IP Address" and _is_address(each, str(address)) for kind, each in told)


def name_fault(endpoint: str, tls: Tls, told: Sequence[AlternativeName]) -> str:
    """Return why a certificate is not that of the server that was asked for, "" if it is. `endpoint`: who showed it."""
    if not tls.verifies_name or is_for(tls.name, told):
        return ""
    names = [each for kind, each in told if kind in ("DNS", "IP Address")]
    if not names:
        return f"certificate of {endpoint} names no host (subjectAltName), expected {tls.name}"
    shown = ", ".join(_shown(each) for each in names[:NAMES_SHOWN])
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"certificate of {endpoint} is for another name: {shown}{more}, expected {tls.name}"


def warning(tls: Tls, ends: float | None, now: float) -> str:
    """Return what is said of a certificate that is good and ends then, "" if nothing. Both are wall-clock seconds."""
    if ends is None or ends - now >= tls.warn_days * DAY_S:
        return ""
    left_s = ends - now
    days = int(left_s // DAY_S)
    when = f"in {days} day{'s' if days != 1 else ''}" if days else "today"
    return f"; its certificate ends {when}"


def _matches(name: str, pattern: str) -> bool:
    name, pattern = name.rstrip(".").lower(), pattern.rstrip(".").lower()
    if not pattern.startswith("*."):
        return bool(name) and name == pattern and "*" not in pattern
    first, _, rest = name.partition(".")
    return bool(first) and "." in rest and "*" not in rest and rest == pattern[2:]


def _is_address(told: str, wanted: str) -> bool:
    try:
        return str(ip_address(told.strip())) == wanted
    except ValueError:
        return False


def _shown(name: str) -> str:
    spelled = name.encode("unicode_escape").decode("ascii")
    return spelled if len(spelled) <= NAME_LETTERS else f"{spelled[:NAME_LETTERS]}..."

"""How a server stands, in a word with its symbol and its colour: nobody has to tell colours apart."""

from dataclasses import dataclass

from piranha.status import Health
from piranha.web.client import summary
from piranha.web.texts import _


@dataclass(frozen=True, slots=True)
class Standing:
    """A word, its symbol, its class in the style sheet, and what is to say about it."""

    kind: str
    symbol: str
    word: str
    reason: str = ""


_CONFIGURED = {
    "1": Standing("up", "▲", "up"),
    "2": Standing("active", "●", "active"),
    "0": Standing("down", "▼", "down"),
    "": Standing("down", "▼", "down"),
}
_UNDEFINED = Standing("undef", "?", "undef")


def configured(active: str | None) -> Standing:
    """Return what lvs.cf says: the words of the manual's list (4.6)."""
    return _CONFIGURED.get(active or "", _UNDEFINED)


def checked(health: Health) -> Standing:
    """Return what the checks say of a real server that runs."""
    match health.state:
        case "up":
            return Standing("active", "●", "up", health.reason)
        case "down":
            return Standing("down", "✖", "down", health.reason)
        case _:
            return Standing("undef", "?", _("unknown"), health.reason)


def not_told() -> Standing:
    """Return what is to say of a server that the engine does not tell of: it does not run, or nobody knows."""
    if summary() is None:
        return Standing("undef", "?", _("unknown"), _("The engine does not answer."))
    return Standing("undef", "–", _("not running"))

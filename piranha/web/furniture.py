"""What stands round every page: tabs, banner, and how templates write times, sizes and paths."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, g, request
from flask_login import current_user

from piranha import passwords
from piranha.monitoring import Summary
from piranha.pair_findings import as_sentence
from piranha.status import ConfirmationStatus, RunState
from piranha.web import uploads
from piranha.web.auth import own_url, password_text
from piranha.web.blocks import SetByHand, set_by_hand, shown_path
from piranha.web.client import engine_problem, summary
from piranha.web.pair import Identity, identity, role_word, state_word
from piranha.web.state import USER
from piranha.web.texts import _

TABS = (
    ("monitor.control", "CONTROL/MONITORING"),
    ("global_settings.show", "GLOBAL SETTINGS"),
    ("redundancy.show", "REDUNDANCY"),
    ("virtual_servers.show_all", "VIRTUAL SERVERS"),
)

SEE = (
    ("monitor.control", "MONITORING", ("monitor.control", "monitor.override", "running.", "traffic.", "last_check.")),
    ("connections.show", "CONNECTIONS", ("connections.",)),
    ("plan.show", "PLAN", ("plan.", "confirm.")),
    ("history.show_all", "HISTORY", ("history.", "restoring.")),
    ("events.show", "EVENTS", ("events.",)),
    ("audit.show", "AUDIT", ("audit.",)),
    ("adopting.show", "ADOPT", ("adopting.",)),
)
"""The pages behind CONTROL/MONITORING: where each leads, its word, and which endpoints belong to it."""

DIFF_LINES_MAX = 400
"""So many lines of a difference are shown; the commands show all."""

_DIFF_CLASSES = (
    ("+++", "diff-file"),
    ("---", "diff-file"),
    ("@@", "diff-place"),
    ("+", "diff-added"),
    ("-", "diff-removed"),
)


@dataclass(frozen=True, slots=True)
class Banner:
    """What every secure page says on top: what is unusual right now. `confirmation`: the Apply that waits for it."""

    engine_problem: str
    config_problem: str
    is_saved_not_applied: bool
    stopped_because: str
    overrides: list[SetByHand]
    overrides_in_all: int
    has_weak_password: bool
    confirmation: ConfirmationStatus | None


def banner() -> Banner | None:
    """Return what the page has to say on top, None for somebody who is not logged in."""
    if g.get("is_bare") or not current_user.is_authenticated:
        return None
    told = summary()
    stored = passwords.hash_line(password_text(), USER)
    return Banner(
        engine_problem=engine_problem(),
        config_problem="" if g.get("is_no_config") else _config_problem(told),
        is_saved_not_applied=told is not None and not told.config.is_applied and bool(told.config.saved_token),
        stopped_because=_stopped_because(told),
        overrides=set_by_hand(told),
        overrides_in_all=0 if told is None else told.overrides_in_all,
        has_weak_password=stored is not None and passwords.is_weak(stored),
        confirmation=None if told is None else told.confirmation,
    )


def this_router() -> Identity | None:
    """Return which router this is and how it stands, None for somebody who is not logged in, or if nobody knows."""
    return identity() if _is_logged_in() else None


def _config_problem(told: Summary | None) -> str:
    if told is None or told.config.saved_token:
        return ""
    return told.config.problem or _("There is no lvs.cf.")


def _stopped_because(told: Summary | None) -> str:
    if told is None or told.state is RunState.RUNNING:
        return ""
    return told.reason or _("there is nothing to run")


def moment(text: str | None) -> str:
    """Return an ISO 8601 time as people read it, without its offset; "" for None."""
    if not text:
        return ""
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text


def duration(seconds: float | None) -> str:
    """Return a time span in words, `never` for None."""
    if seconds is None:
        return _("never")
    whole = max(0, int(seconds))
    if whole < 120:
        return _("%(count)s s", count=whole)
    if whole < 7200:
        return _("%(count)s min", count=whole // 60)
    if whole < 2 * 86400:
        return _("%(count)s h", count=whole // 3600)
    return _("%(count)s days", count=whole // 86400)


def seconds_left(seconds: float) -> int:
    """Return whole seconds, so that 0 is over."""
    return max(0, math.ceil(seconds))


def size(count: int) -> str:
    """Return a number of bytes with a unit; the two stay in one line, in text browsers too."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{amount:.0f}\xa0{unit}" if unit == "B" else f"{amount:.1f}\xa0{unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def diff_lines(diff: str) -> list[tuple[str, str]]:
    """Return the lines of a unified diff with the class that colours each."""
    return [(_diff_class(line), line) for line in diff.splitlines()]


def _diff_class(line: str) -> str:
    return next((name for begin, name in _DIFF_CLASSES if line.startswith(begin)), "diff-same")


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the strip. `current`: "page" for the page itself, "true" for one that belongs to it, else ""."""

    endpoint: str
    word: str
    current: str


def see() -> list[Link]:
    """Return the links to the pages behind CONTROL/MONITORING."""
    here = request.endpoint or ""
    return [
        Link(endpoint, word, "page" if here == endpoint else "true" if here.startswith(own) else "")
        for endpoint, word, own in SEE
    ]


def override_words(each: SetByHand, says_end: bool = True) -> str:
    """Return in a few words what an override does, and when it ends."""
    words = _("%(server)s has weight %(weight)s", server=each.title, weight=each.told.weight)
    if each.told.kind == "drain":
        words = _("%(server)s is drained", server=each.title)
    if says_end and each.told.until:
        return _("%(what)s until %(when)s", what=words, when=moment(each.told.until))
    return words


def furnish(app: Flask) -> None:
    """Give the templates their words."""
    for function in (moment, duration, seconds_left, size, diff_lines, shown_path, override_words, uploads.for_reading):
        app.add_template_filter(function)
    app.add_template_filter(as_sentence)
    app.jinja_env.globals["diff_lines_max"] = DIFF_LINES_MAX
    app.jinja_env.globals |= {"role_word": role_word, "state_word": state_word}

    def words() -> Mapping[str, Any]:
        return {
            "tabs": TABS,
            "see": see,
            "banner": banner,
            "this_router": this_router,
            "here": own_url,
            "is_logged_in": _is_logged_in(),
        }

    app.context_processor(lambda: dict(words()))


def _is_logged_in() -> bool:
    return not g.get("is_bare") and bool(current_user.is_authenticated)

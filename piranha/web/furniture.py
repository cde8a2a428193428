"""What stands round every page: tabs, banner, and how templates write times, sizes and paths."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, g
from flask_login import current_user

from piranha import passwords
from piranha.status import EngineStatus, RunState
from piranha.web.auth import password_text
from piranha.web.blocks import SetByHand, set_by_hand, shown_path
from piranha.web.client import engine_problem, status
from piranha.web.state import USER
from piranha.web.texts import _

TABS = (
    ("monitor.control", "CONTROL/MONITORING"),
    ("global_settings.show", "GLOBAL SETTINGS"),
    ("redundancy.show", "REDUNDANCY"),
    ("virtual_servers.show_all", "VIRTUAL SERVERS"),
)

_DIFF_CLASSES = (
    ("+++", "diff-file"),
    ("---", "diff-file"),
    ("@@", "diff-place"),
    ("+", "diff-added"),
    ("-", "diff-removed"),
)


@dataclass(frozen=True, slots=True)
class Banner:
    """What every secure page says on top: what is unusual right now."""

    engine_problem: str
    config_problem: str
    is_saved_not_applied: bool
    stopped_because: str
    overrides: list[SetByHand]
    has_weak_password: bool


def banner() -> Banner | None:
    """Return what the page has to say on top, None for somebody who is not logged in."""
    if g.get("is_bare") or not current_user.is_authenticated:
        return None
    told = status()
    stored = passwords.hash_line(password_text(), USER)
    return Banner(
        engine_problem=engine_problem(),
        config_problem="" if g.get("is_no_config") else _config_problem(told),
        is_saved_not_applied=told is not None and not told.config.is_applied and bool(told.config.saved_token),
        stopped_because=_stopped_because(told),
        overrides=set_by_hand(told),
        has_weak_password=stored is not None and passwords.is_weak(stored),
    )


def _config_problem(told: EngineStatus | None) -> str:
    if told is None or told.config.saved_token:
        return ""
    return told.config.problem or _("There is no lvs.cf.")


def _stopped_because(told: EngineStatus | None) -> str:
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


def size(count: int) -> str:
    """Return a number of bytes with a unit."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def diff_lines(diff: str) -> list[tuple[str, str]]:
    """Return the lines of a unified diff with the class that colours each."""
    return [(_diff_class(line), line) for line in diff.splitlines()]


def _diff_class(line: str) -> str:
    return next((name for begin, name in _DIFF_CLASSES if line.startswith(begin)), "diff-same")


def override_words(each: SetByHand) -> str:
    """Return in a few words what an override does."""
    if each.told.kind == "drain":
        return _("%(server)s is drained", server=each.title)
    return _("%(server)s has weight %(weight)s", server=each.title, weight=each.told.weight)


def furnish(app: Flask) -> None:
    """Give the templates their words."""
    for function in (moment, duration, size, diff_lines, shown_path, override_words):
        app.add_template_filter(function)

    def words() -> Mapping[str, Any]:
        return {"tabs": TABS, "banner": banner, "is_logged_in": _is_logged_in()}

    app.context_processor(lambda: dict(words()))


def _is_logged_in() -> bool:
    return not g.get("is_bare") and bool(current_user.is_authenticated)

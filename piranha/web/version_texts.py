"""Texts of lvs.cf that do not change any more: sent by the engine once, and not for each page that shows them again.

A text is known by its token, the digest of its bytes; which token a version has, or what runs, is asked every time.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from piranha.messages import History, SavedConfig, VersionText
from piranha.web.client import engine, summary

KEPT = 4
"""Texts: two are compared, and one may have more than a megabyte."""
Text = TypeVar("Text", VersionText, SavedConfig)


def version_text(number: int, history: History | None = None) -> VersionText:
    """Return a version with its text. `history`: what is kept, if that is known. Raises what the engine raises."""
    kept = (history or engine().history()).versions
    info = next((each for each in kept if each.number == number), None)
    ask = partial(engine().version, number)
    return ask() if info is None else replace(_once(_versions, info.token, ask), info=info)


def running() -> SavedConfig:
    """Return the text that runs. Raises what the engine raises."""
    told = summary()
    token = told.config.running_token if told is not None else ""
    return _once(_running, token, engine().running) if token else engine().running()


def _once(kept: dict[str, Text], token: str, ask: Callable[[], Text]) -> Text:
    found = kept.pop(token, None) or ask()
    if _token_of(found) == token:
        kept[token] = found  # the newest stands last
    for oldest in list(kept)[:-KEPT]:
        kept.pop(oldest, None)
    return found


def _token_of(text: VersionText | SavedConfig) -> str:
    return text.info.token if isinstance(text, VersionText) else text.token


_versions: dict[str, VersionText] = {}
_running: dict[str, SavedConfig] = {}

"""A person with lynx: everything is found by the words on the screen, never by counting keystrokes.

Lynx writes a number before each link, button and field. The number beside the words is read and typed, as people do.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.browser.terminal import Terminal

SETTINGS = """\
LOCALE_CHARSET:TRUE
ACCEPT_ALL_COOKIES:TRUE
SHOW_CURSOR:TRUE
DEFAULT_KEYPAD_MODE:LINKS_AND_FIELDS_ARE_NUMBERED
"""
ERASE_ALL = "\x15"
RETURN = "\r"
TAB = "\t"
STATUS_LINES = 3
"""The lowest lines: what lynx is doing or what stands under the cursor, and two lines of advice."""
LINK, BUTTON, FIELD, LIST = "(NORMAL LINK)", "(Form submit button)", "entry field)", "(Option list)"
CHOOSING, TYPING = "(Choice list)", "Enter text"
FIRST_STATUS = "Commands: "
"""Stands there on the first page, where a link is chosen."""
IDLE = re.compile(r"Commands: |\(")


class Lynx:
    """Lynx in a terminal, and somebody who reads and types."""

    def __init__(self, url: str, folder: Path, leads_to: str) -> None:
        """Open a page and wait until `leads_to` is there. `folder` is lynx's home."""
        program = shutil.which("lynx")
        assert program is not None, "lynx is missing: apt-get install lynx (make test does it)"
        settings = folder / "lynx.cfg"
        settings.write_text(SETTINGS)
        environment: Mapping[str, str] = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        # With -tna a field takes letters only once it was entered; before that they are commands, as everywhere.
        self.terminal = Terminal([program, f"-cfg={settings}", "-tna", "-nopause", url], environment)
        self._arrive(leads_to)

    @property
    def text(self) -> str:
        """Return the words of the page, in their order; a number in brackets stands before what can be chosen."""
        return _words(self.terminal.lines[1:-STATUS_LINES])

    def press(self, words: str, leads_to: str) -> None:
        """Press the button, or follow the link, with these words; then `leads_to` must come, which is not there yet."""
        assert leads_to not in self.text, f"{leads_to!r} is there already:\n{self.text}"
        number, kind = self._find_button_or_link(words)
        self._go_to(number, kind)
        self.terminal.press(RETURN)
        self._arrive(leads_to)

    def fill(self, label: str, value: str) -> None:
        """Type into the field behind this label, instead of what stands there."""
        number = self._find_field(label)
        self._go_to(number, FIELD)
        self.terminal.press(RETURN)
        self._wait_for_status(TYPING)
        self.terminal.press(ERASE_ALL + value)

        def is_typed(lines: list[str]) -> bool:
            # A short field shows a part of a long value, and a password is stars.
            shown = re.search(rf"\[{number}\]←?([^ \]]*)", _words(lines))
            part = shown[1].strip("_") if shown is not None else ""
            return bool(part) and (part in value or part == "*" * len(part))

        self.terminal.wait_for(is_typed, f"{value!r} stands behind {label!r}")
        self.terminal.press(TAB)
        self._wait_for_status(TYPING, is_there=False)

    def choose(self, label: str, option: str) -> None:
        """Choose from the list behind this label, by the words of the option."""
        number = self._find_field(label)
        self._go_to(number, LIST)
        self.terminal.press(RETURN)
        self._wait_for_status(CHOOSING)
        self.terminal.press(f"/{option}{RETURN}")
        self.terminal.press(RETURN)
        chosen = re.compile(rf"\[{number}\]\[\(\d+\)_*{re.escape(option)}")
        self.terminal.wait_for(lambda lines: bool(chosen.search(_words(lines))), f"{option} is chosen")

    def _find_button_or_link(self, words: str) -> tuple[int, str]:
        end = re.escape(words) + r"(?!\w)"
        return self._find({BUTTON: rf"\(\[(\d+)\][^)]*\) {end}", LINK: rf"(?<!\()\[(\d+)\]{end}"}, words)

    def _find_field(self, label: str) -> int:
        return self._find({FIELD: rf"(?<!\w){re.escape(label)}:? \[(\d+)\]"}, label)[0]

    def _find(self, patterns: Mapping[str, str], words: str) -> tuple[int, str]:
        """Return number and kind of the one thing that looks so; the screen may just be being drawn."""
        found: list[tuple[int, str]] = []

        def is_there_once(lines: list[str]) -> bool:
            text = _words(lines[1:-STATUS_LINES])
            found[:] = [(int(each), kind) for kind, made in patterns.items() for each in re.findall(made, text)]
            return len(found) == 1

        self.terminal.wait_for(is_there_once, f"{words!r} is there once")
        return found[0]

    def _go_to(self, number: int, kind: str) -> None:
        self.terminal.press(f"{number}g{RETURN}")

        def is_there(lines: list[str]) -> bool:
            row, column = self.terminal.cursor
            place = lines[row].find(f"[{number}]") if row < len(lines) else -1
            return 0 <= place <= column and kind in _status(lines).replace(FIRST_STATUS, LINK)

        self.terminal.wait_for(is_there, f"the cursor is at {kind} [{number}]")

    def _arrive(self, words: str) -> None:
        def is_there(lines: list[str]) -> bool:
            return words in _words(lines[1:-STATUS_LINES]) and IDLE.match(_status(lines)) is not None

        self.terminal.wait_for(is_there, f"{words!r} is there")

    def _wait_for_status(self, words: str, is_there: bool = True) -> None:
        def says_so(lines: list[str]) -> bool:
            return (words in _status(lines)) is is_there and bool(_status(lines))

        self.terminal.wait_for(says_so, f"the status line with {words!r}: {is_there}")


def _words(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def _status(lines: list[str]) -> str:
    return _words(lines[-STATUS_LINES : len(lines) - STATUS_LINES + 1])

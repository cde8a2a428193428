"""The text of a piranha.toml, read table by table and key by key; every fault has its place in the text."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from piranha.config.faults import Fault, Severity
from piranha.config.toml_values import Key, ValueProblem, quoted

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class TomlText:
    """One text, and the faults that were found in it."""

    def __init__(self, text: str) -> None:
        self._lines = [line.removesuffix("\r") for line in text.split("\n")]
        self.faults: list[Fault] = []

    def settings(self, tables: Mapping[str, Any], name: str, keys: Mapping[str, Key]) -> dict[str, Any]:
        """Return field and value of each key of the table `name` that has no fault."""
        table = tables.get(name, {})
        if not isinstance(table, dict):
            advice = f"Write [{name}] on its own line."
            self.note(Severity.ERROR, "toml-value", "", name, name, f"{name} is no table.", advice)
            return {}
        found = {}
        for key, value in table.items():
            if key not in keys:
                message = f"{quoted(key)} is not known in [{name}]; it does nothing."
                self.note(Severity.WARNING, "toml-unknown", name, key, key, message, _meant(key, list(keys)))
                continue
            try:
                found[keys[key].field] = keys[key].read(value)
            except ValueProblem as problem:
                self.note(Severity.ERROR, "toml-value", name, key, problem.word, problem.message, problem.advice)
        return found

    def look_for_unknown(self, tables: Iterable[str], known: list[str]) -> None:
        """Note every table that nothing here reads."""
        for name in tables:
            if name not in known:
                message = f"{quoted(name)} is not known here; it does nothing."
                self.note(Severity.WARNING, "toml-unknown", "", name, name, message, _meant(name, known))

    def note(self, severity: Severity, code: str, table: str, key: str, word: str, message: str, advice: str) -> None:
        """Note a fault at `word` of a key of a table, at the key itself if the word is not found."""
        line, column = self._place(table, key, word)
        text = self._lines[line - 1] if line else ""
        self.faults.append(Fault(severity, code, line, column, table, key, text, message, advice))

    def _place(self, table: str, key: str, word: str) -> tuple[int, int]:
        """Return line and column of a word behind its key, else of the key; (1, 1) where the text hides even that."""
        present = ""
        written = re.compile(rf"""\s*(?:{re.escape(table)}\s*\.\s*)?["']?({re.escape(key)})["']?\s*[.=]""")
        for number, line in enumerate(self._lines, start=1):
            header = _header_of(line)
            if header:
                present = header
                if f"{present}.".startswith(f"{table}.{key}." if table else f"{key}."):
                    return number, line.index("[") + 1
            found = written.match(line)
            if found is not None and present in (table, ""):
                return self._behind(number, found.start(1), found.end(1), word)
        above, _, name = table.rpartition(".")
        return self._place(above, name, word) if above else (1, 1)

    def _behind(self, number: int, start: int, end: int, word: str) -> tuple[int, int]:
        """Look for the word from the key's end on, over the lines of a list, up to the next key."""
        for later, line in enumerate(self._lines[number - 1 :], start=number):
            if later > number and re.match(r"\s*(\[\s*[A-Za-z]|[A-Za-z0-9_.\"'-]+\s*=)", line):
                break
            at = line.find(word, end if later == number else 0) if word else -1
            if at >= 0:
                return later, at + 1
        return number, start + 1


def fault_of_syntax(text: str, told: str) -> Fault:
    """Return the fault of a text that is no TOML. `told`: what tomllib says of it."""
    found = _PLACE.search(told)
    lines = text.split("\n")
    line, column = (int(found[1]), int(found[2])) if found and found[1] else (len(lines), len(lines[-1]) + 1)
    message = f"This is no TOML: {_PLACE.sub('', told)}."
    advice = "Correct it; as long as it stands there, nothing of this file can be read."
    shown = lines[line - 1] if line <= len(lines) else ""
    return Fault(Severity.ERROR, "toml-syntax", line, column, "", "", shown, message, advice)


def _header_of(line: str) -> str:
    """Return the name of the table that begins with this line, without quotes; "" if none does."""
    if not line.lstrip().startswith("["):
        return ""
    try:
        inner: Any = tomllib.loads(line)
    except (tomllib.TOMLDecodeError, RecursionError):
        return ""
    names = []
    while isinstance(inner, dict) and inner:
        ((name, inner),) = inner.items()
        names.append(name)
    return ".".join(names) if inner == {} else ""


def _meant(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name[:100], known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known are {', '.join(known)}."

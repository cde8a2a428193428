"""The part of piranha.toml that both routers have: its table [failover]. The other tables are each router's own.

A table is taken out of a text, or put into it, as it is written, comments and all, and every other byte stays. That
goes where the table stands in one piece under a header of its own; any other spelling is refused with what to do.
"""

import hashlib
import re
import tomllib
from dataclasses import asdict
from typing import Any

from piranha.config.extensions import read
from piranha.config.failover_settings import FailoverSettings
from piranha.config.faults import Severity

SHARED = "failover"

_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(#.*)?")
_ANY_HEADER = re.compile(r"\s*\[.*\]\s*(#.*)?")


class NotSeparable(Exception):
    """A table cannot be taken out of its text, or put into it; the sentence says why and what to do."""


def shared_text(raw: bytes) -> str:
    """Return the table [failover] as it is written, "" if there is none.

    Raises NotSeparable if it cannot be told from the rest, or has errors: those are not handed on.
    """
    errors = [each for each in read(raw).errors if each.path in ("", SHARED)]
    if errors:
        raise NotSeparable(errors[0].located("piranha.toml"))
    return table_text(raw, SHARED)


def settings_of(text: str) -> FailoverSettings:
    """Return what a table [failover] says that came from elsewhere. Raises NotSeparable if it is none."""
    if not text:
        return FailoverSettings()
    told = read(text.encode())
    if set(_tables(text)) != {SHARED}:
        raise NotSeparable("What should be the table [failover] alone is something else.")
    if told.errors:
        raise NotSeparable(told.errors[0].located("piranha.toml"))
    return told.failover


def table_text(raw: bytes, name: str) -> str:
    """Return a table as it is written, from its header to its last key; "" if there is none. Raises NotSeparable."""
    text = _text(raw)
    _, table, _ = _parts(text, name)
    return table


def with_table(raw: bytes, name: str, table: str) -> bytes:
    """Return the bytes of a piranha.toml with `table` in place of its table `name`; "" removes that.

    Raises NotSeparable. Every other line stays as it is.
    """
    text = _text(raw)
    before, old, after = _parts(text, name)
    if table and not table.endswith("\n"):
        table += "\n"
    if not old and table and before.strip():
        before = f"{before.rstrip()}\n\n"
    made = before + table + after
    wanted = {key: value for key, value in _tables(text).items() if key != name}
    if table:
        wanted[name] = _tables(table).get(name)
    if _tables(made) != wanted:
        raise NotSeparable(_advice(name))
    return made.encode()


def shared_token(failover: FailoverSettings) -> str:
    """Return the identity of what [failover] means, SHA-256 in hexadecimal: comments and order are not in it."""
    told = "".join(f"{name}={value!r}\n" for name, value in sorted(asdict(failover).items()))
    return hashlib.sha256(f"piranha [failover] 1\n{told}".encode()).hexdigest()


def pair_digest(lvs_cf: bytes, failover: FailoverSettings) -> bytes:
    """Return the digest (32 bytes) of everything that both routers should have the same."""
    return digest_of(hashlib.sha256(lvs_cf).hexdigest(), shared_token(failover))


def digest_of(token: str, shared: str) -> bytes:
    """Return the digest of an lvs.cf (its token) and of a [failover] (its shared token)."""
    return hashlib.sha256(f"piranha pair 1\n{token}\n{shared}\n".encode()).digest()


def _parts(text: str, name: str) -> tuple[str, str, str]:
    """Return what stands before a table, the table, and what stands behind it. Raises NotSeparable."""
    tables = _tables(text)
    if name not in tables:
        return text, "", ""
    lines = text.splitlines(keepends=True)
    starts = [at for at, line in enumerate(lines) if (found := _HEADER.fullmatch(line.rstrip())) and found[1] == name]
    for start in starts:
        headers = [at for at in range(start + 1, len(lines)) if _ANY_HEADER.fullmatch(lines[at].rstrip())]
        for end in (*headers, len(lines)):
            kept = end
            while kept > start + 1 and (not lines[kept - 1].strip() or lines[kept - 1].lstrip().startswith("#")):
                kept -= 1
            before, table, after = ("".join(part) for part in (lines[:start], lines[start:kept], lines[kept:]))
            if _is_split(tables, name, before, table, after):
                return before, table, after
    raise NotSeparable(_advice(name))


def _is_split(tables: dict[str, Any], name: str, before: str, table: str, after: str) -> bool:
    rest = {key: value for key, value in tables.items() if key != name}
    try:
        return tomllib.loads(table) == {name: tables[name]} and tomllib.loads(before + after) == rest
    except tomllib.TOMLDecodeError:
        return False


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise NotSeparable("piranha.toml is not UTF-8, so it is no TOML. Write it anew.") from None


def _tables(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        faults = read(text.encode()).faults
        told = next((each.located("piranha.toml") for each in faults if each.severity is Severity.ERROR), "")
        raise NotSeparable(told or "piranha.toml is no TOML.") from None


def _advice(name: str) -> str:
    return (
        f"In piranha.toml the settings of {name} are not written as a table that stands for itself. Write them below "
        f"one line [{name}], each key on a line, and nothing of it elsewhere."
    )

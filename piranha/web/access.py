"""Who may reach the GUI, by address: the `.htaccess` files of the manual (2.4), read at every request.

`access_rules` knows what they mean. This reads them, and answers 403 before any password is asked for. Whatever cannot
be read or understood refuses everybody (reference 4.3), and the log names file and line.
"""

import functools
import logging
import os
import stat
from pathlib import Path

from flask import render_template, request
from flask.typing import ResponseReturnValue

from piranha.paths import Paths
from piranha.web.access_rules import AccessFileError, Rules, allows, parse
from piranha.web.client_address import address_of, group_of
from piranha.web.state import gui

FILE_NAME = ".htaccess"
FILE_BYTES_MAX = 256 * 1024

OUTER_ONLY = frozenset({"pages.welcome", "pages.about_login", "static", "bootstrap.static"})
"""What the inner file does not cover. It covers the log-in: a refused address never sees a password prompt."""

log = logging.getLogger(__name__)


def gate() -> ResponseReturnValue | None:
    """Answer 403 to a client whose address the rules do not let in, whatever it asks for."""
    refused = refusal(gui().paths, request.remote_addr, request.endpoint not in OUTER_ONLY)
    if refused is None:
        return None
    held = gui().brake.held_back(f"{group_of(request.remote_addr)} {refused}", gui().steady_clock())
    if held is not None:
        more = f" ({held} more like this)" if held else ""
        log.warning("refused %s %s %r: %s%s", request.remote_addr, request.method, request.path, refused, more)
    return render_template("refused.html"), 403


def files_for(paths: Paths, is_secure: bool) -> tuple[Path, ...]:
    """Return the files whose rules must all allow: the outer one, and for secure pages the inner one too."""
    outer = paths.web / FILE_NAME
    return (outer, paths.web / "secure" / FILE_NAME) if is_secure else (outer,)


def refusal(paths: Paths, client: str | None, is_secure: bool) -> str | None:
    """Return why this client may not reach the page, as a line for the log, or None if it may.

    A file that is not there allows. One that is there and cannot be read or understood denies everybody.
    """
    address = address_of(client)
    for path in files_for(paths, is_secure):
        try:
            raw = _read(path)
        except OSError as problem:
            return f"{path}: {problem.strerror}; nobody is let in until it can be read"
        if raw is None:
            continue
        rules = _rules(raw)
        if isinstance(rules, AccessFileError):
            place = f"{path}:{rules.line}" if rules.line else f"{path}"
            return f"{place}: {rules.sentence} Nobody is let in until this is corrected"
        if address is None or not allows(rules, address):
            return f"{path}: the rules refuse {client}"
    return None


def _read(path: Path) -> bytes | None:
    """Return the bytes of a file, None where there is none. Never waits for a FIFO. Raises OSError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        # A link that leads nowhere was meant to lead to rules.
        if path.is_symlink() or (path.parent.is_symlink() and not path.parent.exists()):
            raise
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "it is no regular file")
        with open(handle, "rb", closefd=False) as file:
            return file.read(FILE_BYTES_MAX + 1)
    finally:
        os.close(handle)


@functools.lru_cache(maxsize=8)
def _rules(raw: bytes) -> Rules | AccessFileError:
    """Return what the bytes say. The file is read for every request, and understood anew when it is another one."""
    if len(raw) > FILE_BYTES_MAX:
        return AccessFileError(0, f"the file is bigger than {FILE_BYTES_MAX} bytes.")
    try:
        return parse(raw.decode("utf-8", "surrogateescape"))
    except AccessFileError as problem:
        return problem.with_traceback(None)

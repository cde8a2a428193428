"""A file that was uploaded travels on in fields of the form: its bytes in base64, and its name.

So it is kept like what was typed: on a page that shows what it would do, over a log-in, over an engine that is silent.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from flask import request

from piranha.web.texts import _

FILE, TEXT = "file", "text"
"""Controls of a form that brings a file, or its text."""
CONTENT, NAME = "content", "name"
"""Fields that hold a file which came before."""
NAME_MAX = 100

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Kept:
    """A file in fields of a form: its name, and its bytes in base64."""

    name: str
    packed: str

    @property
    def size(self) -> int:
        """Return how many bytes the file has."""
        return len(self.packed) * 3 // 4 - self.packed[-2:].count("=")


def kept(content: bytes, name: str) -> Kept:
    """Return a file as it is kept: in letters that a form sends as they are, without any of them growing threefold."""
    return Kept(name, base64.urlsafe_b64encode(content).decode("ascii"))


def unpacked(packed: str) -> bytes | None:
    """Return the bytes that a field holds, None if it holds none."""
    try:
        return base64.b64decode(packed, altchars=b"-_", validate=True) or None
    except (binascii.Error, ValueError):
        return None


def clean_name(name: str) -> str:
    """Return the name of a file without folders and without what cannot be shown."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:NAME_MAX]


def with_file(pairs: Pairs) -> Pairs:
    """Return what was typed, and behind it the file that came with it, in fields.

    Where there is a file, it is what was meant: what was pasted beside it is left out.
    """
    upload = request.files.get(FILE)
    if upload is None or not upload.filename:
        return pairs
    upload.seek(0)
    held = kept(upload.read(), clean_name(upload.filename))
    upload.seek(0)
    others = [pair for pair in pairs if pair[0] not in (TEXT, CONTENT, NAME)]
    return [*others, (NAME, held.name), (CONTENT, held.packed)]


def for_reading(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Return what was typed as a person is to see it: of a file, how large it is."""
    return [
        (_("file"), _("%(count)s bytes", count=f"{Kept('', text).size:,}")) if name == CONTENT else (name, text)
        for name, text in pairs
        if name not in ("token", "do")
    ]

r"""The escapes of `send` and `expect` (reference 1.4): \\ \n \r \t \' \" become one byte each, in one pass.

The original hangs at every other one; here it stays as it is, both characters, and is named.
"""

import re

_MEANINGS = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t", "'": "'", '"': '"'}
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)


def translate(text: str, encoding: str = "utf-8") -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes that a probe sends or expects, and the escapes that mean nothing (they are kept as written).

    A text of one character is left alone, be it a backslash. `encoding` is that of the file: its bytes are meant.
    """
    if len(text) == 1:
        return text.encode(encoding, "replace"), ()
    unknown: list[str] = []

    def meaning(found: re.Match[str]) -> str:
        character = found[1]
        if character in _MEANINGS:
            return _MEANINGS[character]
        unknown.append(found[0])
        return found[0]

    translated = _ESCAPE.sub(meaning, text)
    return translated.encode(encoding, "replace"), tuple(unknown)


def with_known_escapes(text: str) -> str:
    r"""Return a text that means the same and has no escape that means nothing: `\\d` for `\d`."""
    if len(text) == 1:
        return text
    return _ESCAPE.sub(lambda found: found[0] if found[1] in _MEANINGS else f"\\{found[0]}", text)

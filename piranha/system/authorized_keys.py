"""Who may log in as root by an ssh key: the partner may, for one command and nothing else.

Its line is told by its comment; every other line of the file stays as it is.
"""

import re

from piranha.errors import ConfigUnavailable
from piranha.paths import Paths
from piranha.system import files, regular_file
from piranha.system.ssh import PUBLIC_KEY

COMMENT = "piranha-sync-of-the-partner"
_FOLDER_MODE = 0o700


def line_of(public_key: str, command: str) -> str:
    """Return the line that lets a key run `command` and nothing else. Raises ValueError for what is no public key."""
    if not PUBLIC_KEY.fullmatch(public_key):
        raise ValueError("This is no ed25519 public key.")
    if not command.isprintable():
        raise ValueError("This command cannot stand in authorized_keys.")
    words = command.replace('"', '\\"')
    return f'restrict,command="{words}" {public_key} {COMMENT}'


def with_line(text: str, line: str) -> str:
    """Return the text of an authorized_keys in which the partner has this line, and no other of ours."""
    lines = text.removesuffix("\n").split("\n") if text else []
    kept = [each for each in lines if not re.search(rf"\s{COMMENT}\s*$", each)]
    return "".join(f"{each}\n" for each in (*kept, line))


def allow(paths: Paths, public_key: str, command: str) -> bool:
    """Let the partner's key run `command` here; say whether the file was changed. Raises ConfigUnavailable."""
    try:
        line = line_of(public_key, command)
    except ValueError as problem:
        raise ConfigUnavailable(f"{paths.authorized_keys} was not changed: {problem}") from None
    raw = regular_file.read(paths.authorized_keys) if paths.authorized_keys.exists() else b""
    text = raw.decode("utf-8", "surrogateescape")
    made = with_line(text, line)
    if sorted(made.split("\n")) == sorted(text.split("\n")):
        return False
    owner = (0, 0) if paths.is_system else None
    files.write_atomically(
        paths.authorized_keys, made.encode("utf-8", "surrogateescape"), owner=owner, folder_mode=_FOLDER_MODE
    )
    return True

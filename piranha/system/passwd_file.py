"""Read and change the password file (it is root's; the GUI can read it and never write it)."""

import grp
import os

from piranha.errors import ConfigUnavailable
from piranha.passwords import hash_of, with_hash
from piranha.paths import Paths
from piranha.system.files import locked, make_folder, write_atomically

GROUP = "piranha"


def read(paths: Paths) -> str:
    """Return the text of the password file, "" if there is none.

    Bytes that are not UTF-8 come as lone surrogates and go back as they were. Raises ConfigUnavailable.
    """
    try:
        return paths.passwd.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigUnavailable(f"Cannot read {paths.passwd}: {error.strerror}.") from error


def store(paths: Paths, user: str, password: str) -> None:
    """Make `password` the user's; all other lines stay.

    On the real system the file is root:piranha 0640, below a --root it is 0600 and the caller's. Says nothing
    about how good the password is. Raises ConfigUnavailable.
    """
    stored = hash_of(password)
    owner = (0, _group()) if paths.is_system else None
    folder = paths.passwd.parent
    if paths.is_system:
        make_folder(folder.parent.parent, 0o755)  # /etc/sysconfig is not ours alone
    make_folder(folder, 0o750 if paths.is_system else 0o700, owner)
    with locked(folder):
        text = with_hash(read(paths), user, stored)
        data = text.encode("utf-8", "surrogateescape")
        write_atomically(paths.passwd, data, mode=0o640 if paths.is_system else 0o600, owner=owner)


def must_be_root(paths: Paths) -> str | None:
    """Return why this user cannot set the password there, or None: asked before anybody types one."""
    if paths.is_system and os.geteuid() != 0:
        return "Only root can set the password of this system. Become root, or give a --root DIR."
    return None


def _group() -> int:
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        raise ConfigUnavailable(
            f"There is no group {GROUP}, so the GUI could not read the password file. Make it first: "
            f"groupadd --system {GROUP}"
        ) from None

"""The account that the GUI runs as: what it may read belongs to its group, and it needs no privilege itself."""

import grp
import os
import pwd
from dataclasses import dataclass

from piranha.errors import PiranhaError

NAME = "piranha"


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this system with its own group."""

    name: str
    uid: int
    gid: int


def find(name: str = NAME) -> Account:
    """Return the account. Raises PiranhaError with what to type if there is none, or if it is root under that name."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise PiranhaError(
            f"There is no user {name}, and the GUI does not run as root. Make it first: "
            f"useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {name}"
        ) from None
    if entry.pw_uid == 0:
        raise PiranhaError(f"The user {name} is root under another name; the GUI does not run as root.")
    return Account(name, entry.pw_uid, entry.pw_gid)


def group_id(name: str = NAME) -> int:
    """Return the gid of the group that may read what the GUI needs. Raises PiranhaError with what to type."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise PiranhaError(
            f"There is no group {name}, so the GUI could not read the file. Make it first: groupadd --system {name}"
        ) from None


def become(account: Account) -> None:
    """Give up root for good: from now on this process is the account, without any capability.

    Raises PiranhaError if the system does not let it.
    """
    try:
        os.initgroups(account.name, account.gid)
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)
    except OSError as problem:
        raise PiranhaError(f"This process cannot become {account.name} ({problem.strerror}).") from problem

"""What a process gives up before it talks to real servers: root, capabilities, the ways to more, its parent's death.

prctl(2), capset(2), capabilities(7). Everything here holds for Linux; elsewhere a process that is not root gives up
nothing, and one that is root refuses.
"""

import ctypes
import os
import pwd
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from piranha.errors import PiranhaError

USERS = ("piranha-nanny", "nobody")
"""Whom the checks run as, the first of them that there is. Not the GUI's user: the engine believes that one."""

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 1, 15, 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITIES = 64
_CAPSET_VERSION_3 = 0x20080522
_NONE = "0000000000000000"


class NotConfined(PiranhaError):
    """A process could not give up its privileges, and does not go on with them."""


@dataclass(frozen=True, slots=True)
class User:
    """Whom a process becomes."""

    name: str
    uid: int
    gid: int


def unprivileged() -> User | None:
    """Return whom a process of root becomes for the checks; None: it is not root, and stays who it is.

    Raises NotConfined where there is nobody to become.
    """
    if os.geteuid() != 0:
        return None
    for name in USERS:
        with suppress(KeyError):
            found = pwd.getpwnam(name)
            if found.pw_uid != 0 and found.pw_gid != 0:
                return User(name, found.pw_uid, found.pw_gid)
    raise NotConfined(f"There is no user {' or '.join(USERS)} to check the real servers as.")


def user_named(name: str) -> User:
    """Return whom a process of root becomes because root said so. Raises NotConfined where it cannot, or is root."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise NotConfined(f"There is no user {name}, whom policy.toml names.") from None
    if found.pw_uid == 0 or found.pw_gid == 0:
        raise NotConfined(f"{name}, whom policy.toml names, is root; no check is made as root.")
    if os.geteuid() != 0:
        raise NotConfined(f"Only root can become {name}, whom policy.toml names.")
    return User(name, found.pw_uid, found.pw_gid)


def tie_to(parent: int) -> None:
    """Have this process killed when its parent ends, however that ends. Raises NotConfined if it ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # after the call: one that ended before it would never be noticed
        raise NotConfined("The engine that started this process is gone.")


def named(name: str) -> None:
    """Have the process list show this name, 15 letters at most."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0)


def confine(user: User | None, limits: Mapping[int, int] = MappingProxyType({})) -> None:
    """Give up every privilege for good. `user`: whom to become, None: stay. `limits`: resource -> limit, soft and hard.

    The signal at the parent's end is to be set anew behind this: a change of user takes it away. Raises NotConfined.
    """
    os.umask(0o077)
    for which, limit in limits.items():
        _, hard = resource.getrlimit(which)
        most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(which, (most, most))
    try:
        if sys.platform == "linux":
            _drop_bounding_set()
        if user is not None:
            os.setgroups([])
            os.setresgid(user.gid, user.gid, user.gid)
            os.setresuid(user.uid, user.uid, user.uid)
        if sys.platform == "linux":
            _drop_capabilities()
    except OSError as error:
        raise NotConfined(f"Privileges cannot be given up: {error.strerror}.") from error
    _require_none(user)


def _drop_bounding_set() -> None:
    """Have no program give capabilities back. Without CAP_SETPCAP it cannot be done, and no_new_privs does as well."""
    for capability in range(_CAPABILITIES):
        with suppress(OSError):
            _prctl(_PR_CAPBSET_DROP, capability)


def _drop_capabilities() -> None:
    with suppress(OSError):  # kernels before 4.3 have no ambient capabilities
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPSET_VERSION_3, 0))
    nothing = ctypes.create_string_buffer(struct.pack("6I", 0, 0, 0, 0, 0, 0))
    if _libc().capset(header, nothing) != 0:
        _fail()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _require_none(user: User | None) -> None:
    """Look at what is left, rather than believe. Raises NotConfined."""
    if 0 in os.getresuid():
        raise NotConfined("The checks of the real servers are never made as root.")
    if user is not None and (os.getresgid() != (user.gid,) * 3 or os.getgroups()):
        raise NotConfined("Rights of other groups are left.")
    if sys.platform != "linux":
        return
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        if told.get(name, _NONE).strip() != _NONE:
            raise NotConfined(f"Capabilities are left ({name} {told[name].strip()}).")
    if told.get("NoNewPrivs", "1").strip() != "1":
        raise NotConfined("Programs could still give privileges.")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(*words: int) -> None:
    if sys.platform == "linux" and _libc().prctl(
        *(ctypes.c_ulong(word) for word in (*words, *(0,) * (5 - len(words))))
    ):
        _fail()


def _fail() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))

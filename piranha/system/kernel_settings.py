"""The kernel's settings below /proc/sys: read, and set one by one. Which value is right is `ipvs.settings`' business.

They are those of the network namespace of the thread that looks.
"""

import os
from pathlib import Path
from types import MappingProxyType

from piranha.errors import PiranhaError
from piranha.ipvs.settings import NAMES, KernelSettings

PROC_SYS = Path("/proc/sys")
DEVICES_MAX = 1000
"""Devices that are looked at; a router with more of them has most of them for its guests."""

_OF_NO_DEVICE = frozenset({"all", "default"})
_BYTES_MAX = 256


class SettingRefused(PiranhaError):
    """The kernel did not take a setting. Nothing is changed."""


def read(proc_sys: Path = PROC_SYS) -> KernelSettings:
    """Return the settings that matter; what cannot be read is None. It never raises."""
    values = {name: value(name, proc_sys) for name in NAMES}
    folder = proc_sys / "net/ipv4/conf"
    try:
        # A device's name may have dots in it (eth0.100), so it is no part of a setting's dotted name here.
        devices = sorted(each.name for each in folder.iterdir() if each.name not in _OF_NO_DEVICE)[:DEVICES_MAX]
    except OSError:
        devices = []
    told = {device: _text(folder / device / "rp_filter") for device in devices}
    return KernelSettings(
        MappingProxyType(values),
        MappingProxyType({device: text for device, text in told.items() if text is not None}),
    )


def value(name: str, proc_sys: Path = PROC_SYS) -> str | None:
    """Return one setting by its dotted name, `net.ipv4.ip_forward`; None if it is not there."""
    return _text(_path(name, proc_sys))


def write(name: str, text: str, proc_sys: Path = PROC_SYS) -> None:
    """Set one setting. Raises SettingRefused with what to do."""
    try:
        file = os.open(_path(name, proc_sys), os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SettingRefused(f"{name} was not set to {text}: this kernel has no such setting.") from None
    except OSError as error:
        raise SettingRefused(_refused(name, text, error)) from None
    try:
        os.write(file, text.encode("ascii", "replace") + b"\n")
    except OSError as error:
        raise SettingRefused(_refused(name, text, error)) from None
    finally:
        os.close(file)


def _refused(name: str, text: str, error: OSError) -> str:
    return f"{name} was not set to {text}: {error.strerror}. Type as root: sysctl -w {name}={text}"


def _path(name: str, proc_sys: Path) -> Path:
    return proc_sys.joinpath(*name.split("."))


def _text(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_BYTES_MAX).decode("ascii", "replace").strip()
    except OSError:
        return None

"""Which boot of the machine this is, and clocks for the edges that need one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


def boot_id() -> str:
    """Return the kernel's id of this boot; "" where the system has none (then no two boots can be told apart)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def monotonic() -> float:
    """Return monotonic seconds: the only time that is computed with."""
    return time.monotonic()


def boottime() -> float:
    """Return the seconds since this boot, those that the machine slept through too: comparable over our restarts."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass(frozen=True, slots=True)
class BootClock:
    """Which boot this is, and the seconds since it began; tests bring their own."""

    boot_id: Callable[[], str] = boot_id
    now: Callable[[], float] = boottime


def wall() -> str:
    """Return the time of day, ISO 8601 with its offset: for logs, history and pages."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")


def wall_exactly() -> str:
    """Return the time of day as `wall`, with milliseconds."""
    return datetime.now(UTC).astimezone().isoformat(timespec="milliseconds")


def wall_at(moment: float) -> str:
    """Return the time of day of a monotonic moment."""
    return (
        datetime.fromtimestamp(time.time() - (time.monotonic() - moment), UTC)
        .astimezone()
        .isoformat(timespec="seconds")
    )


def wall_of(seconds: float) -> str:
    """Return the time of day of a file's time (seconds since 1970), of now if that is beyond any calendar."""
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return wall()


def local_now() -> datetime:
    """Return the time of day with its offset."""
    return datetime.now(UTC).astimezone()

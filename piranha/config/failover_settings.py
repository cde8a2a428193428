"""The table [failover] of piranha.toml: what lvs.cf has no keyword for. Both routers have the same."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from piranha.config.faults import Severity
from piranha.config.toml_text import TomlText
from piranha.config.toml_values import Key, one_of, seconds

LEAST_S = 0.05
MOST_S = 3600.0


@dataclass(frozen=True, slots=True)
class FailoverSettings:
    """The table [failover]. Times in seconds.

    `keepalive_s`, `deadtime_s`: None where lvs.cf's hold. `partner`: "original" if the partner is an original router.
    `failback_after_s`: how long a primary that returned is ready and in sync before it gets the addresses back.
    """

    keepalive_s: float | None = None
    deadtime_s: float | None = None
    partner: Literal["auto", "original"] = "auto"
    failback: Literal["auto", "never"] = "auto"
    failback_after_s: float = 30.0

    def times(self, keepalive_s: float, deadtime_s: float) -> tuple[float, float]:
        """Return the keepalive and deadtime that hold, where lvs.cf has these."""
        return (
            keepalive_s if self.keepalive_s is None else self.keepalive_s,
            deadtime_s if self.deadtime_s is None else self.deadtime_s,
        )


FAILOVER_KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "keepalive": Key("keepalive_s", seconds(LEAST_S, MOST_S)),
        "deadtime": Key("deadtime_s", seconds(LEAST_S, MOST_S)),
        "partner": Key("partner", one_of("auto", "original")),
        "failback": Key("failback", one_of("auto", "never")),
        "failback_after": Key("failback_after_s", seconds(0, MOST_S)),
    }
)
"""Every key of [failover]."""


def read_failover(
    text: TomlText, tables: Mapping[str, Any], beside: tuple[float, float] | None = None
) -> FailoverSettings:
    """Return what [failover] says; its faults are noted in `text`. `beside`: keepalive and deadtime of lvs.cf."""
    settings = FailoverSettings(**text.settings(tables, "failover", FAILOVER_KEYS))
    written = [key for key in ("deadtime", "keepalive") if getattr(settings, f"{key}_s") is not None]
    if not written or (len(written) < 2 and beside is None):
        return settings
    keepalive_s, deadtime_s = settings.times(*(beside or (0.0, 0.0)))
    if deadtime_s >= 2 * keepalive_s:
        return settings
    if deadtime_s > keepalive_s:
        severity, which = Severity.WARNING, "less than twice"
        says = "one lost heartbeat is a failover."
    else:
        severity, which = Severity.ERROR, "not longer than"
        says = "the partner would be dead before its next heartbeat."
        if len(written) == 2:
            settings = replace(settings, keepalive_s=None, deadtime_s=None)
    origin = (
        "" if len(written) == 2 else f" ({'keepalive' if written == ['deadtime'] else 'deadtime'} is that of lvs.cf)"
    )
    message = f"deadtime ({deadtime_s:g}) is {which} keepalive ({keepalive_s:g}){origin}: {says}"
    word = f"{deadtime_s if written[0] == 'deadtime' else keepalive_s:g}"
    advice = "Make deadtime at least twice keepalive."
    text.note(severity, "short-deadtime", "failover", written[0], word, message, advice)
    return settings

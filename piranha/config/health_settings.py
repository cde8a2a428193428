"""The tables [checks] and [weights] of piranha.toml: what the checks and weights do that lvs.cf has no keyword for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from piranha.config.check_kinds import CheckKind, read_kinds
from piranha.config.model import VirtualServer
from piranha.config.toml_text import TomlText
from piranha.config.toml_values import Key, one_of, whole

IN_ROW_MOST = 1000
WORKERS_MOST = 256
SLOW_STARTS = ("off", "quiesce", "on", "original")
LOAD_FORMULAS = ("bounded", "original")


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """The table [checks].

    `rise`: how many good checks in a row bring a failed real server back, 0: as many as `reentry` of lvs.cf says.
    `fall`: how many bad ones in a row take one out. `workers`: how many processes make the checks at most, 0: the
    engine's own; None: one for each processor, and never one more than is worth it. `kinds`: the checks of other kinds,
    by the names of the virtual servers (`check_kinds.name_of`).
    """

    rise: int = 0
    fall: int = 1
    workers: int | None = None
    kinds: Mapping[str, CheckKind] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WeightSettings:
    """The table [weights]. `slow_start` is one of SLOW_STARTS, `load_formula` one of LOAD_FORMULAS (health.tuning)."""

    slow_start: str = "quiesce"
    load_formula: str = "bounded"


CHECK_KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "rise": Key("rise", whole(0, IN_ROW_MOST)),
        "fall": Key("fall", whole(1, IN_ROW_MOST)),
        "workers": Key("workers", whole(0, WORKERS_MOST)),
        "virtual": Key("kinds", lambda told: told),
    }
)
"""Every key of [checks]."""

WEIGHT_KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "slow_start": Key("slow_start", one_of(*SLOW_STARTS)),
        "load_formula": Key("load_formula", one_of(*LOAD_FORMULAS)),
    }
)
"""Every key of [weights]."""


def read_checks(
    text: TomlText, tables: Mapping[str, Any], virtuals: Sequence[VirtualServer] | None = None
) -> CheckSettings:
    """Return what [checks] says; its faults are noted in `text`. `virtuals`: as in `read_kinds`."""
    settings = text.settings(tables, "checks", CHECK_KEYS)
    if "kinds" in settings:
        settings["kinds"] = read_kinds(text, settings["kinds"], virtuals)
    return CheckSettings(**settings)


def read_weights(text: TomlText, tables: Mapping[str, Any]) -> WeightSettings:
    """Return what [weights] says; its faults are noted in `text`."""
    return WeightSettings(**text.settings(tables, "weights", WEIGHT_KEYS))

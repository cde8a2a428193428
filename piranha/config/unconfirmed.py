"""An Apply that waits for its confirmation: whether it goes on waiting, or what ran before comes back.

Rule 1: unconfirmed means back. Whatever is not known (another boot, a boot that cannot be told, a deadline that makes
        no sense) counts as not confirmed; so do an operator's stop, and an engine that died while it switched.
Rule 2: a record of something else than what runs says nothing: that Apply never came to run, or it was reverted.
"""

from dataclasses import dataclass
from enum import Enum

from piranha.config.load import token_of


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """An Apply that waits, as it is kept on the disk before anything is switched.

    `deadline` is in seconds since the boot `boot_id`, None while the switch is under way: it counts from its end.
    `token` and `serial_no` are of the applied text; `before` is what ran, None if nothing did. `who` applied it, from
    where; `applied_at` is the time of day.
    """

    boot_id: str
    deadline: float | None
    confirm_s: int
    token: str
    serial_no: int | None
    before: bytes | None
    before_serial_no: int | None
    who: str
    from_address: str
    applied_at: str

    @property
    def before_token(self) -> str:
        """Return the token of what ran, "" for nothing."""
        return "" if self.before is None else token_of(self.before)


class Fate(Enum):
    """What becomes of an Apply that waits."""

    NONE = "there is none"
    FORGET = "it is not what runs: there is nothing to go back from"
    WAIT = "it goes on waiting"
    REVERT = "what ran before runs again"


def fate(
    kept: Unconfirmed | None, running_token: str | None, boot_id: str, now: float, *, was_stopped: bool = False
) -> Fate:
    """Return what becomes of the Apply that is kept.

    `running_token`: of what was applied last, "" for nothing, None where nobody can tell. `now`: seconds since the boot
    `boot_id`. `was_stopped`: an operator stopped the engine meanwhile.
    """
    if kept is None:
        return Fate.NONE
    if running_token is not None and running_token != kept.token:
        return Fate.FORGET
    is_known = bool(boot_id) and kept.boot_id == boot_id and running_token is not None
    if not is_known or was_stopped or kept.deadline is None:
        return Fate.REVERT
    return Fate.WAIT if 0.0 < kept.deadline - now <= kept.confirm_s else Fate.REVERT


def remaining_s(kept: Unconfirmed, now: float) -> float:
    """Return how many seconds are left for the confirmation; all of them while the switch is under way."""
    return float(kept.confirm_s) if kept.deadline is None else max(0.0, kept.deadline - now)

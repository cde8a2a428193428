"""What failover needs to know of lvs.cf and piranha.toml, and the times that follow from it. All times in seconds."""

from dataclasses import dataclass
from enum import StrEnum

from piranha.ha.states import Role


class Failback(StrEnum):
    """Whether an active backup gives the addresses back to a primary that returned."""

    AUTO = "auto"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Settings:
    """One router's settings.

    `keepalive_s`: between two heartbeats; `deadtime_s`: how long a partner may be silent. `is_alone`: `backup_active`
    is 0, there are no heartbeats. `has_key`: there is a shared key, so the partner is a new router.
    `partner_is_original`: `partner = "original"` in piranha.toml. `failback_after_s`: how long a primary must be ready
    and in sync before it gets the addresses back. `retry_first_s`, `retry_most_s`: the pause after a first fault, and
    the longest one; each is twice the one before.
    """

    role: Role
    keepalive_s: float = 2.0
    deadtime_s: float = 5.0
    is_alone: bool = False
    has_private: bool = False
    has_key: bool = False
    monitors_links: bool = False
    partner_is_original: bool = False
    failback: Failback = Failback.AUTO
    failback_after_s: float = 30.0
    retry_first_s: float = 2.0
    retry_most_s: float = 60.0

    def __post_init__(self) -> None:
        """Raise ValueError where the times make no sense."""
        if not 0 < self.keepalive_s < self.deadtime_s:
            raise ValueError(
                f"deadtime ({self.deadtime_s:g} s) must be longer than keepalive ({self.keepalive_s:g} s)."
            )
        if not 0 < self.retry_first_s <= self.retry_most_s or self.failback_after_s < 0:
            raise ValueError("A pause must be longer than 0 s, and the longest one not shorter than the first.")

    @property
    def settling_s(self) -> float:
        """Return how long a router that just started listens before it decides."""
        return self.deadtime_s

    @property
    def offering_every_s(self) -> float:
        """Return the time between two heartbeats while the addresses are offered to the partner."""
        return self.keepalive_s / 4

    def offer_s(self, to_original: bool) -> float:
        """Return how long the addresses are offered. An original says up to keepalive later that it took them."""
        return max(self.deadtime_s, 2 * self.keepalive_s) if to_original else self.keepalive_s

    def hand_over_s(self, to_original: bool) -> float:
        """Return the longest time without owner if the partner dies in a hand-over: the offer, then settling."""
        return self.offer_s(to_original) + self.settling_s

    @property
    def known_after_s(self) -> float:
        """Return after how long in a state a partner that still does not know it cannot hear this router."""
        return self.deadtime_s + self.keepalive_s

    @property
    def link_judged_after_s(self) -> float:
        """Return how long own links must be worse than the partner's: one cable may take down a link of both."""
        return self.keepalive_s / 2

    def pause_s(self, failures: int) -> float:
        """Return the pause after so many failures in a row."""
        return min(self.retry_most_s, self.retry_first_s * 2.0 ** min(failures - 1, 30))

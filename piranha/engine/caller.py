"""On whose behalf something is done: for the log and the history."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A user and the address they come from; "" where nobody knows."""

    user: str = ""
    address: str = ""

    def __str__(self) -> str:
        return f"{self.user or 'somebody'}{f' from {self.address}' if self.address else ''}"

"""On whose behalf something is done: for the log, the history and the audit."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A user and the address they come from; "" where nobody knows. `uid` is the calling process's, if one called."""

    user: str = ""
    address: str = ""
    uid: int | None = None

    def __str__(self) -> str:
        return f"{self.user or 'somebody'}{f' from {self.address}' if self.address else ''}"

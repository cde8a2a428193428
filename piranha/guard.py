"""The one place in the engine where a fault of ours ends: it costs one turn, never the balancer."""

import logging
from types import TracebackType
from typing import Self

log = logging.getLogger("lvs")


class Turn:
    """One turn of something that must go on: `with Turn("The check of web1"): ...`.

    Whatever goes wrong inside is logged with its trace, and the program goes on behind the `with`; `has_failed` says
    so there. What the caller expects (PiranhaError and its children) it catches inside. Being cancelled passes.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.has_failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.has_failed = isinstance(error, Exception)
        if self.has_failed:
            log.error("%s failed by a fault of the engine; the engine goes on.", self.what, exc_info=error)
        return self.has_failed

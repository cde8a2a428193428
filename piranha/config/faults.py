"""A fault is a value: where it is, what is wrong, what to do. All faults of a file are told at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a fault is.

    ERROR: cannot be run safely. WARNING: runs, but probably not as meant. NOTE: worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of lvs.cf.

    `line` and `column` are 1-based places in the text (0: the file as a whole). `path` is the written path of the
    block (`virtual[http].server[web1]`, "" for the global scope), `keyword` the keyword concerned or "".
    `stops_apply`: an error in an active block or in a global setting that is in force, so that Apply refuses.
    """

    severity: Severity
    code: str
    line: int
    column: int
    path: str
    keyword: str
    text: str
    message: str
    advice: str
    stops_apply: bool = False

    def located(self, file: str) -> str:
        """Return the one-line form, `file:line:column: severity: message advice`."""
        advice = f" {self.advice}" if self.advice else ""
        return f"{file}:{self.line}:{self.column}: {self.severity}: {self.message}{advice}"


def in_file_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return the faults by place, errors before warnings at the same place."""
    rank = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
    return tuple(sorted(faults, key=lambda fault: (fault.line, fault.column, rank[fault.severity])))

"""What a kind of fault is: a row of the table in `fault_kinds`."""

from collections.abc import Iterator
from dataclasses import dataclass

from piranha.config.faults import Severity


@dataclass(frozen=True, slots=True)
class Case:
    """A severity that a kind of fault can have. `when`: under which circumstances, "" if always.

    `example` is an lvs.cf that has the fault with this severity; None where only the machine knows.
    """

    severity: Severity
    when: str
    example: str | None


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault: its code, what is wrong in general, what to do, and its severities, the worst first."""

    code: str
    wrong: str
    advice: str
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class FaultGroup:
    """Kinds of faults that belong together, under a title."""

    title: str
    kinds: tuple[FaultKind, ...]

    def __iter__(self) -> Iterator[FaultKind]:
        return iter(self.kinds)


def kind(code: str, wrong: str, advice: str, *cases: Case) -> FaultKind:
    """Return a row."""
    return FaultKind(code, wrong, advice, cases)


def error(example: str | None, when: str = "") -> Case:
    """Return the case of an error."""
    return Case(Severity.ERROR, when, example)


def warning(example: str | None, when: str = "") -> Case:
    """Return the case of a warning."""
    return Case(Severity.WARNING, when, example)


def note(example: str | None, when: str = "") -> Case:
    """Return the case of a note."""
    return Case(Severity.NOTE, when, example)

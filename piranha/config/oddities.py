"""What is odd about a line, before anybody knows in which block it stands and whether that block is in force."""

from dataclasses import dataclass

from piranha.config.faults import Severity

REFUSED = "The original Piranha refuses the file for it."


@dataclass(frozen=True, slots=True)
class Oddity:
    """A fault of shape, with its place in the text (1-based).

    `is_of_shape`: an error that leaves in doubt which block the lines around belong to, so that nobody can say what of
    it is in force.
    """

    severity: Severity
    code: str
    line: int
    column: int
    text: str
    message: str
    advice: str
    is_of_shape: bool = False


class Notes:
    """The oddities of one line, collected while it is read."""

    __slots__ = ("_line", "_noted")

    def __init__(self, line: int) -> None:
        self._line = line
        self._noted: list[Oddity] = []

    def warn(self, code: str, column: int, text: str, message: str, advice: str) -> None:
        """Note what can be understood all the same."""
        self._noted.append(Oddity(Severity.WARNING, code, self._line, column, text, message, advice))

    def fail(self, code: str, column: int, text: str, message: str, advice: str, *, is_of_shape: bool = False) -> None:
        """Note what cannot be understood."""
        self._noted.append(Oddity(Severity.ERROR, code, self._line, column, text, message, advice, is_of_shape))

    @property
    def noted(self) -> tuple[Oddity, ...]:
        """Return all that was noted, in order."""
        return tuple(self._noted)

"""An old text of lvs.cf as the next one: the same but for `serial_no`, which never goes back."""

from piranha.config.document import Document
from piranha.config.editing import apply_edits, next_serial
from piranha.config.edits import SetValues


def rolled_back(kept: Document, present: Document | None, serial_floor: int | None = None) -> Document | None:
    """Return the kept text with the next `serial_no`; None if `present` says the same but for that number.

    The number is one more than the greatest of `present`'s (None: there is no lvs.cf), the kept text's own and
    `serial_floor`. Raises EditRefused where the kept text takes no serial number.
    """
    if present is not None and _without_serial(kept) == _without_serial(present):
        return None
    numbers = [int(next_serial(document)) for document in (kept, present) if document is not None]
    if serial_floor is not None:
        numbers.append(serial_floor + 1)
    return apply_edits(kept, [SetValues(path="", values={"serial_no": str(max(numbers))})])


def _without_serial(document: Document) -> str:
    pieces = []
    place = 0
    for line in document.root.values.get("serial_no", ()):
        pieces.append(document.plain[place : line.start])
        place = line.end
    pieces.append(document.plain[place:])
    return "".join(pieces)

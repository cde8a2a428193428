"""What a save changes besides the edits themselves, in sentences for the person who saves."""

from collections.abc import Iterable

from piranha.config.canonical import canonical_text
from piranha.config.document import Document
from piranha.config.edits import Edit, MakeCanonical
from piranha.errors import EditRefused


def side_effects(raw: bytes, document: Document, edits: Iterable[Edit]) -> tuple[str, ...]:
    """Say what goes with the first edit of a file (byte-order mark, carriage returns) and with its canonical form.

    `raw` and `document` are the file before the edits.
    """
    said = []
    if raw.startswith(b"\xef\xbb\xbf"):
        said.append("The byte-order mark at the start of the file was removed: the old daemons do not read past it.")
    if b"\r" in raw:
        said.append("Carriage returns were replaced by plain line ends: the old daemons lose lines at them.")
    if any(isinstance(edit, MakeCanonical) for edit in edits):
        try:
            said += [f"Not in the canonical form: {lost}" for lost in canonical_text(document).lost]
        except EditRefused:  # only an edit before it made it possible; the diff shows what went
            pass
    return tuple(said)

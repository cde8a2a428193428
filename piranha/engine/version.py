"""One text of lvs.cf with its identity: the SHA-256 of its bytes, never its serial number."""

from dataclasses import dataclass

from piranha.config.document import Document
from piranha.config.load import Loaded, decode, encode, encoding_of, load, token_of, understood
from piranha.engine import memory


@dataclass(frozen=True, slots=True)
class Version:
    """A text with its identity, read and understood once."""

    raw: bytes
    token: str
    loaded: Loaded

    @property
    def serial_no(self) -> int | None:
        """Return the serial number, None where the file has none."""
        return self.loaded.cluster.serial_no if self.loaded.document.get((), "serial_no") is not None else None

    @property
    def document(self) -> Document:
        """Return the text to edit."""
        return self.loaded.document


def version_of(raw: bytes) -> Version:
    """Return the version that these bytes are."""
    return _kept(Version(raw, token_of(raw), load(decode(raw), encoding_of(raw))))


def edited_version(document: Document, encoding: str) -> Version:
    """Return the version that an edited document is; what was parsed of it is not parsed again.

    Raises EditRefused if the encoding has no byte for a character.
    """
    raw = encode(document.text, encoding)
    if encoding_of(raw) != encoding:
        # The last line that was not UTF-8 went: whoever reads these bytes now reads them as UTF-8.
        return version_of(raw)
    return _kept(Version(raw, token_of(raw), understood(document)))


def _kept(version: Version) -> Version:
    memory.keep(len(version.raw))
    return version

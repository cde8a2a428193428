"""Bytes -> text -> document, cluster and faults; leniently, or strictly as the original daemons read."""

import hashlib
from dataclasses import dataclass

from piranha.config.bind import cluster_of
from piranha.config.collecting import collector_paused
from piranha.config.document import Document
from piranha.config.faults import Fault
from piranha.config.model import Cluster
from piranha.config.rules import faults_of
from piranha.config.strict import check
from piranha.errors import EditRefused


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a text says: the document to edit, the cluster to run, everything that is wrong with it."""

    document: Document
    cluster: Cluster
    faults: tuple[Fault, ...]


def load(text: str, encoding: str = "utf-8") -> Loaded:
    """Read a text leniently: everything the daemons or the old GUI read, with a fault for each deviation.

    `encoding` is how the file's bytes became the text (`encoding_of`).
    """
    return understood(Document(text, encoding))


def understood(document: Document) -> Loaded:
    """Return what a document says; one that an edit made is not parsed once more."""
    with collector_paused():
        cluster = cluster_of(document)
        return Loaded(document, cluster, faults_of(document, cluster))


def strict(text: str, encoding: str = "utf-8") -> Loaded:
    """Read a text as the original daemons did. Raises ConfigSyntaxError at their first error."""
    check(text)
    return load(text, encoding)


def encoding_of(raw: bytes) -> str:
    """Return how the bytes of a file become text: "utf-8", or "latin-1" if they are not UTF-8."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def decode(raw: bytes) -> str:
    """Return the text of a file. Nothing is lost: a file that is not UTF-8 has a character for every byte."""
    return raw.decode(encoding_of(raw))


def encode(text: str, encoding: str = "utf-8") -> bytes:
    """Return the bytes of a text; the other way round of `decode`.

    Raises EditRefused if the encoding of an old file has no byte for a character that somebody wrote.
    """
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        character = text[error.start]
        sentence = (
            f'The character "{character}" cannot be written: the file is encoded as {encoding}.'
            if character.isprintable()
            else f"The character U+{ord(character):04X} cannot be written as {encoding}."
        )
        raise EditRefused("", "", sentence) from error


def token_of(raw: bytes) -> str:
    """Return the identity of a version: the SHA-256 of its bytes, in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()

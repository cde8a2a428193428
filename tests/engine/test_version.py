"""A text and its identity."""

from piranha.config.document import Document
from piranha.config.load import token_of
from piranha.engine.version import edited_version, version_of


def test_a_version_is_known_by_its_bytes_and_has_a_serial_number_only_if_the_file_has():
    version = version_of(b"serial_no = 7\n")
    assert (version.token, version.serial_no) == (token_of(b"serial_no = 7\n"), 7)
    assert version_of(b"keepalive = 6\n").serial_no is None


def test_an_edited_document_is_not_read_once_more():
    document = Document("keepalive = 6\n")
    assert edited_version(document, "utf-8").document is document


def test_bytes_that_are_utf8_again_are_read_as_such():
    document = Document("# M\u00c3\u00bchle\n")  # UTF-8 that was read as Latin-1, because of a line that is gone now
    version = edited_version(document, "latin-1")
    assert version.raw == "# Mühle\n".encode() and version.document.text == "# Mühle\n"

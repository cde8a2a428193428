"""Texts marked for translation."""

from flask_babel import gettext


def _(text: str, **values: object) -> str:
    """Return the text in the reader's language, with `%(name)s` filled in."""
    return str(gettext(text, **values))


def in_words(text: str) -> str:
    """Return a text of the field table in the reader's language; `table_texts` says which texts those are."""
    return _(text) if text else ""

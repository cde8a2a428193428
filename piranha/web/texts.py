"""Texts marked for translation."""

from flask_babel import gettext


def _(text: str, **values: object) -> str:
    """Return the text in the reader's language, with `%(name)s` filled in."""
    return str(gettext(text, **values))

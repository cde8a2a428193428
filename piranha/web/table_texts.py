"""The texts of other rooms that pages show, marked for translation here and nowhere else: field table and pair.

Those rooms know no pages. `forms.Control` and `pair.said` translate what they show; here pybabel learns which texts
those are.
"""

from collections.abc import Iterator
from typing import BinaryIO

from piranha.pair_texts import Text
from piranha.web.panels import (
    GLOBAL_CONTROLS,
    REAL_CONTROLS,
    REDUNDANCY_CONTROLS,
    SCRIPT_CONTROLS,
    VIRTUAL_CONTROLS,
)


def texts() -> list[str]:
    """Return labels, help, notes and choices of all controls, and the sentences about the pair, each once."""
    found: dict[str, None] = dict.fromkeys(str(each) for each in Text)
    for controls in (GLOBAL_CONTROLS, REDUNDANCY_CONTROLS, VIRTUAL_CONTROLS, REAL_CONTROLS, SCRIPT_CONTROLS):
        for control in controls:
            shown = [control.plain_label, control.plain_help, control.plain_note]
            for choice in control.plain_choices:
                shown += [choice.label if choice.label != choice.value else "", choice.help]
            # A code, and what has no letter, is the same in every language.
            found |= dict.fromkeys(text for text in shown if any(letter.isalpha() for letter in text))
    return list(found)


def extract(
    fileobj: BinaryIO, keywords: object, comment_tags: object, options: object
) -> Iterator[tuple[int, None, str, list[str]]]:
    """Yield every text as pybabel wants it of an extractor: line, function, text, comments. The file tells nothing."""
    del fileobj, keywords, comment_tags, options
    for text in texts():
        yield 1, None, text, []

"""The first line of a block -> its name, and the brace that ends it, with all that is odd about them."""

import re

from piranha.config.blocks import Header
from piranha.config.oddities import REFUSED, Notes, Oddity
from piranha.config.values import shown
from piranha.config.words import BadQuoting, words_of

_KIND = re.compile(r"[ \t]*(virtual|failover|server)")


def header_of(text: str, start: int, number: int) -> Header:
    """Return the header that begins at an offset and line; `text` is one line, or several up to the one with the {."""
    line = text.partition("\n")[0]
    kind = _KIND.match(line)
    assert kind is not None  # the grammar saw it
    header = Header(start, start + len(text), number, kind.start(1) + 1)
    notes = Notes(number)
    brace = line.rfind("{")
    before = line if brace < 0 else line[:brace]
    rest = "" if brace < 0 else line[brace + 1 :].strip(" \t")
    _read_name(header, before, kind.end(), notes)
    if brace < 0:
        message = "The { stands on a later line."
        notes.warn("brace-on-next-line", len(line) + 1, "", message, f"Put it behind the name. {REFUSED}")
    elif not before.endswith((" ", "\t")):
        advice = f"Write a blank before it. {REFUSED}"
        notes.warn("missing-blanks", brace + 1, "{", "There must be a blank before the {.", advice)
    if rest.startswith("#"):
        advice = f"Put it on a line of its own. {REFUSED}"
        notes.warn("trailing-comment", brace + 2, rest, "A comment cannot follow the {.", advice)
    elif rest:
        header.is_bad = True
        message = f'What follows the {{ is lost: "{shown(rest)}".'
        notes.fail("extra-words", brace + 2, rest, message, "Put it on a line of its own.")
    header.oddities = notes.noted
    return header


def _read_name(header: Header, before: str, kind_end: int, notes: Notes) -> None:
    """Take the name from between the kind and the brace."""
    raw = before[kind_end:].strip(" \t")
    begin = before.index(raw, kind_end) if raw else len(before)
    header.name = raw
    header.name_start, header.name_end = header.start + begin, header.start + begin + len(raw)
    words = words_of(before.rstrip(" \t"), kind_end)
    if isinstance(words, BadQuoting):
        header.is_bad = True
        message = "A quote is opened here and never closed."
        notes.fail("bad-quoting", words.start + 1, raw, message, "Write a name of one word, without quotes.")
    elif not words:
        header.is_bad = True
        notes.fail("missing-name", kind_end + 1, "", "The block has no name.", "Write one short word before the {.")
    elif len(words) > 1:
        header.is_bad = True
        message = f'The name has more than one word: "{shown(raw)}".'
        notes.fail("extra-words", words[1].start + 1, raw, message, "Write one word; _ may stand for a blank.")
    else:
        header.name = words[0].text
        if words[0].quote:
            message = "Old programs do not understand a name in quotes."
            notes.warn("quoted-name", begin + 1, raw, message, "Write one word, without quotes.")


def closing_oddities(text: str, number: int, *, is_surplus: bool) -> tuple[Oddity, ...]:
    """Return what is odd about a line that begins with }. Whatever follows the brace means nothing."""
    notes = Notes(number)
    column = text.index("}") + 1
    rest = text[column:].strip(" \t\n")
    if is_surplus:
        notes.warn("surplus-brace", column, "}", "This } closes nothing.", f"Remove it. {REFUSED}")
    if rest.endswith("{"):
        message = f'What follows the }} is ignored, so a block is lost here: "{shown(rest)}".'
        notes.fail("lost-block", column + 1, rest, message, "Put it on a line of its own.")
    elif rest and not rest.startswith("#"):
        message = f'What follows the }} is ignored: "{shown(rest)}".'
        notes.warn("text-after-brace", column + 1, rest, message, "Put it on a line of its own, or remove it.")
    return notes.noted

"""The first line of a block -> its name, and the brace that ends it, with all that is odd about them."""

import re

from piranha.config.blocks import Header
from piranha.config.oddities import REFUSED, Notes, Oddity
from piranha.config.values import shown
from piranha.config.words import BadQuoting, words_of

_KIND = re.compile(r"[ \t]*(virtual|failover|server)")
_PLAIN_HEADER = re.compile(r"""([ \t]*)(?:virtual|failover|server)[ \t]+([^ \t"'{}#\n]+)[ \t]+\{\n?""")
_BRACE = re.compile(r"\{[ \t]*(?=#|\Z)")
_WORDS_OF_A_HEADER = 3


def header_of(text: str, start: int, number: int) -> Header:
    """Return the header that begins at an offset and line; `text` is one line, or several up to the one with the {."""
    plain = _PLAIN_HEADER.fullmatch(text)
    if plain is not None:
        header = Header(start, start + len(text), number, plain.end(1) + 1)
        header.name = plain[2]
        header.name_start, header.name_end = start + plain.start(2), start + plain.end(2)
        return header
    line = text.partition("\n")[0]
    kind = _KIND.match(line)
    assert kind is not None  # the grammar saw it
    header = Header(start, start + len(text), number, kind.start(1) + 1)
    notes = Notes(number)
    brace, behind = _brace_of(line)
    before = line if brace < 0 else line[:brace]
    rest = line[behind:].strip(" \t")
    _read_name(header, before, kind.end(), notes)
    if 0 <= brace < behind - 1:
        notes.warn("quoted-brace", brace + 1, line[brace:behind], "The { needs no quotes.", "Remove them.")
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
        notes.fail("extra-words", brace + 2, rest, message, "Put it on a line of its own.", is_of_shape=True)
    header.oddities = notes.noted
    return header


def _brace_of(line: str) -> tuple[int, int]:
    """Return where the { that begins the block stands, and where it ends: (-1, end of the line) if there is none.

    It is the third of three words, as for the originals; else the first one with nothing but a comment behind it; else
    the last one, and what stands behind it is lost.
    """
    words = words_of(line, is_strict=True)
    if not isinstance(words, BadQuoting) and len(words) == _WORDS_OF_A_HEADER and words[2].text == "{":
        return words[2].start, words[2].end
    found = _BRACE.search(line)
    brace = line.rfind("{") if found is None else found.start()
    return (brace, brace + 1) if brace >= 0 else (-1, len(line))


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
    elif len(words) > 1 and words[0].text == "=":
        header.is_bad = True
        header.name = raw[1:].strip(" \t")
        kind = before[:kind_end].strip(" \t")
        message = f'A block begins without any =: "{shown(raw)}".'
        notes.fail("bad-header", begin + 1, raw, message, f"Write {kind} {shown(header.name)} {{.", is_of_shape=True)
    elif len(words) > 1:
        header.is_bad = True
        message = f'The name has more than one word: "{shown(raw)}".'
        advice = "Write one word; _ may stand for a blank."
        notes.fail("extra-words", words[1].start + 1, raw, message, advice, is_of_shape="{" in raw)
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
    if text[column - 2 : column - 1] in ('"', "'"):
        notes.warn("quoted-brace", column - 1, text.strip(" \t\n"), "The } needs no quotes.", "Remove them.")
        rest = ""
    if is_surplus:
        notes.warn("surplus-brace", column, "}", "This } closes nothing.", f"Remove it. {REFUSED}")
    if rest.endswith("{"):
        message = f'What follows the }} is ignored, so a block is lost here: "{shown(rest)}".'
        notes.fail("lost-block", column + 1, rest, message, "Put it on a line of its own.", is_of_shape=True)
    elif rest and not rest.startswith("#"):
        message = f'What follows the }} is ignored: "{shown(rest)}".'
        notes.warn("text-after-brace", column + 1, rest, message, "Put it on a line of its own, or remove it.")
    return notes.noted

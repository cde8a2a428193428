"""One line -> keyword and value, with all that is odd about it.

Nothing is thrown away: a line that cannot be understood keeps its text as its value, to be shown and mended.
"""

import re

from piranha.config.blocks import Statement
from piranha.config.fields import ALIASES, Field, FieldType, Scope, field, scopes_of
from piranha.config.lost_headers import advice_for, is_lost_header, is_lost_setting, opens
from piranha.config.oddities import REFUSED, Notes
from piranha.config.values import blank_advice, shown
from piranha.config.words import MOST_WORDS, BadQuoting, Word, words_of

_PLAIN_LINE = re.compile(
    r"""([ \t]*)([A-Za-z_][A-Za-z0-9_]*)[ \t]+=[ \t]+(?:([^ \t"'\n][^ \t\n]*)[ \t]*|"([^"\n]*)")\n?"""
)
_START_OF_LINE = re.compile(r"[ \t]*(?:([A-Za-z_][A-Za-z0-9_]*)(?=[ \t=]|\Z)([ \t]*=)?|[^ \t]*)")
_GLUED_ON = re.compile(r"[ \t]([a-z_]+)[ \t]+=[ \t]")
_BARE_QUOTE = re.compile(r'(?<!\\)"')
_WORDS_BEFORE_VALUE = 2


def statement_of(text: str, start: int, number: int, scope: Scope) -> Statement:
    """Return a line (with its line end, beginning at an offset) as a statement."""
    found = _PLAIN_LINE.fullmatch(text)
    if found is not None:
        blanks, keyword, bare, quoted = found.groups()
        row = field(scope, keyword)
        if row is not None and row.words == 1 and row.type is not FieldType.LIST:
            statement = Statement(start, start + len(text), number, start + len(blanks), keyword)
            if bare is not None and not (row.is_quoted and '"' in bare):
                statement.value = bare
                statement.value_start, statement.value_end = start + found.start(3), start + found.end(3)
                return statement
            if quoted is not None and row.type in (FieldType.QSTRING, FieldType.STRING):
                statement.value = quoted
                statement.value_start, statement.value_end = start + found.start(4) - 1, start + found.end(4) + 1
                return statement
    return _odd_statement(text, start, number, scope)


def _odd_statement(text: str, start: int, number: int, scope: Scope) -> Statement:
    """Return a line as a statement, whatever it looks like."""
    line = text.removesuffix("\n")
    notes = Notes(number)
    first = len(line) - len(line.lstrip(" \t"))
    found = _START_OF_LINE.match(line)
    assert found is not None  # the expression also matches nothing
    keyword, equals = found.groups()
    behind = found.end()
    statement = Statement(start, start + len(text), number, start + first, keyword or line[first:behind])
    statement.keyword = ALIASES.get((scope, statement.keyword), statement.keyword)
    row = field(scope, statement.keyword)
    is_known = row is not None or bool(scopes_of(statement.keyword))
    is_set = equals is not None or line[behind:].lstrip(" \t").startswith("=")
    if row is None and is_set and is_lost_setting(line, statement.keyword):
        _not_understood(statement, line, is_known, notes)
        statement.oddities = notes.noted
        return statement
    if equals is not None:
        is_glued = equals == "=" or (behind < len(line) and line[behind] not in " \t")
        if is_glued and line[behind:].strip(" \t"):
            advice = f"Write {shown(statement.keyword)} = VALUE. {REFUSED}"
            notes.warn("missing-blanks", behind, "=", "There must be a blank on both sides of the =.", advice)
    elif is_set:
        behind = line.index("=", behind) + 1  # the first word is no keyword by its look, but it is set to something
    elif is_known and line[behind:].strip(" \t") and not opens(line):
        advice = f"Write {statement.keyword} = VALUE. {REFUSED}"
        notes.warn("missing-equals", behind + 1, statement.keyword, "The = is missing.", advice)
    else:
        _not_understood(statement, line, is_known, notes)
        statement.oddities = notes.noted
        return statement
    _read_value(statement, line, behind, row, notes)
    statement.oddities = notes.noted
    return statement


def _not_understood(statement: Statement, line: str, is_known: bool, notes: Notes) -> None:
    word, whole, column = statement.keyword, line.strip(" \t"), statement.column
    statement.is_bad = True
    statement.value_start = statement.value_end = statement.start + len(line.rstrip(" \t"))
    if is_known and not opens(whole):
        notes.fail("missing-value", column, word, f"{word} has no value.", f"Write {word} = VALUE, or remove the line.")
        return
    statement.keyword = statement.written_keyword = ""
    if is_lost_header(whole):
        message = f'This begins no block: "{shown(whole)}".'
        notes.fail("bad-header", column, whole, message, advice_for(whole), is_of_shape=True)
        return
    advice = blank_advice(whole) or "Write KEYWORD = VALUE, or # before a comment."
    message = f'This line is not understood: "{shown(whole)}".'
    notes.fail("not-understood", column, whole, message, advice, is_of_shape=True)


def _read_value(statement: Statement, line: str, behind: int, row: Field | None, notes: Notes) -> None:
    """Take the value from a line, behind the =."""
    stop = len(line.rstrip(" \t"))
    begin = len(line) - len(line[behind:].lstrip(" \t"))
    if begin >= stop:
        statement.value_start = statement.value_end = statement.start + max(behind, stop)
        if row is not None:
            statement.is_bad = True
            message = f"{row.keyword} has no value."
            notes.fail("missing-value", max(behind, stop), "", message, "Write one, or remove the line.")
        return
    raw = line[begin:stop]
    statement.value = raw
    statement.value_start, statement.value_end = statement.start + begin, statement.start + stop
    words = words_of(line, begin, comment_after=1)
    if isinstance(words, BadQuoting):
        statement.is_bad = True
        message = "A quote is opened here and never closed."
        notes.fail("bad-quoting", words.start + 1, line[words.start : stop], message, 'Put the value between " and ".')
    elif row is None:
        statement.value = " ".join(word.text for word in words)
    elif _has_no_value(raw, begin, words, row, notes):
        statement.is_bad = True
    elif len(words) + _WORDS_BEFORE_VALUE > MOST_WORDS:
        statement.is_bad = True
        message = f"There are {len(words) + _WORDS_BEFORE_VALUE} words on the line; {MOST_WORDS} count."
        notes.fail("too-many-words", begin + 1, "", message, "Shorten it.")
    elif row.type is FieldType.LIST:
        _read_list(statement, begin, words, notes)
    else:
        _read_words(statement, raw, begin, words, row, notes)


def _read_list(statement: Statement, begin: int, words: tuple[Word, ...], notes: Notes) -> None:
    texts = [word.text for word in words]
    if texts[0] == "[" and "]" in texts:
        statement.value = " ".join(texts[1 : texts.index("]")])
        return
    statement.is_bad = True
    advice = "Write [ A B C ] with blanks inside the brackets."
    notes.fail("list-expected", begin + 1, statement.value or "", "A list is expected here.", advice)


def _read_words(statement: Statement, raw: str, begin: int, words: tuple[Word, ...], row: Field, notes: Notes) -> None:
    """Take one or two words as the value; `raw` is all that stands behind the =, beginning at index `begin`."""
    count = row.words
    if count > 1 and len(words) > 1 and _is_comment(words[1]):
        count = 1
    kept, rest = words[:count], words[count:]
    if rest and not _is_comment(rest[0]):
        _read_too_many(statement, raw, begin, rest[0], row, notes)
        return
    if rest:
        text = raw[rest[0].start - begin :]
        advice = f"Put it on a line of its own. {REFUSED}"
        if len(words) == row.words:
            advice = f"Put it on a line of its own. The original Piranha takes {shown(rest[0].text)} for the device."
        notes.warn("trailing-comment", rest[0].start + 1, text, "A comment cannot follow a value on its line.", advice)
    statement.value = " ".join(word.text for word in kept)
    statement.value_end = statement.start + kept[-1].end
    for word in kept:
        _note_quotes(word, row, notes)
    if row.is_quoted and not kept[0].quote and kept[0].text.endswith('"'):
        # The original drops one quote at the end of an unquoted text too.
        statement.value = kept[0].text[:-1]
        message = "The quote at the end is dropped."
        notes.warn("stray-quote", kept[0].end, raw, message, 'Put the whole value between " and ".')


def _has_no_value(raw: str, begin: int, words: tuple[Word, ...], row: Field, notes: Notes) -> bool:
    """Say, and note, whether what stands behind the = cannot be a value: a second =, or only a comment."""
    is_text = row.type in (FieldType.QSTRING, FieldType.STRING)
    if _is_comment(words[0]) and (len(words) > 1 or not is_text):
        message = f"{row.keyword} has no value; a comment begins there."
        advice = "Write the value before the #, or put # in front of the line."
        notes.fail("missing-value", begin + 1, raw, message, advice)
    elif raw.startswith("=") and not is_text:
        message = f'There is one = too many: "= {shown(raw)}".'
        notes.fail("extra-words", begin + 1, raw, message, f"Write {row.keyword} = VALUE.")
    else:
        return False
    return True


def _is_comment(word: Word) -> bool:
    return not word.quote and word.text.startswith("#")


def _read_too_many(statement: Statement, raw: str, begin: int, extra: Word, row: Field, notes: Notes) -> None:
    """Read a value with more words than the keyword takes: an old GUI wrote quotes inside of quotes, and cut lines."""
    is_quoted = row.words == 1 and len(raw) > 1 and raw[0] == '"' == raw[-1]
    glued = _GLUED_ON.search(raw) if is_quoted else None
    if glued is not None and scopes_of(glued[1]):
        statement.is_bad = True
        message = f"Two lines are glued together here: {glued[1]} belongs on the next."
        advice = "An old GUI cut long lines so. Write both lines anew."
        notes.fail("glued-lines", begin + glued.start(1) + 1, raw, message, advice, is_of_shape=True)
    elif is_quoted:
        statement.value = raw[1:-1]
        message = f'The quotes inside are read as part of the value: "{shown(raw[1:-1])}".'
        notes.warn(
            "inner-quotes", begin + 1, raw, message, f"Shorten it so that no quotes are needed inside. {REFUSED}"
        )
    else:
        statement.is_bad = True
        takes = "one word" if row.words == 1 else "two words"
        message = f'{row.keyword} takes {takes}; there is more: "{shown(extra.text)}".'
        is_text = row.type in (FieldType.QSTRING, FieldType.STRING)
        advice = 'Put a text with blanks between " and ".' if is_text else f"Write {takes} behind the = and no more."
        notes.fail("extra-words", extra.start + 1, raw, message, advice, is_of_shape=opens(raw))


def _note_quotes(word: Word, row: Field, notes: Notes) -> None:
    if word.is_lenient:
        message = "Something follows the closing quote, if only a blank."
        notes.warn("quote-not-last", word.end + 1, word.text, message, f"Remove it. {REFUSED}")
    if word.quote == "'" and row.is_quoted:
        message = "The original Piranha takes the apostrophes as part of the text."
        notes.warn("single-quotes", word.start + 1, word.text, message, 'Write " instead.')
    elif word.quote and row.type not in (FieldType.QSTRING, FieldType.STRING):
        # An address and its device inside of one pair of quotes are one word for the original, and one is missing.
        advice = f"Remove them. {REFUSED}" if row.words > 1 and " " in word.text else "Remove them."
        notes.warn("quoted-value", word.start + 1, word.text, "This value needs no quotes.", advice)
    elif word.quote == '"' and _BARE_QUOTE.search(word.text):
        message = f'The quotes inside are read as part of the value: "{shown(word.text)}".'
        notes.warn("inner-quotes", word.start + 1, word.text, message, "Remove them.")

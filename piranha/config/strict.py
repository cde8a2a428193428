"""Reading as the original daemons did: the first error ends it, with their error class and line (reference 3.1).

Where they crashed or hung, the nearest error class stands in; carriage returns are line ends here, and bad quoting is
BADQUOTING everywhere (reference 0.4).
"""

from dataclasses import dataclass

from piranha.config.fields import Field, FieldType, Scope, ValueFault, field
from piranha.config.words import BadQuoting, Word, words_of
from piranha.errors import ConfigSyntaxError

_HEADERS = {
    Scope.GLOBAL: {"virtual": Scope.VIRTUAL, "failover": Scope.FAILOVER},
    Scope.VIRTUAL: {"server": Scope.SERVER},
    Scope.FAILOVER: {"server": Scope.SERVER},
    Scope.SERVER: {},
}


@dataclass(frozen=True, slots=True)
class _Place:
    line: int
    column: int

    def error(self, code: str, sentence: str) -> ConfigSyntaxError:
        return ConfigSyntaxError(code, self.line, self.column, sentence)


def check(text: str) -> None:
    """Raise ConfigSyntaxError at the first line that the original parser refuses."""
    if text == "":
        raise ConfigSyntaxError("STAT", 0, 0, "The file is empty.")
    open_scopes = [Scope.GLOBAL]
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        stripped = line.lstrip(" \t")
        if not stripped or stripped.startswith("#"):
            continue
        place = _Place(number, len(line) - len(stripped) + 1)
        if "\0" in line:
            raise place.error("BADCOMMAND", "There is a NUL byte in the line.")
        _read_line(line, place, open_scopes)


def _read_line(line: str, place: _Place, open_scopes: list[Scope]) -> None:
    scope = open_scopes[-1]
    words = words_of(line, is_strict=True)
    before = words.words if isinstance(words, BadQuoting) else words
    if before and before[0].text == "}" and scope is not Scope.GLOBAL:
        open_scopes.pop()  # whatever follows the brace is ignored
        return
    if isinstance(words, BadQuoting):
        raise _Place(place.line, words.start + 1).error("BADQUOTING", "The quoting is wrong.")
    keyword = words[0].text
    inner = _HEADERS[scope].get(keyword)
    if inner is not None:
        _read_header(words, place)
        open_scopes.append(inner)
        return
    row = field(scope, keyword)
    if row is None or row.status.is_refused:
        raise place.error("BADCOMMAND", f'"{keyword}" is no keyword here.')
    _read_assignment(words, row, place)


def _read_header(words: tuple[Word, ...], place: _Place) -> None:
    if len(words) < 3:
        raise place.error("MISSINGARGS", "A block begins with KIND NAME {.")
    if len(words) > 3:
        raise place.error("EXTRAARGS", "A block begins with three words: KIND NAME {.")
    if words[2].text != "{":
        raise place.error("MISSINGARGS", "The third word of a block must be {.")


def _read_assignment(words: tuple[Word, ...], row: Field, place: _Place) -> None:
    if len(words) < 2 or words[1].text != "=":
        raise place.error("EQUALEXPECTED", f"= is expected behind {row.keyword}.")
    values = words[2:]
    if row.type is FieldType.LIST:
        if not values:
            raise place.error("MISSINGARGS", f"{row.keyword} has no value.")
        texts = [word.text for word in values]
        if texts[0] != "[" or "]" not in texts[1:]:
            raise place.error("LISTEXPECTED", "A list is [ A B C ].")
        return
    if len(values) < row.words:
        raise place.error("MISSINGARGS", f"{row.keyword} needs {row.words} word{'s' if row.words > 1 else ''}.")
    if len(values) > row.words:
        raise place.error("EXTRAARGS", f"{row.keyword} takes {row.words} word{'s' if row.words > 1 else ''}.")
    if row.words > 1 and " " in values[0].text.replace("\t", " "):
        raise _Place(place.line, values[0].start + 1).error("BADARGUMENT", "There is a blank in the address.")
    read = row.examine(" ".join(word.text for word in values))
    if read.code:
        sentence = read.message if isinstance(read, ValueFault) else read.warning
        raise _Place(place.line, values[0].start + 1).error(read.code, sentence)

"""Strategies (hypothesis) for lvs.cf: values, whole texts as administrators leave them, texts that make no sense."""

from hypothesis import strategies as st

from piranha.config.document import Document
from piranha.config.edits import AddBlock, Edit, MoveBlock, RemoveBlock, RenameBlock, SetValues
from piranha.config.fields import FIELDS, NETMASKS, Field, FieldType, Scope
from piranha.config.path import BlockPath, written
from piranha.config.values import address_fault

# Letters of several scripts, no control characters; the surrogates would be no text that a file can hold.
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zs", "Zl", "Zp"), exclude_characters='"')
WORDS = st.text(LETTERS, min_size=1, max_size=12)
IPV4 = st.ip_addresses(v=4).filter(lambda address: address_fault(address) is None and int(address) != 0)
IPV6 = st.ip_addresses(v=6).filter(lambda address: address_fault(address) is None)
ADDRESSES = IPV4.map(str)
DEVICES = st.builds("{}:{}".format, st.from_regex(r"[A-Za-z0-9_.@-]{1,15}", fullmatch=True), st.integers(0, 999))
HOST_NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}(\.[a-z][a-z0-9]{0,5}){0,2}", fullmatch=True)
NAMES = st.one_of(
    st.sampled_from(["http", "web1", "[server_name]", "a/b", "a.b", "x=y", "größe", "10.0.0.1:80", "a\\b"]),
    st.text(
        st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="{}<>\"'#"),
        min_size=1,
        max_size=8,
    ),
)
"""Names that a person may give a block."""


def writable(scope: Scope) -> list[Field]:
    """Return the rows of the keywords that can be set in a scope."""
    rows = [row for row in FIELDS if scope in row.scopes]
    return [row for row in rows if not row.status.is_refused and row.type is not FieldType.LIST]


def _texts(row: Field) -> st.SearchStrategy[str]:
    blank = st.just(" ")
    if row.is_quoted:
        escapes = st.sampled_from(["\\r\\n", "\\\\", "\\t"]) if row.takes_escapes else st.just("%h")
        return st.lists(st.one_of(WORDS, blank, escapes), max_size=5).map("".join).map(_safe)
    return st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


def _safe(text: str) -> str:
    """Cut a text to the 255 bytes that may be typed."""
    return text.encode()[:255].decode("utf-8", "ignore")


def values_of(row: Field) -> st.SearchStrategy[str]:
    """Give every kind of text that a person may write for a keyword."""
    low = -(2**31) if row.low is None else row.low
    high = 2**31 - 1 if row.high is None else row.high
    match row.type:
        case FieldType.INT | FieldType.PORT:
            return st.integers(low, 2**63 - 1 if not row.is_cut else high).map(str)
        case FieldType.BOOL:
            return st.sampled_from(["0", "1"])
        case FieldType.HOST:
            return st.one_of(ADDRESSES, HOST_NAMES, IPV6.map(str))
        case FieldType.HOST_DEVICE:
            addresses = st.one_of(ADDRESSES, IPV6.map(str)) if row.takes_ipv6 else ADDRESSES
            return st.builds("{} {}".format, addresses, DEVICES)
        case FieldType.IP:
            return ADDRESSES
        case FieldType.MASK:
            return st.sampled_from([choice.value for choice in NETMASKS])
        case FieldType.ENUM:
            return st.sampled_from([choice.value for choice in row.choices])
        case _ if row.choices:
            return st.sampled_from([choice.value for choice in row.choices])
        case _ if row.names_interface:
            return st.sampled_from(["eth0", "bond0.7", "enp3s0", "br-lan", "fifteen_letters"])
        case _:
            return _texts(row)


ODD_VALUES = st.sampled_from(
    ["010", "0x1f", '"5"', "'5'", '""', "yes", "-3", "10.1", "99999999999", "a b c", '"a" b"', '"say \\"hi\\" now"',
     "'it\"s ok'", '"ab', "[ /a /b ]", "[/a", "http", "0.0.0.0", "192.0.2.9 eth0", '"192.0.2.9" eth0:1', "{", "}", "é"]
)  # fmt: skip
COMMENTS = st.sampled_from(["# note", "#", "#\tkeepalive = 6", "# } virtual x {", "## größe ##", "# \u2028 odd"])
STRANGERS = st.sampled_from(["colour = red", "x", "method = none", "vsadm = /x y z", "Keepalive = 6", "log_file = /y"])
AROUND_EQUALS = st.sampled_from([" = ", " = ", " = ", "\t=\t", "   =  ", "=", " =", "= "])
INDENTS = st.sampled_from(["", "     ", "         ", "\t", "  \t "])
BEHIND = st.sampled_from(["", "", "", " ", "\t", " # why"])


@st.composite
def statements(draw: st.DrawFn, scope: Scope) -> str:
    """Draw a line with a keyword: known here, known elsewhere, or unknown; its value right or odd."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(STRANGERS)
    row = draw(st.sampled_from(writable(scope) if kind > 1 else list(FIELDS)))
    value = draw(values_of(row) if kind > 3 and row.type is not FieldType.LIST else ODD_VALUES)
    if kind > 3 and (row.is_quoted or (" " in value and row.type is FieldType.STRING)):
        value = f'"{value}"'
    return row.keyword + draw(AROUND_EQUALS) + value + draw(BEHIND)


@st.composite
def bodies(draw: st.DrawFn, scope: Scope, indent: str) -> list[str]:
    """Draw the lines of one block: statements, some of them twice, comments, blank lines."""
    mine = draw(st.one_of(st.just(indent), INDENTS))
    line = st.one_of(statements(scope).map(lambda text: mine + text), COMMENTS.map(lambda text: mine + text))
    return draw(st.lists(st.one_of(line, line, line, st.sampled_from(["", "  "])), max_size=5))


@st.composite
def blocks(draw: st.DrawFn, kind: str, indent: str) -> list[str]:
    """Draw a block that is closed, with whatever stands in it."""
    name = draw(st.one_of(NAMES, NAMES, st.just('"a b"'), st.just("'it is'")))
    brace = draw(st.sampled_from([" {", " {", " {", "{", "  {  ", " { # c", "\n{", "\n# c\n\n  {"]))
    if name[0] not in "\"'" and brace[0] == "{":
        brace = f" {brace}" if name[-1] in "\"'" else brace
    lines = f"{indent}{kind} {name}{brace}".split("\n")
    lines += draw(bodies(Scope(kind), indent + "     "))
    if kind != "server":
        for inner in draw(st.lists(blocks("server", indent + "     "), max_size=3)):
            lines += [*draw(st.lists(COMMENTS.map(lambda text: indent + "     " + text), max_size=1)), *inner]
            lines += draw(st.lists(st.sampled_from(["", f"{indent}     weight = 2"]), max_size=1))
    return [*lines, indent + draw(st.sampled_from(["}", "}", "}", "} # end", "} }", "}  "]))]


@st.composite
def orderly_texts(draw: st.DrawFn) -> str:
    """Draw a file whose braces are in order, with anything else an administrator may have left in it."""
    lines = draw(bodies(Scope.GLOBAL, ""))
    for kind in draw(st.lists(st.sampled_from(["virtual", "virtual", "failover"]), max_size=3)):
        lines += draw(st.lists(COMMENTS, max_size=2))
        lines += draw(blocks(kind, ""))
        lines += draw(st.lists(st.sampled_from(["", "keepalive = 6"]), max_size=1))
    if lines and lines[-1].strip(" ") == "}" and draw(st.booleans()):
        lines.pop()  # a missing last brace is no fault of order
    return _joined(draw, lines)


WILD_LINES = st.one_of(
    st.sampled_from(
        ["}", "}", "{", "} x", "}}", "} server x {", "virtual v { a }", "virtual v {", "virtual v{", "virtual",
         "server", "server s {", "server s", "failover f {", "virtual {", 'virtual "a b" {', 'virtual "a {',
         "virtual a b {", "server s { # c", "{ # c", "# c", "", "\0", "port = 80", "port = 80 81",
         'send = "a', "=", "= =", "\ufeff"]
    ),
    st.text(st.sampled_from(" \t\"'#={}[]\\ab1.\0\x0b\x85é\u2028"), max_size=12),
    statements(Scope.GLOBAL),
    statements(Scope.VIRTUAL),
    statements(Scope.SERVER),
)  # fmt: skip


@st.composite
def wild_texts(draw: st.DrawFn) -> str:
    """Draw lines in any order: braces that close nothing, blocks that never end, headers without a name."""
    return _joined(draw, draw(st.lists(WILD_LINES, max_size=16)))


def _joined(draw: st.DrawFn, lines: list[str]) -> str:
    end = draw(st.sampled_from(["\n", "\n", "\n", "\n", "\r\n", "\r"]))
    mark = draw(st.sampled_from(["", "", "", "\ufeff", "\xef\xbb\xbf"]))
    return mark + end.join(lines) + draw(st.sampled_from([end, end, ""]))


def paths_of(document: Document) -> list[BlockPath]:
    """Return the path of every block, the whole file first."""
    services = document.blocks()
    return [(), *services, *(inner for service in services for inner in document.blocks(service))]


@st.composite
def settings_of(draw: st.DrawFn, document: Document, path: BlockPath) -> SetValues:
    """Draw one keyword of a block to set: preferably one that stands there, to a value that is right."""
    scope = Scope(path[-1].kind) if path else Scope.GLOBAL
    rows = writable(scope)
    present = [row for row in rows if document.statement(path, row.keyword) is not None]
    prefers_present = bool(present) and draw(st.integers(0, 3)) > 0
    row = draw(st.sampled_from(present if prefers_present else rows))
    return SetValues(path=written(path), values={row.keyword: draw(values_of(row))})


@st.composite
def right_edits(draw: st.DrawFn, document: Document) -> Edit:
    """Draw an edit that a person may make of this document."""
    paths = paths_of(document)
    path = draw(st.sampled_from(paths))
    kind = draw(st.sampled_from(["set", "set", "unset", "add", "remove", "rename", "move"]))
    if kind == "set" or (kind in ("remove", "rename", "move") and not path):
        return draw(settings_of(document, path))
    if kind == "unset":
        keywords = [keyword for keyword in document.keywords(path) if keyword]
        return SetValues(path=written(path), values={draw(st.sampled_from(keywords or ["port"])): None})
    if kind == "add":
        parent = draw(st.sampled_from([each for each in paths if not each or each[-1].kind == "virtual"]))
        inner = "server" if parent and parent[-1].kind == "virtual" else draw(st.sampled_from(["virtual", "failover"]))
        rows = draw(st.lists(st.sampled_from(writable(Scope(inner))), max_size=3, unique=True))
        values = {row.keyword: draw(values_of(row)) for row in rows}
        name = draw(NAMES.filter(lambda each: is_free(document, parent, inner, each)))
        return AddBlock(parent=written(parent), kind=inner, name=name, values=values)
    if kind == "remove":
        return RemoveBlock(path=written(path))
    outer = path[:-1]
    if kind == "rename":
        name = draw(NAMES.filter(lambda each: is_free(document, outer, path[-1].kind, each)))
        return RenameBlock(path=written(path), name=name)
    if outer and outer[-1].kind == "failover":
        return RemoveBlock(path=written(path))  # real servers mean nothing there: one may go, none may come
    before = draw(st.sampled_from(["", *(written(each) for each in document.blocks(outer) if each != path)]))
    return MoveBlock(path=written(path), parent=written(outer), before=before)


@st.composite
def any_edits(draw: st.DrawFn, document: Document) -> Edit:
    """Draw an edit, sensible or not."""
    path = draw(st.sampled_from(paths_of(document)))
    value = st.one_of(ODD_VALUES, st.text(max_size=6))
    keyword = st.sampled_from(sorted({row.keyword for row in FIELDS} | {"colour", "debug", ""}))
    name = st.one_of(NAMES, st.text(max_size=4))
    other = st.sampled_from(paths_of(document)).map(written)
    wild = st.one_of(
        st.builds(
            SetValues, path=st.just(written(path)), values=st.dictionaries(keyword, st.none() | value, max_size=3)
        ),
        st.builds(
            AddBlock,
            parent=st.just(written(path)),
            kind=st.sampled_from(["virtual", "failover", "server", "x"]),
            name=name,
            values=st.dictionaries(keyword, value, max_size=2),
        ),
        st.builds(RenameBlock, path=st.just(written(path)), name=name),
        st.builds(MoveBlock, path=st.just(written(path)), parent=other, before=other | st.just("")),
    )
    return draw(st.one_of(right_edits(document), wild))


def is_free(document: Document, parent: BlockPath, kind: str, name: str) -> bool:
    """Say whether no block of this kind has the name."""
    return all((step[-1].kind, step[-1].name) != (kind, name) for step in document.blocks(parent))

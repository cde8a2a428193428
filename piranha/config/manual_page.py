"""The manual page lvs.cf(5), made from the table of keywords and the table of faults."""

from piranha.config import manual_words, roff
from piranha.config.fault_kinds import GROUPS
from piranha.config.fault_types import FaultKind
from piranha.config.fields import ALIASES, FIELDS, ORDER, Field, FieldType, Scope, Status

DATE = "2026-11-24"
"""When the words of the page were last gone through; a date of the build would make every build another one."""

_TYPES = {
    FieldType.INT: "whole number",
    FieldType.BOOL: "1 (yes) or 0 (no)",
    FieldType.PORT: "port or name of a TCP service",
    FieldType.HOST: "IP address or host name",
    FieldType.HOST_DEVICE: "IP address and device",
    FieldType.IP: "IPv4 address",
    FieldType.MASK: "netmask",
    FieldType.STRING: "text",
    FieldType.QSTRING: "text in double quotes",
    FieldType.ENUM: "one of these words",
    FieldType.LIST: "list, [ A B C ]",
}
_PLACES = {
    Scope.GLOBAL: "global",
    Scope.VIRTUAL: "virtual server",
    Scope.FAILOVER: "failover service",
    Scope.SERVER: "real server",
}
_TITLES = {
    Scope.GLOBAL: "Global",
    Scope.VIRTUAL: "In a virtual server",
    Scope.FAILOVER: "In a failover service",
    Scope.SERVER: "In a real server",
}


def manual_page() -> str:
    """Return the page in the man macros of roff."""
    parts = [
        '.\\" Generated from the table of keywords by `make docs`; do not edit.',
        f'.TH LVS.CF 5 "{DATE}" "Piranha" "File Formats"',
        ".ad l",
        roff.section("NAME", "lvs.cf \\- configuration of Piranha, the Linux Virtual Server routers"),
        roff.section("SYNOPSIS", "\\fB/etc/sysconfig/ha/lvs.cf\\fR"),
        _description(),
        _keywords(
            "GLOBAL KEYWORDS",
            Scope.GLOBAL,
            "They stand outside of all blocks and are the same on both routers.",
        ),
        _keywords("VIRTUAL SERVER KEYWORDS", Scope.VIRTUAL, "They stand in a `virtual` block."),
        _keywords("REAL SERVER KEYWORDS", Scope.SERVER, "They stand in a `server` block inside of a `virtual` one."),
        _failover(),
        _kept(),
        _refused(),
        _diagnostics(),
        roff.section("FILES", *(roff.entry(name, text) for name, text in manual_words.FILES)),
        roff.section("EXAMPLE", roff.example(manual_words.EXAMPLE)),
        roff.section("SEE ALSO", ".BR ipvsadm (8),", ".BR ip (8)"),
    ]
    return "\n".join(parts) + "\n"


def _description() -> str:
    opening = (
        "lvs.cf says which routers there are, which virtual servers they balance, and to which real servers. It is "
        "the language of the Piranha Configuration Tool of old: what that wrote, and what its daemons read, is read "
        "here and means the same."
    )
    parts = [roff.prose(opening)]
    for title, paragraphs in manual_words.LANGUAGE:
        texts = [roff.prose(paragraphs[0]), *(roff.paragraph(text) for text in paragraphs[1:])]
        if title == "Blocks":
            texts += [".PP", roff.example(manual_words.BLOCK_FORMS), roff.paragraph(manual_words.BLOCK_NAMES)]
        parts.append(roff.subsection(title, *texts))
    return roff.section("DESCRIPTION", *parts)


def rows_of(scope: Scope, *statuses: Status) -> list[Field]:
    """Return the rows of a scope that have one of these statuses, in the order in which they are written."""
    rows = [row for row in FIELDS if scope in row.scopes and row.status in statuses]
    return sorted(rows, key=lambda row: ORDER[scope].index(row.keyword))


def _keywords(title: str, scope: Scope, opening: str) -> str:
    rows = rows_of(scope, Status.CURRENT)
    return roff.section(title, roff.prose(opening), *(_row(row) for row in rows))


def _row(row: Field) -> str:
    lines = [f".TP\n\\fB{roff.literal(row.keyword)}\\fR", roff.prose(row.help)]
    if row.choices:
        width = max(len(choice.value) for choice in row.choices) + 2
        choices = []
        for choice in row.choices:
            label = "" if choice.label.lower() == choice.value else f"{choice.label}. "
            words = f"{label}{choice.help}"
            if choice.is_extension:
                words = f"{label}The original daemons refuse the whole file for it."
            choices.append(roff.entry(choice.value, words, width=width))
        lines.append(roff.indented(choices) if _is_explained(row) else _short_choices(row))
    lines += [".IP", roff.prose(properties(row))]
    return "\n".join(lines)


def _is_explained(row: Field) -> bool:
    return row.status is Status.CURRENT and bool(row.choices[0].help)


def _short_choices(row: Field) -> str:
    return roff.prose(f"One of {', '.join(f'`{choice.value}`' for choice in row.choices)}.")


def properties(row: Field) -> str:
    """Return type, range, default, scope, whether the original daemons know the keyword, and an example."""
    kind = _TYPES[row.type]
    if row.type is FieldType.PORT and not row.takes_service_names:
        kind = "port"
    if row.type is FieldType.IP or (row.type is FieldType.HOST_DEVICE and not row.takes_ipv6):
        kind = kind.replace("IP address", "IPv4 address")
    default = row.default_words or ("unset" if row.default is None else row.default or '""')
    bounds = range_of(row)
    range_text = f" Range: {bounds}." if bounds else ""
    offered = f" The forms propose {row.proposed}." if row.proposed is not None else ""
    scopes = ", ".join(_PLACES[scope] for scope in Scope if scope in row.scopes)
    known = "no" if row.status.is_refused else "yes"
    written = f'"{row.example}"' if row.is_quoted else row.example
    example = f" Example: `{row.keyword} = {written}`" if row.example else ""
    told = f"Type: {kind}.{range_text} Default: {default}.{offered} Scope: {scopes}. Known to the originals: {known}."
    return told + example


def range_of(row: Field) -> str:
    """Return the range of a number in words, "" for what is no number."""
    bounds = row.range_text.removeprefix("a whole number").strip().removeprefix("from ").removeprefix("of ")
    return bounds or ("any" if row.range_text else "")


def _failover() -> str:
    shared = [row for row in rows_of(Scope.FAILOVER, Status.CURRENT) if Scope.VIRTUAL in row.scopes]
    own = [row for row in rows_of(Scope.FAILOVER, Status.CURRENT, Status.IGNORED) if _is_of_failover(row)]
    listed = ", ".join(f"`{row.keyword}`" for row in shared)
    return roff.section(
        "FAILOVER SERVICE KEYWORDS",
        roff.prose(
            "They stand in a `failover` block, which is kept and not run: this program has no failover services. "
            f"As in a virtual server are {listed}."
        ),
        *(_row(row) for row in own),
    )


def _is_of_failover(row: Field) -> bool:
    """Say whether a row is a keyword that the originals use in failover services only."""
    return row.scopes == {Scope.FAILOVER} and row.keyword in ("start_cmd", "stop_cmd")


def _kept() -> str:
    return roff.section(
        "KEYWORDS WITHOUT EFFECT",
        roff.prose(
            "These are kept where they stand and have no effect. The original daemons know them: they are obsolete, or "
            "have no effect in this kind of block, or are for what this program does in another way."
        ),
        *_by_scope(Status.IGNORED),
    )


def _refused() -> str:
    aliases = [
        roff.entry(alias, f"Read as `{keyword}`. Scope: {_PLACES[scope]}. Known to the originals: no.")
        for (scope, alias), keyword in ALIASES.items()
    ]
    return roff.section(
        "REFUSED KEYWORDS",
        roff.prose(
            "Old GUIs wrote these, or old manuals named them. They are kept and have no effect; the original daemons "
            "refuse the whole file for them. They are never written."
        ),
        *_by_scope(Status.GUI_ONLY, Status.DOCUMENTED_ONLY),
        roff.subsection("Misspelt", *aliases),
    )


def _by_scope(*statuses: Status) -> list[str]:
    parts, told = [], set[int]()
    for scope in Scope:
        rows = [row for row in rows_of(scope, *statuses) if id(row) not in told and not _is_of_failover(row)]
        told |= {id(row) for row in rows}
        if rows:
            parts.append(roff.subsection(_TITLES[scope], *(_row(row) for row in rows)))
    return parts


def _diagnostics() -> str:
    severities = [roff.entry(name, text, width=10) for name, text in manual_words.SEVERITIES]
    paragraphs = [roff.prose(manual_words.DIAGNOSTICS[0]), *severities]
    paragraphs += [roff.paragraph(text) for text in manual_words.DIAGNOSTICS[1:]]
    groups = [roff.subsection(group.title, *(_fault(kind) for kind in group)) for group in GROUPS]
    return roff.section("DIAGNOSTICS", *paragraphs, *groups)


def _fault(kind: FaultKind) -> str:
    return roff.entry(kind.code, f"{severities_of(kind)}. {kind.wrong} {kind.advice}")


def severities_of(kind: FaultKind) -> str:
    """Return the severities of a kind of fault in words."""
    first, *others = kind.cases
    words = f"{first.severity} ({first.when})" if first.when else str(first.severity)
    words = words.capitalize()
    return "; ".join([words, *(f"{case.severity} ({case.when})" for case in others)])

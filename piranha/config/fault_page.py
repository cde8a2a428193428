"""The page of all kinds of faults (docs/faults.md), made from their table."""

from piranha.config.fault_kinds import GROUPS
from piranha.config.fault_types import Case, FaultGroup, FaultKind
from piranha.config.load import load
from piranha.config.manual_page import severities_of

_LONGEST_EXAMPLE = 600

_OPENING = """\
<!-- Generated from the table of faults by `make docs`; do not edit. -->

# What can be wrong with an lvs.cf

`piranha check` tells all faults of a file at once, with line and column; the GUI shows them beside what was typed.
`--json` and [the API](api.md) tell the code too.

| Severity | What it means | `piranha check` | Apply |
|---|---|---|---|
| error | it cannot be run safely | exit code 1 | refuses, if it is in an active block or a setting in force |
| warning | it runs, but probably not as meant; or an original Piranha would refuse it | exit code 0 | takes it |
| note | it is worth knowing | exit code 0 | takes it |

A file with errors can be saved. Below are all kinds of faults, then an example of each with what is said about it.
"""


def fault_page() -> str:
    """Return the page in Markdown."""
    parts = [_OPENING, *(_table(group) for group in GROUPS), "## Examples\n"]
    parts += [example for group in GROUPS for kind in group if (example := _examples(kind))]
    return "\n".join(parts)


def _table(group: FaultGroup) -> str:
    rows = [_table_row(kind) for kind in group]
    head = "| Code | Severity | What is wrong | What to do |\n|---|---|---|---|\n"
    return f"## {group.title}\n\n{head}" + "".join(rows)


def _table_row(kind: FaultKind) -> str:
    code = f"[`{kind.code}`](#{kind.code})" if _examples(kind) else f"`{kind.code}`"
    severity = severities_of(kind)
    cells = [code, severity[0].lower() + severity[1:], kind.wrong, kind.advice]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _examples(kind: FaultKind) -> str:
    parts = [part for case in kind.cases if (part := _example(kind, case))]
    return f"### {kind.code}\n\n" + "\n".join(parts) if parts else ""


def _example(kind: FaultKind, case: Case) -> str:
    if not case.example or len(case.example) > _LONGEST_EXAMPLE:
        return ""
    told = [
        fault.located("lvs.cf")
        for fault in load(case.example).faults
        if (fault.code, fault.severity) == (kind.code, case.severity)
    ]
    said = "\n".join(told)
    return f"```text\n{_visible(case.example)}```\n\n```text\n{said}\n```\n"


def _visible(text: str) -> str:
    """Return an example with what cannot be seen spelled out."""
    return "".join(
        character if character.isprintable() or character == "\n" else f"<U+{ord(character):04X}>" for character in text
    )

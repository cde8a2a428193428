"""The table of faults: it has what the code can find, and nothing else; each example has its fault."""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from piranha import resources
from piranha.config.fault_kinds import GROUPS, KINDS
from piranha.config.fault_types import Case, FaultKind
from piranha.config.faults import Fault, Severity
from piranha.config.load import load
from tests.config.test_rules import BROKEN, SOUND

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
CASES = [(kind, case) for kind in KINDS.values() for case in kind.cases]
EXAMPLES = [(kind, case, case.example) for kind, case in CASES if case.example is not None]
WAYS = {"say", "say_of_line", "say_of_name", "say_inside", "place", "_say"}
"""How a fault is noted: severity, then code. `warn` and `fail` have the code first, their name is the severity."""
NOTED = {"warn": Severity.WARNING, "fail": Severity.ERROR}
CODE = re.compile(r"[a-z]+(-[a-z0-9]+)*")


def emitted() -> Iterator[tuple[str, Severity | None, str]]:
    """Yield every code that stands in the source of the room, its severity (None if computed), and where."""
    for path in sorted((resources.package() / "config").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code":
                yield from ((code, None, where) for code in _texts(node.value))
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func).split(".")[-1]
            if name in NOTED:
                yield from ((code, NOTED[name], where) for code in _texts(node.args[0]))
            elif name == "Doubt":
                yield from ((code, None, where) for code in _texts(node.args[0]))
            elif name in WAYS and len(node.args) > 1:
                told = ast.unparse(node.args[0])
                severity = Severity[told.removeprefix("Severity.")] if told.startswith("Severity.") else None
                yield from ((code, severity, where) for code in _texts(node.args[1]))


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from chain(_texts(node.body), _texts(node.orelse))


def severities(code: str) -> set[Severity]:
    return {case.severity for case in KINDS[code].cases}


def test_the_table_has_every_code_of_the_source_and_no_other() -> None:
    assert {code for code, _, _ in emitted()} == set(KINDS)


def test_the_table_has_every_severity_that_the_source_names() -> None:
    wrong = [
        f"{where}: {code} {severity}"
        for code, severity, where in emitted()
        if severity is not None and severity not in severities(code)
    ]
    assert wrong == []


def test_a_code_has_one_row() -> None:
    assert sum(len(group.kinds) for group in GROUPS) == len(KINDS)


@pytest.mark.parametrize(
    ("kind", "case", "example"), EXAMPLES, ids=[f"{kind.code}-{case.severity}" for kind, case, _ in EXAMPLES]
)
def test_an_example_has_the_fault_with_the_severity(kind: FaultKind, case: Case, example: str) -> None:
    assert (kind.code, case.severity) in {(fault.code, fault.severity) for fault in load(example).faults}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.code)
def test_a_row_says_what_is_wrong_and_what_to_do_and_when_it_is_how_bad(kind: FaultKind) -> None:
    for text in (kind.wrong, kind.advice):
        assert text.endswith(".")
        assert text.isprintable()
        assert "|" not in text
    order = list(Severity)
    found = [order.index(case.severity) for case in kind.cases]
    assert found == sorted(set(found)), "each severity once, the worst first"
    assert all(case.when for case in kind.cases[1:]), "say when it is less bad"


def all_faults() -> Iterator[Fault]:
    texts = [example for _, _, example in EXAMPLES]
    texts += [SOUND.replace(str(old), str(new), 1) for old, new, *_ in BROKEN]
    texts += [path.read_text(encoding="utf-8") for path in sorted(CORPUS.glob("*.cf"))]
    for text in texts:
        yield from load(text).faults


def test_every_fault_says_what_to_do_and_has_a_severity_of_the_table() -> None:
    told = list(all_faults())
    assert len(told) > 300
    assert [fault for fault in told if fault.severity not in severities(fault.code)] == []
    assert [fault for fault in told if fault.message[-1:] != "." or not re.search(r"[.?]$", fault.advice)] == []
    assert [fault for fault in told if not (fault.message + fault.advice).isprintable()] == []


def test_only_what_the_machine_knows_has_no_example() -> None:
    without = {kind.code for kind, case in CASES if case.example is None}
    assert without == {kind.code for kind in GROUPS[-1]}

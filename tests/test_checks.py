"""Each numbered acceptance check of the reference for the GUI (section 7) has a test that carries its number.

The names of tests say it: `test_check_16_...`. Tests in the lab's kernel count as well.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
CHECKS = range(1, 81)
NUMBERED = re.compile(r"test_(?:check|7)_([0-9]+)_[a-z]")
LATER = {
    1: "the three services at boot: the package and its systemd units",
    2: "what is enabled and what is started: the same",
    31: "the packet filter's rules of a firewall mark: the page of marks",
    34: "FTP in both modes: its recipe",
    36: "saved rules: what a reboot finds",
}
"""Checks without a test yet, and what they wait for."""


def numbers_in(source: str) -> Iterator[int]:
    """Yield the numbers that the test functions of a Python file carry."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (found := NUMBERED.match(node.name)):
            yield int(found[1])


def files_by_number() -> dict[int, list[str]]:
    """Return for each number the files whose tests carry it."""
    found: dict[int, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for number in numbers_in(path.read_text(encoding="utf-8")):
            found.setdefault(number, []).append(str(path.relative_to(TESTS)))
    return found


def test_every_check_has_a_test_that_carries_its_number() -> None:
    missing = set(CHECKS) - set(files_by_number()) - set(LATER)
    assert not missing, "write one and call it test_check_NUMBER_..."


def test_no_test_carries_a_number_that_is_none() -> None:
    unknown = {number: files for number, files in files_by_number().items() if number not in CHECKS}
    assert not unknown


def test_what_is_tested_does_not_stand_among_what_comes_later() -> None:
    done = {number: files for number, files in files_by_number().items() if number in LATER}
    assert not done, "take it out of LATER"


def test_numbers_are_read_from_functions_and_methods_and_nothing_else() -> None:
    source = (
        "# def test_check_1_comment(): ...\n"
        "def test_check_2_a(): ...\n"
        "async def test_check_30_b(): ...\n"
        "class TestIt:\n    def test_check_4_c(self): ...\n"
        "def help_test_check_5_d(): ...\n"
        "def test_check_6(): ...\n"
        "text = 'def test_check_7_e(): ...'\n"
    )
    assert sorted(numbers_in(source)) == [2, 4, 30]

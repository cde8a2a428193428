"""Each numbered scenario of the reference for the engine (section 9) that concerns two routers has a test.

Names of tests carry the numbers, `test_scenario_13_14_...`, in two files shortly, `test_13_...`; so do the words
"scenario 13" in a docstring or a comment. What needs a kernel, real frames or traffic has a test in the lab too.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
TWO_ROUTERS = {*map(str, range(1, 38)), "21a", "21b", "55", "56", "58", "60a", "60b"}
LAB = {"4", "13", "14", "15", "19", "20", "21", "21a", "21b", "22", "23", "24", "36", "55", "56", "58", "60a", "60b"}
ALL = {*map(str, range(1, 63)), "21a", "21b", *(f"60{letter}" for letter in "abcde")}
SHORTLY = ("ha/test_scenarios.py", "cli/test_pulse.py")
NUMBER = "[0-9]{1,2}[a-e]?"
NAMED = re.compile(f"test_scenario_((?:{NUMBER}_)+)")
NAMED_SHORTLY = re.compile(f"test_({NUMBER})_(?:(and|to)_({NUMBER})_)?")
WORDS = re.compile(f"scenarios? ({NUMBER}(?:(?:, | and | to ){NUMBER})*)\\b", re.IGNORECASE)
PARTS = re.compile(f"({NUMBER}) to ({NUMBER})|({NUMBER})")


def numbers_in_name(name: str, *, shortly: bool = False) -> Iterator[str]:
    """Yield the numbers that a test's name carries."""
    if found := NAMED.match(name):
        yield from found[1].split("_")[:-1]
    elif shortly and (found := NAMED_SHORTLY.match(name)):
        first, link, last = _plain(found[1]), found[2], found[3] and _plain(found[3])
        yield from _span(first, last) if link == "to" else filter(None, (first, last))


def numbers_in_words(text: str) -> Iterator[str]:
    """Yield the numbers in comments and docstrings: "scenario 7", "scenarios 40 and 45 to 48"."""
    for words in WORDS.findall(text):
        for first, last, alone in PARTS.findall(words):
            yield from _span(first, last) if last else (alone,)


def _span(first: str, last: str) -> Iterator[str]:
    yield from map(str, range(int(first), int(last) + 1))


def _plain(number: str) -> str:
    return number.lstrip("0")


@cache
def names_and_words(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Return the numbers that the names of a file's test functions carry, and those in its words."""
    source, shortly = path.read_text(encoding="utf-8"), str(path.relative_to(TESTS)) in SHORTLY
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    names = {number for node in functions for number in numbers_in_name(node.name, shortly=shortly)}
    return frozenset(names), frozenset(numbers_in_words(source))


@cache
def files_by_number(*, by_name_alone: bool = False) -> Mapping[str, set[str]]:
    """Return for each number the files that carry it."""
    found: dict[str, set[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        if path != Path(__file__):
            names, words = names_and_words(path)
            for number in names if by_name_alone else names | words:
                found.setdefault(number, set()).add(str(path.relative_to(TESTS)))
    return found


def test_each_scenario_of_two_routers_has_a_test_that_carries_its_number() -> None:
    missing = TWO_ROUTERS - files_by_number().keys()
    assert not missing, "write one and call it test_scenario_NUMBER_..."


def test_what_needs_a_kernel_frames_or_traffic_has_a_test_in_the_lab() -> None:
    by_name = files_by_number(by_name_alone=True)
    missing = {number for number in LAB if not any(each.startswith("lab/") for each in by_name.get(number, ()))}
    assert not missing


def test_no_test_carries_a_number_that_is_none() -> None:
    unknown = {number: files for number, files in files_by_number().items() if number not in ALL}
    assert not unknown


def test_numbers_are_read_as_they_are_meant() -> None:
    assert [*numbers_in_name("test_scenario_13_14_15_when_both")] == ["13", "14", "15"]
    assert [*numbers_in_name("test_scenario_19_20_a_real_server")] == ["19", "20"]
    assert [*numbers_in_name("test_scenario_60b_an_open_one")] == ["60b"]
    assert [*numbers_in_name("test_13_what")] == []
    assert [*numbers_in_name("test_05_what", shortly=True)] == ["5"]
    assert [*numbers_in_name("test_30_and_31_orders", shortly=True)] == ["30", "31"]
    assert [*numbers_in_name("test_20_to_24_a_change", shortly=True)] == ["20", "21", "22", "23", "24"]
    assert [*numbers_in_words("(Scenarios 40 and 45 to 47), scenario 60a; scenario files 3")] == [
        "40",
        "45",
        "46",
        "47",
        "60a",
    ]

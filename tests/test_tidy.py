"""House rules that no linter knows. Each names the file and the line, and says what to do instead."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
CODE = sorted((TOP / "piranha").rglob("*.py"))
TESTS = sorted((TOP / "tests").rglob("*.py"))
NOT_OURS = {".git", ".hypothesis", ".venv", ".demo", ".lab", ".artefacts", "__pycache__", "dist", "build"}
LINES_MAX = 400
BROAD_EXCEPTS = {"web": 1}
"""Flask's error handler. The engine has `guard.Turn` around one turn of whatever must go on."""
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "managers", "handler", "handlers"}
# Put together here, so that this file does not hold what it looks for.
UNFINISHED = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error"]))
MACHINE_PATH = re.compile(r"(^|[^a-z])/(w[o]rk|f[a]rm)/|/r[o]ot/|/h[o]me/[a-z]")
REGISTRY = re.compile(r"p[y]pi\.org|pythonh[o]sted\.org|deb\.debi[a]n\.org|registry\.npm[j]s\.org|/o[p]t/pypi")
VENDORED = re.compile(r"\.min\.(js|css)$|\.woff2?$|(^|/)(node_modules|vendor)/")


def ours(folder: Path = TOP) -> Iterator[Path]:
    """Yield every file of the project."""
    for path in sorted(folder.iterdir()):
        if path.name in NOT_OURS or path.name.endswith(("_cache", ".egg-info")):
            continue
        if path.is_dir():
            yield from ours(path)
        else:
            yield path


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file, none of a binary one."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    yield from enumerate(text.splitlines(), 1)


def calls(path: Path) -> Iterator[tuple[int, str, ast.Call]]:
    """Yield line, dotted name and node of every call in a Python file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func), node


def place(path: Path, line: int) -> str:
    """Return FILE:LINE as an editor takes it."""
    return f"{path.relative_to(TOP)}:{line}"


def test_no_test_sleeps() -> None:
    found = [place(path, line) for path in TESTS for line, name, _ in calls(path) if name.split(".")[-1] == "sleep"]
    assert not found, "hand the time in as an argument, or wait for the thing itself"


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    words = re.compile(r"\b(pytest\.(mark\.)?(skip|skipif|xfail|importorskip)|unittest\.skip)\b")
    found = [
        place(path, node.lineno)
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and words.search(ast.unparse(node))
    ]
    assert not found, "a missing tool must fail the test and be named"


@pytest.mark.parametrize("room", sorted({path.parent.name for path in CODE}))
def test_only_two_places_catch_everything(room: str) -> None:
    found = [
        place(path, node.lineno)
        for path in CODE
        if path.parent.name == room
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    ]
    allowed = BROAD_EXCEPTS.get(room, 0)
    assert len(found) <= allowed, "catch what you can do something about, and translate it at the edge"


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = {ast.unparse(name) for name in ast.walk(handler.type) if isinstance(name, ast.Name)}
    ends = isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None
    return bool(names & {"Exception", "BaseException"}) and not ends  # cleaning up and going on raising is fine


def test_no_shell_is_ever_started() -> None:
    shells = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
    shells |= {"asyncio.create_subprocess_shell"}
    found = [
        place(path, line)
        for path in CODE
        for line, name, node in calls(path)
        if name in shells or any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords)
    ]
    assert not found, "programs are argument vectors"


def test_every_file_can_be_read_without_scrolling_far() -> None:
    long = {place(path, count): count for path in CODE if (count := len(list(lines_of(path)))) > LINES_MAX}
    assert not long, "split it by noun"


def test_no_file_is_a_drawer() -> None:
    found = [path for path in CODE if DRAWERS & set(path.relative_to(TOP).with_suffix("").parts)]
    assert not found, "name the thing that the file is about"


def test_nothing_is_left_unfinished() -> None:
    trees = (*CODE, *sorted((TOP / "templates").rglob("*")), *sorted((TOP / "static").rglob("*")))
    found = [
        place(path, n) for path in trees if path.is_file() for n, line in lines_of(path) if UNFINISHED.search(line)
    ]
    assert not found


def test_no_file_knows_a_machine_or_a_package_registry() -> None:
    found = [
        f"{place(path, n)}: {line.strip()[:100]}"
        for path in ours()
        for n, line in lines_of(path)
        if MACHINE_PATH.search(line) or REGISTRY.search(line)
    ]
    assert not found


def test_nothing_of_others_is_copied_in() -> None:
    found = [path for path in ours() if VENDORED.search(path.relative_to(TOP).as_posix())]
    assert not found, "install it from a registry"


def test_every_dependency_is_locked_with_its_hashes() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {_normal(re.split(r"[^A-Za-z0-9._-]", name, maxsplit=1)[0]) for name in project["dependencies"]}
    run, test = _locked("run.lock"), _locked("test.lock")
    assert wanted <= set(run), "make lock"
    assert {name: test.get(name) for name in run} == run, "both locks must agree: make lock"


def _locked(name: str) -> dict[str, str]:
    locked = {}
    text = (TOP / "requirements" / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.lstrip().startswith("#"):
            package, _, rest = line.partition("==")
            assert "--hash=sha256:" in rest, f"{package} in {name} has no hash"
            locked[_normal(package)] = rest.split()[0]
    return locked


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def test_the_readme_shows_the_two_commands_and_ci_runs_the_second() -> None:
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    ci = TOP / ".ci" / "run"
    assert "make run" in readme
    assert "make test" in readme
    assert "make test" in ci.read_text(encoding="utf-8")
    assert ci.stat().st_mode & 0o111, "chmod +x .ci/run"


def test_every_page_of_the_docs_is_linked_and_every_link_leads_somewhere() -> None:
    link = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
    pages = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").glob("*.md"))]
    targets = {page: [(page.parent / to).resolve() for to in link.findall(page.read_text("utf-8"))] for page in pages}
    dead = [f"{page.relative_to(TOP)}: {to}" for page, found in targets.items() for to in found if not to.exists()]
    assert not dead
    linked = {to for found in targets.values() for to in found}
    assert {page for page in pages if page.parent.name == "docs"} <= linked, "link it from docs/index.md"

"""The wheel carries all it needs: installed in an empty environment, in another folder, it does everything."""

import os
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plain_browser import PlainBrowser, every_page
from tests.running_demo import RunningDemo

pytestmark = [pytest.mark.package, pytest.mark.timeout(600)]

TOP = Path(__file__).parents[2]
CORPUS = TOP / "tests" / "data" / "corpus"


def run(*words: str | Path, at: Path) -> "subprocess.CompletedProcess[str]":
    """Run a program somewhere else, without a trace of the checkout in its environment."""
    hidden = ("PIRANHA_", "PYTHON", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return subprocess.run(words, cwd=at, env=environment, capture_output=True, text=True, timeout=500, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, without a build environment and so without the registry."""
    made = tmp_path_factory.mktemp("dist")
    words = ("-m", "build", "--wheel", "--no-isolation", "--outdir", str(made), str(TOP))
    built = run(sys.executable, *words, at=made)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = made.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the locked requirements and the wheel into an empty environment; return the folder of its programs."""
    place = tmp_path_factory.mktemp("elsewhere")
    made = run(sys.executable, "-m", "venv", "--without-pip", "environment", at=place)
    assert made.returncode == 0, made.stderr
    pip = (sys.executable, "-m", "pip", "--python", str(place / "environment"), "--quiet", "install")
    for words in (("--require-hashes", "-r", str(TOP / "requirements" / "run.lock")), ("--no-deps", str(wheel))):
        done = run(*pip, *words, at=place)
        assert done.returncode == 0, done.stderr
    return place / "environment" / "bin"


def test_the_wheel_holds_the_package_and_its_three_trees_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    outside = [name for name in names if not name.startswith(("piranha/", "piranha_lvs-"))]
    assert outside == []
    for tree in ("templates", "static", "grammar"):
        ours = {path.relative_to(TOP).as_posix() for path in (TOP / tree).rglob("*") if path.is_file()}
        assert ours
        assert {f"piranha/{name}" for name in ours} <= set(names)


def test_the_installed_wheel_carries_the_manual_page_of_the_language(installed: Path) -> None:
    page = installed.parent / "share" / "man" / "man5" / "lvs.cf.5"
    assert page.read_bytes() == (TOP / "docs" / "man" / "lvs.cf.5").read_bytes()


def test_the_installed_programs_say_their_version_and_their_help(installed: Path, tmp_path: Path) -> None:
    for program in ("piranha", "pulse", "piranha-gui", "piranha-passwd"):
        told = run(installed / program, "--help", at=tmp_path)
        assert told.returncode == 0, told.stderr
        assert "Usage:" in told.stdout


def test_the_installed_wheel_parses_real_files(installed: Path, tmp_path: Path) -> None:
    files = sorted(CORPUS.glob("*.cf"))
    assert len(files) >= 10
    checked = run(installed / "piranha", "check", *files, at=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    broken = tmp_path / "broken.cf"
    broken.write_text("virtual x {\n     active = 1\n     nonsense\n")
    assert run(installed / "piranha", "check", broken, at=tmp_path).returncode == 1


def test_the_installed_wheel_serves_every_page_and_balances(
    installed: Path, start_demo: Callable[..., RunningDemo]
) -> None:
    demo = start_demo(program=installed / "piranha").wait_until_ready()
    assert set(Counter(demo.get() for _ in range(30)).values()) == {10}
    browser = PlainBrowser("127.0.0.1", demo.gui_port)
    browser.log_in(demo.password)
    pages = every_page(browser)
    assert {url: page.status for url, page in pages.items() if page.status != 200} == {}
    assert len(pages) >= 12

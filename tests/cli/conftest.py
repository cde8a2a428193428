"""The command `piranha` in this process, with what it printed and its exit code; and an engine of a module's own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from piranha.cli.main import main
from piranha.paths import Paths
from tests.cli.running_gui import Started, started

TEXT = """\
# the site's balancer
serial_no = 7
primary = 192.0.2.1
keepalive = 6
deadtime = 18
network = direct
virtual web {
     active = 1
     address = 192.0.2.10 eth0:1
     port = 80
     # the old machine
     server web1 {
         address = 10.0.0.1
         active = 1
         weight = 1
     }
     server web2 {
         address = 10.0.0.2
         active = 1
         weight = 2
     }
}
virtual "odd name" {
     active = 0
     address = 192.0.2.11 eth0:2
     port = 81
}
"""


@dataclass(frozen=True)
class Done:
    """What a command did: its exit code and its two outputs."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `piranha WORDS` in this process, on this test's root unless the words name one."""
    monkeypatch.delenv("PIRANHA_ROOT", raising=False)

    def done(*words: str | Path, root: Path = tmp_path / "root") -> Done:
        monkeypatch.setattr(sys, "argv", ["piranha", "--root", str(root), *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return Done(int(left.value.code or 0), told.out, told.err)

    return done


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A plain lvs.cf that no engine owns."""
    path = tmp_path / "plain.cf"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    """The root of a running engine without any lvs.cf."""
    paths = Paths(tmp_path_factory.mktemp("engine"))
    paths.lvs_cf.parent.mkdir(parents=True)
    words = [sys.executable, "-m", "piranha.cli.pulse", "--root", str(paths.root), "--data-path", "embedded"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "The engine runs" in line:
            break
    yield paths
    process.kill()
    process.communicate()


@pytest.fixture
def saved(engine: Paths) -> Paths:
    """The root of a running engine whose lvs.cf is TEXT."""
    engine.lvs_cf.write_text(TEXT)
    return engine


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Started]:
    """Give a function that starts piranha-gui as a process on this test's root."""
    with started(tmp_path) as starter:
        yield starter

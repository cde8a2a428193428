"""One save, and a failure at every system call that it makes, one after the other; see `faulty_saves`."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.faulty_saves import KINDS, OTHER_NAMES

TOP = Path(__file__).parents[2]
pytestmark = pytest.mark.debian


def run(folder: Path, kind: str) -> str:
    """Run the script and return what it prints."""
    assert shutil.which("strace"), "the Debian package strace is needed: .ci/apt-packages"
    words = [sys.executable, "-m", "tests.engine.faulty_saves", str(folder / "faults"), kind]
    done = subprocess.run(words, cwd=TOP, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_text_is_on_the_disk_before_the_name_moves_and_the_folder_after_it(tmp_path):
    """Of the hand edit's record, the save's record, and lvs.cf: write all, fsync, rename, fsync of the folder."""
    order, handles = [], {}
    for name, _, rest in json.loads(run(tmp_path, "none")):
        if name == "openat" and (opened := re.search(r'"([^"]+)".* = (\d+)$', rest)):
            handles[opened[2]] = Path(opened[1]).name
        elif name == "write" and (wrote := re.search(r"^(\d+), .*, (\d+)\) += (\d+)$", rest)):
            assert wrote[2] == wrote[3], "a piece only"
            order.append(f"write {handles[wrote[1]]}")
        elif name == "fsync":
            order.append(f"fsync {handles[rest.split(')')[0]]}")
        elif OTHER_NAMES.get(name, name) == "rename":
            order.append("rename {} {}".format(*(Path(path).name for path in re.findall(r'"([^"]+)"', rest))))
    assert [re.sub(r"\.[a-z0-9_]{8}\.new", ".NEW", each) for each in order] == [
        "write .00000003.version.NEW",
        "fsync .00000003.version.NEW",
        "rename .00000003.version.NEW 00000003.version",
        "fsync history",
        "write .00000004.pending.NEW",
        "fsync .00000004.pending.NEW",
        "rename .00000004.pending.NEW 00000004.pending",
        "fsync history",
        "write .lvs.cf.NEW",
        "fsync .lvs.cf.NEW",
        "rename .lvs.cf.NEW lvs.cf",
        "fsync ha",
        "rename 00000004.pending 00000004.version",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_failure_at_any_system_call_leaves_the_old_file_or_the_new_one_and_a_true_history(tmp_path, kind):
    found = json.loads(run(tmp_path, kind))
    assert found["complaints"] == []
    assert found["faults"] >= 10

"""One save, again and again, each time with a failure at another one of its system calls, which strace injects.

`python -m tests.engine.faulty_saves FOLDER KIND` injects at every call that the failure fits to, and prints as JSON how
many that were and what was wrong after them. KIND "none" prints the calls themselves. The saver is a child of this
process, which has everything imported already, and strace attaches to it: a fault costs some 50 milliseconds.
"""

import ctypes
import json
import os
import re
import select
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from piranha.engine.history import Bounds
from piranha.engine.keeper import ConfigKeeper
from piranha.errors import ConfigUnavailable
from piranha.paths import Paths
from tests.engine.saved_texts import CALLER, next_save, text_of

BOUNDS = Bounds(versions=2)
OLD, NEW = text_of(3), text_of(4)
BEGINS, ENDS = "/piranha-save-begins", "/piranha-save-ends"
CALLED = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")
PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)
NOT_OF_FILES = {
    "brk",
    "mmap",
    "mremap",
    "munmap",
    "madvise",
    "mprotect",
    "getpid",
    "getrandom",
    "rt_sigaction",
    "futex",
}
"""They change nothing that outlives the process, and how many there are is the allocator's business."""
_CHANGING = {"openat", "mkdir", "rename", "unlink", "fchmod", "fchown"}
_STATUS = {"newfstatat", "stat", "lstat", "fstat", "statx"}
FITTING = {
    "EIO": None,
    "ENOSPC": {"openat", "mkdir", "write", "fsync", "rename", "close", "flock", "fchmod"},
    "EACCES": _CHANGING | _STATUS,
    "EROFS": _CHANGING,
    "EDQUOT": {"openat", "mkdir", "write", "rename", "close"},
}
"""Which error at which calls; None: at all."""
OTHER_NAMES = {"mkdirat": "mkdir", "renameat": "rename", "renameat2": "rename", "unlinkat": "unlink"}
"""What some machines call them."""
MARKS = "?access,?faccessat,?faccessat2"
KINDS = (*FITTING, "SIGKILL")
Call = tuple[str, int, str]
"""Name, number among the calls of that name, the rest of the line."""


def prepared(root: Path) -> Paths:
    """Make a root whose save has everything in it: a full history, and an lvs.cf that somebody wrote by hand."""
    paths = Paths(root)
    paths.lvs_cf.parent.mkdir(parents=True)
    for serial in (1, 2):
        paths.lvs_cf.write_bytes(text_of(serial))
        ConfigKeeper(paths, BOUNDS).catch_up()
    paths.lvs_cf.write_bytes(OLD)
    return paths


def save_between_marks(paths: Paths, go_ahead: int, told: int) -> None:
    """Be the saver: wait for the trace to begin, save, tell what came of it."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)  # where only a parent may trace
    select.select([go_ahead], [], [])  # no call that a save makes: it is not counted
    os.access(BEGINS, os.F_OK)
    try:
        answer = {"saved": ConfigKeeper(paths, BOUNDS).save(next_save(3), CALLER).serial_no}
    except ConfigUnavailable as error:
        answer = {"refused": str(error)}
    os.access(ENDS, os.F_OK)
    os.write(told, json.dumps(answer).encode())


def traced_save(paths: Paths, trace: Path, options: Sequence[str]) -> tuple[int, str]:
    """Do the save under strace; return how the saver ended (as waitpid says) and what it told."""
    go_reading, go_writing = os.pipe()
    told_reading, told_writing = os.pipe()
    saver = os.fork()
    if saver == 0:
        code = 1
        try:
            save_between_marks(paths, go_reading, told_writing)
            code = 0
        finally:
            os._exit(code)
    words = ["strace", "-s", "64", "-o", str(trace), *options, "-p", str(saver)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        attached = strace.stderr.readline()
        assert "attached" in attached, f"strace cannot trace here: {attached}"
        os.write(go_writing, b"!")
        _, status = os.waitpid(saver, 0)
        strace.stderr.read()
    os.close(told_writing)
    told = os.read(told_reading, 65536).decode()
    for handle in (go_reading, go_writing, told_reading):
        os.close(handle)
    return status, told


def calls_of_a_save(folder: Path) -> list[Call]:
    """Return every system call of a save that succeeds."""
    paths = prepared(folder / "root")
    status, told = traced_save(paths, folder / "trace", ("-e", "trace=all"))
    assert (status, told, paths.lvs_cf.read_bytes()) == (0, '{"saved": 4}', NEW), (status, told)
    counted: Counter[str] = Counter()
    found: list[Call] = []
    is_inside = False
    for line in (folder / "trace").read_text(errors="replace").splitlines():
        called = CALLED.match(line)
        if called is None:
            continue
        name, rest = called.groups()
        counted[name] += 1
        is_inside = is_inside and ENDS not in rest
        if is_inside:
            found.append((name, counted[name], rest))
        is_inside = is_inside or BEGINS in rest
    return found


def fits(kind: str, name: str) -> bool:
    """Say whether a failure can come from a call."""
    wanted = FITTING.get(kind)
    return OTHER_NAMES.get(name, name) in wanted if wanted is not None else name not in NOT_OF_FILES


def complaint(folder: Path, kind: str, call: Call) -> str:
    """Return what is wrong after a save with this failure, "" if nothing is."""
    name, number, rest = call
    folder.mkdir()
    paths = prepared(folder / "root")
    inject = "signal=SIGKILL" if kind == "SIGKILL" else f"error={kind}"
    options = ("-e", f"trace={name},{MARKS}", "-e", f"inject={name}:{inject}:when={number}")
    try:
        status, told = traced_save(paths, folder / "trace", options)
        trace = (folder / "trace").read_text(errors="replace")
        before, mark, _ = trace.partition("killed by SIGKILL" if kind == "SIGKILL" else "INJECTED")
        assert mark and BEGINS in before and ENDS not in before, "it was not injected into the save"
        check_answer(kind, status, told, paths)
        check_history(paths)
    except AssertionError as error:
        return f"{kind} at call {number} of {name}({rest[:120]}: {error} {told[:400]}"
    shutil.rmtree(folder)
    return ""


def check_answer(kind: str, status: int, told: str, paths: Paths) -> None:
    """Compare what the saver told with what stands in lvs.cf."""
    present = paths.lvs_cf.read_bytes()
    assert present in (OLD, NEW), "lvs.cf is neither the old text nor the new one."
    if kind == "SIGKILL":
        assert os.WIFSIGNALED(status) and not told
        return
    assert status == 0, "the saver ended with a traceback."
    answer = json.loads(told)
    if "saved" in answer:
        assert answer["saved"] == 4 and present == NEW, "the save is told and was none."
        return
    sentence = answer["refused"]
    assert " " in sentence and str(paths.root) in sentence and "\n" not in sentence, "no clear sentence."
    is_said = "lvs.cf was written, but the disk did not confirm it" in sentence
    assert (present == NEW) == is_said, "the sentence is about another file than the one that stands there."


def check_history(paths: Paths) -> None:
    """Start anew, and compare the history with lvs.cf."""
    keeper = ConfigKeeper(paths, BOUNDS)
    keeper.clean_up()
    keeper.catch_up()
    history = keeper.history()
    assert not history.problem, history.problem
    assert history.versions[0].token == history.saved_token, "the newest version is not lvs.cf."
    for version in history.versions:
        assert version.is_certain and version.serial_no is not None
        assert keeper.version(version.number).text.encode() == text_of(version.serial_no), "a version is not its text."
        assert version.serial_no != 4 or (version.how, version.who) == ("save", "admin"), "the save is not told as one."
    serials = [version.serial_no for version in history.versions]
    # A version whose record could not be read just then is kept once more, as found.
    assert len(set(serials)) == len(serials) or any(version.how == "found" for version in history.versions)
    assert (4 in serials) == (paths.lvs_cf.read_bytes() == NEW), (
        "the history tells of a save that was none, or misses it."
    )
    names = [path.name for folder in (paths.lvs_cf.parent, paths.history) for path in folder.iterdir()]
    assert not [name for name in names if name.startswith(".") or name.endswith(".pending")], names


def main(folder: Path, kind: str) -> None:
    """Inject one kind of failure at every call that it fits to."""
    first = folder / "first"
    first.mkdir(parents=True)
    calls = calls_of_a_save(first)
    if kind == "none":
        print(json.dumps(calls))
        return
    chosen = [call for call in calls if fits(kind, call[0])]
    complaints = [complaint(folder / str(number), kind, call) for number, call in enumerate(chosen)]
    print(json.dumps({"faults": len(chosen), "complaints": [each for each in complaints if each]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""Start the lab's kernel, run a command in it, bring its output and its exit status back.

    python -m tests.lab.boot [--results FOLDER] COMMAND [ARGUMENT ...]

The kernel is Debian's user-mode-linux: an ordinary process that has IPVS and network namespaces and no network device,
so that nothing leaves it. Its root is the host's file system, read only under a layer in memory; the results folder
alone is writable. It needs root (the host's files are read as they are) and amd64.
"""

import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TOP = HERE.parents[1]
RESULTS = TOP / ".lab"
MEMORY = "2G"
LIMIT_S = 1650
PASSED_ON = ("PATH", "HOME", "LANG", "CI")
# The kernel says these at every start; what matters goes to the serial lines.
CHATTER = re.compile(r"SELinux|mmapper_init|Failed to initialize ubd|sysrq: Power|reboot: Power")


def missing() -> str:
    """Return why there can be no lab here, or ""."""
    if platform.machine() != "x86_64":
        return f"the lab's kernel exists for amd64 only, and this is {platform.machine()}"
    if os.geteuid() != 0:
        return "the lab needs root: it reads the whole file system of this machine as it is"
    absent = [name for name in ("linux.uml", "unshare", "ip", "ipvsadm", "cc") if shutil.which(name) is None]
    absent += [] if Path("/bin/busybox").exists() else ["busybox"]
    return f"the lab needs {', '.join(absent)}: run .ci/apt-install" if absent else ""


def run(command: list[str], results: Path = RESULTS, limit_s: float = LIMIT_S) -> int:
    """Run a command in a fresh kernel; its standard output and error are ours. Return its exit status.

    The kernel dying, or taking longer than the limit, is status 125.
    """
    results = results.absolute()
    results.mkdir(parents=True, exist_ok=True)
    (results / "status").unlink(missing_ok=True)
    _write_start(results, command)
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        words = _kernel_words(results, Path(folder))
        environment = {**os.environ, "LD_PRELOAD": _built(HERE / "xstate.c", Path(folder))}
        # A kernel that is process 1 of its namespace never ends after a panic, so a shell stands above it.
        above = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; :', "lab"]
        kernel = subprocess.Popen(
            [*above, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(7, 8),
            start_new_session=True,
            env=environment,
            text=True,
            errors="replace",
        )
        try:
            said, _ = kernel.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(kernel.pid, signal.SIGKILL)
            said, _ = kernel.communicate()
            print(f"lab: the kernel was stopped after {limit_s:g} s", file=sys.stderr)
    for line in said.splitlines():
        if line.strip() and not CHATTER.search(line):
            print(f"lab kernel: {line}", file=sys.stderr)
    try:
        return int((results / "status").read_text())
    except (OSError, ValueError):
        return 125


def _write_start(results: Path, command: list[str]) -> None:
    """Write what process 1 becomes: the command with this environment, and then the end of the machine."""
    exports = "".join(f"export {name}={shlex.quote(os.environ[name])}\n" for name in PASSED_ON if name in os.environ)
    start = results / "start"
    start.write_text(
        "#!/bin/busybox sh\n"
        f"{exports}export PATH=$PATH:/usr/sbin:/sbin PIRANHA_LAB=1 TERM=dumb NO_COLOR=1\n"
        "exec >/dev/ttyS0 2>/dev/ttyS1 </dev/null\n"
        "/bin/busybox stty -F /dev/ttyS0 -opost; /bin/busybox stty -F /dev/ttyS1 -opost\n"
        f"ip link set lo up; cd {shlex.quote(str(TOP))}\n"
        f"{shlex.join(command)}\n"
        f"echo $? > {shlex.quote(str(results / 'status'))}\n"
        "sync; echo o > /proc/sysrq-trigger; while :; do /bin/busybox sleep 1; done\n"
    )
    start.chmod(0o755)


def _built(source: Path, folder: Path) -> str:
    """Compile a library for the kernel to load, and return where it is."""
    library = folder / source.with_suffix(".so").name
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return str(library)


def _kernel_words(results: Path, folder: Path) -> list[str]:
    # The serial lines are file descriptors of this process, moved to numbers that nothing else has.
    os.dup2(sys.stdout.fileno(), 7)
    os.dup2(sys.stderr.fileno(), 8)
    return [
        "linux.uml", "umid=lab", f"uml_dir={folder}", f"mem={MEMORY}", "root=/dev/root", "rootfstype=hostfs",
        "rootflags=/", "ro", f"init={HERE / 'init'}", "panic=-1", "noreboot", "quiet", "con=null", "con0=null,fd:1",
        "ssl=null", "ssl0=null,fd:7", "ssl1=null,fd:8", f"lab_results={results}",
    ]  # fmt: skip


def main() -> None:
    """Run the command line in the lab."""
    if reason := missing():
        sys.exit(f"lab: {reason}")
    words, results = sys.argv[1:], RESULTS
    if words[:1] == ["--results"]:  # for two kernels at the same time
        results, words = Path(words[1]), words[2:]
    sys.exit(run(words or ["/bin/busybox", "sh"], results))


if __name__ == "__main__":
    main()

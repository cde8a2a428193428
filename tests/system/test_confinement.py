"""Giving up privileges, in processes of their own. What needs root is tried as root, the rest as whoever runs this."""

import os
import pwd
import subprocess
import sys
import textwrap
import time

import pytest

from piranha.system import confinement
from piranha.system.confinement import NotConfined, User, unprivileged

is_root = os.geteuid() == 0


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own."""
    head = "import os, resource, sys\nfrom piranha.system.confinement import *\n"
    return subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(code)], capture_output=True, text=True, timeout=30, check=False
    )


def test_what_is_left_is_nothing() -> None:
    done = run(
        """
        confine(unprivileged(), {resource.RLIMIT_NOFILE: 77, resource.RLIMIT_CORE: 0})
        told = dict(line.split(":", 1) for line in open("/proc/self/status"))
        print(*(told[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs")))
        print(0 in os.getresuid(), resource.getrlimit(resource.RLIMIT_NOFILE), oct(os.umask(0)))
        """
    )
    assert done.stderr == ""
    none = "0" * 16
    assert done.stdout == f"{none} {none} {none} {none} 1\nFalse (77, 77) 0o77\n"


def test_root_becomes_nobody_without_any_group_and_cannot_come_back() -> None:
    done = run(
        """
        user = unprivileged()
        confine(user)
        if user is not None:
            assert os.getresuid() == (user.uid,) * 3 and os.getresgid() == (user.gid,) * 3, os.getresuid()
            assert os.getgroups() == []
        for back in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0])):
            try:
                back()
            except PermissionError:
                continue
            sys.exit("root again")
        bounds = [line for line in open("/proc/self/status") if line.startswith("CapBnd")]
        assert user is None or bounds == ["CapBnd:\\t0000000000000000\\n"], bounds
        print("nobody")
        """
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "nobody\n")


def test_root_that_stays_root_is_refused() -> None:
    done = run(
        """
        try:
            confine(None)
        except NotConfined as problem:
            print(problem)
        """
    )
    assert done.stdout == ("The checks of the real servers are never made as root.\n" if is_root else "")


def test_who_is_not_root_cannot_become_another() -> None:
    done = run(
        """
        confine(unprivileged())
        try:
            confine(User("another", os.getuid() + 1, os.getgid() + 1))
        except NotConfined as problem:
            print(problem)
        """
    )
    assert done.stdout == "Privileges cannot be given up: Operation not permitted.\n"


def test_a_user_of_its_own_comes_before_nobody_and_root_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def user(name: str, uid: int) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", uid, uid, "", "/", "/bin/false"))

    users = {"nobody": user("nobody", 65534)}
    monkeypatch.setattr(confinement.os, "geteuid", lambda: 0)
    monkeypatch.setattr(confinement.pwd, "getpwnam", users.__getitem__)
    assert unprivileged() == User("nobody", 65534, 65534)
    users["piranha-nanny"] = user("piranha-nanny", 977)
    assert unprivileged() == User("piranha-nanny", 977, 977)
    users["piranha-nanny"] = user("piranha-nanny", 0)
    assert unprivileged() == User("nobody", 65534, 65534)
    del users["nobody"]
    with pytest.raises(NotConfined, match="There is no user piranha-nanny or nobody"):
        unprivileged()
    monkeypatch.setattr(confinement.os, "geteuid", lambda: 1000)
    assert unprivileged() is None


def test_it_dies_with_its_parent_and_is_refused_where_that_is_gone() -> None:
    done = run(
        """
        import subprocess, time
        code = "import os, sys, time; from piranha.system.confinement import *; confine(unprivileged()); " \\
            "tie_to(int(sys.argv[1])); print(os.getpid(), flush=True); time.sleep(60)"
        child = subprocess.Popen([sys.executable, "-c", code, str(os.getpid())], stdout=subprocess.PIPE, text=True)
        print(child.stdout.readline(), end="", flush=True)
        os.kill(os.getpid(), 9)
        """
    )
    child = int(done.stdout)
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at and os.path.exists(f"/proc/{child}/fd"):  # noqa: PTH110
        pass
    assert not os.path.exists(f"/proc/{child}/exe")  # noqa: PTH110
    orphan = run("tie_to(1 if os.getppid() != 1 else 2)")
    assert orphan.returncode == 1 and "is gone" in orphan.stderr


def test_the_process_list_has_its_name() -> None:
    assert run('named("nanny"); print(open("/proc/self/comm").read(), end="")').stdout == "nanny\n"

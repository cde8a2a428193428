"""Being run when it is due: asked of the kernel where it lets us, and no condition for anything."""

import ctypes
import gc
import os

import pytest

from piranha.system import punctual


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Return what the kernel was asked for; nothing is done."""
    found: list[tuple[object, ...]] = []

    class C:
        @staticmethod
        def mlockall(flags: int) -> int:
            found.append(("lock", flags))
            return 0

    monkeypatch.setattr(os, "sched_setscheduler", lambda pid, policy, param: found.append((pid, policy)))
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: C)
    monkeypatch.setattr(gc, "freeze", lambda: found.append(("freeze",)))
    return found


def test_this_process_and_not_its_children_is_preferred(asked: list[tuple[object, ...]]) -> None:
    punctual.prefer_this_process()
    assert asked[0] == (0, os.SCHED_RR | os.SCHED_RESET_ON_FORK)
    assert {each[0] for each in asked[1:]} == {"lock", "freeze"}


def test_without_the_privilege_it_goes_on(asked: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuses)
    punctual.prefer_this_process()
    assert ("freeze",) in asked
    monkeypatch.setattr(ctypes, "CDLL", refuses)
    punctual.prefer_this_process()
    assert asked.count(("freeze",)) == 2


def test_without_such_calls_it_goes_on(asked: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    monkeypatch.delattr(os, "sched_setscheduler")
    punctual.prefer_this_process()
    assert asked == [("freeze",)]

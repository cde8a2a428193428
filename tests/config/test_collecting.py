"""The collector is paused while a file is read, and as it was afterwards."""

import gc

import pytest

from piranha.config import document as documents
from piranha.config.collecting import collector_paused
from piranha.config.load import load


def test_it_is_off_inside_and_as_it_was_behind() -> None:
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_is_on_again_after_a_failure() -> None:
    with pytest.raises(ValueError, match="x"), collector_paused():
        raise ValueError("x")
    assert gc.isenabled()


def test_reading_a_file_pauses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    whole = documents.parse
    monkeypatch.setattr(documents, "parse", lambda text: (seen.append(gc.isenabled()), whole(text))[1])
    load("keepalive = 6\n")
    assert seen == [False]
    assert gc.isenabled()

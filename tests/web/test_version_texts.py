"""A text that does not change is sent by the engine once; which text it is about is asked every time."""

from collections.abc import Iterator

import pytest

from piranha.config.edits import SetValues
from piranha.engine.caller import Caller
from piranha.messages import SaveRequest
from piranha.web import version_texts
from tests.web.conftest import InProcessBrowser, KeeperEngine

DIFF = "/secure/history/diff?old={}&new={}"


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    for kept in (version_texts._versions, version_texts._running):
        kept.clear()
    yield


def saved(engine: KeeperEngine, **values: str) -> None:
    engine.keeper.save(SaveRequest([SetValues(path="virtual[http]", values=values)], []), Caller("root", ""))


def asked(engine: KeeperEngine) -> list[str]:
    """Return which texts were sent since the last time."""
    found = [each.name for each in engine.calls if each.name in ("version", "running")]
    engine.calls.clear()
    return found


def test_versions_and_what_runs_are_sent_once(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    saved(engine, reentry="44")
    first = browser.open(DIFF.format(1, 2))
    assert "+ reentry = 44" in first.text and asked(engine) == ["version", "version"]
    assert browser.open(DIFF.format(1, 2)).text == first.text
    assert "reentry = 44" in browser.open("/secure/history/version?number=2").text
    browser.open(DIFF.format(2, "running"))
    browser.open(DIFF.format(1, "running"))
    assert asked(engine) == ["running"]


def test_what_is_saved_and_what_runs_are_those_of_now(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    assert "They say the same" in browser.open(DIFF.format("running", "saved")).text
    saved(engine, reentry="45")
    assert "+ reentry = 45" in browser.open(DIFF.format("running", "saved")).text
    engine.apply_now()
    saved(engine, reentry="46")
    page = browser.open(DIFF.format("running", "saved"))
    assert "- reentry = 45" in page.text and "+ reentry = 46" in page.text


def test_a_file_is_always_the_one_on_the_disk(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    for _ in range(2):
        browser.open("/secure/history/version?number=1&as=file")
    assert asked(engine) == ["version", "version"]


def test_only_some_texts_are_kept(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    for number in range(10, 20):
        saved(engine, reentry=str(number))
    for number in range(1, 12):
        browser.open(f"/secure/history/version?number={number}")
    assert len(version_texts._versions) == version_texts.KEPT
    asked(engine)
    for number in (11, 1):
        browser.open(f"/secure/history/version?number={number}")
    assert asked(engine) == ["version"]

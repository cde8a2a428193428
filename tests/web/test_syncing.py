"""Checks 74, 75: compare with the partner, and send this router's configuration there, from REDUNDANCY."""

import pytest

from piranha.errors import ConfigUnavailable, NotPermitted, PiranhaError
from piranha.paths import Paths
from piranha.sync_messages import CopyState, Outcome, SyncAnswer, SyncRequest
from tests import pairs
from tests.web.conftest import InProcessBrowser, KeeperEngine, Watched
from tests.web.test_pair import stand
from tests.web.test_redundancy import PANEL, enabled

SYNC = f"{PANEL}/sync"
HERE = CopyState("a" * 64, 42, "a" * 64, 42, "", "", "d" * 64)
THERE = CopyState("b" * 64, 41, "c" * 64, 40, "", "", "e" * 64)
SENDS_ANYWAY = "Send it although it was edited there: what was edited is lost there"
DIFF = "--- there\n+++ here\n@@ -1 +1 @@\n-serial_no = 41\n+serial_no = 42 <b>\n"


@pytest.fixture
def paths(paths: Paths) -> Paths:
    """Give a root whose lvs.cf has two routers."""
    enabled(paths)
    return paths


def answer(outcome: Outcome, there: CopyState | None = THERE, after: CopyState | None = None) -> SyncAnswer:
    return SyncAnswer(outcome, f"It is {outcome} <so>.", "192.0.2.12", HERE, there, after, DIFF, "")


def asked(engine: KeeperEngine) -> list[SyncRequest]:
    return [call.what for call in engine.named("sync")]


def test_looking_asks_nobody_and_says_what_is_known(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched
) -> None:
    stand(engine, pairs.with_partner(has_same_config=False))
    page = browser.open(PANEL).press("SYNC")
    assert "Saved hereserial_no 7" in page.text and "Running there✖ another one than here" in page.text
    stand(engine, pairs.ORIGINAL)
    assert "Running there? unknown" in browser.open(SYNC).text
    assert asked(engine) == [] and watched.is_untouched()


def test_check_75_a_comparison_shows_both_serials_and_the_difference_and_changes_nothing(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched
) -> None:
    engine.sync = answer(Outcome.DIFFERENT)
    page = browser.open(SYNC).press("COMPARE")
    assert asked(engine) == [SyncRequest(False, True, True)]
    assert page.status == 200 and "They differ. It is different <so>." in page.text
    assert "serial_no 42, version aaaaaaaaaaaa" in page.text and "serial_no 41, version bbbbbbbbbbbb" in page.text
    assert "serial_no 40, version cccccccccccc" in page.text
    assert "+serial_no = 42 <b>" in page.text
    assert watched.is_untouched()


def test_check_74_a_sync_sends_it_and_reports(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.sync = answer(Outcome.SENT, after=HERE)
    page = browser.open(SYNC).press("SYNC")
    assert asked(engine) == [SyncRequest(False, False, True)]
    assert page.status == 200 and "Both routers have the same." in page.text
    assert "The other router, afterwards" in page.text
    assert "SYNC" not in [button.text for form in page.read.forms for button in form.buttons]


def test_to_send_over_an_edit_and_without_apply_has_to_be_said(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.sync = answer(Outcome.BOTH_EDITED)
    page = browser.open(SYNC).press("SYNC")
    assert page.status == 409 and "It was edited on the other router." in page.text
    page.fill(f"{SENDS_ANYWAY}, but for the history of that router.", "1")
    page.fill("Do not apply it there: what runs there goes on.", "1").press("SYNC")
    assert asked(engine)[1:] == [SyncRequest(True, False, False)]


@pytest.mark.parametrize(
    "outcome", [each for each in Outcome if not each.is_good and each not in (Outcome.DIFFERENT, Outcome.BOTH_EDITED)]
)
def test_check_75_whatever_fails_is_told_with_what_is_known_of_both(
    browser: InProcessBrowser, engine: KeeperEngine, outcome: Outcome, watched: Watched
) -> None:
    engine.sync = answer(outcome, there=None)
    page = browser.open(SYNC).press("SYNC")
    assert page.status == 409 and f"They are not the same. It is {outcome} <so>." in page.text
    assert "serial_no 42" in page.text and "? unknown" in page.text
    assert watched.is_untouched()


@pytest.mark.parametrize(
    ("problem", "status"),
    [(ConfigUnavailable("The audit cannot be written."), 503), (NotPermitted("You may not."), 403)],
)
def test_what_the_engine_refused_is_told(
    browser: InProcessBrowser, engine: KeeperEngine, problem: PiranhaError, status: int
) -> None:
    page = browser.open(SYNC)
    engine.refusing = problem
    page = page.press("SYNC")
    assert page.status == status and f"Nothing was done. {problem}" in page.text


def test_a_form_without_a_button_does_nothing(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    page = browser.open(SYNC)
    token = next(made.value for form in page.read.forms for _, made in form.fields if made.name == "csrf_token")
    sent = browser.raw("POST", SYNC, f"csrf_token={token}&force=1")
    assert sent.status_code == 400 and asked(engine) == []


def test_check_76_the_page_lists_the_files_that_are_not_sent(browser: InProcessBrowser) -> None:
    assert "TO BE COPIED TO THE BACKUP ROUTER" in browser.open(SYNC).text

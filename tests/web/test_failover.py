"""HAND OVER, TAKE OVER, HOLD, RELEASE: a page says what will happen, a POST does it, the result is told."""

from dataclasses import replace

import pytest

from piranha.errors import EditRefused, EngineUnavailable, NotPermitted, PiranhaError
from piranha.monitoring import FailoverAnswer, FailoverCommand
from piranha.paths import Paths
from piranha.router_status import PartnerStatus
from tests import pairs
from tests.web.conftest import InProcessBrowser, KeeperEngine, Watched
from tests.web.test_pair import stand
from tests.web.test_redundancy import PANEL, enabled

HELD = replace(pairs.passive(), state="held")


@pytest.fixture
def paths(paths: Paths) -> Paths:
    """Give a root whose lvs.cf has two routers."""
    enabled(paths)
    return paths


@pytest.mark.parametrize(
    ("status", "caption", "command"),
    [
        (pairs.WELL, "HAND OVER", FailoverCommand.HAND_OVER),
        (pairs.passive(), "TAKE OVER", FailoverCommand.TAKE_OVER),
        (pairs.passive(), "HOLD", FailoverCommand.HOLD),
        (HELD, "RELEASE", FailoverCommand.RELEASE),
    ],
)
def test_a_button_asks_first_and_then_does_it(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched, status, caption: str, command: FailoverCommand
) -> None:
    stand(engine, status)
    page = browser.open(PANEL).press(caption)
    assert page.read.headings[0] == caption and engine.named("failover") == []
    assert "Shall this be done?" in page.text
    page = page.press(caption)
    assert [call.what for call in engine.named("failover")] == [command]
    assert engine.named("failover")[0].user == "piranha"
    assert page.read.headings[0] == "REDUNDANCY"
    assert f"Done: {caption}: Handing over by command." in page.text
    assert watched.is_untouched()


def test_the_page_says_who_serves_before_and_after_and_that_the_partner_is_unknown(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    stand(engine, pairs.WELL)
    text = browser.open(f"{PANEL}/failover?do=hand-over").text
    assert "Serves nowthis router" in text and "Serves afterwards192.0.2.12" in text
    stand(engine, replace(pairs.passive(), partner=PartnerStatus("192.0.2.11")))
    text = browser.open(f"{PANEL}/failover?do=hold").text
    assert "Serves nowunknown: 192.0.2.11 is not heard" in text
    assert "Serves afterwards▲ unknown: 192.0.2.11 is not heard" in text
    assert "With this router held it may stay so." in text


def test_what_makes_no_sense_now_cannot_be_sent_and_says_why(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, pairs.WELL)
    page = browser.open(f"{PANEL}/failover?do=release")
    assert "That makes no sense now: This router is not held." in page.text
    assert [button.text for form in page.read.forms for button in form.buttons] == ["LOG OUT"]


def test_what_pulse_refused_is_told_with_its_reason(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, pairs.WELL)
    page = browser.open(PANEL).press("HAND OVER")
    engine.failover = FailoverAnswer(False, ("not handed over: the partner is <not> ready",))
    page = page.press("HAND OVER")
    assert page.status == 409
    assert "Nothing was done. Not handed over: the partner is <not> ready." in page.text


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (EngineUnavailable("Nobody listens."), 503),
        (NotPermitted("You may not."), 403),
        (EditRefused("", "command", "There is no failover here."), 422),
    ],
)
def test_what_the_engine_refused_is_told(
    browser: InProcessBrowser, engine: KeeperEngine, problem: PiranhaError, status: int
) -> None:
    stand(engine, pairs.WELL)
    page = browser.open(PANEL).press("HAND OVER")
    engine.refusing = problem
    page = page.press("HAND OVER")
    assert page.status == status and f"Nothing was done. {problem}" in page.text


def test_without_failover_nothing_can_be_asked_for(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, None)
    assert "That cannot be asked for now: This engine runs the embedded data path" in (
        browser.open(f"{PANEL}/failover?do=hold").text
    )
    engine.is_dead = True
    assert "That cannot be asked for now: The engine does not answer" in browser.open(f"{PANEL}/failover?do=hold").text


@pytest.mark.parametrize("word", ["", "stop", "start", "<b>", "HAND OVER"])
def test_a_word_that_is_no_command_does_nothing(browser: InProcessBrowser, engine: KeeperEngine, word: str) -> None:
    stand(engine, pairs.WELL)
    assert browser.open(f"{PANEL}/failover?do={word}").read.headings[0] == "REDUNDANCY"
    page = browser.open(PANEL).press("HAND OVER")
    token = next(made.value for form in page.read.forms for _, made in form.fields if made.name == "csrf_token")
    answer = browser.raw("POST", f"{PANEL}/failover", f"csrf_token={token}&do={word}")
    assert answer.status_code == 303 and engine.named("failover") == []

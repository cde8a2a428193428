"""Apply with confirmation: the countdown on every page, CONFIRM, REVERT NOW, and what came of it."""

import re
from dataclasses import replace

import pytest

from piranha.errors import ConfigUnavailable, EngineUnavailable, NotPermitted
from piranha.paths import Paths
from piranha.records import EngineEvent, EventsQuery
from tests.plain_browser import Page
from tests.web.conftest import AT, LVS_CF, Clock, InProcessBrowser, KeeperEngine, Watched

PLAN, COUNTDOWN = "/secure/plan", "/secure/confirm"
UNLESS = "Apply, and undo unless I confirm"
SECONDS = "within so many seconds"


@pytest.fixture
def plan(browser: InProcessBrowser, paths: Paths) -> Page:
    """Give the plan of an lvs.cf that is not what runs."""
    paths.lvs_cf.write_text(LVS_CF.replace("serial_no = 7", "serial_no = 8").replace("reentry = 15", "reentry = 44"))
    return browser.open(PLAN)


@pytest.fixture
def countdown(plan: Page) -> Page:
    """Give the page that Apply with confirmation leads to."""
    return plan.press(UNLESS)


def runs(paths: Paths) -> str:
    found = re.search(r"reentry = (\d+)", paths.running_cf.read_text())
    assert found is not None
    return found[1]


@pytest.mark.parametrize("seconds", ["30", "60", "300", " 45 "])
def test_apply_with_confirmation_runs_it_and_leads_to_the_countdown(
    plan: Page, engine: KeeperEngine, paths: Paths, seconds: str
) -> None:
    token = engine.keeper.saved().token
    assert plan.value(SECONDS) == "60"
    page = plan.fill(SECONDS, seconds).press(UNLESS)
    assert engine.named("apply")[-1].what == (token, False, False, int(seconds))
    assert page.url.endswith(COUNTDOWN)
    assert runs(paths) == "44"
    assert "Confirm it until 2026-11-23 10:31:00." in page.text
    assert f"{int(seconds)} seconds are left, until 2026-11-23 10:31:00" in page.text
    assert "piranha from 127.0.0.1 applied serial_no 8 at 2026-11-23 10:30:00." in page.text
    assert "Unless it is confirmed by then, serial_no 7 runs again" in page.text


@pytest.mark.parametrize("seconds", ["29", "301", "", "abc", "-60", "1e2", "60.0", "٦٠", "9" * 40, "<b>"])
def test_seconds_out_of_range_are_told_at_their_field_and_what_was_chosen_stays(
    plan: Page, engine: KeeperEngine, paths: Paths, seconds: str
) -> None:
    page = plan.fill(SECONDS, seconds).fill(
        "Take removed servers out at once, without draining: their connections are cut.", "1"
    )
    page = page.press(UNLESS)
    assert page.status == 422
    assert "Write a whole number from 30 to 300." in page.text
    assert page.value(SECONDS) == seconds[:20]
    assert 'name="removes_at_once" value="1" checked' in page.html
    assert engine.named("apply") == []
    assert runs(paths) == "15"


def test_a_plain_apply_does_not_look_at_the_seconds(plan: Page, engine: KeeperEngine) -> None:
    page = plan.fill(SECONDS, "nonsense").press("Apply")
    assert engine.named("apply")[-1].what[3] == 0
    assert page.url.endswith("/secure/control")
    assert "Applied: lvs.cf with serial_no 8 is what runs now." in page.text
    assert "CONFIRM" not in page.text


def test_enter_in_the_field_of_seconds_is_the_careful_button(plan: Page) -> None:
    (form,) = (form for form in plan.read.forms if any(made.name == "confirm_s" for _, made in form.fields))
    assert [(button.name, button.value) for button in form.buttons] == [("do", "confirm"), ("do", "apply")]


def test_every_page_says_what_waits_and_has_both_buttons(
    browser: InProcessBrowser, countdown: Page, engine: KeeperEngine, every_secure_page: list[str]
) -> None:
    assert engine.waits is not None
    for address in [*every_secure_page, "/secure/nothing-here"]:
        page = browser.open(address)
        assert "Applied, but not confirmed yet. 60 seconds are left, until 2026-11-23 10:31:00" in page.text, address
        buttons = [button.text for form in page.read.forms for button in form.buttons]
        assert buttons.count("CONFIRM") == buttons.count("REVERT NOW") == 1, address
        assert f'name="token" value="{engine.waits[0].token}"' in page.html, address
        assert page.read.scripts == 1 and 'src="/static/js/countdown.js"' in page.html, address
    assert browser.open("/secure/help").follow("To the countdown").url.endswith(COUNTDOWN)


def test_without_one_that_waits_no_page_has_the_banner_or_the_script(
    browser: InProcessBrowser, every_secure_page: list[str]
) -> None:
    for address in every_secure_page:
        page = browser.open(address)
        assert "not confirmed yet" not in page.text, address
        assert page.read.scripts == 0
    assert "No Apply waits for a confirmation." in browser.open(COUNTDOWN).text


def test_confirm_from_any_page_lets_it_run_on(
    browser: InProcessBrowser, countdown: Page, engine: KeeperEngine, paths: Paths
) -> None:
    assert engine.waits is not None
    token = engine.waits[0].token
    page = browser.open("/secure/virtual_servers").press("CONFIRM")
    called = engine.named("confirm")[-1]
    assert (called.what, called.user, called.from_) == (token, "piranha", "127.0.0.1")
    assert page.url.endswith("/secure/control")
    assert "Confirmed: lvs.cf with serial_no 8 goes on running." in page.text
    assert "not confirmed yet" not in page.text
    assert runs(paths) == "44"
    assert "The Apply by piranha was confirmed." in browser.open(COUNTDOWN).text


def test_revert_now_brings_back_what_ran_says_why_and_where_the_other_text_is(
    countdown: Page, engine: KeeperEngine, paths: Paths
) -> None:
    page = countdown.press("REVERT NOW")
    assert engine.named("revert")[-1].user == "piranha"
    assert page.status == 200 and page.url.endswith(COUNTDOWN)
    assert "The last Apply was taken back." in page.text
    assert "What ran before runs again, and is lvs.cf again." in page.text
    assert runs(paths) == "15"
    assert paths.lvs_cf.read_text() == LVS_CF.replace("serial_no = 7", "serial_no = 9")
    assert "version 2 of the history" in page.text
    assert "+ reentry = 44" in page.follow("See what it changes").text
    restored = page.follow("restore it").press("RESTORE version 2")
    assert "reentry = 44" in paths.lvs_cf.read_text()
    assert "lvs.cf is not what runs." in restored.text


def test_after_a_revert_by_itself_the_page_of_the_countdown_says_so_and_why(
    browser: InProcessBrowser, countdown: Page, engine: KeeperEngine
) -> None:
    engine.end_waiting("reverted", "The Apply by <b>piranha</b> of 10:30 was not confirmed.")
    page = browser.open(COUNTDOWN)
    assert "The Apply by <b>piranha</b> of 10:30 was not confirmed." in page.text
    assert "every text that was applied is in the history" in page.text
    assert page.follow("PLAN").status == 200
    assert engine.named("events")[-1].what == EventsQuery(kind="confirmed,reverted", limit="1")


def test_what_the_engine_says_after_a_revert_stands_on_the_plan_too(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    engine.beside["messages"] = ("The Apply by piranha was not confirmed. What ran before runs again.",)
    assert "What ran before runs again." in browser.open(PLAN).text


def test_a_second_apply_is_refused_with_the_sentence_and_what_was_chosen_stays(
    browser: InProcessBrowser, plan: Page, engine: KeeperEngine, paths: Paths
) -> None:
    plan.press(UNLESS)
    paths.lvs_cf.write_text(paths.lvs_cf.read_text().replace("reentry = 44", "reentry = 55"))
    again = plan.fill(SECONDS, "222").press(UNLESS)
    assert again.status == 422
    assert "Nothing was applied. The Apply by piranha waits for its confirmation." in again.text
    assert again.value(SECONDS) == "222"
    assert runs(paths) == "44"
    told = browser.open(PLAN)
    assert re.search("Apply is refused: ?The Apply by piranha waits for its confirmation.", told.text)
    assert "Apply" not in [button.text for form in told.read.forms for button in form.buttons]
    told.press("CONFIRM")
    assert browser.open(PLAN).press("Apply").url.endswith("/secure/control")
    assert runs(paths) == "55"


@pytest.mark.parametrize("button", ["CONFIRM", "REVERT NOW"])
def test_too_late_is_told_and_changes_nothing(
    countdown: Page, engine: KeeperEngine, paths: Paths, button: str, watched: Watched
) -> None:
    engine.end_waiting("reverted", "The Apply by piranha was not confirmed.")
    text = paths.lvs_cf.read_text()
    page = countdown.press(button)
    assert page.status == 409
    assert "Nothing was done. No Apply waits for a confirmation." in page.text
    assert "The Apply by piranha was not confirmed." in page.text
    assert paths.lvs_cf.read_text() == text


def test_only_the_apply_that_the_page_showed_is_confirmed(countdown: Page, engine: KeeperEngine) -> None:
    assert engine.waits is not None
    other = (replace(engine.waits[0], token="0" * 64, serial_no=99), engine.waits[1])
    engine.waits = other
    page = countdown.press("CONFIRM")
    assert page.status == 409
    assert engine.waits == other
    assert "applied serial_no 99" in page.text


def test_a_form_without_token_or_button_confirms_nothing(
    browser: InProcessBrowser, countdown: Page, engine: KeeperEngine
) -> None:
    fields = [(made.name, made.value) for form in countdown.read.forms for _, made in form.fields]
    csrf = next(pair for pair in fields if pair[0] == "csrf_token")
    assert browser.send(COUNTDOWN, [csrf, ("do", "confirm"), ("token", "")]).status == 409
    assert [call.what for call in engine.named("confirm")] == ["-"]
    for button in ([], [("do", "nonsense")]):
        page = browser.send(COUNTDOWN, [csrf, *[pair for pair in fields if pair[0] == "token"], *button])
        assert page.status == 400 and "No button was named." in page.text
    assert engine.waits is not None


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (ConfigUnavailable("The disk is full. It still waits."), 503),
        (NotPermitted("The user piranha may not confirm."), 403),
        (EngineUnavailable("The engine did not answer within 15 seconds."), 503),
    ],
)
def test_what_the_engine_refuses_is_told_and_still_waits(
    countdown: Page, engine: KeeperEngine, refusal: Exception, status: int
) -> None:
    engine.refusing = refusal
    page = countdown.press("CONFIRM")
    assert page.status == status
    assert f"Nothing was done. {refusal}" in page.text
    assert "Applied, but not confirmed yet." in page.text
    engine.refusing = None
    assert page.press("CONFIRM").status == 200


def test_a_revert_that_the_disk_refuses_is_told_and_offers_no_button(
    browser: InProcessBrowser, countdown: Page, engine: KeeperEngine
) -> None:
    assert engine.waits is not None
    engine.waits = (
        replace(engine.waits[0], problem="running.cf cannot be written (No space left).", remaining_s=0.0),
        b"",
    )
    page = browser.open(COUNTDOWN)
    assert "the disk refuses that: running.cf cannot be written (No space left)." in page.text
    assert "CONFIRM" not in [button.text for form in page.read.forms for button in form.buttons]
    assert 'http-equiv="refresh"' in page.html


def test_where_nothing_ran_before_the_banner_says_that_nothing_runs_again(
    browser: InProcessBrowser, countdown: Page, engine: KeeperEngine
) -> None:
    assert engine.waits is not None
    engine.waits = (replace(engine.waits[0], before_token="", before_serial_no=None, who="<i>x", remaining_s=0.2), b"")
    page = browser.open(COUNTDOWN)
    assert "Unless it is confirmed by then, nothing runs again, as before." in page.text
    assert "<i>x from 127.0.0.1 applied" in page.text
    # 0 is told only when it is over.
    assert "1 seconds are left" in page.text


def test_the_countdown_refreshes_itself_without_javascript_and_that_is_no_activity(
    browser: InProcessBrowser, countdown: Page, clock: Clock
) -> None:
    found = re.search(
        r'<noscript><meta http-equiv="refresh" content="5; url=(/secure/confirm\?refreshed=1)"></noscript>',
        countdown.html,
    )
    assert found is not None
    for _ in range(7):
        clock.now += 5 * 60
        page = browser.open(found[1])
        if page.url.endswith("refreshed=1") and page.status == 200 and "/login" not in page.url:
            continue
        break
    assert "Your session has ended." in page.text


def test_whoever_looks_while_the_engine_is_gone_goes_on_looking(
    browser: InProcessBrowser, countdown: Page, engine: KeeperEngine
) -> None:
    engine.is_dead = True
    page = browser.open(f"{COUNTDOWN}?refreshed=1")
    assert page.status == 200
    assert "is taken back in time all the same" in page.text
    assert 'http-equiv="refresh"' in page.html and page.read.scripts == 1
    assert 'http-equiv="refresh"' not in browser.open(COUNTDOWN).html
    engine.is_dead = False
    assert "Applied, but not confirmed yet." in browser.open(f"{COUNTDOWN}?refreshed=1").text


def test_when_it_is_over_nothing_is_refreshed_any_more(
    browser: InProcessBrowser, countdown: Page, engine: KeeperEngine
) -> None:
    assert engine.waits is not None
    engine.waits = None
    engine.events = [EngineEvent(1, AT, "confirmed", "", "The Apply was confirmed by root.")]
    page = browser.open(f"{COUNTDOWN}?refreshed=1")
    assert 'http-equiv="refresh"' not in page.html and page.read.scripts == 0
    assert "The Apply was confirmed by root." in page.text


def test_the_script_is_served_and_the_policy_lets_it_run(browser: InProcessBrowser, countdown: Page) -> None:
    assert browser.answer is not None
    policy = browser.answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy and "connect-src 'self';" in policy and "unsafe" not in policy
    answer = browser.raw("GET", "/static/js/countdown.js")
    assert answer.status_code == 200 and answer.mimetype == "text/javascript"
    assert "data-seconds" in answer.get_data(as_text=True)

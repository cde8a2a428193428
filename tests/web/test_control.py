"""CONTROL/MONITORING as the reference checks it (gui.md 7, 39 to 45), and what came to it: STOP, drains that end,
thousands of servers, refreshing in place.
"""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from piranha.errors import ConfigUnavailable, ConfirmationPending, NotPermitted
from piranha.paths import Paths
from piranha.router_status import RoleStatus
from piranha.status import AddressState, AddressStatus, Health, HealthState, OverrideStatus, RunState, Source
from piranha.web.monitor import lasting_s
from tests.plain_browser import Page
from tests.web.conftest import AT, LATER, Clock, InProcessBrowser, KeeperClient, KeeperEngine, Watched

PANEL = "/secure/control"
FRAGMENT = "/secure/control/fragment"
STOP = "/secure/control/stop"
WEB1 = "virtual[http].server[web1]"
BYTES_MAX = 300_000


def buttons(page: Page) -> list[str]:
    return [button.text for form in page.read.forms for button in form.buttons if button.text]


# The checks of the reference


def test_7_39_stopped_is_shown_and_table_and_processes_are_empty_with_an_explanation(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    browser.open(STOP).press("STOP LVS")
    page = browser.open(PANEL)
    assert f"Daemon: ■ stopped – by piranha at {AT}" in page.text
    assert "LVS is not running: there is nothing to show. START runs lvs.cf as it is saved." in page.text
    assert "LVS is not running, so there are none. The engine itself is up (process 4711)" in page.text
    assert "192.0.2.80" not in page.text and "keeps lvs.cf 75 s" not in page.text
    engine.is_dead = True
    page = browser.open(PANEL)
    assert "Daemon: ? unknown" in page.text
    assert "The engine does not answer, so nothing is known." in page.text
    assert "Nothing is known of them." in page.text


def test_7_40_running_is_shown_with_the_routing_table_and_the_processes(browser: InProcessBrowser) -> None:
    text = browser.open(PANEL).text
    assert "Daemon: ● running" in text
    assert "TCP 192.0.2.80:80 wlc (http)" in text
    assert re.search(r"web1\s*192.0.2.21:80\s*\? unknown\s*1\s*3\s*1\s*44", text)
    assert re.search(r"lvs\s*4711\s*keeps lvs.cf\s*75 s", text)
    assert "1 virtual servers" not in text and "One virtual server; 2 real servers: ● 0 up, ? 2 not known yet" in text


def test_7_40_the_forwarding_method_stands_with_the_address(
    browser: InProcessBrowser, engine: KeeperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = KeeperClient._server
    monkeypatch.setattr(
        KeeperClient, "_server", lambda client, server: replace(plain(client, server), forwarding="direct routing")
    )
    assert re.search(r"web1\s*192.0.2.21:80 direct routing", browser.open(PANEL).text)


def test_7_41_auto_update_with_an_empty_interval_is_every_10_seconds_and_shows_10(browser: InProcessBrowser) -> None:
    page = browser.open(PANEL).fill("Auto update", "1").fill("Update Interval", "").press("Update information now")
    assert page.value("Update Interval") == "10"
    assert re.search(r'<noscript><meta http-equiv="refresh" content="10; url=[^"]+"></noscript>', page.html)
    assert 'data-seconds="10"' in page.html


@pytest.mark.parametrize(("typed", "told"), [("3", "raised to 10 seconds"), ("<b>x", "is a whole number of seconds")])
def test_7_42_an_interval_below_10_is_10_and_a_word_is_an_error(
    browser: InProcessBrowser, typed: str, told: str
) -> None:
    page = browser.open(PANEL).fill("Auto update", "1").fill("Update Interval", typed).press("Update information now")
    assert told in page.text
    assert ('http-equiv="refresh" content="10;' in page.html) == (typed == "3")
    assert "<b>x" not in page.html


def test_7_43_auto_update_is_off_after_another_tab_and_back(browser: InProcessBrowser) -> None:
    page = browser.open(f"{PANEL}?auto=1&interval=20")
    assert 'http-equiv="refresh"' in page.html and "monitor.js" in page.html
    page = page.follow("REDUNDANCY").follow("CONTROL/MONITORING")
    assert "http-equiv" not in page.html and "monitor.js" not in page.html and "data-url" not in page.html


def test_7_44_update_information_now_asks_anew_and_shows_the_new_time(
    browser: InProcessBrowser, engine: KeeperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = KeeperClient._status
    page = browser.open(PANEL)
    assert "Read at 2026-11-23 10:30:00" in page.text
    later = "2026-11-23T10:30:07+00:00"
    monkeypatch.setattr(KeeperClient, "_status", lambda client: replace(plain(client), at=later))
    asked = len(engine.named("status"))
    assert "Read at 2026-11-23 10:30:07" in page.press("Update information now").text
    assert len(engine.named("status")) == asked + 1


def test_7_45_change_password_explains_and_changes_nothing(browser: InProcessBrowser, paths: Paths) -> None:
    before = paths.passwd.read_bytes()
    page = browser.open(PANEL).follow("CHANGE PASSWORD")
    for words in (
        "the user piranha",
        "piranha-passwd",
        "The change takes effect immediately",
        "a dictionary",
    ):
        assert words in page.text
    assert [form.action for form in page.read.forms if form.method == "post"] == ["/logout"]
    assert paths.passwd.read_bytes() == before


# STOP, START and RELOAD


def test_a_stop_says_first_what_it_ends_and_does_nothing_before_it_is_confirmed(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched
) -> None:
    page = browser.open(PANEL).press("STOP")
    assert "Shall LVS be stopped on this router?" in page.text
    assert "one virtual server, 6 connections that are open now, at once: this data path carries them" in page.text
    assert "the checks of 2 real servers." in page.text
    assert "until it is started here or with piranha start, or until the router boots anew." in page.text
    assert engine.named("stop") == [] and engine.state is RunState.RUNNING
    page = page.press("STOP LVS")
    assert [call.user for call in engine.named("stop")] == ["piranha"]
    assert page.url.endswith(PANEL)
    assert "LVS is stopped: one virtual server was taken down, addresses first." in page.text
    assert buttons(page).count("START") == 1 and "STOP" not in buttons(page) and "RELOAD" not in buttons(page)
    assert "LVS is stopped already: by piranha" in browser.open(STOP).text
    assert "LVS is stopped: by piranha" in browser.open("/secure/virtual_servers").text
    page = browser.open(PANEL).press("START")
    assert "LVS runs lvs.cf, serial_no 7." in page.text and engine.state is RunState.RUNNING
    assert watched.is_untouched()


def test_a_start_with_errors_in_lvs_cf_is_told_loudly(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    browser.open(STOP).press("STOP LVS")
    engine.unsafe = "broken"
    page = browser.open(PANEL).press("START")
    assert "▲ Warning: lvs.cf has errors <in> what would run." in page.text


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (ConfigUnavailable("The disk is full."), 503),
        (NotPermitted("Not for you."), 403),
        (ConfirmationPending("It waits."), 409),
    ],
)
def test_a_stop_and_a_start_that_are_refused_say_why(
    browser: InProcessBrowser, engine: KeeperEngine, problem: Exception, code: int
) -> None:
    page = browser.open(STOP)
    engine.refusing = problem
    page = page.press("STOP LVS")
    assert page.status == code and f"Nothing was stopped. {problem}" in page.text
    engine.state, engine.reason = RunState.STOPPED, "stopped by ann"
    page = browser.open(PANEL).press("START")
    assert page.status == code and f"LVS was not started. {problem}" in page.text


def test_without_an_engine_the_page_of_the_stop_says_that_there_is_none(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    engine.is_dead = True
    page = browser.open(STOP)
    assert "The engine does not answer, so it cannot be stopped from here." in page.text
    assert "STOP LVS" not in buttons(page)


def test_an_idle_engine_can_be_started_and_stopped(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.state, engine.reason = RunState.IDLE, "lvs.cf was never applied"
    page = browser.open(PANEL)
    assert {"START", "STOP", "RELOAD"} <= set(buttons(page))


def test_reload_leads_to_the_plan_and_applies_nothing(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    page = browser.open(PANEL).press("RELOAD")
    assert page.read.headings[0] == "PLAN" and engine.named("apply") == []


def test_the_role_and_the_partner_are_told(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    assert "Roleactive, the only router" in browser.open(PANEL).text
    engine.beside["role"] = RoleStatus(True, "192.0.2.12")
    assert "Roleactive; the other router is 192.0.2.12" in browser.open(PANEL).text
    engine.beside["role"] = RoleStatus(False, "192.0.2.11", "This router is the backup.")
    assert "Rolepassive – This router is the backup.; the other router is 192.0.2.11" in browser.open(PANEL).text


# Drains that end


@pytest.mark.parametrize(
    ("lasts", "minutes", "seconds"),
    [
        ("", "", 0),
        ("15m", "", 900),
        ("1h", "7", 3600),
        ("4h", "", 14400),
        ("24h", "", 86400),
        ("own", "90", 5400),
        ("own", " 1 ", 60),
        ("own", "527040", 527040 * 60),
        ("own", "527041", None),
        ("own", "", None),
        ("own", "0", None),
        ("own", "-5", None),
        ("own", "1.5", None),
        ("own", "٣", None),
        ("own", "9" * 30, None),
        ("nonsense", "5", 0),
    ],
)
def test_how_long_a_drain_lasts(lasts: str, minutes: str, seconds: int | None) -> None:
    assert lasting_s(lasts, minutes) == seconds


@pytest.mark.parametrize(
    ("chosen", "minutes", "for_s"),
    [("until cleared", "", 0), ("1 hour", "", 3600), ("so many minutes:", "90", 5400)],
)
def test_a_drain_lasts_as_long_as_is_chosen(
    browser: InProcessBrowser, engine: KeeperEngine, chosen: str, minutes: str, for_s: int
) -> None:
    page = browser.open(PANEL).fill("A new drain lasts", chosen).fill("So many minutes", minutes).press("Drain web1")
    assert engine.named("override")[-1].what == (WEB1, "drain", 0, "", for_s)
    ends = "That ends at 2026-11-23 11:30:00." in page.text
    assert ends == bool(for_s)


def test_minutes_that_are_none_are_refused_and_what_was_chosen_stays(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    page = browser.open(f"{PANEL}?auto=1&interval=20")
    page = page.fill("A new drain lasts", "so many minutes:").fill("So many minutes", "a <lot>").press("Drain web1")
    assert page.status == 422 and engine.named("override") == []
    assert "Write whole minutes, from 1 to 527040." in page.text
    assert page.value("So many minutes") == "a <lot>" and "<lot>" not in page.html
    assert '<option value="own" selected>' in page.html
    page = page.fill("So many minutes", "5").press("Drain web1")
    assert engine.named("override")[-1].what[-1] == 300 and "?auto=1&interval=20" in page.url
    page = page.fill("A new drain lasts", "so many minutes:").fill("So many minutes", "").press("Undrain web1")
    assert page.status == 200 and engine.named("clear")[-1].what == (WEB1, "drain"), "an end has no end"


def test_the_countdown_and_the_connections_that_are_left_stand_in_the_row_and_in_the_list(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    drain = OverrideStatus(1, "drain", WEB1, WEB1, 0, "ann", "192.0.2.7", AT, LATER, 725.0)
    engine.overrides.append(drain)
    text = browser.open(PANEL).text
    assert "Drained by hand, ends in 12 min; still 3 connections." in text
    assert re.search(
        r"http / web1 is drained\s*ann from 192.0.2.7\s*2026-11-23 10:30:00\s*2026-11-23 11:30:00 \(in 12 min\)", text
    )
    engine.overrides[0] = replace(drain, until="", ends_in_s=None)
    text = browser.open(PANEL).text
    assert "Drained by hand; still 3 connections." in text and re.search(r"10:30:00\s*it is cleared", text)
    engine.overrides[0] = OverrideStatus(1, "weight", WEB1, WEB1, 4, "ann", "", AT, LATER, 59.0)
    assert "Weight 4 by hand, ends in 59 s." in browser.open(PANEL).text


def test_enter_in_the_field_of_the_minutes_drains_nobody_and_keeps_the_time(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    page = browser.open(PANEL)
    form = next(form for form in page.read.forms if any(made.name == "minutes" for _, made in form.fields))
    first = form.buttons[0]
    assert (first.name, first.text) == ("keep", "Keep the time of drains"), "Enter presses the first button"
    page = page.fill("A new drain lasts", "so many minutes:").fill("So many minutes", "45").press(first.text)
    assert engine.named("override") == [] and page.value("So many minutes") == "45"
    page = page.press("Drain web1")
    assert engine.named("override")[-1].what[-1] == 45 * 60 and page.value("So many minutes") == "45"
    assert page.fill("So many minutes", "x").press(first.text).status == 422


def test_a_form_without_a_button_does_nothing(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    page = browser.open(PANEL)
    form = next(form for form in page.read.forms if any(made.name == "minutes" for _, made in form.fields))
    answer = browser.send(form.action, [(made.name, made.value) for _, made in form.fields])
    assert answer.status == 400 and "Nothing was done. No button was named." in answer.text
    assert engine.named("override") == []


# Thousands of servers


@pytest.fixture
def many(paths: Paths, engine: KeeperEngine) -> Callable[[int, int], None]:
    """Give a function that makes so many virtual servers with so many real servers run."""

    def make(virtuals: int, servers: int) -> None:
        text = ["serial_no = 7\nservice = lvs\n"]
        for number in range(1, virtuals + 1):
            high, low = divmod(number, 250)
            text.append(f"virtual farm{number} {{\n active = 1\n address = 10.200.{high}.{low + 1} eth0:1\n")
            for each in range(1, servers + 1):
                address = f"10.{high}.{low}.{each % 250 + 1}"
                text.append(f" server web{each} {{\n  address = {address}\n  active = 1\n }}\n")
            text.append("}\n")
        paths.lvs_cf.write_text("".join(text))
        engine.apply_now()

    return make


def services(page: Page) -> list[str]:
    return re.findall(r"<h3>.*?\((\w+)\)</span></h3>", page.html)


def test_many_virtual_servers_come_page_by_page_and_say_of_how_many(
    browser: InProcessBrowser, many: Callable[[int, int], None]
) -> None:
    many(1020, 3)
    page = browser.open(PANEL)
    assert "1-20 of 1,020." in page.text and "Page 1 of 51" in page.text
    assert services(page) == [f"farm{number}" for number in range(1, 21)]
    page = page.follow("Next page")
    assert "21-40 of 1,020." in page.text and services(page)[0] == "farm21"
    page = page.follow("Last page")
    assert "1,001-1,020 of 1,020." in page.text and services(page)[-1] == "farm1020"
    assert services(browser.open(f"{PANEL}?page=9999")) == services(page) and len(services(page)) == 20
    assert services(browser.open(f"{PANEL}?page=nonsense"))[0] == "farm1"
    assert "1,020 virtual servers; 3,060 real servers:" in page.text


def test_page_and_search_stay_over_auto_update_and_a_drain(
    browser: InProcessBrowser, engine: KeeperEngine, many: Callable[[int, int], None]
) -> None:
    many(60, 2)
    page = browser.open(f"{PANEL}?page=2").fill("Auto update", "1").press("Update information now")
    assert services(page)[0] == "farm21" and "page=2" in page.url
    refresh = re.search(r'http-equiv="refresh" content="10; url=([^"]+)"', page.html)
    assert refresh is not None and services(browser.open(refresh[1].replace("&amp;", "&")))[0] == "farm21"
    page = page.press("Drain web1 of farm21")
    assert engine.named("override")[-1].what[0] == "virtual[farm21].server[web1]"
    assert services(page)[0] == "farm21" and "auto=1" in page.url
    page = page.fill("Name or address", "farm3").press("Search")
    assert "auto=1" in page.url and "text=farm3" in page.url and "page" not in page.url
    assert services(page) == ["farm3", *(f"farm{number}" for number in range(30, 40))]
    assert "1-11 of 11 that were found, of 60 in all." in page.text
    assert services(page.follow("Show all"))[0] == "farm1"
    assert services(page.follow("stop")) == services(page)


def test_only_what_is_not_well(
    browser: InProcessBrowser, engine: KeeperEngine, many: Callable[[int, int], None]
) -> None:
    many(30, 2)
    up = Health(HealthState.UP, "answered", AT, Source("check", 1.0))
    engine.health = {f"web{number}": up for number in (1, 2)}
    engine.refused = lambda name: "Port taken." if name == "farm7" else ""
    page = browser.open(PANEL).fill("only what is not well", "trouble").press("Search")
    assert services(page) == ["farm7"] and "✖ Not served: Port taken." in page.text
    assert "✖ 1 of them not served" in page.text
    engine.refused = lambda name: ""
    assert "All is well: nothing to show." in browser.open(f"{PANEL}?only=trouble").text
    assert "Nothing is as looked for." in browser.open(f"{PANEL}?text=nobody").text


def test_a_virtual_server_with_many_real_servers_shows_some_and_leads_to_all_of_them(
    browser: InProcessBrowser, engine: KeeperEngine, many: Callable[[int, int], None]
) -> None:
    many(25, 60)
    page = browser.open(PANEL)
    assert "3 of 60 real servers are shown, those that are not well first." in page.text
    page = page.follow("All 60 of farm3")
    assert services(page) == ["farm3"] and engine.named("status")[-1].what.path == "virtual[farm3]"
    assert len(re.findall(r'<th scope="row">web\d+</th>', page.html)) == 60
    assert services(page.follow("All virtual servers"))[:2] == ["farm1", "farm2"]
    gone = browser.open(f"{PANEL}?virtual=virtual%5Bgone%5D")
    assert gone.status == 200 and "gone is not in what runs." in gone.text


@pytest.mark.parametrize("address", [PANEL, f"{PANEL}?only=trouble", f"{PANEL}?virtual=virtual%5Bfarm1%5D", FRAGMENT])
def test_no_page_is_large_however_many_servers_there_are(
    browser: InProcessBrowser, engine: KeeperEngine, many: Callable[[int, int], None], address: str
) -> None:
    many(25, 120)
    long = "a reason that is about as long as reasons get, with a time and an address in it"
    engine.health = {f"web{each}": Health(HealthState.DOWN, long, AT, Source("check", 1.0)) for each in range(200)}
    engine.beside["addresses"] = tuple(
        AddressStatus(f"10.9.{number}.1/32", "eth0", "eth0:1", "", AddressState.CONFLICT, long) for number in range(50)
    )
    assert 20_000 < len(browser.open(address).html.encode()) < BYTES_MAX


# Refreshing in place


def test_the_fragment_has_what_changes_and_nothing_else(browser: InProcessBrowser) -> None:
    page = browser.open(f"{PANEL}?auto=1&interval=30")
    found = re.search(r'id="polling"[^>]* data-url="([^"]+)" data-seconds="30"', page.html)
    assert found is not None
    fragment = browser.open(found[1].replace("&amp;", "&"))
    assert fragment.status == 200
    assert re.findall(r'^<div id="([a-z-]+)"', fragment.html, re.MULTILINE) == ["state", "read-at", "live"]
    assert "<html" not in fragment.html and "<script" not in fragment.html
    whole = re.search(r'<div id="live">(.*)</div>\n</form>', page.html, re.DOTALL)
    part = re.search(r'<div id="live">(.*)</div>', fragment.html, re.DOTALL)
    assert whole is not None and part is not None and whole[1] == part[1]


def test_the_fragment_is_no_activity_and_leads_to_the_log_in_when_the_session_is_over(
    browser: InProcessBrowser, clock: Clock
) -> None:
    page = browser.open(f"{PANEL}?auto=1")
    url = re.search(r'data-url="([^"]+)"', page.html)
    assert url is not None
    for _ in range(29):
        clock.now += 60
        assert browser.raw("GET", url[1].replace("&amp;", "&")).status_code == 200
    clock.now += 120
    answer = browser.raw("GET", url[1].replace("&amp;", "&"))
    assert answer.status_code == 303 and "/login" in answer.headers["Location"]


def test_only_the_time_of_the_reading_is_spoken(browser: InProcessBrowser) -> None:
    page = browser.open(f"{PANEL}?auto=1")
    assert re.findall(r'id="([a-z-]+)" aria-live="polite"', page.html) == ["read-at"]
    assert page.html.count("aria-live") == 1


def test_the_script_comes_from_here_and_is_needed_by_no_page(browser: InProcessBrowser, app: Flask) -> None:
    page = browser.open(f"{PANEL}?auto=1")
    assert re.findall(r"<script[^>]*>", page.html) == ['<script src="/static/js/monitor.js" defer>']
    answer = browser.raw("GET", "/static/js/monitor.js")
    assert answer.status_code == 200
    policy = browser.raw("GET", PANEL).headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "connect-src 'self'" in policy and "unsafe" not in policy

"""CONTROL/MONITORING, and the plan with Apply."""

import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from urllib.parse import urlencode

import pytest

from piranha.monitoring import StatusQuery
from piranha.paths import Paths
from piranha.status import (
    AddressState,
    AddressStatus,
    ConnectionTimeouts,
    EngineStatus,
    Health,
    HealthState,
    KernelStatus,
    PendingStep,
    Rates,
    RunState,
    SettingStatus,
    SettingVerdict,
    Source,
    SyncDaemonStatus,
)
from piranha.web.monitor import auto_update
from tests.web.conftest import InProcessBrowser, KeeperClient, KeeperEngine, Watched

PANEL = "/secure/control"


def test_what_runs_is_shown_with_health_weight_and_connections(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.health["web2"] = Health(
        HealthState.DOWN, "connection refused", "2026-11-23T10:29:00+00:00", Source("nanny", 2.5)
    )
    text = browser.open(PANEL).text
    assert "Daemon: ● running" in text
    assert "TCP 192.0.2.80:80 wlc (http)" in text
    assert re.search(r"web1\s*192.0.2.21:80\s*\? unknown", text)
    assert re.search(r"web2\s*192.0.2.22:80\s*✖ down\s*1\s*3\s*1\s*44\s*1.5 kB\s*2.5 MB\s*connection refused", text)
    assert "Since 2026-11-23 10:29:00." in text
    assert "Checked 2 s ago." in text
    assert "Read at 2026-11-23 10:30:00, the table 0 s before (embedded)." in text
    assert re.search(r"lvs\s*4711", text)
    assert "smtp" not in text


def test_stopped_says_why_and_shows_nothing_as_running(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.state, engine.reason = RunState.IDLE, "no virtual server is active"
    text = browser.open(PANEL).text
    assert "Daemon: ■ stopped – no virtual server is active" in text
    assert "LVS is not running: there is nothing to show." in text
    assert "192.0.2.80" not in text
    assert "LVS is stopped: no virtual server is active" in browser.open("/secure/virtual_servers").text


@pytest.mark.parametrize(
    ("is_asked", "typed", "is_on", "shown"),
    [
        (False, "", False, ""),
        (False, "20", False, "20"),
        (True, "", True, "10"),
        (True, "  ", True, "10"),
        (True, "10", True, "10"),
        (True, "25", True, "25"),
        (True, "9", True, "10"),
        (True, "0", True, "10"),
        (True, "99999", True, "3600"),
    ],
)
def test_the_interval_is_ten_seconds_or_more(is_asked: bool, typed: str, is_on: bool, shown: str) -> None:
    update = auto_update(is_asked, typed)
    assert (update.is_on, update.typed) == (is_on, shown)
    assert not is_on or update.interval_s == int(shown)


def test_auto_update_refreshes_says_so_and_ends_with_a_click(browser: InProcessBrowser) -> None:
    page = browser.open(PANEL)
    assert "http-equiv" not in page.html
    page = page.fill("Auto update", "1").press("Update information now")
    found = re.search(r'<meta http-equiv="refresh" content="10; url=([^"]+)">', page.html)
    assert found is not None
    assert page.value("Update Interval") == "10"
    assert "refreshed every 10 seconds" in page.text
    again = browser.open(found[1].replace("&amp;", "&"))
    assert 'http-equiv="refresh"' in again.html
    assert "http-equiv" not in again.follow("stop").html
    assert "http-equiv" not in again.follow("CONTROL/MONITORING").html


def test_a_raised_interval_is_told(browser: InProcessBrowser) -> None:
    assert "The interval was raised to 10 seconds" in browser.open(f"{PANEL}?auto=1&interval=3").text


@pytest.mark.parametrize("typed", ["soon", "-5", "1e3", "٣٠", '"><script>alert(1)</script>', "10; url=//evil"])
def test_an_interval_that_is_no_number_is_refused_and_never_echoed_raw(browser: InProcessBrowser, typed: str) -> None:
    page = browser.open(PANEL).fill("Auto update", "1").fill("Update Interval", typed).press("Update information now")
    assert page.status == 200
    assert "The interval is a whole number of seconds." in page.text
    assert "http-equiv" not in page.html
    assert "<script" not in page.html


def test_drain_and_undrain_are_asked_of_the_engine_and_stand_in_the_banner(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched
) -> None:
    page = browser.open(f"{PANEL}?auto=1&interval=20").press("Drain web1")
    assert engine.named("override")[-1].what == ("virtual[http].server[web1]", "drain", 0, "", 0)
    assert "http / web1 drains: it gets no new connections." in page.text
    assert page.url.endswith("auto=1&interval=20")
    assert "Set by hand: http / web1 is drained (piranha" in browser.open("/secure/virtual_servers").text
    page = browser.open(PANEL).press("Undrain web1")
    assert engine.named("clear")[-1].what == ("virtual[http].server[web1]", "drain")
    assert "Set by hand" not in page.text
    assert watched.is_untouched()


def test_an_override_can_be_cleared_from_its_list(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    browser.open(PANEL).press("Drain web2")
    assert browser.open(PANEL).press("Clear http / web2").status == 200
    assert engine.overrides == []


def test_an_override_that_the_engine_refuses_is_told(browser: InProcessBrowser) -> None:
    page = browser.open(PANEL)
    next(each for form in page.read.forms for each in form.buttons if each.text == "Drain web1").value = "virtual[gone]"
    refused = page.press("Drain web1")
    assert refused.status == 422
    assert "virtual[gone] is not in what runs." in refused.text


def test_the_banner_says_on_every_page_that_lvs_cf_is_not_what_runs(
    browser: InProcessBrowser, every_secure_page: list[str]
) -> None:
    for address in every_secure_page:
        assert "What is saved has not been applied." not in browser.open(address).text
    browser.open("/secure/virtual_server?virtual=virtual%5Bhttp%5D").fill("Re-entry Time", "44").press("ACCEPT")
    for address in every_secure_page:
        page = browser.open(address)
        assert "▲ lvs.cf is not what runs. What is saved has not been applied." in page.text, address
        assert ("See the difference, the plan, and apply it", "/secure/plan") in page.read.links


def test_the_plan_shows_diff_steps_and_impact_and_apply_runs_that_very_version(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    assert "There is nothing to apply." in browser.open("/secure/plan").text
    browser.open("/secure/virtual_server?virtual=virtual%5Bhttp%5D").fill("Re-entry Time", "44").press("ACCEPT")
    page = browser.open("/secure/plan")
    assert "-serial_no = 7" in page.text
    assert "+serial_no = 8 <b>" in page.text
    assert "Add TCP 192.0.2.80:80." in page.text
    assert "It has 312 connections." in page.text
    token = engine.keeper.saved().token
    page = page.press("Apply")
    assert engine.named("apply")[-1].what == (token, False, False, 0)
    assert "Applied: lvs.cf with serial_no 8 is what runs now. One step was taken." in page.text
    assert page.read.headings[0] == "CONTROL / MONITORING"
    assert "lvs.cf is not what runs" not in page.text
    assert paths.running_cf.read_bytes() == paths.lvs_cf.read_bytes()


def test_removed_servers_leave_at_once_only_if_asked(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    browser.open("/secure/virtual_server?virtual=virtual%5Bhttp%5D").fill("Re-entry Time", "44").press("ACCEPT")
    label = "Take removed servers out at once, without draining: their connections are cut."
    browser.open("/secure/plan").fill(label, "1").press("Apply")
    assert engine.named("apply")[-1].what[2] is True


def test_an_apply_of_what_was_not_seen_is_refused_with_the_new_plan(
    log_in: Callable[..., InProcessBrowser], paths: Paths
) -> None:
    form = "/secure/virtual_server?virtual=virtual%5Bhttp%5D"
    browser = log_in()
    browser.open(form).fill("Re-entry Time", "44").press("ACCEPT")
    page = browser.open("/secure/plan")
    log_in().open(form).fill("Re-entry Time", "45").press("ACCEPT")
    before = paths.running_cf.read_bytes()
    page = page.press("Apply")
    assert page.status == 409
    assert "lvs.cf was saved anew since this page was made. Nothing was applied." in page.text
    assert paths.running_cf.read_bytes() == before
    assert page.press("Apply").status == 200
    assert paths.running_cf.read_bytes() == paths.lvs_cf.read_bytes()


def test_errors_in_force_leave_no_apply_button(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    browser.open("/secure/virtual_server?virtual=virtual%5Bhttp%5D").fill("Re-entry Time", "44").press("ACCEPT")
    engine.unsafe = "virtual[http] has an error."
    page = browser.open("/secure/plan")
    assert "Apply is refused:" in page.text
    assert "virtual[http] has an error." in page.text
    assert "Apply" not in [button.text for form in page.read.forms for button in form.buttons]


def test_emptying_the_table_needs_a_tick(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    browser.open("/secure/virtual_server?virtual=virtual%5Bhttp%5D").fill("Re-entry Time", "44").press("ACCEPT")
    engine.unsafe = "It would empty the table."
    page = browser.open("/secure/plan").press("Apply")
    assert page.status == 422
    assert "Nothing was applied. It would empty the table." in page.text
    page = page.fill("Apply all the same. I have read why it is refused.", "1").press("Apply")
    assert page.status == 200
    assert engine.named("apply")[-1].what[1] is True


def test_a_wrong_interval_is_told_even_if_the_box_is_not_ticked(browser: InProcessBrowser) -> None:
    page = browser.open(PANEL).fill("Update Interval", "soon").press("Update information now")
    assert "The interval is a whole number of seconds." in page.text
    assert page.value("Update Interval") == "soon"
    assert 'id="auto" name="auto" value="1">' in page.html


def test_an_apply_that_names_no_version_applies_nothing(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    browser.open("/secure/virtual_servers").press("Deactivate http")
    page = browser.open("/secure/plan")
    for form in page.read.forms:
        form.fields = [each for each in form.fields if each[1].name != "token"]
    page = page.press("Apply")
    assert page.status == 409
    assert "Nothing was applied." in page.text
    assert engine.keeper.running_version() != engine.keeper.saved_version()


def test_a_tick_survives_an_apply_that_was_not_done(browser: InProcessBrowser, paths: Paths) -> None:
    browser.open("/secure/virtual_servers").press("Deactivate http")
    page = browser.open("/secure/plan")
    paths.lvs_cf.write_text(paths.lvs_cf.read_text() + "# one more line\n")
    page = page.fill("Take removed servers out at once, without draining: their connections are cut.", "1").press(
        "Apply"
    )
    assert page.status == 409
    assert 'name="removes_at_once" value="1" checked' in page.html


def test_messages_about_many_refused_services_fit_into_a_cookie(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    blocks = [
        f"virtual v{number} {{\n active = 1\n address = 203.0.113.{number} eth0:1\n}}\n" for number in range(1, 60)
    ]
    paths.lvs_cf.write_text(paths.lvs_cf.read_text() + "".join(blocks))
    engine.refused = lambda name: f"Address {sha256(name.encode()).hexdigest() * 5} is not on this machine."
    page = browser.open("/secure/plan")
    sent = urlencode(
        [(made.name, made.value) for form in page.read.forms[-1:] for _, made in form.fields if made.is_on]
    )
    answer = browser.raw("POST", "/secure/plan", sent)
    assert answer.status_code == 303
    assert max(len(cookie) for cookie in answer.headers.getlist("Set-Cookie")) < 4000
    text = browser.open(answer.headers["Location"]).text
    assert "Applied: lvs.cf" in text
    assert "57 more are not served; the table says why." in text


def test_rates_are_shown_where_the_data_path_tells_them(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    assert "Conn./s" not in browser.open(PANEL).text
    engine.rates = Rates(12, 340, 290, 51_000, 7_800_000)
    text = browser.open(PANEL).text
    assert re.search(r"44\s*1.5 kB\s*2.5 MB\s*12\s*51.0 kB 340 packets\s*7.8 MB 290 packets", text)


def test_steps_that_are_left_stand_with_the_reason_why_they_were_refused(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    assert "what it should be" not in browser.open(PANEL).text
    engine.beside["pending"] = (PendingStep("add real server 10.0.0.1:80", "the kernel has no scheduler <x>"),)
    text = browser.open(PANEL).text
    assert "The table is not what it should be: steps are refused." in text
    assert "add real server 10.0.0.1:80 – the kernel has no scheduler <x>" in text
    engine.beside["pending"] = (PendingStep("add real server 10.0.0.1:80"),)
    assert "The table is not yet what it should be." in browser.open(PANEL).text


def test_a_virtual_server_says_what_is_otherwise_than_asked_and_what_is_wrong_with_its_address(
    browser: InProcessBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Not as lvs.cf asks" not in browser.open(PANEL).text and "Its address" not in browser.open(PANEL).text
    fine = KeeperClient.status

    def status(client: KeeperClient, query: StatusQuery | None = None) -> EngineStatus:
        told = fine(client, query)
        http, *others = told.virtual_servers
        http = replace(http, differs="No scheduler <mh>.", address_trouble="There is no interface eth9.")
        return replace(told, virtual_servers=(http, *others))

    monkeypatch.setattr(KeeperClient, "status", status)
    page = browser.open(PANEL)
    section = page.html[page.html.index('<section class="service">') : page.html.index("</section>")]
    assert "<strong>✖ Not as lvs.cf asks:</strong> No scheduler &lt;mh&gt;.</p>" in section
    assert "<strong>✖ Its address:</strong> There is no interface eth9.</p>" in section
    assert "Not served" not in section


def test_what_is_not_ours_is_called_so(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    assert "NOT OURS" not in browser.open(PANEL).text
    engine.beside["foreign"] = ("SCTP 192.0.2.9:5060",)
    text = browser.open(PANEL).text
    assert text.index("NOT OURS") < text.index("SCTP 192.0.2.9:5060")


def test_a_floating_address_shows_its_state_and_a_second_owner(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.beside["addresses"] = (
        AddressStatus("192.0.2.80/24", "eth0", "eth0:1", "virtual[http]", AddressState.CARRIED, rounds=5, told_s_ago=9),
        AddressStatus(
            "192.0.2.81/24", "eth0", "eth0:2", "", AddressState.CONFLICT, "Another station has it.", "02:00:00:00:00:01"
        ),
    )
    text = browser.open(PANEL).text
    assert re.search(r"192.0.2.80/24\s*eth0:1\s*virtual\[http\]\s*● carried\s*9 s ago", text)
    assert re.search(
        r"192.0.2.81/24\s*eth0:2\s*nobody any more\s*✖ conflict\s*never\s*Another station has it. 02:00:00:00:00:01",
        text,
    )


def test_the_kernel_is_shown_with_the_command_for_what_does_not_fit(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    forward = SettingStatus(
        "net.ipv4.ip_forward", "0", SettingVerdict.WRONG, "1", "NAT needs it.", "sysctl -w net.ipv4.ip_forward=1"
    )
    engine.beside["kernel"] = KernelStatus(
        "1.2.1",
        4096,
        ConnectionTimeouts(900, 120, 300),
        (SyncDaemonStatus("master", "eth1", 7),),
        (forward,),
        "",
        Source("the kernel", 0.0),
    )
    text = browser.open(PANEL).text
    assert "1.2.1, connection table of 4096" in text
    assert "TCP 900 s, TCP after FIN 120 s, UDP 300 s" in text
    assert "master on eth1, id 7" in text
    assert re.search(
        r"net.ipv4.ip_forward\s*0\s*✖ wrong\s*NAT needs it. Type as root: sysctl -w net.ipv4.ip_forward=1", text
    )


def test_a_kernel_that_tells_nothing_is_unknown_with_the_reason(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    engine.beside["kernel"] = KernelStatus(
        "", None, None, None, (), "This kernel has no IPVS: modprobe ip_vs.", Source("the kernel", 0.0)
    )
    text = browser.open(PANEL).text
    assert "Not known: This kernel has no IPVS: modprobe ip_vs." in text
    assert "none runs" not in text

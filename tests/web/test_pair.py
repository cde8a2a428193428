"""REDUNDANCY and the top of every page: how the pair stands, and never well because nothing was heard."""

from dataclasses import replace
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.mofile import write_mo

from piranha.pair_texts import Text
from piranha.paths import Paths
from piranha.records import EngineEvent
from piranha.router_status import RedundancyStatus, RejectedStatus, RoleStatus
from piranha.status import RunState
from piranha.web import create_app, table_texts
from piranha.web.throttle import RequestRate
from tests import pairs
from tests.web.conftest import AT, LVS_CF, PASSWORD, InProcessBrowser, KeeperClient, KeeperEngine
from tests.web.test_redundancy import PANEL, enabled

GREEN = "word-active"


@pytest.fixture
def paths(paths: Paths) -> Paths:
    """Give a root whose lvs.cf has two routers."""
    enabled(paths)
    return paths


def stand(engine: KeeperEngine, status: RedundancyStatus | None) -> None:
    """Let the engine tell this pair."""
    engine.beside["redundancy"] = status
    if status is not None:
        engine.beside["role"] = pairs.role_of(status)


def state_of(html: str) -> str:
    """Return the part of the panel that says how the pair stands."""
    return html.partition("STATE OF THE PAIR")[2].partition("<h2>SETTINGS</h2>")[0]


def buttons(browser: InProcessBrowser) -> list[str]:
    page = browser.open(PANEL)
    return [button.text for form in page.read.forms for button in form.buttons]


def test_a_pair_that_is_well_is_told_with_all_there_is_to_know(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, pairs.WELL)
    text = browser.open(PANEL).text
    for part in (
        "This routerprimary, ● active – it has the floating addresses and balances; since 2026-11-23 10:00:00",
        "Other routerbackup 192.0.2.12, ○ passive",
        "heard 1.2 s ago",
        "Who servesthis router",
        "new Piranha, its heartbeats are signed with the shared key",
        "Its configuration● the same as here",
        "Readiness● ready to take over; 3 of 4 real servers up there, 2 of 2 virtual servers served",
        "keepalive 6 s, deadtime 18 s; the same there",
        "auto: the primary gets the addresses back when it was ready for 30 s",
        "Partner dead: activating lvs (nothing heard for 18.0 s).",
    ):
        assert part in text, part
    assert "Error:" not in text and "Datagrams that did not count" not in text


def test_every_channel_is_told_with_link_age_and_loss(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, replace(pairs.WELL, channels=(pairs.PUBLIC, replace(pairs.PRIVATE, link="down", loss=0.25))))
    html = state_of(browser.open(PANEL).html)
    public, private = html.split('<tr><th scope="row">')[1:3]
    assert "192.0.2.11" in public and "eth0" in public and "1.2 s ago" in public and "0 %" in public
    assert "● up" in public and "✖ down" not in public
    assert "✖ down" in private and "▲ 25 %" in private


def test_nothing_is_green_because_nothing_was_heard(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, replace(pairs.UNHEARD, state="passive", channels=()))
    html = state_of(browser.open(PANEL).html)
    assert GREEN not in html
    assert "never heard" in html and "unknown: 192.0.2.12 is not heard" in html
    assert html.count("? unknown") >= 3


def test_what_was_known_of_a_silent_partner_is_not_shown_as_known(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    stand(engine, replace(pairs.SILENT, state="passive", channels=()))
    html = state_of(browser.open(PANEL).html)
    assert GREEN not in html
    assert "has not been heard for 25 s" in html and "it was the same when it was heard last" in html


def test_an_old_word_of_pulse_is_not_how_it_stands_now(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, replace(pairs.WELL, age_s=40.0))
    html = state_of(browser.open(PANEL).html)
    assert GREEN not in html
    assert "pulse has told nothing for 40 s" in html and "it was active" in html
    assert buttons(browser)[1:3] == ["SYNC", "ACCEPT"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"has_same_config": False}, "What runs on 192.0.2.12 is another configuration than what runs here."),
        ({"keepalive_s": 2.0}, "✖ there keepalive 2 s, deadtime 18 s"),
        ({"state": "active"}, "▲ both routers"),
        ({"is_ready": False}, "✖ not ready to take over"),
    ],
)
def test_what_differs_is_told(
    browser: InProcessBrowser, engine: KeeperEngine, change: dict[str, object], told: str
) -> None:
    stand(engine, pairs.with_partner(**change))
    assert told in browser.open(PANEL).text


def test_check_75_a_drift_leads_to_sync_and_one_that_is_not_known_is_unknown(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    stand(engine, pairs.with_partner(has_same_config=False))
    assert browser.open(PANEL).follow("See what differs, and sync").read.headings[0] == "SYNC"
    stand(engine, pairs.with_partner(has_same_config=None))
    assert "Its configuration? unknown" in browser.open(PANEL).text


def test_without_a_key_a_new_partner_is_red_and_says_what_to_do(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    stand(engine, replace(pairs.with_partner(is_authentic=False), has_key=False))
    page = browser.open(PANEL)
    assert "✖ new Piranha, not authenticated: there is no shared key" in page.text
    assert "piranha pair, as root, on one of them." in page.text
    assert '<p class="message message-danger" role="alert">' in page.html


def test_an_original_partner_is_what_it_is(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, pairs.ORIGINAL)
    text = browser.open(PANEL).text
    assert "original Piranha, whose heartbeats nobody can sign" in text
    assert "Its configuration? unknown" in text and "Link there" not in text
    assert "Fail-backnone: the partner is an original router" in text


def test_fail_back_says_when_the_addresses_go_back(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, replace(pairs.WELL, failback_in_s=12.2))
    assert "they go back in 13 s" in browser.open(PANEL).text
    stand(engine, replace(pairs.WELL, failback="never"))
    assert "never: the addresses stay where they are" in browser.open(PANEL).text


def test_every_counter_says_what_to_look_at(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    rejected = (*pairs.UNHEARD.rejected, RejectedStatus("<b>a word of tomorrow", 1))
    stand(engine, replace(pairs.UNHEARD, rejected=rejected))
    page = browser.open(PANEL)
    assert "1,234" in page.text and "the key differs, or somebody forges heartbeats" in page.text
    assert "<b>a word" not in page.html and "a reason that this version does not know" in page.text


@pytest.mark.parametrize(
    ("status", "offered", "not_now"),
    [
        (pairs.WELL, ["HAND OVER"], "TAKE OVER: not now. This router is active already."),
        (pairs.passive(), ["TAKE OVER", "HOLD"], "HAND OVER: not now. This router is not active, it is passive."),
        (replace(pairs.passive(), state="held"), ["RELEASE"], "HOLD: not now. This router is held already."),
        (pairs.SILENT, [], "HAND OVER: not now. 192.0.2.12 is not heard, so it cannot take the addresses."),
    ],
)
def test_a_button_is_there_where_it_makes_sense_and_else_it_is_said_why_not(
    browser: InProcessBrowser, engine: KeeperEngine, status: RedundancyStatus, offered: list[str], not_now: str
) -> None:
    stand(engine, status)
    assert buttons(browser) == ["LOG OUT", *offered, "SYNC", "ACCEPT", "DISABLE"]
    assert not_now in browser.open(PANEL).text


@pytest.mark.parametrize(
    ("data_path", "told"),
    [
        ("embedded", "This engine runs the embedded data path, which has no second router"),
        ("kernel", "pulse has told nothing yet, or this engine is older than failover"),
    ],
)
def test_an_engine_without_failover_says_so(
    browser: InProcessBrowser, engine: KeeperEngine, monkeypatch: pytest.MonkeyPatch, data_path: str, told: str
) -> None:
    stand(engine, None)
    status = KeeperClient._status
    monkeypatch.setattr(KeeperClient, "_status", lambda self: replace(status(self), data_path=data_path))
    page = browser.open(PANEL)
    assert told in page.text
    assert GREEN not in state_of(page.html)
    assert buttons(browser) == ["LOG OUT", "SYNC", "ACCEPT", "DISABLE"]


def test_without_an_engine_nobody_knows(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, pairs.WELL)
    engine.is_dead = True
    page = browser.open(PANEL)
    assert "The engine does not answer, so nobody knows here which router is active." in page.text
    assert GREEN not in state_of(page.html) and "router1" not in page.text


def test_a_pair_that_runs_is_told_although_lvs_cf_has_it_no_more(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    paths.lvs_cf.write_text(LVS_CF)
    stand(engine, pairs.WELL)
    page = browser.open(PANEL)
    assert "Other routerbackup 192.0.2.12" in page.text and "Backup: ■ inactive" in page.text
    stand(engine, pairs.ALONE)
    assert "STATE OF THE PAIR" not in browser.open(PANEL).text


def test_a_pair_that_was_saved_and_not_applied_is_none_yet(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, pairs.ALONE)
    page = browser.open(PANEL)
    assert "none: what runs has no second router, so nothing takes over from this one." in page.text
    assert buttons(browser) == ["LOG OUT", "SYNC", "ACCEPT", "DISABLE"]


def test_what_failover_said_leads_to_all_of_it(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    stand(engine, pairs.WELL)
    engine.events = [
        EngineEvent(1, AT, "failover", "", "Released: this router may take over."),
        EngineEvent(2, AT, "saved", "", "lvs.cf was saved."),
    ]
    page = browser.open(PANEL).follow("All of it is in EVENTS")
    assert "Released: this router may take over." in page.text and "lvs.cf was saved." not in page.text


def test_every_sentence_about_the_pair_can_be_translated(paths: Paths, engine: KeeperEngine, tmp_path: Path) -> None:
    assert set(table_texts.texts()) >= {str(each) for each in Text}
    catalog = Catalog(locale="de")
    for each in Text:
        catalog.add(str(each), f"⟦{each}⟧")
    folder = tmp_path / "translations" / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalog)
    app = create_app(
        paths,
        engine_for=lambda user, from_: KeeperClient(engine, user, from_),
        rate=RequestRate(at_once=10**9),
        BABEL_DEFAULT_LOCALE="de",
        BABEL_TRANSLATION_DIRECTORIES=str(tmp_path / "translations"),
    )
    stand(engine, pairs.UNHEARD)
    browser = InProcessBrowser(app)
    assert browser.log_in(PASSWORD).status == 200
    text = browser.open(PANEL).text
    for part in ("⟦Nothing was ever heard of 192.0.2.12", "⟦it has the floating addresses", "⟦the key differs"):
        assert part in text
    assert "⟦This router is not held.⟧" in text


# The top of every page, and CONTROL/MONITORING


@pytest.mark.parametrize("address", ["/secure/control", "/secure/virtual_servers", "/secure/help", "/secure/plan"])
@pytest.mark.parametrize(
    ("status", "told"),
    [
        (pairs.WELL, "router1: primary, ● active; the other router, 192.0.2.12, is ○ passive"),
        (pairs.passive(), "router1: backup, ○ passive; the other router, 192.0.2.11, is ● active"),
        (pairs.SILENT, "router1: primary, ● active; ▲ the other router, 192.0.2.12, is unknown"),
        (
            pairs.with_partner(state="active"),
            "router1: primary, ● active; ✖ the other router, 192.0.2.12, is active too",
        ),
    ],
)
def test_every_page_says_which_router_this_is_and_warns_of_a_partner_that_is_unknown(
    browser: InProcessBrowser, engine: KeeperEngine, address: str, status: RedundancyStatus, told: str
) -> None:
    stand(engine, status)
    assert told in browser.open(address).text


@pytest.mark.parametrize(
    ("role", "state", "told"),
    [
        (RoleStatus(True), RunState.RUNNING, "router1: ● active"),
        (RoleStatus(True), RunState.STOPPED, "router1: ■ idle"),
        (RoleStatus(False, "192.0.2.11", "why"), RunState.RUNNING, "▲ the other router, 192.0.2.11, is unknown"),
    ],
)
def test_an_engine_that_tells_no_state_of_failover_claims_none(
    browser: InProcessBrowser, engine: KeeperEngine, role: RoleStatus, state: RunState, told: str
) -> None:
    engine.beside["role"], engine.state = role, state
    assert told in browser.open("/secure/plan").text


def test_monitoring_says_role_and_state_and_leads_to_redundancy(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    stand(engine, pairs.WELL)
    page = browser.open("/secure/control")
    assert "Roleprimary, ● active. REDUNDANCY" in page.text and "Other router192.0.2.12, ○ passive" in page.text
    stand(engine, pairs.SILENT)
    assert "Other router▲ 192.0.2.12 is unknown: it is not heard" in browser.open("/secure/control").text

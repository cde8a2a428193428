"""Try now on MONITORING SCRIPTS and REAL SERVER, and the page of the last check: shown, never saved, never believed."""

from dataclasses import replace

import pytest

from piranha.check_messages import TRIED_SERVERS_MAX, CheckFound, TryRequest
from piranha.config.check_kinds import CheckKind
from piranha.config.health_settings import CheckSettings
from piranha.engine.weighing import HealthSettings
from piranha.errors import Busy, ConfigUnavailable, EngineUnavailable, NotPermitted, PiranhaError
from piranha.health.check import Check, Verdict
from piranha.paths import Paths
from piranha.status import Health, HealthState, Source
from piranha.system.probes import Probed
from tests.plain_browser import Page
from tests.web.conftest import LVS_CF, InProcessBrowser, KeeperEngine, Watched

HTTP, WEB1 = "virtual[http]", "virtual[http].server[web1]"
SCRIPTS = "/secure/monitoring_scripts?virtual=virtual%5Bhttp%5D"
REAL = "/secure/real_server?server=virtual%5Bhttp%5D.server%5Bweb1%5D"
ADD = "/secure/real_server/add?virtual=virtual%5Bhttp%5D"
LAST = "/secure/check?server=virtual%5Bhttp%5D.server%5Bweb1%5D"
BYTES_MAX = 300_000


def asked(engine: KeeperEngine) -> list[TryRequest]:
    return [call.what for call in engine.named("try_checks")]


def is_harmless(page: Page) -> bool:
    return not [raw for raw in ("<xq-", "<script>alert", "alert(1)</script>") if raw in page.html]


@pytest.mark.parametrize("address", [SCRIPTS, REAL, ADD])
def test_to_look_at_a_form_tries_nothing(browser: InProcessBrowser, engine: KeeperEngine, address: str) -> None:
    page = browser.open(address)
    assert "TRY NOW" in page.text and "WHAT THE TRY FOUND" not in page.text
    assert asked(engine) == []


def test_what_is_typed_is_tried_against_all_servers_and_not_saved(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched
) -> None:
    page = browser.open(SCRIPTS).fill("Send", "quit").fill("Expect", "").press("Try now")
    assert page.status == 200
    assert asked(engine) == [TryRequest(HTTP, "", {"send": "quit", "expect": None})]
    assert engine.named("try_checks")[0].user == "piranha" and engine.named("try_checks")[0].from_ == "127.0.0.1"
    assert "2 of 2 good. Nothing was saved, and no state was changed by it." in page.text
    for name, address in (("web1", "192.0.2.21:80"), ("web2", "192.0.2.22:80")):
        assert f"{name} {address} ● good 0.012 s" in page.text
    assert "Sent: quit" in page.text
    assert [page.value(label) for label in ("Send", "Expect")] == ["quit", ""]
    assert watched.is_untouched()
    # The form is as good as before: what was tried is saved by the next ACCEPT.
    assert page.press("ACCEPT").status == 200
    assert '+      send = "quit"' in watched.changed_lines()


def test_one_server_can_be_chosen_and_stays_chosen(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    page = browser.open(SCRIPTS).fill("Against", "web2").press("Try now")
    assert [each.server for each in asked(engine)] == ["virtual[http].server[web2]"]
    assert "1 of 1 good." in page.text and "web1 192.0.2.21" not in page.text
    assert page.value("Against") == "virtual[http].server[web2]"


def test_what_a_server_answers_is_text_whatever_it_is(browser: InProcessBrowser) -> None:
    for page in (browser.open(SCRIPTS).press("Try now"), browser.open(REAL).press("Try now"), browser.open(LAST)):
        assert page.status == 200 and is_harmless(page)
    page = browser.open(SCRIPTS).press("Try now")
    assert r"Server: <xq-server>\"\xff\x00\r\n" in page.text
    assert "<script>alert(1)</script>" in page.text
    assert 'answered "HTTP/1.0 <xq-reason>"' in page.text


def test_a_bad_answer_is_bad_and_one_that_could_not_be_asked_is_neither(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    async def refuses(check: Check, address: object) -> Probed:
        return Probed(Verdict(False, f"connect to {address}:80 refused"), 0.001, b"", b"")

    engine.probe = refuses
    paths.lvs_cf.write_text(LVS_CF.replace("address = 192.0.2.22", "address = 0.0.0.0"))
    page = browser.open(SCRIPTS).press("Try now")
    assert "0 of 2 good." in page.text
    assert "✖ bad 0.001 s connect to 192.0.2.21:80 refused" in page.text
    assert "Sent: nothing" in page.text and "Received: nothing" in page.text
    assert "? not tried – virtual[http].server[web2] has no address." in page.text


@pytest.mark.parametrize(
    ("label", "text", "words"),
    [
        ("Expect", "a\tb", "Nothing was saved. Please correct:"),
        ("Send", r"\q", r"\q means nothing"),
        ("Sending Program", 'a"b', "Nothing was saved. Please correct:"),
    ],
)
def test_what_a_save_would_refuse_is_refused_beside_its_field(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched, label: str, text: str, words: str
) -> None:
    page = browser.open(SCRIPTS).fill(label, text).press("Try now")
    assert (page.status, page.value(label)) == (422, text)
    assert words in page.text and "Error:" in page.text
    assert asked(engine) == [] and watched.is_untouched()


def test_an_expression_that_is_none_is_refused_with_the_place(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    page = browser.open(SCRIPTS).fill("Treat expect string as a regular expression", "1").fill("Expect", "a(b")
    page = page.press("Try now")
    assert page.status == 422 and asked(engine) == []
    assert page.value("Expect") == "a(b"


@pytest.mark.parametrize("against", ["virtual[http].server[gone]", "virtual[smtp]", "<xq-a>", "\n", "x" * 5000])
def test_against_nobody_is_refused_at_its_list(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched, against: str
) -> None:
    page = browser.open(SCRIPTS)
    form = next(form for form in page.read.forms if "monitoring_scripts" in form.action)
    fields = [(made.name, made.value) for _, made in form.fields if made.is_on and made.name != "against"]
    page = browser.send(form.action, [*fields, ("against", against), ("try", "now")])
    assert page.status == 422 and is_harmless(page)
    assert "This virtual server has no such real server (any more)." in page.text
    assert asked(engine) == [] and watched.is_untouched()


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (Busy("2 tries are under way, and there are never more. Try again in a moment."), 429),
        (ConfigUnavailable("lvs.cf cannot be read."), 503),
        (EngineUnavailable("The engine did not answer POST /v1/try within 60 seconds."), 503),
        (NotPermitted("Only root may."), 403),
    ],
)
@pytest.mark.parametrize("address", [SCRIPTS, REAL, ADD])
def test_what_the_engine_refuses_is_said_and_what_was_typed_stays(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched, address: str, problem: PiranhaError, status: int
) -> None:
    page = browser.open(address)
    label, text = ("Send", "quit") if address == SCRIPTS else ("Address", "192.0.2.99")
    page.fill(label, text)
    engine.refusing = problem
    page = page.press("Try now")
    assert (page.status, page.value(label)) == (status, text)
    assert f"Nothing was tried. {problem} What you typed is still here." in page.text
    assert watched.is_untouched()


def test_a_silent_engine_is_said_too(browser: InProcessBrowser, engine: KeeperEngine, watched: Watched) -> None:
    page = browser.open(SCRIPTS).fill("Send", "quit")
    engine.is_dead = True
    page = page.press("Try now")
    assert (page.status, page.value("Send")) == (503, "quit")
    assert "Nothing was tried." in page.text and watched.is_untouched()


def test_a_real_server_is_tried_as_typed_before_it_is_saved(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched
) -> None:
    page = browser.open(REAL).fill("Address", "192.0.2.99").fill("Port", "8080").press("Try now")
    assert asked(engine) == [TryRequest(HTTP, WEB1, {}, {"address": "192.0.2.99", "port": "8080"})]
    assert "web1 192.0.2.99:8080 ● good" in page.text
    assert [page.value(label) for label in ("Address", "Port")] == ["192.0.2.99", "8080"]
    assert watched.is_untouched()
    assert page.press("ACCEPT").status == 200
    assert "+          address = 192.0.2.99" in watched.changed_lines()


def test_a_real_server_that_is_not_there_yet_is_tried_and_still_not_there(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched
) -> None:
    page = browser.open(ADD).fill("Name", "web3").fill("Address", "192.0.2.23").press("Try now")
    assert asked(engine) == [TryRequest(HTTP, "", {}, {"address": "192.0.2.23", "port": None})]
    assert page.status == 200 and "what is typed 192.0.2.23:80 ● good" in page.text
    assert [page.value(label) for label in ("Name", "Address")] == ["web3", "192.0.2.23"]
    assert watched.is_untouched()
    assert "Real server web3 is added." in page.press("ACCEPT").text


@pytest.mark.parametrize(
    ("label", "text"), [("Address", "0.0.0.0"), ("Address", ""), ("Address", "192.0.2.1:80"), ("Port", "http")]
)
@pytest.mark.parametrize("address", [REAL, ADD])
def test_an_address_that_is_none_is_refused_at_its_field(
    browser: InProcessBrowser, engine: KeeperEngine, watched: Watched, address: str, label: str, text: str
) -> None:
    page = browser.open(address).fill("Address", "192.0.2.99").fill(label, text).press("Try now")
    assert (page.status, page.value(label)) == (422, text)
    assert "Please correct:" in page.text
    assert asked(engine) == [] and watched.is_untouched()


def test_enter_in_a_field_saves_and_tries_nothing(browser: InProcessBrowser) -> None:
    for address in (SCRIPTS, REAL, ADD):
        form = next(form for form in browser.open(address).read.forms if form.method == "post" and form.fields[2:])
        assert form.buttons[0].name == ""


def test_with_very_many_servers_the_first_are_tried_and_the_page_stays_small(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    async def floods(check: Check, address: object) -> Probed:
        return Probed(Verdict(False, 'answered "' + "\\x00" * 48 + '"...'), 1.0, b'"' * 1024, b'"' * 1024)

    engine.probe = floods
    server = "     server {0} {{\n         address = 192.0.2.21\n         active = 1\n     }}\n"
    name = "n" * 55
    servers = "".join(server.format(f"{name}{n}") for n in range(1000))
    paths.lvs_cf.write_text(f"virtual http {{\n     active = 1\n     address = 192.0.2.80 eth0:1\n{servers}}}\n")
    page = browser.open(SCRIPTS)
    assert f"the first {TRIED_SERVERS_MAX} of 1,000 real servers" in page.text
    page = page.press("Try now")
    assert f"Only the first {TRIED_SERVERS_MAX} of 1,000 real servers were tried." in page.text
    assert f"0 of {TRIED_SERVERS_MAX} good." in page.text
    assert len(page.html.encode()) < BYTES_MAX


def test_a_long_timeout_is_told(browser: InProcessBrowser, paths: Paths) -> None:
    paths.lvs_cf.write_text(LVS_CF.replace("timeout = 6", "timeout = 60"))
    page = browser.open(SCRIPTS).press("Try now")
    assert "A check may take 60 s, a try 20 s: a server that answers between the two is bad here." in page.text


def test_a_check_that_piranha_toml_names_says_that_nothing_typed_is_used(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    words = "piranha.toml has it checked by HTTPS: Send, Expect and Sending Program are not used."
    assert words not in browser.open(SCRIPTS).press("Try now").text
    engine.health_settings = HealthSettings(checks=CheckSettings(kinds={"http": CheckKind("https")}))
    assert words in browser.open(SCRIPTS).press("Try now").text


def test_without_a_real_server_there_is_nobody_to_ask(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/monitoring_scripts?virtual=virtual%5Bsmtp%5D").press("Try now")
    assert page.status == 200 and "It has no real servers." in page.text


# The page of the last check


def checked(engine: KeeperEngine, found: CheckFound | None) -> None:
    engine.checked = found
    engine.health["web1"] = Health(HealthState.UP, "answered", "2026-11-23T10:00:00+00:00", Source("check", 2.5))


def test_the_page_of_one_virtual_server_leads_to_the_last_check_of_each_server(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    checked(engine, CheckFound(True, "answered", 0.0042, r"GET / HTTP/1.0\r\n\r\n", r"HTTP/1.0 200 OK\r\n"))
    assert "Sent and received" not in browser.open("/secure/control").text
    page = browser.open("/secure/control?virtual=virtual%5Bhttp%5D").follow("Sent and received web1")
    assert "LAST CHECK OF http / web1" in page.text
    for words in ("192.0.2.21:80", "● up since 2026-11-23 10:00:00", "2026-11-23 10:30:00, 2 s ago"):
        assert words in page.text
    assert "● good after 0.004 s: answered" in page.text
    assert r"Sent: GET / HTTP/1.0\r\n \r\nReceived: HTTP/1.0 200 OK\r\n" in page.text
    assert page.follow("BACK TO MONITORING").url.endswith("virtual=virtual%5Bhttp%5D")


def test_the_form_of_a_real_server_leads_there_too(browser: InProcessBrowser) -> None:
    assert "LAST CHECK OF http / web1" in browser.open(REAL).follow("How its last check went").text


def test_an_answer_that_was_cut_says_so(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    found = CheckFound(False, "no", 1.5, "", "x" * 1024, is_received_cut=True)
    checked(engine, found)
    page = browser.open(LAST)
    assert f"{'x' * 1024}..." in page.text and "✖ bad after 1.500 s: no" in page.text
    checked(engine, replace(found, is_received_cut=False))
    assert "x..." not in browser.open(LAST).text


def test_a_backslash_before_an_n_is_no_end_of_a_line(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    checked(engine, CheckFound(True, "ok", 0.1, "", r"one\ntwo\\nthree"))
    assert "one\\n\ntwo\\\\nthree" in browser.open(LAST).html


def test_one_that_was_not_checked_yet_or_is_not_says_so(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    engine.checked = None
    assert "Checkednot yet" in browser.open(LAST).text
    paths.lvs_cf.write_text(LVS_CF.replace("active = 1\n         weight", "active = 0\n         weight"))
    engine.apply_now()
    assert "Not checked: It is not active." in browser.open(LAST).text


@pytest.mark.parametrize("server", ["virtual%5Bhttp%5D.server%5Bgone%5D", "nonsense", "", "%3Cxq-a%3E", "a%0Ab"])
def test_one_that_does_not_run_is_not_there(browser: InProcessBrowser, server: str) -> None:
    page = browser.open(f"/secure/check?server={server}")
    assert page.status == 404 and is_harmless(page)


def test_a_silent_engine_knows_of_no_check(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.is_dead = True
    page = browser.open(LAST)
    assert page.status == 200 and "The engine does not answer" in page.text

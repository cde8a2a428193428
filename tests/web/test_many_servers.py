"""A thousand virtual servers, and a virtual server with thousands of real servers: nothing is cut in silence."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from piranha.messages import Plan, PlannedStep
from piranha.paths import Paths
from piranha.status import Health, HealthState, Source
from tests.plain_browser import Page
from tests.web.conftest import InProcessBrowser, KeeperClient, KeeperEngine, Watched

BYTES_MOST = 300_000
LIST = "/secure/virtual_servers"
SERVERS = "/secure/real_servers"
FARM = "virtual=virtual%5Bfarm%5D"


def virtual(number: int, servers: str = "") -> str:
    active, port = (1, 8080) if number % 10 == 0 else (0, 80)
    address = f"198.18.{number // 250}.{number % 250 + 1} eth{number % 2}:{number}"
    lines = (f"active = {active}", f"address = {address}", f"port = {port}")
    return "".join((f"virtual service{number:04} {{\n", *(f"     {line}\n" for line in lines), servers, "}\n"))


def real(number: int, line: str = "") -> str:
    lines = (f"address = 10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}", "weight = 1", line)
    active = f"active = {int(number % 2 == 0)}"
    return "".join(
        (f"     server web{number:04} {{\n", *(f"         {each}\n" for each in (*lines, active)), "     }\n")
    )


@pytest.fixture
def thousand(paths: Paths, engine: KeeperEngine) -> KeeperEngine:
    """An lvs.cf of a thousand virtual servers that runs; each tenth is active."""
    text = "".join(virtual(number, real(0) if number == 500 else "") for number in range(1000))
    paths.lvs_cf.write_text(f"serial_no = 7\nprimary = 192.0.2.11\nservice = lvs\n{text}")
    engine.apply_now()
    return engine


@pytest.fixture(params=[5000])
def farm(paths: Paths, engine: KeeperEngine, request: pytest.FixtureRequest) -> KeeperEngine:
    """An lvs.cf with one virtual server of 5,000 real servers, or as many as are asked for, that runs."""
    text = "".join(map(real, range(request.param)))
    block = f"virtual farm {{\n     active = 1\n     address = 192.0.2.80 eth0:1\n     port = 80\n{text}}}\n"
    paths.lvs_cf.write_text(f"serial_no = 7\nprimary = 192.0.2.11\nservice = lvs\n{block}")
    engine.apply_now()
    return engine


def names(page: Page) -> list[str]:
    """Return the names in the rows of a list."""
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', page.html)


def links(page: Page, words: str) -> set[str]:
    return {href for text, href in page.read.links if text == words}


def test_the_list_says_how_many_there_are_and_every_one_is_on_some_page(
    browser: InProcessBrowser, thousand: KeeperEngine
) -> None:
    page, found = browser.open(LIST), list[str]()
    assert "1-50 of 1,000." in page.text and "Page 1 of 20" in page.text
    while True:
        found += names(page)
        assert len(page.html.encode()) < BYTES_MOST
        if not links(page, "Next page"):
            break
        page = page.follow("Next page")
    assert found == [f"service{number:04}" for number in range(1000)]
    assert "951-1,000 of 1,000." in page.text
    assert names(page.follow("First page")) == names(browser.open(LIST))
    assert names(page.follow("Previous page").follow("Last page")) == names(page)


@pytest.mark.parametrize(
    ("text", "status", "expected"),
    [
        ("service0999", "any", ["service0999"]),
        ("SERVICE099", "any", [f"service099{number}" for number in range(10)]),
        ("198.18.2.1:8080", "any", ["service0500"]),
        ("8080", "down", []),
        ("service009", "up", ["service0090"]),
        ("service009 eth1", "down", [f"service009{number}" for number in (1, 3, 5, 7, 9)]),
    ],
)
def test_the_list_is_searched_by_name_address_port_device_and_status(
    browser: InProcessBrowser, thousand: KeeperEngine, text: str, status: str, expected: list[str]
) -> None:
    page = browser.open(LIST).fill("Name, address, port or device", text).fill("STATUS", status).press("Search")
    assert names(page) == expected
    assert page.value("Name, address, port or device") == text
    assert "of 1,000" in page.text
    if not expected:
        assert "No virtual server is as looked for." in page.text
    assert "1-50 of 1,000." in page.follow("Show all").text


def test_a_search_of_many_pages_keeps_its_words_from_page_to_page(
    browser: InProcessBrowser, thousand: KeeperEngine
) -> None:
    page = browser.open(LIST).fill("STATUS", "up").press("Search")
    assert "1-50 of 100 that were found, of 1,000 in all." in page.text
    page = page.follow("Next page")
    assert names(page)[0] == "service0500" and len(names(page)) == 50
    assert page.value("STATUS") == "up"


def test_an_action_on_a_row_comes_back_to_the_page_and_the_search_it_was_on(
    browser: InProcessBrowser, thousand: KeeperEngine, watched: Watched
) -> None:
    place = f"{LIST}?text=198.18&page=11"
    page = browser.open(place)
    assert names(page)[0] == "service0500"
    page = page.press("Activate service0501")
    assert "service0501 is activated." in page.text
    assert page.url.endswith("?text=198.18&page=11") and names(page)[0] == "service0500"
    assert "UNDO" in page.text
    page = page.follow("Delete service0502").follow("CANCEL")
    assert page.url.endswith("?text=198.18&page=11")
    page = page.follow("Delete service0502").press("DELETE service0502")
    assert page.url.endswith("?text=198.18&page=11") and "service0502" not in names(page)
    page = page.follow("Edit service0503").fill("Re-entry Time", "41").press("ACCEPT")
    assert page.follow("CANCEL").url.endswith("?text=198.18&page=11")
    servers = page.follow("REAL SERVER").follow("CANCEL").follow("MONITORING SCRIPTS").follow("VIRTUAL SERVER")
    assert servers.follow("CANCEL").url.endswith("?text=198.18&page=11")
    assert watched.changed_lines()[:2] == ["-      active = 0", "+      active = 1"]


def test_a_refused_action_shows_the_page_it_was_on(
    log_in: Callable[..., InProcessBrowser], thousand: KeeperEngine
) -> None:
    page = log_in().open(f"{LIST}?page=3&status=down")
    row = names(page)[0]
    log_in().open(f"{LIST}?page=3&status=down").press(f"Activate {row}")
    page = page.press(f"Activate {row}")
    assert page.status == 409 and "Somebody else changed this meanwhile" in page.text
    assert page.value("STATUS") == "down" and "Page 3 of 18" in page.text


def test_a_link_that_was_sent_leads_through_the_log_in_to_the_same_rows(
    stranger: InProcessBrowser, thousand: KeeperEngine
) -> None:
    page = stranger.open(f"{LIST}?text=eth1&status=down&page=2")
    page = page.fill("User", "piranha").fill("Password", "a bridge over 42 fjords").press("Login")
    assert page.value("Name, address, port or device") == "eth1"
    assert page.value("STATUS") == "down" and "51-100 of 500 that were found" in page.text


def test_what_was_added_is_in_sight(browser: InProcessBrowser, thousand: KeeperEngine) -> None:
    page = browser.open(f"{LIST}?text=service0&page=2").follow("ADD")
    page = page.fill("Name", "the_newest").fill("Virtual IP Address", "192.0.2.99").press("ACCEPT")
    assert names(page) == ["the_newest"] and "1,001 of 1,001." in page.text


def test_the_health_of_the_rows_on_the_page_is_asked_for_and_no_more(
    browser: InProcessBrowser, thousand: KeeperEngine
) -> None:
    thousand.health["web0000"] = Health(HealthState.UP, "connected", None, Source("check", 0.5))
    thousand.calls.clear()
    page = browser.open(f"{LIST}?page=11")
    assert "● 1 of 1 up" in page.text
    (asked,) = thousand.named("status")
    assert asked.what.path.count("\n") == 49


def test_a_virtual_server_says_in_the_list_what_is_not_as_it_should_be(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    engine.beside_virtual["http"] = {
        "differs": "The kernel refuses persistence.",
        "address_trouble": "192.0.2.80 is on 02:00:00:00:00:01 too.",
    }
    page = browser.open(LIST)
    assert "✖ not as lvs.cf asks The kernel refuses persistence." in page.text
    assert "✖ its address 192.0.2.80 is on 02:00:00:00:00:01 too." in page.text


@pytest.mark.parametrize("farm", [500], indirect=True)
def test_the_real_servers_of_a_large_virtual_server_are_paged_and_searched(
    browser: InProcessBrowser, farm: KeeperEngine, watched: Watched
) -> None:
    page = browser.open(f"{SERVERS}?{FARM}")
    assert "1-50 of 500." in page.text
    page = page.fill("Name, address or port", "10.0.1.").fill("STATUS", "down").press("Search")
    assert "1-50 of 125 that were found, of 500 in all." in page.text
    page = page.follow("Last page")
    assert names(page)[-1] == "web0499"
    place = page.url
    page = page.press("Activate web0497")
    assert "web0497 is activated." in page.text and page.url == place and "web0497" not in names(page)
    page = page.follow("Delete web0499").follow("CANCEL")
    assert page.url == place
    page = page.follow("Delete web0499").press("DELETE web0499")
    assert "web0499 is deleted." in page.text and page.url == place
    page = page.follow("Edit web0495").fill("Weight", "7").press("ACCEPT").follow("CANCEL")
    assert page.url == place
    page = page.follow("ADD").fill("Name", "newest").fill("Address", "10.9.9.9").press("ACCEPT")
    assert names(page)[-1] == "newest" and "451-500 of 500." in page.text
    assert "weight = 7" in watched.path.read_text()


def test_the_place_in_one_list_is_kept_inside_the_other(browser: InProcessBrowser, thousand: KeeperEngine) -> None:
    page = browser.open(f"{LIST}?page=11&text=service").follow("Real servers (1) of service0500")
    page = page.follow("Edit web0000").follow("CANCEL").press("Deactivate web0000").follow("CANCEL").follow("CANCEL")
    assert page.url.endswith("?text=service&page=11")


def test_the_question_before_a_large_delete_names_some_counts_all_and_says_where_they_are(
    browser: InProcessBrowser, farm: KeeperEngine, paths: Paths
) -> None:
    page = browser.open(LIST).follow("Delete farm")
    assert "With it go its 5,000 real servers:" in page.text
    assert "web0049 (10.0.0.50)" in page.text and "web0050" not in page.text
    assert "and 4,950 more; the list has all of them" in page.text
    assert re.search(r"And [0-9,]+ more lines\. All of them shows: piranha get 'virtual\[farm\]'", page.text)
    assert "1-50 of 5,000." in page.follow("the list has all of them").text
    assert page.press("DELETE farm").status == 200
    assert "virtual farm" not in paths.lvs_cf.read_text()


def test_no_page_about_5000_servers_with_5000_faults_is_larger_than_300_kb(
    browser: InProcessBrowser, farm: KeeperEngine, paths: Paths, every_secure_page: list[str]
) -> None:
    text = paths.lvs_cf.read_text().replace("weight = 1\n", "weight = many\n         some_old_word = 1\n")
    paths.lvs_cf.write_text(text)
    addresses = [each.replace("http", "farm").replace("web1", "web4000") for each in every_secure_page]
    sizes = {each: len(browser.open(each).html.encode()) for each in [*addresses, f"{SERVERS}?{FARM}&server_page=77"]}
    assert {each: size for each, size in sizes.items() if size > BYTES_MOST} == {}
    page = browser.open(f"{SERVERS}?{FARM}")
    assert re.search(r"And [0-9,]+ more; piranha check lists them all\.", page.text)


def test_a_plan_of_thousands_of_steps_and_reasons_is_cut_and_says_so(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.lvs_cf.write_text(paths.lvs_cf.read_text().replace("weight = 1", "weight = 2"))
    planned = KeeperClient.plan
    steps = tuple(
        PlannedStep(f"change real server 10.0.{n // 256}.{n % 256}:80 of TCP 192.0.2.80:80", "") for n in range(20000)
    )
    reasons = tuple(f"virtual[http].server[web{n}]: weight is not a number." for n in range(5000))
    diff = "--- running\n+++ saved\n" + "-         weight = 1\n+         weight = 2\n" * 20000

    def huge(client: KeeperClient) -> Plan:
        return replace(planned(client), steps=steps, refusals=reasons, diff=diff)

    monkeypatch.setattr(KeeperClient, "plan", huge)
    page = browser.open("/secure/plan")
    assert len(page.html.encode()) < BYTES_MOST
    for told in ("And 39602 more lines of 40002.", "And 19900 more;", "And 4950 more;"):
        assert told in page.text


def test_a_conflict_about_a_long_text_shows_its_beginning(
    log_in: Callable[..., InProcessBrowser], farm: KeeperEngine, paths: Paths
) -> None:
    page = log_in().open(LIST).follow("Delete farm")
    paths.lvs_cf.write_text(paths.lvs_cf.read_text().replace("weight = 1", "weight = 2"))
    page = page.press("DELETE farm")
    assert page.status == 409 and len(page.html.encode()) < BYTES_MOST
    assert "Somebody else changed it since the question was asked." in page.text


def test_a_short_list_has_no_search_and_no_pages(browser: InProcessBrowser) -> None:
    assert "Search" not in browser.open(LIST).text
    assert "of 2." not in browser.open(LIST).text


def test_the_text_is_not_fetched_and_not_read_again_while_nobody_changes_it(
    browser: InProcessBrowser, app: Flask, engine: KeeperEngine, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    from piranha.web import client

    read = list[str]()
    understand = client.Understood.__init__

    def counted(self: client.Understood, saved: client.SavedConfig) -> None:
        read.append(saved.text)
        understand(self, saved)

    monkeypatch.setattr(client.Understood, "__init__", counted)
    paths.lvs_cf.write_text(paths.lvs_cf.read_text().replace("weight = 1", "weight = 43"))
    for _ in range(3):
        browser.open(LIST)
        browser.open(f"{SERVERS}?virtual=virtual%5Bhttp%5D")
    assert len(read) == 1
    assert [call.what for call in engine.named("config")][-1] == engine.keeper.saved().token
    page = browser.open(LIST).press("Deactivate http")
    assert "http is deactivated." in page.text and len(read) == 2

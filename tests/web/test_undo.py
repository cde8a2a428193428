"""UNDO behind each save: lvs.cf is saved again as it was, if it still is what that save made."""

from collections.abc import Callable

import pytest

from piranha.config.edits import SetValues
from piranha.engine.caller import Caller
from piranha.messages import SaveRequest
from piranha.paths import Paths
from tests.plain_browser import Page
from tests.web.conftest import LVS_CF, InProcessBrowser, KeeperEngine

HTTP, WEB1 = "virtual=virtual%5Bhttp%5D", "server=virtual%5Bhttp%5D.server%5Bweb1%5D"
REDUNDANT = LVS_CF.replace(
    "network = direct", "network = direct\nbackup_active = 1\nbackup = 192.0.2.12\nkeepalive = 9"
)

Save = Callable[[InProcessBrowser], Page]


def deletes_a_virtual_server(browser: InProcessBrowser) -> Page:
    return browser.open(f"/secure/virtual_server/delete?{HTTP}").press("DELETE http")


def deletes_a_real_server(browser: InProcessBrowser) -> Page:
    return browser.open(f"/secure/real_server/delete?{WEB1}").press("DELETE web1")


def resets(browser: InProcessBrowser) -> Page:
    return browser.open("/secure/redundancy/reset").press("RESET")


def disables(browser: InProcessBrowser) -> Page:
    return browser.open("/secure/redundancy").press("DISABLE")


def blanks(browser: InProcessBrowser) -> Page:
    return browser.open(f"/secure/monitoring_scripts?{HTTP}").press("BLANK SEND")


def deactivates(browser: InProcessBrowser) -> Page:
    return browser.open("/secure/virtual_servers").press("Deactivate http")


def accepts(browser: InProcessBrowser) -> Page:
    return browser.open(f"/secure/virtual_server?{HTTP}").fill("Re-entry Time", "44").press("ACCEPT")


def renames(browser: InProcessBrowser) -> Page:
    return browser.open(f"/secure/virtual_server?{HTTP}").fill("Name", "shop").press("ACCEPT")


def adds(browser: InProcessBrowser) -> Page:
    page = browser.open("/secure/virtual_server/add").fill("Name", "new").fill("Virtual IP Address", "192.0.2.99")
    return page.fill("Device", "eth0:9").press("ACCEPT")


def adopts(browser: InProcessBrowser) -> Page:
    page = browser.open("/secure/adopt").fill("Or its text", "serial_no = 3\nprimary = 192.0.2.99\n")
    return page.press("Look at it").press("Save as lvs.cf")


def restores(browser: InProcessBrowser) -> Page:
    accepts(browser)
    return browser.open("/secure/history/restore?number=1").press("RESTORE version 1")


SAVES = (
    deletes_a_virtual_server,
    deletes_a_real_server,
    resets,
    disables,
    blanks,
    deactivates,
    accepts,
    renames,
    adds,
    adopts,
    restores,
)


@pytest.fixture
def paths(paths: Paths) -> Paths:
    """Give an lvs.cf with a backup router, so that there is something to reset."""
    paths.lvs_cf.write_text(REDUNDANT)
    return paths


def counted(text: str) -> str:
    """Return a text without its serial number."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("serial_no"))


@pytest.mark.parametrize("save", SAVES, ids=lambda each: each.__name__)
def test_after_each_save_undo_brings_the_text_back_and_undo_again_undoes_that(
    browser: InProcessBrowser, paths: Paths, engine: KeeperEngine, save: Save
) -> None:
    page = save(browser)
    kept = engine.keeper.history().versions
    made, before = (counted(engine.keeper.version(each.number).text) for each in kept[:2])
    assert made == counted(paths.lvs_cf.read_text()) != before
    assert f"this save is version {kept[0].number}" in page.text

    undone = page.press(f"UNDO version {kept[0].number}")
    assert undone.status == 200
    assert counted(paths.lvs_cf.read_text()) == before
    assert f"Undone: lvs.cf is as in version {kept[1].number}." in undone.text
    assert f"lvs.cf is saved, serial_no {kept[0].serial_no + 1 if kept[0].serial_no else 0}." in undone.text
    again = undone.press(f"UNDO version {kept[0].number + 1}")
    assert counted(paths.lvs_cf.read_text()) == made
    assert again.status == 200
    called = engine.named("rollback")[-1]
    assert (called.user, called.from_) == ("piranha", "127.0.0.1")


@pytest.mark.parametrize(
    ("save", "address"),
    [
        (accepts, f"/secure/virtual_server?{HTTP}"),
        (blanks, f"/secure/monitoring_scripts?{HTTP}"),
        (deletes_a_real_server, f"/secure/real_servers?{HTTP}"),
        (resets, "/secure/redundancy"),
        # The page of what was made by the save is gone with it.
        (renames, "/secure/virtual_servers"),
    ],
)
def test_undo_leads_back_to_the_page_where_it_stood(browser: InProcessBrowser, save: Save, address: str) -> None:
    assert save(browser).press("UNDO version 2").url.partition(":80")[2] == address


def test_what_was_changed_since_is_not_undone_and_the_page_says_so(
    browser: InProcessBrowser, paths: Paths, engine: KeeperEngine
) -> None:
    page = deletes_a_virtual_server(browser)
    edit = SetValues(path="virtual[smtp]", values={"port": "26"})
    engine.keeper.save(SaveRequest([edit], []), Caller("root", "shell"))
    text = paths.lvs_cf.read_bytes()
    refused = page.press("UNDO version 2")
    assert refused.status == 409
    assert "lvs.cf was changed since version 2 was saved, so that was not undone." in refused.text
    assert refused.read.headings[0] == "HISTORY"
    assert engine.named("rollback") == []
    assert paths.lvs_cf.read_bytes() == text


def test_a_change_between_the_look_and_the_undo_is_a_conflict_of_the_engine(
    browser: InProcessBrowser, paths: Paths, engine: KeeperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = accepts(browser)
    seen = engine.keeper.history()
    paths.lvs_cf.write_text(LVS_CF)
    monkeypatch.setattr("tests.web.conftest.KeeperClient.history", lambda _client: seen)
    refused = page.press("UNDO version 2")
    assert refused.status == 409 and "was changed by somebody else since it was read" in refused.text
    assert paths.lvs_cf.read_text() == LVS_CF


def test_pressed_twice_it_undoes_once(browser: InProcessBrowser, paths: Paths) -> None:
    page = accepts(browser)
    page.press("UNDO version 2")
    text = paths.lvs_cf.read_bytes()
    assert page.press("UNDO version 2").status == 409
    assert paths.lvs_cf.read_bytes() == text


@pytest.mark.parametrize(
    ("number", "before"),
    [("99", "0" * 12), ("2", "0" * 12), ("2", ""), ("2", "<b>"), ("", "0" * 12), ("x", "y"), ("9" * 400, "0" * 12)],
)
def test_what_no_page_offers_undoes_nothing(
    browser: InProcessBrowser, paths: Paths, engine: KeeperEngine, number: str, before: str
) -> None:
    page = accepts(browser)
    text = paths.lvs_cf.read_bytes()
    csrf = next(made.value for form in page.read.forms for _, made in form.fields if made.name == "csrf_token")
    refused = browser.send("/secure/undo", [("csrf_token", csrf), ("number", number), ("before", before)])
    assert refused.status == 409
    assert "not in the history (any more)" in refused.text
    assert paths.lvs_cf.read_bytes() == text
    assert engine.named("rollback") == []


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", "/\\evil", "/", "", "\r\nX-Evil: 1"])
def test_undo_leads_nowhere_else(browser: InProcessBrowser, back: str) -> None:
    page = accepts(browser)
    for form in page.read.forms:
        for _, made in form.fields:
            if made.name == "back":
                made.value = back
    done = page.press("UNDO version 2")
    assert done.url == "http://localhost:80/secure/history" and done.status == 200
    assert browser.answer is not None and "X-Evil" not in browser.answer.headers


def test_what_changed_nothing_has_no_undo(browser: InProcessBrowser) -> None:
    page = browser.open(f"/secure/virtual_server?{HTTP}").press("ACCEPT")
    assert "Nothing was changed" in page.text
    assert "UNDO" not in page.text


def test_undo_is_offered_once(browser: InProcessBrowser) -> None:
    assert accepts(browser).text.count("UNDO") == 1
    assert "UNDO" not in browser.open("/secure/virtual_servers").text


def test_undo_is_not_offered_to_who_is_not_logged_in_any_more(browser: InProcessBrowser, paths: Paths) -> None:
    form = browser.open("/secure/virtual_servers")
    csrf = next(made.value for each in form.read.forms for _, made in each.fields if made.name == "csrf_token")
    token = next(made.value for each in form.read.forms for _, made in each.fields if made.name == "token")
    answer = browser.raw(
        "POST", f"/secure/virtual_server/status?{HTTP}", f"csrf_token={csrf}&token={token}&do=deactivate"
    )
    assert answer.status_code == 303
    paths.passwd.write_text("")
    page = browser.open("/secure/virtual_servers")
    assert "http is deactivated." in page.text and page.read.headings == ["LOGIN"]
    assert "UNDO" not in page.text


def test_without_the_engine_nothing_is_undone(browser: InProcessBrowser, engine: KeeperEngine, paths: Paths) -> None:
    page = accepts(browser)
    text = paths.lvs_cf.read_bytes()
    engine.is_dead = True
    refused = page.press("UNDO version 2")
    assert refused.status == 503 and "The engine does not answer" in refused.text
    assert paths.lvs_cf.read_bytes() == text


def test_the_history_offers_to_undo_the_newest_save_while_it_is_lvs_cf(
    browser: InProcessBrowser, paths: Paths, engine: KeeperEngine
) -> None:
    assert "UNDO" not in browser.open("/secure/history").text
    accepts(browser)
    page = browser.open("/secure/history")
    undone = page.press("UNDO version 2")
    assert undone.url.endswith("/secure/history")
    assert counted(paths.lvs_cf.read_text()) == counted(REDUNDANT)

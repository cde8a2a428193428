"""HISTORY: the versions, the text of one, two beside each other, and one restored."""

import hashlib
import re
from urllib.parse import urlencode

import pytest

from piranha.config.edits import SetValues
from piranha.engine.caller import Caller
from piranha.messages import SaveRequest
from piranha.paths import Paths
from piranha.web import history
from tests.web.conftest import LVS_CF, InProcessBrowser, KeeperEngine, Watched

PAGE = "/secure/history"
ROOT = Caller("root", "192.0.2.9")


def saved(engine: KeeperEngine, **values: str) -> None:
    engine.keeper.save(SaveRequest([SetValues(path="virtual[http]", values=values)], []), ROOT)


def test_the_versions_stand_newest_first_with_who_when_how_and_what_changed(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    saved(engine, reentry="44")
    browser.open("/secure/virtual_servers").press("Deactivate http")
    page = browser.open("/secure/control").follow("HISTORY")
    assert "3 versions of lvs.cf are kept." in page.text
    rows = re.findall(r"<tr>\s*<th scope=\"row\">.*?</tr>", page.html, re.DOTALL)
    assert [re.findall(r">(\d+)</a>", row)[0] for row in rows] == ["3", "2", "1"]
    newest, second, first = (" ".join(re.sub("<[^>]+>", " ", row).split()) for row in rows)
    assert re.match(r"3 ● saved \d{4}-\d\d-\d\d \d\d:\d\d:\d\d piranha from 127.0.0.1 saved 9 ", newest)
    assert "virtual[http].active: 1 -&gt; 0" in newest
    assert re.match(r"2 \d{4}.* root from 192.0.2.9 saved 8 virtual\[http\].reentry: 15 -&gt; 44 ", second)
    assert re.match(r"1 ▲ running \d{4}.* somebody found 7 – ", first)


def test_a_page_has_so_many_and_leads_to_the_others(
    browser: InProcessBrowser, engine: KeeperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "VERSIONS_SHOWN", 3)
    for seconds in range(20, 27):
        saved(engine, reentry=str(seconds))

    def numbers(html: str) -> list[int]:
        return [int(number) for number in re.findall(r'<th scope="row"><a [^>]+>(\d+)</a>', html)]

    page = browser.open(PAGE)
    assert "Newer" not in page.text and numbers(page.html) == [8, 7, 6]
    middle = page.follow("Older")
    assert numbers(middle.html) == [5, 4, 3]
    last = middle.follow("Older")
    assert numbers(last.html) == [2, 1] and "Older" not in last.text
    assert numbers(last.follow("Newer").html) == [5, 4, 3]
    assert numbers(middle.follow("Newer").html) == [8, 7, 6]
    assert numbers(last.follow("Newest").html) == [8, 7, 6]
    # The last row of a page knows the version before it, which stands on the next one.
    assert "/secure/history/diff?old=5&amp;new=6" in page.html
    assert "UNDO" in page.text and "UNDO" not in middle.text
    assert "There is none older than that." in browser.open(f"{PAGE}?before=1").text
    for odd in ("", "0", "-1", "x", "9" * 400, "<b>"):
        assert numbers(browser.open(f"{PAGE}?before={odd}").html) == [8, 7, 6], odd


def test_a_version_is_shown_and_comes_as_a_file_byte_for_byte(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    raw = LVS_CF.encode().replace(b"# Kept by hand.", b"# Von <b>Hand</b> gepfl\xfcckt.\r")
    paths.lvs_cf.write_bytes(raw)
    engine.keeper.catch_up()
    page = browser.open(f"{PAGE}/version?number=2")
    assert "# Von <b>Hand</b> gepflückt." in page.text
    assert "by hand" in page.text
    token = hashlib.sha256(raw).hexdigest()
    assert token in page.text
    (form,) = (form for form in page.read.forms if any(button.text == "Download" for button in form.buttons))
    assert (form.method, form.action) == ("get", f"{PAGE}/version")
    sent = [(made.name, made.value) for _, made in form.fields] + [(each.name, each.value) for each in form.buttons]
    answer = browser.raw("GET", f"{form.action}?{urlencode(sent)}")
    assert answer.get_data() == raw
    assert answer.headers["Content-Disposition"] == 'attachment; filename="lvs.cf.2"'
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "-# Kept by hand." in page.follow("Compare with version 1").text


def test_a_long_text_is_cut_and_the_page_says_how_to_see_all(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    paths.lvs_cf.write_text(LVS_CF + "".join(f"# line {number}\n" for number in range(history.TEXT_LINES_MAX)))
    engine.keeper.catch_up()
    page = browser.open(f"{PAGE}/version?number=2")
    assert f"And {len(LVS_CF.splitlines()) + 1} more lines." in page.text
    assert "piranha history 2" in page.text and "# line 4900" in page.text and "# line 4999" not in page.text
    differ = browser.open(f"{PAGE}/diff?old=1&new=2")
    assert re.search(r"And 4\d{3} more lines of 5\d{3}\. All of them shows: piranha diff 1 2", differ.text)
    restore = browser.open(f"{PAGE}/restore?number=1")
    assert "All of them shows: piranha rollback 1 --dry-run" in restore.text
    assert len(differ.html) + len(restore.html) < 200_000


@pytest.mark.parametrize("number", ["99", "0", "", "x", "-1", "1.0", "9" * 400, "%3Cb%3E", "١"])
@pytest.mark.parametrize("what", ["version", "restore"])
def test_a_version_that_is_not_kept_is_not_found(browser: InProcessBrowser, what: str, number: str) -> None:
    page = browser.open(f"{PAGE}/{what}?number={number}")
    assert page.status == 404
    assert page.html.count("<h1") == 1


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1", "2", "- reentry = 15 + reentry = 44"),
        ("2", "1", "- reentry = 44 + reentry = 15"),
        ("2", "saved", "- reentry = 44 + reentry = 55"),
        ("running", "saved", "- reentry = 15 + reentry = 55"),
        ("2", "running", "- reentry = 44 + reentry = 15"),
        ("3", "saved", "They say the same."),
    ],
)
def test_any_two_texts_can_be_compared(
    browser: InProcessBrowser, engine: KeeperEngine, old: str, new: str, expected: str
) -> None:
    saved(engine, reentry="44")
    saved(engine, reentry="55")
    page = browser.open(PAGE).fill("From", old).fill("To", new).press("Show the difference")
    assert expected in page.text
    assert (page.value("From"), page.value("To")) == (old, new)
    offered = {text for text, _ in page.read.links if text.startswith("Restore version")}
    assert offered == {f"Restore version {each}" for each in (old, new) if each.isdecimal()}


def test_what_cannot_be_compared_is_told_at_its_field(browser: InProcessBrowser, paths: Paths) -> None:
    paths.running_cf.unlink()
    page = browser.open(f"{PAGE}/diff?old=99&new=%3Cb%3E")
    assert page.status == 422
    assert "Version 99 is not in the history (any more)" in page.text
    assert "Write the number of a version, saved or running." in page.text
    assert (page.value("From"), page.value("To")) == ("99", "<b>")
    assert "Nothing was applied yet." in browser.open(f"{PAGE}/diff?old=running").text
    paths.lvs_cf.unlink()
    assert "There is no lvs.cf." in browser.open(f"{PAGE}/diff?old=1&new=saved").text


def test_restoring_asks_first_shows_the_difference_and_saves_a_new_version(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths, watched: Watched
) -> None:
    saved(engine, reentry="44")
    asked = browser.open(PAGE).follow("Restore version 1")
    assert "Shall the text of version 1 be lvs.cf again?" in asked.text
    assert "- reentry = 44 + reentry = 15" in asked.text
    assert "It is saved as a new version with serial_no 9." in asked.text
    assert "reentry = 44" in paths.lvs_cf.read_text() and engine.named("rollback") == []
    done = asked.press("RESTORE version 1")
    assert engine.named("rollback")[-1].user == "piranha"
    assert watched.changed_lines() == []
    assert "Version 1 is restored. lvs.cf is saved, serial_no 9." in done.text
    assert done.read.headings[0] == "PLAN"
    assert [each.how for each in engine.keeper.history().versions] == ["rollback", "save", "found"]


def test_a_text_that_was_saved_since_the_question_is_not_overwritten(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    saved(engine, reentry="44")
    asked = browser.open(f"{PAGE}/restore?number=1")
    saved(engine, reentry="55")
    again = asked.press("RESTORE version 1")
    assert again.status == 409
    assert "Nothing was restored. lvs.cf was changed since the question was asked." in again.text
    assert "- reentry = 55 + reentry = 15" in again.text
    assert "reentry = 55" in paths.lvs_cf.read_text()
    assert again.press("RESTORE version 1").status == 200
    assert "reentry = 15" in paths.lvs_cf.read_text()


def test_what_lvs_cf_says_already_is_not_restored(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    page = browser.open(f"{PAGE}/restore?number=1")
    assert "There is nothing to restore: lvs.cf says that already." in page.text
    assert "RESTORE" not in [button.text for form in page.read.forms for button in form.buttons]


def test_a_missing_lvs_cf_comes_back_but_not_over_one_that_came_meanwhile(
    browser: InProcessBrowser, paths: Paths, engine: KeeperEngine
) -> None:
    paths.lvs_cf.unlink()
    asked = browser.open(f"{PAGE}/restore?number=1")
    paths.lvs_cf.write_text("serial_no = 70\n")
    assert asked.press("RESTORE version 1").status == 409
    assert paths.lvs_cf.read_text() == "serial_no = 70\n"
    paths.lvs_cf.unlink()
    assert asked.press("RESTORE version 1").status == 200
    assert "virtual http {" in paths.lvs_cf.read_text()


def test_a_form_without_number_or_token_restores_nothing(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    saved(engine, reentry="44")
    page = browser.open(f"{PAGE}/restore?number=1")
    csrf = next(made.value for form in page.read.forms for _, made in form.fields if made.name == "csrf_token")
    assert browser.send(f"{PAGE}/restore?number=1", [("csrf_token", csrf)]).status == 404
    assert browser.send(f"{PAGE}/restore?number=1", [("csrf_token", csrf), ("number", "1")]).status == 409
    assert "reentry = 44" in paths.lvs_cf.read_text()


def test_names_that_look_like_html_are_text(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    edit = SetValues(path="virtual[http]", values={"expect": "<b>&amp;"})
    engine.keeper.save(SaveRequest([edit], []), Caller("<i>who", "<u>where"))
    for address in (PAGE, f"{PAGE}/version?number=2", f"{PAGE}/diff?old=1&new=2", f"{PAGE}/restore?number=1"):
        page = browser.open(address)
        assert "<b>&amp;" in page.text, address
        assert not re.search("<(b|i|u)>", page.html), address
    assert "<i>who from <u>where" in browser.open(PAGE).text


def test_a_damaged_version_is_told_and_the_others_stay(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    saved(engine, reentry="44")
    (paths.history / "00000001.version").write_bytes(b"nonsense")
    page = browser.open(PAGE)
    assert "00000001.version" in page.text and "One version of lvs.cf is kept." in page.text
    assert "It cannot be shown:" in browser.open(f"{PAGE}/version?number=1").text
    assert "It cannot be restored now:" in browser.open(f"{PAGE}/restore?number=1").text
    assert "They cannot be compared:" in browser.open(f"{PAGE}/diff?old=1&new=2").text


def test_an_empty_history_says_so(browser: InProcessBrowser, paths: Paths) -> None:
    paths.lvs_cf.unlink()
    for file in paths.history.iterdir():
        file.unlink()
    assert "No version is kept yet." in browser.open(PAGE).text


def test_without_the_engine_nothing_is_known(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    asked = browser.open(f"{PAGE}/restore?number=1")
    engine.is_dead = True
    for address in (PAGE, f"{PAGE}/version?number=1", f"{PAGE}/diff", f"{PAGE}/restore?number=1"):
        page = browser.open(address)
        assert page.status == 200
        assert "The engine does not answer" in page.text, address
    assert asked.status == 200


@pytest.mark.parametrize(
    ("address", "word", "is_the_page"),
    [
        ("/secure/control", "MONITORING", True),
        ("/secure/connections", "CONNECTIONS", True),
        ("/secure/plan", "PLAN", True),
        ("/secure/confirm", "PLAN", False),
        (PAGE, "HISTORY", True),
        (f"{PAGE}/version?number=1", "HISTORY", False),
        (f"{PAGE}/diff", "HISTORY", False),
        (f"{PAGE}/restore?number=1", "HISTORY", False),
        ("/secure/events", "EVENTS", True),
        ("/secure/audit", "AUDIT", True),
        ("/secure/adopt", "ADOPT", True),
        ("/secure/password", "", False),
    ],
)
def test_the_strip_leads_to_every_page_behind_monitoring_and_marks_this_one(
    browser: InProcessBrowser, address: str, word: str, is_the_page: bool
) -> None:
    html = browser.open(address).html
    strip = re.search(r'<nav class="strip see".*?</nav>', html, re.DOTALL)
    assert strip is not None
    words = ["MONITORING", "CONNECTIONS", "PLAN", "HISTORY", "EVENTS", "AUDIT", "ADOPT"]
    assert re.findall(r">([A-Z]+)</a>", strip[0]) == words
    current = "page" if is_the_page else "true"
    assert re.findall(r'aria-current="([a-z]+)">([A-Z]+)</a>', strip[0]) == ([(current, word)] if word else [])
    assert html.count('class="current"') == (2 if word else 1)


@pytest.mark.parametrize("address", ["/secure/global_settings", "/secure/virtual_servers", "/secure/help"])
def test_the_other_panels_have_no_such_strip(browser: InProcessBrowser, address: str) -> None:
    assert 'class="strip see"' not in browser.open(address).html

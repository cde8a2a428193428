"""EVENTS and AUDIT: chosen by a form, page by page, and as a file."""

import csv
import io
import json
import re
from dataclasses import asdict
from urllib.parse import quote, urlencode

import pytest

from piranha.errors import EngineUnavailable
from piranha.records import RECORDS_MAX, AuditEntry, AuditQuery, EngineEvent, EventsQuery
from tests.web.conftest import AT, InProcessBrowser, KeeperClient, KeeperEngine

DOWN = EngineEvent(1, AT, "server-down", "virtual[http].server[web1]", "web1 <b>down</b>: refused.", count=3, since=AT)
APPLIED = EngineEvent(2, "2026-11-24T11:00:00.123+00:00", "applied", "", "lvs.cf runs.", "piranha", "192.0.2.7")
DRAINED = AuditEntry(1, AT, "piranha", "192.0.2.7", 998, "override", "refused", "<i>not there", "virtual[http]")
SAVED = AuditEntry(2, AT, "root", "", 0, "save", "done", "", "virtual[http]", "a" * 64, "b" * 64, 1, "-x\n+y\n")
PAGES = ("/secure/events", "/secure/audit")


@pytest.fixture
def engine(engine: KeeperEngine) -> KeeperEngine:
    """Give an engine to which something happened."""
    engine.events += [DOWN, APPLIED]
    engine.audit += [DRAINED, SAVED]
    return engine


def test_events_stand_newest_first_with_kind_sentence_about_and_who(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/control").follow("EVENTS")
    assert re.search(
        r"2026-11-24 11:00:00 applied lvs.cf runs. – piranha from 192.0.2.7 "
        r"2026-11-23 10:30:00 ✖ server-down web1 <b>down</b>: refused. \(3 times since 2026-11-23 10:30:00\) "
        r"http / web1 –",
        page.text,
    )
    assert "<b>" not in page.html


def test_the_audit_says_who_did_what_from_where_and_what_came_of_it(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/control").follow("AUDIT")
    assert re.search(
        r"2026-11-23 10:30:00 root uid 0 save ● done http version 1 "
        r"2026-11-23 10:30:00 piranha from 192.0.2.7 uid 998 override ✖ refused http <i>not there –",
        page.text,
    )
    assert page.follow("version 1").read.headings[0] == "VERSION 1"


def test_an_audit_entry_without_a_version_shows_its_own_difference(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    engine.audit.append(AuditEntry(3, AT, "root", "", None, "apply", "done", diff="-old <b>\n+new\n"))
    page = browser.open("/secure/audit")
    assert "-old <b> +new" in page.text and "<b>" not in page.html
    assert "root apply ● done" in page.text


@pytest.mark.parametrize(
    ("address", "typed", "query"),
    [
        (
            "/secure/events",
            {"Kind": "server-down", "About": "virtual[http]", "Words": "refused", "Since": "2h", "Until": "1m"},
            EventsQuery("server-down", "virtual[http]", "refused", "2h", "1m", limit="7"),
        ),
        (
            "/secure/audit",
            {"Who": "root", "What": "save", "Result": "done", "Words": "x", "Since": "2026-05-31", "Until": "1m"},
            AuditQuery("root", "save", "done", "x", "2026-05-31", "1m", limit="7"),
        ),
    ],
)
def test_what_is_chosen_is_asked_for_and_stays_in_the_form(
    browser: InProcessBrowser,
    engine: KeeperEngine,
    address: str,
    typed: dict[str, str],
    query: EventsQuery | AuditQuery,
) -> None:
    page = browser.open(address)
    for label, text in {**typed, "How many": "7"}.items():
        page.fill(label, text)
    page = page.press("Show events" if "events" in address else "Show entries")
    assert engine.named(address.rpartition("/")[2])[-1].what == query
    assert {label: page.value(label) for label in typed} == typed
    assert page.follow("Show all").value("Since") == ""


@pytest.mark.parametrize(
    ("address", "name", "typed"),
    [
        ("/secure/events", "kind", "flood<b>"),
        ("/secure/events", "since", "yesterday"),
        ("/secure/events", "until", "<b>"),
        ("/secure/events", "limit", "1001"),
        ("/secure/audit", "result", "won"),
        ("/secure/audit", "since", "31.5.2026"),
        ("/secure/audit", "limit", "x"),
    ],
)
@pytest.mark.parametrize("export", ["", "csv"])
def test_what_is_not_understood_is_told_at_its_field_and_kept(
    browser: InProcessBrowser, address: str, name: str, typed: str, export: str
) -> None:
    page = browser.open(f"{address}?{urlencode({name: typed, 'text': 'words', 'export': export})}")
    # How many is no matter of a file, which holds all of them.
    if export and name == "limit":
        assert page.status == 200
        return
    assert page.status == 422
    assert f'id="{name}-trouble"' in page.html and page.html.count('class="trouble"') == 1
    values = {made.name: made.value for form in page.read.forms for _, made in form.fields}
    assert (values[name], values["text"]) == (typed, "words")


def test_what_is_wrong_with_no_field_is_told_all_the_same(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/events?before=x%3Cb%3E")
    assert page.status == 422
    assert "'x<b>' is no number." in page.text


@pytest.mark.parametrize("address", PAGES)
def test_pages_follow_each_other_and_keep_what_was_chosen(
    browser: InProcessBrowser, engine: KeeperEngine, address: str
) -> None:
    engine.events[:] = [EngineEvent(number, AT, "saved", "", f"sentence {number}.") for number in range(1, 8)]
    engine.audit[:] = [
        AuditEntry(number, AT, "root", "", 0, "save", "done", f"sentence {number}.") for number in range(1, 8)
    ]
    page, told = browser.open(f"{address}?limit=3&text=sent"), []
    for _ in range(3):
        told.append([int(number) for number in re.findall(r"sentence (\d)\.", page.text)])
        assert page.value("Words") == "sent"
        if "Older" not in page.text:
            break
        page = page.follow("Older")
    assert told == [[7, 6, 5], [4, 3, 2], [1]]
    assert "sentence 7." in page.follow("Newest").text
    assert "There is none older than that." in browser.open(f"{address}?before=1").text


def test_an_answer_that_found_nothing_in_its_part_leads_on(
    browser: InProcessBrowser, engine: KeeperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("piranha.engine.questions.LOOKED_MAX", 1)
    page = browser.open("/secure/events?kind=server-down")
    assert "Nothing was found in this part; there is more." in page.text
    assert "server-down web1" in page.follow("Older").text


@pytest.mark.parametrize("address", PAGES)
def test_an_empty_record_says_what_will_stand_there(
    browser: InProcessBrowser, engine: KeeperEngine, address: str
) -> None:
    engine.events.clear()
    engine.audit.clear()
    assert re.search("Nothing has happened yet|Nobody has changed anything yet", browser.open(address).text)
    assert re.search("No (event|entry) is as asked for.", browser.open(f"{address}?text=x").text)


@pytest.mark.parametrize("address", PAGES)
def test_what_is_wrong_with_the_record_is_told(browser: InProcessBrowser, engine: KeeperEngine, address: str) -> None:
    engine.record_problem = "The file cannot be read: Input/output error."
    assert "The file cannot be read: Input/output error." in browser.open(address).text


@pytest.mark.parametrize("address", PAGES)
def test_json_lines_hold_all_that_is_chosen(browser: InProcessBrowser, engine: KeeperEngine, address: str) -> None:
    browser.open(address).fill("Words", "e").press("Export as JSON lines")
    assert browser.answer is not None
    name = address.rpartition("/")[2]
    assert browser.answer.mimetype == "application/x-ndjson"
    assert browser.answer.headers["Content-Disposition"] == f'attachment; filename="piranha-{name}.jsonl"'
    lines = [json.loads(line) for line in browser.answer.get_data(as_text=True).splitlines()]
    wanted = [APPLIED, DOWN] if name == "events" else [SAVED, DRAINED]
    assert lines == [asdict(each) for each in wanted]
    assert engine.named(name)[-1].what.text == "e"


@pytest.mark.parametrize("address", PAGES)
def test_csv_holds_all_pages_and_no_formula(browser: InProcessBrowser, engine: KeeperEngine, address: str) -> None:
    count = RECORDS_MAX + 5
    engine.events[:] = [EngineEvent(number, AT, "saved", "", "=1+1", 'a,"b') for number in range(1, count + 1)]
    engine.audit[:] = [AuditEntry(number, AT, "=1+1", "", 0, "save", "done") for number in range(1, count + 1)]
    browser.open(f"{address}?limit=3").press("Export as CSV")
    assert browser.answer is not None
    assert browser.answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    text = browser.answer.get_data(as_text=True)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["number"]) for row in rows] == list(range(count, 0, -1))
    assert {row["sentence" if "events" in address else "who"] for row in rows} == {"'=1+1"}
    assert len(engine.named(address.rpartition("/")[2])) == 3  # the page, and two of the file


@pytest.mark.parametrize("address", PAGES)
def test_without_the_engine_a_page_says_so_and_a_file_is_none(
    browser: InProcessBrowser, engine: KeeperEngine, address: str
) -> None:
    engine.is_dead = True
    page = browser.open(f"{address}?text=kept")
    assert page.status == 200 and "Nothing is known:" in page.text and page.value("Words") == "kept"
    answer = browser.raw("GET", f"{address}?export=json")
    assert answer.status_code == 503 and "Content-Disposition" not in answer.headers


def test_an_engine_that_dies_in_the_middle_of_a_file_is_no_whole_file(
    browser: InProcessBrowser, engine: KeeperEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.events[:] = [EngineEvent(number, AT, "saved", "", "x") for number in range(1, RECORDS_MAX + 5)]
    ask = KeeperClient.events

    def once(client: KeeperClient, query: EventsQuery) -> object:
        if query.before:
            raise EngineUnavailable("The engine does not answer.")
        return ask(client, query)

    monkeypatch.setattr(KeeperClient, "events", once)
    with pytest.raises(EngineUnavailable):
        browser.raw("GET", "/secure/events?export=json")


def test_what_an_event_is_about_leads_to_all_of_it(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    page = browser.open("/secure/events").follow("http / web1")
    assert engine.named("events")[-1].what.about == "virtual[http].server[web1]"
    assert quote("virtual[http].server[web1]") in page.url

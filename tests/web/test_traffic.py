"""The traffic of a virtual server: curves that say what the numbers say, gaps that are gaps, and the page with both."""

import xml.etree.ElementTree as ElementTree
from base64 import b64encode
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

import pytest

from piranha.monitoring import SamplesAnswer, TrafficSample
from piranha.paths import Paths
from piranha.web.charts import NARROW_WIDTH, Chart, Curve, large, nice_top, small
from piranha.web.furniture import size
from piranha.web.traffic_rows import Summed, rows, span_s
from tests.web.conftest import AT, InProcessBrowser, KeeperEngine

HTTP = "virtual=virtual%5Bhttp%5D"
CHART = f"/secure/chart.svg?{HTTP}"
PAGE = f"/secure/traffic?{HTTP}"
SVG = "{http://www.w3.org/2000/svg}"
WORDS = (("Connections/s", "Active connections", "Bytes/s"), ("connections/s", "active", "in", "out"))


def sample(age_s: float, connections: float | None, active: int | None = 1) -> TrafficSample:
    at = (datetime.fromisoformat(AT) - timedelta(seconds=age_s)).isoformat()
    return TrafficSample(at, connections, connections, None if connections is None else connections * 10, active)


def told(*samples: TrafficSample) -> SamplesAnswer:
    return SamplesAnswer("virtual[http]", "http", 15.0, 3600.0, AT, samples)


def points(curve: Curve) -> list[list[tuple[float, float]]]:
    return [[(float(x), float(y)) for x, y in (pair.split(",") for pair in piece.split())] for piece in curve.pieces]


def drawn(*samples: TrafficSample) -> tuple[Chart, Curve]:
    chart = large(told(*samples), *WORDS, size)
    return chart, chart.panels[0].curves[0]


def test_the_hour_goes_from_left_to_right_and_numbers_upwards() -> None:
    chart, curve = drawn(*(sample(age, number) for age, number in ((3600.0, 0.0), (1800.0, 5.0), (0.0, 10.0))))
    panel = chart.panels[0]
    assert curve.pieces == () and len(curve.dots) == 3, "they are too far apart for a line"
    assert [x for x, _ in curve.dots] == [chart.left, (chart.left + chart.right) / 2, chart.right]
    assert [y for _, y in curve.dots] == [panel.bottom, panel.top + panel.height / 2, panel.top]


def test_neighbours_are_joined_and_a_gap_is_a_gap() -> None:
    ages = [150 - 15 * number for number in range(11)]
    _, curve = drawn(*(sample(age, None if age in (75, 30) else 4.0) for age in ages))
    assert [len(piece) for piece in points(curve)] == [5, 2, 2]
    assert curve.dots == ()
    _, curve = drawn(sample(60, 1.0), sample(45, None), sample(30, 2.0), sample(15, None), sample(0, 2.0))
    assert curve.pieces == () and len(curve.dots) == 3


def test_what_is_older_than_the_hour_or_makes_no_sense_is_not_drawn() -> None:
    broken = TrafficSample("soon", 1.0, 1.0, 1.0, 1)
    _, curve = drawn(sample(4000, 5.0), broken, sample(-60, 5.0), sample(15, 1.0), sample(0, 1.0))
    assert len(curve.dots) + sum(map(len, points(curve))) == 2


def test_zero_is_drawn_and_unknown_is_not() -> None:
    chart, curve = drawn(sample(15, 0.0), sample(0, 0.0))
    assert not chart.is_empty and points(curve)[0][0][1] == chart.panels[0].bottom
    assert drawn(sample(15, None, None))[0].is_empty
    assert drawn()[0].is_empty


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (0.3, 0.5), (1, 1), (1.01, 2), (2.4, 2.5), (3, 5), (7, 10), (10, 10), (1234, 2000)]
)
def test_an_axis_ends_at_a_round_number(most: float, top: float) -> None:
    assert nice_top(most) == pytest.approx(top)


@pytest.mark.parametrize("numbers", [(0.0,), (0.001, 2.0), (7.3, 1e12)])
def test_every_point_is_inside_its_diagram(numbers: tuple[float, ...]) -> None:
    samples = [sample(15 * place, number, 3) for place, number in enumerate(numbers)]
    narrow = large(told(*samples), *WORDS, size, width=NARROW_WIDTH)
    for chart in (large(told(*samples), *WORDS, size), narrow, small(told(*samples), "x")):
        for panel in chart.panels:
            for curve in panel.curves:
                for x, y in [*curve.dots, *(point for piece in points(curve) for point in piece)]:
                    assert chart.left <= x <= chart.right and panel.top <= y <= panel.bottom
            assert panel.bottom <= chart.height


def test_the_axes_say_numbers_bytes_and_times() -> None:
    chart, _ = drawn(sample(15, 40.0), sample(0, 1.0))
    assert [words for _, words in chart.panels[0].lines] == ["0", "25", "50"]
    assert [words for _, words in chart.panels[2].lines] == [size(0), size(250), size(500)]
    assert [words for _, words in chart.times] == ["09:30", "09:45", "10:00", "10:15", "10:30"]


# The rows


def test_a_row_ends_at_a_round_time_and_has_what_was_told_of_the_time_before_it() -> None:
    newest, oldest = rows(told(sample(600, 2.0), sample(310, 4.0), sample(300, 5.0), sample(15, 6.0), sample(0, 8.0)))[
        ::2
    ]
    assert (newest.since, newest.until, newest.known) == ("10:25", "10:30", 2)
    assert newest.connections == Summed(7.0, 8.0) and newest.bytes_out == Summed(70.0, 80.0)
    assert (oldest.since, oldest.until, oldest.known) == ("10:15", "10:20", 1)


def test_what_is_not_known_is_in_no_average() -> None:
    (row,) = rows(told(sample(30, 2.0), sample(15, None, None), sample(0, None, 7)))
    assert row.known == 2 and row.connections == Summed(2.0, 2.0) and row.active == Summed(4.0, 7)
    (row,) = rows(told(sample(0, None, None)))
    assert row.known == 0 and row.connections is None and row.active is None


def test_times_are_those_of_the_router_and_nonsense_is_in_no_row() -> None:
    there = TrafficSample("2026-11-23T16:00:00+05:45", 1.0, 1.0, 1.0, 1)
    assert [(row.since, row.until) for row in rows(told(there, TrafficSample("soon", 1.0, 1.0, 1.0, 1)))] == [
        ("15:55", "16:00")
    ]
    assert rows(told()) == []


@pytest.mark.parametrize(("kept_s", "span"), [(60.0, 60), (720.0, 60), (3600.0, 300), (7200.0, 900), (86400.0, 3600)])
def test_however_long_samples_are_kept_there_are_few_rows(kept_s: float, span: int) -> None:
    assert span_s(replace(told(), kept_s=kept_s)) == span


# The pages


@pytest.fixture
def busy(engine: KeeperEngine) -> KeeperEngine:
    engine.samples = tuple(sample(15 * number, 40.0 - number) for number in reversed(range(20)))
    return engine


def test_a_full_hour_is_twelve_rows(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    engine.samples = tuple(sample(15 * number, 1.0) for number in reversed(range(240)))
    page = browser.open(PAGE)
    assert page.html.count("<tr>") == 13 and "09:30 to 09:3520" in page.text
    assert len(page.html) < 20_000


def test_a_narrow_screen_gets_a_narrow_chart(browser: InProcessBrowser, busy: KeeperEngine) -> None:
    page = browser.open(PAGE)
    source = page.html.split('<source media="(max-width: 40rem)"')[1].split('srcset="')[1].split('"')[0]
    picture = browser.raw("GET", source.replace("&amp;", "&")).get_data(as_text=True)
    assert f'viewBox="0 0 {NARROW_WIDTH} ' in picture and "font:12px" in picture
    assert ">in</text>" in picture and ">10:30</text>" in picture


@pytest.mark.parametrize("address", [CHART, f"{CHART}&size=large", f"{CHART}&size=narrow"])
def test_the_chart_is_a_picture_that_stands_alone(browser: InProcessBrowser, busy: KeeperEngine, address: str) -> None:
    answer = browser.raw("GET", address)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")
    root = ElementTree.fromstring(answer.get_data(as_text=True))
    assert root.tag == f"{SVG}svg" and len(root.findall(f".//{SVG}polyline")) == (4 if "size" in address else 1)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        "svg", "style", "rect", "line", "text", "polyline", "circle",
    }  # fmt: skip
    style = root.findtext(f"{SVG}style")
    assert style is not None and "@media screen and (prefers-color-scheme:dark)" in style
    policy = answer.headers["Content-Security-Policy"]
    own = b64encode(sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{own}'" in policy and "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Cache-Control"] == "no-store"
    assert len(answer.get_data()) < 10_000


def test_a_chart_without_samples_says_so_in_the_picture(browser: InProcessBrowser, engine: KeeperEngine) -> None:
    assert "no samples yet" in browser.raw("GET", CHART).get_data(as_text=True)
    engine.is_dead = True
    answer = browser.raw("GET", CHART)
    assert answer.status_code == 200 and ">not known</text>" in answer.get_data(as_text=True)
    assert ElementTree.fromstring(answer.get_data(as_text=True)).tag == f"{SVG}svg"


def test_the_page_has_the_chart_and_the_numbers_the_newest_first(browser: InProcessBrowser, busy: KeeperEngine) -> None:
    busy.samples = (*busy.samples[:-1], sample(0, None, None))
    page = browser.open(PAGE)
    assert "TRAFFIC OF http" in page.text
    assert 'src="/secure/chart.svg?virtual=virtual%5Bhttp%5D&amp;size=large' in page.html
    assert 'alt="The curves of the numbers in the table below"' in page.html
    assert "Out/s 10:25 to 10:301930.0 most 39.01.0 most 1.030 B most 39 B300 B most 390 B" in page.text
    assert page.html.count("<tr>") == 2
    every = page.follow("Show every sample of 20")
    assert "Out/s 2026-11-23 10:30:00–––– 2026-11-23 10:29:4539.0139 B390 B 2026-11-23 10:29:30" in every.text
    assert every.html.count("<tr>") == 21
    assert "A row is what the samples of 5 min say" in every.follow("Sum them up").text
    assert page.follow("MONITORING").read.headings[0] == "CONTROL / MONITORING"


def test_a_virtual_server_that_does_not_run_and_an_engine_that_is_dead_are_told(
    browser: InProcessBrowser, engine: KeeperEngine
) -> None:
    page = browser.open("/secure/traffic?virtual=virtual%5B%3Cgone%3E%5D")
    assert page.status == 404 and "[<gone>] is not in what runs." in page.text and "<gone>" not in page.html
    assert browser.open("/secure/traffic").status == 404
    engine.is_dead = True
    page = browser.open(PAGE)
    assert page.status == 200 and "nobody listens there" in page.text


def test_the_panel_has_a_small_chart_for_each_virtual_server_that_leads_to_the_numbers(
    browser: InProcessBrowser, busy: KeeperEngine
) -> None:
    page = browser.open("/secure/control")
    assert page.html.count("<img") == 1 and 'loading="lazy"' in page.html and 'width="240" height="40"' in page.html
    assert 'alt="Connections/s of http in the last hour, drawn"' in page.html
    assert ("Traffic of http", PAGE) in page.read.links
    assert busy.named("samples") == [], "the page itself asks for none"


@pytest.mark.parametrize("name", ["a&b=c#d", "a+b%20c", "<i>"])
def test_a_chart_and_its_numbers_are_found_whatever_the_name(
    browser: InProcessBrowser, busy: KeeperEngine, paths: Paths, name: str
) -> None:
    paths.lvs_cf.write_text(paths.lvs_cf.read_text().replace("virtual http {", f"virtual {name} {{"))
    busy.apply_now()
    page = browser.open("/secure/control")
    assert f"TRAFFIC OF {name}" in page.follow(f"Traffic of {name}").text
    path = busy.named("samples")[-1].what
    picture = page.html.split('<img class="chart" src="')[1].split('"')[0].replace("&amp;", "&")
    assert "polyline" in browser.raw("GET", picture).get_data(as_text=True)
    assert busy.named("samples")[-1].what == path and "refreshed" not in path


def test_a_chart_is_no_activity(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/control")
    assert "refreshed=1" in page.html.split("<img")[1].split(">")[0]
    assert "refreshed=1" in browser.open(PAGE).html.split("<img")[1].split(">")[0]

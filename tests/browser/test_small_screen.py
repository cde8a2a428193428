"""On a telephone: help stands beside the label and covers nothing, the answer stands before the form that chooses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.full_gui import FullGui
from tests.browser.tour import HEIGHT, NARROW, Tour
from tests.web.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

HTTP = "virtual=virtual%5BHTTP%5D"
TOP = "each => each.getBoundingClientRect().top"
LETTERS = """() => {
    const picture = document.querySelector('img.chart');
    return picture.getBoundingClientRect().width / picture.naturalWidth * 12;
}"""
"""How large the letters of a chart are, pixels."""


@pytest.fixture
def tour(tmp_path: Path, chromium: Browser) -> Iterator[Tour]:
    """Give a narrow browser that is logged in; what its system likes is dark."""
    with FullGui(tmp_path).serving() as gui:
        made = Tour(chromium, gui.url, "small screen")
        made.tab.set_viewport_size({"width": NARROW, "height": HEIGHT})
        made.log_in(PASSWORD)
        yield made
        made.context.close()


def test_labels_are_pressed_beside_their_help(tour: Tour) -> None:
    tour.open("/secure/redundancy")
    box, label = tour.tab.locator("#monitor_links"), tour.tab.locator("label[for=monitor_links]")
    assert box.is_checked()
    label.click()
    assert not box.is_checked()
    box.click()
    assert box.is_checked()
    tour.tab.locator("label[for=backup]").click()
    assert tour.tab.evaluate("document.activeElement.id") == "backup"
    for name in ("backup", "monitor_links"):
        help_ = tour.tab.locator(f".field:has(#{name}) summary")
        beside = tour.tab.locator(f"label[for={name}]")
        assert abs(help_.evaluate(TOP) - beside.evaluate(TOP)) < 24
        help_.click()
        assert tour.tab.locator(f"#{name}-help").is_visible()
    assert tour.tab.locator("#backup-help").evaluate(TOP) < tour.tab.locator("#backup").evaluate(TOP)


def test_the_form_of_a_virtual_server_is_no_longer_than_three_screens(tour: Tour) -> None:
    tour.open(f"/secure/virtual_server?{HTTP}")
    assert tour.tab.locator("main form").last.evaluate("each => each.offsetHeight") < 3 * HEIGHT


@pytest.mark.parametrize("page", ["events", "audit", "connections"])
def test_the_answer_is_in_sight_and_the_form_opens_where_something_is_wrong(tour: Tour, page: str) -> None:
    tour.open(f"/secure/{page}")
    assert tour.tab.locator("main h2").last.evaluate(TOP) < HEIGHT
    chosen, show = ("Client", "Show connections") if page == "connections" else ("How many", "Show e")
    assert not tour.tab.get_by_label(chosen).is_visible()
    tour.tab.locator(".choose summary").click()
    tour.tab.get_by_label(chosen).fill("nonsense")
    with tour.tab.expect_navigation():
        tour.tab.get_by_role("button", name=show).click()
    assert tour.tab.get_by_label(chosen).is_visible() and tour.tab.locator(".trouble").is_visible()


def test_the_history_comes_before_the_form_that_compares(tour: Tour) -> None:
    tour.open("/secure/history")
    assert tour.tab.locator("main table").evaluate(TOP) < tour.tab.locator("#compare").evaluate(TOP)
    tour.tab.get_by_role("link", name="Compare any two of them").click()
    assert 0 <= tour.tab.locator("#compare").evaluate(TOP) < HEIGHT


def test_a_chart_can_be_read_on_a_telephone_and_on_a_desk(tour: Tour) -> None:
    tour.open(f"/secure/traffic?{HTTP}")
    for width in (NARROW, 1280):
        tour.tab.set_viewport_size({"width": width, "height": HEIGHT})
        tour.tab.wait_for_function("() => document.querySelector('img.chart').complete")
        assert tour.tab.evaluate(LETTERS) >= 11.5, width


def test_a_chart_on_paper_is_light(tour: Tour) -> None:
    tour.tab.set_viewport_size({"width": 800, "height": HEIGHT})
    tour.open(f"/secure/traffic?{HTTP}")
    ground = {}
    for media in ("screen", "print"):
        tour.tab.emulate_media(color_scheme="dark", media=media)  # type: ignore[arg-type]
        tour.tab.wait_for_function("() => document.querySelector('img.chart').complete")
        png = tour.tab.locator("img.chart").screenshot()
        ground[media] = tour.tab.evaluate(
            """async bytes => {
                const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)]));
                const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
                canvas.drawImage(bitmap, 0, 0);
                return [...canvas.getImageData(8, 8, 1, 1).data.slice(0, 3)];
            }""",
            list(png),
        )
    assert ground == {"screen": [27, 27, 27], "print": [255, 255, 255]}

"""The keyboard alone: it reaches every control in the order of the page, the focus is seen, the work can be done."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from tests.browser.full_gui import FullGui
from tests.browser.tour import Tour
from tests.running_demo import RunningDemo
from tests.web.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LIST_STOPS = """() => {
    const own = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]';
    const groups = new Set();
    window.stops = [...document.querySelectorAll(own)].filter(each => {
        if (!each.checkVisibility() || each.disabled || each.tabIndex < 0) return false;
        if (each.type !== 'radio') return true;
        const all = [...document.getElementsByName(each.name)];
        return each === (all.find(one => one.checked) || all[0]);  // the arrow keys choose among the others
    });
    return window.stops.length;
}"""
LOOK_AT_FOCUS = """() => {
    const light = text => {
        const parts = text.match(/[\\d.]+/g).map(Number).slice(0, 3).map(each => each / 255);
        const [r, g, b] = parts.map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const each = document.activeElement, style = getComputedStyle(each), box = each.getBoundingClientRect();
    const name = each.outerHTML.slice(0, 100), faults = [];
    let ground = parseFloat(style.outlineOffset) < 0 ? each : each.parentElement;
    while (/^rgba.*, 0\\)$/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
    const [line, behind] = [style.outlineColor, getComputedStyle(ground).backgroundColor].map(light);
    const contrast = (Math.max(line, behind) + 0.05) / (Math.min(line, behind) + 0.05);
    if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) faults.push(`no outline on ${name}`);
    else if (contrast < 3) faults.push(`contrast of the outline ${contrast.toFixed(1)} on ${name}`);
    const isSeen = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    if (!isSeen) faults.push(`out of sight: ${name}`);
    const place = stops.indexOf(each);
    return {place: place < 0 && each.scrollWidth > each.clientWidth ? 'scrolls' : place, faults, name};
}"""
"""A box that scrolls sideways can be reached too, so that the arrow keys move it."""
NAME = """() => {
    const each = document.activeElement;
    const label = each.labels && each.labels[0];
    return (label ? label.textContent.replace(/:\\s*$/, '') : each.textContent).replace(/\\s+/g, ' ').trim();
}"""


@pytest.fixture
def gui(tmp_path: Path) -> Iterator[FullGui]:
    """Give a GUI that has one of everything; an Apply waits for its confirmation."""
    with FullGui(tmp_path).serving() as made:
        made.save("keepalive = 6", "keepalive = 7")
        made.client().override("virtual[HTTP].server[web1]", "drain")
        made.client().apply(confirm_s=300)
        made.save("keepalive = 7", "keepalive = 8")
        yield made


@pytest.fixture
def tour(gui: FullGui, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Tour]:
    made = Tour(chromium, gui.url, request.node.name)
    made.log_in(PASSWORD)
    yield made
    made.context.close()
    assert made.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tab_reaches_every_control_in_the_order_of_the_page_and_it_is_seen_where_the_focus_is(
    gui: FullGui, tour: Tour, scheme: str
) -> None:
    tour.tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    pages = {name: address for name, address in gui.pages().items() if " " not in name}
    assert len(pages) > 20
    wrong: list[str] = []
    for name, address in pages.items():
        tour.open(address)
        count, reached = tour.tab.evaluate(LIST_STOPS), []
        assert count > 2, name
        while len(reached) < count:
            tour.tab.keyboard.press("Tab")
            seen = tour.tab.evaluate(LOOK_AT_FOCUS)
            wrong += [f"{name}: {fault}" for fault in seen["faults"]]
            if seen["place"] != "scrolls":
                reached.append(seen["place"])
            assert reached == list(range(len(reached))), f"{name}: {seen['name']} after {reached[:-1]}"
    assert wrong == [], "\n".join(wrong)


def test_the_first_link_leads_past_the_head_of_the_page(gui: FullGui, tour: Tour) -> None:
    tour.open("/secure/global_settings")
    tour.tab.keyboard.press("Tab")
    assert tour.tab.evaluate(NAME) == "Skip to the content"
    assert tour.tab.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    tour.tab.keyboard.press("Enter")
    tour.tab.keyboard.press("Tab")
    assert tour.tab.evaluate("document.activeElement.closest('main') !== null")


class Keyboard:
    """A person without a mouse, who goes on with Tab until the words are where the focus is."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def go_to(self, words: str) -> None:
        names = []
        while (name := self.tab.evaluate(NAME)) != words or not names:
            self.tab.keyboard.press("Tab")
            names.append(name)
            assert len(names) < 300, f"{words} is not reached on {self.tab.url}: {names}"

    def type(self, label: str, text: str) -> None:
        self.go_to(label)
        self.tab.keyboard.press("Control+A")
        self.tab.keyboard.type(text)

    def enter(self, words: str = "") -> None:
        """Press Enter, on the control with these words or where the focus is; the next page comes."""
        if words:
            self.go_to(words)
        with self.tab.expect_navigation():
            self.tab.keyboard.press("Enter")


@pytest.fixture
def keyboard(demo: RunningDemo, chromium: Browser) -> Iterator[Keyboard]:
    """Give a person at the welcome page of a demo."""
    context = chromium.new_context()
    tab = context.new_page()
    tab.goto(f"http://127.0.0.1:{demo.gui_port}/")
    yield Keyboard(tab)
    context.close()


def test_a_weight_is_changed_and_applied_with_the_keyboard_alone(demo: RunningDemo, keyboard: Keyboard) -> None:
    keyboard.enter("Login")
    keyboard.type("User", "piranha")
    keyboard.type("Password", demo.password)
    keyboard.enter()
    keyboard.enter("VIRTUAL SERVERS")
    keyboard.enter("Edit demo")
    keyboard.enter("REAL SERVER")
    keyboard.enter("Edit web1")
    keyboard.type("Weight", "7")
    keyboard.enter("ACCEPT")
    assert demo.server("web1").configured_weight == 1
    keyboard.enter("See the difference, the plan, and apply it")
    keyboard.enter("Apply, and undo unless I confirm")
    assert demo.server("web1").configured_weight == 7
    keyboard.enter("CONFIRM")
    assert demo.status().confirmation is None
    assert demo.server("web1").configured_weight == 7
    keyboard.enter("LOG OUT")
    assert "You are logged out." in keyboard.tab.inner_text("body")

"""Every page in links, lynx and w3m: its heading, the tabs, each label beside its field, in the order of the work."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.browser.full_gui import ODD, FullGui
from tests.plain_browser import Page, PlainBrowser
from tests.web.conftest import PASSWORD

pytestmark = pytest.mark.browser

TABS = "CONTROL/MONITORING GLOBAL SETTINGS REDUNDANCY VIRTUAL SERVERS"
DRAWN = set("•☆━─│┌┐└┘├┤┬┴┼═")
"""What the browsers themselves draw."""
MARKUP = re.compile(r"</?(a|div|form|input|label|li|p|span|strong|t[dhr]|ul)[ >]|\{\{|\{%|&(nbsp|lt|gt|quot|#\d+);")
Words = Callable[[str, str, Path], list[str]]


def in_links(url: str, cookies: str, folder: Path) -> list[str]:
    return ["links", "-http.extra-header", f"Cookie: {cookies}", "-width", "120", "-dump", url]


def in_w3m(url: str, cookies: str, folder: Path) -> list[str]:
    return ["w3m", "-header", f"Cookie: {cookies}", "-cols", "120", "-dump", url]


def in_lynx(url: str, cookies: str, folder: Path) -> list[str]:
    kept, settings = folder / "cookies", folder / "lynx.cfg"
    lines = [f"127.0.0.1\tFALSE\t/\tFALSE\t4102444800\t{each.replace('=', chr(9), 1)}" for each in cookies.split("; ")]
    kept.write_text("\n".join([*lines, ""]))
    # Lynx reads the file of cookies only where its settings say that cookies are kept. These settings are instead of
    # Debian's, which say that the terminal has the characters of the locale; without that it has Latin-1.
    words = ("PERSISTENT_COOKIES:TRUE", "ACCEPT_ALL_COOKIES:TRUE", f"COOKIE_FILE:{kept}", "LOCALE_CHARSET:TRUE", "")
    settings.write_text("\n".join(words))
    return ["lynx", f"-cfg={settings}", "-nolist", "-width=120", "-dump", url]


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
def pages(gui: FullGui) -> dict[str, Page]:
    """Give every page of the URL map."""
    stranger, browser = PlainBrowser("127.0.0.1", gui.port), PlainBrowser("127.0.0.1", gui.port)
    browser.log_in(PASSWORD)
    found = {address: stranger.open(address) for address in ("/", "/login", "/about_login")}
    found |= {address: browser.open(address) for address in gui.pages().values()}
    assert [address for address, page in found.items() if page.status != 200] == []
    return found


def dumped(words: Words, page: Page, folder: Path, **environment: str) -> bytes:
    cookies = "; ".join(f"{name}={value}" for name, value in page.browser.cookies.items())
    command = words(page.url, cookies, folder)
    assert shutil.which(command[0]), f"{command[0]} is missing: apt-get install {command[0]}"
    around: Mapping[str, str] = {**os.environ, "HOME": str(folder), **environment}
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, env=around)
    assert done.returncode == 0, f"{page.url}: {done.stderr.decode()}"
    return done.stdout


def labels(page: Page) -> Iterator[tuple[str, str, str]]:
    """Yield the label, the kind and the beginning of the value of every field that has one."""
    for form in page.read.forms:
        for id_, field in form.fields:
            # Lynx sends no files, and shows no field for one; the field for the text stands below.
            if id_ in page.read.labels and field.kind != "file":
                chosen = [text for text, value in field.choices.items() if value == field.value]
                yield page.read.labels[id_], field.kind, (chosen[0] if chosen else field.value)[:4]


def beside(label: str, kind: str, value: str) -> re.Pattern[str]:
    """Return what a label with its field looks like: an empty one is a line or a box, and links never shows a value."""
    words = r"\s+".join(map(re.escape, label.split()))
    if kind in ("checkbox", "radio"):
        return re.compile(rf"[\[(][ *xX]?[\])]\s*{words}")
    # Between the two may stand what the value is now; another label ends with a colon.
    return re.compile(rf"{words}:?[^:]{{0,40}}?\s?(\[|__|{re.escape(value) if value else '__'})")


def in_order(page: Page) -> re.Pattern[str]:
    """Return the parts of a page one after another: the heading, the tabs, then heading by heading."""
    first, *others = page.read.headings
    parts = [first, *([TABS] if "/secure/" in page.url else []), *others]
    return re.compile(".*".join(r"[\s*•]+".join(map(re.escape, part.split())) for part in parts), re.IGNORECASE)


@pytest.mark.parametrize("words", [in_links, in_w3m, in_lynx], ids=["links", "w3m", "lynx"])
def test_every_page_can_be_read_in_a_text_browser(words: Words, pages: dict[str, Page], tmp_path: Path) -> None:
    assert len(pages) >= 40
    for page in pages.values():
        text = dumped(words, page, tmp_path, LC_ALL="C.UTF-8").decode()
        shown = " ".join(text.split())
        assert in_order(page).search(shown), f"{page.url} {page.read.headings}:\n{text}"
        assert not MARKUP.search(shown.replace(ODD, "")), f"{page.url} shows markup:\n{text}"
        strange = {char for char in shown if not char.isascii()} - set(page.text) - DRAWN
        assert not strange, f"{page.url} shows {strange}:\n{text}"
        signs = {char for char in page.text if char in "●▲▼■✖✔–"}
        assert signs <= set(shown), f"{page.url} does not show {signs - set(shown)}:\n{text}"
        for label, kind, value in labels(page):
            assert beside(label, kind, value).search(shown), f"{page.url} {label!r} has no field beside it:\n{text}"


def test_lynx_on_a_terminal_without_unicode_shows_no_sign_as_another_letter(
    pages: dict[str, Page], tmp_path: Path
) -> None:
    for page in pages.values():
        text = dumped(in_lynx, page, tmp_path, LC_ALL="C").decode("latin-1")
        strange = {char for char in text if not char.isascii()} - set(page.text)
        assert not strange, f"{page.url} shows {strange}:\n{text}"

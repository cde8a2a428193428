"""Every page in links, lynx and w3m: its heading, its words, no markup."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plain_browser import PlainBrowser, every_page
from tests.running_demo import RunningDemo

pytestmark = pytest.mark.browser


def in_links(url: str, cookies: dict[str, str], folder: Path) -> list[str]:
    header = "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items())
    return ["links", "-http.extra-header", header, "-width", "120", "-dump", url]


def in_w3m(url: str, cookies: dict[str, str], folder: Path) -> list[str]:
    header = "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items())
    return ["w3m", "-header", header, "-cols", "120", "-dump", url]


def in_lynx(url: str, cookies: dict[str, str], folder: Path) -> list[str]:
    kept, settings = folder / "cookies", folder / "lynx.cfg"
    lines = [f"127.0.0.1\tFALSE\t/\tFALSE\t4102444800\t{name}\t{value}" for name, value in cookies.items()]
    kept.write_text("\n".join([*lines, ""]))
    # Lynx reads the file of cookies only where its settings say that cookies are kept.
    settings.write_text(f"PERSISTENT_COOKIES:TRUE\nACCEPT_ALL_COOKIES:TRUE\nCOOKIE_FILE:{kept}\n")
    return ["lynx", f"-cfg={settings}", "-nolist", "-width=120", "-dump", url]


@pytest.mark.parametrize("words", [in_links, in_w3m, in_lynx], ids=["links", "w3m", "lynx"])
def test_every_page_can_be_read_in_a_text_browser(
    words: Callable[[str, dict[str, str], Path], list[str]], demo: RunningDemo, plain: PlainBrowser, tmp_path: Path
) -> None:
    plain.log_in(demo.password)
    pages = every_page(plain)
    assert len(pages) >= 12
    for url, page in pages.items():
        command = words(url, plain.cookies, tmp_path)
        assert shutil.which(command[0]), f"{command[0]} is missing: apt-get install {command[0]}"
        dumped = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert dumped.returncode == 0, f"{url}: {dumped.stderr}"
        shown = " ".join(dumped.stdout.split())
        assert page.read.headings, url
        assert page.read.headings[0].casefold() in shown.casefold(), f"{url}:\n{dumped.stdout}"
        assert not re.search(r"</?[a-z]+[ >]|\{\{|\{%|&[a-z]+;", shown), f"{url} shows markup:\n{dumped.stdout}"
        # What a person reads there is what the page says: every label of a field is on the screen.
        for label in page.read.labels.values():
            first = label.split(" (")[0].split(" – ")[0]
            assert first.split()[0] in shown, f"{url} does not show {label!r}:\n{dumped.stdout}"

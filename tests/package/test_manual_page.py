"""lvs.cf(5) is rendered by two programs without a word of complaint, and the reader sees every keyword."""

import re
import subprocess
from pathlib import Path

import pytest

from piranha.config.fields import FIELDS

pytestmark = pytest.mark.debian

PAGE = Path(__file__).parents[2] / "docs" / "man" / "lvs.cf.5"
RENDERERS = {
    "groff": ("groff", "-man", "-Tutf8", "-P-c", "-rLL=100n"),
    "mandoc": ("mandoc", "-T", "utf8", "-O", "width=100"),
}


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run((*words, str(PAGE)), capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("words", [("groff", "-man", "-ww", "-z", "-Tutf8"), ("mandoc", "-T", "lint", "-W", "style")])
def test_nothing_is_wrong_with_the_markup(words: tuple[str, ...]) -> None:
    checked = run(*words)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.mark.parametrize("name", RENDERERS)
def test_a_reader_sees_every_keyword_with_its_help(name: str) -> None:
    rendered = run(*RENDERERS[name])
    assert rendered.returncode == 0
    seen = re.sub(r".\x08", "", rendered.stdout)  # bold, as a typewriter makes it
    seen = re.sub("[\u2010\u00ad]\n *", "", seen).replace("\u2010", "-").replace("\u2019", "'").replace("\u2212", "-")
    words = " ".join(seen.split())
    for row in FIELDS:
        assert re.search(rf"^ +{row.keyword}\b", seen, re.MULTILINE), row.keyword
        assert "".join(row.help.split()).replace("-", "") in "".join(words.split()).replace("-", ""), row.keyword

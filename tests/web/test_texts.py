"""Every text on a page is marked for translation, can be extracted, and comes out translated."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from babel.messages import Catalog, extract
from babel.messages.mofile import write_mo
from jinja2 import Environment, nodes
from jinja2.ext import babel_extract

from piranha.paths import Paths
from piranha.resources import tree
from piranha.web import create_app
from piranha.web.pages import CHAPTERS
from piranha.web.throttle import RequestRate
from tests.plain_browser import every_page
from tests.web.conftest import PASSWORD, InProcessBrowser, KeeperClient, KeeperEngine

TEMPLATES = tree("templates")
CODE = Path(str(files("piranha.web")))
WORDS = re.compile(r"[^\W\d_]{2}")
ATTRIBUTE = re.compile(r' [a-z-]+="|[a-z0-9-]*"$')
"""A macro that writes attributes."""
READ_ALOUD = ("title", "alt", "aria-label", "placeholder")
COMMANDS = ("pre", "code")
"""What is typed into a shell or stands in a file is the same in every language."""

CAPITALS = re.compile(r"[^a-z]*")
"""The captions of the original: headings, tabs, buttons, columns. Manuals and people know them by these words."""

FIXED = {
    "Piranha",
    "Piranha (Help",
    "Piranha (Login",
    "Piranha (WEB based Cluster configuration",
    "FWM",
    "persistent",
    "serial_no",
    "tcp",
}
"""More words of the original, and of lvs.cf."""


class Shown(HTMLParser):
    """Reads what a person sees or hears of a template."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[int, str]] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in COMMANDS:
            self._inside.append(tag)
        self._note(*(text for name, text in attrs if name in READ_ALOUD and text))

    def handle_endtag(self, tag: str) -> None:
        if tag in COMMANDS:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self._note(*data.split(MARKED))

    def _note(self, *texts: str) -> None:
        for text in texts:
            if WORDS.search(text) and not ATTRIBUTE.match(text):
                self.texts.append((self.getpos()[0], " ".join(text.split()).strip(" ():")))


MARKED = "\0"
"""Stands where a value, or a text that is marked, is printed."""


def printed(node: nodes.Node) -> Iterator[str]:
    """Yield the texts that an expression may print as they stand in the template."""
    match node:
        case nodes.TemplateData():
            yield node.data
        case nodes.Const() if isinstance(node.value, str):
            yield node.value
        case nodes.CondExpr():
            yield from printed(node.expr1)
            if node.expr2 is not None:
                yield from printed(node.expr2)
        case nodes.Or() | nodes.And() | nodes.Add():
            yield from printed(node.left)
            yield from printed(node.right)
        case nodes.Concat():
            for each in node.nodes:
                yield from printed(each)
        case nodes.Filter() if node.node is not None:
            yield from printed(node.node)
        case nodes.Dict():
            for pair in node.items:
                yield from printed(pair.value)
        case nodes.Call() if isinstance(node.node, nodes.Getattr):
            yield from printed(node.node.node)  # {...}.get(key, another)
            for each in node.args[1:]:
                yield from printed(each)


def unmarked(source: str) -> list[tuple[int, str]]:
    """Return line and text of everything in a template that is shown and not marked."""
    reader = Shown()
    for output in Environment().parse(source).find_all(nodes.Output):
        for node in output.nodes:
            is_html = isinstance(node, nodes.TemplateData)
            reader.feed("".join(printed(node)) if is_html else f"{MARKED}{MARKED.join(printed(node))}{MARKED}")
    reader.close()
    return [(line, text) for line, text in reader.texts if not CAPITALS.fullmatch(text) and text not in FIXED]


def extracted() -> set[str]:
    """Return every marked text of templates and code, as `pybabel extract` finds them."""
    found: set[str] = set()
    for path in sorted(TEMPLATES.glob("*.html")):
        with path.open("rb") as file:
            found |= {text for _, _, text, _ in babel_extract(file, ["_"], [], {}) if isinstance(text, str)}
    for path in sorted(CODE.glob("*.py")):
        with path.open("rb") as file:
            found |= {str(each[1]) for each in extract.extract("python", file, keywords={"_": None})}
    return found


def of_the_table() -> set[str]:
    """Return the marked texts of the field table, as `pybabel extract` finds them with the method of its own."""
    with (CODE / "panels.py").open("rb") as file:
        return {str(each[1]) for each in extract.extract("piranha.web.table_texts:extract", file)}


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_every_text_of_a_template_is_marked(template: str) -> None:
    found = unmarked((TEMPLATES / template).read_text(encoding="utf-8"))
    assert found == [], "write it as {{ _('...') }}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>{{ _('Marked.') }}</p>", []),
        ("<p>ACCEPT</p><p>CONTROL / MONITORING</p>", []),
        ("<p>Forgotten.</p>", [(1, "Forgotten.")]),
        ("\n<a title='Forgotten'>{{ name }}</a>", [(2, "Forgotten")]),
        ("{% if a %}{% for b in c %}<b>{{ b }} of them</b>{% endfor %}{% endif %}", [(1, "of them")]),
        ("{{ 'one' if a else _('Other') }}{{ b or 'none' }}", [(1, "one"), (1, "none")]),
        ("{{ {'x': _('Marked'), 'y': '▲ not marked'}.get(a, a) }}", [(1, "▲ not marked")]),
        ("<p class=\"{{ 'wide' if a }}\"><code>piranha plan</code><pre>as it is</pre></p>", []),
        ("<p>{{ a | replace('one', 'other') }}{{ a == 'one' }}{{ found['one'] }}</p>", []),
    ],
)
def test_the_rule_finds_what_is_not_marked(source: str, found: list[tuple[int, str]]) -> None:
    assert unmarked(source) == found


def test_every_marked_text_can_be_extracted_and_names_what_is_filled_in() -> None:
    texts = extracted()
    assert len(texts) > 400
    assert {"Skip to the content", "Nothing was saved.", "A value is missing."} <= texts
    without_names = [text for text in texts if re.search(r"%(?!\(\w+\)s)", text.replace("%%", ""))]
    assert without_names == [], "write %(name)s, so that a translation may order them anew"
    assert [text for text in texts if text != text.strip() or not text] == []


def test_labels_help_and_choices_of_every_field_are_marked_in_one_place() -> None:
    texts = of_the_table()
    assert {"Sorry Server", "Weighted least-connections", "For example eth0:1.", "Yes", "not set"} <= texts
    for chapter in CHAPTERS:
        for control in chapter.controls:
            assert {control.plain_label, control.plain_help, control.plain_note} <= texts | {""}, control.name
    assert not {"", "tcp", "rup", "255.255.255.0 (/24)"} & texts


def test_what_is_marked_comes_out_translated(paths: Paths, engine: KeeperEngine, tmp_path: Path) -> None:
    texts = extracted() | of_the_table()
    catalog = Catalog(locale="de")
    for text in texts:
        catalog.add(text, f"⟦{text}⟧")
    folder = tmp_path / "translations"
    (folder / "de" / "LC_MESSAGES").mkdir(parents=True)
    with (folder / "de" / "LC_MESSAGES" / "messages.mo").open("wb") as file:
        write_mo(file, catalog)
    app = create_app(
        paths,
        engine_for=lambda user, from_: KeeperClient(engine, user, from_),
        rate=RequestRate(at_once=10**9),
        BABEL_DEFAULT_LOCALE="de",
        BABEL_TRANSLATION_DIRECTORIES=str(folder),
    )
    browser = InProcessBrowser(app)
    login = browser.open("/login")
    assert "⟦Password⟧" in login.text
    login.fill("⟦User⟧", "piranha").fill("⟦Password⟧", PASSWORD).press("⟦Login⟧")
    pages = every_page(browser)
    assert len(pages) > 20
    sentences = {text for text in texts if " " in text and "%" not in text and text.endswith(".")}
    shown = {text for text in sentences for page in pages.values() if text in page.text}
    assert len(shown) > 50
    globals_page = next(page for url, page in pages.items() if url.endswith("/secure/global_settings"))
    assert "⟦TCP FIN timeout (seconds)⟧:" in globals_page.text
    for page in pages.values():
        rest = re.sub(r"⟦[^⟦⟧]*(⟦[^⟦⟧]*⟧[^⟦⟧]*)*⟧", "", page.text)
        assert [text for text in shown if text in rest] == [], page.url

"""All forms, found through the URL map, with what nobody should type: never a failure, never a changed file that says
something else than what was typed, never text that the browser takes for something else.

The examples are always the same ones.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, quote_plus, urlsplit

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from piranha.config.faults import Severity
from piranha.config.load import load
from piranha.config.path import BlockPath, Step, parse_block
from piranha.paths import Paths
from piranha.web import panels
from piranha.web.forms import NAME, Control, Kind
from tests.web.conftest import Clock, InProcessBrowser, KeeperEngine
from tests.web.routes import MARKED, SentForm, csrf_token, every_form, posted

EXAMPLES, EXAMPLES_OF_PANEL = 8, 30
SAVED = MARKED.replace("keepalive = 6", "keepalive = 7")
PANELS: dict[str, tuple[Control, ...]] = {
    "global_settings.accept": panels.GLOBAL_CONTROLS,
    "redundancy.accept": panels.REDUNDANCY_CONTROLS,
    "virtual_servers.accept": panels.VIRTUAL_CONTROLS,
    "virtual_servers.add": panels.VIRTUAL_CONTROLS,
    "real_servers.accept": panels.REAL_CONTROLS,
    "real_servers.add": panels.REAL_CONTROLS,
    "monitoring_scripts.accept": panels.SCRIPT_CONTROLS,
}
COMBINED = {"mixed-families"}
"""Errors of two values that are each right: they are saved, and Apply is refused."""
FILLED_IN = {"syncd_iface": "eth0", "syncd_id": "0"}
SENT_HEADERS = {
    *("Content-Type", "Content-Length", "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"),
    *("Cross-Origin-Opener-Policy", "Cache-Control", "Location", "Set-Cookie", "Vary", "Allow", "Retry-After"),
    *("X-Frame-Options", "Permissions-Policy", "Cross-Origin-Resource-Policy"),
}
OWN_SCRIPT = re.compile(r'<script src="/static/[a-z_./-]+"( defer| async)?>')
LEADS_AWAY = re.compile(r"""<[^>]* (href|action|formaction|src)=["']?(javascript:|//|https?:|\\)""")

RAW = ("<xq-", '" xq-on=', "' xq-on=", "XQ42XQ", "<script>", "<svg/onload")
"""What no page may hold: tags and attributes that were typed, and a template that was computed."""

HTML = (
    "<xq-a>",
    "</textarea><xq-b>",
    '"><xq-c a="',
    "'><xq-d>",
    "<!--<xq-e>",
    "]]><xq-f>",
    '" xq-on="1',
    "' xq-on='1",
    "<script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;xq-g&gt;<xq-h>",
    "\u0085<xq-i>",
)
TEMPLATES = (
    "XQ{{ 6*7 }}XQ",
    "XQ{% if 1 %}42{% endif %}XQ",
    "{{ config }}",
    "{% raw %}",
    "{#",
    "${6*7}",
    "%(name)s",
    "%s%n%",
    "%",
    "{0.__class__}",
    "{",
    "}",
)
HEADERS = (
    "a\r\nSet-Cookie: xq=1",
    "a\nX-XQ: 1",
    "a\r\n\r\n<xq-z>",
    "%0d%0aX-XQ: 1",
    "//xq.example/",
    "https://xq.example/",
    "/\\xq.example",
    "\\\\xq",
    "\u560d\u560aX-XQ: 1",
    "/secure/help",
    "/login?next=//xq.example",
)
LINES = (
    "1\nactive = 1",
    '"\n}\nvirtual xq {\n active = 1',
    "1 }\n",
    "a # b",
    'a" b',
    "a\\",
    "\\",
    '\\"',
    "a\rb",
    "\x0bactive = 1",
    "\u2028active = 1",
    "web{",
    "=",
    "virtual[XQOTHER]",
    "a].server[b",
)
CONTROLS = tuple(chr(code) for code in (*range(32), 127, 0x85, 0xA0, 0xAD, 0x200B, 0x202E, 0x2028, 0xFEFF, 0xFFFE))
HUGE = (
    "8" * 300,
    "8" * 20_000,
    "A" * 100_000,
    "<xq-" * 5_000,
    "[" * 5_000,
    "1" + "0" * 400,
    "1e999",
    "-0",
    "é" * 40_000,
)
NUMBERS = (
    "0",
    "1",
    "7",
    "65535",
    "65536",
    "-1",
    "2147483647",
    "2147483648",
    "4294967296",
    "1_0",
    "١",
    "0x10",
    "1.5",
    "+1",
)
LEGAL = (
    "",
    "192.0.2.77",
    "198.51.100.99",
    "2001:db8::7",
    "router.example.com",
    "web_7",
    "a-name.with[brackets]",
    "eth1:1",
    "255.255.255.0",
    "rr",
    "GET / HTTP/1.0\\r\\n\\r\\n",
    " 220 ready ",
    "/usr/lib/check %h",
    "*",
    "accept",
    "activate",
)
EXACT = ("", "7", "192.0.2.77", "2001:db8::7", "a-name.with[brackets]", "eth1:1", "255.255.255.0", "rr", " 220 ready ")
MADE = {"do": "activate deactivate accept enable disable reset drain undrain clear save look", "erase": "send expect"}

hostile = st.one_of(
    st.text(max_size=80),
    st.binary(max_size=40),
    st.text(alphabet=st.sampled_from((*CONTROLS, "a", "1", " ")), min_size=1, max_size=12),
    st.sampled_from(HTML),
    st.sampled_from(TEMPLATES),
    st.sampled_from(HEADERS),
    st.sampled_from(LINES),
    st.sampled_from(HUGE),
    st.sampled_from(NUMBERS),
    st.builds(
        lambda left, inside, right: left + inside + right,
        st.sampled_from(LEGAL),
        st.sampled_from(HTML),
        st.text(max_size=5),
    ),
)
legal = st.one_of(st.sampled_from(LEGAL), st.sampled_from(NUMBERS), st.integers(0, 70_000).map(str))


@pytest.fixture
def paths(paths: Paths) -> Paths:
    """Give a root whose lvs.cf has every panel's form."""
    paths.lvs_cf.write_text(MARKED)
    return paths


@pytest.fixture
def forms(app: Flask, engine: KeeperEngine, browser: InProcessBrowser, paths: Paths) -> list[SentForm]:
    """Give every form there is."""
    paths.lvs_cf.write_text(SAVED)
    found = every_form(app, browser, paths)
    assert {form.endpoint for form in found} == posted(app)
    return found


def encoded(fields: list[tuple[str, str | bytes]]) -> str:
    """Return the body of a form; lone surrogates and bytes that are no UTF-8 go as they are."""
    return "&".join(
        f"{quote_plus(name.encode('utf-8', 'surrogatepass'))}="
        f"{quote_plus(text if isinstance(text, bytes) else text.encode('utf-8', 'surrogatepass'))}"
        for name, text in fields
    )


def draw_fields(data: st.DataObject, form: SentForm) -> list[tuple[str, str | bytes]]:
    """Return the form's fields with something typed into some of them; a few are left out, sent twice or made up."""
    fields: list[tuple[str, str | bytes]] = list(form.fields)
    names = sorted({name for name, _ in form.kinds} | {name for name, _ in form.fields})
    if not names:
        return fields
    kind = legal if data.draw(st.integers(0, 3)) == 0 else hostile
    chosen = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    for name in chosen:
        options = [kind]
        offered = dict(form.offered).get(name) or tuple(MADE.get(name, "").split())
        if offered:
            options.append(st.sampled_from(offered))
        text = data.draw(st.one_of(options), label=name)
        fields = [(other, text if other == name else before) for other, before in fields]
        if all(other != name for other, _ in fields):
            fields.append((name, text))
    match data.draw(st.integers(0, 11)):
        case 0:
            fields = [pair for pair in fields if pair[0] != chosen[0]]
        case 1:
            fields.append((chosen[0], data.draw(kind)))
        case 2:
            fields.append((data.draw(st.text(min_size=1, max_size=10)), data.draw(kind)))
    return fields


def unpacked(fields: list[tuple[str, str | bytes]]) -> dict[str, str | None]:
    """Return what a server reads: the first text of each name, None for one that is no UTF-8."""
    read: dict[str, str | None] = {}
    for name, text in fields:
        try:
            raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
            read.setdefault(name, raw.decode("utf-8"))
        except UnicodeDecodeError:
            read.setdefault(name, None)
    return read


def test_whatever_is_typed_is_refused_or_saved_as_it_was_typed_and_shown_as_text(
    app: Flask,
    browser: InProcessBrowser,
    log_in: Callable[..., InProcessBrowser],
    paths: Paths,
    forms: list[SentForm],
    clock: Clock,
) -> None:
    answers: Counter[str] = Counter()

    def type_something(data: st.DataObject, endpoint: str) -> None:
        form = data.draw(st.sampled_from([each for each in forms if each.endpoint == endpoint]), label="form")
        paths.lvs_cf.write_text(SAVED)
        if form.endpoint == "pages.create":
            paths.lvs_cf.unlink()
        by = browser
        if form.endpoint.startswith("auth."):
            clock.now += 31  # whoever could not log in may try again
            by = log_in()
        before = all_but_what_the_engine_writes(paths)
        fields = draw_fields(data, form)
        sent = [*fields, ("csrf_token", csrf_token(by.open("/secure/password")))]
        answer = by.raw("POST", form.address, encoded(sent))
        answers[f"{form.endpoint} {answer.status_code}"] += 1
        assert answer.status_code != 401 or form.endpoint == "auth.login"
        assert_harmless(app, answer)
        if "Location" in answer.headers:
            assert_harmless(app, by.raw("GET", answer.headers["Location"]))
        assert all_but_what_the_engine_writes(paths) == before
        after = paths.lvs_cf.read_text()
        if after != SAVED and form.endpoint not in ("pages.create", "adopting.adopt"):
            assert answer.status_code in (200, 303)
            assert_well_saved(form, unpacked(fields), after)

    for number, endpoint in enumerate(sorted(posted(app))):
        limits = settings(
            max_examples=EXAMPLES_OF_PANEL if endpoint in PANELS else EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        limits(seed(number)(given(data=st.data(), endpoint=st.just(endpoint))(type_something)))()
    assert {f"{endpoint} {status}" for endpoint in PANELS for status in (303, 422)} <= set(answers)


def test_each_field_takes_a_text_as_it_was_typed_or_not_at_all(
    browser: InProcessBrowser, paths: Paths, forms: list[SentForm]
) -> None:
    token, saved, asked = csrf_token(browser.open("/secure/password")), 0, set()
    for form in forms:
        names = [name for name, _ in form.fields if name not in ("token", "do", "erase")]
        if form.endpoint in PANELS and form.endpoint not in asked and names:
            asked.add(form.endpoint)
            for name in names:
                for text in EXACT:
                    typed = {other: text if other == name else value for other, value in form.fields}
                    typed |= {"do": "accept"} if "do" in typed else {}
                    paths.lvs_cf.write_text(SAVED)
                    status = browser.raw(
                        "POST", form.address, encoded([*typed.items(), ("csrf_token", token)])
                    ).status_code
                    after = paths.lvs_cf.read_text()
                    assert status in ((303,) if after != SAVED else (303, 422)), (form.endpoint, name, text)
                    if after != SAVED:
                        saved += 1
                        assert_well_saved(form, typed, after)
    assert asked == set(PANELS)
    assert saved > 100


def assert_well_saved(form: SentForm, typed: Mapping[str, str | None], after: str) -> None:
    """Check that nothing of the new file is an error, and that a panel's values are those that were typed."""
    errors = {fault.code for fault in load(after).faults if fault.severity is Severity.ERROR}
    assert errors <= COMBINED, after
    if form.endpoint in PANELS and typed.get("do", "accept") == "accept" and "erase" not in typed:
        assert_says_what_was_typed(form, typed, after)


def all_but_what_the_engine_writes(paths: Paths) -> dict[str, bytes]:
    """Return every file that no form may touch."""
    own = [
        paths.lvs_cf.parent.glob("*"),
        paths.lvs_cf.parent.glob("conf/*"),
        paths.web.rglob("*"),
        paths.run.rglob("*"),
    ]
    files = [path for found in (*own, paths.gui_state.glob("*")) for path in found if path.is_file()]
    kept = {str(path): path.read_bytes() for path in files if path != paths.lvs_cf}
    return (
        kept | {str(path): b"" for path in paths.root.glob("*")} | {str(path): b"" for path in paths.root.glob("*/*")}
    )


def assert_harmless(app: Flask, answer: TestResponse) -> None:
    """Check an answer for everything that typed text could have made of it."""
    page = answer.get_data(as_text=True)
    assert answer.status_code < 500, page
    assert {name for name, _ in answer.headers} <= SENT_HEADERS
    assert not any(letter in text for _, text in answer.headers for letter in "\r\n\0")
    assert all(text.startswith("piranha-") for text in answer.headers.getlist("Set-Cookie"))
    assert not [raw for raw in RAW if raw in page], page
    assert all(OWN_SCRIPT.fullmatch(tag) for tag in re.findall(r"<script[^>]*>", page)), page
    assert LEADS_AWAY.search(page) is None, page
    location = answer.headers.get("Location")
    if location is not None:
        assert location.startswith("/") and not location.startswith(("//", "/\\"))
        app.url_map.bind("localhost").match(urlsplit(location).path, method="GET")


def block_of(form: SentForm) -> BlockPath:
    query = parse_qs(urlsplit(form.address).query)
    return parse_block((query.get("server") or query.get("virtual") or [""])[0])


def assert_says_what_was_typed(form: SentForm, typed: Mapping[str, str | None], after: str) -> None:
    """Compare every value of two files, read anew: the panel's are what was typed, all others are what they were."""
    old, new = block_of(form), block_of(form)
    is_added = form.endpoint.endswith(".add")
    name = typed.get(NAME, dict(form.fields).get(NAME))
    if name is not None:
        step = Step("server" if form.endpoint.startswith("real") else "virtual", name.strip(" \t").replace(" ", "_"))
        new = (*old, step) if is_added else (*old[:-1], step)
    before, now = values_of(SAVED), values_of(after)
    controls = PANELS[form.endpoint]
    for keyword in dict.fromkeys(each.keyword for each in controls if each.keyword):
        was = None if is_added else before.get((old, keyword))
        parts = [each for each in controls if each.keyword == keyword]
        texts = [text_of(each, typed) for each in parts]
        if None not in texts:
            wanted = " ".join(text for text in texts if text) or None
            default = parts[0].field.default if parts[0].field else None
            # What a list or a box shows where the file says nothing may stay unsaid.
            may_be = {wanted, None} if was is None and wanted in (default, "0") else {wanted}
            assert now.get((new, keyword)) in may_be, (keyword, after)
    mine = {((), "serial_no"), ((), "backup_private"), *((new, each.keyword) for each in controls)}
    if is_added:
        mine |= {key for key in now if key[0] == new}
    else:
        before = {(moved(path, old, new), keyword): text for (path, keyword), text in before.items()}
    assert {key: before[key] for key in before.keys() - mine} == {key: now[key] for key in now.keys() - mine}


def moved(path: BlockPath, old: BlockPath, new: BlockPath) -> BlockPath:
    """Return where a block is once `old` is called `new`."""
    return (*new, *path[len(old) :]) if path[: len(old)] == old else path


def text_of(control: Control, typed: Mapping[str, str | None]) -> str | None:
    """Return what a control says: "" if it is to be empty, None if nobody can tell."""
    if control.kind is Kind.CHECKBOX:
        return "1" if typed.get(control.name, "") != "" else "0"
    text = typed.get(control.name)
    if text is None:
        return None
    quoted = control.field is not None and control.field.is_quoted
    if typed.get("syncdaemon") and not text.strip(" \t") and control.name in FILLED_IN:
        return FILLED_IN[control.name]
    return text if quoted else text.strip(" \t")


def values_of(text: str) -> dict[tuple[BlockPath, str], str | None]:
    """Return every keyword of every block with its text."""
    document = load(text).document
    found: dict[tuple[BlockPath, str], str | None] = {}
    waiting: list[BlockPath] = [()]
    while waiting:
        path = waiting.pop()
        waiting += document.blocks(path)
        found |= {(path, keyword): document.get(path, keyword) for keyword in document.keywords(path)}
    return found

"""MONITORING SCRIPTS: texts are stored as typed, the buttons erase one value each."""

import pytest

from piranha.paths import Paths
from tests.web.conftest import InProcessBrowser, Watched

PANEL = "/secure/monitoring_scripts?virtual=virtual%5Bhttp%5D"


def test_check_71_texts_are_shown_and_typed_without_quotes_and_with_escapes_as_they_are(
    browser: InProcessBrowser, watched: Watched
) -> None:
    page = browser.open(PANEL)
    assert page.value("Send") == r"GET / HTTP/1.0\r\n\r\n"
    page = page.fill("Send", r"HEAD /\t\\x HTTP/1.1\r\nHost: a\r\n\r\n").fill("Expect", "HTTP/1.1 200").press("ACCEPT")
    assert page.status == 200
    assert sorted(watched.changed_lines(), reverse=True) == [
        r'-      send = "GET / HTTP/1.0\r\n\r\n"',
        '-      expect = "HTTP"',
        r'+      send = "HEAD /\t\\x HTTP/1.1\r\nHost: a\r\n\r\n"',
        '+      expect = "HTTP/1.1 200"',
    ]
    assert page.value("Send") == r"HEAD /\t\\x HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(("label", "keyword"), [("Send", "send"), ("Expect", "expect")])
def test_an_emptied_text_is_absent(browser: InProcessBrowser, watched: Watched, label: str, keyword: str) -> None:
    assert browser.open(PANEL).fill(label, "").press("ACCEPT").status == 200
    (line,) = watched.changed_lines()
    assert line.startswith(f"-      {keyword} = ")


@pytest.mark.parametrize(("button", "keyword"), [("BLANK SEND", "send"), ("BLANK EXPECT", "expect")])
def test_a_blank_button_erases_that_value_alone_and_keeps_what_else_was_typed(
    browser: InProcessBrowser, watched: Watched, button: str, keyword: str
) -> None:
    typed = {"Sending Program": "/usr/bin/check %h", "Send": "QUIT", "Expect": "220"}
    page = browser.open(PANEL).fill("Treat expect string as a regular expression", "1")
    for label, value in typed.items():
        page.fill(label, value)
    page = page.press(button)
    assert page.status == 200
    (line,) = watched.changed_lines()
    assert line.startswith(f"-      {keyword} = ")
    erased = {"send": "Send", "expect": "Expect"}[keyword]
    assert {label: page.value(label) for label in typed} == typed | {erased: ""}
    assert "What else you typed is not saved yet" in page.text
    assert browser.open(PANEL).value("Sending Program") == ""


def test_no_send_program_erases_the_program(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open(PANEL).fill("Sending Program", "/usr/local/bin/check_dns %h %p").press("ACCEPT")
    assert watched.changed_lines() == ['+      send_program = "/usr/local/bin/check_dns %h %p"']
    page = page.press("NO SEND PROGRAM")
    assert "Sending Program is erased." in page.text
    assert watched.changed_lines() == []


def test_much_text_beside_an_erased_value_is_kept_too(browser: InProcessBrowser) -> None:
    long = "x" * 900
    page = browser.open(PANEL).fill("Expect", long).press("BLANK SEND")
    assert page.status == 200
    assert page.value("Expect") == long


def test_check_70_a_program_without_expect_is_warned_of(browser: InProcessBrowser) -> None:
    page = browser.open(PANEL).fill("Sending Program", "/usr/bin/check %h").fill("Expect", "").press("ACCEPT")
    assert "A sending program without Expect never succeeds" in page.text


@pytest.mark.parametrize(
    ("typed", "position"), [("a(b", 2), ("HTTP/1.[01", 8), ("*a", 1), (r"a\\.b)", 6), (r"\n\n(", 5)]
)
def test_check_73_an_expression_that_is_none_is_refused_with_the_place(
    browser: InProcessBrowser, watched: Watched, typed: str, position: int
) -> None:
    page = browser.open(PANEL).fill("Treat expect string as a regular expression", "1").fill("Expect", typed)
    page = page.press("ACCEPT")
    assert page.status == 422
    assert f"at character {position}" in page.text
    assert page.value("Expect") == typed
    assert watched.is_untouched()


def test_an_expression_is_saved(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open(PANEL).fill("Treat expect string as a regular expression", "1")
    assert page.fill("Expect", r"HTTP/1\\.[01] (200|204)").press("ACCEPT").status == 200
    assert sorted(watched.changed_lines(), reverse=True) == [
        "-      use_regex = 0",
        '-      expect = "HTTP"',
        "+      use_regex = 1",
        r'+      expect = "HTTP/1\\.[01] (200|204)"',
    ]


@pytest.mark.parametrize("value", ['say "hi"', "x" * 256, "a\r\nvirtual evil {", "tab\there", "\x00"])
@pytest.mark.parametrize("label", ["Sending Program", "Send", "Expect"])
def test_check_72_what_the_file_cannot_carry_is_refused(
    browser: InProcessBrowser, watched: Watched, label: str, value: str
) -> None:
    page = browser.open(PANEL).fill(label, value).press("ACCEPT")
    assert page.status == 422
    assert watched.is_untouched()


def test_a_present_but_empty_value_stays_so(browser: InProcessBrowser, paths: Paths) -> None:
    text = paths.lvs_cf.read_text().replace('expect = "HTTP"', 'expect = ""')
    paths.lvs_cf.write_text(text)
    assert browser.open(PANEL).fill("Send", "x").press("ACCEPT").status == 200
    assert 'expect = ""\n' in paths.lvs_cf.read_text()

"""Who may reach the GUI: the examples of the manual (2.4), and what else such files hold."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.paths import Paths
from piranha.web.access import AccessFileError, allows, parse
from tests.web.conftest import InProcessBrowser

OPEN_TO_ALL = "Order deny,allow\nAllow from all\n"
ONLY_LOCAL = "Order deny,allow\nDeny from all\nAllow from 127.0.0.1\n"
TWO_OFFICES = "Order deny,allow\nDeny from all\nAllow from 192.168.1.100\nAllow from 172.16.57\n"

TABLE = [
    # Checks 15 to 17 of the reference, which are the manual's three examples.
    (OPEN_TO_ALL, "192.0.2.1", True),
    (OPEN_TO_ALL, "2001:db8::1", True),
    (ONLY_LOCAL, "127.0.0.1", True),
    (ONLY_LOCAL, "::1", True),
    (ONLY_LOCAL, "::ffff:127.0.0.1", True),
    (ONLY_LOCAL, "127.0.0.2", False),
    (ONLY_LOCAL, "192.0.2.1", False),
    (TWO_OFFICES, "192.168.1.100", True),
    (TWO_OFFICES, "192.168.1.101", False),
    (TWO_OFFICES, "172.16.57.1", True),
    (TWO_OFFICES, "172.16.57.254", True),
    (TWO_OFFICES, "172.16.5.7", False),
    (TWO_OFFICES, "172.16.58.1", False),
    # Check 20, and who wins.
    ("Order allow,deny\n", "192.0.2.1", False),
    ("Order deny,allow\n", "192.0.2.1", True),
    ("", "192.0.2.1", True),
    ("Order allow,deny\nAllow from 10\nDeny from 10.1\n", "10.2.0.1", True),
    ("Order allow,deny\nAllow from 10\nDeny from 10.1\n", "10.1.0.1", False),
    ("Order deny,allow\nDeny from 10\nAllow from 10.1\n", "10.1.0.1", True),
    ("Order deny,allow\nDeny from 10\nAllow from 10.1\n", "10.2.0.1", False),
    ("Order deny,allow\nDeny from 10\nAllow from 10.1\n", "11.0.0.1", True),
    ("Order allow,deny\nAllow from all\nDeny from ::1\n", "127.0.0.1", False),
    # Networks in every spelling.
    ("Order allow,deny\nAllow from 192.0.2.64/26\n", "192.0.2.127", True),
    ("Order allow,deny\nAllow from 192.0.2.64/26\n", "192.0.2.128", False),
    ("Order allow,deny\nAllow from 192.0.2.70/26\n", "192.0.2.64", True),
    ("Order allow,deny\nAllow from 192.0.2.64/255.255.255.192\n", "192.0.2.65", True),
    ("Order allow,deny\nAllow from 192.0.2.64/255.255.255.192\n", "192.0.2.63", False),
    ("Order allow,deny\nAllow from 0.0.0.0/0.0.0.0\n", "192.0.2.63", True),
    ("Order allow,deny\nAllow from 172.16.57.\n", "172.16.57.3", True),
    ("Order allow,deny\nAllow from 2001:db8::/32\n", "2001:db8:1::1", True),
    ("Order allow,deny\nAllow from 2001:db8::/32\n", "2001:db9::1", False),
    ("Order allow,deny\nAllow from 2001:db8::/32\n", "192.0.2.1", False),
    ("Order allow,deny\nAllow from fe80::/10\n", "fe80::1", True),
    # Spelling: case, comments, blank lines, lists that add up, continued lines, line ends of other systems.
    ("ORDER Deny,Allow\ndeny FROM ALL\naLLow from 10.0.0.1\n", "10.0.0.1", True),
    ("# Allow from all\nOrder allow,deny\n\n   # more\n", "10.0.0.1", False),
    ("Order allow,deny\nAllow from 10.0.0.1 10.0.0.2\nAllow from 10.0.0.3\n", "10.0.0.2", True),
    ("Order allow,deny\nAllow from 10.0.0.1 10.0.0.2\nAllow from 10.0.0.3\n", "10.0.0.3", True),
    ("Order allow,deny\nAllow from 10.0.0.1 \\\n 10.0.0.2\n", "10.0.0.2", True),
    ("Order deny,allow\r\nDeny from all\r\nAllow from 10.0.0.1\r\n", "10.0.0.1", True),
    ("Order deny,allow\nOrder allow,deny\n", "10.0.0.1", False),
    ("Order mutual-failure\nAllow from 10\n", "10.0.0.1", True),
]

NOT_UNDERSTOOD = [
    ("Order deny, allow\n", 1),
    ("Order sometimes\n", 1),
    ("Order\n", 1),
    ("Order deny,allow\nAllow 10.0.0.1\n", 2),
    ("Order deny,allow\nAllow from\n", 2),
    ("Allow from 10.0.0.256\n", 1),
    ("Allow from 10.0.0.1 # the boss\n", 1),
    ("Allow from 10.0.0.1/33\n", 1),
    ("Allow from 10.0.0.0/255.0.255.0\n", 1),
    ("Allow from 10.0.0.0/0.0.0.255\n", 1),
    ("Allow from 10..1\n", 1),
    ("Allow from 10.01.2\n", 1),
    ("Allow from .example.com\n", 1),
    ("Allow from router.example.com\n", 1),
    ("Allow from ::ffff:10.0.0.1\n", 1),
    ("Allow from env=let_me_in\n", 1),
    ("# fine\n\nAllow from all\nRequire valid-user\n", 4),
    ("<Limit GET>\nDeny from all\n</Limit>\n", 1),
    ("Allow from \\\n10.0.0.1 \\\nnobody\n", 1),
    ("Satisfy any\n", 1),
]


@pytest.mark.parametrize(("text", "address", "is_allowed"), TABLE)
def test_the_rules_let_in_whom_they_name(text: str, address: str, is_allowed: bool) -> None:
    assert allows(parse(text), ip_address(address)) is is_allowed


@pytest.mark.parametrize(("text", "line"), NOT_UNDERSTOOD)
def test_a_line_that_is_not_understood_is_named(text: str, line: int) -> None:
    with pytest.raises(AccessFileError) as raised:
        parse(text)
    assert raised.value.line == line


@given(st.text())
def test_any_text_gives_rules_or_one_error(text: str) -> None:
    try:
        allows(parse(text), ip_address("192.0.2.1"))
    except AccessFileError as problem:
        assert problem.line >= 1


@given(st.ip_addresses(v=4), st.integers(1, 3), st.ip_addresses(v=4))
def test_a_partial_address_matches_whole_octets_only(base: object, count: int, asked: object) -> None:
    partial = ".".join(str(base).split(".")[:count])
    rules = parse(f"Order allow,deny\nAllow from {partial}\n")
    loopback = {"127.0.0.1"} & {str(asked)}
    expected = str(asked).split(".")[:count] == partial.split(".")
    assert allows(rules, ip_address(str(asked))) is expected or loopback


def put(paths: Paths, text: str, *, is_inner: bool) -> None:
    folder = paths.web / "secure" if is_inner else paths.web
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".htaccess").write_text(text)


def statuses(browser: InProcessBrowser) -> dict[str, int]:
    pages = ("/", "/about_login", "/static/css/piranha.css", "/login", "/secure/control", "/nowhere")
    return {page: browser.raw("GET", page).status_code for page in pages}


def test_a_change_of_the_file_counts_at_the_very_next_request(paths: Paths, stranger: InProcessBrowser) -> None:
    stranger.address = "192.0.2.7"
    assert stranger.raw("GET", "/login").status_code == 200
    put(paths, ONLY_LOCAL, is_inner=True)
    assert stranger.raw("GET", "/login").status_code == 403
    put(paths, ONLY_LOCAL.replace("127.0.0.1", "192.0.2.7"), is_inner=True)
    assert stranger.raw("GET", "/login").status_code == 200


def test_the_inner_file_leaves_welcome_and_help_and_refuses_the_rest_before_any_prompt(
    paths: Paths, stranger: InProcessBrowser
) -> None:
    put(paths, ONLY_LOCAL, is_inner=True)
    stranger.address = "192.0.2.7"
    assert statuses(stranger) == {
        "/": 200,
        "/about_login": 200,
        "/static/css/piranha.css": 200,
        "/login": 403,
        "/secure/control": 403,
        "/nowhere": 403,
    }
    assert "assword" not in stranger.open("/login").text


def test_the_outer_file_refuses_everything(paths: Paths, stranger: InProcessBrowser) -> None:
    put(paths, ONLY_LOCAL, is_inner=False)
    stranger.address = "192.0.2.7"
    assert set(statuses(stranger).values()) == {403}
    stranger.address = "127.0.0.1"
    assert stranger.raw("GET", "/login").status_code == 200


def test_a_secure_page_needs_both_files(paths: Paths, stranger: InProcessBrowser) -> None:
    put(paths, ONLY_LOCAL, is_inner=False)
    put(paths, OPEN_TO_ALL, is_inner=True)
    stranger.address = "192.0.2.7"
    assert stranger.raw("GET", "/secure/control").status_code == 403


def test_a_logged_in_browser_is_refused_as_soon_as_the_rules_say_so(paths: Paths, browser: InProcessBrowser) -> None:
    put(paths, "Order allow,deny\n", is_inner=True)
    assert browser.raw("GET", "/secure/control").status_code == 403


def test_a_file_with_a_fault_refuses_everybody_and_the_log_names_file_and_line(
    paths: Paths, stranger: InProcessBrowser, caplog: pytest.LogCaptureFixture
) -> None:
    put(paths, "Order deny,allow\nAllow form all\n", is_inner=True)
    page = stranger.open("/login")
    assert page.status == 403
    assert "form" not in page.text
    assert f"{paths.web / 'secure' / '.htaccess'}:2:" in caplog.text


def test_a_file_that_cannot_be_read_refuses_everybody(
    paths: Paths, stranger: InProcessBrowser, caplog: pytest.LogCaptureFixture
) -> None:
    (paths.web / ".htaccess").mkdir(parents=True)
    assert stranger.raw("GET", "/").status_code == 403
    assert str(paths.web / ".htaccess") in caplog.text


def test_headers_of_a_proxy_are_not_believed(paths: Paths, stranger: InProcessBrowser) -> None:
    put(paths, ONLY_LOCAL, is_inner=True)
    stranger.address = "192.0.2.7"
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP"):
        answer = stranger.raw("GET", "/login", None, **{name: "127.0.0.1"})
        assert answer.status_code == 403

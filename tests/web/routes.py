"""Every route of the GUI, and every form, found and not listed: what is added later is tested too.

Addresses are made of the URL map, filled with names of blocks that are there. Forms are those of the pages that links
lead to, with their own fields and tokens: sent by somebody who may, each of them does something.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlencode, urljoin, urlsplit

from flask import Flask
from werkzeug.routing import Rule

from piranha.paths import Paths
from tests.plain_browser import Page, every_page
from tests.web.conftest import InProcessBrowser

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "FROB")
READS = {
    "config",
    "status",
    "summary",
    "samples",
    "plan",
    "running",
    "connections",
    "history",
    "version",
    "events",
    "audit",
    "last_check",
}
"""The calls of the engine that change nothing."""

MARKED = r"""# Kept by hand.
serial_no = 7
primary = 198.51.100.11
primary_private = 198.51.100.12
service = lvs
network = direct
backup_active = 1
backup = 198.51.100.13
backup_private = 198.51.100.14
heartbeat = 1
keepalive = 6
deadtime = 18
heartbeat_port = 539
virtual XQVIRTUAL {
     # XQCOMMENT
     active = 1
     address = 198.51.100.80 xqdev0:1
     port = 8080
     sorry_server = 198.51.100.90
     fwmark = 1987654321
     send = "XQSEND\r\n"
     send_program = "/usr/lib/XQPROGRAM %h"
     expect = "XQEXPECT"
     scheduler = wlc
     persistent = 1876543
     server XQSERVER {
         address = 198.51.100.21
         active = 1
         weight = 5
     }
     server XQSECOND {
         address = 198.51.100.22
         active = 0
         weight = 1
     }
}
virtual XQOTHER {
     active = 0
     address = 198.51.100.81 xqdev0:2
     port = 8081
}
"""
MARKS = (
    *("XQCOMMENT", "XQVIRTUAL", "XQSERVER", "XQSECOND", "XQOTHER", "XQSEND", "XQEXPECT", "XQPROGRAM"),
    *("xqdev0", "198.51.100.", "1987654321", "1876543"),
)
"""What no page may show to somebody who is not logged in."""

QUERY = {
    "virtual": "virtual[XQVIRTUAL]",
    "server": "virtual[XQVIRTUAL].server[XQSERVER]",
    "selected_host": "1",
    "selected": "1",
    "number": "1",
    "auto": "1",
    "do": "hand-over",
}
IN_PATH = {"static": "css/piranha.css", "bootstrap.static": "css/bootstrap.min.css"}
NOWHERE = ("/nowhere", "/secure", "/secure/nowhere", "/secure/../secure/control", "/secure//control", "/%73ecure/help")


def address_of(rule: Rule, query: Mapping[str, str] = MappingProxyType(QUERY)) -> str:
    """Return an address of this rule that leads to something."""

    def fill(part: re.Match[str]) -> str:
        return IN_PATH.get(rule.endpoint, "1" if part["kind"] == "int" else "XQVIRTUAL")

    return f"{re.sub(r'<(?:(?P<kind>[a-z]+)[^:>]*:)?[a-z_]+>', fill, rule.rule)}?{urlencode(query)}"


def every_route(app: Flask) -> list[tuple[str, str]]:
    """Return endpoint and address of every rule, "" for the endpoint of addresses that are none of ours."""
    found = [(rule.endpoint, address_of(rule)) for rule in app.url_map.iter_rules()]
    return found + [("", address) for address in NOWHERE]


def posted(app: Flask) -> set[str]:
    """Return the endpoints that take a POST."""
    return {rule.endpoint for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}


def endpoint_of(app: Flask, address: str) -> str:
    """Return the endpoint that a POST to this address reaches."""
    endpoint, _ = app.url_map.bind("localhost").match(urlsplit(address).path, method="POST")
    return str(endpoint)


@dataclass(frozen=True)
class SentForm:
    """A form as a page had it, with one of its buttons. `address` is its own path and query."""

    endpoint: str
    page: str
    address: str
    fields: tuple[tuple[str, str], ...]
    kinds: tuple[tuple[str, str], ...]
    offered: tuple[tuple[str, tuple[str, ...]], ...]

    def body(self, csrf_token: str, **typed: str) -> str:
        """Return what a browser sends, with these values typed into their fields."""
        return urlencode([(name, typed.get(name, text)) for name, text in (*self.fields, ("csrf_token", csrf_token))])


def forms_of(app: Flask, page: Page) -> list[SentForm]:
    """Return every POST form of a page, once for each of its buttons."""
    found = []
    for form in page.read.forms:
        if form.method != "post":
            continue
        for button in form.buttons:
            url = urlsplit(urljoin(page.url, button.action or form.action or page.url))
            address = url.path + (f"?{url.query}" if url.query else "")
            fields = [(made.name, made.value) for _, made in form.fields if made.is_on and made.name != "csrf_token"]
            if button.name:
                fields.append((button.name, button.value))
            kinds = tuple((made.name, made.kind) for _, made in form.fields if made.name != "csrf_token")
            offered = tuple((made.name, tuple(made.choices.values())) for _, made in form.fields if made.choices)
            found.append(SentForm(endpoint_of(app, address), page.url, address, tuple(fields), kinds, offered))
    return found


def every_form(app: Flask, browser: InProcessBrowser, paths: Paths) -> list[SentForm]:
    """Return the forms of all pages: one for each endpoint, set of fields and button.

    Pages are those that links or routes lead to, while an lvs.cf that is not applied is there, and while there is none.
    What they hold depends on the text of lvs.cf alone, so they are looked at once for each.
    """
    text = paths.lvs_cf.read_text()
    if text in _known:
        return _known[text]
    pages = list(every_page(browser).values())
    addresses = [address_of(rule) for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    pages += [browser.open(address) for address in addresses if not address.startswith(("/static", "/bootstrap"))]
    pages.append(browser.open("/secure/plan").press("Apply, and undo unless I confirm"))
    pages[-1].press("REVERT NOW")
    pages.append(browser.open("/secure/control/stop").press("STOP LVS"))
    pages[-1].press("START")
    paths.lvs_cf.unlink()
    pages.append(browser.open("/secure/global_settings"))
    paths.lvs_cf.write_text(text)
    pages.append(InProcessBrowser(app).open("/login"))
    found: dict[tuple[object, ...], SentForm] = {}
    for page in pages:
        for form in forms_of(app, page):
            buttons = tuple(text for name, text in form.fields if name in ("do", "erase"))
            found.setdefault((form.endpoint, tuple(name for name, _ in form.fields), buttons), form)
    missing = posted(app) - {form.endpoint for form in found.values()}
    assert not missing, f"no page shows the form of {missing}: every_form must make the state in which one does"
    _known[text] = list(found.values())
    return _known[text]


_known: dict[str, list[SentForm]] = {}


def csrf_token(page: Page) -> str:
    """Return the token of a page's forms."""
    return next(made.value for form in page.read.forms for _, made in form.fields if made.name == "csrf_token")

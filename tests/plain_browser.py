"""A client without JavaScript for the GUI, as a text browser is one. It finds fields by their labels."""

import http.client
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag, urlencode, urljoin, urlsplit

VOID = {"input", "br", "hr", "img", "meta", "link", "col", "wbr"}


@dataclass
class Field:
    """A control of a form. `choices`: the options of a select by their text."""

    name: str
    kind: str
    value: str
    is_on: bool = True
    choices: dict[str, str] = field(default_factory=dict)


@dataclass
class Button:
    """A submit button: its text (with what only screen readers hear), what it sends."""

    text: str
    name: str
    value: str
    action: str


@dataclass
class Form:
    """A form of a page, its fields by id and its buttons."""

    action: str
    method: str
    fields: list[tuple[str, Field]] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)


class PageReader(HTMLParser):
    """Reads the parts of a page that a person without a graphical browser uses."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.labels: dict[str, str] = {}
        self.words: list[str] = []
        self.headings: list[str] = []
        self.scripts = 0
        self._form: Form | None = None
        self._select: Field | None = None
        self._open: list[tuple[str, dict[str, str], list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        if tag == "script":
            self.scripts += 1
        if tag in ("input", "textarea", "select") and self._form is not None and "disabled" not in given:
            self._control(tag, given)
        if tag not in VOID:
            self._open.append((tag, given, []))

    def _control(self, tag: str, given: dict[str, str]) -> None:
        assert self._form is not None
        kind = given.get("type", "text") if tag == "input" else tag
        if kind in ("submit", "image"):
            text = given.get("value", "")
            self._form.buttons.append(Button(text, given.get("name", ""), text, given.get("formaction", "")))
            return
        is_on = kind not in ("checkbox", "radio") or "checked" in given
        made = Field(given.get("name", ""), kind, given.get("value", ""), is_on)
        self._form.fields.append((given.get("id", ""), made))
        self._select = made if tag == "select" else None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        for _, _, inside in self._open:
            inside.append(data)

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            opened, given, inside = self._open.pop()
            self._close(opened, given, " ".join("".join(inside).split()))
            if opened == tag:
                break
        if tag == "form":
            self._form = None

    def _close(self, tag: str, given: dict[str, str], text: str) -> None:
        if tag == "a" and "href" in given:
            self.links.append((text, given["href"]))
        elif tag == "label" and "for" in given:
            self.labels[given["for"]] = text.rstrip(":").strip()
        elif tag == "option" and self._select is not None:
            value = given.get("value", text)
            self._select.choices[text] = value
            if "selected" in given or len(self._select.choices) == 1:
                self._select.value = value
        elif tag == "textarea" and self._form is not None and self._form.fields:
            self._form.fields[-1][1].value = text
        elif tag == "button" and self._form is not None and given.get("type", "submit") == "submit":
            button = Button(text, given.get("name", ""), given.get("value", ""), given.get("formaction", ""))
            self._form.buttons.append(button)
        elif tag in ("h1", "h2"):
            self.headings.append(text)


class Page:
    """A page that was received."""

    def __init__(self, browser: "PlainBrowser", url: str, status: int, html: str) -> None:
        self.browser, self.url, self.status, self.html = browser, url, status, html
        self.read = PageReader()
        self.read.feed(html)
        self.read.close()

    @property
    def text(self) -> str:
        return " ".join("".join(self.read.words).split())

    def follow(self, words: str) -> "Page":
        """Follow the one link with this text."""
        found = {urljoin(self.url, href) for text, href in self.read.links if text == words}
        assert len(found) == 1, f"links named {words!r} on {self.url}: {found}; there are {self.read.links}"
        return self.browser.open(found.pop())

    def fill(self, label: str, value: str) -> "Page":
        """Type into a field, or choose an option by its text, by the field's label; return this page."""
        made = self._field(label)
        if made.kind == "select":
            matching = [chosen for text, chosen in made.choices.items() if value in (text, chosen)]
            assert matching, f"{label} offers {made.choices}"
            made.value = matching[0]
        elif made.kind in ("checkbox", "radio"):
            for form in self.read.forms:
                for _, other in form.fields:
                    if other.name == made.name and made.kind == "radio":
                        other.is_on = False
            made.is_on = bool(value)
        else:
            made.value = value
        return self

    def value(self, label: str) -> str:
        """Return what stands in a field."""
        return self._field(label).value

    def _field(self, label: str) -> Field:
        found = [
            made for form in self.read.forms for id_, made in form.fields if self.read.labels.get(id_, "") == label
        ]
        assert len(found) == 1, f"{len(found)} fields labelled {label!r} on {self.url}: {self.read.labels}"
        return found[0]

    def press(self, words: str) -> "Page":
        """Press the one button with this text, and return the page that comes."""
        found = [(form, button) for form in self.read.forms for button in form.buttons if button.text == words]
        known = [button.text for form in self.read.forms for button in form.buttons]
        # The same button may stand twice in a form, so that Enter finds it first.
        same = {(id(form), button.name, button.value, button.action) for form, button in found}
        assert len(same) == 1, f"{len(found)} buttons {words!r} on {self.url}; there are {known}\n{self.text}"
        form, button = found[0]
        sent = [(made.name, made.value) for _, made in form.fields if made.is_on and made.name]
        if button.name:
            sent.append((button.name, button.value))
        target = urljoin(self.url, button.action or form.action or self.url)
        if form.method == "post":
            return self.browser.send(target, sent)
        return self.browser.open(f"{target.partition('?')[0]}?{urlencode(sent)}")


class PlainBrowser:
    """An HTTP client with cookies that follows redirects, as a text browser does."""

    def __init__(self, host: str, port: int) -> None:
        self.top = f"http://{host}:{port}/"
        self.cookies: dict[str, str] = {}

    def open(self, url: str) -> Page:
        """GET a page."""
        return self._exchange("GET", urljoin(self.top, url), None)

    def send(self, url: str, sent: list[tuple[str, str]]) -> Page:
        """POST a form."""
        return self._exchange("POST", urljoin(self.top, url), urlencode(sent))

    def _exchange(self, method: str, url: str, body: str | None) -> Page:
        for _ in range(10):
            parts = urlsplit(url)
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
            if body is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
                headers["Referer"] = url
            try:
                target = parts.path + (f"?{parts.query}" if parts.query else "")
                connection.request(method, target, body, {name: value for name, value in headers.items() if value})
                answer = connection.getresponse()
                html = answer.read().decode()
                self._keep_cookies(answer.headers.get_all("Set-Cookie") or [])
            finally:
                connection.close()
            if answer.status not in (301, 302, 303, 307, 308):
                return Page(self, url, answer.status, html)
            url, method, body = urljoin(url, answer.headers["Location"]), "GET", None
        raise AssertionError(f"too many redirects at {url}")

    def _keep_cookies(self, given: list[str]) -> None:
        for line in given:
            name, _, value = line.partition(";")[0].partition("=")
            is_gone = re.search(r"(?i);\s*max-age=0|expires=Thu, 01 Jan 1970", line)
            self.cookies.pop(name, None)
            if not is_gone:
                self.cookies[name] = value

    def log_in(self, password: str) -> Page:
        """Log in as a person does, from the welcome page on."""
        page = self.open("/").follow("Login")
        return page.fill("User", "piranha").fill("Password", password).press("Login")


def every_page(browser: PlainBrowser) -> dict[str, Page]:
    """Return each page that links lead to from the welcome page and the first panel, by its own address."""
    waiting, asked, found = [browser.top, urljoin(browser.top, "/secure/control")], set[str](), dict[str, Page]()
    while waiting:
        url = urldefrag(waiting.pop()).url
        if url not in asked and url.startswith(browser.top):
            asked.add(url)
            page = browser.open(url)
            found[page.url] = page
            waiting += [urljoin(page.url, href) for _, href in page.read.links]
    return found

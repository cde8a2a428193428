"""The 24 security faults of the original GUI (reference for the GUI, 8): each is tried, none is there any more."""

import ast
import dataclasses
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from click.testing import CliRunner
from flask import Flask

from piranha import resources
from piranha.cli import gui as gui_command
from piranha.cli.passwd import main as piranha_passwd
from piranha.config.edits import AddBlock, Edit, RenameBlock, SetValues
from piranha.config.load import load
from piranha.config.programs import Kind, Seen, Way, doubt_of
from piranha.engine.caller import Caller
from piranha.errors import EditRefused
from piranha.messages import SaveRequest
from piranha.passwords import hash_line, is_weak, verify
from piranha.paths import Paths
from piranha.status import ProcessStatus, RunState
from piranha.system import passwd_file
from piranha.web.auth import FORM_FIELDS_MAX
from tests.plain_browser import every_page
from tests.web.conftest import LVS_CF, PASSWORD, Clock, InProcessBrowser, KeeperEngine, Watched
from tests.web.routes import MARKED, MARKS, READS, SentForm, csrf_token, every_form, every_route

HTTP = "virtual=virtual%5Bhttp%5D"
TAG = "<xq-tag>"
BREAKS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x00", "\x85", "\u2028", '"\n', "}\n")


@pytest.fixture
def forms(app: Flask, browser: InProcessBrowser, paths: Paths, engine: KeeperEngine) -> list[SentForm]:
    """Give every form; lvs.cf is the one that they were made of, and not what runs."""
    paths.lvs_cf.write_text(MARKED)
    engine.apply_now()
    paths.lvs_cf.write_text(MARKED.replace("keepalive = 6", "keepalive = 7"))
    return every_form(app, browser, paths)


def token_of(browser: InProcessBrowser) -> str:
    return csrf_token(browser.open("/secure/password"))


def test_fault_01_a_post_needs_the_password_as_a_get_does(
    stranger: InProcessBrowser, forms: list[SentForm], engine: KeeperEngine, paths: Paths
) -> None:
    # Every method and everybody who may not: test_every_route.py.
    text, token = paths.lvs_cf.read_text(), csrf_token(stranger.open("/login"))
    engine.calls.clear()
    for form in forms:
        if not form.endpoint.startswith("auth."):
            assert stranger.raw("POST", form.address, form.body(token)).status_code == 401, form
    assert engine.calls == []
    assert paths.lvs_cf.read_text() == text


def test_fault_02_a_link_changes_nothing(
    browser: InProcessBrowser, forms: list[SentForm], engine: KeeperEngine, paths: Paths
) -> None:
    text, token = paths.lvs_cf.read_text(), token_of(browser)
    engine.calls.clear()
    for form in forms:
        joint = "&" if "?" in form.address else "?"
        assert browser.raw("GET", f"{form.address}{joint}{form.body(token)}").status_code < 500, form
    for button in ("ADD=1", "DELETE=1", "EDIT=1", "DISABLE=1", "RESET=1", "add_server=1", "delete_service=1"):
        assert browser.raw("GET", f"/secure/virtual_main.php?selected_host=1&{button}").status_code == 301
    assert {call.name for call in engine.calls} <= READS
    assert paths.lvs_cf.read_text() == text


@pytest.mark.parametrize("line_break", BREAKS)
def test_fault_03_no_field_of_any_form_plants_a_line(
    browser: InProcessBrowser, forms: list[SentForm], paths: Paths, engine: KeeperEngine, line_break: str
) -> None:
    text, token = paths.lvs_cf.read_text(), token_of(browser)
    tried = 0
    for form in forms:
        for name, value in form.fields:
            if form.endpoint not in ("adopting.adopt", "auth.login"):  # ADOPT is there to bring a file of many lines
                typed = f'{value}{line_break}         send_program = "/bin/XQEVIL"'
                answer = browser.raw("POST", form.address, form.body(token, **{name: typed}))
                assert answer.status_code < 500, (form, name)
                assert "XQEVIL" not in paths.lvs_cf.read_text(), (form, name)
                paths.lvs_cf.write_text(text)
                tried += 1
    assert tried > 60


@pytest.mark.parametrize("line_break", BREAKS)
def test_fault_03_the_engine_itself_takes_no_line_break_in_a_value_or_a_name(
    engine: KeeperEngine, watched: Watched, line_break: str
) -> None:
    evil = f"1{line_break}send_program = /bin/XQEVIL"
    edits: list[Edit] = [
        SetValues(path="", values={"primary": evil}),
        SetValues(path="virtual[http]", values={"port": evil}),
        SetValues(path="virtual[http]", values={"send": evil}),
        SetValues(path="virtual[http]", values={f"port{line_break}x": "1"}),
        SetValues(path="virtual[http].server[web1]", values={"weight": evil}),
        RenameBlock(path="virtual[http]", name=evil),
        AddBlock(parent="", kind="virtual", name=evil, values={}),
        AddBlock(parent="", kind=f"virtual{line_break}", name="x", values={}),
    ]
    for edit in edits:
        with pytest.raises(EditRefused):
            engine.keeper.save(SaveRequest([edit], []), Caller("piranha"))
    assert watched.is_untouched()


@pytest.mark.parametrize(("uid", "gid", "mode"), [(1000, 0, 0o755), (0, 0, 0o757), (0, 1000, 0o775)])
def test_fault_03_a_check_program_that_others_can_change_is_doubted(uid: int, gid: int, mode: int) -> None:
    root = Seen("/", Kind.FOLDER, 0, 0, 0o755)
    program = Seen("/usr/lib/check", Kind.FILE, uid, gid, mode)
    doubt = doubt_of("/usr/lib/check", Way((root, program)))
    assert doubt is not None
    assert doubt.code == "unsafe-program"


def test_fault_04_a_forged_form_is_refused(
    log_in: Callable[..., InProcessBrowser], forms: list[SentForm], paths: Paths
) -> None:
    browser, text = log_in(), paths.lvs_cf.read_text()
    token = token_of(browser)
    for form in forms:
        assert browser.raw("POST", form.address, form.body("")).status_code == 400, form
        assert browser.raw("POST", form.address, form.body(token_of(log_in()))).status_code == 400, form
        foreign = browser.raw("POST", form.address, form.body(token), Origin="https://evil.example")
        assert foreign.status_code == 403, form
    assert paths.lvs_cf.read_text() == text
    given = log_in().client.get("/login", headers={"Cookie": ""})
    assert given.status_code in (200, 303)
    stranger = InProcessBrowser(browser.client.application)
    assert "SameSite=Lax" in stranger.raw("GET", "/login").headers["Set-Cookie"]


ARGUMENTS = (
    *("virtual", "server", "selected_host", "selected", "interval", "auto", "refreshed", "next", "added", "number"),
    *("client", "vip", "state", "limit", "kind", "about", "text", "who", "since", "before", "a", "b", "xq"),
)


@pytest.mark.parametrize("typed", [f'">{TAG}', f"'>{TAG}", f"</title>{TAG}", f"{TAG}\r\nX-XQ: 1"])
def test_fault_05_no_address_is_echoed_as_markup(
    app: Flask, browser: InProcessBrowser, stranger: InProcessBrowser, typed: str
) -> None:
    query = urlencode(dict.fromkeys(ARGUMENTS, typed) | {"auto": "1"})
    addresses = [address.partition("?")[0] for _, address in every_route(app)] + [
        f"/{quote(typed)}",
        f"/secure/{quote(typed)}",
    ]
    for address in addresses:
        for who in (browser, stranger):
            answer = who.raw("GET", f"{address}?{query}")
            assert answer.status_code < 500, address
            assert TAG not in answer.get_data(as_text=True), address
            assert "X-XQ" not in answer.headers, address


def test_fault_06_no_value_of_lvs_cf_is_markup_on_any_page(
    browser: InProcessBrowser, paths: Paths, engine: KeeperEngine
) -> None:
    evil = f'"><a-b>{TAG}'.replace('"', "")
    lines = re.sub(
        r"(= )[^\n]+",
        rf"\1{evil}",
        LVS_CF.replace("virtual http", f"virtual {TAG}").replace("server web1", f"server {TAG}"),
    )
    paths.lvs_cf.write_text(lines)
    engine.reason, engine.state = f"because of {TAG}", RunState.IDLE
    pages = every_page(browser)
    assert len(pages) > 20
    assert [url for url, page in pages.items() if TAG in page.html or "<a-b>" in page.html] == []
    assert sum("&lt;xq-tag&gt;" in page.html for page in pages.values()) > 5


@pytest.mark.parametrize(
    "wanted", ["//evil.example/", "https://evil.example", "/\\evil.example", "/\t/evil.example", "x\r\nX: y"]
)
def test_fault_07_no_answer_leads_away_or_carries_a_header_that_was_typed(
    app: Flask, browser: InProcessBrowser, wanted: str, paths: Paths, forms: list[SentForm]
) -> None:
    text, token = paths.lvs_cf.read_text(), token_of(browser)
    answers = []
    for form in forms:
        if not form.endpoint.startswith("auth."):
            for name, _ in form.fields:
                answers.append(browser.raw("POST", form.address, form.body(token, **{name: wanted})))
                paths.lvs_cf.write_text(text)
    for path in ("/login", "/secure/", "/secure", "/secure//help", "//evil.example//", "/piranha"):
        answers.append(browser.raw("GET", f"{path}?{urlencode({'next': wanted})}", Host="evil.example"))
    stranger = InProcessBrowser(app)
    body = {"csrf_token": csrf_token(stranger.open("/login")), "user": "piranha", "password": PASSWORD, "next": wanted}
    answers.append(stranger.raw("POST", "/login", urlencode(body | {"held_url": wanted, "held": '[["do", "x"]]'})))
    locations = [answer.headers["Location"] for answer in answers if "Location" in answer.headers]
    assert len(locations) > 5
    assert [each for each in locations if not re.match(r"/[^/\\]|/$", each)] == []
    assert [answer for answer in answers if "X" in answer.headers] == []
    assert [each for each in locations if "evil.example" in each.partition("?")[0]] == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_fault_08_plain_http_for_other_machines_is_refused_unless_asked_for(tmp_path: Path, host: str) -> None:
    result = CliRunner().invoke(gui_command.main, ["--root", str(tmp_path), "--host", host, "--port", "0"])
    assert result.exit_code == 1
    assert "--allow-plain-http" in result.stderr


def test_fault_08_who_came_by_tls_stays_there(stranger: InProcessBrowser) -> None:
    answer = stranger.client.get("/login", base_url="https://localhost")
    assert "max-age=" in answer.headers["Strict-Transport-Security"]
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "Strict-Transport-Security" not in stranger.client.get("/login").headers


@pytest.mark.parametrize(
    "rules", ["Deny form all\n", "Allow everybody\n", "Order allow, deny\n", "Allow from host.example\n"]
)
def test_fault_09_rules_that_are_not_understood_let_nobody_in(
    app: Flask, paths: Paths, stranger: InProcessBrowser, rules: str
) -> None:
    (paths.web / "secure").mkdir(parents=True)
    (paths.web / "secure/.htaccess").write_text(rules)
    assert stranger.raw("GET", "/login").status_code == 403
    (paths.web / ".htaccess").write_text(rules)
    assert {stranger.raw("GET", address).status_code for _, address in every_route(app)} == {403}


def test_fault_10_sessions_end_by_time_and_log_out_and_guesses_are_slowed_down_and_audited(
    app: Flask, log_in: Callable[..., InProcessBrowser], clock: Clock, engine: KeeperEngine
) -> None:
    idle, gone = log_in(), log_in()
    cookie = gone.session_cookie
    gone.open("/secure/help").press("LOG OUT")
    gone.session_cookie = cookie
    assert gone.raw("GET", "/secure/help").status_code == 303
    clock.now += 30 * 60
    assert idle.raw("GET", "/secure/help").status_code == 303
    for seconds in (1, 2, 4, 8):
        stranger = InProcessBrowser(app, "192.0.2.9")
        assert stranger.open("/login").fill("Password", "guess").press("Login").status == 401
        assert (
            stranger.raw("POST", "/login", urlencode({"csrf_token": csrf_token(stranger.open("/login"))})).status_code
            == 429
        )
        clock.now += seconds
    engine.calls.clear()
    browser = log_in("192.0.2.200")
    browser.open("/secure/virtual_servers").press("Deactivate http")
    (saved,) = engine.named("save")
    assert (saved.user, saved.from_) == ("piranha", "192.0.2.200")
    assert [call.from_ for call in engine.named("audit_login")] == ["192.0.2.200"]


def test_fault_11_no_password_stands_in_the_list_of_processes(tmp_path: Path) -> None:
    result = CliRunner().invoke(piranha_passwd, ["--root", str(tmp_path), "my-Secret-77"])
    assert result.exit_code == 2
    assert "my-Secret-77" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_fault_12_a_new_hash_is_slow_salted_and_of_the_whole_password(tmp_path: Path) -> None:
    stored = []
    for _ in range(2):
        typed = "correct horse battery staple\n"
        assert CliRunner().invoke(piranha_passwd, ["--root", str(tmp_path), "--stdin"], input=typed).exit_code == 0
        text = Paths(tmp_path).passwd.read_text()
        assert verify(text, "piranha", "correct horse battery staple")
        assert not verify(text, "piranha", "correct horse battery stapl")
        assert not verify(text, "piranha", "correct ")
        stored.append(hash_line(text) or "")
    assert all(each.startswith("$argon2id$") and not is_weak(each) for each in stored)
    assert stored[0] != stored[1]


class Ear:
    """Hears what this process asks of the system while it is on, as Python's audit events tell it."""

    def __init__(self) -> None:
        self.thread = 0
        self.heard: list[tuple[str, tuple[object, ...]]] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.thread and threading.get_ident() == self.thread:
            self.heard.append((event, arguments))

    def written(self) -> set[str]:
        """Return the paths that were opened for writing, made, moved, changed or removed."""
        writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        found = set()
        for event, arguments in self.heard:
            # A number is a file that was opened before.
            if event == "open" and not isinstance(arguments[0], int) and int(str(arguments[2])) & writing:
                found.add(str(arguments[0]))
            elif event in CHANGES:
                found |= {str(each) for each in arguments if isinstance(each, (str, bytes, os.PathLike))}
        return found


CHANGES = {
    *("os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"),
    *("os.truncate", "os.utime", "os.setxattr", "shutil.move", "shutil.rmtree", "shutil.copyfile", "tempfile.mkstemp"),
}
STARTS = {
    *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn"),
    *("os.startfile", "os.listxattr"),
}
LOOK_UPS = {
    *("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo", "socket.connect"),
    *("socket.getservbyname", "socket.sendto"),
}
_ear = Ear()


@pytest.fixture
def heard(
    app: Flask, log_in: Callable[..., InProcessBrowser], forms: list[SentForm], engine: KeeperEngine, clock: Clock
) -> Iterator[Ear]:
    """Give what was heard while everything of the GUI was used, before an engine that does not answer."""
    engine.is_dead = True
    browser, stranger = log_in("192.0.2.8"), InProcessBrowser(app, "2001:db8::8")
    token = token_of(browser)
    _ear.heard.clear()
    _ear.thread = threading.get_ident()
    try:
        for _, address in every_route(app):
            browser.raw("GET", address)
            stranger.raw("GET", address)
        for form in forms:
            if form.endpoint != "auth.logout":
                browser.raw("POST", form.address, form.body(token))
        stranger.log_in("wrong")
        clock.now += 60
        stranger.log_in(PASSWORD).press("LOG OUT")
    finally:
        _ear.thread = 0
    assert len(_ear.heard) > 100, "the ear hears"
    yield _ear


def test_fault_13_the_gui_never_writes_the_password_file(heard: Ear, paths: Paths) -> None:
    assert str(paths.passwd) in {str(arguments[0]) for event, arguments in heard.heard if event == "open"}
    assert [path for path in heard.written() if "piranha.passwd" in path or path == str(paths.passwd.parent)] == []


def test_fault_13_the_password_file_is_roots_and_its_group_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    class System(Paths):
        is_system = True  # type: ignore[assignment]

    monkeypatch.setattr(passwd_file, "_group", lambda: 987)
    monkeypatch.setattr(passwd_file, "make_folder", lambda folder, *_: folder.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(passwd_file, "write_atomically", lambda path, data, **how: asked.update(how))
    passwd_file.store(System(tmp_path), "piranha", "one")
    assert asked == {"mode": 0o640, "owner": (0, 987)}


def test_fault_14_the_gui_writes_nothing_but_its_own_sessions(heard: Ear, paths: Paths) -> None:
    written = {Path(path) for path in heard.written()}
    assert written, "a log-in is written"
    assert [path for path in written if not path.is_relative_to(paths.gui_state)] == []


def test_fault_14_no_module_of_the_gui_can_write_a_configuration() -> None:
    imported = {}
    for path in sorted((resources.package() / "web").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            imported |= dict.fromkeys(names, path.name)
    hands = {
        "piranha.system",
        "piranha.engine",
        "piranha.cli",
        "subprocess",
        "shutil",
        "tempfile",
        "multiprocessing",
        "pty",
    }
    found = {name: where for name, where in imported.items() if {name, ".".join(name.split(".")[:2])} & hands}
    assert found == {}
    assert "piranha.client" in imported, "what it changes, it asks the engine for"


@pytest.mark.parametrize("secret", ["piranha", "q", "", "redhat", "admin", "password", "changeme", "piranha:piranha"])
def test_fault_15_a_fresh_router_has_no_password_that_anybody_could_know(
    paths: Paths, stranger: InProcessBrowser, secret: str
) -> None:
    paths.passwd.unlink()
    for user in ("piranha", "root", "admin", ""):
        page = stranger.open("/login").fill("User", user).fill("Password", secret).press("Login")
        assert page.status in (401, 429)
        assert "No password is set: nobody can log in." in page.text
    assert not paths.passwd.exists()


def test_fault_16_no_page_starts_a_process(heard: Ear) -> None:
    assert [each for each in heard.heard if each[0] in STARTS] == []


def test_fault_17_the_list_of_processes_holds_our_own_daemons_and_no_command_line(
    browser: InProcessBrowser, paths: Paths, engine: KeeperEngine
) -> None:
    assert {each.name for each in dataclasses.fields(ProcessStatus)} == {"name", "pid", "does", "running_for_s"}
    paths.lvs_cf.write_text(LVS_CF.replace("use_regex = 0", 'send_program = "/usr/lib/check --password XQSECRET"'))
    engine.apply_now()
    page = browser.open("/secure/control")
    assert "CURRENT LVS PROCESSES" in page.text
    assert "XQSECRET" not in page.html
    assert "XQSECRET" in browser.open(f"/secure/monitoring_scripts?{HTTP}").html, "else nothing was there to hide"


def test_fault_18_debugging_is_off_whatever_the_request_or_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, make_app: Callable[[], Flask], paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("FLASK_DEBUG", "FLASK_ENV", "DEBUG", "PIRANHA_DEBUG"):
        monkeypatch.setenv(name, "1")
    paths.lvs_cf.write_text(MARKED)
    app = make_app()
    assert not app.debug
    browser = InProcessBrowser(app)
    assert browser.log_in(PASSWORD).status == 200
    switches = urlencode(dict.fromkeys(("debug", "DEBUG", "debug_level", "__debugger__", "cmd"), "1"))
    for who in (browser, InProcessBrowser(app)):
        for address in ("/", "/login", "/secure/introduction", "/console", "/nowhere"):
            page = who.raw("GET", f"{address}?{switches}", Cookie2="debug=1").get_data(as_text=True)
            assert [mark for mark in MARKS if mark in page] == []
            assert "Traceback" not in page and "werkzeug" not in page.lower()

    def fail(*_: object) -> None:
        raise ZeroDivisionError("XQDETAIL")

    app.view_functions["pages.help_page"] = fail
    answer = browser.raw("GET", f"/secure/help?{switches}")
    assert answer.status_code == 500
    assert "XQDETAIL" not in answer.get_data(as_text=True)
    assert "XQDETAIL" in caplog.text


def test_fault_19_a_page_from_before_somebody_deleted_an_entry_changes_the_one_it_names_or_none(
    log_in: Callable[..., InProcessBrowser], paths: Paths
) -> None:
    paths.lvs_cf.write_text(
        LVS_CF + LVS_CF[LVS_CF.index("virtual smtp") :].replace("smtp", "imap").replace(".81", ".82")
    )
    mine, theirs = log_in(), log_in()
    listed, asked = mine.open("/secure/virtual_servers"), mine.open(f"/secure/virtual_server/delete?{HTTP}")
    edited = mine.open("/secure/virtual_server?virtual=virtual%5Bimap%5D").fill("Re-entry Time", "77")
    theirs.open(f"/secure/virtual_server/delete?{HTTP}").press("DELETE http")
    left = paths.lvs_cf.read_text()
    assert asked.press("DELETE http").status == 409
    assert listed.press("Deactivate http").status == 409
    assert paths.lvs_cf.read_text() == left
    assert listed.press("Activate smtp").status == 200
    assert edited.press("ACCEPT").status == 200
    document = load(paths.lvs_cf.read_text()).document
    smtp, imap = document.blocks()
    assert (document.get(smtp, "active"), document.get(imap, "active")) == ("1", "0")
    assert (document.get(smtp, "reentry"), document.get(imap, "reentry")) == (None, "77")


def test_fault_20_no_get_of_any_route_writes_and_a_save_is_whole_and_loses_nothing(
    app: Flask, browser: InProcessBrowser, paths: Paths
) -> None:
    long = f'hard_shutdown = 0\nodd_word = {"x" * 300}\nactive_cmd = "/bin/{"y" * 200}"\nkeepalive=6\n'
    paths.lvs_cf.write_text(LVS_CF.replace("hard_shutdown = 0\n", long))
    paths.lvs_cf.chmod(0o640)
    before, raw = paths.lvs_cf.stat(), paths.lvs_cf.read_bytes()
    for _, address in every_route(app):
        browser.raw("GET", address)
        browser.raw("HEAD", address)
    now = paths.lvs_cf.stat()
    assert (now.st_mtime_ns, now.st_ino, now.st_ctime_ns) == (before.st_mtime_ns, before.st_ino, before.st_ctime_ns)
    with paths.lvs_cf.open("rb") as old:
        page = browser.open(f"/secure/virtual_server?{HTTP}").fill("Re-entry Time", "16").press("ACCEPT")
        assert page.status == 200
        assert old.read() == raw, "who reads while it is written reads the old one to its end"
    now = paths.lvs_cf.stat()
    assert now.st_mode == before.st_mode
    assert now.st_ino != before.st_ino
    wanted = raw.replace(b"reentry = 15", b"reentry = 16").replace(b"serial_no = 7", b"serial_no = 8")
    assert paths.lvs_cf.read_bytes() == wanted
    kept = [path.read_bytes() for path in paths.history.rglob("*") if path.is_file()]
    assert any(b"reentry = 15" in each for each in kept)


def test_fault_21_what_is_wrong_is_told_with_its_line_and_not_saved(
    browser: InProcessBrowser, paths: Paths, watched: Watched
) -> None:
    page = browser.open(f"/secure/virtual_server?{HTTP}").fill("Application port", "eighty").press("ACCEPT")
    assert page.status == 422
    assert 'id="port-trouble1"' in page.html
    assert watched.is_untouched()
    paths.lvs_cf.write_text(LVS_CF.replace("port = 80", "port = eighty"))
    line = LVS_CF[: LVS_CF.index("port = 80")].count("\n") + 1
    assert f"(line {line})" in browser.open("/secure/virtual_servers").text
    assert f"(line {line})" in browser.open("/secure/plan").text
    assert [fault.line for fault in load(paths.lvs_cf.read_text()).faults if fault.stops_apply] == [line]


def test_fault_22_every_answer_keeps_itself_to_itself(
    app: Flask, browser: InProcessBrowser, stranger: InProcessBrowser, forms: list[SentForm]
) -> None:
    answers = []
    for endpoint, address in every_route(app):
        for who in (browser, stranger):
            for method in ("GET", "POST", "FROB"):
                answers.append((endpoint, who.raw(method, address, "x=1" if method == "POST" else None)))
    answers.append(("", browser.raw("POST", "/secure/plan", "x=" + "x" * 2_000_000)))
    for endpoint, answer in answers:
        headers = answer.headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] in ("'self'", "'none'")
        assert not re.search(r"unsafe|\*|https?:", headers["Content-Security-Policy"])
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Server" not in headers
        if endpoint not in ("static", "bootstrap.static"):
            assert headers["Cache-Control"] == "no-store", (endpoint, answer)


def test_fault_23_nobody_is_looked_up_in_the_dns(heard: Ear) -> None:
    assert [each for each in heard.heard if each[0] in LOOK_UPS] == []


def test_fault_24_bodies_fields_and_guesses_have_limits(
    app: Flask, browser: InProcessBrowser, stranger: InProcessBrowser, watched: Watched, clock: Clock
) -> None:
    # How long a client may take to say its request: tests/cli/test_gui.py.
    token, theirs = token_of(browser), csrf_token(stranger.open("/login"))
    fields = "&".join(f"a{place}=<b>" for place in range(FORM_FIELDS_MAX + 1))
    many = "&".join(["x="] * 300_000)
    parts = (
        "".join(f'--B\r\nContent-Disposition: form-data; name="a{place}"\r\n\r\nx\r\n' for place in range(2000))
        + "--B--\r\n"
    )
    for who, own, address in (
        (browser, token, "/secure/global_settings"),
        (browser, "made-up", "/secure/global_settings"),
        (stranger, theirs, "/secure/global_settings"),
        (stranger, theirs, "/login"),
    ):
        for body in ("x=" + "x" * 2_000_000, fields, many):
            answer = who.raw("POST", address, f"csrf_token={own}&{body}")
            assert answer.status_code == 413, (address, own, len(body))
            assert len(answer.get_data()) < 10_000
        answer = who.client.post(address, data=parts, content_type="multipart/form-data; boundary=B")
        assert answer.status_code == 413
    assert watched.is_untouched()

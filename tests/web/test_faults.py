"""Whatever is typed into whatever field: a clear message, the text kept and escaped, nothing written."""

import html
import json
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from piranha.paths import Paths
from piranha.web.saving import FLASHED_BYTES_MAX, short
from tests.web.conftest import InProcessBrowser, Watched

HTTP = "virtual=virtual%5Bhttp%5D"
WEB1 = "server=virtual%5Bhttp%5D.server%5Bweb1%5D"
FORMS = {
    "/secure/global_settings": [
        "primary",
        "primary_private",
        "tcp_timeout",
        "tcpfin_timeout",
        "udp_timeout",
        "network",
        "nat_router",
        "nat_nmask",
        "nat_device",
    ],
    "/secure/redundancy": [
        "backup",
        "keepalive",
        "deadtime",
        "heartbeat_port",
        "syncd_iface",
        "syncd_id",
    ],
    f"/secure/virtual_server?{HTTP}": [
        "name",
        "port",
        "protocol",
        "address",
        "vip_nmask",
        "sorry_server",
        "fwmark",
        "device",
        "reentry",
        "timeout",
        "quiesce_server",
        "load_monitor",
        "scheduler",
        "persistent",
        "pmask",
    ],
    "/secure/virtual_server/add": ["name", "port", "address", "device", "scheduler"],
    f"/secure/real_server?{WEB1}": ["name", "address", "port", "weight"],
    f"/secure/real_server/add?{HTTP}": ["name", "address", "port", "weight"],
    f"/secure/monitoring_scripts?{HTTP}": ["send_program", "send", "expect"],
}
QUOTED = {"send_program", "send", "expect"}

WRONG = {
    "line break": "80\nvirtual evil {",
    "carriage return": "80\rweight = 0",
    "double quote": 'say "80"',
    "300 characters": "8" * 300,
    "control character": "80\x07",
    "null": "80\x00",
    "direction mark": "80\u202e08",
}
WRONG_OUTSIDE_QUOTES = {
    "HTML": "<script>alert(1)</script>",
    "template": "{{ 7 * 7 }}",
    "two words": "80 active = 0",
    "braces": "}{",
}


@pytest.fixture
def with_backup(paths: Paths) -> None:
    """Put an active backup into lvs.cf, so that REDUNDANCY has its form."""
    lines = "backup_active = 1\nbackup = 192.0.2.12\nkeepalive = 6\ndeadtime = 18\n"
    paths.lvs_cf.write_text(paths.lvs_cf.read_text().replace("service = lvs\n", f"service = lvs\n{lines}"))


def sent(browser: InProcessBrowser, form: str) -> tuple[str, dict[str, str]]:
    """Return where the panel's form goes, and what it would send untouched."""
    page = browser.open(form)
    (found,) = (each for each in page.read.forms if any(name == "token" for _, name in _names(each)))
    return found.action, {made.name: made.value for _, made in found.fields if made.is_on and made.name}


def _names(form: object) -> list[tuple[str, str]]:
    return [(id_, made.name) for id_, made in form.fields]  # type: ignore[attr-defined]


def wrong_for(field: str) -> dict[str, str]:
    """Return what a field must refuse. Texts in quotes may hold HTML and blanks; a blank in a name becomes _."""
    if field in QUOTED:
        return WRONG
    return {
        **WRONG,
        **{why: text for why, text in WRONG_OUTSIDE_QUOTES.items() if (field, why) != ("name", "two words")},
    }


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_value_is_refused_beside_its_field_and_nothing_is_written(
    with_backup: None, browser: InProcessBrowser, watched: Watched, form: str
) -> None:
    action, fields = sent(browser, form)
    for field in FORMS[form]:
        assert field in fields
        for why, value in wrong_for(field).items():
            answer = browser.raw("POST", action, urlencode({**fields, field: value}))
            page = answer.get_data(as_text=True)
            assert answer.status_code == 422, (field, why, page)
            assert "Nothing was saved." in page
            assert f'id="{field}-trouble1"' in page, (field, why, page)
            kept = value.replace(" ", "_") if field == "name" else value
            assert html.escape(kept, quote=False).replace('"', "&#34;") in page, (field, why)
            assert "<script" not in page
            assert watched.is_untouched(), (field, why)


@pytest.mark.parametrize(
    ("form", "field", "value"),
    [
        ("/secure/global_settings", "primary", "300.1.1.1"),
        ("/secure/global_settings", "primary", "0.0.0.0"),
        ("/secure/global_settings", "primary", "10.1"),
        ("/secure/global_settings", "primary_private", "0.0.0.0"),
        ("/secure/global_settings", "tcp_timeout", "-1"),
        ("/secure/global_settings", "tcp_timeout", "5s"),
        ("/secure/global_settings", "network", "fnat"),
        ("/secure/global_settings", "nat_nmask", "255.0.255.0"),
        ("/secure/redundancy", "heartbeat_port", "70000"),
        (f"/secure/virtual_server?{HTTP}", "port", "70000"),
        (f"/secure/virtual_server?{HTTP}", "port", "0"),
        (f"/secure/virtual_server?{HTTP}", "protocol", "TCP"),
        (f"/secure/virtual_server?{HTTP}", "address", "192.0.2"),
        (f"/secure/virtual_server?{HTTP}", "address", ""),
        (f"/secure/virtual_server?{HTTP}", "device", ""),
        (f"/secure/virtual_server?{HTTP}", "device", "an-interface-name-that-is-too-long:1"),
        (f"/secure/virtual_server?{HTTP}", "sorry_server", "sorry.example.com"),
        (f"/secure/virtual_server?{HTTP}", "fwmark", "-1"),
        (f"/secure/virtual_server?{HTTP}", "fwmark", "4294967296"),
        (f"/secure/virtual_server?{HTTP}", "timeout", "0"),
        (f"/secure/virtual_server?{HTTP}", "scheduler", "fastest"),
        (f"/secure/virtual_server?{HTTP}", "vip_nmask", "/24"),
        (f"/secure/virtual_server?{HTTP}", "name", "x" * 61),
        (f"/secure/virtual_server?{HTTP}", "name", ""),
    ],
)
def test_a_value_out_of_its_range_is_refused(
    with_backup: None, browser: InProcessBrowser, watched: Watched, form: str, field: str, value: str
) -> None:
    action, fields = sent(browser, form)
    answer = browser.raw("POST", action, urlencode({**fields, field: value}))
    assert answer.status_code == 422
    assert f'id="{field}-trouble1"' in answer.get_data(as_text=True)
    assert watched.is_untouched()


def test_all_faults_of_a_form_are_told_at_once(browser: InProcessBrowser) -> None:
    page = browser.open(f"/secure/virtual_server?{HTTP}").fill("Application port", "x").fill("Device", "")
    page = page.fill("Firewall Mark", "y").press("ACCEPT")
    assert all(f'<a href="#{name}">' in page.html for name in ("port", "device", "fwmark"))


def test_a_file_full_of_html_is_shown_as_text(browser: InProcessBrowser, paths: Paths) -> None:
    evil = "<script>alert(1)</script>"
    paths.lvs_cf.write_text(
        f"primary = {evil}\nvirtual {evil} {{\n active = {evil}\n address = {evil} {evil}\n port = {evil}\n"
        f' vip_nmask = {evil}\n protocol = {evil}\n scheduler = {evil}\n send = "{evil}"\n'
        f" server {evil} {{\n  address = {evil}\n  weight = {evil}\n }}\n}}\n"
    )
    path = urlencode({"virtual": f'virtual["{evil}"]'})
    server = urlencode({"server": f'virtual["{evil}"].server["{evil}"]'})
    for address in (
        "/secure/control",
        "/secure/global_settings",
        "/secure/virtual_servers",
        f"/secure/virtual_server?{path}",
        f"/secure/virtual_server/delete?{path}",
        f"/secure/real_servers?{path}",
        f"/secure/real_server?{server}",
        f"/secure/monitoring_scripts?{path}",
    ):
        page = browser.open(address)
        assert page.status == 200, (address, page.text)
        assert "<script" not in page.html


odd_text = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["\r\nSet-Cookie: a=b", "{{config}}", "%s%n", "../../etc/passwd", "' OR 1=1 --", "\ud7ff", "１２７.0.0.1"]
    ),
    st.text(alphabet="0123456789.:/ eth\"'\\{}#=<>&%", max_size=30),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_text_makes_a_form_fail_or_plants_a_line(
    with_backup: None, browser: InProcessBrowser, paths: Paths, data: st.DataObject
) -> None:
    original = paths.lvs_cf.read_text()
    form = data.draw(st.sampled_from(list(FORMS)))
    action, fields = sent(browser, form)
    typed = {field: data.draw(odd_text, label=field) for field in FORMS[form]}
    chosen = data.draw(st.sets(st.sampled_from(FORMS[form]), min_size=1))
    answer = browser.raw("POST", action, urlencode({**fields, **{field: typed[field] for field in chosen}}))
    page = answer.get_data(as_text=True)
    assert answer.status_code in (303, 422), page
    assert "<script" not in page
    after = paths.lvs_cf.read_text()
    if answer.status_code == 422:
        assert after == original
    else:
        # Whatever was saved, the blocks and their keywords are the ones the form has.
        words = {line.split()[0] for line in after.splitlines() if line.split()} - {"#", "}"}
        assert words <= ALLOWED_WORDS, after
    paths.lvs_cf.write_text(original)


ALLOWED_WORDS = set(
    json.loads(
        '["serial_no","primary","primary_private","service","network","nat_router","nat_nmask","hard_shutdown",'
        '"backup_active","backup","keepalive","deadtime","heartbeat_port","syncdaemon","syncd_iface","syncd_id",'
        '"monitor_links","tcp_timeout","tcpfin_timeout","udp_timeout","virtual","server","active","address",'
        '"vip_nmask","port","send","expect","use_regex","send_program","load_monitor","scheduler","protocol",'
        '"timeout","reentry","quiesce_server","weight","sorry_server","fwmark","persistent","pmask"]'
    )
)


@pytest.mark.parametrize(
    "address", ["/secure/virtual_server?virtual=", "/secure/real_server?server=", "/secure/control?interval="]
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=st.text(max_size=80))
def test_no_address_makes_a_page_fail(browser: InProcessBrowser, address: str, odd: str) -> None:
    answer = browser.raw("GET", address + urlencode({"": odd})[1:])
    assert answer.status_code in (200, 404)
    assert "<script" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("typed", ["", "   "])
@pytest.mark.parametrize("address", ["/secure/virtual_server/add", f"/secure/real_server/add?{HTTP}"])
def test_a_new_block_without_a_name_is_refused_beside_its_field(
    browser: InProcessBrowser, watched: Watched, address: str, typed: str
) -> None:
    page = browser.open(address).fill("Name", typed).press("ACCEPT")
    assert page.status == 422
    assert 'id="name-trouble1"' in page.html
    assert watched.is_untouched()


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=900))
def test_a_message_is_cut_to_what_a_cookie_can_carry(sentence: str) -> None:
    told = short(sentence)
    assert told == sentence or told.endswith("…")
    assert sentence.startswith(told.removesuffix("…"))
    assert len(json.dumps(told)) <= FLASHED_BYTES_MAX

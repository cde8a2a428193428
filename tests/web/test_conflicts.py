"""Two people edit the same block: the second is told, sees both texts, loses nothing."""

from collections.abc import Callable

import pytest

from piranha.paths import Paths
from tests.web.conftest import InProcessBrowser

HTTP = "virtual=virtual%5Bhttp%5D"
WEB1 = "server=virtual%5Bhttp%5D.server%5Bweb1%5D"


@pytest.mark.parametrize(
    ("form", "label", "theirs", "mine", "line"),
    [
        ("/secure/global_settings", "TCP timeout (seconds)", "100", "200", "tcp_timeout = {}"),
        (f"/secure/virtual_server?{HTTP}", "Re-entry Time", "100", "200", "     reentry = {}"),
        (f"/secure/real_server?{WEB1}", "Weight", "3", "5", "         weight = {}"),
        (f"/secure/monitoring_scripts?{HTTP}", "Expect", "SMTP", "<220>", '     expect = "{}"'),
    ],
)
def test_the_second_save_gets_a_page_with_both_texts_and_may_save_over_it(
    log_in: Callable[..., InProcessBrowser], paths: Paths, form: str, label: str, theirs: str, mine: str, line: str
) -> None:
    first, second = log_in().open(form), log_in("192.0.2.9").open(form)
    assert first.fill(label, theirs).press("ACCEPT").status == 200
    saved = paths.lvs_cf.read_bytes()

    page = second.fill(label, mine).press("ACCEPT")
    assert page.status == 409
    assert "Somebody else changed this meanwhile. Nothing was saved." in page.text
    assert line.format(theirs).strip() in page.text
    assert page.value(label) == mine
    assert paths.lvs_cf.read_bytes() == saved

    page = page.press("ACCEPT")
    assert page.status == 200
    assert f"\n{line.format(mine)}\n" in paths.lvs_cf.read_text()
    assert theirs not in paths.lvs_cf.read_text()


@pytest.mark.parametrize(
    ("form", "label", "theirs", "wrong", "mine"),
    [
        ("/secure/global_settings", "TCP timeout (seconds)", "100", "many", "200"),
        (f"/secure/virtual_server?{HTTP}", "Re-entry Time", "100", "many", "200"),
        (f"/secure/real_server?{WEB1}", "Weight", "3", "many", "5"),
        (f"/secure/monitoring_scripts?{HTTP}", "Expect", "SMTP", 'a"b', "220"),
    ],
)
def test_a_form_that_was_refused_and_mended_is_a_conflict_still(
    log_in: Callable[..., InProcessBrowser], paths: Paths, form: str, label: str, theirs: str, wrong: str, mine: str
) -> None:
    first, second = log_in().open(form), log_in("192.0.2.9").open(form)
    assert first.fill(label, theirs).press("ACCEPT").status == 200
    saved = paths.lvs_cf.read_bytes()
    refused = second.fill(label, wrong).press("ACCEPT")
    assert refused.status == 422
    page = refused.fill(label, mine).press("ACCEPT")
    assert page.status == 409
    assert page.value(label) == mine
    assert paths.lvs_cf.read_bytes() == saved


def test_a_redundancy_form_that_was_refused_and_mended_is_a_conflict_still(
    log_in: Callable[..., InProcessBrowser], paths: Paths
) -> None:
    log_in().open("/secure/redundancy").press("ENABLE")
    interval = "Heartbeat interval (seconds)"
    forms = [log_in(address).open("/secure/redundancy") for address in ("127.0.0.1", "192.0.2.9")]
    first, second = (form.fill("Redundant server public IP", "192.0.2.12") for form in forms)
    assert first.fill(interval, "4").press("ACCEPT").status == 200
    saved = paths.lvs_cf.read_bytes()
    refused = second.fill(interval, "often").press("ACCEPT")
    assert refused.status == 422
    assert refused.fill(interval, "5").press("ACCEPT").status == 409
    assert paths.lvs_cf.read_bytes() == saved


def test_a_conflict_page_names_the_fields_where_the_two_differ(log_in: Callable[..., InProcessBrowser]) -> None:
    first, second = (log_in().open(f"/secure/virtual_server?{HTTP}") for _ in range(2))
    first.fill("Re-entry Time", "100").fill("Scheduling", "rr").press("ACCEPT")
    page = second.fill("Re-entry Time", "200").press("ACCEPT")
    assert '<tr><th scope="row">Re-entry Time</th><td>100</td><td>200</td></tr>' in page.html
    assert "<td>Round robin</td><td>Weighted least-connections</td>" in page.html
    assert '<th scope="row">Service timeout</th>' not in page.html


def test_different_panels_and_different_blocks_do_not_disturb_each_other(
    log_in: Callable[..., InProcessBrowser], paths: Paths
) -> None:
    forms = {
        "/secure/global_settings": ("TCP timeout (seconds)", "100"),
        f"/secure/virtual_server?{HTTP}": ("Re-entry Time", "100"),
        f"/secure/monitoring_scripts?{HTTP}": ("Expect", "SMTP"),
        f"/secure/real_server?{WEB1}": ("Weight", "9"),
        "/secure/virtual_server?virtual=virtual%5Bsmtp%5D": ("Persistence", "60"),
    }
    pages = [(log_in().open(form), label, value) for form, (label, value) in forms.items()]
    for page, label, value in pages:
        assert page.fill(label, value).press("ACCEPT").status == 200
    assert "serial_no = 12\n" in paths.lvs_cf.read_text()


def test_an_edit_of_a_block_that_was_deleted_can_be_added_anew(
    log_in: Callable[..., InProcessBrowser], paths: Paths
) -> None:
    page = log_in().open(f"/secure/virtual_server?{HTTP}").fill("Re-entry Time", "44")
    log_in().open("/secure/virtual_servers").follow("Delete http").press("DELETE http")
    text = paths.lvs_cf.read_text()
    page = page.press("ACCEPT")
    assert page.status == 409
    assert "http was deleted or renamed by somebody else meanwhile." in page.text
    assert (page.value("Name"), page.value("Re-entry Time")) == ("http", "44")
    assert paths.lvs_cf.read_text() == text
    assert page.press("ACCEPT").status == 200
    assert "virtual http {" in paths.lvs_cf.read_text()
    assert "reentry = 44" in paths.lvs_cf.read_text()


def test_an_edit_of_a_deleted_real_server_can_be_added_anew(
    log_in: Callable[..., InProcessBrowser], paths: Paths
) -> None:
    page = log_in().open(f"/secure/real_server?{WEB1}").fill("Weight", "44")
    log_in().open(f"/secure/real_servers?{HTTP}").follow("Delete web1").press("DELETE web1")
    page = page.press("ACCEPT")
    assert page.status == 409
    assert page.value("Weight") == "44"
    assert page.press("ACCEPT").status == 200
    assert "weight = 44" in paths.lvs_cf.read_text()


def test_what_was_typed_is_shown_even_if_the_whole_virtual_server_is_gone(
    log_in: Callable[..., InProcessBrowser],
) -> None:
    server = log_in().open(f"/secure/real_server?{WEB1}").fill("Weight", "44")
    scripts = log_in().open(f"/secure/monitoring_scripts?{HTTP}").fill("Expect", "a special text")
    log_in().open("/secure/virtual_servers").follow("Delete http").press("DELETE http")
    for page, typed in ((server.press("ACCEPT"), "44"), (scripts.press("ACCEPT"), "a special text")):
        assert page.status == 409
        assert typed in page.text


def test_a_delete_is_asked_again_if_the_block_changed_since_the_question(
    log_in: Callable[..., InProcessBrowser], paths: Paths
) -> None:
    page = log_in().open("/secure/virtual_servers").follow("Delete http")
    log_in().open(f"/secure/real_servers?{HTTP}").follow("ADD").fill("Name", "web3").press("ACCEPT")
    page = page.press("DELETE http")
    assert page.status == 409
    assert "With it go its 3 real servers:" in page.text
    assert "virtual http {" in paths.lvs_cf.read_text()
    assert page.press("DELETE http").status == 200
    assert "virtual http {" not in paths.lvs_cf.read_text()


def test_an_activation_from_an_old_list_is_told(log_in: Callable[..., InProcessBrowser], paths: Paths) -> None:
    page = log_in().open("/secure/virtual_servers")
    log_in().open("/secure/virtual_servers").press("Deactivate http")
    text = paths.lvs_cf.read_text()
    page = page.press("Deactivate http")
    assert page.status == 409
    assert "Somebody else changed this meanwhile" in page.text
    assert "Activate http" in [button.text for form in page.read.forms for button in form.buttons]
    assert paths.lvs_cf.read_text() == text


def test_a_change_by_hand_counts_as_somebody_else(browser: InProcessBrowser, paths: Paths) -> None:
    page = browser.open(f"/secure/virtual_server?{HTTP}").fill("Re-entry Time", "44")
    paths.lvs_cf.write_text(paths.lvs_cf.read_text().replace("timeout = 6", "timeout = 9"))
    assert page.press("ACCEPT").status == 409

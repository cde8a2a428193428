"""ADOPT: a file from elsewhere is looked at, then saved; never over something that was not seen."""

import base64
import io
import re

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from piranha.web.adopting import FILE_BYTES_MAX
from tests.plain_browser import Page
from tests.web.conftest import LVS_CF, PASSWORD

OLD = "# from the old <b>router</b>\nserial_no = 3\nkeepalive = 9\nodd_word = 1\n"


def look(browser, text=OLD):
    return browser.open("/secure/adopt").fill("Or its text", text).press("Look at it")


def upload(browser, content, name="old.cf", token=None):
    token = token or re.search(r'name="csrf_token" value="([^"]+)"', browser.open("/secure/adopt").html).group(1)
    data = {"csrf_token": token, "do": "look", "text": "", "file": FileStorage(io.BytesIO(content), name)}
    boundary, body = encode_multipart(data)
    kind = f'multipart/form-data; boundary="{boundary}"'
    return browser.client.post("/secure/adopt", data=body, content_type=kind)


def test_a_pasted_file_is_shown_with_its_faults_and_the_difference_and_nothing_is_saved(browser, watched):
    page = look(browser)
    assert page.status == 200 and "odd_word" in page.text and "+keepalive = 9" in page.text
    assert "<b>router" not in page.html and "&lt;b&gt;router" in page.html
    assert watched.is_untouched()


def test_what_was_shown_is_what_is_saved(browser, watched, engine):
    page = look(browser).press("Save as lvs.cf")
    assert "the pasted text is lvs.cf now. lvs.cf is saved, serial_no 8" in page.text
    assert page.read.headings[0] == "PLAN"
    assert watched.path.read_text() == OLD.replace("serial_no = 3", "serial_no = 8")
    assert engine.keeper.history().versions[0].how == "adopt"
    assert engine.keeper.history().versions[1].token  # what was there is kept


def test_an_uploaded_file_keeps_every_byte(browser, watched):
    raw = OLD.replace("old", "alte M\xfchle").encode("latin-1").replace(b"\n", b"\n\n")
    page = upload(browser, raw, name="C:\\etc\\old<i>.cf").get_data(as_text=True)
    assert "old&lt;i&gt;.cf" in page and "<i>" not in page
    form = dict(
        re.findall(r'name="(csrf_token|do|token|name|content)" value="([^"]*)"', page[page.index("Save as") - 30000 :])
    )
    assert base64.urlsafe_b64decode(form["content"]) == raw
    assert browser.client.post("/secure/adopt", data=form).status_code == 303
    assert watched.path.read_bytes() == raw.replace(b"serial_no = 3", b"serial_no = 8")


def test_somebody_elses_save_meanwhile_is_a_conflict_and_shows_the_difference_now(browser, watched, paths):
    page = look(browser)
    paths.lvs_cf.write_text(LVS_CF.replace("serial_no = 7", "serial_no = 70"))
    again = page.press("Save as lvs.cf")
    assert again.status == 409 and "Nothing was saved" in again.text and "-serial_no = 70" in again.text
    assert paths.lvs_cf.read_text() == LVS_CF.replace("serial_no = 7", "serial_no = 70")
    assert "serial_no 71" in again.press("Save as lvs.cf").text


def test_where_there_is_no_lvs_cf_one_is_brought_in(browser, paths, watched):
    paths.lvs_cf.unlink()
    page = browser.open("/secure/global_settings").follow("adopt an lvs.cf")
    assert page.status == 200
    done = page.fill("Or its text", OLD).press("Look at it").press("Save as lvs.cf")
    assert done.status == 200 and paths.lvs_cf.read_text() == OLD.replace("serial_no = 3", "serial_no = 8")


def test_an_lvs_cf_that_came_meanwhile_is_not_overwritten(browser, paths):
    raw = paths.lvs_cf.read_bytes()
    paths.lvs_cf.unlink()
    page = look(browser)
    paths.lvs_cf.write_bytes(raw)
    assert page.press("Save as lvs.cf").status == 409
    assert paths.lvs_cf.read_bytes() == raw


@pytest.mark.parametrize("text", ["", " \n \n"])
def test_no_file_is_told(browser, watched, text):
    page = look(browser, text)
    assert page.status == 422 and "No file was chosen" in page.text and watched.is_untouched()


def test_a_file_that_is_too_large_is_told_and_a_larger_body_refused(browser, watched):
    answer = upload(browser, b"# \n" * (FILE_BYTES_MAX // 3 + 1))
    assert answer.status_code == 422 and "more than 5 MB" in answer.get_data(as_text=True)
    assert upload(browser, b"#" * (FILE_BYTES_MAX * 2)).status_code == 413
    assert watched.is_untouched()


@pytest.mark.parametrize("content", ["", "%%%", "AAA", "=" * 10])
def test_a_page_that_lost_the_file_saves_nothing(browser, watched, content):
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.open("/secure/adopt").html)
    data = {"csrf_token": token.group(1), "do": "save", "token": "x", "content": content}
    assert browser.client.post("/secure/adopt", data=data).status_code == 422
    assert watched.is_untouched()


def test_without_the_token_nothing_is_overwritten(browser, watched):
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.open("/secure/adopt").html)
    data = {"csrf_token": token.group(1), "do": "save", "content": base64.b64encode(OLD.encode()).decode()}
    assert browser.client.post("/secure/adopt", data=data).status_code == 409
    assert watched.is_untouched()


def test_a_file_that_says_the_same_has_nothing_to_save(browser, watched):
    page = look(browser, LVS_CF)
    assert "lvs.cf says that already" in page.text
    assert not any(button.text == "Save as lvs.cf" for form in page.read.forms for button in form.buttons)


def test_a_dead_engine_loses_nothing_that_was_pasted(browser, engine):
    page = browser.open("/secure/adopt").fill("Or its text", OLD)
    engine.is_dead = True
    answer = page.press("Look at it")
    assert answer.status == 503 and "keepalive = 9" in answer.html


def kept_in(page):
    """Return the file that a form of the page keeps, by name and bytes."""
    fields = dict(re.findall(r'<input type="hidden" name="(name|content)" value="([^"]*)"', page.html))
    return fields["name"], base64.urlsafe_b64decode(fields["content"])


RAW = b"# M\xfchle\r\nkeepalive = 9\n"


def as_page(browser, answer):
    return Page(browser, f"{browser.top}/secure/adopt", answer.status_code, answer.get_data(as_text=True))


def test_an_uploaded_file_comes_back_after_an_expired_session(browser, clock, watched):
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.open("/secure/adopt").html)
    clock.now += 31 * 60
    page = as_page(browser, upload(browser, RAW, token=token[1]))
    assert page.status == 401 and "you get back what you typed" in page.text
    page = page.fill("Password", PASSWORD).press("Login")
    assert "file23 bytes" in page.text and "old.cf" in page.text and "IyBN" not in page.text
    page = page.press("Continue")
    assert page.status == 200 and "WHAT THE FILE SAYS: old.cf" in page.text and kept_in(page) == ("old.cf", RAW)
    assert watched.is_untouched()
    page.press("Save as lvs.cf")
    assert b"# M\xfchle" in watched.path.read_bytes()


def test_a_save_after_an_expired_session_is_one_click_after_the_log_in(browser, clock, watched):
    page = as_page(browser, upload(browser, RAW))
    clock.now += 31 * 60
    page = page.press("Save as lvs.cf").fill("Password", PASSWORD).press("Login")
    assert watched.is_untouched()
    assert "old.cf is lvs.cf now." in page.press("Continue").text


def test_what_is_too_much_to_be_kept_over_a_log_in_is_told(browser, clock, watched):
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.open("/secure/adopt").html)
    clock.now += 31 * 60
    page = as_page(browser, upload(browser, b"# \xff\n" * 180_000, token=token[1]))
    assert page.status == 401 and "too much to be kept: send it again" in page.text
    # Every file that is kept fits into the form of the log-in.
    page = as_page(browser, upload(browser, b"\xff\xfe" * 310_000, token=token[1]))
    assert "you get back what you typed" in page.text and page.fill("Password", PASSWORD).press("Login").status == 200
    assert watched.is_untouched()


def test_an_engine_that_is_silent_loses_no_file(browser, engine, watched):
    engine.is_dead = True
    page = as_page(browser, upload(browser, RAW))
    assert page.status == 503 and "old.cf (23 B) is kept on this page" in page.text and kept_in(page) == ("old.cf", RAW)
    engine.is_dead = False
    page = page.press("Look at it")
    assert page.status == 200 and kept_in(page) == ("old.cf", RAW)
    engine.is_dead = True
    page = page.press("Save as lvs.cf")
    assert page.status == 503 and kept_in(page) == ("old.cf", RAW) and watched.is_untouched()


def test_a_text_takes_the_place_of_a_file_that_is_kept(browser, engine):
    engine.is_dead = True
    page = as_page(browser, upload(browser, RAW))
    engine.is_dead = False
    assert "the pasted text" in page.fill("Or its text", OLD).press("Look at it").text

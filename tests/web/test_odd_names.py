"""Names as real files have them: twins, slashes, blanks, brackets, marks, letters of other alphabets.

Each block can be edited, renamed, activated, deactivated and deleted through the forms, and exactly that block changes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from piranha.paths import Paths
from piranha.records import EngineEvent
from tests.plain_browser import Page
from tests.web.conftest import AT, InProcessBrowser, KeeperEngine

LIST = "/secure/virtual_servers"

WRITTEN = (
    *(
        "[server_name]",
        "[server_name]",
        "a/b",
        '"two words"',
        "größe",
        "a]b",
        '"x#2"',
        "[server_name]",
        '"a.b[c]"',
        '" x "',
    ),
)
"""As they stand in the file."""
TITLES = (
    "[server_name]",
    "[server_name] (number 2 of this name)",
    "a/b",
    "two words",
    "größe",
    "a]b",
    "x#2",
    "[server_name] (number 3 of this name)",
    "a.b[c]",
    "x",
)
"""As the pages show them."""
PLACES = range(len(WRITTEN))


def outer_of(place: int) -> int:
    """Return in which virtual server a real server is edited: the second of three twins, or the one with a blank."""
    return (1, 3)[place % 2]


@dataclass
class File:
    """An lvs.cf of one block for each name, with one real server for each name in each of them."""

    paths: Paths
    encoding: str
    blocks: list[str]

    @property
    def text(self) -> str:
        return self.with_serial(self.blocks, 1)

    @staticmethod
    def with_serial(blocks: list[str], serial: int) -> str:
        return "".join((f"# gr\u00fcn\nserial_no = {serial}\nprimary = 192.0.2.11\n", *blocks))

    def becomes(self, place: int, change: Callable[[str], str]) -> bytes:
        """Return the file with one block changed and the serial number counted up."""
        changed = [change(block) if number == place else block for number, block in enumerate(self.blocks)]
        assert changed != self.blocks
        return self.with_serial(changed, 2).encode(self.encoding)

    @property
    def now(self) -> bytes:
        return self.paths.lvs_cf.read_bytes()


def real(name: str, number: int) -> str:
    return (
        f"     server {name} {{\n         address = 198.51.100.{number + 1}\n         active = {number % 2}\n"
        f"         weight = 1\n     }}\n"
    )


def block(name: str, number: int) -> str:
    """Return a block; those of one name are alike in all that the list shows of them but their real servers."""
    servers = "".join(real(each, place) for place, each in enumerate(WRITTEN))
    twin = name == "[server_name]"
    lines = (
        f"active = {0 if twin else number % 2}",
        f"address = 192.0.2.{1 if twin else number + 1} eth0:1",
        "port = 80",
        f"     server own{number} {{\n         address = 203.0.113.{number + 1}\n     }}\n",
    )
    return f"virtual {name} {{\n" + "".join(f"     {line}\n" for line in lines[:3]) + lines[3] + servers + "}\n"


def made(paths: Paths, encoding: str) -> File:
    file = File(paths, encoding, [block(name, number) for number, name in enumerate(WRITTEN)])
    paths.lvs_cf.write_bytes(file.text.encode(encoding))
    return file


@pytest.fixture
def file(paths: Paths, engine: KeeperEngine) -> File:
    return made(paths, "utf-8")


@pytest.fixture
def latin_1(paths: Paths, engine: KeeperEngine) -> File:
    return made(paths, "latin-1")


def once(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def in_server(place: int, change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: text.replace(real(WRITTEN[place], place), change(real(WRITTEN[place], place)))


def servers_of(browser: InProcessBrowser, place: int) -> Page:
    page = browser.open(LIST)
    return page.follow(f"Real servers ({len(WRITTEN) + 1}) of {TITLES[place]}")


@pytest.mark.parametrize("place", PLACES)
def test_a_virtual_server_is_edited(browser: InProcessBrowser, file: File, place: int) -> None:
    page = browser.open(LIST).follow(f"Edit {TITLES[place]}").fill("Application port", "8080").press("ACCEPT")
    assert page.status == 200 and "saved" in page.text
    assert file.now == file.becomes(place, once("port = 80", "port = 8080"))


@pytest.mark.parametrize("place", PLACES)
def test_a_virtual_server_is_renamed(browser: InProcessBrowser, file: File, place: int) -> None:
    page = browser.open(LIST).follow(f"Edit {TITLES[place]}").fill("Name", "plain").press("ACCEPT")
    assert page.status == 200 and page.value("Name") == "plain"
    assert file.now == file.becomes(place, once(f"virtual {WRITTEN[place]} {{", "virtual plain {"))


@pytest.mark.parametrize("place", PLACES)
def test_check_59_activate_and_deactivate_change_one_line_of_exactly_that_entry(
    browser: InProcessBrowser, file: File, place: int
) -> None:
    was = int("active = 1" in file.blocks[place].partition("server")[0])
    words = "Deactivate" if was else "Activate"
    page = browser.open(LIST).press(f"{words} {TITLES[place]}")
    assert f"{TITLES[place]} is {words.lower()}d." in page.text
    assert file.now == file.becomes(place, once(f"active = {was}", f"active = {1 - was}"))


@pytest.mark.parametrize("place", PLACES)
def test_check_58_a_virtual_server_is_deleted_whole_and_alone(
    browser: InProcessBrowser, file: File, place: int
) -> None:
    page = browser.open(LIST).follow(f"Delete {TITLES[place]}")
    assert f"own{place} (203.0.113.{place + 1})" in page.text
    page = page.press(f"DELETE {TITLES[place]}")
    assert page.status == 200 and "is deleted." in page.text
    assert file.now == file.becomes(place, lambda text: "")
    assert page.press("UNDO version 3").status == 200
    assert file.now == file.with_serial(file.blocks, 3).encode(file.encoding)


@pytest.mark.parametrize("place", PLACES)
def test_a_real_server_is_edited_inside_of_such(browser: InProcessBrowser, file: File, place: int) -> None:
    page = servers_of(browser, outer_of(place)).follow(f"Edit {TITLES[place]}").fill("Weight", "7").press("ACCEPT")
    assert page.status == 200
    assert file.now == file.becomes(outer_of(place), in_server(place, once("weight = 1", "weight = 7")))


@pytest.mark.parametrize("place", PLACES)
def test_a_real_server_is_renamed_inside_of_such(browser: InProcessBrowser, file: File, place: int) -> None:
    page = servers_of(browser, outer_of(place)).follow(f"Edit {TITLES[place]}").fill("Name", "plain").press("ACCEPT")
    assert page.status == 200 and page.value("Name") == "plain"
    assert file.now == file.becomes(
        outer_of(place), in_server(place, once(f"server {WRITTEN[place]} {{", "server plain {"))
    )


@pytest.mark.parametrize("place", PLACES)
def test_a_real_server_is_activated_or_deactivated_inside_of_such(
    browser: InProcessBrowser, file: File, place: int
) -> None:
    words = "Deactivate" if place % 2 else "Activate"
    page = servers_of(browser, outer_of(place)).press(f"{words} {TITLES[place]}")
    assert f"{TITLES[place]} is {words.lower()}d." in page.text
    change = in_server(place, once(f"active = {place % 2}", f"active = {1 - place % 2}"))
    assert file.now == file.becomes(outer_of(place), change)


@pytest.mark.parametrize("place", PLACES)
def test_a_real_server_is_deleted_inside_of_such(browser: InProcessBrowser, file: File, place: int) -> None:
    page = servers_of(browser, outer_of(place)).follow(f"Delete {TITLES[place]}").press(f"DELETE {TITLES[place]}")
    assert page.status == 200 and f"Real server {TITLES[place]} is deleted." in page.text
    assert file.now == file.becomes(outer_of(place), in_server(place, lambda text: ""))


@pytest.mark.parametrize("place", PLACES)
def test_a_real_server_is_added_inside_of_such(browser: InProcessBrowser, file: File, place: int) -> None:
    page = servers_of(browser, place).follow("ADD").fill("Name", "plain").fill("Address", "192.0.2.77").press("ACCEPT")
    assert page.status == 200 and "Real server plain is added." in page.text
    added = "     server plain {\n         address = 192.0.2.77\n         active = 0\n         weight = 1\n     }\n"
    assert file.now == file.becomes(place, lambda text: text.removesuffix("}\n") + added + "}\n")


@pytest.mark.parametrize("place", PLACES)
def test_the_checks_of_such_are_edited(browser: InProcessBrowser, file: File, place: int) -> None:
    page = browser.open(LIST).follow(f"Edit {TITLES[place]}").follow("MONITORING SCRIPTS")
    assert TITLES[place] in page.text
    assert page.fill("Expect", "HTTP").press("ACCEPT").status == 200
    assert file.now == file.becomes(place, once("     port = 80\n", '     port = 80\n     expect = "HTTP"\n'))


@pytest.mark.parametrize("place", PLACES)
def test_one_check_of_such_is_erased(browser: InProcessBrowser, paths: Paths, file: File, place: int) -> None:
    file.blocks[place] = file.blocks[place].replace("     port = 80\n", '     port = 80\n     expect = "HTTP"\n')
    paths.lvs_cf.write_bytes(file.text.encode())
    page = browser.open(LIST).follow(f"Edit {TITLES[place]}").follow("MONITORING SCRIPTS").press("BLANK EXPECT")
    assert page.status == 200 and TITLES[place] in page.text
    assert file.now == file.becomes(place, once('     expect = "HTTP"\n', ""))


@pytest.mark.parametrize("place", PLACES)
def test_pages_that_only_tell_of_such_name_exactly_that_one(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths, file: File, place: int
) -> None:
    paths.lvs_cf.write_text(f"network = direct\n{file.text}")
    page = browser.open(LIST).follow(f"Edit {TITLES[place]}")
    path = parse_qs(urlsplit(page.url).query)["virtual"][0]
    asked = urlencode({"virtual": path})
    arp = browser.open(f"/secure/help?{asked}").html
    others = {3, 4, 5, 6, 7, 9, 10} - {place + 1}  # those of the twins stand together: they share an address
    assert re.search(rf"203\.0\.113\.{place + 1}\b", arp)
    assert not [each for each in others if re.search(rf"203\.0\.113\.{each}\b", arp)]
    engine.apply_now()
    page = browser.open(f"/secure/traffic?{asked}")
    assert (
        page.status == 200 and engine.named("samples")[-1].what == path and f"TRAFFIC OF {TITLES[place]}" in page.text
    )
    engine.events = [EngineEvent(1, AT, "server-down", path, "It is down.")]
    page = browser.open("/secure/events").follow(TITLES[place])
    assert engine.named("events")[-1].what.about == path


def test_a_file_that_is_not_utf_8_keeps_its_bytes(browser: InProcessBrowser, latin_1: File) -> None:
    page = browser.open(LIST).follow("Real servers (11) of größe").follow("Edit größe").fill("Weight", "7")
    assert page.press("ACCEPT").status == 200
    assert latin_1.now == latin_1.becomes(4, in_server(4, once("weight = 1", "weight = 7")))
    latin_1.paths.lvs_cf.write_bytes(latin_1.text.encode("latin-1"))
    page = browser.open(LIST).follow("Edit größe").fill("Name", "plain").press("ACCEPT")
    assert latin_1.now == latin_1.becomes(4, once("virtual größe {", "virtual plain {"))
    latin_1.paths.lvs_cf.write_bytes(latin_1.text.encode("latin-1"))
    page = browser.open(LIST).press("Activate größe").follow("Delete größe").press("DELETE größe")
    assert page.status == 200
    assert latin_1.now.count(b"gr\xf6\xdfe") == len(WRITTEN) - 1


def test_check_61_what_cannot_be_a_name_for_the_old_daemons_is_refused(browser: InProcessBrowser, file: File) -> None:
    for name in ("a#b", 'a"b', "a{b", "größe", ""):
        page = browser.open(LIST).follow("Edit a/b").fill("Name", name).press("ACCEPT")
        assert page.status == 422, name
        assert file.now == file.text.encode(file.encoding)


TWIN = "[server_name] (number 2 of this name)"
"""Of three: when the first is deleted, its path leads to the one that was the third."""


def delete_the_first(log_in: Callable[..., InProcessBrowser]) -> None:
    page = log_in("192.0.2.9").open(LIST).follow("Delete [server_name]").press("DELETE [server_name]")
    assert page.status == 200


@pytest.mark.parametrize(
    ("what", "act"),
    [
        ("activate", lambda browser: (browser.open(LIST), lambda page: page.press(f"Activate {TWIN}"))),
        (
            "edit",
            lambda browser: (
                browser.open(LIST).follow(f"Edit {TWIN}").fill("Application port", "8080"),
                lambda page: page.press("ACCEPT"),
            ),
        ),
        (
            "rename",
            lambda browser: (
                browser.open(LIST).follow(f"Edit {TWIN}").fill("Name", "plain"),
                lambda page: page.press("ACCEPT"),
            ),
        ),
        (
            "delete",
            lambda browser: (browser.open(LIST).follow(f"Delete {TWIN}"), lambda page: page.press(f"DELETE {TWIN}")),
        ),
        (
            "check",
            lambda browser: (
                browser.open(LIST).follow(f"Edit {TWIN}").follow("MONITORING SCRIPTS").fill("Expect", "HTTP"),
                lambda page: page.press("ACCEPT"),
            ),
        ),
        (
            "add",
            lambda browser: (
                servers_of(browser, 1).follow("ADD").fill("Name", "plain").fill("Address", "192.0.2.77"),
                lambda page: page.press("ACCEPT"),
            ),
        ),
        (
            "edit inside",
            lambda browser: (
                servers_of(browser, 1).follow("Edit a/b").fill("Weight", "7"),
                lambda page: page.press("ACCEPT"),
            ),
        ),
        ("activate inside", lambda browser: (servers_of(browser, 1), lambda page: page.press("Activate a/b"))),
        (
            "delete inside",
            lambda browser: (servers_of(browser, 1).follow("Delete a/b"), lambda page: page.press("DELETE a/b")),
        ),
    ],
)
def test_check_59_when_an_earlier_one_of_the_name_was_deleted_meanwhile_it_is_a_conflict(
    log_in: Callable[..., InProcessBrowser],
    file: File,
    what: str,
    act: Callable[[InProcessBrowser], tuple[Page, Callable[[Page], Page]]],
) -> None:
    page, press = act(log_in())
    delete_the_first(log_in)
    left = file.now
    page = press(page)
    assert page.status == 409, what
    assert file.now == left


def test_check_59_the_last_one_of_a_name_that_lost_its_number_is_not_there_any_more(
    log_in: Callable[..., InProcessBrowser], file: File
) -> None:
    third = "[server_name] (number 3 of this name)"
    page = log_in().open(LIST)
    form = page.follow(f"Edit {third}").fill("Application port", "8080")
    delete_the_first(log_in)
    left = file.now
    assert page.press(f"Activate {third}").status == 409
    refused = form.press("ACCEPT")
    assert refused.status == 409 and refused.value("Application port") == "8080"
    assert file.now == left


def test_check_59_a_name_that_is_alone_now_is_not_taken_for_the_one_that_went(
    log_in: Callable[..., InProcessBrowser], paths: Paths, engine: KeeperEngine
) -> None:
    paths.lvs_cf.write_text("serial_no = 1\n" + block("[server_name]", 0) + block("[server_name]", 1))
    page = log_in().open(LIST)
    delete_the_first(log_in)
    left = paths.lvs_cf.read_text()
    page = page.press("Activate [server_name]")
    assert page.status == 409
    assert paths.lvs_cf.read_text() == left
    assert page.press("Activate [server_name]").status == 200
    assert paths.lvs_cf.read_text().count("own1") == 1

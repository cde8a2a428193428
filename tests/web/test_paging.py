"""Long lists a page at a time: which rows, in which words, and addresses that lead back to the place."""

from urllib.parse import quote

import pytest
from flask import Flask

from piranha.web.blocks import QUERY_BYTES_MAX, fitting
from piranha.web.paging import (
    ROWS,
    TEXT_CHARACTERS_MAX,
    TEXT_LINES_MAX,
    TEXT_MAX,
    AddressOf,
    Listed,
    Search,
    beginning,
    number_of,
    page_of,
    page_with,
    search_of,
)


@pytest.mark.parametrize(
    ("count", "wanted", "first", "last", "number", "pages", "words"),
    [
        (0, 1, 0, 0, 1, 1, "None of 0."),
        (1, 1, 1, 1, 1, 1, "1 of 1."),
        (50, 1, 1, 50, 1, 1, "1-50 of 50."),
        (51, 1, 1, 50, 1, 2, "1-50 of 51."),
        (51, 2, 51, 51, 2, 2, "51 of 51."),
        (1000, 1, 1, 50, 1, 20, "1-50 of 1,000."),
        (1000, 20, 951, 1000, 20, 20, "951-1,000 of 1,000."),
        (1000, 21, 951, 1000, 20, 20, "951-1,000 of 1,000."),
        (1000, 0, 1, 50, 1, 20, "1-50 of 1,000."),
    ],
)
def test_a_page_says_which_of_how_many_it_shows(
    count: int, wanted: int, first: int, last: int, number: int, pages: int, words: str
) -> None:
    page = page_of(range(count), wanted)
    assert (page.first, page.last, page.number, page.pages, page.words) == (first, last, number, pages, words)
    assert list(page.rows) == list(range(first - 1, last) if last else [])


def test_the_pages_together_are_all_rows_and_each_row_is_on_the_page_that_is_told() -> None:
    rows = list(range(ROWS * 3 + 1))
    pages = [page_of(rows, number) for number in range(1, 5)]
    assert [row for page in pages for row in page.rows] == rows
    assert all(row in page_of(rows, page_with(row)).rows for row in rows)


def test_what_a_search_leaves_out_is_counted() -> None:
    assert page_of(range(60), 2, 1000).words == "51-60 of 60 that were found, of 1,000 in all."
    assert page_of((), 1, 1000).words == "None of 1,000."


@pytest.mark.parametrize("wanted", ["", "x", "-1", "0x2", "1.5", "²", "9" * 10])
def test_a_number_that_is_none_means_the_first_page(wanted: str) -> None:
    assert number_of(wanted) == 1
    assert number_of(" 7 ") == 7


LISTED = [
    Listed("web", "web\n192.0.2.80\neth0:1\n80\n192.0.2.80:80", True),
    Listed("mail", "mail\n192.0.2.81\neth0:2\n25\n192.0.2.81:25", False),
    Listed("größe", "größe\n192.0.2.82\neth1:1\n8080\n192.0.2.82:8080".casefold(), True),
]


@pytest.mark.parametrize(
    ("text", "status", "found"),
    [
        ("", "", ["web", "mail", "größe"]),
        ("192.0.2.8", "", ["web", "mail", "größe"]),
        ("ETH0", "", ["web", "mail"]),
        ("eth0 25", "", ["mail"]),
        ("GRÖSSE", "", ["größe"]),
        ("größe", "", ["größe"]),
        ("80", "up", ["web", "größe"]),
        ("", "down", ["mail"]),
        ("web", "down", []),
        ("192.0.2.81:25", "", ["mail"]),
    ],
)
def test_a_row_is_found_by_all_words_without_case_and_by_what_is_configured(
    text: str, status: str, found: list[str]
) -> None:
    assert Search("", text, status, "1").found(LISTED) == found


def test_a_text_is_cut_by_lines_or_by_characters_and_says_so() -> None:
    short = "a\n" * TEXT_LINES_MAX
    assert (beginning(short).text, beginning(short).left_out) == (short, 0)
    assert beginning(f"{short}b\nc\n").left_out == 2
    long = "x" * (TEXT_CHARACTERS_MAX * 2) + "\nend\n"
    assert len(beginning(long).text) == TEXT_CHARACTERS_MAX + 1 and beginning(long).left_out == 2
    assert beginning("").text == "" and beginning("").left_out == 0


def test_a_place_goes_into_an_address_and_comes_out_of_it(app: Flask) -> None:
    place = Search("server_", "a b", "up", "3")
    assert place.args() == {"server_text": "a b", "server_status": "up", "server_page": "3"}
    assert place.args(1) == {"server_text": "a b", "server_status": "up"}
    with app.test_request_context("/x", query_string={**place.args(), "text": "outer", "page": "9"}):
        assert search_of("server_") == place
        assert search_of() == Search("", "outer", "", "9")
    with app.test_request_context("/x", query_string={"text": "y" * 1000, "status": "sideways", "page": "<b>"}):
        assert search_of() == Search("", "y" * TEXT_MAX, "", "1")


def test_many_addresses_of_one_page_are_those_that_are_built_one_by_one(app: Flask) -> None:
    paths = ["virtual[http]", 'virtual["a/b PATH"#2]', 'virtual["größe & <x>"].server["%]"]']
    with app.test_request_context("/"), app.test_client() as client:
        address = AddressOf("virtual_servers.show", "virtual", {"text": "a PATH&b", "page": "2"})
        for path in paths:
            with app.test_request_context(address(quote(path, safe=""))) as context:
                given = context.request.args.to_dict()
                assert given == {"virtual": path, "text": "a PATH&b", "page": "2"}
        assert client.get(address("x")).status_code == 303  # to the log-in


def test_paths_are_asked_for_in_as_many_questions_as_fit() -> None:
    paths = [f'virtual["{number:04}{"ü" * 60}"]' for number in range(50)]
    parts = list(fitting(paths))
    assert [path for part in parts for path in part] == paths and len(parts) > 1
    assert list(fitting(["x" * QUERY_BYTES_MAX, "short"])) == [["short"]]
    assert list(fitting([])) == []

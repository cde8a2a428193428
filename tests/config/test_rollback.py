"""An old text as the next one."""

import pytest

from piranha.config.document import Document
from piranha.config.rollback import rolled_back

OLD = "# mine\nserial_no = 3\nkeepalive = 6\nvirtual web {\n}\n"


@pytest.mark.parametrize(
    ("present", "floor", "serial"),
    [
        ("serial_no = 8\n", None, 9),
        ("serial_no = 2\n", None, 4),
        ("keepalive = 9\n", None, 4),
        ("serial_no = what\n", None, 4),
        (None, None, 4),
        (None, 20, 21),
        ("serial_no = 8\n", 20, 21),
    ],
)
def test_the_serial_number_is_greater_than_any_before(present, floor, serial):
    document = rolled_back(Document(OLD), None if present is None else Document(present), floor)
    assert document is not None and document.text == OLD.replace("serial_no = 3", f"serial_no = {serial}")


def test_a_text_without_a_serial_number_gets_one():
    document = rolled_back(Document("keepalive = 6\n"), Document("serial_no = 8\n"))
    assert document is not None and document.text == "serial_no = 9\nkeepalive = 6\n"


@pytest.mark.parametrize(
    "present", [OLD, OLD.replace("= 3", "= 99"), OLD.replace("serial_no = 3\n", ""), OLD.replace("\n", "\r\n")]
)
def test_the_same_text_but_for_the_number_is_nothing_to_do(present):
    assert rolled_back(Document(OLD), Document(present)) is None


def test_a_comment_is_a_difference():
    assert rolled_back(Document(OLD), Document(OLD.replace("# mine\n", ""))) is not None

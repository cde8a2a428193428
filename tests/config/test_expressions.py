"""Where an expected text stops being a regular expression."""

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from piranha.config import expressions
from piranha.config.escapes import translate
from piranha.config.expressions import compiled, expression_fault


@pytest.mark.parametrize("text", ["", "HTTP", r"HTTP/1\\.[01] (200|204)", r"^220 .*\r\n", "a{2,3}", "grüße", r"\\d+"])
def test_an_expression_has_no_fault(text: str) -> None:
    assert expression_fault(text) is None


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("a(b", 2),
        ("a)b", 2),
        ("(a(b)", 1),
        ("*a", 1),
        ("ab**", 3),
        ("x[bc", 2),
        ("x[z-a]", 3),
        ("a{1001}", 2),
        # An escape is two characters as typed and one byte as searched.
        (r"\n\n(", 5),
        (r"\\.)", 4),
        (r"(?<!x)y", 1),
    ],
)
def test_the_fault_is_placed_in_the_text_as_typed(text: str, position: int) -> None:
    fault = expression_fault(text)
    assert fault is not None
    assert fault.position == position
    assert f"at character {position}" in fault.message


@given(st.text(alphabet=r"ab()[]{}*+?|^$.\,-", max_size=20))
def test_any_text_has_an_answer_and_its_place_is_in_the_text(text: str) -> None:
    fault = expression_fault(text)
    assert fault is None or 1 <= fault.position <= len(text) + 1


def test_a_long_expression_is_not_translated_once_for_each_of_its_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(text: str) -> tuple[bytes, tuple[str, ...]]:
        asked.append(text)
        return translate(text)

    monkeypatch.setattr(expressions, "translate", counted)
    fault = expression_fault(r"\\\\(" * 300)
    assert fault is not None
    assert fault.position == 5
    assert len(asked) < 40


def test_an_expression_that_is_far_too_long_is_not_even_compiled(capfd: pytest.CaptureFixture[str]) -> None:
    fault = expression_fault("(a*)*" * 2000)
    assert fault is not None
    assert "10000 bytes" in fault.message
    with pytest.raises(re2.error):
        compiled(b"(a*)*" * 2000)
    assert capfd.readouterr().err == ""


def test_what_is_shown_of_an_expression_can_be_printed() -> None:
    fault = expression_fault("a(\t\x07b")
    assert fault is not None
    assert fault.message.isprintable()

"""How many workers an engine has: what piranha.toml says, and what holds where it says nothing that can be read."""

import pytest

from piranha.engine import employing
from piranha.engine.employing import workers_of
from piranha.nanny.rounds import Outcome
from piranha.nanny.workers import cores
from piranha.paths import Paths


def ignore(outcome: Outcome) -> None:
    """Hear what came of a check."""


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (None, 3),
        ("", 3),
        ("[checks]\nworkers = 7\n", 7),
        ("[checks]\nworkers = 1000\n", 3),
        ('[checks]\nworkers = "many"\n', 3),
        ("[checks\n", 3),
    ],
)
async def test_there_are_as_many_as_piranha_toml_says_else_one_for_each_processor(
    paths: Paths, text: str | None, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(employing, "cores", lambda: 3)
    if text is not None:
        paths.piranha_toml.write_text(text)
    workers = workers_of(paths, ignore)
    assert workers is not None and workers.most == most


async def test_with_none_the_engine_makes_the_checks_itself(paths: Paths) -> None:
    paths.piranha_toml.write_text("[checks]\nworkers = 0\n")
    assert workers_of(paths, ignore) is None


async def test_a_file_that_cannot_be_read_is_said(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    paths.piranha_toml.mkdir()
    assert workers_of(paths, ignore) is not None
    assert "So there is a nanny for each processor." in caplog.text


def test_this_machine_has_a_processor() -> None:
    assert cores() >= 1

"""The note of when this router last spoke as the active one."""

from pathlib import Path

import pytest

from piranha.paths import Paths
from piranha.system import life_sign
from piranha.system.life_sign import LifeSign


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.boot = 1234.5, "this-boot"
        monkeypatch.setattr(life_sign, "boottime", lambda: self.now)
        monkeypatch.setattr(life_sign, "boot_id", lambda: self.boot)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path)
    found.run.mkdir(parents=True)
    return found


def note_of(paths: Paths) -> Path:
    return paths.run / life_sign.NAME


def test_the_next_pulse_reads_how_long_ago_it_was(paths: Paths, clock: Clock) -> None:
    sign = LifeSign(paths)
    assert sign.age_s() is None
    sign.note()
    clock.now += 1.0
    sign.note()
    clock.now += 2.5
    assert LifeSign(paths).age_s() == pytest.approx(2.5)
    assert note_of(paths).stat().st_mode & 0o777 == 0o600


def test_a_note_of_another_boot_says_nothing(paths: Paths, clock: Clock) -> None:
    LifeSign(paths).note()
    clock.boot = "the-next-boot"
    assert LifeSign(paths).age_s() is None


@pytest.mark.parametrize("text", [b"", b"rubbish", b"\xff\xff", b"9999999999.0 this-boot\n", b"nan this-boot\n"])
def test_a_note_that_makes_no_sense_says_nothing(paths: Paths, clock: Clock, text: bytes) -> None:
    note_of(paths).write_bytes(text)
    assert LifeSign(paths).age_s() is None


def test_a_shorter_time_leaves_nothing_of_a_longer_one(paths: Paths, clock: Clock) -> None:
    clock.now = 987654321.123456
    sign = LifeSign(paths)
    sign.note()
    clock.now = 1.0
    sign.note()
    assert LifeSign(paths).age_s() == 0


def test_it_ends_with_the_word_that_this_router_is_active_no_more(paths: Paths, clock: Clock) -> None:
    sign = LifeSign(paths)
    sign.note()
    sign.end()
    sign.end()
    assert sign.age_s() is None and not note_of(paths).exists()
    sign.note()
    assert sign.age_s() == 0


def test_an_end_takes_away_what_a_killed_pulse_left(paths: Paths, clock: Clock) -> None:
    LifeSign(paths).note()
    LifeSign(paths).end()
    assert LifeSign(paths).age_s() is None


def test_a_link_in_its_place_is_not_followed(paths: Paths, clock: Clock, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    note_of(paths).symlink_to(target)
    LifeSign(paths).note()
    assert target.read_text() == "untouched"


def test_a_folder_that_is_missing_costs_nothing(tmp_path: Path, clock: Clock) -> None:
    sign = LifeSign(Paths(tmp_path))
    sign.note()
    sign.end()
    assert sign.age_s() is None

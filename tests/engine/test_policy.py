"""What policy.toml allows: nothing unless it says so, and nothing if it cannot be trusted."""

import os
from pathlib import Path

import pytest

from piranha.engine.policy import Policy, read_policy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.touch(mode=0o600)
    return path


def test_a_missing_or_empty_file_allows_nothing_and_is_no_trouble(tmp_path: Path, file: Path) -> None:
    assert read_policy(tmp_path / "nothing.toml") == Policy()
    assert read_policy(file) == Policy()


def test_what_it_says_is_allowed_and_what_others_read_of_it_is_left_to_them(file: Path) -> None:
    file.write_text('manage_sysctl = true\nmanage_firewall = "later"\n[programs]\n')
    assert read_policy(file) == Policy(manages_sysctl=True)
    file.write_text("manage_sysctl = false\n")
    assert read_policy(file) == Policy()


def test_programs_have_users(file: Path) -> None:
    file.write_text('[programs."/bin/a b"]\nrun_as = "dbcheck"\n[programs.other]\nlater = 1\n')
    assert read_policy(file) == Policy(run_as={"/bin/a b": "dbcheck"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"manage_sysctl = yes\n", "it is not TOML"),
        (b"manage_sysctl = 1\n", "neither true nor false"),
        (b'manage_sysctl = "true"\n', "neither true nor false"),
        (b"\xff\xfe\n", "it is not TOML"),
        (b"programs = 1\n", "programs holds no tables"),
        (b"[programs]\ncheck = 1\n", "programs holds no tables"),
        (b"[programs.check]\nrun_as = 0\n", "run_as is no name"),
        (b'[programs.check]\nrun_as = ""\n', "run_as is no name"),
        (b"#" * (1024 * 1024 + 1), "larger than"),
    ],
)
def test_what_is_not_understood_allows_nothing_and_is_told(file: Path, text: bytes, why: str) -> None:
    file.write_bytes(text)
    told = read_policy(file)
    assert not told.manages_sysctl and why in told.problem and str(file) in told.problem


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_allows_nothing(file: Path, mode: int) -> None:
    file.write_text("manage_sysctl = true\n")
    file.chmod(mode)
    told = read_policy(file)
    assert not told.manages_sysctl and f"chmod 0600 {file}" in told.problem


def test_what_is_no_file_allows_nothing_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "policy.toml", 0o600)
    assert "it is not a file" in read_policy(tmp_path / "policy.toml").problem
    (tmp_path / "folder").mkdir()
    assert read_policy(tmp_path / "folder").problem

"""Loading modules, with programs that stand in for modprobe."""

import os
from pathlib import Path

import pytest

from piranha.system.ipvs_module import load, module_of


def modprobe(folder: Path, text: str) -> tuple[str, ...]:
    program = folder / "modprobe"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return (str(folder),)


@pytest.mark.parametrize("name", ["", "-r", "rr; reboot", "../rr", "RR", "a" * 16, "rr\n"])
def test_what_cannot_be_a_scheduler_has_no_module(name: str) -> None:
    assert module_of(name) == ""


def test_a_schedulers_module_has_its_name() -> None:
    assert module_of("lblcr") == "ip_vs_lblcr"


def test_the_module_is_the_only_argument_and_the_environment_is_fixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODPROBE_OPTIONS", "--remove")
    monkeypatch.setenv("PATH", "/nowhere")
    folders = modprobe(tmp_path, f'echo "$PATH|$LC_ALL|$MODPROBE_OPTIONS|$#|$*|$PWD" > {tmp_path}/said')
    assert load("ip_vs", folders) == ""
    assert (tmp_path / "said").read_text() == f"{tmp_path}|C||2|-- ip_vs|/\n"


def test_what_modprobe_says_is_passed_on_in_one_line(tmp_path: Path) -> None:
    folders = modprobe(tmp_path, 'echo >&2; echo "FATAL: Module ip_vs not found." >&2; echo more >&2; exit 1')
    assert load("ip_vs", folders) == "modprobe ip_vs failed: FATAL: Module ip_vs not found."


def test_a_failure_without_a_word_has_its_status(tmp_path: Path) -> None:
    assert load("ip_vs", modprobe(tmp_path, "exit 3")) == "modprobe ip_vs failed: exit status 3."


def test_no_modprobe_is_said(tmp_path: Path) -> None:
    assert load("ip_vs", (str(tmp_path),)).startswith(f"There is no modprobe in {tmp_path}")


def test_a_program_that_cannot_be_started_is_said(tmp_path: Path) -> None:
    folders = modprobe(tmp_path, "")
    (tmp_path / "modprobe").write_text("#!/nowhere/interpreter\n")
    assert "cannot be started" in load("ip_vs", folders)


def test_a_modprobe_that_hangs_is_stopped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "nobody")
    folders = modprobe(tmp_path, f"read line < {tmp_path}/nobody")
    assert "did not end within 0.2 s" in load("ip_vs", folders, limit_s=0.2)

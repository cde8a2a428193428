"""`piranha diff`: what each word means, and the exit codes."""

import os
import subprocess
import sys

import pytest

from piranha.client import EngineClient
from piranha.errors import EditRefused
from piranha.messages import VersionInfo, VersionText
from tests.cli.conftest import TEXT

OTHER = TEXT.replace("keepalive = 6", "keepalive = 7")


@pytest.fixture
def kept(monkeypatch):
    """Let the engine keep two versions."""
    info = VersionInfo(1, "2026-01-02T03:04:05+00:00", "save", "root", "", 7, "a" * 64, 1, ())

    def version(client, number):
        if number > 2:
            raise EditRefused("", "", f"Version {number} is not kept.")
        return VersionText(info, TEXT if number == 1 else OTHER, "utf-8")

    monkeypatch.setattr(EngineClient, "version", version)


def test_two_files_are_compared_without_any_engine(run, file, tmp_path):
    other = tmp_path / "other.cf"
    other.write_text(OTHER)
    done = run("diff", file, other)
    assert done.code == 0 and f"--- {file}\n+++ {other}\n" in done.out
    assert "-keepalive = 6\n+keepalive = 7\n" in done.out
    assert run("diff", file, file).out == ""


def test_digits_are_versions_and_a_file_of_that_name_is_written_with_its_folder(run, kept, file, monkeypatch):
    assert "-keepalive = 6\n+keepalive = 7\n" in run("diff", "1", "2").out
    assert "--- version 2\t\n" in run("diff", "2", file).out
    monkeypatch.chdir(file.parent)
    file.rename("2")
    assert run("diff", "1", "./2").out == ""


def test_saved_and_running_are_what_the_engine_says(run, saved, file):
    done = run("diff", root=saved.root)
    assert done.code == 0 and done.out.startswith("--- running\n") and "+keepalive = 6\n" in done.out
    file.write_text(OTHER)
    assert "-keepalive = 7\n+keepalive = 6\n" in run("diff", file, root=saved.root).out
    assert "-keepalive = 6\n+keepalive = 7\n" in run("diff", "saved", file, root=saved.root).out


def test_without_an_engine_they_are_read_from_the_disk(run, tmp_path):
    assert run("diff").code == 3
    root = tmp_path / "root"
    (root / "etc/sysconfig/ha").mkdir(parents=True)
    (root / "var/lib/piranha").mkdir(parents=True)
    (root / "etc/sysconfig/ha/lvs.cf").write_text(OTHER)
    (root / "var/lib/piranha/running.cf").write_text(TEXT)
    assert "-keepalive = 6\n+keepalive = 7\n" in run("diff").out


def test_the_exit_code_tells_a_difference_only_when_asked(run, file, tmp_path, kept):
    other = tmp_path / "other.cf"
    other.write_text(OTHER)
    assert run("diff", file, other).code == 0
    assert run("diff", "--exit-code", file, other).code == 1
    assert run("diff", "--exit-code", file, file).code == 0
    for trouble, otherwise in ((tmp_path / "nobody.cf", 1), ("3", 1), (tmp_path, 1), ("running", 3)):
        done = run("diff", "--exit-code", trouble, file)
        assert (done.code, done.out) == (2, "") and done.err.startswith("piranha: ")
        assert run("diff", trouble, file).code == otherwise


def test_standard_input_is_read_once(run, file):
    done = run("diff", "-", "-")
    assert done.code == 2 and "only once" in done.err
    assert run("check", "-", file, "-").code == 2


def test_each_text_is_printed_in_its_own_encoding(tmp_path):
    old, new = tmp_path / "old.cf", tmp_path / "new.cf"
    old.write_bytes("# Größe\nkeepalive = 6\n# bleibt für immer\n".encode("latin-1"))
    new.write_bytes("# Größen\nkeepalive = 6\n# bleibt für immer\n".encode())
    words = [sys.executable, "-m", "piranha.cli.main", "diff", old, new]
    told = subprocess.run(words, capture_output=True, timeout=60).stdout.split(b"\n")
    assert "-# Größe".encode("latin-1") in told and "+# Größen".encode() in told
    assert b" keepalive = 6" in told


def test_a_pipe_can_be_compared(file):
    reading, writing = os.pipe()
    os.write(writing, OTHER.encode())
    os.close(writing)
    words = [sys.executable, "-m", "piranha.cli.main", "diff", file, f"/dev/fd/{reading}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, pass_fds=[reading])
    os.close(reading)
    assert "-keepalive = 6\n+keepalive = 7\n" in done.stdout, done.stderr

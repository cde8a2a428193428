"""A diff in a pipe has the bytes that `patch` needs; on a terminal it is text."""

import io
import subprocess
import sys

import pytest

from piranha.cli import patches
from piranha.config.diffs import diff

OLD = "# Größe\nkeepalive = 6\n# für immer\n"


class Terminal(io.TextIOWrapper):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def printed(monkeypatch: pytest.MonkeyPatch, kind: type[io.TextIOWrapper], text: str, *encodings: str) -> bytes:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", kind(raw, encoding="utf-8", write_through=True))
    patches.tell(text, *encodings)
    return raw.getvalue()


def test_the_lines_are_in_the_encoding_of_their_file_and_the_names_in_that_of_file_names(monkeypatch):
    text = diff(OLD, OLD.replace("6", "7"), "größe.cf", "größe.cf")
    told = printed(monkeypatch, io.TextIOWrapper, text, "latin-1").split(b"\n")
    assert told[:2] == ["--- größe.cf".encode(), "+++ größe.cf".encode()]
    assert " # Größe".encode("latin-1") in told and " # für immer".encode("latin-1") in told


def test_on_a_terminal_it_is_text(monkeypatch):
    text = diff(OLD, OLD.replace("6", "7"), "old", "new")
    assert printed(monkeypatch, Terminal, text, "latin-1") == text.encode()
    assert printed(monkeypatch, io.TextIOWrapper, "", "latin-1") == b""


def test_lines_that_come_are_in_the_new_texts_encoding(monkeypatch):
    told = printed(monkeypatch, io.TextIOWrapper, diff(OLD, OLD.replace("6", "ß"), "a", "b"), "latin-1", "utf-8")
    assert "+keepalive = ß".encode() in told.split(b"\n") and "# Größe".encode("latin-1") in told


def test_a_dry_run_on_an_old_file_with_a_blank_in_its_name_is_a_patch_for_it(tmp_path):
    path = tmp_path / "old lvs.cf"
    path.write_bytes(OLD.encode("latin-1"))
    words = [sys.executable, "-m", "piranha.cli.main", "set", "--file", path.name, "--dry-run", "keepalive", "7"]
    done = subprocess.run(words, capture_output=True, timeout=60, cwd=tmp_path)
    told = done.stdout.split(b"\n")
    assert told[:2] == [b"--- old lvs.cf\t", b"+++ old lvs.cf\t"]
    kept = [line[1:] for line in told[3:] if line[:1] in (b" ", b"-")]
    assert b"\n".join(kept) + b"\n" == path.read_bytes()

"""Whatever is typed: a sentence and an exit code, never a traceback."""

import os
import random
import subprocess
import sys

import pytest

COMMANDS = ("get", "set", "add", "remove", "rename", "move", "activate", "deactivate")
ODD = (
    "", " ", ".", "..", "[", "]", "virtual", "virtual[", "virtual[]", "virtual[web]", "virtual[web].",
    "virtual[web]..port", 'virtual["', 'virtual["]', 'virtual["\\"]', 'virtual["a\x1b]0;x\x07"]', "virtual[web#0]",
    "virtual[web#99999999999999]", "virtual[web].server[web1].weight", "keepalive", "keepalive ", "KEEPALIVE", "\n",
    "a\nb", "\t", "日本", "--", "-", "-x", "--file", "virtual[web].server[web1].server[x]", "failover[x]", "server[x]",
    "\u202e", "\x7f", "x" * 5000, "[" * 5000, "virtual[web]" * 400, "serial_no", "virtual[web].name", "0", "=", "port=",
    "=80", "port=80=80", "a=b",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_odd_words_are_told_in_one_short_sentence(run, file, command):
    chance = random.Random(command)
    for _ in range(120):
        words = [chance.choice(ODD) for _ in range(chance.randrange(1, 4))]
        done = run(command, "--file", file, "--dry-run" if command != "get" else "--json", *words)
        assert done.code in (0, 1, 2), words
        assert len(done.err) < 3000 and "\x1b" not in done.err and "\u202e" not in done.err, words


def test_bytes_that_are_no_text_are_a_wrong_command_line(file):
    for command, *rest in (
        ("get",),
        ("set", "keepalive"),
        ("set", b"\xff", "x"),
        ("add", b"virtual[\xff]"),
        ("drain",),
    ):
        words = [sys.executable, "-m", "piranha.cli.main", command, *rest, b"a\xff"]
        if command != "drain":
            words += ["--file", str(file)]
        done = subprocess.run(words, capture_output=True, timeout=60, env={**os.environ, "PYTHONUTF8": "1"})
        assert done.returncode == 2 and b"Traceback" not in done.stderr, words
        assert b"no text in the encoding" in done.stderr, done.stderr


def test_a_file_name_may_have_any_bytes(tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff.cf"
    with open(name, "w") as file:  # noqa: PTH123 - a name that is no text
        file.write("keepalive = 6\n")
    words = [sys.executable, "-m", "piranha.cli.main", "set", "keepalive", "7", "--file", name]
    done = subprocess.run(words, capture_output=True, timeout=60, env={**os.environ, "PYTHONUTF8": "1"})
    assert done.returncode == 0, done.stderr
    with open(name) as file:  # noqa: PTH123
        assert file.read() == "serial_no = 1\nkeepalive = 7\n"

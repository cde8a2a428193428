"""`piranha check`: every fault with its place, and the exit code."""

import json
from pathlib import Path

from click.testing import CliRunner

from piranha.cli.checking import check

CORPUS = sorted((Path(__file__).parents[1] / "data/corpus").glob("*.cf"))
BROKEN = """\
serial_no = seven
virtual web {
     active = 1
     address = 192.0.2.300 eth0:1
     port = 70000
     server a {
         address = 10.0.0.1
         active = maybe
     }
}
"""


def run(*words: str):
    return CliRunner().invoke(check, list(words))


def test_every_file_of_the_corpus_passes_and_its_warnings_have_a_place():
    assert CORPUS
    result = run(*map(str, CORPUS))
    assert result.exit_code == 0, result.output
    warnings = [line for line in result.output.splitlines() if ": warning: " in line]
    assert warnings
    for line in warnings:
        place = line.split(": warning: ")[0].split(":")
        assert place[0].endswith(".cf") and int(place[1]) > 0 and int(place[2]) > 0


def test_a_broken_file_is_exit_code_1_with_every_fault_listed(tmp_path):
    file = tmp_path / "broken.cf"
    file.write_text(BROKEN)
    result = run(str(file))
    assert result.exit_code == 1
    errors = [line.removeprefix(f"{file}:").split(":")[0] for line in result.output.splitlines() if ": error: " in line]
    assert set(errors) >= {"1", "4", "5", "8"}


def test_one_broken_file_among_good_ones_is_exit_code_1_and_all_are_told(tmp_path):
    file = tmp_path / "broken.cf"
    file.write_text(BROKEN)
    result = run(str(CORPUS[0]), str(file), str(CORPUS[1]))
    assert result.exit_code == 1
    assert all(f"{name}: " in result.output for name in (CORPUS[0], file, CORPUS[1]))


def test_a_file_that_cannot_be_read_is_exit_code_1_and_a_sentence(tmp_path):
    result = run(str(tmp_path / "nobody.cf"))
    assert result.exit_code == 1 and "cannot be read" in result.output


def test_json_has_the_same_faults(tmp_path):
    file = tmp_path / "broken.cf"
    file.write_text(BROKEN)
    result = run("--json", str(file))
    (told,) = json.loads(result.output)
    assert result.exit_code == 1
    assert {(fault["line"], fault["severity"]) for fault in told["faults"]} >= {(1, "error"), (5, "error")}


def test_strict_stops_where_the_original_daemons_stopped(tmp_path):
    file = tmp_path / "old.cf"
    file.write_text("keepalive = 6\nsite_word = 1\nanother = 2\n")
    strict = run("--strict", str(file))
    assert strict.exit_code == 1 and f"{file}:2:" in strict.output and "BADCOMMAND" in strict.output
    assert f"{file}:3:" not in strict.output
    assert run(str(file)).exit_code == 0

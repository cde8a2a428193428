"""`piranha adopt`: another machine's file becomes lvs.cf, after it was looked at."""

import io
import sys

import pytest

from tests.cli.conftest import TEXT

OTHER = "# the old router\nserial_no = 3\nkeepalive = 9\nbogus_word = 1\n"


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "old.cf"
    path.write_text(OTHER)
    return path


class Terminal(io.StringIO):
    """Standard input of a person who gives these answers."""

    def isatty(self):
        return True


@pytest.mark.end_to_end
def test_a_file_is_reported_compared_and_saved(run, saved, other):
    dry = run("adopt", other, "--dry-run", root=saved.root)
    assert dry.code == 0 and "+keepalive = 9" in dry.out and "Nothing was written" in dry.err
    assert f"{other}:4:1: warning" in dry.err and "bogus_word" in dry.err
    assert saved.lvs_cf.read_text() == TEXT
    done = run("adopt", other, "--yes", root=saved.root)
    assert done.code == 0 and "+keepalive = 9" in done.out and "`piranha apply`" in done.out
    assert saved.lvs_cf.read_text() == OTHER.replace("serial_no = 3", "serial_no = 8")
    assert "adopt" in run("history", "-n", "1", root=saved.root).out
    again = run("adopt", other, "--yes", root=saved.root)
    assert again.code == 0 and "says that already" in again.out


@pytest.mark.end_to_end
@pytest.mark.parametrize(("answer", "code"), [("n\n", 130), ("y\n", 0), ("", 130)])
def test_a_person_is_asked_behind_the_diff(run, saved, other, monkeypatch, answer, code):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    done = run("adopt", other, root=saved.root)
    assert done.code == code and done.out.count("+keepalive = 9") == 1
    assert (saved.lvs_cf.read_text() != TEXT) is (code == 0)


@pytest.mark.end_to_end
def test_a_missing_lvs_cf_is_made(run, saved, other):
    saved.lvs_cf.unlink()
    assert run("adopt", other, "--yes", root=saved.root).code == 0
    assert saved.lvs_cf.read_text().splitlines()[2:] == OTHER.splitlines()[2:]


def test_where_nobody_can_be_asked_yes_is_needed(run, other):
    done = run("adopt", other)
    assert done.code == 2 and "--yes" in done.err
    assert run("adopt", "-").code == 2
    assert run("adopt", other.parent / "none.cf", "--yes").code == 1


def test_without_an_engine_it_is_exit_code_3(run, other):
    assert run("adopt", other, "--yes").code == 3

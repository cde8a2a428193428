"""When a program may be run: it is there, and nobody but root decides what it is."""

from dataclasses import replace

import pytest

from piranha.config.programs import SEARCHED, Kind, Seen, Trouble, Way, candidates, doubt_of, is_executable, program_of

FOLDERS = tuple(Seen(path, Kind.FOLDER, 0, 0, 0o755) for path in ("/", "/usr", "/usr/bin"))
FILE = Seen("/usr/bin/check", Kind.FILE, 0, 0, 0o755)
GOOD = Way((*FOLDERS, FILE))


def with_file(**changes: object) -> Way:
    return Way((*FOLDERS, replace(FILE, **changes)))  # type: ignore[arg-type]


def with_folder(**changes: object) -> Way:
    return Way((*FOLDERS[:2], replace(FOLDERS[2], **changes), FILE))  # type: ignore[arg-type]


def test_what_only_root_can_change_may_be_run():
    assert doubt_of("/usr/bin/check", GOOD) is None
    assert doubt_of("check", GOOD) is None


@pytest.mark.parametrize(
    ("way", "code", "words"),
    [
        (with_file(uid=1000), "unsafe-program", "/usr/bin/check belongs to uid 1000"),
        (with_file(mode=0o757), "unsafe-program", "Everybody may write to /usr/bin/check"),
        (with_file(mode=0o775, gid=50), "unsafe-program", "The group 50 may write to /usr/bin/check"),
        (with_folder(uid=33), "unsafe-program", "/usr/bin belongs to uid 33"),
        (with_folder(mode=0o1777), "unsafe-program", "Everybody may write to /usr/bin "),
        (with_folder(mode=0o2775, gid=50), "unsafe-program", "The group 50 may write to /usr/bin "),
        (with_file(mode=0o644), "not-executable", "is not executable"),
        (with_file(kind=Kind.FOLDER), "no-such-program", "is a folder"),
        (with_file(kind=Kind.OTHER), "no-such-program", "no regular file"),
        (None, "no-such-program", "in /usr/local/sbin, "),
        (Way(FOLDERS, Trouble.MISSING, "/usr/bin/check"), "no-such-program", "no program /usr/bin/check."),
        (Way(FOLDERS[:1], Trouble.MISSING, "/usr"), "no-such-program", "/usr does not exist"),
        (Way(FOLDERS, Trouble.DENIED, "/usr/bin"), "program-not-seen", "may not look at /usr/bin"),
        (Way(FOLDERS, Trouble.UNREADABLE, "/usr/bin", "too many links"), "program-not-seen", "too many links"),
    ],
)
def test_a_program_that_may_not_be_run_is_told_with_the_place_that_speaks_against_it(way, code, words):
    doubt = doubt_of("/usr/bin/check", way)
    assert doubt is not None and doubt.code == code
    assert words in doubt.what.message and doubt.what.advice


def test_a_group_of_root_may_write():
    assert doubt_of("/usr/bin/check", with_file(mode=0o775, gid=0)) is None


@pytest.mark.parametrize("program", ["./check", "bin/check", "../check"])
def test_a_relative_path_is_never_run_because_it_depends_on_a_folder(program):
    doubt = doubt_of(program, GOOD)
    assert doubt is not None and doubt.code == "unsafe-program" and "relative" in doubt.what.message
    assert candidates(program) == ()


def test_a_name_without_a_path_is_looked_for_in_fixed_folders_and_a_path_is_taken_as_written():
    assert candidates("check") == tuple(f"{folder}/check" for folder in SEARCHED)
    assert candidates("/opt/check") == ("/opt/check",)


@pytest.mark.parametrize(
    ("command", "program"), [("/bin/check %h %p", "/bin/check"), ("  a\tb", "a"), ("", ""), ("  ", ""), ('"a b"', '"a')]
)
def test_the_program_of_a_command_line_is_its_first_word_and_quotes_are_nothing_special(command, program):
    assert program_of(command) == program


def test_only_a_file_with_a_bit_for_it_is_executable():
    assert is_executable(GOOD) and is_executable(with_file(mode=0o100))
    assert not is_executable(with_file(mode=0o666))
    assert not is_executable(with_file(kind=Kind.FOLDER))
    assert not is_executable(replace(GOOD, trouble=Trouble.MISSING))


def test_an_odd_name_is_shown_without_what_a_terminal_would_obey():
    doubt = doubt_of("/bin/\x1b[2J", Way(FOLDERS, Trouble.MISSING, "/bin/\x1b[2J"))
    assert doubt is not None and "\x1b" not in doubt.what.message

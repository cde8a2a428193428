"""Asking the outside: the resolver never longer than the limit, the interfaces, the way to a program."""

import os
import socket
import threading
import time
from ipaddress import ip_address
from pathlib import Path

import pytest

from piranha.config.model import Address, HostName
from piranha.config.outside import NameTrouble, Questions
from piranha.config.programs import Kind, Trouble, doubt_of
from piranha.system import outside

NAMES = [HostName(f"{letter}.example") for letter in "abc"]


def test_each_name_has_the_addresses_that_the_resolver_says():
    known = {"a.example": (ip_address("10.0.0.1"),), "b.example": (ip_address("2001:db8::1"), ip_address("10.0.0.2"))}

    def lookup(name: str) -> tuple[Address, ...]:
        if name not in known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return known[name]

    assert outside.resolve(NAMES, lookup=lookup) == {**known, "c.example": NameTrouble.NOT_FOUND}


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (socket.gaierror(socket.EAI_NONAME, ""), NameTrouble.NOT_FOUND),
        (socket.gaierror(socket.EAI_NODATA, ""), NameTrouble.NOT_FOUND),
        (socket.gaierror(socket.EAI_AGAIN, ""), NameTrouble.FAILED),
        (socket.gaierror(socket.EAI_FAIL, ""), NameTrouble.FAILED),
        (OSError(24, "Too many open files"), NameTrouble.FAILED),
        (UnicodeError("label too long"), NameTrouble.NOT_FOUND),
        (ValueError("embedded null"), NameTrouble.NOT_FOUND),
    ],
)
def test_what_goes_wrong_with_a_name_is_an_answer(error, trouble):
    def lookup(name: str) -> tuple[Address, ...]:
        raise error

    assert outside.resolve(NAMES[:1], lookup=lookup) == {"a.example": trouble}


def test_a_resolver_that_hangs_costs_the_limit_once_and_the_others_are_answered():
    never = threading.Event()

    def lookup(name: str) -> tuple[Address, ...]:
        if name != "b.example":
            never.wait(60)
        return (ip_address("10.0.0.2"),)

    began = time.monotonic()
    answers = outside.resolve(NAMES, 0.3, lookup)
    took = time.monotonic() - began
    never.set()
    assert answers == {
        "a.example": NameTrouble.SILENT,
        "b.example": (ip_address("10.0.0.2"),),
        "c.example": NameTrouble.SILENT,
    }
    assert 0.3 <= took < 5


def test_a_thread_that_hangs_does_not_keep_the_process():
    never = threading.Event()
    outside.resolve(NAMES[:1], 0.01, lambda name: (never.wait(60), ())[1])
    left = [thread for thread in threading.enumerate() if thread.name.startswith("resolve ")]
    assert left and all(thread.daemon for thread in left)
    never.set()


def test_names_are_asked_for_at_once_by_a_bounded_number_of_threads():
    names = [HostName(f"n{number}.example") for number in range(500)]
    together = threading.Barrier(outside.THREADS)
    most = 0

    def lookup(name: str) -> tuple[Address, ...]:
        nonlocal most
        if int(name[1:].partition(".")[0]) in first:
            together.wait(30)  # all threads are here at once, or this breaks
        most = max(most, sum(thread.name.startswith("resolve ") for thread in threading.enumerate()))
        return (ip_address("10.0.0.1"),)

    first = {int(name[1:].partition(".")[0]) for name in sorted(names)[: outside.THREADS]}
    answers = outside.resolve(names, 30, lookup)
    assert len(answers) == 500 and set(answers.values()) == {(ip_address("10.0.0.1"),)}
    assert most == outside.THREADS


def test_the_real_resolver_knows_this_machine_and_no_impossible_name():
    answers = outside.resolve({HostName("localhost"), HostName("a..b"), HostName("x" * 64 + ".example")})
    localhost = answers.pop(HostName("localhost"))
    assert not isinstance(localhost, NameTrouble) and all(address.is_loopback for address in localhost)
    assert set(answers.values()) == {NameTrouble.NOT_FOUND}


def test_no_names_are_no_question():
    assert outside.resolve(()) == {}


def test_the_loopback_interface_is_here_with_its_address():
    here = outside.interfaces_here()
    assert set(here) == {name for _, name in socket.if_nameindex()}
    assert ip_address("127.0.0.1") in here["lo"]


def test_a_machine_whose_interfaces_cannot_be_read_is_said(monkeypatch):
    def refuse() -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(outside, "interfaces_here", refuse)
    answers = outside.answers_to(Questions(frozenset(), frozenset({"sh"})))
    assert answers.interfaces is None and answers.problem == "Permission denied"
    assert answers.programs["sh"] is not None


def test_a_program_of_the_system_is_found_by_its_name_alone():
    way = outside.way_to("sh")
    assert way is not None and way.places[0].path == "/" and way.places[-1].kind is Kind.FILE
    assert way.places[-1].mode & 0o111
    assert outside.way_to("no-program-has-this-name") is None
    assert outside.way_to("\0") is None


def test_the_way_leads_behind_links_and_tells_every_folder_on_it(tmp_path: Path):
    real = tmp_path / "real"
    (tmp_path / "bin").mkdir()
    real.mkdir()
    (real / "check").write_text("#!/bin/sh\n")
    (real / "check").chmod(0o755)
    (tmp_path / "bin" / "check").symlink_to("../real/check")
    (tmp_path / "short").symlink_to(tmp_path / "bin")
    way = outside.follow(str(tmp_path / "short" / "check"))
    seen = [place.path for place in way.places]
    assert way.trouble is Trouble.NONE
    assert seen[0] == "/" and seen[-1] == str(real / "check")
    assert {str(tmp_path), str(tmp_path / "bin"), str(real)} <= set(seen)
    assert way.places[-1].uid == os.geteuid()
    assert len(seen) == len(set(seen))


def test_a_program_below_a_folder_that_everybody_may_write_to_is_in_doubt(tmp_path: Path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "check").write_text("")
    (tmp_path / "open" / "check").chmod(0o755)
    doubt = doubt_of("/check", outside.way_to(str(tmp_path / "open" / "check")))
    assert doubt is not None and doubt.code == "unsafe-program"


def test_a_way_that_ends_says_where(tmp_path: Path):
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "round").symlink_to("round")
    missing = outside.follow(str(tmp_path / "no" / "check"))
    assert (missing.trouble, missing.trouble_at) == (Trouble.MISSING, str(tmp_path / "no"))
    assert outside.follow(str(tmp_path / "file" / "check")).trouble is Trouble.MISSING
    assert outside.follow(str(tmp_path / "dangling")).trouble_at == str(tmp_path / "nowhere")
    assert outside.follow(str(tmp_path / "round")).detail == "too many links"
    assert outside.follow("/" + "x" * 300).trouble is Trouble.UNREADABLE


def test_of_several_programs_of_one_name_the_first_executable_counts(tmp_path: Path, monkeypatch):
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    (folders[0] / "check").mkdir()
    for folder in folders[1:]:
        (folder / "check").write_text("")
    monkeypatch.setattr("piranha.config.programs.SEARCHED", tuple(map(str, folders)))
    way = outside.way_to("check")
    assert way is not None and way.places[-1].path == str(folders[0] / "check")
    (folders[2] / "check").chmod(0o755)
    way = outside.way_to("check")
    assert way is not None and way.places[-1].path == str(folders[2] / "check")

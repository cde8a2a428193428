"""Whom to ask for a load, with which words."""

from collections.abc import Callable
from typing import Any

import pytest

from piranha.config.model import Cluster, HostName
from piranha.health.load import Unread
from piranha.health.load_questions import Question, question_of

Make = Callable[..., Any]
BATCH = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-T")


@pytest.mark.parametrize(
    ("monitor", "remote", "words"),
    [
        ("rup", "rsh", ("rup", "10.0.0.1")),
        ("uptime", "rsh", ("rsh", "10.0.0.1", "uptime")),
        ("uptime", "", ("rsh", "10.0.0.1", "uptime")),
        ("uptime", "ssh", ("ssh", *BATCH, "10.0.0.1", "uptime")),
        ("uptime", "/usr/bin/ssh -l loads", ("/usr/bin/ssh", "-l", "loads", *BATCH, "10.0.0.1", "uptime")),
        ("uptime", "/usr/local/bin/remote", ("/usr/local/bin/remote", "10.0.0.1", "uptime")),
        ("/usr/local/bin/load", "rsh", ("/usr/local/bin/load", "10.0.0.1")),
        ("/usr/local/bin/load -1", "rsh", ("/usr/local/bin/load", "-1", "10.0.0.1")),
    ],
)
def test_the_words_are_those_of_lvs_cf_and_the_address(
    virtual: Make, server: Make, monitor: str, remote: str, words: tuple[str, ...]
) -> None:
    asked = question_of(Cluster(rsh_command=remote), virtual(load_monitor=monitor), server())
    assert asked == Question(words)


def test_ruptime_is_asked_once_for_all(virtual: Make, server: Make) -> None:
    asked = question_of(Cluster(), virtual(load_monitor="ruptime"), server())
    assert asked == Question(("ruptime",), is_of_all=True)
    assert str(asked) == "ruptime"


@pytest.mark.parametrize("monitor", [None, "", "none", " none "])
def test_without_a_monitor_nobody_is_asked(virtual: Make, server: Make, monitor: str | None) -> None:
    assert question_of(Cluster(), virtual(load_monitor=monitor), server()) is None


def test_a_server_without_an_address_is_not_asked(virtual: Make, server: Make) -> None:
    assert question_of(Cluster(), virtual(load_monitor="rup"), server(address=None)) is None


def test_a_host_name_is_handed_on_as_it_is_written_but_never_as_an_option(virtual: Make, server: Make) -> None:
    monitored = virtual(load_monitor="rup")
    assert question_of(Cluster(), monitored, server(address=HostName("web1"))) == Question(("rup", "web1"))
    unasked = question_of(Cluster(), monitored, server(address=HostName("-h")))
    assert unasked == Unread("a program would take -h for an option")

"""What is wrong is logged when it begins or changes."""

import logging

import pytest

from piranha.said_once import SaidOnce


def test_the_same_is_logged_once_and_again_when_it_comes_back_or_changes(caplog: pytest.LogCaptureFixture) -> None:
    said = SaidOnce(logging.getLogger("pulse"))
    for sentence in ("It is dark.", "It is dark.", "It is cold.", "", "It is cold."):
        said.say("eth0", sentence, logging.WARNING, prefix="eth0: ")
    assert caplog.messages == ["eth0: It is dark.", "eth0: It is cold.", "eth0: It is cold."]
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_what_is_wrong_at_present_can_be_asked_and_forgotten() -> None:
    said = SaidOnce(logging.getLogger("pulse"))
    said.say("eth0", "It is dark.")
    said.say("eth1", "It is cold.")
    assert said.sentences == ("It is dark.", "It is cold.")
    said.keep(["eth1"])
    assert (said.about("eth0"), said.about("eth1")) == ("", "It is cold.")

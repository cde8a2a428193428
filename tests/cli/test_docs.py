"""The pages of docs/ name every command, option and call there is."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from piranha.cli import gui, main, passwd, pulse, send_arp
from piranha.config.failover_settings import FAILOVER_KEYS
from piranha.config.sync_settings import SYNC_KEYS
from piranha.config.toml_values import Key
from piranha.engine.openapi import CALLS
from piranha.sync_messages import Outcome

DOCS = Path(__file__).parents[2] / "docs"


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and those below it, with their full names."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            inner = command.get_command(context, below)
            assert inner is not None
            yield from commands(inner, f"{name} {below}")


PROGRAMS = [
    *commands(main.piranha, "piranha"),
    *commands(pulse.pulse, "pulse"),
    *commands(gui.main, "piranha-gui"),
    *commands(passwd.main, "piranha-passwd"),
    *commands(send_arp.main, "send_arp"),
]


@pytest.mark.parametrize(("name", "command"), PROGRAMS, ids=[name for name, _ in PROGRAMS])
def test_the_page_of_the_commands_names_every_command_and_option(name: str, command: click.Command) -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    program, _, words = name.partition(" ")
    section = re.search(rf"^## {re.escape(program)}$(.*?)(^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert section is not None
    missing = [] if f"`{words}" in section[1] or not words else [words]
    for parameter in command.params:
        missing += [word for word in parameter.opts if isinstance(parameter, click.Option) and word not in section[1]]
    assert [word for word in missing if word != "--help"] == []


@pytest.mark.parametrize(("name", "command"), PROGRAMS, ids=[name for name, _ in PROGRAMS])
def test_every_command_says_what_it_does_and_each_option_what_it_is_for(name: str, command: click.Command) -> None:
    assert command.help, name
    assert all(option.help for option in command.params if isinstance(option, click.Option)), name


def test_the_page_of_the_api_names_every_call() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert [f"{call.method} {call.path}" for call in CALLS if f"`{call.method} {call.path}`" not in page] == []


@pytest.mark.parametrize("keys", [FAILOVER_KEYS, SYNC_KEYS], ids=["failover", "sync"])
def test_the_page_of_piranha_toml_names_every_key(keys: Mapping[str, Key]) -> None:
    page = (DOCS / "piranha-toml.md").read_text(encoding="utf-8")
    assert [key for key in keys if f"| `{key}` |" not in page] == []


def test_the_page_of_sync_names_every_outcome() -> None:
    page = (DOCS / "sync.md").read_text(encoding="utf-8")
    assert [each for each in Outcome if f"`{each}`" not in page] == []

"""`piranha probe`: one check of a real server, made once from this shell, with what was sent and what came back.

It is the check that the engine makes; no state is changed by it, and no engine is needed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from piranha.cli import report, sources, targets
from piranha.cli.examples import examples
from piranha.cli.naming import PATH, WORD, Named
from piranha.cli.saving import located, present
from piranha.config.check_kinds import CheckKind, name_of
from piranha.config.extensions import Extensions
from piranha.config.fields import Scope, ValueFault
from piranha.config.fields import field as field_named
from piranha.config.load import Loaded, load
from piranha.config.model import (
    FloatingAddress,
    HostName,
    Protocol,
    RealServer,
    VirtualServer,
    written_endpoint,
)
from piranha.config.outside import NameAnswer, address_or_why
from piranha.config.path import written
from piranha.config.values import Value, host_of
from piranha.errors import ConfigUnavailable, EditRefused, PiranhaError
from piranha.health.check import Check, Unchecked, check_of
from piranha.health.kinds import Authorities, of_kind
from piranha.paths import Paths
from piranha.system import authority_files, piranha_toml, probes
from piranha.system.outside import resolve
from piranha.system.probes import Probed

if TYPE_CHECKING:
    from piranha.cli.main import Session

AT_ONCE = 50
"""So many real servers are asked at the same time."""
TIMEOUT_S = 6
"""What the GUI proposes for a new virtual server."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say instead of lvs.cf; None: what lvs.cf says."""

    send: str | None
    expect: str | None
    uses_regex: bool | None
    timeout_s: int | None

    @property
    def is_conversation(self) -> bool:
        """Say whether the options say what is sent and expected."""
        return any(each is not None for each in (self.send, self.expect, self.uses_regex))


@dataclass(frozen=True, slots=True)
class Kinds:
    """The checks that piranha.toml names, and what their files with certificates hold."""

    told: Mapping[str, CheckKind] = field(default_factory=dict)
    authorities: Mapping[str, Authorities] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One real server, how it is called, and its check, or why there is none."""

    name: str
    check: Check | Unchecked


@click.command(
    epilog=examples(
        "piranha probe 'virtual[ftp].server[files]'",
        "piranha probe 'virtual[ftp]' --send quit --expect 220",
        "piranha probe --address 10.0.0.31 --port 21 --send quit --expect 220",
    ),
)
@click.argument("path", type=PATH, required=False)
@click.option("--address", type=WORD, help="Ask this address or host name; without PATH.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port; with --address.")
@click.option(
    "--protocol",
    type=click.Choice([each.value for each in Protocol]),
    help="With --address: how it is asked, else by tcp.",
)
@click.option("--send", type=WORD, help=r'What to send, as in lvs.cf (\r and \n are escapes); "" sends nothing.')
@click.option("--expect", type=WORD, help='How the answer must begin; * is any answer, "" none.')
@click.option("--regex/--no-regex", "uses_regex", default=None, help="Whether --expect is a regular expression.")
@click.option("--timeout", "timeout_s", type=click.IntRange(1, 3600), help="Seconds that the check may take.")
@click.option("--file", metavar="FILE", type=sources.FILE, help="Look for PATH in this file; - is standard input.")
@click.pass_obj
def probe(
    session: "Session",
    path: Named | None,
    address: str | None,
    port: int | None,
    protocol: str | None,
    send: str | None,
    expect: str | None,
    uses_regex: bool | None,
    timeout_s: int | None,
    file: Path | None,
) -> None:
    """Check real servers once, now, and show what was sent, what came back and what that means.

    PATH is a real server of the saved lvs.cf, or a virtual server: then all its real servers, active or not. What the
    options say counts instead of what lvs.cf and piranha.toml say, so a check can be tried before it is saved. Nothing
    is changed by it: no weight, no health.

    Exit code 1: a check was not good, or could not be made.
    """
    for keyword, text in (("send", send), ("expect", expect)):
        if text is not None:
            _typed(keyword, text)
    wanted = Wanted(send, expect, uses_regex, timeout_s)
    if (path is None) == (address is None):
        raise click.UsageError("Give either a PATH or --address.")
    if address is not None:
        if port is None:
            raise click.UsageError("--address needs --port.")
        if file is not None:
            raise click.UsageError("--file goes with a PATH.")
        all_asked = [_of_address(address, port, Protocol(protocol or Protocol.TCP), wanted)]
    else:
        assert path is not None
        if path.keyword or not path.block or path.block[0].kind != "virtual":
            raise click.UsageError("PATH is a virtual server or one of its real servers: virtual[http].server[web1].")
        if port is not None or protocol is not None:
            raise click.UsageError("--port and --protocol go with --address.")
        saved, remark = targets.reading(session, file)
        if remark:
            click.echo(remark, err=True)
        all_asked = _of_path(load(saved.text, saved.encoding), path, wanted, _kinds(session.paths))
    if not _tell(all_asked):
        raise click.exceptions.Exit(1)


def _of_address(address: str, port: int, protocol: Protocol, wanted: Wanted) -> Asked:
    text = f"virtual asked {{\nport = {port}\nprotocol = {protocol}\ntimeout = {TIMEOUT_S}\n}}\n"
    (virtual,) = load(text).cluster.virtual_servers
    server = RealServer("", "", host_of(_typed("address", address)), True, port, True, 1)
    return Asked(address, _check(virtual, server, wanted, Kinds()))


def _typed(keyword: str, text: str) -> Value:
    """Return the value of a text that could be saved. A wrong command line if it could not."""
    row = field_named(Scope.SERVER if keyword == "address" else Scope.VIRTUAL, keyword)
    assert row is not None
    value = row.read_typed(text)
    if isinstance(value, ValueFault):
        raise click.UsageError(f"--{keyword}: {value.message} {value.advice}".rstrip())
    return value


def _kinds(paths: Paths) -> Kinds:
    """Return the checks that piranha.toml names; where this user may not read it, that is said."""
    try:
        told = (piranha_toml.load(paths) or Extensions()).checks.kinds
    except ConfigUnavailable as problem:
        click.echo(f"({problem} The checks that it may name are not made.)", err=True)
        return Kinds()
    return Kinds(told, authority_files.read_all(paths, told.values()))


def _of_path(loaded: Loaded, path: Named, wanted: Wanted, kinds: Kinds) -> list[Asked]:
    """Return the real servers that a path names. Raises PiranhaError where it names none."""
    try:
        steps = present(loaded.document, path.block)
    except EditRefused as problem:
        raise located(problem) from problem
    virtual = next(each for each in loaded.cluster.virtual_servers if each.id == written(steps[:1]))
    servers = [each for each in virtual.servers if len(steps) == 1 or each.id == written(steps)]
    if not servers:
        raise PiranhaError(f"{report.plain(virtual.id)} has no real server.")
    return [Asked(each.id, _check(virtual, each, wanted, kinds)) for each in servers]


def _check(virtual: VirtualServer, server: RealServer, wanted: Wanted, kinds: Kinds) -> Check | Unchecked:
    """Return the check of a real server as the engine would make it with these options."""
    changed = replace(
        virtual,
        # A check needs no virtual IP address, and can be tried before there is one.
        address=virtual.address or FloatingAddress(server.address or HostName("none"), ""),
        send=virtual.send if wanted.send is None else wanted.send,
        expect=virtual.expect if wanted.expect is None else wanted.expect,
        uses_regex=virtual.uses_regex if wanted.uses_regex is None else wanted.uses_regex,
        timeout_s=wanted.timeout_s or virtual.timeout_s,
        # Who says what to send means that and no program.
        send_program=virtual.send_program if wanted.send is None else None,
    )
    check = check_of(changed, server)
    if isinstance(check, Unchecked) or wanted.is_conversation:
        return check
    return of_kind(check, kinds.told.get(name_of(virtual)), kinds.authorities)


def _tell(all_asked: Sequence[Asked]) -> bool:
    """Make the checks, print each with what came of it, and say whether all were good."""
    names = {each.check.address for each in all_asked if isinstance(each.check, Check)}
    answers = resolve({host for host in names if isinstance(host, str)})
    found = asyncio.run(_probed(all_asked, answers))
    for asked, came in zip(all_asked, found, strict=True):
        click.echo("\n".join(_lines(asked, came)))
    return all(isinstance(came, Probed) and came.verdict.is_good for came in found)


async def _probed(all_asked: Sequence[Asked], answers: Mapping[HostName, NameAnswer]) -> list[Probed | str]:
    """Return what came of each check, or why it was not made."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(asked: Asked) -> Probed | str:
        if isinstance(asked.check, Unchecked):
            return asked.check.reason
        address = address_or_why(asked.check.address, answers)
        if isinstance(address, str):
            return address
        async with slots:
            try:
                return await probes.probe(asked.check, address)
            except probes.CannotCheck as problem:
                return f"{problem}."

    return list(await asyncio.gather(*map(one, all_asked)))


def _lines(asked: Asked, came: Probed | str) -> list[str]:
    name = report.plain(asked.name)
    if isinstance(came, str):
        return [name, f"  NOT CHECKED: {report.plain(came)}"]
    assert isinstance(asked.check, Check)
    where = written_endpoint(asked.check.address, asked.check.port)
    verdict = "good" if came.verdict.is_good else "BAD"
    return [
        f"{name}  {_way(asked.check)} {where}",
        f"  sent      {_spelled(came.sent)}",
        f"  received  {_spelled(came.received)}",
        f"  {verdict} after {came.took_s:.3f} s: {came.verdict.reason}",
    ]


def _way(check: Check) -> str:
    if check.http is not None:
        return "http" if check.tls is None else "https"
    return str(check.protocol) if check.tls is None else "tls"


def _spelled(data: bytes) -> str:
    """Return bytes in quotes, spelled as in lvs.cf; a word if there are none."""
    if not data:
        return "nothing"
    shown = data.decode("latin-1").encode("unicode_escape").decode("ascii")
    return '"' + shown.replace('"', '\\"') + '"'

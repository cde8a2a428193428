"""`piranha pair`: make two routers know one another: the heartbeats' key, and an ssh key each for sync.

The key of the heartbeats is changed so that at no moment one router signs with a key that the other does not take:

    here [old, new]   there [old]        this router takes both already
    here [old, new]   there [new, old]   the partner signs with the new one
    here [new, old]   there [new, old]   so does this router; the old one still counts, until the next `piranha pair`
"""

import os
import shlex
from typing import TYPE_CHECKING, Any

import click
import msgspec

from piranha.cli.accepting import key_words, receive_command
from piranha.config.extensions import Extensions, read
from piranha.config.shared_part import NotSeparable, with_table
from piranha.config.sync_settings import SSH_PORT, SyncSettings, host_of, user_of
from piranha.config.toml_values import ValueProblem
from piranha.errors import ConfigUnavailable, PiranhaError
from piranha.paths import Paths
from piranha.sync_frames import FrameProblem, pack, unpack
from piranha.sync_messages import Outcome, PairingAnswer, PairingRequest, PartnerAnswer, PartnerRequest
from piranha.system import authorized_keys, heartbeat_key, lvs_cf, piranha_toml, ssh
from piranha.system.ssh import Destination, SshFailed

if TYPE_CHECKING:
    from piranha.cli.main import Session

_TRY_S = 45.0
_WORKS_WITHOUT = (Outcome.NO_ENGINE, Outcome.REFUSED, Outcome.WAITS, Outcome.OVERTAKEN)
"""The partner answered by its own key: the way is there, whatever its engine says."""


class _Word(click.ParamType):  # type: ignore[type-arg]
    """A word that is checked as piranha.toml checks it."""

    def __init__(self, name: str, read_it: Any) -> None:
        self.name = name
        self._read = read_it

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word; a wrong command line for what it cannot be."""
        try:
            return self._read(value)
        except ValueProblem as problem:
            self.fail(f"{problem.message} {problem.advice}", param, ctx)


@click.command()
@click.option("--host", type=_Word("host", host_of), help="The partner's host name or address for ssh.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port of its ssh server.")
@click.option("--user", type=_Word("user", user_of), help="Who to log in as there.")
@click.option("--new-key", is_flag=True, help="Make a new key for the heartbeats; the old one still counts.")
@click.option("--new-host-key", is_flag=True, help="Forget the partner's ssh host key: it was installed anew.")
@click.option("--accept-host-key", is_flag=True, help="Take the partner's ssh host key without asking.")
@click.option("--program", default="piranha", metavar="WORDS", help="How `piranha` is called on the partner.")
@click.pass_obj
def pair(
    session: "Session",
    host: str | None,
    port: int | None,
    user: str | None,
    new_key: bool,
    new_host_key: bool,
    accept_host_key: bool,
    program: str,
) -> None:
    """Make this router and its partner know one another: heartbeats with a key, and `piranha sync` both ways.

    You log in to the partner by ssh, once, as you always do; what is asked is ssh's own. It may be given again at any
    time, and changes only what is missing. HOST, PORT and USER are kept in piranha.toml; without them the partner is
    at the address that its heartbeats come from.

    Exit code 1: something is missing still; what, is said.
    """
    paths = session.paths
    if paths.is_system and os.geteuid() != 0:
        raise PiranhaError("Only root can pair this system. Become root, or give a --root DIR.")
    extensions = piranha_toml.load(paths) or Extensions()
    if extensions.failover.partner == "original":
        raise PiranhaError(
            f'{paths.piranha_toml} says partner = "original": an original router has no key and no `piranha receive`. '
            "Remove that line when the partner has been replaced."
        )
    to = _destination(paths, extensions.sync, host, port, user)
    _keep_destination(paths, extensions.sync, SyncSettings(to.host, to.port, to.user), is_given=host is not None)
    if new_host_key:
        paths.sync_known_hosts.unlink(missing_ok=True)
    if ssh.make_key(paths, ssh.own_name()):
        click.echo(f"This router has a key for sync now: {paths.sync_key}")
    there, here_behind = _staged_keys(paths, to, new_key)
    name = _sent(paths, to, there, program, accept_host_key)
    if _present_keys(paths) != here_behind:
        heartbeat_key.write(paths, here_behind)
        click.echo(f"The heartbeats' key is {heartbeat_key.fingerprint(here_behind[0])}: {paths.heartbeat_key}")
    if len(here_behind) > 1:
        click.echo("The old key still counts. When both routers have taken the new one, type piranha pair again.")
    if not _ways_work(paths, to, name):
        raise click.exceptions.Exit(1)


def _destination(
    paths: Paths, settings: SyncSettings, host: str | None, port: int | None, user: str | None
) -> Destination:
    """Return where the partner is: as given, as in piranha.toml, as in lvs.cf. Raises PiranhaError."""
    chosen = SyncSettings(host or settings.host, port or settings.port, user or settings.user)
    if chosen.host:
        return Destination(chosen.host, chosen.port, chosen.user)
    # Loading this takes as long as all the rest, and most name their partner.
    from piranha.config.load import decode, load
    from piranha.engine.syncing import addresses_here, destination_of

    raw = lvs_cf.read(paths.lvs_cf)
    if raw is None:
        raise PiranhaError(f"There is no {paths.lvs_cf} that would say where the partner is. Give --host HOST.")
    return destination_of(load(decode(raw)).cluster, chosen, addresses_here())


def _keep_destination(paths: Paths, was: SyncSettings, now: SyncSettings, *, is_given: bool) -> None:
    """Write into piranha.toml where the partner is, if somebody said it. Raises PiranhaError."""
    now = now if is_given or was.host else SyncSettings("", now.port, now.user)
    if now == was:
        return
    lines = ["[sync]"]
    lines += [f'host = "{now.host}"'] if now.host else []
    lines += [f"port = {now.port}"] if now.port != SSH_PORT else []
    lines += [f'user = "{now.user}"'] if now.user != "root" else []
    with lvs_cf.locked(paths):
        raw = piranha_toml.bytes_of(paths)
        try:
            made = with_table(raw or b"", "sync", "\n".join(lines) + "\n")
        except NotSeparable as problem:
            raise ConfigUnavailable(f"{paths.piranha_toml} was not changed: {problem}") from problem
        assert read(made).sync == now
        piranha_toml.write(paths, raw, made)
    click.echo(f"{paths.piranha_toml} says now how the partner is reached: {now.host or 'by its heartbeats'}.")


def _present_keys(paths: Paths) -> tuple[bytes, ...]:
    return heartbeat_key.read(paths)


def _staged_keys(paths: Paths, to: Destination, new_key: bool) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the keys that the partner gets, and those that are written here behind that. Raises ConfigUnavailable."""
    try:
        present = _present_keys(paths)
    except ConfigUnavailable:
        if not new_key:
            raise
        present = ()
    if not present:
        first = (heartbeat_key.fresh(),)
        return first, first
    if new_key:
        made = (heartbeat_key.fresh(), present[0])
        heartbeat_key.write(paths, made[::-1])
        return made, made
    if len(present) > 1:
        # An old one goes when the partner signs with the new one, and not before.
        told = _asked(paths, to, "show")
        if isinstance(told, PartnerAnswer) and told.keys[:1] == (heartbeat_key.fingerprint(present[0]),):
            return present[:1], present[:1]
    return present, present


def _sent(paths: Paths, to: Destination, keys: tuple[bytes, ...], program: str, accept_host_key: bool) -> str:
    """Send the keys over the person's own ssh, and take the partner's; return its name. Raises PiranhaError."""
    try:
        words = shlex.split(program)
    except ValueError as problem:
        raise click.BadParameter(f"{problem}", param_hint="--program") from problem
    command = shlex.join([*words, "receive", "--pairing"])
    request = PairingRequest(key_words(keys), ssh.public_key(paths), ssh.own_host_keys(paths), ssh.own_name())
    packed = pack(msgspec.json.encode(request))
    click.echo(f"Logging in to {to} as {to.user}, as you do it by hand.")
    done = ssh.as_person(paths, to, command, packed, trusts_new=accept_host_key)
    try:
        answer = msgspec.json.decode(unpack(done.stdout).header, type=PairingAnswer)
    except (FrameProblem, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise PiranhaError(f"{to} answers what is not understood: {problem} Are both of one version?") from problem
    if answer.problem:
        raise PiranhaError(f"{to} refused: {answer.problem}")
    name = answer.name or to.host
    for each in answer.done:
        click.echo(f"{name} {each}.")
    if not answer.done:
        click.echo(f"{name} has everything already.")
    if authorized_keys.allow(paths, answer.sync_key, receive_command(paths)):
        click.echo(f"The key of {name} may run `piranha receive` here and nothing else: {paths.authorized_keys}")
    return name


def _ways_work(paths: Paths, to: Destination, name: str) -> bool:
    """Try both ways with the routers' own keys, and tell. Return whether both work."""
    told = _asked(paths, to, "show")
    if isinstance(told, SshFailed):
        click.echo(f"From here to {name}: does not work. {told}", err=True)
        return False
    if not told.problem:
        click.echo(f"From here to {name}: works.")
    elif told.problem in _WORKS_WITHOUT:
        click.echo(f"From here to {name}: works, and it says: {told.sentence}")
    else:
        click.echo(f"From here to {name}: does not work. {told.sentence}", err=True)
        return False
    back = _asked(paths, to, "reach")
    if isinstance(back, PartnerAnswer) and (not back.problem or back.problem in _WORKS_WITHOUT):
        if not back.problem:
            click.echo(f"From {name} to here: works. {back.sentence}")
            return True
        click.echo(f"From {name} to here: not tried, because it says: {back.sentence}", err=True)
    else:
        said = back if isinstance(back, SshFailed) else back.sentence
        click.echo(f"From {name} to here: does not work. {said}", err=True)
    click.echo(
        f"On {name} type piranha sync --dry-run; if it does not come here, piranha pair --host THIS-ROUTER.", err=True
    )
    return False


def _asked(paths: Paths, to: Destination, verb: str) -> PartnerAnswer | SshFailed:
    """Ask the partner with this router's own key."""
    try:
        raw = ssh.exchange(paths, to, pack(msgspec.json.encode(PartnerRequest(verb))), _TRY_S)
        return msgspec.json.decode(unpack(raw).header, type=PartnerAnswer)
    except SshFailed as failed:
        return failed
    except (FrameProblem, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return SshFailed(Outcome.OTHER_VERSION, f"{to} answers what is not understood: {problem}")

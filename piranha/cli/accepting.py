"""The other end of `piranha pair`: take the partner's keys, give this router's own. Its root logged in for that."""

import base64
import shlex
import sys
from pathlib import Path

import msgspec

from piranha.errors import ConfigUnavailable, PiranhaError
from piranha.paths import Paths
from piranha.sync_frames import FrameProblem, unpack
from piranha.sync_messages import PairingAnswer, PairingRequest
from piranha.system import authorized_keys, heartbeat_key, ssh

HOST_KEYS_MAX = 8
_NAME_MAX = 64


def paired(paths: Paths, raw: bytes) -> PairingAnswer:
    """Take the keys that the partner's `piranha pair` sends; return what was done, and this router's own."""
    try:
        request = msgspec.json.decode(unpack(raw).header, type=PairingRequest)
        return _paired(paths, request)
    except (FrameProblem, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return PairingAnswer(problem=f"What came is not understood: {problem} Are both routers of one version?")
    except PiranhaError as error:
        return PairingAnswer(problem=str(error))


def _paired(paths: Paths, request: PairingRequest) -> PairingAnswer:
    try:
        keys = heartbeat_key.parse("\n".join(request.heartbeat_keys).encode())
    except ValueError as problem:
        raise ConfigUnavailable(f"What came as the heartbeats' key is none: {problem}") from problem
    hosts = request.host_keys[:HOST_KEYS_MAX]
    if not ssh.PUBLIC_KEY.fullmatch(request.sync_key) or not all(ssh.HOST_KEY.fullmatch(each) for each in hosts):
        raise ConfigUnavailable("What came as an ssh key is none.")
    name = _plain(request.name) or "the partner"
    done = []
    if ssh.make_key(paths, ssh.own_name()):
        done.append(f"made its own key for sync, {paths.sync_key}")
    if authorized_keys.allow(paths, request.sync_key, receive_command(paths)):
        done.append(f"lets the key of {name} run `piranha receive` and nothing else ({paths.authorized_keys})")
    if hosts and ssh.pinned(paths) != frozenset(hosts):
        ssh.pin(paths, hosts)
        done.append(f"knows the ssh host key of {name} ({paths.sync_known_hosts})")
    if _present_keys(paths) != keys:
        heartbeat_key.write(paths, keys)
        done.append(f"has the heartbeats' key {heartbeat_key.fingerprint(keys[0])} ({paths.heartbeat_key})")
    return PairingAnswer(tuple(done), ssh.public_key(paths), ssh.own_name())


def _present_keys(paths: Paths) -> tuple[bytes, ...]:
    """Return the keys that are there; a file that is not usable is replaced."""
    try:
        return heartbeat_key.read(paths)
    except ConfigUnavailable:
        return ()


def receive_command(paths: Paths) -> str:
    """Return the command that the partner's key may run here, as sshd gives it to the user's shell."""
    here = Path(sys.argv[0])
    words = [str(here.resolve())] if here.name == "piranha" and here.exists() else _by_module()
    return shlex.join([*words, *(() if paths.is_system else ("--root", str(paths.root))), "receive"])


def _by_module() -> list[str]:
    return [sys.executable, "-m", "piranha.cli.main"]


def key_words(keys: tuple[bytes, ...]) -> tuple[str, ...]:
    """Return keys as they are sent."""
    return tuple(base64.b64encode(key).decode("ascii") for key in keys)


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:_NAME_MAX]

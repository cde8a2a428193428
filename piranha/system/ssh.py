"""ssh to the partner: as this router, with a key of its own that the partner takes for `piranha receive` alone.

Everything that ssh could take from elsewhere is switched off: no configuration file, no agent, no other key, no
question, no terminal. The partner's host key is the one that was pinned when the routers were paired.
"""

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from piranha.errors import ConfigUnavailable, PiranhaError
from piranha.paths import Paths
from piranha.sync_frames import FRAME_MAX
from piranha.sync_messages import Outcome
from piranha.system import bounded, files
from piranha.system.bounded import FIXED_PATH

ALIAS = "piranha-partner"
"""Under this name the partner's host key is kept, whatever its address is."""
CONNECT_S = 10
WITHIN_S = 60.0
ENVIRONMENT = {"PATH": FIXED_PATH, "LC_ALL": "C", "HOME": "/nonexistent"}
PUBLIC_KEY = re.compile(r"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5[A-Za-z0-9+/]{48}")
HOST_KEY = re.compile(r"(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) AAAA[A-Za-z0-9+/]{40,1400}={0,2}")

_FAILURES = (
    ("HOST IDENTIFICATION HAS CHANGED", Outcome.HOST_KEY),
    ("Host key verification failed", Outcome.NOT_PAIRED),
    ("Permission denied", Outcome.WRONG_KEY),
    ("Too many authentication failures", Outcome.WRONG_KEY),
)
_SENTENCES = {
    Outcome.HOST_KEY: (
        "{host} shows another ssh host key than when the routers were paired: it was installed anew, or something else "
        "answers there. If you know why, pair again: piranha pair --new-host-key"
    ),
    Outcome.NOT_PAIRED: "The ssh host key of {host} is not known here. Pair the routers: piranha pair",
    Outcome.WRONG_KEY: "{host} does not take this router's key for sync. Pair the routers again: piranha pair",
    Outcome.UNREACHABLE: "{host} cannot be reached by ssh: {said}",
    Outcome.NO_PIRANHA: "On {host} `piranha receive` cannot be run: {said}",
    Outcome.TOO_LATE: "{host} did not answer within {within:g} seconds. What was sent may have arrived: sync again.",
}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the partner's ssh server is. Host and user are words that are no options (config.sync_settings)."""

    host: str
    port: int
    user: str

    def __str__(self) -> str:
        """Return it for a sentence."""
        return self.host if self.port == 22 else f"{self.host} port {self.port}"


class SshFailed(PiranhaError):
    """The partner was not reached, or did not answer; `outcome` says how it failed."""

    def __init__(self, outcome: Outcome, sentence: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome


def exchange(
    paths: Paths, to: Destination, request: bytes, within_s: float = WITHIN_S, stop: threading.Event | None = None
) -> bytes:
    """Send a request to the partner's `piranha receive` and return the answer's bytes, FRAME_MAX at most.

    Returns within `within_s`, or soon after `stop` is set, and nothing that it started lives longer. Raises SshFailed.
    """
    if not paths.sync_key.exists():
        raise SshFailed(
            Outcome.NOT_PAIRED, "This router has no key for sync. Pair the routers: piranha pair --host HOST"
        )
    words = [program("ssh"), *_options(paths), "-p", str(to.port), "-l", to.user, "--", to.host, "piranha receive"]
    try:
        ran = bounded.run(words, request, within_s=within_s, output_max=FRAME_MAX, environment=ENVIRONMENT, stop=stop)
    except bounded.TooLate:
        raise _failed(Outcome.TOO_LATE, to, within_s=within_s) from None
    except bounded.Stopped as problem:
        raise SshFailed(Outcome.TOO_LATE, f"{to}: {problem}") from None
    except bounded.TooMuch as problem:
        raise SshFailed(Outcome.REFUSED, f"{to} answers nonsense: {problem}") from None
    except OSError as error:
        raise SshFailed(Outcome.UNREACHABLE, f"{words[0]} cannot be started: {error.strerror}.") from error
    if ran.status:
        raise _failed(outcome_of(ran.status, ran.errors), to, ran.errors)
    return ran.output


def outcome_of(status: int, errors: str) -> Outcome:
    """Return how a call of ssh failed, by its exit status and what it wrote."""
    if status != 255:
        return Outcome.NO_PIRANHA
    return next((outcome for words, outcome in _FAILURES if words in errors), Outcome.UNREACHABLE)


def make_key(paths: Paths, name: str) -> bool:
    """Make this router's key for sync, unless it has one; say whether one was made. Raises ConfigUnavailable."""
    if paths.sync_key.exists():
        return False
    with files.locked(paths.sync_key.parent):
        if paths.sync_key.exists():
            return False
        words = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", f"piranha sync of {name}", "-f"]
        try:
            ran = bounded.run(
                [*words, str(paths.sync_key)], b"", within_s=30, output_max=10_000, environment=ENVIRONMENT
            )
        except (OSError, PiranhaError) as error:
            raise ConfigUnavailable(f"ssh-keygen cannot be run: {error}") from error
        if ran.status:
            raise ConfigUnavailable(f"{paths.sync_key} cannot be made: {_last_line(ran.errors)}")
    return True


def public_key(paths: Paths) -> str:
    """Return the public half of this router's key for sync, without its comment. Raises ConfigUnavailable."""
    file = paths.sync_key.with_suffix(".pub")
    try:
        found = PUBLIC_KEY.match(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigUnavailable(f"{file} cannot be read; remove {paths.sync_key} and pair again.") from error
    if found is None:
        raise ConfigUnavailable(f"{file} holds no ed25519 key; remove it and {paths.sync_key}, and pair again.")
    return found[0]


def pin(paths: Paths, host_keys: Sequence[str]) -> None:
    """Make these the partner's host keys. Raises ConfigUnavailable."""
    text = "".join(f"{ALIAS} {key}\n" for key in host_keys)
    files.write_atomically(paths.sync_known_hosts, text.encode(), mode=files.NEW_FILE_MODE)


def pinned(paths: Paths) -> frozenset[str]:
    """Return the partner's host keys, none where none is known."""
    try:
        lines = paths.sync_known_hosts.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(line.partition(" ")[2].strip() for line in lines if line.startswith(f"{ALIAS} "))


def own_host_keys(paths: Paths) -> tuple[str, ...]:
    """Return the public keys of this machine's ssh server, none where it has none that can be read."""
    found = []
    for file in sorted((paths.root / "etc/ssh").glob("ssh_host_*_key.pub")):
        try:
            key = HOST_KEY.match(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        found += [key[0]] if key is not None else []
    return tuple(found)


def as_person(
    paths: Paths, to: Destination, command: str, request: bytes, *, trusts_new: bool = False
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command on the partner as the person at this terminal logs in: ssh asks there whatever it has to ask.

    The partner's host key is asked for once and pinned; `trusts_new`: without a question. Raises SshFailed.
    """
    checking = "accept-new" if trusts_new else "ask"
    words = [program("ssh"), "-T", *_pinned(paths, checking), "-p", str(to.port), "-l", to.user, "--", to.host, command]
    try:
        done = subprocess.run(words, input=request, stdout=subprocess.PIPE, check=False)
    except OSError as error:
        raise SshFailed(Outcome.UNREACHABLE, f"{words[0]} cannot be started: {error.strerror}.") from error
    if done.returncode:
        what = "ssh could not log in" if done.returncode == 255 else f"`{command}` could not be run there"
        raise SshFailed(Outcome.UNREACHABLE, f"{to}: {what} (exit status {done.returncode}). ssh says above why.")
    with suppress(OSError):  # it holds no secret
        paths.sync_known_hosts.chmod(files.NEW_FILE_MODE)
    return done


def own_name() -> str:
    """Return how this router calls itself, "" if it has no name."""
    name = "".join(letter for letter in socket.gethostname() if letter.isprintable())[:64]
    return "" if name == "(none)" else name


def program(name: str) -> str:
    """Return where a program of OpenSSH is. Raises ConfigUnavailable."""
    found = shutil.which(name, path=FIXED_PATH)
    if found is None:
        raise ConfigUnavailable(f"There is no {name} here. Install OpenSSH's client (Debian: openssh-client).")
    return found


def _options(paths: Paths) -> list[str]:
    options = {
        "BatchMode": "yes",
        "IdentityFile": _quoted(str(paths.sync_key)),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ConnectTimeout": str(CONNECT_S),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
    }
    words = ["-F", "/dev/null", "-T", *_pinned(paths, "yes")]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    return words


def _pinned(paths: Paths, checking: str) -> list[str]:
    """Return the options by which the partner's host key, and no other, is believed."""
    options = {
        "StrictHostKeyChecking": checking,
        "UserKnownHostsFile": _quoted(str(paths.sync_known_hosts)),
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": ALIAS,
        "CheckHostIP": "no",
        "HashKnownHosts": "no",
        "UpdateHostKeys": "no",
        "VerifyHostKeyDNS": "no",
    }
    words = []
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    return words


def _quoted(path: str) -> str:
    """Return a path as ssh's options take it: quoted for its blanks, and % is no mark there."""
    return '"' + path.replace("%", "%%") + '"'


def _failed(outcome: Outcome, to: Destination, errors: str = "", within_s: float = 0.0) -> SshFailed:
    said = _last_line(errors)
    return SshFailed(outcome, _SENTENCES[outcome].format(host=to, said=said, within=within_s))


def _last_line(errors: str) -> str:
    """Return the last line that a program wrote, as it may stand in a sentence."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    last = lines[-1] if lines else "it says nothing"
    return "".join(letter for letter in last if letter.isprintable())[:300].rstrip(".") + "."

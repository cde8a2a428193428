"""A real sshd on a router of the lab, and a person whose agent has a key that it takes."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.lab.running_router import RunningRouter, until
from tests.lab.topology import Host

PIRANHA = str(Path(sys.executable).with_name("piranha"))


def host_key_of(router: RunningRouter) -> Path:
    return router.paths.root / "etc/ssh/ssh_host_ed25519_key"


def make_host_key(router: RunningRouter) -> None:
    """Give a router's sshd a host key, a new one if it has one."""
    file = host_key_of(router)
    file.parent.mkdir(parents=True, exist_ok=True)
    for each in (file, file.with_suffix(".pub")):
        each.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)


class SshServer:
    """sshd in a router's namespace; root may log in by a key of the person, or of the router's authorized_keys."""

    def __init__(self, router: RunningRouter, person: "Person") -> None:
        self._router = router
        self._config = router.paths.root / "sshd_config"
        self._log = router.paths.root / "sshd.log"
        self.process: subprocess.Popen[str] | None = None
        make_host_key(router)
        lines = {
            "Port": "22",
            "HostKey": host_key_of(router),
            "AuthorizedKeysFile": f"{person.public} {router.paths.authorized_keys}",
            "StrictModes": "no",
            "PidFile": "none",
            "UsePAM": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
        }
        self._config.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))

    def start(self) -> None:
        # In the lab's throw-away layer: root's shell reads nothing of what the machine's owner has set up for himself.
        passwd = Path("/etc/passwd")
        passwd.write_text(re.sub("(?m)^(root:.*:)[^:]*$", r"\1/bin/sh", passwd.read_text()))
        Path("/run/sshd").mkdir(exist_ok=True)
        words = ["/usr/sbin/sshd", "-D", "-e", "-f", str(self._config)]
        self.process = self._router.host.start(*words, output=self._log)
        until(lambda: "Server listening on 0.0.0.0" in self.said(), 10, "sshd listens")

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self._log.unlink()

    def said(self) -> str:
        return self._log.read_text() if self._log.exists() else ""


class Person:
    """Somebody at a shell, with an ssh agent."""

    def __init__(self, folder: Path) -> None:
        key = folder / "id"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        self.public = key.with_suffix(".pub")
        self.socket = folder / "agent"
        self._agent = subprocess.Popen(["ssh-agent", "-D", "-a", self.socket], stdout=subprocess.DEVNULL)
        until(self.socket.exists, 5, "the agent is there")
        subprocess.run(["ssh-add", "-q", key], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(self.socket)})

    def leaves(self) -> None:
        self._agent.kill()
        self._agent.wait()

    def types(self, host: Host, root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run `piranha` on a router's host and return what it did."""
        environment = {**os.environ, "SSH_AUTH_SOCK": str(self.socket)}
        with host.inside():
            return subprocess.run(
                [PIRANHA, "--root", str(root), *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                env=environment,
            )

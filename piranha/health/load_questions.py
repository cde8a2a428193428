"""Whom to ask for the load of a real server, and how: which program with which words (`load_monitor`, `rsh_command`).

- rup HOST: the real server's rstatd answers.
- ruptime: one call tells the load of every host whose rwhod is heard in this network.
- uptime: the remote shell command of lvs.cf runs uptime on the real server.
- Another word is a program that is given the real server's address and prints its load.

No shell reads any of it. Nothing here runs anything.
"""

from dataclasses import dataclass

from piranha.config.model import Cluster, RealServer, VirtualServer
from piranha.health.load import Unread

EVERY_S = 20.0
"""How often each real server is asked, as the original did about (engine.md 4.6)."""
LIMIT_S = 10.0
"""How long one answer may take."""

_SSH_OPTIONS = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={LIMIT_S:g}", "-T")
"""Nobody is there to type a password."""


@dataclass(frozen=True, slots=True)
class Question:
    """One program with its words. `is_of_all`: its answer is about every host (ruptime), not about one."""

    words: tuple[str, ...]
    is_of_all: bool = False

    def __str__(self) -> str:
        """Return it for a sentence."""
        return " ".join(self.words)


RUPTIME = Question(("ruptime",), is_of_all=True)


def question_of(cluster: Cluster, virtual: VirtualServer, server: RealServer) -> Question | Unread | None:
    """Return how to ask for the load of a real server; Unread: it cannot be asked; None: it is not to be asked."""
    if virtual.load_monitor is None or virtual.load_monitor == "none":
        return None
    monitor = virtual.load_monitor.split()
    if not monitor or monitor == ["none"] or server.address is None:
        return None
    if monitor == ["ruptime"]:
        return RUPTIME
    host = str(server.address)
    if host.startswith("-"):
        return Unread(f"a program would take {host} for an option")
    if monitor == ["uptime"]:
        remote = cluster.rsh_command.split() or ["rsh"]
        options = _SSH_OPTIONS if remote[0].rpartition("/")[2] == "ssh" else ()
        return Question((*remote, *options, host, "uptime"))
    return Question((*monitor, host))

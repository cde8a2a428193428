"""Answering what `config.outside` asks: the resolver, this machine's interfaces, the way to a program on the disk.

The resolver may hang for minutes, and no call into it can be stopped. So it is asked in threads that nobody waits for
longer than the limit, and that do not keep the process from ending.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address
from queue import Empty, SimpleQueue

from piranha.config.model import Address, HostName
from piranha.config.outside import LIMIT_S, Answers, NameAnswer, NameTrouble, Questions
from piranha.system.ways import follow as follow
from piranha.system.ways import way_to as way_to

THREADS = 64
"""How many names are asked for at once, at most."""

_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME), socket.EAI_FAMILY}

Lookup = Callable[[str], tuple[Address, ...]]
"""Asks for one name. Raises OSError or ValueError."""


def answers_to(questions: Questions, limit_s: float = LIMIT_S) -> Answers:
    """Ask the outside; `limit_s` holds for all names together. Never raises: what is not known is said."""
    problem = ""
    interfaces: Mapping[str, tuple[Address, ...]] | None = None
    try:
        interfaces = interfaces_here()
    except OSError as error:
        problem = error.strerror or str(error)
    programs = {program: way_to(program) for program in sorted(questions.programs)}
    return Answers(resolve(questions.names, limit_s), interfaces, programs, problem)


def resolve(
    names: Collection[HostName], limit_s: float = LIMIT_S, lookup: Lookup | None = None
) -> dict[HostName, NameAnswer]:
    """Return what the resolver says of each name within `limit_s` seconds for all of them."""
    asked: SimpleQueue[HostName] = SimpleQueue()
    told: SimpleQueue[tuple[HostName, NameAnswer]] = SimpleQueue()
    answers: dict[HostName, NameAnswer] = dict.fromkeys(sorted(names), NameTrouble.SILENT)
    for name in answers:
        asked.put(name)
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            try:
                name = asked.get_nowait()
            except Empty:
                return
            told.put((name, _answer(name, lookup or addresses_of)))

    ends_at = time.monotonic() + limit_s
    for number in range(min(THREADS, len(answers))):
        threading.Thread(target=ask, name=f"resolve {number}", daemon=True).start()
    try:
        for _ in range(len(answers)):
            name, answer = told.get(timeout=max(0.0, ends_at - time.monotonic()))
            answers[name] = answer
    except Empty:
        pass  # the others stay silent
    finally:
        is_over.set()
    return answers


def addresses_of(name: str) -> tuple[Address, ...]:
    """Return the addresses of a name, in the resolver's order, each once. Raises OSError or ValueError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ip_address(str(each[4][0]).partition("%")[0]) for each in found))


def _answer(name: HostName, lookup: Lookup) -> NameAnswer:
    try:
        return lookup(name) or NameTrouble.NOT_FOUND
    except socket.gaierror as error:
        return NameTrouble.NOT_FOUND if error.errno in _NO_SUCH_NAME else NameTrouble.FAILED
    except OSError:
        return NameTrouble.FAILED
    except ValueError:
        return NameTrouble.NOT_FOUND  # no resolver can be asked for it: an empty or endless label


def interfaces_here() -> dict[str, tuple[Address, ...]]:
    """Return the addresses on each network interface of this machine. Raises OSError."""
    # Loading it takes longer than everything else here; most commands never need it.
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    found: dict[str, list[Address]] = {name: [] for _, name in socket.if_nameindex()}
    try:
        with IPRoute() as route:
            names = {link["index"]: str(link.get_attr("IFLA_IFNAME")) for link in route.get_links()}
            for each in route.get_addr():
                # On a point-to-point link the second attribute is the other end.
                text = each.get_attr("IFA_LOCAL") or each.get_attr("IFA_ADDRESS")
                if text and each["index"] in names:
                    found.setdefault(names[each["index"]], []).append(ip_address(text))
    except NetlinkError as error:
        raise OSError(error.code, os.strerror(error.code)) from error
    return {name: tuple(addresses) for name, addresses in found.items()}

"""What only the outside can tell about an lvs.cf: names, devices and addresses of this machine, programs.

Three steps: `questions_of` says what to ask, the system answers (`system.outside`), `faults_of` says what the answers
mean, each with its place in the file. Nothing of it is an error: an answer holds for one machine and one moment.

Rule 1: what is not in force is a note. Rule 2: on a machine that is none of the file's routers, what is missing there
may be right on a router: a note too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from piranha.config.blocks import Block, Statement
from piranha.config.faults import Fault, Severity, in_file_order
from piranha.config.findings import Findings
from piranha.config.load import Loaded
from piranha.config.model import Address, FloatingAddress, Host, HostName
from piranha.config.programs import Way, doubt_of, program_of
from piranha.config.service_rules import block_of, virtual_blocks
from piranha.config.values import shown

LIMIT_S = 5
"""How long all host names together may take."""

_SHOWN_AT_MOST = 8
_WITHOUT_PROGRAM = frozenset({"none", "uptime"})


class NameTrouble(StrEnum):
    """Why a host name has no address."""

    NOT_FOUND = "not found"
    FAILED = "failed"
    SILENT = "silent"


NameAnswer = tuple[Address, ...] | NameTrouble
"""What the resolver said: the addresses in its order, or why there is none."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What to ask: host names, and programs as written. The interfaces of the machine are always asked for."""

    names: frozenset[HostName]
    programs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answers:
    """What the system said.

    `interfaces`: the addresses on each device, None if they could not be read (then `problem` says why). `programs`:
    the way to each program; None: found nowhere.
    """

    names: Mapping[HostName, NameAnswer]
    interfaces: Mapping[str, tuple[Address, ...]] | None
    programs: Mapping[str, Way | None]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A value of the file that the outside knows more about, and where it stands. `device` is without the alias."""

    block: Block
    keyword: str
    host: Host | None = None
    device: str = ""
    program: str = ""
    is_floating: bool = False


def chosen(answer: NameAnswer | None) -> Address | None:
    """Return the address that counts of those that a name has: the first, IPv4 before IPv6; None without any."""
    if answer is None or isinstance(answer, NameTrouble) or not answer:
        return None
    return min(answer, key=lambda address: address.version)


def questions_of(loaded: Loaded) -> Questions:
    """Return what the outside should be asked about a file."""
    names, programs = set(), set()
    for asked in _asked(Findings(loaded.document, loaded.cluster)):
        if isinstance(asked.host, str):
            names.add(asked.host)
        if asked.program:
            programs.add(asked.program)
    return Questions(frozenset(names), frozenset(programs))


def faults_of(loaded: Loaded, answers: Answers) -> tuple[Fault, ...]:
    """Return what the answers mean for a file: warnings and notes, in file order."""
    return _Judge(Findings(loaded.document, loaded.cluster), answers).faults()


def _asked(findings: Findings) -> Iterator[_Asked]:
    cluster, root = findings.cluster, findings.document.root
    for keyword, router in (
        ("primary", cluster.primary),
        ("primary_private", cluster.primary_private),
        ("backup", cluster.backup),
        ("backup_private", cluster.backup_private),
    ):
        if router is not None:
            yield _Asked(root, keyword, host=router)
    if cluster.nat_router is not None:
        yield _floating(root, "nat_router", cluster.nat_router)
    if cluster.runs_sync_daemon:
        keyword = "syncd_iface" if root.effective("syncd_iface") else "syncdaemon"
        yield _Asked(root, keyword, device=cluster.syncd_iface.partition(":")[0])
    for keyword, command in (("active_cmd", cluster.active_cmd), ("inactive_cmd", cluster.inactive_cmd)):
        yield _Asked(root, keyword, program=program_of(command or ""))
    yield from _asked_of_virtual_servers(findings)
    for failover in cluster.failover_services:
        block = block_of(findings, failover.id)
        if failover.address is not None:
            yield _floating(block, "address", failover.address)
        for keyword in ("send_program", "start_cmd", "stop_cmd"):
            yield _Asked(block, keyword, program=program_of(getattr(failover, keyword) or ""))


def _asked_of_virtual_servers(findings: Findings) -> Iterator[_Asked]:
    cluster, root = findings.cluster, findings.document.root
    is_rsh_asked = False
    for virtual, block in virtual_blocks(findings):
        if virtual.address is not None:
            yield _floating(block, "address", virtual.address)
        yield _Asked(block, "send_program", program=program_of(virtual.send_program or ""))
        if virtual.load_monitor == "uptime" and not is_rsh_asked and findings.is_in_force(block):
            is_rsh_asked = True  # one line for all that need it
            program = program_of(cluster.rsh_command)
            is_written = root.effective("rsh_command") is not None
            yield _Asked(
                root if is_written else block, "rsh_command" if is_written else "load_monitor", None, "", program
            )
        elif virtual.load_monitor and virtual.load_monitor not in _WITHOUT_PROGRAM:
            yield _Asked(block, "load_monitor", program=program_of(virtual.load_monitor))
        for server, inner in zip(virtual.servers, block.blocks, strict=True):
            if server.address is not None:
                yield _Asked(inner, "address", host=server.address)


def _floating(block: Block, keyword: str, floating: FloatingAddress) -> _Asked:
    return _Asked(block, keyword, floating.host, floating.device.partition(":")[0], is_floating=True)


class _Judge:
    """Turns answers into faults of one file."""

    def __init__(self, findings: Findings, answers: Answers) -> None:
        self._findings = findings
        self._answers = answers
        interfaces = answers.interfaces or {}
        self._own = {address: device for device, addresses in interfaces.items() for address in addresses}
        self._is_router = True
        self._told: set[Address] = set()

    def faults(self) -> tuple[Fault, ...]:
        if self._answers.interfaces is None:
            message = f"The network interfaces of this machine could not be read ({self._answers.problem})."
            root = self._findings.document.root
            self._findings.say(Severity.NOTE, "interfaces-unknown", root, "", message, "Devices were not checked.")
        else:
            self._routers()
        for asked in _asked(self._findings):
            if isinstance(asked.host, str):
                self._name(asked, asked.host)
            if self._answers.interfaces is not None:
                if asked.device:
                    self._device(asked, self._answers.interfaces)
                if asked.is_floating:
                    self._floating_address(asked)
            if asked.program:
                self._program(asked)
        return in_file_order(self._findings.faults)

    def _address(self, host: Host | None) -> Address | None:
        return chosen(self._answers.names.get(host)) if isinstance(host, str) else host

    def _severity(self, asked: _Asked, *, is_of_machine: bool) -> Severity:
        in_force = self._findings.matters(asked.block, asked.keyword)
        return Severity.WARNING if in_force and (self._is_router or not is_of_machine) else Severity.NOTE

    def _routers(self) -> None:
        """Find which router this machine is; it should be exactly one, with its private address."""
        cluster, root = self._findings.cluster, self._findings.document.root
        primary, backup = self._address(cluster.primary), self._address(cluster.backup)
        if primary is None or (cluster.backup is not None and backup is None):
            return  # not named, or a name without an address: that is said elsewhere
        has_backup = self._findings.awaits_partner()
        is_primary, is_backup = primary in self._own, backup in self._own
        if is_primary and is_backup and primary != backup:
            message = f"Both primary ({primary}) and backup ({backup}) are addresses of this machine."
            self._findings.say(
                Severity.WARNING, "both-routers-here", root, "backup", message, "Write the other router's address."
            )
        elif not is_primary and not (is_backup and has_backup):
            self._is_router = False
            both = f"Neither primary ({primary}) nor backup ({backup}) is an address of this machine"
            one = f"primary ({primary}) is no address of this machine"
            message = f"{both if has_backup else one}; started here, it would not know its role."
            advice = "Check on a router, or mend the address."
            self._findings.say(Severity.WARNING, "not-a-router", root, "primary", message, advice)
        elif has_backup:
            keyword = "primary_private" if is_primary else "backup_private"
            private = self._address(cluster.primary_private if is_primary else cluster.backup_private)
            if private is not None and private not in self._own:
                message = (
                    f"This is the {'primary' if is_primary else 'backup'} router, and {private} is not its address."
                )
                advice = "Mend the private address, or bring its interface up."
                self._findings.say(Severity.WARNING, "private-not-here", root, keyword, message, advice)

    def _name(self, asked: _Asked, name: HostName) -> None:
        answer = self._answers.names.get(name, NameTrouble.SILENT)
        severity = self._severity(asked, is_of_machine=False)
        advice = "Write its address, or tell the resolver the name."
        match answer:
            case NameTrouble.NOT_FOUND:
                self._say(severity, "name-not-found", asked, f"The name {shown(name)} was not found.", advice)
            case NameTrouble.FAILED:
                message = f"The resolver failed when it was asked for the name {shown(name)}."
                self._say(severity, "resolver-failed", asked, message, "Look at this machine's resolver.")
            case NameTrouble.SILENT:
                message = f"The name {shown(name)} was not answered within {LIMIT_S} seconds."
                self._say(severity, "name-not-answered", asked, message, "Write its address, or look at the resolver.")
            case _:
                self._addresses_of(asked, name, answer, severity)

    def _addresses_of(self, asked: _Asked, name: HostName, answer: tuple[Address, ...], severity: Severity) -> None:
        address = chosen(answer)
        if address is None:
            return
        if address.is_loopback and not name.startswith("localhost"):
            message = f"The name {shown(name)} means {address} here, which is this machine itself."
            self._say(severity, "name-is-loopback", asked, message, "Write its address, or mend the hosts file.")
        alike = sorted({str(each) for each in answer if each.version == address.version})
        if len(alike) > 1:
            message = f"The name {shown(name)} has {len(alike)} addresses; {address} is used, another time another."
            self._say(Severity.NOTE, "name-ambiguous", asked, message, "Write the address that is meant.")

    def _device(self, asked: _Asked, interfaces: Mapping[str, object]) -> None:
        if asked.device in interfaces:
            return
        there = sorted(interfaces)
        more = ", ..." if len(there) > _SHOWN_AT_MOST else ""
        message = f"This machine has no device {shown(asked.device)}; it has {', '.join(there[:_SHOWN_AT_MOST])}{more}."
        severity = self._severity(asked, is_of_machine=True)
        self._say(severity, "no-such-device", asked, message, "Write a device that both routers have.", of=asked.device)

    def _floating_address(self, asked: _Asked) -> None:
        """Find a floating address that is on this machine already; several services may share one: told once."""
        address = self._address(asked.host)
        device = self._own.get(address) if address is not None else None
        if address is None or device is None or address in self._told or not self._findings.is_in_force(asked.block):
            return
        if not self._findings.matters(asked.block, asked.keyword):
            return
        self._told.add(address)
        if asked.device and device != asked.device:
            message = f"{address} is on {device} of this machine already, not on {shown(asked.device)}."
            severity = self._severity(asked, is_of_machine=True)
            self._say(severity, "address-elsewhere", asked, message, "Remove it there, or write that device.")
        else:
            message = f"{address} is on {device} of this machine already."
            advice = "That is right while this router is the active one; otherwise remove it."
            self._say(Severity.NOTE, "address-present", asked, message, advice)

    def _program(self, asked: _Asked) -> None:
        doubt = doubt_of(asked.program, self._answers.programs.get(asked.program))
        if doubt is None:
            return
        severity = self._severity(asked, is_of_machine=True)
        if doubt.code == "program-not-seen":
            severity = Severity.NOTE
        self._say(severity, doubt.code, asked, doubt.what.message, doubt.what.advice)

    def _say(self, severity: Severity, code: str, asked: _Asked, message: str, advice: str, *, of: str = "") -> None:
        """Note a fault of a value; `of`: of this word in it."""
        statement = asked.block.effective(asked.keyword)
        at = self._place_in(statement, of) if statement is not None and of else 0
        if statement is None or at == 0:
            self._findings.say(severity, code, asked.block, asked.keyword, message, advice)
            return
        column = statement.value_column + at
        self._findings.place(
            severity, code, asked.block, statement.line, column, asked.keyword, statement.value or "", message, advice
        )

    def _place_in(self, statement: Statement, word: str) -> int:
        """Return where the last word of a value begins, counted from the value; 0 if it is not there."""
        written = self._findings.document.plain[statement.value_start : statement.value_end]
        return max(0, written.rfind(word))


def address_or_why(host: Host, answers: Mapping[HostName, NameAnswer]) -> Address | str:
    """Return the address of a host, or in a sentence why there is none. `answers`: what the resolver said."""
    if not isinstance(host, str):
        return host
    answer = answers[host]
    address = chosen(answer)
    if address is not None:
        return address
    why = answer if isinstance(answer, NameTrouble) else NameTrouble.NOT_FOUND
    words = {NameTrouble.NOT_FOUND: "was not found", NameTrouble.FAILED: "could not be looked up"}
    return f"The name {host} {words.get(why, 'was not answered in time')}."

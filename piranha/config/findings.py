"""Where the rules put what they find: a fault with its place, and whether it stops an Apply."""

from piranha.config.bind import read_once, value_of
from piranha.config.blocks import Block, Statement
from piranha.config.document import Document
from piranha.config.faults import Fault, Severity
from piranha.config.fields import Scope, Status, ValueFault, field
from piranha.config.model import Cluster, Forwarding, ServiceKind
from piranha.config.path import written

_ONLY_WITH_NAT = frozenset({"nat_router", "nat_nmask"})
_ONLY_WITH_BACKUP = frozenset(
    {"backup", "backup_private", "primary_private", "heartbeat_port", "keepalive", "deadtime", "monitor_links"}
)
_ONLY_WITH_SYNC = frozenset({"syncd_iface", "syncd_id"})


class Findings:
    """The faults found so far, and what is in force: an error stops an Apply only where it would be run."""

    def __init__(self, document: Document, cluster: Cluster) -> None:
        self.document = document
        self.cluster = cluster
        self.faults: list[Fault] = []
        self._in_force: dict[int, bool] = {id(document.root): True}
        for service in document.root.blocks:
            in_force = self._is_selected(service.scope) and is_meant_active(service)
            self._in_force[id(service)] = in_force
            for server in service.blocks:
                self._in_force[id(server)] = in_force and service.scope is Scope.VIRTUAL and is_meant_active(server)

    def _is_selected(self, scope: Scope) -> bool:
        if scope is Scope.VIRTUAL:
            return self.cluster.service is ServiceKind.LVS
        return scope is Scope.FAILOVER and self.cluster.service is ServiceKind.FOS

    def is_in_force(self, block: Block) -> bool:
        """Say whether a block would be run: active, of the selected kind, inside of one that is in force."""
        return self._in_force[id(block)]

    def matters(self, block: Block, keyword: str) -> bool:
        """Say whether a keyword of a block would have an effect."""
        if not self.is_in_force(block):
            return False
        row = field(block.scope, keyword)
        if row is not None and row.status is not Status.CURRENT:
            return False
        if block.scope is Scope.GLOBAL:
            if keyword in _ONLY_WITH_NAT:
                return self.cluster.forwarding is Forwarding.NAT
            if keyword in _ONLY_WITH_BACKUP:
                return self.awaits_partner()
            if keyword in _ONLY_WITH_SYNC:
                return self.cluster.runs_sync_daemon
        if block.scope is Scope.VIRTUAL and keyword == "pmask":
            persistent = value_of(block, "persistent")
            return isinstance(persistent, int) and persistent > 0
        return True

    def awaits_partner(self) -> bool:
        """Say whether there would be heartbeats: without a backup address `backup_active = 1` counts as 0."""
        backup = self.document.root.effective("backup")
        if not self.cluster.is_backup_active or backup is None:
            return False
        # An address that cannot be read is meant to be one.
        row = field(Scope.GLOBAL, "backup")
        assert row is not None
        return backup.is_bad or backup.value is None or read_once(row, backup.value) is not None

    def say(self, severity: Severity, code: str, block: Block, keyword: str, message: str, advice: str) -> None:
        """Note a fault of a block or of its effective line with a keyword."""
        statement = block.effective(keyword) if keyword else None
        if statement is not None:
            self.say_of_line(severity, code, block, statement, message, advice)
            return
        line, column = (block.header.line, block.header.column) if block.header else (0, 0)
        self.place(severity, code, block, line, column, keyword, block.name, message, advice)

    def say_of_name(self, severity: Severity, code: str, block: Block, message: str, advice: str) -> None:
        """Note a fault of a block's name."""
        header = block.header
        assert header is not None, "the whole file has no name"
        column = header.name_start - header.start + 1
        self.place(severity, code, block, header.line, column, "", block.name, message, advice)

    def say_inside(
        self,
        severity: Severity,
        code: str,
        block: Block,
        statement: Statement,
        piece: tuple[int, str],
        fault: ValueFault,
    ) -> None:
        """Note a fault of a piece of a value: where it begins in the value (from 0), and the piece."""
        at, text = piece
        value = statement.value or ""
        is_quoted = statement.value_end - statement.value_start == len(value) + 2
        place = (statement.line, statement.value_column + at + is_quoted, statement.keyword, text)
        self.place(severity, code, block, *place, fault.message, fault.advice)

    def say_of_line(
        self, severity: Severity, code: str, block: Block, statement: Statement, message: str, advice: str
    ) -> None:
        """Note a fault of one line."""
        column = statement.column if statement.value is None else statement.value_column
        text = statement.value or ""
        self.place(severity, code, block, statement.line, column, statement.keyword, text, message, advice)

    def place(
        self,
        severity: Severity,
        code: str,
        block: Block,
        line: int,
        column: int,
        keyword: str,
        text: str,
        message: str,
        advice: str,
        *,
        matters: bool | None = None,
    ) -> None:
        """Note a fault at a place. `matters`: whether an error there stops an Apply, where that is known better."""
        path = written(self.document.path_of(block))
        stops = severity is Severity.ERROR and (self.matters(block, keyword) if matters is None else matters)
        self.faults.append(Fault(severity, code, line, column, path, keyword, text, message, advice, stops))


def is_meant_active(block: Block) -> bool:
    """Say whether a block is active, or says something about it that cannot be read."""
    statement = block.effective("active")
    row = field(block.scope, "active")
    if statement is None or row is None:
        return False
    if statement.is_bad or statement.value is None:
        return True
    value = read_once(row, statement.value)
    return isinstance(value, ValueFault) or bool(value)

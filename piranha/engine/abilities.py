"""What a cluster asks for and this engine, on its data path, does not do: told before Apply, never found out after.

What cannot be done concerns that virtual server alone, and its servers get no traffic; that stops no Apply. A checking
program that may not be run does: nothing would ever be known of those servers, and it is mended with one command.
"""

from piranha.config.document import Document
from piranha.config.faults import Fault, Severity
from piranha.config.model import Cluster, ServiceKind, VirtualServer
from piranha.config.path import parse_block
from piranha.config.programs import Doubt, program_of
from piranha.health.check import Unchecked, check_of
from piranha.ipvs.desired import desired
from piranha.system import programs
from piranha.system.listening import why_not_served


def faults_of(document: Document, cluster: Cluster, data_path: str) -> tuple[Fault, ...]:
    """Return a fault for each thing that will not work as lvs.cf asks."""
    found: list[Fault] = []
    if cluster.service is ServiceKind.FOS:
        found.append(_fault(document, "", "service", "Failover services are kept and shown, but not run."))
    target = desired(cluster, {}, {})
    for virtual in cluster.active_virtual_servers:
        key = target.services.get(virtual.id)
        refusal = why_not_served(key, target.table[key].service) if data_path == "embedded" and key is not None else ""
        if refusal:
            found.append(_fault(document, virtual.id, "", refusal))
        else:
            found += _unchecked(document, virtual)
    return tuple(found)


def program_faults(document: Document, cluster: Cluster) -> tuple[Fault, ...]:
    """Return a fault for each checking program that may not be run. Looks at the disk."""
    found = []
    doubts: dict[str, Doubt | None] = {"": None}
    for virtual in cluster.active_virtual_servers:
        program = program_of(virtual.send_program or "")
        if program not in doubts:
            doubts[program] = programs.doubt(program)
        doubt = doubts[program]
        if doubt is not None:
            stops = doubt.code != "program-not-seen"
            severity = Severity.ERROR if stops else Severity.WARNING
            line, column = document.where(parse_block(virtual.id), "send_program")
            place = (line, column, virtual.id, "send_program", virtual.send_program or "")
            found.append(Fault(severity, doubt.code, *place, doubt.what.message, doubt.what.advice, stops))
    return tuple(found)


def _unchecked(document: Document, virtual: VirtualServer) -> list[Fault]:
    for server in virtual.servers:
        if server.is_active and server.address is not None:
            check = check_of(virtual, server)
            if isinstance(check, Unchecked):
                keyword = "send_program" if virtual.send_program else ""
                return [_fault(document, virtual.id, keyword, check.reason)]
    return []


def _fault(document: Document, path: str, keyword: str, message: str) -> Fault:
    line, column = document.where(parse_block(path), keyword)
    text = document.get(parse_block(path), keyword) or "" if keyword else ""
    return Fault(Severity.WARNING, "not-run", line, column, path, keyword, text, message, "")

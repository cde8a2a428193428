"""Every kind of fault that an lvs.cf can have: the table that the documentation and the tests are made from."""

from piranha.config.fault_types import FaultGroup, FaultKind
from piranha.config.line_fault_kinds import BLOCKS, LINES, TEXT
from piranha.config.service_fault_kinds import CHECKS, OUTSIDE, REAL_SERVERS, ROUTERS, VIRTUAL_SERVERS
from piranha.config.value_fault_kinds import KEYWORDS, VALUES

GROUPS: tuple[FaultGroup, ...] = (
    TEXT,
    LINES,
    BLOCKS,
    KEYWORDS,
    VALUES,
    ROUTERS,
    VIRTUAL_SERVERS,
    REAL_SERVERS,
    CHECKS,
    OUTSIDE,
)
"""All kinds, in groups, in the order of the page."""

KINDS: dict[str, FaultKind] = {kind.code: kind for group in GROUPS for kind in group}
"""The same by their codes."""

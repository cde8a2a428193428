"""Which fields stand on which panel, in the order of the manual. Labels, help and rules are the field table's."""

from piranha.config.edits import Part
from piranha.config.fields import NETMASKS, Choice, Scope
from piranha.web.forms import NAME, Control, Kind, control

UNUSED = Choice("", "Unused")
NOT_SET = Choice("", "not set")
YES_OR_NO = (Choice("1", "Yes"), Choice("0", "No"))

GLOBAL_CONTROLS: tuple[Control, ...] = (
    control(Scope.GLOBAL, "primary", width=24, is_required=True),
    control(Scope.GLOBAL, "primary_private", width=24),
    control(Scope.GLOBAL, "tcp_timeout", width=8),
    control(Scope.GLOBAL, "tcpfin_timeout", width=8),
    control(Scope.GLOBAL, "udp_timeout", width=8),
    control(Scope.GLOBAL, "network", Kind.RADIO),
    control(Scope.GLOBAL, "nat_router", word=0, name="nat_router", width=24),
    control(Scope.GLOBAL, "nat_nmask", Kind.SELECT, choices=(NOT_SET, *NETMASKS)),
    control(Scope.GLOBAL, "nat_router", word=1, name="nat_device", note="For example eth1:1."),
)
NAT_CONTROLS = ("nat_router", "nat_nmask", "nat_device")

REDUNDANCY_CONTROLS: tuple[Control, ...] = (
    control(Scope.GLOBAL, "backup", width=24, is_required=True),
    control(Scope.GLOBAL, "backup_private", width=24),
    control(Scope.GLOBAL, "keepalive", width=8),
    control(Scope.GLOBAL, "deadtime", width=8),
    control(Scope.GLOBAL, "heartbeat_port", width=8),
    control(Scope.GLOBAL, "monitor_links", Kind.CHECKBOX),
    control(Scope.GLOBAL, "syncdaemon", Kind.CHECKBOX),
    control(Scope.GLOBAL, "syncd_iface", width=16),
    control(Scope.GLOBAL, "syncd_id", width=8),
)

VIRTUAL_NAME = Control(
    NAME,
    "Name",
    None,
    width=40,
    plain_note="A short word that describes the service, for example HTTP; not the host name. Blanks become _.",
    is_required=True,
)
VIRTUAL_CONTROLS: tuple[Control, ...] = (
    VIRTUAL_NAME,
    control(Scope.VIRTUAL, "port", width=8),
    control(Scope.VIRTUAL, "protocol", Kind.SELECT),
    control(Scope.VIRTUAL, "address", word=0, name="address", width=24, is_required=True),
    control(Scope.VIRTUAL, "vip_nmask", Kind.SELECT, choices=(UNUSED, *NETMASKS)),
    control(Scope.VIRTUAL, "sorry_server", width=24),
    control(Scope.VIRTUAL, "fwmark", width=12),
    control(Scope.VIRTUAL, "address", word=1, name="device", note="For example eth0:1.", is_required=True),
    control(Scope.VIRTUAL, "reentry", width=8),
    control(Scope.VIRTUAL, "timeout", width=8),
    control(Scope.VIRTUAL, "quiesce_server", Kind.RADIO, choices=YES_OR_NO),
    control(Scope.VIRTUAL, "load_monitor", Kind.SELECT),
    control(Scope.VIRTUAL, "scheduler", Kind.SELECT),
    control(Scope.VIRTUAL, "persistent", width=12),
    control(Scope.VIRTUAL, "pmask", Kind.SELECT, choices=(UNUSED, *NETMASKS)),
)

REAL_NAME = Control(
    NAME,
    "Name",
    None,
    width=40,
    plain_note="A short word, for example web1; not the host name. Blanks become _.",
    is_required=True,
)
REAL_CONTROLS: tuple[Control, ...] = (
    REAL_NAME,
    control(Scope.SERVER, "address", width=24, is_required=True),
    control(Scope.SERVER, "port", width=8),
    control(Scope.SERVER, "weight", width=8),
)

SCRIPT_CONTROLS: tuple[Control, ...] = (
    control(Scope.VIRTUAL, "send_program", width=40),
    control(Scope.VIRTUAL, "send", width=40),
    control(Scope.VIRTUAL, "expect", width=40),
    control(Scope.VIRTUAL, "use_regex", Kind.CHECKBOX),
)
ERASERS = {"send_program": "NO SEND PROGRAM", "send": "BLANK SEND", "expect": "BLANK EXPECT"}


def keywords_of(controls: tuple[Control, ...], *more: str) -> tuple[str, ...]:
    """Return the keywords of these controls, and some more, each once."""
    return tuple(dict.fromkeys([*(each.keyword for each in controls if each.keyword), *more]))


# A save is refused if one of these was changed meanwhile: what the panel shows, and what it changes besides.
GLOBAL_PART = Part("", keywords_of(GLOBAL_CONTROLS, "backup_private"))
REDUNDANCY_PART = Part("", keywords_of(REDUNDANCY_CONTROLS, "backup_active", "heartbeat", "primary", "primary_private"))


def virtual_part(path: str) -> Part:
    """Return what the VIRTUAL SERVER panel shows of a block."""
    return Part(path, keywords_of(VIRTUAL_CONTROLS, "active"))


def script_part(path: str) -> Part:
    """Return what the MONITORING SCRIPTS panel shows of a block."""
    return Part(path, keywords_of(SCRIPT_CONTROLS))


def real_part(path: str) -> Part:
    """Return what the REAL SERVER form shows of a block."""
    return Part(path, keywords_of(REAL_CONTROLS, "active"))


def status_part(path: str) -> Part:
    """Return what Activate and Deactivate concern."""
    return Part(path, ("active", "address"))

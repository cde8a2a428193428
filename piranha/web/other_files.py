"""Which files beside lvs.cf may have to be copied to the backup router (manual 4.7). The GUI writes none of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from piranha.config.model import Cluster
from piranha.config.programs import program_of
from piranha.web.client import NoConfig, opened
from piranha.web.state import gui
from piranha.web.texts import _

PROGRAMS_SHOWN = 20
NOT_PROGRAMS = frozenset({"", "none", "rup", "ruptime", "uptime"})
"""What `load_monitor` may say without naming a file."""


@dataclass(frozen=True, slots=True)
class OtherFiles:
    """Some files, and what is in them."""

    files: tuple[str, ...]
    what: str


def other_files() -> list[OtherFiles]:
    """Return the files, none where there is no backup router or no lvs.cf."""
    try:
        understood = opened().understood
    except NoConfig:
        return []
    if not understood.loaded.cluster.is_backup_active:
        return []
    paths = gui().paths
    found = [
        OtherFiles((str(paths.lvs_cf), str(paths.piranha_toml)), _("the configuration: the same on both routers")),
        OtherFiles(("/etc/sysctl.conf", "/etc/sysctl.d/"), _("settings of the kernel, such as IP forwarding")),
        OtherFiles(
            ("/etc/sysconfig/iptables", "/etc/iptables/rules.v4", "/etc/nftables.conf"),
            _("rules of the packet filter, such as firewall marks: whichever of these this system uses"),
        ),
        OtherFiles(
            (str(paths.passwd), str(paths.web / ".htaccess"), str(paths.web / "secure/.htaccess")),
            _("who may use the GUI, if it runs on the backup too"),
        ),
    ]
    programs = understood.once("programs", lambda: tuple(dict.fromkeys(_programs(understood.loaded.cluster))))
    if programs:
        found.append(OtherFiles(programs[:PROGRAMS_SHOWN], _("programs that lvs.cf names")))
    return found


def _programs(cluster: Cluster) -> Iterator[str]:
    commands = [cluster.active_cmd, cluster.inactive_cmd]
    for virtual in cluster.virtual_servers:
        commands += [virtual.send_program, virtual.load_monitor]
    yield from (program for each in commands if (program := program_of(each or "")) not in NOT_PROGRAMS)

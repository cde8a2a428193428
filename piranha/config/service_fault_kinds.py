"""The kinds of faults of combinations: routers, virtual servers with their real servers, failover services."""

from piranha.config.fault_types import FaultGroup, error, kind, note, warning


def _with_own_port(text: str) -> str:
    return text.replace("         active = 1\n", "         active = 1\n         port = 8080\n")


def _virtual(*lines: str, name: str = "a", address: str = "192.0.2.80 eth0:1", head: str = "") -> str:
    """Return an lvs.cf with an active virtual server with an active real server; lines with } end that one first."""
    inner = "".join(f"     {line}\n" for line in lines)
    server = "     server b {\n         address = 10.0.0.21\n         active = 1\n     }\n"
    return f"{head}virtual {name} {{\n     active = 1\n     address = {address}\n{inner}{server}}}\n"


_PAIR = "primary = 192.0.2.1\nbackup = 192.0.2.2\nbackup_active = 1\n"

ROUTERS = FaultGroup(
    "Routers",
    (
        kind(
            "no-primary",
            "There are virtual servers or a backup, and primary is not set: no router knows its role.",
            "Set primary to the primary router's real address.",
            warning(_virtual()),
        ),
        kind(
            "no-backup",
            "backup_active is 1 and there is no backup address; it counts as 0.",
            "Set backup, or write `backup_active = 0`.",
            warning("backup_active = 1\n"),
        ),
        kind(
            "same-routers",
            "The two routers have the same address.",
            "Give each its own.",
            error("primary = 192.0.2.1\nbackup = 192.0.2.1\n"),
        ),
        kind(
            "one-private",
            "Only one of the two private addresses is set: there is no second heartbeat channel.",
            "Set both, or neither.",
            warning("backup_private = 10.0.0.12\n"),
        ),
        kind(
            "mixed-families",
            "IPv4 and IPv6 meet where they cannot: the two routers, or a virtual IP address and a real server.",
            "Write addresses of one family. Real servers of another one need `network = tunnel` and no sync daemon.",
            error(_virtual(address="2001:db8::80 eth0:1")),
            warning("primary = 192.0.2.1\nbackup = 2001:db8::2\n", "routers without heartbeats"),
        ),
        kind(
            "not-floating",
            "A virtual IP address or the NAT router's is a router's own address.",
            "Choose another one, which no machine has.",
            warning(_virtual(address="192.0.2.1 eth0:1", head="primary = 192.0.2.1\n")),
        ),
        kind(
            "short-deadtime",
            "deadtime is not longer than keepalive, or not twice as long: one lost heartbeat is a failover.",
            "Make deadtime at least twice keepalive.",
            error(f"{_PAIR}keepalive = 6\ndeadtime = 6\n"),
            warning("keepalive = 6\ndeadtime = 6\n", "without heartbeats, or longer but not twice as long"),
        ),
        kind(
            "needs-backup",
            "monitor_links or syncdaemon is on, or primary_private set, and there is no backup router.",
            "Set backup and `backup_active = 1`, or write 0, or remove the address.",
            note("monitor_links = 1\n"),
        ),
        kind(
            "no-network",
            "network is not set, which means NAT; old GUIs showed Direct Routing.",
            "Write `network = nat`, or what is meant.",
            note(_virtual()),
        ),
        kind(
            "no-nat-router",
            "network is NAT, and there is no NAT router's address.",
            "Set nat_router to a floating inner address and its device.",
            warning(_virtual(head=f"{_PAIR}network = nat\n")),
            note(_virtual(head="network = nat\n"), "without a backup router: its own address will do"),
        ),
        kind(
            "needs-nat",
            "nat_router is set and network is not NAT.",
            "Remove it, or write `network = nat`.",
            note(_virtual(head="network = direct\nnat_router = 10.0.0.254 eth1:1\n")),
        ),
        kind(
            "own-remote-shell",
            "rsh_command is neither rsh nor ssh, and a virtual server asks for the load with it.",
            "Write `rsh_command = ssh`.",
            warning(_virtual("load_monitor = uptime", head="rsh_command = telnet\n")),
        ),
        kind(
            "one-shared-disk",
            "Only one of primary_shared and backup_shared is set.",
            "Set both, or neither.",
            warning("primary_shared = /dev/sdb\n"),
        ),
        kind(
            "no-conflict-action",
            "There is a shared disk and no reservation_conflict_action; the original crashes at a conflict.",
            "Set it to nothing or preempt.",
            warning("primary_shared = /dev/sdb\nbackup_shared = /dev/sdb\n"),
        ),
        kind(
            "nothing-active",
            "No block of the kind that service selects is active; there is nothing to run.",
            "Activate one.",
            warning("service = lvs\n"),
        ),
        kind(
            "not-in-force",
            "The block is active, and service selects the other kind.",
            "Change service, or write `active = 0`.",
            note(_virtual(head="service = fos\n")),
        ),
        kind(
            "fos-not-run",
            "service is fos; failover services are kept and not run by this program.",
            "Write `service = lvs` to run the virtual servers.",
            warning("service = fos\n"),
        ),
    ),
)

VIRTUAL_SERVERS = FaultGroup(
    "Virtual servers and failover services",
    (
        kind(
            "no-address",
            "The block is active and has no address, or 0.0.0.0.",
            "Set its address.",
            error("virtual a {\n     active = 1\n}\n"),
        ),
        kind(
            "same-service",
            "Two active virtual servers have the same address, port and protocol.",
            "Change one, or deactivate it.",
            error(_virtual() + _virtual(name="b")),
        ),
        kind(
            "only-mark-differs",
            "Two active virtual servers differ by their firewall mark only; the original mixes them up at a reload.",
            "Give one another port.",
            note(_virtual("fwmark = 1") + _virtual("fwmark = 2", name="b")),
        ),
        kind(
            "same-mark",
            "Two active virtual servers have the same firewall mark: they are one entry of the table.",
            "Give each a mark of its own, unless that is meant.",
            note(_virtual("fwmark = 1") + _virtual("fwmark = 1", name="b")),
        ),
        kind(
            "mark-persistence",
            "Two virtual servers share a firewall mark and differ in persistence; it is said at both.",
            "Set the same persistent and pmask on both.",
            warning(_virtual("fwmark = 1", "persistent = 60") + _virtual("fwmark = 1", name="b")),
        ),
        kind(
            "mark-without-persistence",
            "A firewall mark without persistence: a client's ports may reach different real servers.",
            "Set persistent, for example to 300.",
            warning(_virtual("fwmark = 1")),
        ),
        kind(
            "mask-without-persistence",
            "pmask is set and persistent is not.",
            "Set persistent, or remove pmask.",
            warning(_virtual("pmask = 255.255.255.0")),
        ),
        kind(
            "mask-with-ipv6",
            "A netmask, which is an IPv4 one, goes with an IPv6 address.",
            "Remove it.",
            warning(_virtual("vip_nmask = 255.255.255.0", address="2001:db8::80 eth0:1")),
        ),
        kind(
            "other-device",
            "Two active virtual servers have one address on two devices; that of the first is used.",
            "Write the same device.",
            warning(_virtual("port = 81") + _virtual(name="b", address="192.0.2.80 eth0:2")),
        ),
        kind(
            "other-netmask",
            "Two active virtual servers have one address with two netmasks; that of the first is used.",
            "Choose the same netmask.",
            warning(_virtual("port = 81", "vip_nmask = 255.255.255.0") + _virtual(name="b")),
        ),
        kind(
            "no-sorry-server",
            "sorry_server is 0.0.0.0, which is no address.",
            "Set one, or remove the line.",
            warning(_virtual("sorry_server = 0.0.0.0")),
        ),
        kind(
            "no-command",
            "A failover service has no start_cmd or no stop_cmd.",
            "Set both.",
            error('service = fos\nfailover a {\n     active = 1\n     start_cmd = "/x"\n}\n'),
            warning('failover a {\n     start_cmd = "/x"\n}\n', "not in force"),
        ),
    ),
)

CHECKS = FaultGroup(
    "Checks of the real servers",
    (
        kind(
            "send-ignored",
            "There are both a sending program and a text to send; the program wins.",
            "Use one of the two.",
            warning(_virtual('send = "x"', 'send_program = "/x %h"', 'expect = "OK"')),
        ),
        kind(
            "program-without-expect",
            "There is a sending program and nothing to compare its output with, so it never succeeds.",
            "Set expect.",
            warning(_virtual('send_program = "/x %h"')),
        ),
        kind(
            "udp-without-send",
            "A UDP service has no send: it is not checked, or on port 80 with nothing set asked for a web page.",
            "Set send to a text that the service answers, and expect to how the answer begins.",
            warning(_virtual("protocol = udp", "port = 53")),
        ),
        kind(
            "udp-without-expect",
            "A UDP service without expect is up with any answer; the original monitor crashes at the first one.",
            "Set expect; `*` takes any answer.",
            note(_virtual("protocol = udp", "port = 7", 'send = "hello"')),
        ),
        kind(
            "bad-regex",
            "use_regex is 1 and expect is no regular expression.",
            "Mend it, or write `use_regex = 0`.",
            error(_virtual('expect = "2("', "use_regex = 1")),
        ),
        kind(
            "regex-ignored",
            "use_regex has no effect: there is a sending program, or no expect, or a lone * which takes any reply.",
            "Write `use_regex = 0`.",
            note(_virtual("use_regex = 1")),
        ),
        kind(
            "own-load-monitor",
            "load_monitor is none of none, rup, ruptime, uptime.",
            "Write one of them.",
            warning(_virtual("load_monitor = /bin/load")),
        ),
        kind(
            "reentry-zero", "reentry is 0, which counts as 180.", "Write 180, or less.", note(_virtual("reentry = 0"))
        ),
    ),
)

REAL_SERVERS = FaultGroup(
    "Real servers",
    (
        kind(
            "no-active-server",
            "An active virtual server has no active real server.",
            "Add and activate real servers.",
            warning("virtual a {\n     active = 1\n     address = 192.0.2.80 eth0:1\n}\n"),
        ),
        kind(
            "no-weight",
            "Every active real server of an active virtual server has weight 0.",
            "Give at least one a weight of 1 or more.",
            warning(_virtual().replace("         active = 1\n", "         active = 1\n         weight = 0\n")),
        ),
        kind(
            "same-server",
            "Two active real servers of a virtual server have the same address and port.",
            "Remove one of the two.",
            warning(
                _virtual("server c {", "    address = 10.0.0.21", "    active = 1", "}"),
            ),
        ),
        kind(
            "port-after-server",
            "The virtual server's port stands behind a real server, which was read with another port.",
            "Put port before the first server.",
            warning("virtual a {\n     server b {\n     }\n     port = 21\n}\n"),
        ),
        kind(
            "port-not-mapped",
            "A real server has another port than its virtual server, which network or a persistent mark does not map.",
            "Remove its port; only NAT can change it, and not for a persistent firewall mark.",
            warning(_with_own_port(_virtual(head="network = direct\n"))),
            note(_with_own_port(_virtual("fwmark = 8", "persistent = 60")), "behind a persistent firewall mark"),
        ),
    ),
)

_ELSEWHERE = "not in force, or this machine is none of the routers"

OUTSIDE = FaultGroup(
    "What only the machine knows",
    (
        kind(
            "not-a-router",
            "Neither primary nor backup is an address of this machine.",
            "Check on a router, or mend the address.",
            warning(None),
        ),
        kind("both-routers-here", "Both are addresses of this machine.", "Write the other router's.", warning(None)),
        kind(
            "private-not-here",
            "This router's private address is not on this machine.",
            "Mend it, or bring its interface up.",
            warning(None),
        ),
        kind(
            "interfaces-unknown",
            "The network interfaces of this machine could not be read.",
            "Nothing: devices were not checked.",
            note(None),
        ),
        kind(
            "no-such-device",
            "This machine has no such device.",
            "Write a device that both routers have.",
            warning(None),
            note(None, _ELSEWHERE),
        ),
        kind(
            "address-elsewhere",
            "A floating address is on another device of this machine already.",
            "Remove it there, or write that device.",
            warning(None),
            note(None, _ELSEWHERE),
        ),
        kind(
            "address-present",
            "A floating address is on this machine already.",
            "Remove it, unless this router is the active one.",
            note(None),
        ),
        kind(
            "name-not-found",
            "A host name is unknown.",
            "Write its address, or tell the resolver the name.",
            warning(None),
            note(None, "not in force"),
        ),
        kind(
            "resolver-failed",
            "The resolver failed at a host name.",
            "Look at this machine's resolver.",
            warning(None),
            note(None, "not in force"),
        ),
        kind(
            "name-not-answered",
            "A host name was not answered in time.",
            "Write its address, or look at the resolver.",
            warning(None),
            note(None, "not in force"),
        ),
        kind(
            "name-is-loopback",
            "A host name means this machine itself.",
            "Write its address, or mend the hosts file.",
            warning(None),
            note(None, "not in force"),
        ),
        kind("name-ambiguous", "A host name has several addresses.", "Write the one that is meant.", note(None)),
        kind(
            "no-such-program",
            "A program is not there.",
            "Install it, or mend the path.",
            warning(None),
            note(None, _ELSEWHERE),
        ),
        kind(
            "not-executable",
            "A program is not executable.",
            "As root: `chmod 0755 PROGRAM`.",
            warning(None),
            note(None, _ELSEWHERE),
        ),
        kind(
            "unsafe-program",
            "Somebody other than root can decide what a program is, by its owner, its mode or a folder above it.",
            "Let root own it and nobody else write to it.",
            warning(None),
            note(None, _ELSEWHERE),
        ),
        kind("program-not-seen", "This user may not look at a program.", "Check as root.", note(None)),
    ),
)

"""The keywords of `virtual`, `failover` and `server` blocks (reference 2.2 to 2.5, manual 4.6)."""

from piranha.config.field_types import Choice, Field, FieldType, Scope, Status

_VIRTUAL = frozenset({Scope.VIRTUAL})
_FAILOVER = frozenset({Scope.FAILOVER})
_SERVICE = _VIRTUAL | _FAILOVER
_SERVER = frozenset({Scope.SERVER})

SCHEDULERS = (
    Choice("rr", "Round robin", "Each real server in turn, ignoring capacity and load."),
    Choice("wlc", "Weighted least-connections", "The fewest active connections relative to the weight."),
    Choice("wrr", "Weighted round robin", "In turn, in proportion to the weight."),
    Choice("lc", "Least-connection", "The fewest active connections."),
    Choice(
        "lblc",
        "Locality-Based Least-Connection Scheduling",
        "By destination IP address; for farms of proxy caches.",
    ),
    Choice(
        "lblcr",
        "Locality-Based Least-Connection Scheduling (R)",
        "The same, with replication to a set of servers.",
    ),
    Choice("dh", "Destination Hash Scheduling", "A fixed hash of the destination IP address; for caches."),
    Choice("sh", "Source Hash Scheduling", "A fixed hash of the source IP address; for several firewalls."),
    Choice("sed", "Shortest expected delay", "Newer than the original Piranha.", is_extension=True),
    Choice("nq", "Never queue", "Newer than the original Piranha.", is_extension=True),
    Choice("fo", "Weighted fail-over", "Newer than the original Piranha.", is_extension=True),
    Choice("ovf", "Weighted overflow", "Newer than the original Piranha.", is_extension=True),
    Choice("mh", "Maglev hashing", "Newer than the original Piranha.", is_extension=True),
)
"""In the order of the drop-down; the last five kill the original's parser."""

LOAD_MONITORS = (
    Choice("none", "none", "The load is not asked for."),
    Choice("rup", "rup", "Every real server runs rstatd."),
    Choice("ruptime", "ruptime", "Every real server runs rwhod."),
    Choice("uptime", "uptime", "The remote shell command runs uptime on every real server."),
)
"""`load_monitor`."""

SERVICE_FIELDS = (
    Field(
        keyword="client_monitor",
        scopes=_SERVICE,
        type=FieldType.STRING,
        default="/usr/sbin/nanny",
        label="Monitor program",
        help="Where the originals found their monitor. Kept, not used: the checks are built in.",
        status=Status.IGNORED,
    ),
    Field(
        keyword="active",
        scopes=_SERVICE,
        type=FieldType.BOOL,
        default="0",
        label="Status",
        help="Whether it is in force. Without this line it is not.",
    ),
    Field(
        keyword="address",
        scopes=_SERVICE,
        type=FieldType.HOST_DEVICE,
        default="0.0.0.0",
        label="Virtual IP Address",
        device_label="Device",
        help="The floating IP address that clients connect to, and the alias of the public interface that carries it; "
        "the device has the same name on both routers.",
        takes_host_names=False,
        example="192.0.2.80 eth0:1",
    ),
    Field(
        keyword="sorry_server",
        scopes=_VIRTUAL,
        type=FieldType.IP,
        default=None,
        label="Sorry Server",
        help="Used when no real server is left. An IPv4 address, no name and no port; it gets the application port.",
        bad_code="BADHOSTNAME",
        example="192.0.2.99",
    ),
    Field(
        keyword="vip_nmask",
        scopes=_SERVICE,
        type=FieldType.MASK,
        default=None,
        label="Virtual IP Network Mask",
        help="The netmask of the virtual IP address; unused leaves it to the system.",
        bad_code="BADNETMASK",
    ),
    Field(
        keyword="fwmark",
        scopes=_VIRTUAL,
        type=FieldType.INT,
        default="0",
        label="Firewall Mark",
        help="Bundles several ports: packets with this mark are balanced, whatever their address and port. "
        "The packet filter must set the mark. 0 or blank means none.",
        low=0,
        high=4_294_967_295,
        is_unsigned=True,
    ),
    Field(
        keyword="port",
        scopes=_SERVICE,
        type=FieldType.PORT,
        default="80",
        label="Application port",
        help="The port the service listens on; also the real servers' port where they name none.",
        low=1,
        high=65535,
    ),
    Field(
        keyword="persistent",
        scopes=_VIRTUAL,
        type=FieldType.INT,
        default="0",
        label="Persistence",
        help="For so many seconds a client comes back to the same real server. 0 or blank means off. "
        "Needed with a firewall mark, and equal on all virtual servers that share one.",
        low=0,
        high=999_999_999,
        unit="seconds",
    ),
    Field(
        keyword="pmask",
        scopes=_VIRTUAL,
        type=FieldType.MASK,
        default=None,
        label="Persistence Network Mask",
        help="Clients of one network count as one client. Used only with persistence; "
        "255.255.255.255 means each alone.",
        bad_code="",
        all_ones_is_unset=True,
    ),
    Field(
        keyword="send",
        scopes=_SERVICE,
        type=FieldType.QSTRING,
        default=None,
        label="Send",
        help=r"The text sent to a real server to see whether it lives. \n, \r, \t, \\ and \" are understood. "
        "Blank: the port is only opened; on port 80 with Expect blank too, a web page is asked for. "
        "A UDP service needs it.",
        takes_escapes=True,
        example=r"GET / HTTP/1.0\r\n\r\n",
    ),
    Field(
        keyword="expect",
        scopes=_SERVICE,
        type=FieldType.QSTRING,
        default=None,
        label="Expect",
        help="The reply must begin with this text; * takes any reply. Blank: a connection is enough, by UDP any reply. "
        "With a sending program its whole output must be equal to it.",
        takes_escapes=True,
        example="HTTP",
    ),
    Field(
        keyword="use_regex",
        scopes=_VIRTUAL,
        type=FieldType.BOOL,
        default="0",
        label="Treat expect string as a regular expression",
        help="Expect is searched for anywhere in the reply as an extended regular expression; write \\\\. for a dot. "
        "It has no effect with a sending program.",
    ),
    Field(
        keyword="send_program",
        scopes=_SERVICE,
        type=FieldType.QSTRING,
        default=None,
        label="Sending Program",
        help="A program that checks one real server and prints an answer, which must equal Expect; Send is ignored "
        "then. As words of their own, %h stands for the server's address and %p for its port. No shell is used.",
        example="/usr/local/bin/check_dns %h",
    ),
    Field(
        keyword="load_monitor",
        scopes=_VIRTUAL,
        type=FieldType.STRING,
        default=None,
        proposed="none",
        label="Load monitoring tool",
        help="Asks the real servers for their load and adapts the weights. rup needs rstatd, ruptime needs rwhod on "
        "every real server; it goes badly with weighted schedulers.",
        choices=LOAD_MONITORS,
    ),
    Field(
        keyword="scheduler",
        scopes=_VIRTUAL,
        type=FieldType.ENUM,
        default="wlc",
        label="Scheduling",
        help="How a real server is chosen for a new connection.",
        choices=SCHEDULERS,
    ),
    Field(
        keyword="protocol",
        scopes=_SERVICE,
        type=FieldType.ENUM,
        default="tcp",
        label="Protocol",
        help="The protocol of the service.",
        choices=(Choice("tcp", "tcp"), Choice("udp", "udp")),
    ),
    Field(
        keyword="timeout",
        scopes=_SERVICE,
        type=FieldType.INT,
        default="10",
        proposed="6",
        label="Service timeout",
        help="Seconds between two checks of a real server, and the time limit of one check.",
        low=1,
        unit="seconds",
    ),
    Field(
        keyword="reentry",
        scopes=_VIRTUAL,
        type=FieldType.INT,
        default="180",
        proposed="15",
        label="Re-entry Time",
        help="How long, in seconds, a recovered real server must stay up before it gets work again. 0 counts as 180.",
        low=0,
        unit="seconds",
    ),
    Field(
        keyword="quiesce_server",
        scopes=_VIRTUAL,
        type=FieldType.BOOL,
        default="0",
        label="Quiesce server",
        help="A failing real server gets weight 0 instead of being removed, so that its connections live on; "
        "and a returning one is not flooded.",
    ),
    Field(
        keyword="start_cmd",
        scopes=_FAILOVER,
        type=FieldType.QSTRING,
        default=None,
        label="Start command",
        help="Starts the failover service on a router. Kept, not run.",
        status=Status.IGNORED,
    ),
    Field(
        keyword="stop_cmd",
        scopes=_FAILOVER,
        type=FieldType.QSTRING,
        default=None,
        label="Stop command",
        help="Stops the failover service on a router. Kept, not run.",
        status=Status.IGNORED,
    ),
)


SERVER_FIELDS = (
    Field(
        keyword="address",
        scopes=_SERVER,
        type=FieldType.HOST,
        default="0.0.0.0",
        label="Address",
        help="The real server's IP address or host name; no port here.",
        zero_is_unset=True,
        example="192.0.2.21",
    ),
    Field(
        keyword="active",
        scopes=_SERVER,
        type=FieldType.BOOL,
        default="0",
        label="Status",
        help="Whether the real server is in force. Without this line it is not.",
        takes_two=True,
    ),
    Field(
        keyword="port",
        scopes=_SERVER,
        type=FieldType.PORT,
        default=None,
        label="Port",
        help="Blank means the virtual server's application port. It can differ only with NAT: "
        "direct routing and tunneling cannot change a port.",
        low=1,
        high=65535,
        takes_service_names=False,
    ),
    Field(
        keyword="weight",
        scopes=_SERVER,
        type=FieldType.INT,
        default="1",
        label="Weight",
        help="The share of work: a real server of weight 5 gets five connections for each one of weight 1. "
        "0 gets no new connections.",
        low=0,
        high=65535,
    ),
)

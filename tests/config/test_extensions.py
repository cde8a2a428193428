"""piranha.toml: what it says, and every fault with its place and what to do."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.config.check_kinds import KIND_KEYS, CheckKind, name_of
from piranha.config.extensions import read
from piranha.config.failover_settings import FAILOVER_KEYS, FailoverSettings
from piranha.config.faults import Severity
from piranha.config.gui_settings import GUI_KEYS, GuiSettings, Listen, listen_of
from piranha.config.health_settings import (
    CHECK_KEYS,
    LOAD_FORMULAS,
    SLOW_STARTS,
    WEIGHT_KEYS,
    CheckSettings,
    WeightSettings,
)
from piranha.config.load import load
from piranha.config.sync_settings import SYNC_KEYS, SyncSettings, host_of
from piranha.config.toml_values import ValueProblem
from piranha.health.load import Formula
from piranha.health.tuning import SlowStart

FULL = b"""\
# Who may reach the GUI.
[gui]
listen = [
  "127.0.0.1:3636",   # the tunnel
  "[2001:db8::1]:8443",
]
tls_certificate = "/etc/sysconfig/ha/conf/gui.crt"
tls_key = "/etc/sysconfig/ha/conf/gui.key"
allow_plain_http = false
proxies = ["192.0.2.1", "2001:db8::/64"]
idle_minutes = 45
absolute_hours = 8
"""

FAULTS = [
    # text, line, column, severity, what the message must name
    ('[gui]\nlisten = ["localhost:3636"]', 2, 12, "error", "localhost:3636"),
    ('[gui]\nlisten = ["127.0.0.1"]', 2, 12, "error", "no address with a port"),
    ('[gui]\nlisten = ["::1:3636"]', 2, 12, "error", "no address with a port"),
    ('[gui]\nlisten = ["127.0.0.1:0"]', 2, 12, "error", "from 1 to 65535"),
    ('[gui]\nlisten = ["127.0.0.1:65536"]', 2, 12, "error", "from 1 to 65535"),
    ('[gui]\nlisten = "127.0.0.1:3636"', 2, 11, "error", "no list of texts"),
    ("[gui]\nlisten = [3636]", 2, 10, "error", "no list of texts"),
    ("[gui]\nlisten = []", 2, 1, "error", "listen nowhere"),
    ('[gui]\nlisten = ["[::1]:1",\n "[::1]:1"]', 2, 12, "error", "twice"),
    ('# x\n[gui]\nlisten = [\n  "127.0.0.1:1",\n  "0.0.0.0:1",\n]', 5, 4, "error", "passwords travel readable"),
    ('[gui]\nlisten = ["[::]:1"]', 2, 12, "error", "passwords travel readable"),
    ('[gui]\nproxies = ["192.0.2.1/24"]', 2, 13, "error", "first address"),
    ('[gui]\nproxies = ["proxy.example.com"]', 2, 13, "error", "host names are not taken"),
    ('[gui]\nproxies = ["0.0.0.0/0"]', 2, 13, "error", "believe everybody"),
    ('[gui]\nallow_plain_http = "yes"', 2, 21, "error", "neither true nor false"),
    ("[gui]\nallow_plain_http = 1", 2, 20, "error", "neither true nor false"),
    ("[gui]\nidle_minutes = 0", 2, 16, "error", "from 1 to 1440"),
    ("[gui]\nidle_minutes = true", 2, 16, "error", "from 1 to 1440"),
    ("[gui]\nabsolute_hours = 1.5", 2, 18, "error", "from 1 to 168"),
    ('[gui]\ntls_key = "gui.key"\ntls_certificate = "/a"', 2, 12, "error", "no absolute path"),
    ('[gui]\ntls_certificate = "/a"', 2, 1, "error", "tls_key is missing"),
    ('[gui]\ntls_key = "/a"', 2, 1, "error", "tls_certificate is missing"),
    ("[checks]\nfall = 0", 2, 8, "error", "from 1 to 1000"),
    ("[checks]\nrise = 1001", 2, 8, "error", "from 0 to 1000"),
    ("[checks]\nfall = true", 2, 8, "error", "from 1 to 1000"),
    ("[checks]\nrises = 2", 2, 1, "warning", "Did you mean rise?"),
    ("[checks]\nvirtual = 2", 2, 1, "error", "virtual is no table"),
    ("[checks.virtul.web]\nkind = 'tls'", 1, 1, "warning", "Did you mean virtual?"),
    ('[checks.virtual]\nweb = "https"', 2, 1, "error", "no table"),
    ("[checks.virtual.web]\npath = '/'", 1, 1, "error", 'Write kind = "tls" or "http" or "https".'),
    ("[checks.virtual.web]\nkind = 'ftp'", 2, 9, "error", '"tls" or "http" or "https"'),
    ("[checks.virtual.web]\nkind = 'tls'\npath = '/'", 3, 1, "warning", 'path does nothing with kind = "tls"'),
    ("[checks.virtual.web]\nkind = 'http'\nverify = false", 3, 1, "warning", "another kind"),
    ("[checks.virtual.web]\nkind = 'https'\nverfy = false", 3, 1, "warning", "Did you mean verify?"),
    ("[checks.virtual.web]\nkind = 'https'\nverify = 0", 3, 10, "error", "neither true nor false"),
    ("[checks.virtual.web]\nkind = 'https'\npath = 'health'", 3, 9, "error", "no path of a page"),
    ("[checks.virtual.web]\nkind = 'https'\npath = '/a b'", 3, 9, "error", "%20"),
    ("[checks.virtual.web]\nkind = 'https'\npath = '/a#b'", 3, 9, "error", "no path of a page"),
    ('[checks.virtual.web]\nkind = "https"\npath = "/a\\r\\nX: y"', 3, 1, "error", "no path of a page"),
    ('[checks.virtual.web]\nkind = "https"\nhost = "a\\r\\nX: y"', 3, 1, "error", "no host name"),
    ("[checks.virtual.web]\nkind = 'https'\nhost = 'a:443'", 3, 9, "error", "no host name"),
    ("[checks.virtual.web]\nkind = 'https'\nserver_name = '*.x'", 3, 16, "error", "no host name"),
    ("[checks.virtual.web]\nkind = 'https'\nstatus = '200-'", 3, 11, "error", "no status of HTTP"),
    ("[checks.virtual.web]\nkind = 'https'\nstatus = '299-200'", 3, 11, "error", "no status of HTTP"),
    ("[checks.virtual.web]\nkind = 'https'\nstatus = '200, 101'", 3, 16, "error", "from 200 to 599"),
    ("[checks.virtual.web]\nkind = 'https'\nstatus = 600", 3, 10, "error", "no status of HTTP"),
    ("[checks.virtual.web]\nkind = 'https'\nstatus = true", 3, 10, "error", "no status of HTTP"),
    ("[checks.virtual.web]\nkind = 'https'\nexpect = ''", 3, 1, "error", "no text of 1 to 1024 bytes"),
    ("[checks.virtual.web]\nkind = 'https'\nca_file = 'ca.pem'", 3, 12, "error", "no absolute path"),
    ("[checks.virtual.web]\nkind = 'https'\nwarn_days = 366", 3, 13, "error", "from 0 to 365"),
    ("[checks.virtual.'a b.c']\nkind = 'tls'\nhots = 'x'", 3, 1, "warning", "Did you mean host?"),
    ("[checks]\nvirtual.web.kind = 'ftp'", 2, 21, "error", '"tls" or "http" or "https"'),
    ("[checks.virtual]\nweb = { kind = 'ftp' }", 2, 17, "error", '"tls" or "http" or "https"'),
    ('[weights]\nslow_start = "yes"', 2, 15, "error", '"off" or "quiesce" or "on" or "original"'),
    ("[weights]\nload_formula = 1", 2, 16, "error", '"bounded" or "original"'),
    ("[gui]\nlistne = []", 2, 1, "warning", "Did you mean listen?"),
    ("[gui]\n\nport = 3637", 3, 1, "warning", "Known are listen, "),
    ("[Gui]\n", 1, 1, "warning", "Did you mean gui?"),
    ('title = "x"\n[gui]\n', 1, 1, "warning", "does nothing"),
    ("gui = 1", 1, 1, "error", "no table"),
    ("[[gui]]\n", 1, 1, "error", "no table"),
    ('gui.listen = ["x"]', 1, 16, "error", "no address with a port"),
    ('gui = { listen = ["x"] }', 1, 1, "error", "no address with a port"),
    ("[failover]\nkeepalive = 0.01", 2, 13, "error", "from 0.05 to 3600"),
    ("[failover]\nkeepalive = nan", 2, 13, "error", "from 0.05 to 3600"),
    ("[failover]\ndeadtime = inf", 2, 12, "error", "from 0.05 to 3600"),
    ("[failover]\ndeadtime = true", 2, 12, "error", "from 0.05 to 3600"),
    ('[failover]\nkeepalive = "2"', 2, 14, "error", "without quotes"),
    ("[failover]\nkeepalive = 2\ndeadtime = 2", 3, 12, "error", "not longer than keepalive (2)"),
    ("[failover]\ndeadtime = 0.5\nkeepalive = 2.5", 2, 12, "error", "deadtime (0.5) is not longer than"),
    ("[failover]\nkeepalive = 2\ndeadtime = 3", 3, 12, "warning", "less than twice"),
    ('[failover]\npartner = "new"', 2, 12, "error", '"auto" or "original"'),
    ('[failover]\npartner = ["auto"]', 2, 1, "error", '"auto" or "original"'),
    ('[failover]\nfailback = "always"', 2, 13, "error", '"auto" or "never"'),
    ("[failover]\nfailback = false", 2, 12, "error", '"auto" or "never"'),
    ("[failover]\nfailback_after = -1", 2, 18, "error", "from 0 to 3600"),
    ("[failover]\ndead_time = 2", 2, 1, "warning", "Did you mean deadtime?"),
    ("[fail-over]\n", 1, 1, "warning", "Did you mean failover?"),
    ('[sync]\nhost = "-oProxyCommand=x"', 2, 9, "error", "no host name and no IP address"),
    ('[sync]\nhost = ""', 2, 1, "error", "no host name and no IP address"),
    ('[sync]\nhost = "a b"', 2, 9, "error", "no host name and no IP address"),
    ('[sync]\nhost = "root@router2"', 2, 9, "error", "no host name and no IP address"),
    ('[sync]\nhost = "fe80::1%eth0"', 2, 9, "error", "without a device"),
    ("[sync]\nhost = 12", 2, 8, "error", "no text"),
    ("[sync]\nport = 0", 2, 8, "error", "from 1 to 65535"),
    ('[sync]\nuser = "-x"', 2, 9, "error", "no name of a user"),
    ("[sync]\nfailover = 1", 2, 1, "warning", "Known are host, port, user."),
    ("[gui\n", 1, 5, "error", "no TOML"),
    ('[gui]\nlisten = ["a" "b"]', 2, 15, "error", "no TOML"),
    ("[gui]\nidle_minutes = 1\nidle_minutes = 2", 3, 17, "error", "no TOML"),
    ("[gui]\r\nidle_minutes = 0\r\n", 2, 16, "error", "from 1 to 1440"),
]


def test_all_of_it() -> None:
    told = read(FULL)
    assert told.faults == ()
    assert told.gui == GuiSettings(
        listen=(Listen(ip_address("127.0.0.1"), 3636), Listen(ip_address("2001:db8::1"), 8443)),
        tls_certificate="/etc/sysconfig/ha/conf/gui.crt",
        tls_key="/etc/sysconfig/ha/conf/gui.key",
        allow_plain_http=False,
        proxies=(ip_network("192.0.2.1/32"), ip_network("2001:db8::/64")),
        idle_minutes=45,
        absolute_hours=8,
    )
    assert told.gui.exposed == ()


@pytest.mark.parametrize("raw", [b"", b"# nothing\n", b"[gui]\n", b"\xef\xbb\xbf[gui]\r\n"])
def test_nothing_said_is_this_machine_alone_without_proxies(raw: bytes) -> None:
    told = read(raw)
    assert told.faults == ()
    assert [str(each) for each in told.gui.listen] == ["127.0.0.1:3636", "[::1]:3636"]
    assert (told.gui.proxies, told.gui.has_tls, told.gui.exposed) == ((), False, ())


@pytest.mark.parametrize(("text", "line", "column", "severity", "named"), FAULTS)
def test_a_fault_has_its_place_and_says_what_to_do(
    text: str, line: int, column: int, severity: str, named: str
) -> None:
    (fault,) = read(text.encode()).faults
    assert (fault.line, fault.column, str(fault.severity)) == (line, column, severity)
    assert named in f"{fault.message} {fault.advice}"
    assert fault.advice
    assert fault.text == text.split("\n")[line - 1].removesuffix("\r")
    assert fault.located("piranha.toml").startswith(f"piranha.toml:{line}:{column}: {severity}: ")


def test_what_both_routers_share_and_how_this_one_reaches_the_other() -> None:
    told = read(
        b"""[failover]
keepalive = 0.2
deadtime = 1
partner = "original"
failback = "never"
failback_after = 0
[sync]
host = "router2.example.com."
port = 2222
user = "piranha-sync"
"""
    )
    assert told.faults == ()
    assert told.failover == FailoverSettings(0.2, 1.0, "original", "never", 0.0)
    assert told.sync == SyncSettings("router2.example.com", 2222, "piranha-sync")
    assert read(b'[sync]\nhost = "2001:db8::12"').sync.host == "2001:db8::12"


def test_what_the_checks_and_the_weights_do() -> None:
    told = read(b'[checks]\nrise = 2\nfall = 3\n[weights]\nslow_start = "original"\nload_formula = "original"\n')
    assert told.faults == ()
    assert told.checks == CheckSettings(2, 3)
    assert told.weights == WeightSettings("original", "original")


def test_without_them_one_failure_removes_and_quiesce_starts_slowly() -> None:
    told = read(b"[checks]\n[weights]\n")
    assert (told.checks, told.weights) == (CheckSettings(0, 1), WeightSettings("quiesce", "bounded"))


def test_the_words_of_the_file_are_those_that_the_weights_know() -> None:
    assert tuple(SlowStart) == SLOW_STARTS
    assert tuple(Formula) == LOAD_FORMULAS


def test_what_is_not_said_is_what_lvs_cf_says() -> None:
    told = read(b"[failover]\n[sync]\n")
    assert told.failover == FailoverSettings(None, None, "auto", "auto", 30.0)
    assert told.sync == SyncSettings("", 22, "root")
    assert told.failover.times(6, 18) == (6, 18)
    assert read(b"[failover]\nkeepalive = 0.5").failover.times(6, 18) == (0.5, 18)
    assert read(b"[failover]\ndeadtime = 20").failover.times(6, 18) == (6, 20)


@pytest.mark.parametrize(
    ("text", "line", "severity", "says"),
    [
        ("keepalive = 18", 2, "error", "deadtime (18) is not longer than keepalive (18) (deadtime is that of lvs.cf)"),
        ("deadtime = 0.5", 2, "error", "deadtime (0.5) is not longer than keepalive (6) (keepalive is that of lvs.cf)"),
        ("# fast\nkeepalive = 10", 3, "warning", "deadtime (18) is less than twice keepalive (10)"),
    ],
)
def test_one_time_that_does_not_fit_the_other_in_lvs_cf_is_a_fault(
    text: str, line: int, severity: str, says: str
) -> None:
    raw = f"[failover]\n{text}\n".encode()
    assert read(raw).faults == ()
    (fault,) = read(raw, (6, 18)).faults
    assert (fault.line, str(fault.severity), says in fault.message) == (line, severity, True), fault.message
    assert read(b"[failover]\nkeepalive = 1\ndeadtime = 3\n", (6, 18)).faults == ()
    assert read(b"[gui]\n", (6, 5)).faults == ()


def test_times_that_make_no_sense_together_are_both_left_to_lvs_cf() -> None:
    assert read(b"[failover]\nkeepalive = 3\ndeadtime = 2").failover == FailoverSettings()


@given(st.text())
def test_a_host_is_never_an_option_and_never_more_than_one_word(text: str) -> None:
    try:
        host = host_of(text)
    except ValueProblem as problem:
        assert problem.advice
        return
    assert not host.startswith("-")
    assert not set(host) & set(" \t\n@/%'\"\\$`;")


def test_all_faults_are_told_at_once_and_a_wrong_setting_has_its_default() -> None:
    told = read(b'[gui]\nidle_minutes = 0\nabsolute_hours = 99999\nlisten = ["x"]\nproxies = ["192.0.2.1"]\nfoo = 1\n')
    assert [fault.line for fault in told.faults] == [2, 3, 4, 6]
    assert [fault.line for fault in told.errors] == [2, 3, 4]
    assert told.gui == GuiSettings(proxies=(ip_network("192.0.2.1"),))


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    (fault,) = read(b"[gui]\n# caf\xe9\n").faults
    assert (fault.severity, fault.line) == (Severity.ERROR, 2)


@pytest.mark.parametrize("settings", ["allow_plain_http = true", 'tls_certificate = "/a"\ntls_key = "/b"'])
def test_other_machines_are_let_near_with_tls_or_when_it_is_asked_for(settings: str) -> None:
    told = read(f'[gui]\nlisten = ["0.0.0.0:3636"]\n{settings}\n'.encode())
    assert told.faults == ()
    assert told.gui.exposed == ()


def test_an_address_that_others_reach_is_known() -> None:
    listen = tuple(listen_of(each) for each in ("127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::]:1", "192.0.2.1:1"))
    assert [str(each) for each in GuiSettings(listen=listen).exposed] == ["[::]:1", "192.0.2.1:1"]


@given(st.ip_addresses(), st.integers(1, 65535))
def test_what_is_written_is_what_is_read(address: object, port: int) -> None:
    made = Listen(ip_address(str(address)), port)
    assert listen_of(str(made)) == made


@given(st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text())))
def test_any_other_value_is_a_problem_with_advice(value: object) -> None:
    try:
        listen_of(value)
    except ValueProblem as problem:
        assert problem.advice
        assert problem.message


values = st.one_of(
    st.sampled_from(
        [
            '"x"',
            "1",
            "true",
            "[]",
            '["127.0.0.1:1"]',
            "{ a = 1 }",
            "1979-05-27",
            "0.5",
            "-1e9",
            '"auto"',
            "[1]",
            '"""\na\n"""',
            "nan",
        ]
    )
)
lines = st.one_of(
    st.builds(
        "{} = {}".format,
        st.sampled_from(
            [*GUI_KEYS, *FAILOVER_KEYS, *SYNC_KEYS, *CHECK_KEYS, *WEIGHT_KEYS, *KIND_KEYS, "gui", '"a b"', "x.y"],
        ),
        values,
    ),
    st.sampled_from(
        [
            "[gui]",
            "[failover]",
            "[sync]",
            "[checks]",
            "[checks.virtual.web]",
            "[weights]",
            "[gui.more]",
            "[other]",
            "[[gui]]",
            "# c",
            "",
            "nonsense",
            "[",
        ]
    ),
)


@given(st.one_of(st.lists(lines, max_size=6).map("\n".join).map(str.encode), st.binary(max_size=60)))
def test_any_file_gives_settings_and_faults_inside_it(raw: bytes) -> None:
    told = read(raw)
    count = raw.count(b"\n") + 1
    assert all(1 <= fault.line <= count and fault.column >= 1 for fault in told.faults)
    assert all(fault.message and fault.advice for fault in told.faults)
    assert told.gui.listen
    # Nothing that is not understood opens the GUI.
    assert told.errors or not told.gui.exposed
    keepalive_s, deadtime_s = told.failover.times(1, 3601)
    assert 0.05 <= keepalive_s <= 3600
    assert deadtime_s <= 3601


CLUSTER = """\
virtual web {
 port = 443
}
virtual "odd name" {
 port = 80
}
virtual web {
 port = 8443
}
virtual dns {
 protocol = udp
}
"""


def test_the_checks_of_other_kinds_and_their_words() -> None:
    told = read(
        b"""[checks]
fall = 2
[checks.virtual.web]
kind = "https"
path = "/health"
host = "www.example.com"
server_name = "Web.example.com"
status = "200-204, 401"
expect = "OK"
ca_file = "/ca.pem"
warn_days = 0
[checks.virtual."odd name"]
kind = "http"
status = 200
[checks.virtual."web#2"]
kind = "tls"
verify_name = false
""",
        virtuals=load(CLUSTER).cluster.virtual_servers,
    )
    assert told.faults == ()
    web = CheckKind(
        "https",
        "/health",
        "www.example.com",
        ((200, 204), (401, 401)),
        "OK",
        "web.example.com",
        ca_file="/ca.pem",
        warn_days=0,
    )
    plain = CheckKind("http", statuses=((200, 200),))
    second = CheckKind("tls", verifies_name=False)
    assert told.checks == CheckSettings(fall=2, kinds={"web": web, "odd name": plain, "web#2": second})
    assert [str(each) for each in (web, plain, second)] == [
        'https, path /health, host www.example.com, status 200-204, 401, expect "OK", trusted by /ca.pem, for '
        "web.example.com",
        "http, path /, status 200",
        "tls, trusted by the system, for any name",
    ]
    assert str(CheckKind("https", verifies=False)) == "https, path /, status 200-299, any certificate"
    names = [name_of(each) for each in load(CLUSTER).cluster.virtual_servers]
    assert names == ["web", "odd name", "web#2", "dns"]


def test_a_table_with_an_error_does_nothing_and_the_others_hold() -> None:
    told = read(b"[checks.virtual.a]\nkind = 'tls'\nverify = 1\n[checks.virtual.b]\nkind = 'tls'\n")
    assert [fault.line for fault in told.errors] == [3]
    assert told.checks.kinds == {"b": CheckKind("tls")}


def test_a_check_for_nobody_in_lvs_cf_is_a_warning() -> None:
    raw = b"[checks.virtual.web]\nkind = 'tls'\n[checks.virtual.wbe]\nkind = 'tls'\n[checks.virtual.dns]\nkind = 'tls'"
    nobody, udp = read(raw, virtuals=load(CLUSTER).cluster.virtual_servers).faults
    assert (nobody.severity, nobody.line, nobody.column) == (Severity.WARNING, 3, 1)
    assert nobody.message == 'lvs.cf has no virtual server "wbe"; its check does nothing.'
    assert nobody.advice == "It has web, odd name, web#2, dns."
    assert (udp.severity, udp.line) == (Severity.WARNING, 5)
    assert udp.message == 'The virtual server "dns" is one of UDP; its check here does nothing.'
    assert read(raw).faults == ()
    assert len(read(raw, virtuals=()).faults) == 3

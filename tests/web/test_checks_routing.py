"""How packets travel: forwarding, NAT, direct routing, marks. Numbers are those of the reference for the GUI, 7."""

import html
import re
import socket

import pytest

from piranha.config.load import load
from piranha.ipvs.settings import FORWARD, KernelSettings, judged, use_of
from piranha.paths import Paths
from piranha.status import KernelStatus, Source
from piranha.web.arp_help import SERVERS_SHOWN, cures_of
from tests.plain_browser import Page
from tests.web.conftest import InProcessBrowser, KeeperEngine, Watched

GLOBAL = "/secure/global_settings"
HTTP = "/secure/virtual_server?virtual=virtual%5Bhttp%5D"
SMTP = "/secure/virtual_server?virtual=virtual%5Bsmtp%5D"
NAT = "NAT – Requests and replies pass through the router, which rewrites the addresses."
DIRECT = "Direct Routing – Real servers answer clients directly; they share a network with the router."
NAT_LINES = "network = nat\nnat_router = 10.0.0.254 eth1:1\nnat_nmask = 255.255.255.0\n"


def rewrite(paths: Paths, old: str, new: str) -> str:
    """Change the text of lvs.cf as somebody with an editor does; return it."""
    text = paths.lvs_cf.read_text()
    assert old in text
    paths.lvs_cf.write_text(text.replace(old, new))
    return paths.lvs_cf.read_text()


def warnings(page: Page) -> list[str]:
    """Return what a page warns of on top."""
    found = re.findall(r'<p class="message message-warning"[^>]*><strong>▲ Warning:</strong>(.*?)</p>', page.html)
    return [" ".join(html.unescape(re.sub("<[^>]+>", "", each)).split()) for each in found]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (
            "0",
            "0✖ wrongNAT: the router must forward IPv4, or no client gets an answer. "
            "Type as root: sysctl -w net.ipv4.ip_forward=1",
        ),
        ("1", "1● fitsNAT: the router forwards the answers of real servers."),
    ],
)
def test_check_22_forwarding_that_is_off_is_warned_of_with_the_setting_to_change(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths, value: str, told: str
) -> None:
    use = use_of(load(rewrite(paths, "network = direct\n", NAT_LINES)).cluster)
    settings = judged(KernelSettings({FORWARD: value}), use)
    engine.beside["kernel"] = KernelStatus("1.2.1", 4096, None, None, settings, "", Source("the kernel", 0.0))
    row = re.search(r"net\.ipv4\.ip_forward(.*?) net\.ipv4\.conf", browser.open("/secure/control").text)
    assert row is not None and row[1] == told


def test_check_24_the_diff_shows_what_happens_to_the_nat_keys_and_a_note_says_what_that_means(
    browser: InProcessBrowser, engine: KeeperEngine, paths: Paths
) -> None:
    rewrite(paths, "network = direct\n", NAT_LINES)
    engine.keeper.catch_up()
    page = browser.open(GLOBAL).fill(DIRECT, "1").fill("TCP timeout (seconds)", "900").press("ACCEPT")
    assert "The settings of the NAT router stay in lvs.cf. They have no effect now" in page.text
    assert page.value("NAT Router IP") == "10.0.0.254"
    assert page.value("NAT Router device") == "eth1:1"
    assert page.value("TCP timeout (seconds)") == "900"
    number = len(engine.keeper.history().versions)
    lines = browser.open(f"/secure/history/diff?old={number - 1}&new={number}").html
    shown = re.findall(r'<span class="diff-(\w+)">(.*?)</span>', lines)
    assert {("removed", "-network = nat"), ("added", "+network = direct")} <= set(shown)
    # They stay: no line of the difference takes them away, and the plan says that they have no effect.
    assert {("same", " nat_router = 10.0.0.254 eth1:1"), ("same", " nat_nmask = 255.255.255.0")} <= set(shown)
    assert "nat_router has no effect: network is direct." in browser.open("/secure/plan").text


def test_check_25_a_nat_configuration_is_shown_with_what_has_to_be_so_elsewhere(
    browser: InProcessBrowser, paths: Paths
) -> None:
    rewrite(paths, "network = direct\n", NAT_LINES)
    text = browser.open(GLOBAL).text
    assert "the default gateway of every real server must be the NAT Router IP" in text
    assert "Do not set up floating addresses in the network scripts" in text


def test_check_27_with_direct_routing_no_nat_field_is_required(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open(GLOBAL)
    assert [page.value(f"NAT Router {word}") for word in ("IP", "netmask", "device")] == ["", "", ""]
    page = page.fill("UDP timeout (seconds)", "30").press("ACCEPT")
    assert page.status == 200
    assert watched.changed_lines() == ["+ udp_timeout = 30"]


def test_check_27_help_has_both_cures_for_each_address_port_and_protocol_to_be_copied(
    browser: InProcessBrowser, paths: Paths
) -> None:
    text = paths.lvs_cf.read_text() + (
        "virtual dns {\n active = 1\n address = 192.0.2.80 eth0:1\n port = 53\n protocol = udp\n"
        " server ns1 {\n address = 192.0.2.23\n active = 1\n }\n}\n"
        "virtual six {\n active = 1\n address = 2001:db8::80 eth0:3\n port = 443\n fwmark = 9\n"
        " server s6 {\n address = 2001:db8::21\n active = 1\n }\n}\n"
    )
    paths.lvs_cf.write_text(text)
    page = browser.open(GLOBAL).follow("two ways to do that")
    assert "only the active router may answer ARP requests for it" in page.text
    blocks = re.findall(r'<section class="cures">(.*?)</section>', page.html, re.DOTALL)
    assert len(blocks) == 3
    shared, smtp, six = (
        [each.splitlines() for each in re.findall("<pre>(.*?)</pre>", one, re.DOTALL)] for one in blocks
    )
    assert shared == [
        [
            "ip addr add 192.0.2.80/32 dev lo",
            "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
        ],
        [
            line
            for name, address in (("web1", "192.0.2.21"), ("web2", "192.0.2.22"), ("ns1", "192.0.2.23"))
            for line in (
                f"# {name}",
                "ip addr add 192.0.2.80/32 dev lo",
                "arptables -A INPUT -d 192.0.2.80 -j DROP",
                f"arptables -A OUTPUT -s 192.0.2.80 -j mangle --mangle-ip-s {address}",
            )
        ],
        [
            "iptables -t nat -A PREROUTING -p tcp -d 192.0.2.80 --dport 80 -j REDIRECT",
            "iptables -t nat -A PREROUTING -p udp -d 192.0.2.80 --dport 53 -j REDIRECT",
        ],
    ]
    assert smtp[-1] == ["iptables -t nat -A PREROUTING -p tcp -d 192.0.2.81 --dport 25 -j REDIRECT"]
    assert six == [
        ["ip addr add 2001:db8::80/128 dev lo"],
        [
            "ip6tables -t nat -A PREROUTING -p tcp -d 2001:db8::80 --dport 443 -j REDIRECT",
            "# and the same for every other port that gets firewall mark 9",
        ],
    ]
    own = browser.open(SMTP).follow("what to type there")
    assert own.html.count('<section class="cures">') == 1 and "-d 192.0.2.81 --dport 25" in own.text


def test_rules_that_are_left_out_are_counted() -> None:
    servers = "".join(
        f" server s{n} {{\n address = 10.0.0.{n}\n active = 1\n }}\n" for n in range(1, SERVERS_SHOWN + 4)
    )
    cluster = load(f"network = direct\nvirtual big {{\n address = 192.0.2.80 eth0:1\n port = 80\n{servers}}}\n").cluster
    (cures,) = cures_of(cluster)
    assert len(cures.arptables) == 4 * SERVERS_SHOWN + 1
    assert cures.arptables[-1] == "# and the same on 3 more, each with its own address"


def test_help_writes_no_rules_out_where_none_are_needed_or_nothing_is_known(
    browser: InProcessBrowser, paths: Paths
) -> None:
    rewrite(paths, "network = direct\n", NAT_LINES)
    page = browser.open("/secure/help")
    assert "Direct routing and ARP" in page.text and 'class="cures"' not in page.html
    assert "what to type there" not in browser.open(HTTP).text
    paths.lvs_cf.unlink()
    page = browser.open("/secure/help")
    assert page.status == 200 and 'class="cures"' not in page.html


@pytest.mark.parametrize("network", ["direct", "tunnel"])
@pytest.mark.parametrize("is_active", [True, False])
def test_check_28_another_port_than_the_virtual_one_is_warned_of(
    browser: InProcessBrowser, paths: Paths, network: str, is_active: bool
) -> None:
    rewrite(paths, "network = direct", f"network = {network}")
    form = "/secure/real_server?server=virtual%5Bhttp%5D.server%5Bweb1%5D"
    if not is_active:
        rewrite(paths, "192.0.2.21\n         active = 1", "192.0.2.21\n         active = 0")
    told = "Only NAT can change the port: packets arrive at port 80, not 8080. Remove it, or write 80."
    assert told not in browser.open(form).text
    page = browser.open(form).fill("Port", "8080").press("ACCEPT")
    assert page.status == 200
    assert told in warnings(page)
    page = page.fill("Port", "80").press("ACCEPT")
    assert told not in page.text


def test_check_28_a_new_real_server_is_warned_of_at_once(browser: InProcessBrowser) -> None:
    page = browser.open("/secure/real_server/add?virtual=virtual%5Bhttp%5D")
    page = page.fill("Name", "web3").fill("Address", "192.0.2.23").fill("Port", "8080").press("ACCEPT")
    assert "Real server web3 is added." in page.text
    assert any(each.startswith("Only NAT can change the port") for each in warnings(page))


def test_check_29_a_device_that_is_not_here_is_warned_of_and_those_that_are_are_named(
    browser: InProcessBrowser, watched: Watched
) -> None:
    told = "This router has no interface nosuch0; it has "
    page = browser.open(HTTP).fill("Device", "nosuch0:1").press("ACCEPT")
    # A warning: it is saved.
    assert watched.changed_lines() == ["-      address = 192.0.2.80 eth0:1", "+      address = 192.0.2.80 nosuch0:1"]
    (warning,) = [each for each in warnings(page) if each.startswith(told)]
    here = [name for _, name in socket.if_nameindex()]
    assert "lo" in here and all(name in warning for name in here[:1])
    assert 'aria-describedby="device-doubt"' in page.html
    page = page.fill("Device", "lo:1").press("ACCEPT")
    assert page.status == 200 and "This router has no interface" not in page.text


def test_check_29_so_is_that_of_a_new_virtual_server_and_of_the_nat_router(
    browser: InProcessBrowser, paths: Paths
) -> None:
    page = browser.open("/secure/virtual_server/add").fill("Name", "shop").fill("Virtual IP Address", "192.0.2.90")
    page = page.fill("Device", "nosuch0:3").press("ACCEPT")
    assert "Virtual server shop is added." in page.text
    assert any(each.startswith("This router has no interface nosuch0; it has ") for each in warnings(page))
    page = (
        browser.open(GLOBAL).fill(NAT, "1").fill("NAT Router IP", "10.0.0.254").fill("NAT Router device", "nosuch1:1")
    )
    page = page.press("ACCEPT")
    assert "nat_router = 10.0.0.254 nosuch1:1\n" in paths.lvs_cf.read_text()
    assert any(each.startswith("This router has no interface nosuch1; it has ") for each in warnings(page))
    # With another type it is not used.
    assert "no interface nosuch1" not in page.fill(DIRECT, "1").press("ACCEPT").text


@pytest.mark.parametrize("edited", ["http", "smtp"])
@pytest.mark.parametrize("other", ["", "persistent = 60\n     "])
def test_check_32_virtual_servers_that_share_a_mark_and_differ_in_persistence_are_both_named(
    browser: InProcessBrowser, paths: Paths, edited: str, other: str
) -> None:
    mark = f"fwmark = 80\n     {other}"
    rewrite(paths, "     port = 25\n" if edited == "http" else "     port = 80\n", f"     {mark}port = 25\n")
    address = HTTP if edited == "http" else SMTP
    told = 'The virtual servers "http" and "smtp" share the firewall mark and differ in persistence.'
    page = browser.open(address).fill("Firewall Mark", "80").fill("Persistence", "300").press("ACCEPT")
    assert page.status == 200
    assert any(each.startswith(told) for each in warnings(page))
    page = page.fill("Persistence", "60" if other else "").press("ACCEPT")
    assert told not in page.text


def test_check_33_a_cleared_mark_is_gone_from_the_file(browser: InProcessBrowser, watched: Watched) -> None:
    page = browser.open(HTTP).fill("Firewall Mark", "80").press("ACCEPT")
    assert "+      fwmark = 80" in watched.changed_lines()
    page = page.fill("Firewall Mark", "").press("ACCEPT")
    assert page.status == 200
    assert "fwmark" not in watched.path.read_text()
    assert watched.changed_lines() == []

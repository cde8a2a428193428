"""Floating addresses on real interfaces: labels and masks, nobody else's address lost, announcements, conflicts."""

import asyncio
import itertools
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, ip_address

import pytest

from piranha.errors import StepRefused
from piranha.ipvs.addresses import (
    AddAddress,
    Condition,
    Held,
    Outcome,
    RemoveAddress,
    ReseatAddress,
    WantedAddress,
    owned_after,
    plan,
)
from piranha.ipvs.announcements import Announcing, Carried, carry, due, link_seen
from piranha.system import arp
from piranha.system.addresses import ChangeWatch, LinkChanged, RouterAddresses
from piranha.system.arp import Listener, announce, find_conflicts
from piranha.system.arp_frames import Claim, announcements, question
from piranha.system.route_netlink import HEADER, RouteSocket, attribute
from tests.lab.capture import WAIT_S, captured, held_by
from tests.lab.topology import Host, Topology

VIP, VIP6 = ip_address("198.51.100.100"), ip_address("2001:db8:2::100")


def wanted(written: str, label: str = "eth0:1", broadcast: str = "") -> WantedAddress:
    host, _, prefix = written.partition("/")
    held = Held("eth0", ip_address(host), int(prefix or (128 if ":" in host else 32)))
    label = label if held.address.version == 4 else ""
    return WantedAddress(held, label, IPv4Address(broadcast) if broadcast else None, "virtual[web]")


def reconcile(host: Host, owned: frozenset[Held], wishes: Collection[WantedAddress]) -> frozenset[Held]:
    """Do what a router does: read, plan, apply; return what is ours then."""
    with host.inside(), RouterAddresses() as router:
        made = plan(router.read(), owned, wishes)
        owned = made.owned
        for done in router.apply_all(made.steps):
            assert not done.sentence
            owned = owned_after(owned, done.step, done.outcome)
        assert plan(router.read(), owned, wishes).steps == ()
    return owned


# the addresses


def test_addresses_stand_on_the_interface_with_their_label_mask_and_broadcast_address(lvs1: Host) -> None:
    wishes = [
        wanted("198.51.100.100/24", "eth0:1", "198.51.100.255"),
        wanted("198.51.100.101", "eth0:1", "198.51.100.101"),  # scenario 54
        wanted("10.9.0.100", "eth0:1"),  # scenario 53
        wanted("2001:db8:2::100"),
    ]
    routes = lvs1.run("ip", "route")
    reconcile(lvs1, frozenset(), wishes)
    shown = lvs1.run("ip", "addr", "show", "dev", "eth0")
    for line in (
        "inet 198.51.100.100/24 brd 198.51.100.255 scope global secondary eth0:1\n",
        "inet 198.51.100.101/32 brd 198.51.100.101 scope global eth0:1\n",
        "inet 10.9.0.100/32 scope global eth0:1\n",
        "inet6 2001:db8:2::100/128 scope global nodad deprecated noprefixroute \n",
    ):
        assert line in shown
    assert lvs1.run("ip", "route") == routes
    assert "2001:db8:2::100" not in lvs1.run("ip", "-6", "route")


def test_everybody_reaches_the_addresses_and_no_connection_comes_from_them(lab: Topology, lvs1: Host) -> None:
    vips = ["198.51.100.100/24", "198.51.100.101", "2001:db8:2::100"]
    reconcile(lvs1, frozenset(), [wanted(each, "eth0:1", "198.51.100.101" if "101" in each else "") for each in vips])
    for address in ("198.51.100.100", "198.51.100.101", "2001:db8:2::100"):
        lab["client"].run("ping", "-c", "1", "-W", "2", address)
    for there, version in (("dmz.1", 4), ("public.10", 4), ("dmz.1", 6), ("public.10", 6)):
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with lvs1.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((lab.address(there, version), 9))
            assert asking.getsockname()[0] == lab.address("dmz.11", version)


@pytest.mark.parametrize("promotes", ["0", "1"])
def test_in_whatever_order_addresses_come_and_go_nobody_else_loses_one(lvs1: Host, promotes: str) -> None:
    name = "net.ipv4.conf.eth0.promote_secondaries"
    lvs1.sysctl(name, promotes)
    ours = [wanted("203.0.113.100/24"), wanted("203.0.113.101/24")]
    strangers = ["203.0.113.1/24", "203.0.113.2/24"]
    for order in itertools.permutations([*ours, *strangers]):
        for first_gone in (0, 1):
            with lvs1.inside(), RouterAddresses() as router:
                for each in order:
                    if isinstance(each, str):
                        router.apply(AddAddress(wanted(each, "eth0")))  # nobody wrote down that it is ours
                    else:
                        assert router.apply(AddAddress(each)) is Outcome.DONE
                for each in (ours[first_gone], ours[1 - first_gone]):
                    router.apply(RemoveAddress(each.held))
                there = {str(a.held) for a in router.read().addresses if str(a.held.address).startswith("203.")}
                assert there == {f"{each} on eth0" for each in strangers}, order
                for each in strangers:
                    router.apply(RemoveAddress(wanted(each).held))
    assert lvs1.run("cat", "/proc/sys/net/ipv4/conf/eth0/promote_secondaries").strip() == promotes
    lvs1.sysctl(name, "0")


def test_ours_goes_behind_an_address_that_came_later_and_is_there_all_the_time(lvs1: Host) -> None:
    wish = wanted("203.0.113.100/24", "eth0:1", "203.0.113.255")
    owned = reconcile(lvs1, frozenset(), [wish])
    lvs1.ip("addr add 203.0.113.11/24 dev eth0")
    assert "203.0.113.0/24 dev eth0 proto kernel scope link src 203.0.113.100" in lvs1.run("ip", "route")
    with lvs1.inside(), RouteSocket(0x40) as routes:  # RTMGRP_IPV4_ROUTE
        owned = reconcile(lvs1, owned, [wish])
        relabelled = wanted("203.0.113.100/24", "eth0:7", "203.0.113.255")
        owned = reconcile(lvs1, owned, [relabelled])
        said = routes.changes()
    assert said
    # struct rtmsg behind the header: the type of the route is its eighth byte, 2 is a local address. Of those there is
    # one for each address that connections come from, and at any moment at least one.
    count = 1
    for kind, message in said:
        if message[HEADER.size + 7] == 2 and attribute(1, wish.held.address.packed) in message:  # RTA_DST
            count += {24: 1, 25: -1}[kind]
            assert count > 0
    assert count == 1
    assert "203.0.113.0/24 dev eth0 proto kernel scope link src 203.0.113.11" in lvs1.run("ip", "route")
    assert "scope global secondary eth0:7\n" in lvs1.run("ip", "addr", "show", "dev", "eth0")
    reconcile(lvs1, owned, [])
    assert "203.0.113.11/24" in lvs1.run("ip", "addr", "show", "dev", "eth0")


def test_an_address_of_somebody_else_is_used_and_never_removed(lvs1: Host) -> None:
    lvs1.ip("addr add 198.51.100.100/24 dev eth0", "addr add 2001:db8:2::100/64 dev eth0 nodad")
    wishes = [wanted("198.51.100.100"), wanted("2001:db8:2::100")]
    before = held_by(lvs1)
    owned = reconcile(lvs1, frozenset(), wishes)
    assert owned == frozenset()
    with lvs1.inside(), RouterAddresses() as router:
        standings = plan(router.read(), owned, wishes).standings
        assert router.apply(AddAddress(wanted("198.51.100.100/24"))) is Outcome.WAS_THERE
    assert {each.condition for each in standings} == {Condition.WAS_THERE}
    reconcile(lvs1, owned, [])
    assert held_by(lvs1) == before


def test_a_router_killed_at_any_step_knows_its_own_addresses_afterwards(lvs1: Host) -> None:
    wishes = [wanted("198.51.100.100"), wanted("198.51.100.101"), wanted("203.0.113.5/24")]
    before = held_by(lvs1)
    for survived in range(len(wishes) + 1):
        with lvs1.inside(), RouterAddresses() as router:
            made = plan(router.read(), (), wishes)
            for step in made.steps[:survived]:
                router.apply(step)
        # It starts again with what was written down before the first step, and finds itself passive.
        assert reconcile(lvs1, made.owned, []) == frozenset()
        assert held_by(lvs1) == before


def test_an_address_that_the_kernel_took_away_with_another_is_heard_of_and_comes_back(lvs1: Host) -> None:
    lvs1.ip("addr add 203.0.113.11/24 dev eth0")
    wish = wanted("203.0.113.100/24")
    owned = reconcile(lvs1, frozenset(), [wish])
    with lvs1.inside(), ChangeWatch() as watch:
        lvs1.ip("addr del 203.0.113.11/24 dev eth0")
        assert select.select([watch], [], [], WAIT_S)[0]
        gone = {str(each.address.held) for each in watch.changes() if hasattr(each, "address") and each.is_gone}
    assert gone == {"203.0.113.11/24 on eth0", "203.0.113.100/24 on eth0"}
    reconcile(lvs1, owned, [wish])
    assert wish.held in held_by(lvs1)


def test_without_permission_the_reason_is_a_sentence_and_nothing_changes(lvs1: Host) -> None:
    before = held_by(lvs1)
    with lvs1.inside():
        os.seteuid(65534)
        try:
            with RouterAddresses() as router:
                for step in (AddAddress(wanted("198.51.100.100")), RemoveAddress(next(iter(before)))):
                    with pytest.raises(StepRefused, match="CAP_NET_ADMIN"):
                        router.apply(step)
                with pytest.raises(StepRefused, match="CAP_NET_ADMIN"):
                    router.apply(ReseatAddress(wanted("198.51.100.11/24"), 32))
            assert "CAP_NET_RAW" in announce("eth0", [VIP])
            with pytest.raises(arp.CannotSend, match="CAP_NET_RAW"):
                Listener("eth0", [VIP])
        finally:
            os.seteuid(0)
    assert held_by(lvs1) == before


def test_ipv6_that_is_switched_off_on_an_interface_is_said(lvs1: Host) -> None:
    lvs1.ip("link add dark0 type dummy", "link set dark0 up")
    lvs1.sysctl("net.ipv6.conf.dark0.disable_ipv6", "1")
    wish = WantedAddress(Held("dark0", VIP6, 128), "", None, "virtual[web]")
    with (
        lvs1.inside(),
        RouterAddresses() as router,
        pytest.raises(StepRefused, match=r"conf\.dark0\.disable_ipv6 to 0"),
    ):
        router.apply(AddAddress(wish))
    lvs1.ip("link del dark0")


# the announcements


def test_an_announcement_goes_over_the_wire_as_documented_and_changes_the_neighbours(lab: Topology, lvs1: Host) -> None:
    upstream, lvs2 = lab["upstream"], lab["lvs2"]
    device = upstream.device("dmz")
    for host in (lvs2, lvs1):
        owned = reconcile(host, frozenset(), [wanted("198.51.100.100"), wanted("2001:db8:2::100")])
        mac = bytes.fromhex(host.mac("dmz").replace(":", ""))
        if host is lvs2:
            upstream.run("ping", "-c", "1", "-W", "2", str(VIP))
            upstream.run("ping", "-c", "1", "-W", "2", str(VIP6))
        else:
            with captured(upstream, device) as capture:
                with host.inside():
                    assert announce("eth0", [VIP]) == ""
                assert capture.about(VIP, host, "eth0") == list(announcements(VIP, mac))
                with host.inside():
                    assert announce("eth0", [VIP6]) == ""
                # The lab's routers forward IPv6, so they say that they are routers, as their kernels do.
                assert capture.about(VIP6, host, "eth0") == list(announcements(VIP6, mac, True))
        for address in (VIP, VIP6):
            assert f"lladdr {host.mac('dmz')}" in upstream.run("ip", "neigh", "show", str(address))
        if host is lvs2:
            reconcile(host, owned, [])


def test_nothing_is_announced_after_a_yield(lab: Topology, lvs1: Host) -> None:
    carried = [Carried("eth0", VIP), Carried("eth0", VIP6)]
    with captured(lab["upstream"], lab["upstream"].device("dmz")) as capture:
        state = play(lvs1, carry(Announcing(), carried, 0), until=2.5)
        assert len(capture.about(VIP, lvs1, "eth0")) == 6
        play(lvs1, carry(state, [], 2.6), until=1000)
        assert capture.about(VIP, lvs1, "eth0") == []
        assert capture.about(VIP6, lvs1, "eth0") == []


def play(host: Host, state: Announcing, until: float) -> Announcing:
    """Announce whatever is due until then, by a clock of its own."""
    while state.next_at is not None and state.next_at <= until:
        state, rounds, _ = due(state, state.next_at)
        with host.inside():
            for each in rounds:
                assert announce(each.device, [each.address]) == ""
    return state


def test_a_carrier_that_comes_back_is_heard_of_and_announced(lab: Topology, lvs1: Host) -> None:
    with lvs1.inside(), RouterAddresses() as router, ChangeWatch() as watch:
        state = carry(Announcing(), [Carried("eth0", VIP)], 0)
        for link in router.read().links.values():
            state = link_seen(state, link, 0)
        state = play(lvs1, state, until=45)
        for how, carrier in (("down", False), ("up", True)):
            subprocess.run(["ip", "-n", "net-dmz", "link", "set", "lvs1-0", how], check=True)
            state = heard(watch, state, carrier)
    with captured(lab["upstream"], lab["upstream"].device("dmz")) as capture:
        play(lvs1, state, until=55)
        assert len(capture.about(VIP, lvs1, "eth0")) == 10


def heard(watch: ChangeWatch, state: Announcing, carrier: bool) -> Announcing:
    ends_at = time.monotonic() + WAIT_S
    while True:
        assert select.select([watch], [], [], ends_at - time.monotonic())[0], "no word of the carrier"
        for change in watch.changes():
            if isinstance(change, LinkChanged) and change.link.name == "eth0":
                state = link_seen(state, change.link, 50)
        if state.links["eth0"].has_carrier is carrier:
            return state


def test_an_interface_without_neighbours_or_that_is_down_is_said(lvs1: Host) -> None:
    lvs1.ip("link add dark0 type veth peer name dark1", "link set dark0 up")
    with lvs1.inside():
        assert "is not like Ethernet" in announce("lo", [VIP])
        assert "dark1 is down" in announce("dark1", [VIP])
        assert announce("dark0", [VIP]) in ("", "dark0 takes no frames: it has no carrier, or too much to send.")
    lvs1.ip("link del dark0")


def test_the_command_sends_the_original_s_frame(lab: Topology, lvs1: Host) -> None:
    words = [str(VIP), "020000000077", "198.51.100.255", "ffffffffffff"]
    with captured(lab["upstream"], lab["upstream"].device("dmz")) as capture:
        lvs1.run(sys.executable, "-m", "piranha.cli.send_arp", "-i", "eth0:1", *words)
        assert capture.about(VIP, lvs1, "eth0") == [announcements(VIP, bytes.fromhex("020000000077"))[1]]


# the conflicts


def test_an_address_that_another_station_has_is_found_with_its_hardware_address(lab: Topology, lvs1: Host) -> None:
    other = lab["lvs2"]
    owned = reconcile(other, frozenset(), [wanted("198.51.100.100"), wanted("2001:db8:2::100")])
    free = [Carried("eth0", ip_address("198.51.100.200")), Carried("eth0", ip_address("2001:db8:2::200"))]
    with captured(lab["upstream"], lab["upstream"].device("dmz")) as capture:
        with lvs1.inside():
            asked = asyncio.run(find_conflicts([Carried("eth0", VIP), Carried("eth0", VIP6), *free]))
        assert capture.about(VIP, lvs1, "eth0") == [question(VIP, bytes.fromhex(lvs1.mac("dmz").replace(":", "")))]
    reconcile(other, owned, [])
    assert asked.troubles == ()
    assert {(each.address, each.claim, each.mac) for each in asked.conflicts} == {
        (VIP, Claim.HAS, other.mac("dmz")),
        (VIP6, Claim.HAS, other.mac("dmz")),
    }


async def test_an_answer_that_comes_while_it_waits_is_taken_and_the_others_are_waited_for(
    lab: Topology, lvs1: Host
) -> None:
    loop = asyncio.get_running_loop()
    free = Carried("eth0", ip_address("198.51.100.200"))
    other = lab["lvs2"]
    loop.call_later(0.05, other.call, lambda: announce("eth0", [VIP]))
    began = loop.time()
    with lvs1.inside():  # what is opened before the first wait stays in it
        asking = find_conflicts([Carried("eth0", VIP), free], questions=1, wait_s=0.3)
        asked = await asking
    assert [(each.address, each.mac) for each in asked.conflicts] == [(VIP, other.mac("dmz"))]
    assert loop.time() - began >= 0.3


def test_two_routers_that_ask_for_one_address_at_once_notice_each_other(lab: Topology, lvs1: Host) -> None:
    other = lab["lvs2"]
    with listening(lvs1) as here, listening(other) as there:
        # A switch that looks into multicast, and many a network card, bring questions to members of the group only.
        assert "ff0200000000000000000001ff000100" in lvs1.run("cat", "/proc/net/igmp6")
        there.ask([VIP, VIP6])
        found: set[tuple[object, Claim, str]] = set()
        ends_at = time.monotonic() + WAIT_S
        while len(found) < 2:
            assert select.select(here.descriptors(), [], [], ends_at - time.monotonic())[0], found
            found |= {(each.address, each.claim, each.mac) for each in here.conflicts()}
        assert found == {(VIP, Claim.WANTS, other.mac("dmz")), (VIP6, Claim.WANTS, other.mac("dmz"))}
        assert there.conflicts() == ()


@contextmanager
def listening(host: Host) -> Iterator[Listener]:
    with host.inside():
        listener = Listener("eth0", [VIP, VIP6])
    with listener:
        yield listener


def test_a_second_owner_that_turns_up_later_is_noticed_and_other_traffic_is_not_looked_at(
    lab: Topology, lvs1: Host
) -> None:
    reconcile(lvs1, frozenset(), [wanted("198.51.100.100"), wanted("2001:db8:2::100")])
    with listening(lvs1) as watching:
        lab["client"].run("ping", "-c", "1", "-W", "2", str(VIP6))
        assert watching.conflicts() == ()
        with lab["lvs2"].inside():
            announce("eth0", [VIP, VIP6])
        assert select.select(watching.descriptors(), [], [], WAIT_S)[0]
        found = {(each.address, each.claim, each.mac) for each in watching.conflicts()}
    assert found == {(VIP, Claim.HAS, lab["lvs2"].mac("dmz")), (VIP6, Claim.HAS, lab["lvs2"].mac("dmz"))}


def test_listening_goes_on_when_the_interface_was_down(lvs1: Host) -> None:
    lvs1.ip("link add dark0 type veth peer name dark1", "link set dark0 up", "link set dark1 up")
    with lvs1.inside():
        listener = Listener("dark0", [VIP])
    with listener:
        lvs1.ip("link set dark0 down")
        assert listener.conflicts() == ()
        lvs1.ip("link set dark0 up")
        with lvs1.inside():
            announce("dark1", [VIP])
        assert select.select(listener.descriptors(), [], [], WAIT_S)[0]
        assert [each.claim for each in listener.conflicts()] == [Claim.HAS]
    lvs1.ip("link del dark0")


@pytest.mark.parametrize("address", ["198.51.100.100/32", "2001:db8:2::100"])
def test_with_an_address_goes_what_the_kernel_knew_of_its_former_owner(lab: Topology, address: str) -> None:
    host = lab["lvs1"]
    name = address.partition("/")[0]
    owned = reconcile(host, frozenset(), [wanted(address)])
    host.ip(f"neigh replace {name} lladdr 02:00:00:00:02:0c dev eth0 nud stale")
    assert name in host.run("ip", "neigh", "show", name, "dev", "eth0")
    assert reconcile(host, owned, []) == frozenset()
    assert "02:00:00:00:02:0c" not in host.run("ip", "neigh", "show", name, "dev", "eth0")

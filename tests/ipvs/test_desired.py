"""From cluster, weights, names and drains to the table."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest

from piranha.config.model import (
    Cluster,
    FloatingAddress,
    Forwarding,
    Host,
    HostName,
    Protocol,
    RealServer,
    RealServerKey,
    ServiceKind,
    VirtualServer,
)
from piranha.health.weight import Weighed
from piranha.ipvs.desired import configured, desired
from piranha.ipvs.drain import Draining
from piranha.ipvs.plan import plan
from piranha.ipvs.table import Destination, DestinationKey, Entry, RemoveDestination, Service, TableKey

VIP = ip_address("192.0.2.1")
WEB = TableKey(Protocol.TCP, VIP, 80)
UP = Weighed(1, True, "")
DOWN = Weighed(None, True, "down")
UNKNOWN = Weighed(None, False, "not checked yet")


def host(written: str) -> Host:
    try:
        return ip_address(written)
    except ValueError:
        return HostName(written)


def real(name: str, address: str | None, port: int = 80, weight: int = 1, **more: bool) -> RealServer:
    return RealServer(
        id=f"virtual[web].server[{name}]",
        name=name,
        address=host(address) if address is not None else None,
        is_active=more.get("is_active", True),
        port=port,
        has_own_port=more.get("has_own_port", False),
        weight=weight,
    )


def virtual(*servers: RealServer, name: str = "web", **more: object) -> VirtualServer:
    made = VirtualServer(
        id=f"virtual[{name}]",
        name=name,
        is_active=True,
        address=FloatingAddress(VIP, "eth0:1"),
        vip_nmask=None,
        sorry_server=None,
        fwmark=0,
        protocol=Protocol.TCP,
        port=80,
        scheduler="wlc",
        persistent_s=0,
        pmask=None,
        send=None,
        expect=None,
        uses_regex=False,
        send_program=None,
        timeout_s=10,
        reentry_s=180,
        load_monitor=None,
        quiesces=False,
        client_monitor="",
        servers=servers,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def cluster(*virtuals: VirtualServer, **more: object) -> Cluster:
    return replace(Cluster(virtual_servers=virtuals), **more)  # type: ignore[arg-type]


def all_up(of: Cluster, verdict: Weighed = UP) -> dict[RealServerKey, Weighed]:
    return {
        RealServerKey(each.key, server.address, server.port): verdict
        for each in of.virtual_servers
        for server in each.servers
        if each.key is not None and server.address is not None
    }


def places(written: dict[DestinationKey, Destination] | object) -> dict[str, int]:
    assert hasattr(written, "items")
    return {str(key): destination.weight for key, destination in written.items()}


def test_a_virtual_server_becomes_a_service_with_its_servers_in_file_order() -> None:
    of = cluster(virtual(real("web2", "10.0.0.2", 8080), real("web1", "10.0.0.1")))
    found = desired(of, all_up(of), {})
    assert list(found.table) == [WEB]
    assert found.table[WEB].service == Service("wlc", 0, 32)
    assert list(places(found.table[WEB].destinations)) == ["10.0.0.2:8080", "10.0.0.1:80"]
    assert found.services == {"virtual[web]": WEB}
    assert not found.omitted


def test_the_weight_in_force_goes_into_the_table_and_none_stays_out_of_it() -> None:
    of = cluster(virtual(*(real(f"web{number}", f"10.0.0.{number}") for number in range(1, 5))))
    verdicts = dict(zip(all_up(of), [Weighed(7, True, ""), Weighed(0, True, "quiesced"), DOWN, UNKNOWN], strict=True))
    found = desired(of, verdicts, {})
    assert places(found.table[WEB].destinations) == {"10.0.0.1:80": 7, "10.0.0.2:80": 0}
    assert len(found.links) == 4


def test_a_server_nobody_has_weighed_is_not_in_the_table() -> None:
    of = cluster(virtual(real("web1", "10.0.0.1")))
    assert not desired(of, {}, {}).table[WEB].destinations


def test_inactive_servers_and_virtual_servers_and_those_under_fos_are_not_in_force() -> None:
    of = cluster(virtual(real("web1", "10.0.0.1", is_active=False), real("web2", "10.0.0.2")))
    assert places(desired(of, all_up(of), {}).table[WEB].destinations) == {"10.0.0.2:80": 1}
    assert not desired(cluster(virtual(is_active=False)), {}, {}).table
    assert not desired(replace(of, service=ServiceKind.FOS), all_up(of), {}).table


def test_a_failed_check_is_one_step() -> None:
    of = cluster(virtual(real("web1", "10.0.0.1"), real("web2", "10.0.0.2"), sorry_server=IPv4Address("10.0.0.9")))
    before = all_up(of)
    after = {**before, next(iter(before)): DOWN}
    steps = plan(desired(of, before, {}).table, desired(of, after, {}).table)
    assert steps == (RemoveDestination(WEB, DestinationKey(ip_address("10.0.0.1"), 80)),)


@pytest.mark.parametrize(
    ("pmask", "persistent_s", "prefix"),
    [("255.255.255.0", 60, 24), ("255.255.0.0", 60, 16), (None, 60, 32), ("255.255.255.0", 0, 32)],
)
def test_persistence_is_grouped_by_its_mask(pmask: str | None, persistent_s: int, prefix: int) -> None:
    mask = IPv4Address(pmask) if pmask else None
    found = desired(cluster(virtual(persistent_s=persistent_s, pmask=mask)), {}, {})
    assert found.table[WEB].service == Service("wlc", persistent_s, prefix)


def test_clients_of_an_ipv6_service_are_persistent_one_by_one() -> None:
    address = FloatingAddress(ip_address("2001:db8::1"), "eth0:1")
    found = desired(cluster(virtual(address=address, persistent_s=9, pmask=IPv4Address("255.0.0.0"))), {}, {})
    (entry,) = found.table.values()
    assert entry.service == Service("wlc", 9, 128)


@pytest.mark.parametrize("forwarding", [Forwarding.DIRECT, Forwarding.TUNNEL])
def test_without_nat_a_destination_has_the_port_of_its_service_but_the_check_keeps_its_own(
    forwarding: Forwarding,
) -> None:
    of = cluster(virtual(real("web1", "10.0.0.1", 8080, has_own_port=True)), forwarding=forwarding)
    found = desired(of, all_up(of), {})
    assert places(found.table[WEB].destinations) == {"10.0.0.1:80": 1}
    assert [key.port for key in found.links] == [8080]
    assert {each.forwarding for each in found.table[WEB].destinations.values()} == {forwarding}


def test_destinations_of_a_mark_keep_the_clients_port_unless_they_have_their_own_under_nat() -> None:
    servers = (real("web1", "10.0.0.1", 80), real("web2", "10.0.0.2", 8080, has_own_port=True))
    of = cluster(virtual(*servers, fwmark=9))
    key = TableKey(fwmark=9)
    assert list(places(desired(of, all_up(of), {}).table[key].destinations)) == ["10.0.0.1:0", "10.0.0.2:8080"]
    direct = replace(of, forwarding=Forwarding.DIRECT)
    assert list(places(desired(direct, all_up(of), {}).table[key].destinations)) == ["10.0.0.1:0", "10.0.0.2:0"]


def test_of_two_virtual_servers_with_one_key_the_first_is_served_and_the_second_is_told_why_not() -> None:
    of = cluster(virtual(real("web1", "10.0.0.1")), virtual(real("web2", "10.0.0.2"), name="again"))
    found = desired(of, all_up(of), {})
    assert places(found.table[WEB].destinations) == {"10.0.0.1:80": 1}
    assert found.omitted == {
        "virtual[again]": "TCP 192.0.2.1:80 is served already by virtual[web]. Change one of them, or deactivate it."
    }
    assert found.services == {"virtual[web]": WEB}


def test_of_two_servers_at_one_place_the_first_counts_even_while_it_is_down() -> None:
    of = cluster(virtual(real("web1", "10.0.0.1", 80), real("web2", "10.0.0.1", 8080)), forwarding=Forwarding.DIRECT)
    first, second = all_up(of)
    found = desired(of, {first: DOWN, second: UP}, {})
    assert not found.table[WEB].destinations
    assert list(found.omitted) == ["virtual[web].server[web2]"]
    assert "virtual[web].server[web1]" in found.omitted["virtual[web].server[web2]"]


def test_names_are_looked_up_and_what_is_not_found_is_omitted() -> None:
    of = cluster(
        virtual(real("web1", "web1.example"), real("web2", "nowhere.example")),
        virtual(name="lost", address=FloatingAddress(HostName("vip.example"), "eth0:1")),
    )
    found = desired(of, all_up(of), {HostName("web1.example"): ip_address("10.0.0.1")})
    assert places(found.table[WEB].destinations) == {"10.0.0.1:80": 1}
    assert set(found.omitted) == {"virtual[web].server[web2]", "virtual[lost]"}
    assert "nowhere.example" in found.omitted["virtual[web].server[web2]"]


def test_blocks_without_an_address_are_omitted() -> None:
    found = desired(cluster(virtual(real("web1", None)), virtual(name="lost", address=None)), {}, {})
    assert set(found.omitted) == {"virtual[web].server[web1]", "virtual[lost]"}


SORRY = IPv4Address("10.0.0.9")


@pytest.mark.parametrize(
    ("verdicts", "is_sorry"),
    [
        ([DOWN, DOWN], True),
        ([DOWN, Weighed(0, True, "quiesced")], True),
        ([DOWN, UP], False),
        ([DOWN, UNKNOWN], False),
        ([UNKNOWN, UNKNOWN], False),
        ([Weighed(0, False, ""), DOWN], False),
    ],
)
def test_the_sorry_server_is_in_force_when_every_server_is_known_and_none_serves(
    verdicts: list[Weighed], is_sorry: bool
) -> None:
    of = cluster(virtual(real("web1", "10.0.0.1", 8080), real("web2", "10.0.0.2"), sorry_server=SORRY))
    found = desired(of, dict(zip(all_up(of), verdicts, strict=True)), {})
    assert (places(found.table[WEB].destinations).get("10.0.0.9:80") == 1) is is_sorry
    assert found.sorry == ({WEB: DestinationKey(SORRY, 80)} if is_sorry else {})


def test_there_is_no_sorry_server_before_anybody_was_weighed() -> None:
    of = cluster(virtual(real("web1", "10.0.0.1"), sorry_server=SORRY))
    assert not desired(of, {}, {}).sorry


def test_a_virtual_server_with_nobody_but_a_sorry_server_is_sorry() -> None:
    found = desired(cluster(virtual(sorry_server=SORRY)), {}, {})
    assert places(found.table[WEB].destinations) == {"10.0.0.9:80": 1}


def draining(key: TableKey, address: str, scheduler: str = "sh") -> Draining:
    return Draining(key, DestinationKey(ip_address(address), 80), Forwarding.TUNNEL, Service(scheduler), 300)


def test_what_drains_stays_with_weight_0_after_those_that_are_configured() -> None:
    of = cluster(virtual(real("web1", "10.0.0.1")))
    found = desired(of, all_up(of), {}, [draining(WEB, "10.0.0.2")])
    assert places(found.table[WEB].destinations) == {"10.0.0.1:80": 1, "10.0.0.2:80": 0}
    assert found.table[WEB].service.scheduler == "wlc"
    assert found.table[WEB].destinations[DestinationKey(ip_address("10.0.0.2"), 80)].forwarding is Forwarding.TUNNEL


@pytest.mark.parametrize(("scheduler", "has_fallback"), [("sh", True), ("mh", True), ("rr", False), ("dh", False)])
def test_a_hash_of_clients_has_a_fallback_while_a_weight_is_0(scheduler: str, has_fallback: bool) -> None:
    of = cluster(replace(virtual(real("web1", "10.0.0.1")), scheduler=scheduler))
    assert not desired(of, all_up(of), {}).table[WEB].service.has_fallback
    assert desired(of, all_up(of), {}, [draining(WEB, "10.0.0.2")]).table[WEB].service.has_fallback is has_fallback
    # Where nobody has a weight there is nobody to fall back to.
    assert not desired(of, {}, {}, [draining(WEB, "10.0.0.2")]).table[WEB].service.has_fallback


def test_what_is_removed_from_dh_goes_at_once_as_long_as_somebody_else_takes_its_clients() -> None:
    of = cluster(replace(virtual(real("web1", "10.0.0.1")), scheduler="dh"))
    drain = draining(WEB, "10.0.0.2", "rr")
    found = desired(of, all_up(of), {}, [drain])
    assert places(found.table[WEB].destinations) == {"10.0.0.1:80": 1}
    assert found.undrained == {drain.place}
    alone = desired(of, {}, {}, [drain])
    assert places(alone.table[WEB].destinations) == {"10.0.0.2:80": 0} and not alone.undrained


def test_a_service_that_is_gone_stays_as_it_was_while_its_servers_drain() -> None:
    key = TableKey(Protocol.TCP, VIP, 443)
    found = desired(cluster(virtual()), {}, {}, [draining(key, "10.0.0.2"), draining(key, "10.0.0.3")])
    assert found.table[key].service == Service("sh")
    assert places(found.table[key].destinations) == {"10.0.0.2:80": 0, "10.0.0.3:80": 0}


@pytest.mark.parametrize("verdict", [UP, DOWN])
def test_a_server_that_is_configured_again_follows_its_health_and_not_its_drain(verdict: Weighed) -> None:
    of = cluster(virtual(real("web1", "10.0.0.1")))
    found = desired(of, all_up(of, verdict), {}, [draining(WEB, "10.0.0.1")])
    assert places(found.table[WEB].destinations) == ({"10.0.0.1:80": 1} if verdict is UP else {})


def test_the_configured_places_do_not_depend_on_health() -> None:
    of = cluster(
        virtual(real("web1", "10.0.0.1"), real("web2", "10.0.0.2", is_active=False), sorry_server=SORRY),
        virtual(real("web3", "web3.example", 8080), name="marked", fwmark=4),
    )
    assert configured(of, {HostName("web3.example"): ip_address("10.0.0.3")}) == {
        (WEB, DestinationKey(ip_address("10.0.0.1"), 80)),
        (WEB, DestinationKey(SORRY, 80)),
        (TableKey(fwmark=4), DestinationKey(ip_address("10.0.0.3"), 0)),
    }


def test_reordering_blocks_and_servers_needs_no_step() -> None:
    other = virtual(real("web3", "10.0.0.3"), name="other", port=443)
    of = cluster(virtual(real("web1", "10.0.0.1"), real("web2", "10.0.0.2")), other)
    turned = cluster(other, virtual(real("web2", "10.0.0.2"), real("web1", "10.0.0.1")))
    assert plan(desired(of, all_up(of), {}).table, desired(turned, all_up(of), {}).table) == ()


def there(*written: str) -> dict[TableKey, Entry]:
    """Return a table of the web service with destinations given as `address*weight`."""
    found = {}
    for each in written:
        address, _, weight = each.partition("*")
        found[DestinationKey(ip_address(address), 80)] = Destination(Forwarding.NAT, int(weight))
    return {WEB: Entry(Service("rr"), found)}


def keys(of: Cluster) -> set[RealServerKey]:
    return set(all_up(of))


def test_a_server_that_is_in_the_table_keeps_its_weight_until_its_first_verdict() -> None:
    of = cluster(virtual(real("web1", "10.0.0.1", weight=9), real("web2", "10.0.0.2"), real("web3", "10.0.0.3")))
    present = there("10.0.0.1*4", "10.0.0.2*0")
    found = desired(of, all_up(of, UNKNOWN), {}, present=present, unheard=keys(of))
    assert places(found.table[WEB].destinations) == {"10.0.0.1:80": 4, "10.0.0.2:80": 0}
    heard = desired(of, all_up(of, DOWN), {}, present=present)
    assert places(heard.table[WEB].destinations) == {}


def test_a_server_whose_check_never_comes_is_not_kept() -> None:
    of = cluster(virtual(real("web1", "10.0.0.1")))
    found = desired(of, all_up(of, UNKNOWN), {}, present=there("10.0.0.1*4"))
    assert places(found.table[WEB].destinations) == {}


@pytest.mark.parametrize(
    ("before", "stays"), [(["10.0.0.9*1"], True), (["10.0.0.9*1", "10.0.0.1*1"], False), ([], False)]
)
def test_a_sorry_server_that_is_in_the_table_stays_until_every_check_was_heard(before: list[str], stays: bool) -> None:
    of = cluster(virtual(real("web1", "10.0.0.1"), real("web2", "10.0.0.2"), sorry_server=SORRY))
    found = desired(of, all_up(of, UNKNOWN), {}, present=there(*before), unheard=keys(of))
    assert (places(found.table[WEB].destinations).get("10.0.0.9:80") == 1) is stays
    assert (WEB in found.sorry) is stays


SIX = FloatingAddress(ip_address("2001:db8::1"), "eth0:1")
ZERO = FloatingAddress(IPv4Address(0), "eth0:1")
NAMED = FloatingAddress(HostName("vip.example"), "eth0:1")


@pytest.mark.parametrize(
    ("address", "servers", "version"),
    [
        (SIX, ["fd00::1"], 6),
        (SIX, ["10.0.0.1"], 6),
        (FloatingAddress(VIP, "eth0:1"), ["fd00::1", "fd00::2"], 4),
        (NAMED, ["10.0.0.1"], 6),
        (ZERO, ["fd00::1", "10.0.0.1"], 6),
        (ZERO, ["10.0.0.1", "fd00::1"], 4),
        (None, ["nowhere.example", "fd00::1"], 6),
        (None, ["-fd00::1", "10.0.0.1"], 4),
        (None, [], 4),
    ],
)
def test_the_packets_of_a_mark_have_the_ip_version_of_its_vip_whatever_the_tunnels_carry_them_in(
    address: FloatingAddress | None, servers: list[str], version: int
) -> None:
    real_servers = [real(f"web{n}", each.lstrip("-"), is_active=each[0] != "-") for n, each in enumerate(servers)]
    of = cluster(virtual(*real_servers, fwmark=4, address=address), forwarding=Forwarding.TUNNEL)
    resolved = {HostName("vip.example"): ip_address("2001:db8::1")}
    mark = TableKey(fwmark=4, mark_version=version)
    for weighed in ({}, all_up(of)):
        found = desired(of, weighed, resolved)
        assert found.services == {"virtual[web]": mark}
        assert mark in found.table
    assert {key for key, _ in configured(of, resolved)} <= {mark}


def test_a_mark_of_ipv6_packets_tells_clients_apart_one_by_one() -> None:
    more = {"name": "m", "fwmark": 4, "persistent_s": 60, "pmask": IPv4Address("255.255.255.0")}
    six = desired(cluster(virtual(real("web1", "fd00::1"), address=SIX, **more)), {}, {})
    assert six.table[TableKey(fwmark=4, mark_version=6)].service.persistence_prefix == 128
    four = desired(cluster(virtual(real("web1", "10.0.0.1"), **more)), {}, {})
    assert four.table[TableKey(fwmark=4)].service.persistence_prefix == 24


def test_a_mark_is_served_for_one_ip_version_the_first_in_the_file() -> None:
    of = cluster(
        virtual(real("web1", "fd00::1"), fwmark=4, address=SIX),
        virtual(real("web2", "10.0.0.2"), fwmark=4, name="four"),
    )
    found = desired(of, all_up(of), {})
    assert set(found.table) == {TableKey(fwmark=4, mark_version=6)}
    assert found.omitted == {
        "virtual[four]": "Firewall mark 4 is served already by virtual[web]. Give one of them another mark."
    }

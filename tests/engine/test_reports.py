"""The status as it is made of one view: numbers as the data path has them, differences, and what is not ours."""

from dataclasses import replace
from ipaddress import ip_address
from types import MappingProxyType

import pytest

from piranha.config.load import load
from piranha.config.model import Forwarding, Protocol
from piranha.engine import reports
from piranha.engine.balancer import Balancer
from piranha.engine.parts import Chooser, Index
from piranha.engine.view import View
from piranha.ipvs.desired import desired
from piranha.ipvs.table import Counters, Destination, DestinationKey, Entry, Place, Reading, Service, Table, TableKey
from piranha.status import AddressState, AddressStatus, ConfigStatus, EngineStatus, Rates
from piranha.system.boot import monotonic
from piranha.system.ipvs_netlink import Stats
from piranha.system.ipvs_values import KernelReading

WEB = TableKey(Protocol.TCP, ip_address("127.0.0.2"), 80)
A = DestinationKey(ip_address("127.0.0.11"), 80)
STRANGER = DestinationKey(ip_address("127.0.0.99"), 80)
OTHER = TableKey(Protocol.UDP, ip_address("127.0.0.9"), 53)
RR = Service("rr")
NAT_1 = Destination(Forwarding.NAT, 1)
STATS = Stats(30, 200, 150, 9000, 80_000, 3, 20, 15, 900, 8000)


def table_of(entries: dict[TableKey, dict[DestinationKey, Destination]]) -> Table:
    return {key: Entry(RR, MappingProxyType(there)) for key, there in entries.items()}


class Told:
    """Makes a status of what runs, and of what the table has."""

    def __init__(self, balancer: Balancer, text: str) -> None:
        self.nanny = balancer.nanny
        self.cluster = load(text).cluster

    def __call__(
        self,
        reading: Reading,
        *,
        ours: Table | None = None,
        refused: dict[TableKey, str] | None = None,
        refused_servers: dict[Place, str] | None = None,
        target: Table | None = None,
        trouble: str = "",
    ) -> EngineStatus:
        wanted = desired(self.cluster, {}, {})
        if target is not None:
            wanted = type(wanted)(target, wanted.links, wanted.omitted, wanted.services)
        view = View(
            self.cluster,
            reading,
            wanted,
            {},
            (),
            refused or {},
            monotonic() - 0.5,
            reading.table if ours is None else ours,
            trouble=trouble,
            refused_servers=refused_servers or {},
        )
        report = reports.Report(view, self.nanny, {}, "kernel")
        picks = Chooser(Index(self.cluster), view, self.nanny.healths).everything()
        return reports.status_of(
            view,
            tuple(map(report.virtual_server, picks)),
            nanny=self.nanny,
            overrides=(),
            config=ConfigStatus("lvs.cf", "", None, "", None, None, False, ""),
            idle_reason="",
            data_path="kernel",
            started=0.0,
            faults=(),
            messages=(),
        )


@pytest.fixture
async def told(balancer: Balancer, block) -> Told:
    return Told(balancer, block("web", "a=127.0.0.11:80"))


COUNTED: dict[Place, Counters] = {(WEB, A): Counters(4, 1, 30, 9000, 80_000)}
HERE = table_of({WEB: {A: NAT_1}})


async def test_the_kernels_numbers_are_told_with_rates_source_and_age(told: Told) -> None:
    reading = KernelReading(HERE, COUNTED, stats={(WEB, A): STATS}, service_stats={WEB: STATS})
    (web,) = told(reading, target=HERE).virtual_servers
    (server,) = web.servers
    assert (server.traffic.weight, server.traffic.active_connections, server.traffic.connections) == (1, 4, 30)
    assert (server.traffic.packets_in, server.traffic.packets_out) == (200, 150)
    assert server.traffic.rates == Rates(3, 20, 15, 900, 8000)
    assert server.forwarding == "masquerading"
    assert server.traffic.source.name == "kernel data path"
    assert server.traffic.source.age_s is not None and 0.5 <= server.traffic.source.age_s < 60
    assert web.traffic is not None and web.traffic.rates.bytes_out == 8000 and web.traffic.packets_in == 200


async def test_rates_that_the_data_path_does_not_tell_are_unknown_and_not_zero(told: Told) -> None:
    (web,) = told(Reading(HERE, COUNTED), target=HERE).virtual_servers
    (server,) = web.servers
    assert server.traffic.rates is None and server.traffic.packets_in is None and web.traffic is None
    assert server.traffic.connections == 30


async def test_a_table_that_is_as_it_should_be_has_nothing_pending_and_nothing_foreign(told: Told) -> None:
    status = told(Reading(HERE, {}), target=HERE)
    assert status.pending == () and status.foreign == ()


async def test_the_difference_to_the_desired_table_is_told_with_the_refusal(told: Told) -> None:
    status = told(Reading({}, {}), target=HERE, refused={WEB: "no scheduler rr"})
    assert [(each.step.split(",")[0], each.refused) for each in status.pending] == [
        ("add virtual server TCP 127.0.0.2:80", "no scheduler rr"),
        ("add real server 127.0.0.11:80 to TCP 127.0.0.2:80", "no scheduler rr"),
    ]


async def test_a_refused_change_leaves_a_virtual_server_served_and_says_so(told: Told) -> None:
    status = told(Reading(HERE, {}), target={WEB: replace(HERE[WEB], service=Service("mh"))}, refused={WEB: "no mh"})
    (web,) = status.virtual_servers
    assert (web.refused, web.differs) == ("", "no mh")
    assert [each.refused for each in status.pending] == ["no mh"]
    # The embedded path has a virtual server in its table that it cannot listen for: nobody is served.
    (web,) = told(Reading(HERE, {}, {WEB: "port taken"}), target=HERE, refused={WEB: "port taken"}).virtual_servers
    assert (web.refused, web.differs) == ("port taken", "")


async def test_a_refused_real_server_says_why_in_its_row_and_the_virtual_server_is_served(told: Told) -> None:
    there = table_of({WEB: {STRANGER: NAT_1}})
    status = told(Reading(there, {}), target=HERE, refused_servers={(WEB, A): "no IPv6", (WEB, STRANGER): "stays"})
    (web,) = status.virtual_servers
    assert (web.refused, web.differs) == ("", "")
    assert [(each.address, each.explanation) for each in web.servers] == [
        ("127.0.0.11", "no IPv6"),
        ("127.0.0.99", "stays"),
    ]
    assert [each.refused for each in status.pending] == ["no IPv6", "stays"]
    pending = told(Reading(there, {}), target=HERE, refused={WEB: "no mh"}).pending
    assert [each.refused for each in pending] == ["", ""]


async def test_each_virtual_server_tells_what_is_wrong_with_its_address(balancer: Balancer, block) -> None:
    text = block("web", "a=127.0.0.11:80", port=80) + block("api", "a=127.0.0.11:81", port=81)
    both = Told(balancer, text)(Reading({}, {}))
    dark = AddressStatus("127.0.0.2/32", "eth9", "eth9:1", "virtual[web]", AddressState.REFUSED, "No eth9. Make it.")
    fine = AddressStatus("127.0.0.3/32", "eth0", "eth0:1", "virtual[web]", AddressState.CARRIED)
    trouble = "127.0.0.2/32 is not carried. No eth9. Make it."
    status = reports.with_addresses(both, iter([dark, fine]))
    assert status.addresses == (dark, fine)
    assert [each.address_trouble for each in status.virtual_servers] == [trouble, trouble]
    assert [each.address_trouble for each in reports.with_addresses(both, [fine]).virtual_servers] == ["", ""]
    # A name, and an address that nobody can carry: whoever asks for it is told by its path.
    named = replace(both, virtual_servers=tuple(replace(each, address="vip") for each in both.virtual_servers))
    status = reports.with_addresses(named, [replace(dark, address="", sentence="No such name.")])
    assert [each.address_trouble for each in status.virtual_servers] == ["No such name."] * 2
    other = replace(dark, source="virtual[other]", address="127.0.0.7/32")
    assert [each.address_trouble for each in reports.with_addresses(both, [other]).virtual_servers] == ["", ""]


async def test_what_others_have_in_the_table_is_foreign_and_never_pending(told: Told) -> None:
    there = table_of({WEB: {A: NAT_1, STRANGER: NAT_1}, OTHER: {STRANGER: NAT_1}})
    reading = KernelReading(there, {}, foreign=("SCTP 127.0.0.9:5060",))
    status = told(reading, ours=HERE, target=HERE)
    assert status.pending == ()
    assert status.foreign == ("UDP 127.0.0.9:53", "127.0.0.99:80 of TCP 127.0.0.2:80", "SCTP 127.0.0.9:5060")
    (web,) = status.virtual_servers
    assert [server.name for server in web.servers] == ["a"]


async def test_a_service_that_is_kept_for_others_is_not_told_as_one_still_to_go(told: Told) -> None:
    there = table_of({WEB: {STRANGER: NAT_1}})
    status = told(Reading(there, {}), ours=table_of({WEB: {}}), target={})
    assert status.pending == ()
    assert told(Reading(there, {}), ours=there, target={}).pending != ()


async def test_a_table_that_could_not_be_read_has_no_age_and_no_difference(told: Told) -> None:
    status = told(Reading({}, {}), target=HERE, trouble="the kernel does not answer")
    assert status.pending == ()
    (web,) = status.virtual_servers
    assert web.servers[0].traffic.source.age_s is None and web.servers[0].traffic.weight is None

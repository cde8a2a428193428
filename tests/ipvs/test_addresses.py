"""Which floating addresses a router carries, and the steps to them, against a model of the kernel's address list."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from piranha.config.load import load
from piranha.config.model import Address, HostName
from piranha.ipvs.addresses import (
    NAT_ROUTER,
    AddAddress,
    AddressPlan,
    AddressStep,
    Condition,
    Held,
    Link,
    Outcome,
    Present,
    PresentAddress,
    RefusedAddress,
    RemoveAddress,
    ReseatAddress,
    WantedAddress,
    describe,
    owned_after,
    owned_from,
    owned_text,
    plan,
    prefix_of,
    to_spare,
    wanted_addresses,
)

LINKS = {
    name: Link(name, number, f"02:00:00:00:00:0{number}", True, True, name != "lo", name == "lo")
    for number, name in enumerate(("lo", "eth0", "eth1"), 1)
}


def virtual(address: str, name: str = "web", **more: str) -> str:
    lines = [f"    {keyword} = {value}\n" for keyword, value in {"active": "1", "address": address, **more}.items()]
    return f"virtual {name} {{\n{''.join(lines)}}}\n"


def asked(text: str, resolved: Mapping[HostName, Address] | None = None) -> tuple[list[str], list[RefusedAddress]]:
    """Return what an lvs.cf asks for, a line each, and what is refused."""
    wanted, refused = wanted_addresses(load(text).cluster, resolved or {})
    lines = [f"{each.held} {each.label or '-'} {each.broadcast or '-'} {each.source}" for each in wanted]
    return lines, list(refused)


def held(written: str, device: str = "eth0") -> Held:
    host, _, prefix = written.partition("/")
    return Held(device, ip_address(host), int(prefix or (128 if ":" in host else 32)))


def wanted(written: str, device: str = "eth0", label: str = "eth0:1", broadcast: str = "") -> WantedAddress:
    made = held(written, device)
    is_ipv6 = made.address.version == 6
    return WantedAddress(made, "" if is_ipv6 else label, IPv4Address(broadcast) if broadcast else None, "virtual[web]")


def there(written: str, device: str = "eth0", label: str = "eth0:1", secondary: bool = False) -> PresentAddress:
    made = held(written, device)
    return PresentAddress(made, "" if made.address.version == 6 else label, None, secondary)


def present(*addresses: PresentAddress, links: Mapping[str, Link] = LINKS) -> Present:
    return Present(links, addresses)


def steps_of(made: AddressPlan) -> list[str]:
    return [describe(step) for step in made.steps]


# what the configuration asks for


def test_two_virtual_servers_of_one_address_ask_for_it_once() -> None:  # scenario 51
    lines, _ = asked(virtual("192.0.2.100 eth0:1", port="80") + virtual("192.0.2.100 eth0:1", "tls", port="443"))
    assert lines == ["192.0.2.100/32 on eth0 eth0:1 - virtual[web]"]


def test_two_addresses_on_one_alias_are_both_asked_for() -> None:  # scenario 52
    lines, _ = asked(virtual("192.0.2.100 eth0:1") + virtual("192.0.2.101 eth0:1", "other"))
    assert lines == [
        "192.0.2.100/32 on eth0 eth0:1 - virtual[web]",
        "192.0.2.101/32 on eth0 eth0:1 - virtual[other]",
    ]


@pytest.mark.parametrize(
    ("mask", "prefix", "broadcast"),
    [
        (None, 32, "-"),  # scenario 53: never classful
        ("0.0.0.0", 32, "-"),
        ("255.255.255.255", 32, "10.9.0.100"),  # scenario 54
        ("255.255.255.0", 24, "10.9.0.255"),
        ("255.255.255.252", 30, "10.9.0.103"),
        ("255.0.0.0", 8, "10.255.255.255"),
    ],
)
def test_the_prefix_and_the_broadcast_address_are_those_of_the_configured_mask(
    mask: str | None, prefix: int, broadcast: str
) -> None:
    more = {} if mask is None else {"vip_nmask": mask}
    lines, _ = asked(virtual("10.9.0.100 eth0:1", **more))
    assert lines == [f"10.9.0.100/{prefix} on eth0 eth0:1 {broadcast} virtual[web]"]


def test_the_first_active_virtual_server_says_device_and_mask_of_an_address() -> None:
    text = (
        virtual("192.0.2.100 eth2:1", "off", vip_nmask="255.255.0.0").replace("active = 1", "active = 0")
        + virtual("192.0.2.100 eth0:1", vip_nmask="255.255.255.0")
        + virtual("192.0.2.100 eth1:1", "late")
    )
    assert asked(text)[0] == ["192.0.2.100/24 on eth0 eth0:1 192.0.2.255 virtual[web]"]


def test_the_nat_router_is_asked_for_under_nat_only() -> None:
    text = "nat_router = 10.0.0.254 eth1:1\nnat_nmask = 255.255.255.0\n" + virtual("192.0.2.100 eth0:1")
    nat, _ = asked("network = nat\n" + text)
    assert nat[1:] == ["10.0.0.254/24 on eth1 eth1:1 10.0.0.255 nat_router"]
    assert len(asked("network = direct\n" + text)[0]) == 1
    assert asked("network = nat\nservice = fos\n" + text) == ([], [])


def test_where_no_virtual_server_is_active_there_is_no_nat_router() -> None:
    text = "network = nat\nnat_router = 10.0.0.254 eth1:1\n"
    assert asked(text) == ([], [])
    assert asked(text + virtual("192.0.2.100 eth0:1").replace("active = 1", "active = 0")) == ([], [])


def test_a_firewall_mark_has_its_address_too_and_an_ipv6_address_has_neither_mask_nor_label() -> None:
    lines, _ = asked(virtual("2001:db8::100 eth0:a-long-alias-1", fwmark="9", vip_nmask="255.255.255.0"))
    assert lines == ["2001:db8::100/128 on eth0 - - virtual[web]"]


def test_a_name_is_what_the_resolver_said_and_refused_before() -> None:
    text = virtual("www.example eth0:1")
    assert asked(text, {HostName("www.example"): ip_address("192.0.2.7")})[0] == [
        "192.0.2.7/32 on eth0 eth0:1 - virtual[web]"
    ]
    lines, (refused,) = asked(text)
    assert not lines
    assert "The name www.example was not found." in refused.sentence
    assert refused.is_unknown
    assert not asked(virtual("192.0.2.100 eth0:1", vip_nmask="255.0.255.0"))[1][0].is_unknown


@pytest.mark.parametrize(
    ("address", "mask", "words"),
    [
        ("192.0.2.100 bond0.1234567:12", "", "The alias bond0.1234567:12 is too long: 16 characters, 15 are possible."),
        ("192.0.2.100 averyverylongname", "", "averyverylongname is too long for an interface: 17 characters"),
        ("192.0.2.100 :1", "", "192.0.2.100 names no device"),
        ("192.0.2.100 eth0:1", "255.0.255.0", "255.0.255.0 is not a netmask"),
        ("224.0.0.1 eth0:1", "", "224.0.0.1 is no address that a router can carry"),
        ("127.0.0.5 eth0:1", "", "127.0.0.5 is no address"),
        ("255.255.255.255 eth0:1", "", "255.255.255.255 is no address"),
        ("ff02::1 eth0:1", "", "ff02::1 is no address"),
    ],
)
def test_what_no_router_can_carry_is_refused_with_a_sentence(address: str, mask: str, words: str) -> None:
    lines, refused = asked(virtual(address, **({"vip_nmask": mask} if mask else {})) + virtual("192.0.2.9 eth0:1", "b"))
    assert [line.split()[0] for line in lines] == ["192.0.2.9/32"]
    assert [each.source for each in refused] == ["virtual[web]"]
    assert words in refused[0].sentence


def test_a_refused_address_does_not_keep_a_later_block_from_it() -> None:
    lines, refused = asked(virtual("192.0.2.100 bond0.1234567:12") + virtual("192.0.2.100 eth0:1", "short"))
    assert lines == ["192.0.2.100/32 on eth0 eth0:1 - virtual[short]"]
    assert len(refused) == 1


def test_only_masks_with_all_ones_in_front_have_a_prefix_length() -> None:
    masks = {"0.0.0.0": 0, "255.255.255.255": 32, "255.255.254.0": 23, "0.0.0.1": None, "255.0.255.0": None}
    assert {text: prefix_of(IPv4Address(text)) for text in masks} == masks


# from present to wanted


def test_nothing_changes_where_everything_is_as_it_should_be() -> None:
    made = plan(present(there("192.0.2.100")), {held("192.0.2.100")}, [wanted("192.0.2.100")])
    assert made.steps == ()
    assert made.owned == {held("192.0.2.100")}
    assert [each.condition for each in made.standings] == [Condition.OURS]


def test_new_addresses_come_before_old_ones_go() -> None:
    made = plan(present(there("192.0.2.100")), {held("192.0.2.100")}, [wanted("192.0.2.101")])
    assert steps_of(made) == [
        "add the address 192.0.2.101/32 on eth0 as eth0:1",
        "remove the address 192.0.2.100/32 on eth0",
    ]
    assert made.owned == {held("192.0.2.100"), held("192.0.2.101")}


def test_another_mask_or_device_is_added_before_the_old_one_goes() -> None:
    old = held("192.0.2.100/24")
    for new in (wanted("192.0.2.100"), wanted("192.0.2.100/24", "eth1", "eth1:1")):
        made = plan(present(there("192.0.2.100/24")), {old}, [new])
        assert made.steps == (AddAddress(new), RemoveAddress(old))


def test_an_address_of_somebody_else_is_used_reported_and_never_removed() -> None:
    state = present(there("192.0.2.100/24"))
    made = plan(state, set(), [wanted("192.0.2.100")])
    assert made.steps == ()
    assert made.owned == frozenset()
    (standing,) = made.standings
    assert standing.condition is Condition.WAS_THERE
    assert standing.remark.startswith("192.0.2.100/24 on eth0 was there already: somebody else put it there.")
    assert plan(state, made.owned, []).steps == ()


def test_an_address_of_ours_that_is_gone_is_added_again_and_one_that_nobody_wants_is_forgotten() -> None:
    gone = {held("192.0.2.100"), held("192.0.2.101")}
    made = plan(present(), gone, [wanted("192.0.2.100")])
    assert made.steps == (AddAddress(wanted("192.0.2.100")),)
    assert made.owned == {held("192.0.2.100")}


def test_what_lvs_cf_names_no_more_stays_while_connections_drain_through_it() -> None:
    web, mail, moved, nat = (held(f"192.0.2.{last}") for last in (100, 101, 102, 103))
    before = [
        *(WantedAddress(each, "eth0:1", None, "virtual[web]") for each in (web, mail, moved)),
        WantedAddress(nat, "eth0:1", None, NAT_ROUTER),
    ]
    owned = [web, mail, moved, nat]
    wishes = [wanted("192.0.2.102", "eth1")]  # it has another interface now: there its connections go on
    assert to_spare(owned, wishes, before, [web.address, moved.address]) == {web, nat}
    assert to_spare(owned, wishes, before) == frozenset()
    spared = to_spare(owned, wishes, before, [web.address, moved.address])
    made = plan(present(*(there(f"192.0.2.{last}") for last in (100, 101, 102, 103))), owned, wishes, spared)
    assert steps_of(made)[1:] == [
        "remove the address 192.0.2.101/32 on eth0",
        "remove the address 192.0.2.102/32 on eth0",
    ]
    assert {web, nat} < made.owned


def test_as_long_as_a_name_is_unknown_no_address_of_a_former_run_goes() -> None:
    former, ours = held("192.0.2.100"), held("192.0.2.101")
    before = [wanted("192.0.2.101")]
    assert to_spare([former, ours], [], before, is_unsure=True) == {former}
    assert to_spare([former, ours], [wanted("192.0.2.100", "eth1")], before, is_unsure=True) == frozenset()


def test_without_the_interface_there_is_no_step_and_a_remark() -> None:
    made = plan(present(), set(), [wanted("192.0.2.100", "eth7", "eth7:1")])
    assert made.steps == ()
    assert made.owned == frozenset()
    assert made.standings[0].condition is Condition.NO_DEVICE
    assert "There is no interface eth7 on this router." in made.standings[0].remark


def test_an_interface_that_nobody_reaches_and_an_address_on_another_one_are_remarked() -> None:
    down = {**LINKS, "eth0": replace(LINKS["eth0"], is_up=False)}
    dark = {**LINKS, "eth0": replace(LINKS["eth0"], has_carrier=False)}
    for links, words in ((down, "eth0 is down"), (dark, "eth0 has no carrier")):
        made = plan(present(links=links), set(), [wanted("192.0.2.100")])
        assert words in made.standings[0].remark
        assert len(made.steps) == 1
    elsewhere = plan(present(there("192.0.2.100", "eth1")), set(), [wanted("192.0.2.100")])
    assert elsewhere.standings[0].remark == "192.0.2.100/32 on eth1 is there too: somebody else put it there."
    # A router that is a real server too, under direct routing.
    assert plan(present(there("192.0.2.100", "lo")), set(), [wanted("192.0.2.100")]).standings[0].remark == ""


@pytest.mark.parametrize("change", [{"label": "eth0:2"}, {"broadcast": "192.0.2.100"}])
def test_another_label_or_broadcast_address_is_given_in_place(change: dict[str, str]) -> None:
    new = wanted("192.0.2.100", **change)
    made = plan(present(there("192.0.2.100")), {held("192.0.2.100")}, [new])
    assert made.steps == (ReseatAddress(new, 31),)
    assert describe(made.steps[0]).startswith("put the address 192.0.2.100/32 on eth0 in its place anew")


def test_what_stands_in_meanwhile_is_a_prefix_length_that_nobody_uses() -> None:
    state = present(there("192.0.2.100"), there("192.0.2.100/31", label="x"), there("192.0.2.100/30", label="y"))
    new = wanted("192.0.2.100", label="eth0:2")
    assert plan(state, {held("192.0.2.100")}, [new]).steps == (ReseatAddress(new, 29),)


def test_ours_goes_behind_an_address_of_somebody_else_that_came_later() -> None:
    state = present(there("192.0.2.100/24"), there("192.0.2.11/24", label="eth0", secondary=True))
    made = plan(state, {held("192.0.2.100/24")}, [wanted("192.0.2.100/24")])
    assert [type(step) for step in made.steps] == [ReseatAddress]
    behind = present(there("192.0.2.11/24", label="eth0"), there("192.0.2.100/24", secondary=True))
    assert plan(behind, {held("192.0.2.100/24")}, [wanted("192.0.2.100/24")]).steps == ()


def test_ours_stay_where_they_are_among_themselves() -> None:
    state = present(there("192.0.2.100/24"), there("192.0.2.101/24", secondary=True))
    both = [wanted("192.0.2.100/24"), wanted("192.0.2.101/24")]
    assert plan(state, {each.held for each in both}, both).steps == ()


def test_secondaries_of_ours_go_before_their_primary() -> None:
    state = present(there("192.0.2.100/24"), there("192.0.2.101/24", secondary=True))
    made = plan(state, {held("192.0.2.100/24"), held("192.0.2.101/24")}, [])
    assert made.steps == (RemoveAddress(held("192.0.2.101/24")), RemoveAddress(held("192.0.2.100/24")))


def test_what_is_ours_after_a_step_is_what_came_of_it() -> None:
    one = frozenset({held("192.0.2.100")})
    add, remove = AddAddress(wanted("192.0.2.100")), RemoveAddress(held("192.0.2.100"))
    assert owned_after(frozenset(), add, Outcome.DONE) == one
    assert owned_after(one, add, Outcome.WAS_THERE) == frozenset()
    assert owned_after(one, add, Outcome.REFUSED) == frozenset()
    assert owned_after(one, remove, Outcome.DONE) == frozenset()
    assert owned_after(one, remove, Outcome.REFUSED) == one
    assert owned_after(one, ReseatAddress(wanted("192.0.2.100"), 31), Outcome.REFUSED) == one


def test_what_is_written_down_is_read_back_and_what_nobody_can_read_is_not_ours() -> None:
    owned = {held("192.0.2.100"), held("10.0.0.254/24", "eth1"), held("2001:db8::1")}
    assert owned_from(owned_text(owned)) == owned
    assert owned_text(owned).splitlines()[0] == "eth0 192.0.2.100/32"
    for text in (
        "eth0",
        "eth0 192.0.2.1",
        "eth0 192.0.2.1/33",
        "eth0 x/32",
        "eth0 192.0.2.1/-1",
        " 192.0.2.1/32",
        "\0",
    ):
        assert owned_from(text + "\n") == frozenset()


# any state, any wish: the kernel's rules as a model


class Kernel:
    """The kernel's list of addresses: who is primary of a network, and who moves up."""

    def __init__(self) -> None:
        self.addresses: list[PresentAddress] = []

    def add(self, made: Held, label: str, broadcast: IPv4Address | None) -> None:
        if any(each.held == made for each in self.addresses):
            return
        is_ipv4 = made.address.version == 4
        secondary = is_ipv4 and any(each.held.network == made.network for each in self.addresses)
        place = len(self.addresses) if secondary else sum(not each.is_secondary for each in self.addresses)
        self.addresses.insert(place, PresentAddress(made, label, broadcast, secondary))

    def remove(self, gone: Held) -> None:
        before = self.addresses
        self.addresses = [each for each in before if each.held != gone]
        heirs = [each for each in self.addresses if each.held.network == gone.network]
        if heirs and all(each.is_secondary for each in heirs):
            self.addresses.remove(heirs[0])
            self.addresses.insert(
                sum(not each.is_secondary for each in self.addresses), replace(heirs[0], is_secondary=False)
            )

    def take(self, step: AddressStep) -> None:
        match step:
            case AddAddress(new):
                self.add(new.held, new.label, new.broadcast)
            case RemoveAddress(gone):
                self.remove(gone)
            case ReseatAddress(new, stand_in):
                other = replace(new.held, prefix_length=stand_in)
                assert all(each.held != other for each in self.addresses)
                self.add(other, "", None)
                self.remove(new.held)
                self.add(new.held, new.label, new.broadcast)
                self.remove(other)

    def holds(self) -> set[Held]:
        return {each.held for each in self.addresses}


_HELD = st.builds(
    held,
    st.sampled_from(["192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24", "192.0.2.1/32", "192.0.2.2/32", "2001:db8::1"]),
    st.sampled_from(["eth0", "eth1"]),
)
_WANTED = st.builds(
    lambda made, label: WantedAddress(made, label if made.address.version == 4 else "", None, "virtual[web]"),
    _HELD,
    st.sampled_from(["a:1", "a:2"]),
)
_WISHES = st.lists(_WANTED, max_size=4, unique_by=lambda each: each.held.address)


@given(st.lists(st.tuples(_HELD, st.booleans()), max_size=8, unique_by=lambda each: each[0]), _WISHES)
def test_whatever_is_there_nobody_else_loses_an_address_and_every_wish_is_met(
    beginning: list[tuple[Held, bool]], wishes: list[WantedAddress]
) -> None:
    kernel = Kernel()
    for made, is_ours in beginning:
        kernel.add(made, "a:1" if is_ours and made.address.version == 4 else "", None)
    foreign = {made for made, is_ours in beginning if not is_ours}
    owned = frozenset(made for made, is_ours in beginning if is_ours)
    for _ in range(4):
        made_plan = plan(Present(LINKS, tuple(kernel.addresses)), owned, wishes)
        if not made_plan.steps:
            break
        owned = made_plan.owned
        kept = {each.held for each in wishes} & kernel.holds()
        for step in made_plan.steps:
            kernel.take(step)
            assert foreign <= kernel.holds()
            assert kept <= kernel.holds()
            assert kernel.holds() <= foreign | owned  # killed here, it would know its own
            owned = owned_after(owned, step, Outcome.DONE)
    else:
        raise AssertionError("it does not come to rest")
    assert all(each.held in owned or _is_foreign(each.held, foreign) for each in wishes)
    assert kernel.holds() == foreign | owned
    for each in kernel.addresses:
        in_front = each.held in owned and not each.is_secondary and each.held.address.version == 4
        assert not (in_front and any(other.network == each.held.network for other in foreign))


def _is_foreign(wish: Held, foreign: set[Held]) -> bool:
    return any((each.device, each.address) == (wish.device, wish.address) for each in foreign)

"""What the status says of each address."""

import logging
from dataclasses import replace
from ipaddress import ip_address

import pytest

from piranha.ipvs.addresses import Condition, Held, RefusedAddress, Standing, WantedAddress
from piranha.ipvs.announcements import Carried
from piranha.pulse.address_status import STAYS, Report, by_sentence, reports, trouble_of, trouble_of_nat, unread
from piranha.status import AddressState, AddressStatus


def wanted(last: int, device: str = "eth0") -> WantedAddress:
    return WantedAddress(Held(device, ip_address(f"192.0.2.{last}"), 24), f"{device}:1", None, f"virtual[v{last}]")


def words(found: tuple[Report, ...]) -> list[tuple[str, str, str]]:
    return [(each.status.source or each.status.address, each.status.state, each.status.sentence) for each in found]


def test_each_address_has_a_state_and_what_to_do_in_file_order() -> None:
    standings = (
        Standing(wanted(1), Condition.OURS),
        Standing(wanted(2), Condition.WAS_THERE, "It was there."),
        Standing(wanted(3), Condition.MISSING),
        Standing(wanted(4), Condition.MISSING),
        Standing(wanted(5, "eth9"), Condition.NO_DEVICE, "There is no interface eth9."),
        Standing(wanted(6), Condition.OURS, "eth0 has no carrier."),
    )
    left, staying = Held("eth0", ip_address("192.0.2.8"), 32), Held("eth0", ip_address("192.0.2.9"), 32)
    refusals = {wanted(3).held: "Cannot add it.", left: "Cannot remove it."}
    unusable = (RefusedAddress("virtual[named]", "The name was not found.", is_unknown=True),)
    found = reports(standings, refusals, unusable, (staying,))
    assert words(found) == [
        ("virtual[v1]", "carried", ""),
        ("virtual[v2]", "was there already", "It was there."),
        ("virtual[v3]", "refused", "Cannot add it."),
        ("virtual[v4]", "refused", "It could not be added. It is tried again."),
        ("virtual[v5]", "refused", "There is no interface eth9."),
        ("virtual[v6]", "carried", "eth0 has no carrier."),
        ("virtual[named]", "refused", "The name was not found."),
        ("192.0.2.9/32", "carried", STAYS),
        ("192.0.2.8/32", "refused", "Cannot remove it."),
    ]
    assert [each.carried for each in found if each.carried is not None] == [
        Carried("eth0", ip_address(f"192.0.2.{last}")) for last in (1, 2, 6, 9)
    ]
    assert (found[0].status.address, found[0].status.device, found[0].status.label) == (
        "192.0.2.1/24",
        "eth0",
        "eth0:1",
    )


def test_where_nothing_can_be_read_what_was_known_stays_and_what_is_new_is_not_called_carried() -> None:
    before = reports((Standing(wanted(1), Condition.OURS),), {}, (), ())
    known, new = unread((wanted(1), wanted(2)), before, "No answer.")
    assert known == before[0]
    assert (new.status.state, new.status.sentence, new.carried) == (
        AddressState.REFUSED,
        "It is not known: No answer.",
        None,
    )


TOLD = AddressStatus("192.0.2.1/24", "eth0", "eth0:1", "virtual[web]", AddressState.CARRIED)
DARK = "There is no interface eth9. Make it."


@pytest.mark.parametrize(
    ("told", "trouble"),
    [
        (TOLD, ""),
        (replace(TOLD, state=AddressState.REFUSED, sentence=DARK), f"192.0.2.1/24 is not carried. {DARK}"),
        (replace(TOLD, state=AddressState.REFUSED, sentence="Cannot add 192.0.2.1/24."), "Cannot add 192.0.2.1/24."),
        (
            replace(TOLD, state=AddressState.REFUSED, address="", sentence="The alias is too long."),
            "The alias is too long.",
        ),
        (replace(TOLD, state=AddressState.CONFLICT, sentence="192.0.2.1 is in use."), "192.0.2.1 is in use."),
        (replace(TOLD, sentence="eth0 is down: nobody reaches 192.0.2.1."), "eth0 is down: nobody reaches 192.0.2.1."),
        (replace(TOLD, state=AddressState.WAS_THERE, sentence="Somebody put it there."), ""),
        (replace(TOLD, source="", sentence=STAYS), ""),
    ],
)
def test_trouble_names_the_address_and_is_not_what_is_only_good_to_know(told: AddressStatus, trouble: str) -> None:
    assert trouble_of(told) == trouble


def test_the_nat_routers_trouble_is_told_for_itself() -> None:
    web = replace(TOLD, state=AddressState.REFUSED, sentence=DARK)
    assert trouble_of_nat([web, replace(TOLD, source="nat_router")]) == ""
    assert trouble_of_nat([web, replace(web, address="10.0.0.254/24", source="nat_router")]) == (
        f"nat_router: 10.0.0.254/24 is not carried. {DARK} "
        "Until then the answers of real servers may not find their way back."
    )


def test_a_sentence_is_logged_once_with_those_whom_it_concerns() -> None:
    dark = [replace(TOLD, source=f"virtual[v{n}]", state=AddressState.REFUSED, sentence=DARK) for n in range(6)]
    down = replace(TOLD, sentence="eth0 is down.")
    nobody = replace(TOLD, source="", state=AddressState.REFUSED, sentence="Cannot remove it.")
    found = by_sentence([*dark[:3], down, *dark[2:], nobody])
    assert found == {
        DARK: (logging.ERROR, "virtual[v0], virtual[v1], virtual[v2], virtual[v3] and 2 more: "),
        "eth0 is down.": (logging.WARNING, "virtual[web]: "),
        "Cannot remove it.": (logging.ERROR, ""),
    }

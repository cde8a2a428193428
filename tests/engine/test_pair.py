"""What lvs.cf and piranha.toml say about the two routers, as pulse is told it."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from piranha.config.failover_settings import FailoverSettings
from piranha.config.load import load
from piranha.config.model import Cluster, HostName
from piranha.engine.pair import configure_of
from piranha.pulse.messages import ChannelRow, Configure

ONE, TWO, OTHER = (ip_address(f"198.51.100.{number}") for number in (11, 12, 13))
PRIVATE_ONE, PRIVATE_TWO = (ip_address(f"10.0.0.{number}") for number in (11, 12))
PAIR = load(
    "service = lvs\nprimary = 198.51.100.11\nbackup_active = 1\nbackup = 198.51.100.12\nheartbeat_port = 540\n"
    'keepalive = 3\ndeadtime = 9\nactive_cmd = "/bin/up x"\nmonitor_links = 1\n'
    "virtual web {\n    active = 1\n    address = 192.0.2.1 eth0:1\n}\n"
).cluster
NONE = FailoverSettings()


def of(cluster: Cluster, *here: object, extra: FailoverSettings = NONE) -> Configure:
    return configure_of(cluster, {}, here, extra, 7)  # type: ignore[arg-type]


def test_the_primary_is_told_of_its_pair() -> None:
    told = of(PAIR, ONE, OTHER)
    assert (told.number, told.runs, told.is_alone, told.is_primary, told.partner) == (7, True, False, True, str(TWO))
    assert told.channels == (ChannelRow("public", str(ONE), str(TWO)),)
    assert (told.port, told.keepalive_s, told.deadtime_s, told.monitors_links) == (540, 3.0, 9.0, True)
    assert (told.active_cmd, told.inactive_cmd) == ("/bin/up x", "")


def test_the_backup_is_told_the_same_from_its_side() -> None:
    with_private = replace(PAIR, primary_private=PRIVATE_ONE, backup_private=PRIVATE_TWO)
    told = of(with_private, TWO)
    assert (told.is_primary, told.partner) == (False, str(ONE))
    assert told.channels == (
        ChannelRow("public", str(TWO), str(ONE)),
        ChannelRow("private", str(PRIVATE_TWO), str(PRIVATE_ONE)),
    )


@pytest.mark.parametrize(
    "private",
    [{}, {"primary_private": ONE, "backup_private": TWO}, {"primary_private": HostName("x"), "backup_private": TWO}],
)
def test_a_private_channel_that_is_none_is_not_told(private: dict[str, object]) -> None:
    assert [each.name for each in of(replace(PAIR, **private), ONE).channels] == ["public"]  # type: ignore[arg-type]


def test_piranha_toml_has_the_last_word_about_times() -> None:
    extra = FailoverSettings(
        keepalive_s=0.3, deadtime_s=1.5, partner="original", failback="never", failback_after_s=4.0
    )
    told = of(PAIR, ONE, extra=extra)
    assert (told.keepalive_s, told.deadtime_s, told.failback_after_s) == (0.3, 1.5, 4.0)
    assert told.partner_is_original and not told.fails_back


@pytest.mark.parametrize("change", [{"is_backup_active": False}, {"backup": None}, {"backup": ip_address("0.0.0.0")}])
def test_without_a_second_router_this_one_is_active_whatever_its_addresses(change: dict[str, object]) -> None:
    for here in ((ONE,), (OTHER,), (ONE, TWO), ()):
        told = of(replace(PAIR, **change), *here)  # type: ignore[arg-type]
        assert (told.runs, told.is_alone, told.channels) == (True, True, ())


def test_a_backup_that_is_marked_inactive_runs_nothing_and_keeps_its_role() -> None:
    """Its last heartbeats tell the role: two primaries would not know whose turn it is."""
    told = of(replace(PAIR, is_backup_active=False), TWO)
    assert not told.runs and not told.is_primary and "marked inactive" in told.idle_reason


@pytest.mark.parametrize(
    ("change", "here", "words"),
    [
        ({"primary": None}, ONE, "lvs.cf does not say it"),
        ({"primary": HostName("lvs1.example")}, TWO, "the name lvs1.example was not found"),
        ({"backup": HostName("lvs2.example")}, ONE, "the name lvs2.example was not found"),
        ({"backup": ONE}, ONE, "are the same address"),
        ({}, OTHER, "neither the address of the primary (198.51.100.11) nor that of the backup (198.51.100.12)"),
        ({"deadtime_s": 3}, ONE, "deadtime (3 s) must be longer than keepalive (3 s)"),
    ],
)
def test_a_router_that_does_not_know_which_one_it_is_runs_nothing_and_says_why(
    change: dict[str, object], here: object, words: str
) -> None:
    told = of(replace(PAIR, **change), here)  # type: ignore[arg-type]
    assert not told.runs and words in told.idle_reason


def test_where_there_is_nothing_to_balance_the_pair_is_told_all_the_same() -> None:
    told = of(replace(PAIR, virtual_servers=()), TWO)
    assert not told.runs and told.idle_reason == "There is no active virtual server."
    assert not told.is_alone and told.channels and not told.is_primary


def test_failover_services_are_not_run() -> None:
    fos = load("service = fos\nprimary = 198.51.100.11\n").cluster
    assert "service = fos" in of(fos, ONE).idle_reason


def test_names_lead_to_addresses() -> None:
    named = replace(PAIR, primary=HostName("lvs1.example"))
    told = configure_of(named, {HostName("lvs1.example"): ONE}, [ONE], NONE)
    assert told.is_primary and told.runs and told.channels[0].own == str(ONE)

"""send_arp: the original's arguments, its frame, and what it says when it cannot."""

from ipaddress import ip_address

import pytest
from click.testing import CliRunner, Result

from piranha.cli.send_arp import main
from piranha.system import arp, outside

ARGUMENTS = ("192.0.2.100", "02:00:00:00:01:02", "192.0.2.255", "ffffffffffff")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    frames: list[tuple[str, bytes]] = []
    monkeypatch.setattr(arp, "send", lambda device, frame: frames.append((device, frame)))
    return frames


def test_the_frame_is_the_original_s_and_the_target_s_address_is_ignored(sent: list[tuple[str, bytes]]) -> None:
    done = run(*ARGUMENTS)
    assert (done.exit_code, done.output) == (0, "")
    head = "ffffffffffff 020000000102 0806 0001 0800 06 04 0002"
    assert sent == [
        ("eth0", bytes.fromhex(f"{head} 020000000102 c0000264 020000000102 c0000264") + bytes(18)),
    ]


def test_the_target_s_hardware_address_is_where_the_frame_goes_and_no_more(sent: list[tuple[str, bytes]]) -> None:
    run("-i", "eth1:3", "192.0.2.100", "020000000102", "192.0.2.255", "02:00:00:00:00:09")
    ((device, frame),) = sent
    assert device == "eth1"
    assert frame[:6].hex() == "020000000009"
    assert frame[32:38].hex() == "020000000102"


def test_the_request_form_can_be_asked_for(sent: list[tuple[str, bytes]]) -> None:
    run("--request", *ARGUMENTS)
    assert sent[0][1][20:22] == b"\0\1"
    assert sent[0][1][32:38] == bytes(6)


def test_an_ipv6_address_is_advertised(sent: list[tuple[str, bytes]]) -> None:
    run("2001:db8::100", ARGUMENTS[1], "::", "333300000001")
    assert sent[0][1][:6].hex() == "333300000001"
    assert sent[0][1][54] == 136


def test_a_name_is_resolved(sent: list[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "addresses_of", lambda name: (ip_address("192.0.2.7"),))
    assert run("www.example", *ARGUMENTS[1:]).exit_code == 0
    assert sent[0][1][28:32] == bytes([192, 0, 2, 7])


@pytest.mark.parametrize("count", [0, 3, 5])
def test_another_number_of_arguments_is_answered_with_the_usage_and_status_1(
    count: int, sent: list[tuple[str, bytes]]
) -> None:
    done = run(*(ARGUMENTS * 2)[:count])
    assert done.exit_code == 1
    assert "Usage: send_arp [-i DEV] SRC_IP SRC_MAC TARGET_IP TARGET_MAC" in done.output
    assert sent == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("192.0.2.100", "0200000001", "x", "ffffffffffff"), "SRC_MAC '0200000001' is no hardware address."),
        (("192.0.2.100", "020000000102", "x", "all"), "TARGET_MAC 'all' is no hardware address."),
        (("", *ARGUMENTS[1:]), "The name '' was not found."),
        (("no.such.name.invalid.", *ARGUMENTS[1:]), "The name 'no.such.name.invalid.' was not found."),
        (("-i", "averyverylongname", *ARGUMENTS), "'averyverylongname' is no interface"),
        (("-i", ":1", *ARGUMENTS), "':1' is no interface"),
        (("-i", "eth\udcff", *ARGUMENTS), "is no interface"),
        (("--nonsense", *ARGUMENTS), "No such option"),
    ],
)
def test_wrong_use_is_status_1_and_one_sentence(
    words: tuple[str, ...], says: str, sent: list[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "addresses_of", lambda name: ())
    done = run(*words)
    assert done.exit_code == 1
    assert says in done.output
    assert sent == []


def test_what_the_network_refuses_is_status_1_and_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: str, frame: bytes) -> None:
        raise arp.CannotSend("Frames on eth0 are not permitted. Do it as root.")

    monkeypatch.setattr(arp, "send", refuse)
    done = run(*ARGUMENTS)
    assert (done.exit_code, done.output) == (1, "send_arp: Frames on eth0 are not permitted. Do it as root.\n")


def test_the_help_says_what_the_arguments_are() -> None:
    done = run("--help")
    assert done.exit_code == 0
    assert "TARGET_IP is taken and ignored" in " ".join(done.output.split())
    assert run("--version").exit_code == 0

"""What the demo makes at its first run, what it keeps, and what it changes when it is told to."""

import re
import socket
from pathlib import Path

import pytest

from piranha import passwords
from piranha.cli import demo_setup
from piranha.cli.demo_setup import SERVERS, kept_file, make_folders, prepare, taken_ports
from piranha.config.load import load
from piranha.errors import PiranhaError
from piranha.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "demo")
    make_folders(made)
    return made


def test_the_first_lvs_cf_has_no_fault_at_all() -> None:
    loaded = load(demo_setup.first_lvs_cf(8080, {"web1": 20001, "web2": 20002, "web3": 20003}))
    assert [fault.located("lvs.cf") for fault in loaded.faults] == []
    (virtual,) = loaded.cluster.active_virtual_servers
    assert [(server.name, server.port, server.weight) for server in virtual.servers] == [
        ("web1", 20001, 1),
        ("web2", 20002, 1),
        ("web3", 20003, 1),
    ]
    assert (virtual.scheduler, virtual.timeout_s, virtual.reentry_s) == ("rr", 2, 4)


def test_a_second_run_finds_everything_as_it_was(paths: Paths) -> None:
    first = prepare(paths)
    files = {path: path.read_bytes() for path in paths.root.rglob("*") if path.is_file()}
    assert prepare(paths) == first
    assert {path: path.read_bytes() for path in paths.root.rglob("*") if path.is_file()} == files
    assert set(first.kept.web_ports) == set(SERVERS)
    assert len(set(first.kept.web_ports.values())) == 3


def test_the_password_is_made_by_chance_and_opens_the_gui(paths: Paths, tmp_path: Path) -> None:
    kept = prepare(paths).kept
    assert re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}", kept.password)
    assert passwords.verify(paths.passwd.read_text(), "piranha", kept.password)
    assert not passwords.verify(paths.passwd.read_text(), "piranha", kept.password[:-1])
    other = Paths(tmp_path / "other")
    make_folders(other)
    assert prepare(other).kept.password != kept.password


def test_a_password_that_a_person_set_stays(paths: Paths) -> None:
    prepare(paths)
    demo_setup.store(paths, "piranha", "one of my own")
    prepare(paths)
    assert passwords.verify(paths.passwd.read_text(), "piranha", "one of my own")


def test_an_lvs_cf_that_a_person_edited_stays(paths: Paths) -> None:
    prepare(paths)
    paths.lvs_cf.write_text("# mine\nserial_no = 9\n")
    assert prepare(paths).vip is None
    assert paths.lvs_cf.read_text() == "# mine\nserial_no = 9\n"


def test_new_ports_are_written_into_what_is_saved_and_what_ran(paths: Paths) -> None:
    prepare(paths)
    paths.running_cf.write_bytes(paths.lvs_cf.read_bytes())
    old = paths.lvs_cf.read_text().splitlines()
    demo = prepare(paths, vip_port=8099, web_ports={"web3": 20999})
    assert demo.vip is not None
    assert demo.vip[1] == 8099
    assert demo.kept.web_ports["web3"] == 20999
    for file in (paths.lvs_cf, paths.running_cf):
        new = file.read_text().splitlines()
        assert [after.strip() for before, after in zip(old, new, strict=True) if before != after] == [
            "serial_no = 2",
            "port = 8099",
            "port = 20999",
        ]
    assert prepare(paths) == demo


def test_a_port_for_a_virtual_server_that_is_gone_is_refused_with_the_way_out(paths: Paths) -> None:
    prepare(paths)
    paths.lvs_cf.write_text("serial_no = 9\n")
    with pytest.raises(PiranhaError, match=r"lvs\.cf.*Remove .* to begin with a new one"):
        prepare(paths, vip_port=8099)
    assert paths.lvs_cf.read_text() == "serial_no = 9\n"


@pytest.mark.parametrize("damage", [b"", b"{", b'{"password": "x", "web_ports": {"web1": 1}}'])
def test_a_damaged_memory_is_one_sentence(paths: Paths, damage: bytes) -> None:
    prepare(paths)
    kept_file(paths).write_bytes(damage)
    with pytest.raises(PiranhaError, match=r"Remove .* to begin anew"):
        prepare(paths)


def test_every_taken_port_is_told_with_its_option(paths: Paths) -> None:
    demo = prepare(paths, vip_port=0)
    assert taken_ports(demo, 0, patience_s=0.0) == []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.kept.web_ports["web2"]))
        taken.listen()
        (told,) = taken_ports(demo, 0, patience_s=0.0)
    assert f"127.0.0.1:{demo.kept.web_ports['web2']}, wanted for the web server web2" in told
    assert "--web-port web2=PORT" in told

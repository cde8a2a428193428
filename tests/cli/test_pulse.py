"""The options of `pulse` that start nothing."""

from pathlib import Path

from click.testing import CliRunner

from piranha.cli.pulse import pulse

TEXT = """primary = 192.0.2.1
network = nat
nat_router = 10.0.0.254 eth1:1
nat_nmask = 255.255.255.0
virtual web {
active = 1
address = 192.0.2.100 eth0:1
port = 80
scheduler = wlc
server one {
address = 10.0.0.1
active = 1
weight = 3
}
}
"""


def tried(tmp_path: Path, text: str):
    file = tmp_path / "etc/sysconfig/ha/lvs.cf"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return CliRunner().invoke(pulse, ["--root", str(tmp_path), "--test-start"])


def test_58_a_trial_start_prints_addresses_and_table_and_touches_nothing(tmp_path):
    answer = tried(tmp_path, TEXT)
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        "# the floating addresses",
        "192.0.2.100/32 on eth0:1  # virtual[web]",
        "10.0.0.254/24 on eth1:1  # nat_router",
        "# the IPVS table",
        "-A -t 192.0.2.100:80 -s wlc",
        "-a -t 192.0.2.100:80 -r 10.0.0.1:80 -m -w 3",
    ]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "etc/sysconfig/ha/lvs.cf"]


def test_58_a_trial_start_tells_what_stops_an_apply(tmp_path):
    answer = tried(tmp_path, TEXT.replace("port = 80", "port = eighty"))
    assert answer.exit_code == 1
    assert "lvs.cf:8" in answer.stderr and "Traceback" not in answer.output


def test_58_a_trial_start_without_a_file_is_one_sentence(tmp_path):
    answer = CliRunner().invoke(pulse, ["--root", str(tmp_path), "-t"])
    assert answer.exit_code == 1
    assert "lvs.cf" in answer.output and "Traceback" not in answer.output

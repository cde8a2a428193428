"""`piranha show`: one file in three forms."""

import json
import re
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

import pytest
from click.testing import CliRunner

from piranha.cli import showing
from piranha.cli.main import Session
from piranha.cli.showing import show
from piranha.config.outside import NameTrouble
from piranha.errors import ConfigUnavailable
from piranha.paths import Paths

TESTS = Path(__file__).parents[1]
CORPUS = sorted((TESTS / "data/corpus").glob("*.cf"))
NAMED = """\
network = direct
virtual web {
     active = 1
     address = 192.0.2.80 eth0:1
     server a {
         address = a.example
         active = 1
     }
     server b {
         address = b.example
         active = 1
     }
}
"""


def run(*words: str, root: Path = Path("/nowhere"), stdin: bytes | None = None):
    return CliRunner().invoke(show, list(words), obj=Session(Paths(root)), input=stdin)


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_the_rules_of_a_corpus_file_are_those_written_by_hand(file):
    result = run("--ipvsadm", str(file))
    assert result.exit_code == 0
    assert result.stdout == (TESTS / "data/ipvsadm" / f"{file.stem}.rules").read_text()
    assert result.stderr == ""


def test_without_a_file_it_is_the_lvs_cf_of_this_machine_and_a_dash_is_standard_input(tmp_path):
    file = Paths(tmp_path).lvs_cf
    file.parent.mkdir(parents=True)
    file.write_text("serial_no = 77\n")
    assert run(root=tmp_path).stdout.startswith(f"{file}:") and "serial_no 77" in run(root=tmp_path).stdout
    assert run("-", stdin=b"serial_no = 78\n").stdout.startswith("<stdin>: serial_no 78, SHA-256 ")


def test_what_is_left_out_of_the_rules_is_said_beside_them():
    result = run("--ipvsadm", "-", stdin=NAMED.encode())
    assert result.exit_code == 0 and result.stdout == "-A -t 192.0.2.80:80 -s wlc\n"
    lines = result.stderr.splitlines()
    assert len(lines) == 2 and all(line.startswith("# virtual[web].server[") for line in lines)
    assert "a.example was not looked up. Use --resolve" in lines[0]


def test_names_are_looked_up_if_asked_for(monkeypatch):
    answers = {"a.example": (ip_address("2001:db8::1"), ip_address("10.0.0.7")), "b.example": NameTrouble.SILENT}
    asked = []
    monkeypatch.setattr(showing, "resolve", lambda names: asked.append(set(names)) or answers)
    result = run("--ipvsadm", "--resolve", "-", stdin=NAMED.encode())
    assert asked == [{"a.example", "b.example"}]
    assert result.stdout.splitlines()[1:] == ["-a -t 192.0.2.80:80 -r 10.0.0.7:80 -g -w 1"]
    assert "# The name b.example was not answered within 5 seconds." in result.stderr


def test_a_file_that_apply_refuses_is_exit_code_1_with_the_errors(tmp_path):
    (tmp_path / "lvs.cf").write_text(NAMED.replace("a.example", "10.0.0.300"))
    result = run("--ipvsadm", str(tmp_path / "lvs.cf"))
    assert result.exit_code == 1 and f"# {tmp_path}/lvs.cf:6:20: error: " in result.stderr
    assert "Apply refuses it" in result.stderr
    assert run(str(tmp_path / "lvs.cf")).exit_code == 0


@pytest.mark.parametrize("words", [("--json", "--ipvsadm"), ("--resolve",), ("--resolve", "--json")])
def test_options_that_do_not_go_together_are_a_wrong_command_line(words):
    assert run(*words, "-", stdin=b"").exit_code == 2


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path):
    result = run(str(tmp_path))
    assert isinstance(result.exception, ConfigUnavailable) and "is a folder" in str(result.exception)


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_json_is_the_model_with_plain_values(file):
    told = json.loads(run("--json", str(file)).stdout)
    assert told["file"] == str(file) and told["token"] == sha256(file.read_bytes()).hexdigest()
    assert set(told) == {"file", "token", "cluster", "faults"}
    assert told["cluster"]["forwarding"] in ("nat", "direct")
    assert all(isinstance(virtual["servers"], list) for virtual in told["cluster"]["virtual_servers"])


def test_json_says_what_counts_and_not_only_what_is_written():
    text = "primary = 192.0.2.1\nbackup = 192.0.2.2\nbackup_private = 10.0.0.2\nservice = fos\n" + NAMED
    cluster = json.loads(run("--json", "-", stdin=text.encode()).stdout)["cluster"]
    assert cluster["effective_primary_private"] == "192.0.2.1"
    assert (cluster["backup_private"], cluster["effective_backup_private"]) == ("10.0.0.2", "192.0.2.2")
    (web,) = cluster["virtual_servers"]
    assert web["is_active"] is True and web["is_in_force"] is False
    assert web["address"] == {"host": "192.0.2.80", "device": "eth0:1"}
    assert web["servers"][0]["id"] == "virtual[web].server[a]" and web["servers"][0]["address"] == "a.example"


def keys_of(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(keys_of(inner) for inner in value.values()))
    return set[str]().union(*(keys_of(inner) for inner in value)) if isinstance(value, list) else set()


def test_every_name_in_the_json_document_is_on_its_page():
    page = (TESTS.parent / "docs/checking.md").read_text(encoding="utf-8")
    told = json.loads(run("--json", str(TESTS / "data/corpus/hand-written-comments-tabs-both-kinds.cf")).stdout)
    names = keys_of(told["cluster"]) | set(told)
    assert len(names) >= 60
    assert {name for name in names if f"`{name}`" not in page} == set()
    documented = set(re.findall(r"`([a-z_]+)`", page[page.index("## The JSON document") :].split("\n## ")[0]))
    assert names <= documented


def test_only_names_that_are_in_force_are_looked_up(monkeypatch):
    asked = []
    monkeypatch.setattr(showing, "resolve", lambda names: asked.append(set(names)) or {})
    text = NAMED.replace("b.example\n         active = 1", "b.example\n         active = 0")
    run("--ipvsadm", "--resolve", "-", stdin=text.encode())
    assert asked == [{"a.example"}]


def test_the_checks_of_piranha_toml_are_shown_with_the_lvs_cf_of_this_machine(tmp_path):
    paths = Paths(tmp_path)
    paths.lvs_cf.parent.mkdir(parents=True)
    paths.lvs_cf.write_text(NAMED + "virtual dns {\nport = 53\nprotocol = udp\n}\n")
    assert "checked as a web server" in run(root=tmp_path).stdout
    paths.piranha_toml.write_text(
        '[checks.virtual.web]\nkind = "https"\npath = "/health"\nhost = "www.example.com"\nexpect = "OK"\n'
        '[checks.virtual.dns]\nkind = "tls"\n'
    )
    shown = run(root=tmp_path).stdout
    assert max(map(len, shown.splitlines()[1:])) <= 80
    words = " ".join(shown.split())
    assert "checked as piranha.toml says: https, path /health, host www.example.com, status 200-299, " in words
    assert 'expect "OK", trusted by the system, for www.example.com' in words
    assert words.count("checked as") == 1
    # Another file has nothing to do with it.
    assert "checked as a web server" in run(str(paths.lvs_cf), root=tmp_path).stdout
    paths.piranha_toml.unlink()
    paths.piranha_toml.mkdir()
    result = run(root=tmp_path)
    assert result.exit_code == 0 and "piranha.toml cannot be read" in result.stderr
    assert "checked as a web server" in result.stdout

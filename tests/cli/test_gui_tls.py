"""The GUI's TLS: the certificate that `piranha tls-init` makes, and what the port takes."""

import hashlib
import http.client
import os
import re
import select
import socket
import ssl
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from piranha.cli.certificate import facts, make
from piranha.cli.gui_settings import tls_context
from piranha.config.gui_settings import GuiSettings
from piranha.errors import PiranhaError
from piranha.paths import Paths
from tests.cli.conftest import Run
from tests.cli.running_gui import IMPATIENT, Started

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
FILES = GuiSettings(
    tls_certificate="/etc/sysconfig/ha/conf/gui.crt",
    tls_key="/etc/sysconfig/ha/conf/gui.key",
)


def test_tls_init_makes_a_certificate_and_its_key_and_says_what_to_do(run: Run, tmp_path: Path) -> None:
    paths = Paths(tmp_path / "root")
    done = run("tls-init", "--name", "router1.example.com", "--name", "192.0.2.7", "--days", "30")
    assert done.code == 0, done.err
    assert stat.S_IMODE(paths.tls_key.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.tls_certificate.stat().st_mode) == 0o644
    told = facts(paths.tls_certificate.read_bytes())
    assert told.names == ("router1.example.com", "localhost", "192.0.2.7", "127.0.0.1", "::1")
    assert timedelta(days=29) < told.until - datetime.now(UTC) <= timedelta(days=30)
    der = ssl.PEM_cert_to_DER_cert(paths.tls_certificate.read_text())
    digest = hashlib.sha256(der).hexdigest().upper()
    assert told.fingerprint == ":".join(re.findall("..", digest))
    assert told.fingerprint in done.out
    # What it prints is what piranha.toml needs.
    paths.piranha_toml.write_text(done.out[done.out.index("[gui]") :])
    assert run("check", str(tmp_path / "none")).code == 1
    paths.lvs_cf.write_text("serial_no = 1\nprimary = 192.0.2.1\n")
    checked = run("check")
    assert f"{paths.piranha_toml}: no faults" in checked.out


def test_tls_init_names_this_machine_by_default(run: Run, tmp_path: Path) -> None:
    assert run("tls-init").code == 0
    assert socket.gethostname() in facts(Paths(tmp_path / "root").tls_certificate.read_bytes()).names


@pytest.mark.parametrize("left", ["tls_key", "tls_certificate"])
def test_tls_init_overwrites_nothing_without_force(run: Run, tmp_path: Path, left: str) -> None:
    paths = Paths(tmp_path / "root")
    file: Path = getattr(paths, left)
    file.parent.mkdir(parents=True)
    file.write_text("mine\n")
    done = run("tls-init")
    assert done.code == 1
    assert str(file) in done.err
    assert "--force" in done.err
    assert [each.read_text() for each in (paths.tls_key, paths.tls_certificate) if each.exists()] == ["mine\n"]
    assert run("tls-init", "--force").code == 0
    assert file.read_text().startswith("-----BEGIN ")


@pytest.mark.parametrize(
    "name", ["a b", "", "-x", "x..y", "x" * 64, "fe80::1%eth0", "b\u00fcro.example", "a/b", "10.0.0.1/8"]
)
def test_tls_init_takes_names_and_addresses_only(run: Run, tmp_path: Path, name: str) -> None:
    done = run("tls-init", f"--name={name}")
    assert done.code == 1
    assert "no host name and no address" in done.err
    assert not Paths(tmp_path / "root").tls_key.exists()


def test_the_certificate_is_one_that_browsers_take(tmp_path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    made = make(("*.example.com", "2001:db8::1"), 10, NOW)
    certificate = x509.load_pem_x509_certificate(made.certificate)
    public = certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_before_utc < NOW
    assert certificate.not_valid_after_utc == NOW + timedelta(days=10)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert facts(made.certificate).names == ("*.example.com", "2001:db8::1")
    assert make(("a.example",), 10, NOW).key != make(("a.example",), 10, NOW).key


def with_tls(root: Path) -> Paths:
    """Put a certificate, its key and a piranha.toml below a root."""
    paths = Paths(root)
    made = make(("localhost", "127.0.0.1"), 90, datetime.now(UTC))
    paths.tls_key.parent.mkdir(parents=True)
    paths.tls_certificate.write_bytes(made.certificate)
    paths.tls_key.write_bytes(made.key)
    paths.tls_key.chmod(0o600)
    text = (
        f'[gui]\nlisten = ["127.0.0.1:1"]\ntls_certificate = "{FILES.tls_certificate}"\ntls_key = "{FILES.tls_key}"\n'
    )
    paths.piranha_toml.write_text(text)
    return paths


BREAK = {
    "no key": (lambda paths: paths.tls_key.unlink(), "cannot be read"),
    "no certificate": (lambda paths: paths.tls_certificate.unlink(), "cannot be read"),
    "an open key": (lambda paths: paths.tls_key.chmod(0o644), "chmod o-rwx"),
    "another key": (lambda paths: paths.tls_key.write_bytes(make(("x",), 1, NOW).key), "no certificate and its key"),
    "no PEM": (lambda paths: paths.tls_certificate.write_text("x"), "no certificate and its key"),
    "an empty key": (lambda paths: paths.tls_key.write_text(""), "no certificate and its key"),
    "a folder": (lambda paths: (paths.tls_key.unlink(), paths.tls_key.mkdir(0o700)), "cannot be read"),
}


@pytest.mark.parametrize("kind", BREAK)
def test_tls_that_cannot_be_had_is_one_sentence_and_never_plain_http(tmp_path: Path, kind: str) -> None:
    paths = with_tls(tmp_path)
    break_it, told = BREAK[kind]
    break_it(paths)
    with pytest.raises(PiranhaError, match=told) as raised:
        tls_context(paths, FILES, NOW)
    assert "\n" not in str(raised.value)
    assert str(paths.tls_key) in str(raised.value)


def test_a_key_with_a_password_is_an_error_not_a_question(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    paths = with_tls(tmp_path)
    key = serialization.load_pem_private_key(paths.tls_key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    paths.tls_key.write_bytes(pem)
    with pytest.raises(PiranhaError, match="without a password"):
        tls_context(paths, FILES, NOW)


@pytest.mark.parametrize(("later", "told"), [(0, ""), (80, "ends on"), (91, "has ended on")])
def test_a_certificate_that_ends_soon_is_spoken_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, later: int, told: str
) -> None:
    paths = with_tls(tmp_path)
    assert tls_context(paths, FILES, datetime.now(UTC) + timedelta(days=later)) is not None
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == bool(told)
    assert all(told in warning for warning in warnings)


def context_for(paths: Paths) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(paths.tls_certificate))


def test_a_browser_that_trusts_the_certificate_gets_pages_for_tls_alone(start: Started, tmp_path: Path) -> None:
    paths = with_tls(tmp_path)
    process, port = start()
    connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=context_for(paths))
    for page in ("/login", "/", "/static/css/piranha.css", "/secure/control", "/nowhere"):
        connection.request("GET", page)
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (200, 303)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        if page == "/login":
            assert "; Secure" in answer.headers["Set-Cookie"]
    connection.close()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as raw,
        context_for(paths).wrap_socket(raw, server_hostname="127.0.0.1") as secure,
    ):
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
        secure.sendall(b"nonsense\r\n\r\n")
        answer = b""
        while piece := secure.recv(4096):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Strict-Transport-Security" in answer
    process.terminate()
    assert process.wait(10) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_tls_before_1_2_is_not_spoken(tmp_path: Path) -> None:
    context = tls_context(with_tls(tmp_path), FILES, NOW)
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_plain_request_to_the_port_is_told_so_and_does_not_hang(start: Started, tmp_path: Path) -> None:
    with_tls(tmp_path)
    process, port = start()
    for request in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /login HTTP/1.1\r\nHost: x\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            plain.sendall(request)
            answer = b""
            while piece := plain.recv(4096):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"https://" in answer
        assert b"nosniff" in answer
        assert b"Strict-Transport" not in answer
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        plain.sendall(b"xyzzy\r\n\r\n")
        assert plain.recv(4096) in (b"", b"\x15\x03\x03\x00\x02\x02F")  # nothing, or an alert
    process.terminate()
    assert process.wait(10) == 0
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize("first", [b"", b"\x16", b"G", b"\x16\x03\x01\x02\x00\x01\x00"])
def test_half_a_handshake_ends_in_time(start: Started, tmp_path: Path, first: bytes) -> None:
    paths = with_tls(tmp_path)
    _, port = start(program=IMPATIENT)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        slow.sendall(first)
        assert slow.recv(1) == b""
    connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=context_for(paths))
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_stalled_request_inside_tls_ends_in_time(start: Started, tmp_path: Path) -> None:
    paths = with_tls(tmp_path)
    _, port = start(program=IMPATIENT)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw:
        secure = context_for(paths).wrap_socket(raw, server_hostname="127.0.0.1", suppress_ragged_eofs=True)
        with secure:
            secure.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
            gives_up_at = time.monotonic() + 20
            assert select.select([secure], [], [], 20)[0]
            assert time.monotonic() < gives_up_at
            assert secure.recv(1) == b""


def test_only_root_makes_the_certificate_of_the_real_system(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    done = run("tls-init", root=Path("/"))
    assert done.code == 1
    assert "Only root" in done.err

"""The GUI's TLS certificate: make one that vouches for itself, and tell what one says."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from piranha.errors import PiranhaError

COMMON_NAME_MAX = 64
BEGAN_BEFORE = timedelta(hours=1)
"""Clocks of routers and browsers differ a little."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new certificate and its key, both PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says. `fingerprint`: SHA-256, as browsers show it."""

    fingerprint: str
    names: tuple[str, ...]
    until: datetime


def make(names: tuple[str, ...], days: int, now: datetime) -> Made:
    """Return a certificate for host names and addresses, valid for so many days, with an EC P-256 key of its own.

    It is signed by itself: a browser asks once whether to trust it. Raises PiranhaError for a name that is none.
    """
    general = [_general(name) for name in names]
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:COMMON_NAME_MAX])])
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEGAN_BEFORE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(general), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_signs_only(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Made(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def facts(pem: bytes) -> Facts:
    """Return what the first certificate of a PEM file says. Raises PiranhaError if there is none."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        try:
            general = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            general = x509.SubjectAlternativeName([])
    except ValueError as problem:
        raise PiranhaError("There is no certificate in it.") from problem
    names = [*general.get_values_for_type(x509.DNSName), *map(str, general.get_values_for_type(x509.IPAddress))]
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    return Facts(fingerprint, tuple(names), certificate.not_valid_after_utc.astimezone(UTC))


def is_host_name(name: str) -> bool:
    """Say whether a certificate can carry it as a host name; the first label may be *."""
    labels = name.removeprefix("*.").split(".")
    return len(name) <= 253 and all(_is_label(label) for label in labels)


def _is_label(label: str) -> bool:
    letters = label.replace("-", "").replace("_", "")
    return 0 < len(label) <= 63 and letters.isascii() and letters.isalnum() and label[0] != "-" != label[-1]


def _general(name: str) -> x509.GeneralName:
    if "%" not in name:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            pass
    if not is_host_name(name):
        raise PiranhaError(f'"{name}" is no host name and no address. Write for example --name router1.example.com')
    return x509.DNSName(name)


def _signs_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )

"""What piranha-gui is told by piranha.toml and by its command line, which wins; and its TLS.

Nothing here opens anything silently: a file that cannot be read or understood is an error, and so is an address that
other machines reach without TLS, unless that was asked for.
"""

import ipaddress
import logging
import ssl
import stat
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from piranha.config.extensions import Extensions
from piranha.config.faults import Severity
from piranha.config.gui_settings import GUI_PORT, PLAIN_HTTP, GuiSettings, Listen
from piranha.errors import PiranhaError
from piranha.paths import Paths
from piranha.system import piranha_toml

SOON = timedelta(days=30)
"""How long before its end a certificate is spoken of."""

log = logging.getLogger("piranha-gui")


def gui_settings(
    paths: Paths, hosts: Sequence[str] = (), port: int | None = None, *, allow_plain_http: bool = False
) -> GuiSettings:
    """Return how the GUI is to run. What the command line says (`hosts`, `port`) replaces what the file says.

    Raises PiranhaError: every error of piranha.toml on its own line, or an address that must not be listened on.
    """
    told = piranha_toml.load(paths) or Extensions()
    errors = [fault for fault in told.errors if fault.code != PLAIN_HTTP]
    if errors:
        raise PiranhaError("\n".join(fault.located(str(paths.piranha_toml)) for fault in errors))
    for fault in told.faults:
        if fault.severity is not Severity.ERROR:
            log.warning("%s", fault.located(str(paths.piranha_toml)))
    settings = told.gui
    if hosts:
        listen = [Listen(_address(host), GUI_PORT if port is None else port) for host in hosts]
    elif port is not None:
        listen = [replace(each, port=port) for each in settings.listen]
    else:
        listen = list(settings.listen)
    settings = replace(
        settings,
        listen=tuple(dict.fromkeys(listen)),
        allow_plain_http=settings.allow_plain_http or allow_plain_http,
    )
    if settings.exposed:
        there = [fault for fault in told.errors if fault.code == PLAIN_HTTP]
        if there and not hosts:
            raise PiranhaError("\n".join(fault.located(str(paths.piranha_toml)) for fault in there))
        raise PiranhaError(
            f"{settings.exposed[0]} can be reached from other machines, and without TLS passwords travel readable. "
            "Use TLS (piranha tls-init makes a certificate) or a tunnel (ssh -L 3636:localhost:3636 ROUTER), or "
            f"accept that with --allow-plain-http or allow_plain_http = true in {paths.piranha_toml}."
        )
    return settings


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise PiranhaError(f'"{host}" is no IP address. Write for example --host 127.0.0.1') from None


def tls_context(paths: Paths, settings: GuiSettings, now: datetime) -> ssl.SSLContext | None:
    """Return what the GUI's TLS is made with, None if it has none. Certificate and key are read here, once.

    Raises PiranhaError if they cannot be used.
    """
    if not settings.has_tls:
        return None
    # Loading this takes as long as all the rest, and most have no use for it.
    from piranha.cli.certificate import facts

    certificate, key = below_root(paths, settings.tls_certificate), below_root(paths, settings.tls_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        if key.stat().st_mode & stat.S_IRWXO:
            raise PiranhaError(f"{key} is open to every user of this machine. Close it: chmod o-rwx {key}")
        # An empty password: a key that needs one is an error, not a question on the terminal.
        context.load_cert_chain(certificate, key, password="")
        told = facts(certificate.read_bytes())
    except ssl.SSLError as problem:
        raise PiranhaError(
            f"{certificate} and {key} are no certificate and its key ({problem.reason or 'unreadable'}). "
            "Both must be PEM, the key without a password. `piranha tls-init` makes both."
        ) from problem
    except OSError as problem:
        raise PiranhaError(
            f"The TLS files {certificate} and {key} cannot be read: {problem.strerror}. The GUI's user must be able "
            "to read both. `piranha tls-init` makes both."
        ) from problem
    if told.until - now < SOON:
        when = "has ended" if told.until <= now else "ends"
        log.warning("the certificate %s %s on %s", certificate, when, f"{told.until:%Y-%m-%d}")
    log.info("the certificate's SHA-256 is %s", told.fingerprint)
    return context


def below_root(paths: Paths, written: str) -> Path:
    """Return a path of piranha.toml below --root, as all others are."""
    return paths.root / written.lstrip("/")


def today() -> datetime:
    """Return the wall-clock time."""
    return datetime.now(UTC)

"""`piranha tls-init`: a certificate and a key for the GUI, made here."""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from piranha.cli.certificate import facts, is_host_name, make
from piranha.errors import PiranhaError
from piranha.paths import Paths
from piranha.system import gui_account
from piranha.system.files import locked, make_folder, write_atomically

if TYPE_CHECKING:
    from piranha.cli.main import Session

DAYS = 825
"""The longest that some browsers take, even from a certificate that a person has trusted."""


@click.command("tls-init")
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="A host name or address under which browsers reach this router; may be given again. [default: its host name]",
)
@click.option("--days", type=click.IntRange(1, 3650), default=DAYS, show_default=True, help="How long it is valid.")
@click.option("--force", is_flag=True, help="Replace the certificate and the key that are there.")
@click.pass_obj
def tls_init(session: "Session", names: tuple[str, ...], days: int, force: bool) -> None:
    """Make a TLS certificate for the GUI that vouches for itself, and its key.

    It prints the fingerprint to compare in the browser, and the lines for piranha.toml. The names localhost,
    127.0.0.1 and ::1 are always in it, for tunnels.

    Exit codes: 0 both are made; 1 refused, nothing is changed.
    """
    paths = session.paths
    if paths.is_system and os.geteuid() != 0:
        raise PiranhaError("Only root can make the certificate of this system. Become root, or give a --root DIR.")
    own = socket.gethostname()
    chosen = tuple(dict.fromkeys((*(names or filter(is_host_name, [own])), "localhost", "127.0.0.1", "::1")))
    made = make(chosen, days, datetime.now(UTC))
    _store(paths, made.certificate, made.key, force)
    told = facts(made.certificate)
    click.echo(
        f"Certificate  {paths.tls_certificate}\n"
        f"Key          {paths.tls_key}\n"
        f"Names        {', '.join(told.names)}\n"
        f"Valid until  {told.until:%Y-%m-%d}\n"
        f"SHA-256      {told.fingerprint}\n"
        "\n"
        f"For {paths.piranha_toml}, then start piranha-gui again:\n"
        "\n"
        "[gui]\n"
        f'tls_certificate = "{_below_root(paths, paths.tls_certificate)}"\n'
        f'tls_key = "{_below_root(paths, paths.tls_key)}"'
    )


def _store(paths: Paths, certificate: bytes, key: bytes, force: bool) -> None:
    """Put both files in place. Raises PiranhaError."""
    group = gui_account.group_id() if paths.is_system else 0
    owner = (0, group) if paths.is_system else None
    folder = paths.tls_key.parent
    if paths.is_system:
        make_folder(folder.parent.parent, 0o755)  # /etc/sysconfig is not ours alone
    make_folder(folder, 0o750 if paths.is_system else 0o700, owner)
    with locked(folder):
        present = [str(path) for path in (paths.tls_certificate, paths.tls_key) if os.path.lexists(path)]
        if present and not force:
            raise PiranhaError(
                f"{' and '.join(present)} exist already; nothing is changed. --force replaces them: browsers that "
                "trust the old certificate ask again."
            )
        # The key first: a certificate whose key is not there yet is worse than a key that nobody names.
        write_atomically(paths.tls_key, key, mode=0o640 if paths.is_system else 0o600, owner=owner)
        write_atomically(paths.tls_certificate, certificate, mode=0o644, owner=owner)


def _below_root(paths: Paths, path: Path) -> Path:
    """Return a path as it is written in piranha.toml: there --root stands in front of each."""
    return Path("/") / path.relative_to(paths.root)

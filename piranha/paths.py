"""Where Piranha's files are, under a prefix: `/` in production, any folder in tests and in the demo."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """All paths below one root. Nothing here touches the disk."""

    root: Path = Path("/")

    @property
    def is_system(self) -> bool:
        """Say whether this is the real system, with the real owners and modes."""
        return self.root == Path("/")

    @property
    def lvs_cf(self) -> Path:
        """Return the one configuration file."""
        return self.root / "etc/sysconfig/ha/lvs.cf"

    @property
    def piranha_toml(self) -> Path:
        """Return the extensions: what only new engines know."""
        return self.root / "etc/sysconfig/ha/piranha.toml"

    @property
    def heartbeat_key(self) -> Path:
        """Return the key that both routers sign their heartbeats with."""
        return self.root / "etc/sysconfig/ha/heartbeat.key"

    @property
    def sync_key(self) -> Path:
        """Return the ssh key that this router logs in to its partner with; its public half is beside it."""
        return self.root / "etc/sysconfig/ha/sync_key"

    @property
    def sync_known_hosts(self) -> Path:
        """Return the ssh host key of the partner, as it was when the routers were paired."""
        return self.root / "etc/sysconfig/ha/sync_known_hosts"

    @property
    def authorized_keys(self) -> Path:
        """Return who may log in as root by key: the partner among them, for nothing but `piranha receive`."""
        return self.root / "root/.ssh/authorized_keys"

    @property
    def passwd(self) -> Path:
        """Return the password file, htpasswd format."""
        return self.root / "etc/sysconfig/ha/conf/piranha.passwd"

    @property
    def web(self) -> Path:
        """Return the folder whose .htaccess covers the whole site; its `secure/` covers the panels."""
        return self.root / "etc/sysconfig/ha/web"

    @property
    def tls_certificate(self) -> Path:
        """Return where `piranha tls-init` puts the GUI's certificate."""
        return self.root / "etc/sysconfig/ha/conf/gui.crt"

    @property
    def tls_key(self) -> Path:
        """Return where `piranha tls-init` puts the key to it."""
        return self.root / "etc/sysconfig/ha/conf/gui.key"

    @property
    def run(self) -> Path:
        """Return the folder of sockets."""
        return self.root / "run/piranha"

    @property
    def socket(self) -> Path:
        """Return the engine's socket."""
        return self.run / "lvs.sock"

    @property
    def pulse_socket(self) -> Path:
        """Return the socket on which pulse hears lvs."""
        return self.run / "pulse.sock"

    @property
    def state(self) -> Path:
        """Return the engine's memory: running.cf, history, overrides."""
        return self.root / "var/lib/piranha"

    @property
    def running_cf(self) -> Path:
        """Return the text that was applied last."""
        return self.state / "running.cf"

    @property
    def history(self) -> Path:
        """Return the folder of all the texts that lvs.cf had."""
        return self.state / "history"

    @property
    def overrides(self) -> Path:
        """Return the drains and weights set by hand."""
        return self.state / "overrides.json"

    @property
    def unconfirmed(self) -> Path:
        """Return the Apply that waits for its confirmation, with the text that comes back."""
        return self.state / "unconfirmed.json"

    @property
    def synced(self) -> Path:
        """Return what both routers had the same of piranha.toml after the last sync."""
        return self.state / "synced.json"

    @property
    def standstill(self) -> Path:
        """Return who stopped LVS, while it is stopped."""
        return self.state / "standstill.json"

    @property
    def events(self) -> Path:
        """Return the events; older ones are beside it."""
        return self.state / "events"

    @property
    def audit(self) -> Path:
        """Return the audit; older files of it are beside it."""
        return self.state / "audit"

    @property
    def gui_state(self) -> Path:
        """Return the GUI's own folder: the key that signs its cookies, ended sessions. Never configuration."""
        return self.root / "var/lib/piranha-gui"


def from_environment(root: str | None) -> Paths:
    """Return the paths for `--root`, else for PIRANHA_ROOT, else for the real system."""
    chosen = root or os.environ.get("PIRANHA_ROOT") or "/"
    return Paths(Path(chosen).absolute())

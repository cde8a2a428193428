"""Debian's apache2 with mod_access_compat, as the measure of what an `.htaccess` means.

It is no service: one process with a configuration of its own in a temporary folder, on a loopback port. The address
of a client is what the header X-Client says (mod_remoteip).
"""

import contextlib
import http.client
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

PROGRAM = "/usr/sbin/apache2"
MODULES = "/usr/lib/apache2/modules"
START_S = 20.0

CONFIGURATION = """\
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_host_module {modules}/mod_authz_host.so
LoadModule access_compat_module {modules}/mod_access_compat.so
LoadModule remoteip_module {modules}/mod_remoteip.so
ServerRoot {folder}
ServerName referee
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/error.log
LogLevel error
User www-data
Group www-data
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
MinSpareThreads 1
MaxSpareThreads 8
AcceptFilter http none
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
HostnameLookups Off
RemoteIPHeader X-Client
RemoteIPInternalProxy 127.0.0.1
DocumentRoot {folder}/www
<Directory />
AllowOverride None
Require all denied
</Directory>
<Directory {folder}/www>
AllowOverride All
Require all granted
</Directory>
"""


class Apache:
    """A running apache2; `with` stops it."""

    def __init__(self) -> None:
        # Not below pytest's folder: apache2 gives up root, and that folder is for its owner alone.
        self.folder = Path(tempfile.mkdtemp(prefix="referee-"))
        self.folder.chmod(0o755)
        (self.folder / "www").mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        configuration = self.folder / "apache2.conf"
        configuration.write_text(CONFIGURATION.format(modules=MODULES, folder=self.folder, port=self.port))
        command = [PROGRAM, "-DFOREGROUND", "-d", self.folder, "-f", configuration]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self._folders = 0
        self._wait()

    def __enter__(self) -> "Apache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def stop(self) -> None:
        """Stop it; nothing answers on its port any more."""
        self._connection.close()
        self._process.terminate()
        self._process.communicate(timeout=20)

    def new_folder(self) -> Path:
        """Return a new folder of the site with a page in it."""
        self._folders += 1
        folder = self.folder / "www" / f"site{self._folders}"
        folder.mkdir()
        (folder / "page").write_text("here\n")
        return folder

    def statuses(self, folder: Path, clients: Sequence[str]) -> list[int]:
        """Return the status that each client gets for the page in a folder."""
        found = []
        for client in clients:
            self._connection.request("GET", f"/{folder.name}/page", headers={"X-Client": client})
            answer = self._connection.getresponse()
            answer.read()
            found.append(answer.status)
        return found

    def judge(self, text: bytes, clients: Sequence[str]) -> list[int]:
        """Return the status that each client gets where this is the .htaccess."""
        folder = self.new_folder()
        (folder / ".htaccess").write_bytes(text)
        return self.statuses(folder, clients)

    def _wait(self) -> None:
        ends_at = time.monotonic() + START_S
        while time.monotonic() < ends_at and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            threading.Event().wait(0.02)
        self._process.kill()
        raise AssertionError(f"apache2 does not start: {self._process.communicate()[1]}")

"""piranha.toml: what only new engines know. Its tables are TABLES, each read by a module of its own.

A text becomes settings and faults with their places; what is unknown is a warning and does nothing. Whoever needs a
setting decides what an error means: piranha-gui does not start with one.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field

from piranha.config.failover_settings import FailoverSettings, read_failover
from piranha.config.faults import Fault, Severity, in_file_order
from piranha.config.gui_settings import GuiSettings, read_gui
from piranha.config.health_settings import CheckSettings, WeightSettings, read_checks, read_weights
from piranha.config.model import VirtualServer
from piranha.config.sync_settings import SyncSettings, read_sync
from piranha.config.toml_text import TomlText, fault_of_syntax

TABLES = ("gui", "failover", "sync", "checks", "weights")


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a piranha.toml says. A setting with an error has its default here."""

    gui: GuiSettings = field(default_factory=GuiSettings)
    failover: FailoverSettings = field(default_factory=FailoverSettings)
    sync: SyncSettings = field(default_factory=SyncSettings)
    checks: CheckSettings = field(default_factory=CheckSettings)
    weights: WeightSettings = field(default_factory=WeightSettings)
    faults: tuple[Fault, ...] = ()

    @property
    def errors(self) -> tuple[Fault, ...]:
        """Return the faults that are errors."""
        return tuple(fault for fault in self.faults if fault.severity is Severity.ERROR)


def read(
    raw: bytes, beside: tuple[float, float] | None = None, virtuals: Sequence[VirtualServer] | None = None
) -> Extensions:
    """Return what the bytes of a piranha.toml say, and all their faults.

    `beside`: keepalive and deadtime of lvs.cf, in seconds, where it is to be seen whether both files fit together;
    `virtuals`: its virtual servers, for the same.
    """
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        sentence = "This is not UTF-8, so it is no TOML."
        return Extensions(faults=(Fault(Severity.ERROR, "toml-text", line, 1, "", "", "", sentence, "Write it anew."),))
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        return Extensions(faults=(fault_of_syntax(text, str(problem)),))
    written = TomlText(text)
    written.look_for_unknown(tables, list(TABLES))
    gui, failover, sync = read_gui(written, tables), read_failover(written, tables, beside), read_sync(written, tables)
    checks, weights = read_checks(written, tables, virtuals), read_weights(written, tables)
    return Extensions(gui, failover, sync, checks, weights, in_file_order(written.faults))

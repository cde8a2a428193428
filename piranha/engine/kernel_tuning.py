"""Setting the kernel's settings as what runs needs them, where policy.toml says `manage_sysctl = true`.

Rule 1: only those of `settings.CHANGED`, only what does not fit, and only on a router that is active.
Rule 2: what was there before is written down before it is changed, and comes back at an operator's stop, or when
policy.toml no longer says so; not when somebody else has changed it meanwhile. A crash leaves all as it is, and the
next start knows it.
Rule 3: what is refused is logged once, kept in `problems` for the status, and tried again.
"""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

import msgspec

from piranha.config.model import Cluster
from piranha.engine.policy import Policy, read_policy
from piranha.errors import ConfigUnavailable
from piranha.ipvs.settings import to_set, use_of
from piranha.paths import Paths
from piranha.system import kernel_settings
from piranha.system.boot import boot_id
from piranha.system.files import write_atomically
from piranha.system.kernel_settings import PROC_SYS, SettingRefused

log = logging.getLogger("lvs")

NAME = "sysctl"


def policy_file(paths: Paths) -> Path:
    """Return where policy.toml stands: beside lvs.cf."""
    return paths.lvs_cf.with_name("policy.toml")


@dataclass(frozen=True, slots=True)
class _Changed:
    name: str
    before: str
    set_to: str


@dataclass(frozen=True, slots=True)
class _Memory:
    boot_id: str
    changed: tuple[_Changed, ...] = ()


class KernelTuning:
    """Follows what runs. `problems`: what went wrong last time, in sentences; `is_managed`: policy.toml says so."""

    def __init__(self, paths: Paths, proc_sys: Path = PROC_SYS) -> None:
        self.is_managed = False
        self.problems: tuple[str, ...] = ()
        self._policy_file = policy_file(paths)
        self._memory_file = paths.run / NAME
        self._proc_sys = proc_sys
        self._said: frozenset[str] = frozenset()

    async def follow(self, cluster: Cluster, is_active: bool) -> None:
        """Set what this cluster needs. It never raises for what the world does."""
        await asyncio.to_thread(self._follow, cluster, is_active)

    async def restore(self) -> None:
        """Bring back what was there before, as an operator's stop does. It never raises for what the world does."""
        self._say(await asyncio.to_thread(self._restored))

    def _follow(self, cluster: Cluster, is_active: bool) -> None:
        policy: Policy = read_policy(self._policy_file)
        self.is_managed = policy.manages_sysctl
        problems = [policy.problem] if policy.problem else []
        if not policy.manages_sysctl:
            problems += self._restored()
        elif is_active:
            wanted = to_set(kernel_settings.read(self._proc_sys), use_of(cluster))
            problems += self._set(wanted) if wanted else []
        self._say(problems)

    def _set(self, wanted: tuple[tuple[str, str], ...]) -> list[str]:
        before = {name: kernel_settings.value(name, self._proc_sys) for name, _ in wanted}
        memory = {each.name: each for each in self._remembered()}
        for name, text in wanted:
            there = before[name]
            if there is not None:
                first = memory[name].before if name in memory else there
                memory[name] = _Changed(name, first, text)
        try:
            self._remember(tuple(memory.values()))
        except ConfigUnavailable as error:
            return [f"The kernel's settings are left as they are, since what was there cannot be kept: {error}"]
        problems = []
        for name, text in wanted:
            try:
                kernel_settings.write(name, text, self._proc_sys)
            except SettingRefused as refusal:
                problems.append(str(refusal))
            else:
                log.info("%s is set to %s (it was %s): policy.toml says manage_sysctl.", name, text, before[name])
        return problems

    def _restored(self) -> list[str]:
        """Bring back what we changed; return what did not work, which stays remembered."""
        changed = self._remembered()
        if not changed:
            return []
        problems, left = [], []
        for each in changed:
            if kernel_settings.value(each.name, self._proc_sys) != each.set_to:
                continue  # somebody else has had his say since
            try:
                kernel_settings.write(each.name, each.before, self._proc_sys)
            except SettingRefused as refusal:
                problems.append(str(refusal))
                left.append(each)
            else:
                log.info("%s is set back to %s.", each.name, each.before)
        try:
            self._remember(tuple(left))
        except ConfigUnavailable as error:
            problems.append(str(error))
        return problems

    def _remembered(self) -> tuple[_Changed, ...]:
        try:
            memory = msgspec.json.decode(self._memory_file.read_bytes(), type=_Memory)
        except (OSError, msgspec.MsgspecError):
            return ()
        return memory.changed if memory.boot_id == boot_id() else ()

    def _remember(self, changed: tuple[_Changed, ...]) -> None:
        write_atomically(self._memory_file, msgspec.json.encode(_Memory(boot_id(), changed)), mode=0o600)

    def _say(self, problems: list[str]) -> None:
        for each in problems:
            if each not in self._said:
                log.error("%s", each)
        self._said = frozenset(problems)
        self.problems = tuple(problems)

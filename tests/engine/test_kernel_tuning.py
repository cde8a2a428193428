"""The kernel's settings, set and brought back on a folder made as /proc/sys is."""

from pathlib import Path

import pytest

from piranha.config.load import load
from piranha.engine.kernel_tuning import KernelTuning, policy_file
from piranha.ipvs.settings import EXPIRE_NODEST, FORWARD, REVERSE_PATH
from piranha.paths import Paths
from piranha.system import kernel_settings

TEXT = "network = nat\nvirtual a {\n active = 1\n address = 192.0.2.1 eth0:1\n port = 80\n}\n"
NAT = load(TEXT).cluster
DIRECT = load(TEXT.replace("nat", "direct")).cluster


@pytest.fixture
def proc_sys(tmp_path: Path) -> Path:
    """A kernel in which NAT does not work yet."""
    found = tmp_path / "sys"
    for name, text in {FORWARD: "0", EXPIRE_NODEST: "0", "net.ipv4.conf.all.rp_filter": "0"}.items():
        path = found.joinpath(*name.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return found


@pytest.fixture
def allowed(paths: Paths) -> Path:
    """A policy that allows to set them."""
    file = policy_file(paths)
    file.touch(mode=0o600)
    file.write_text("manage_sysctl = true\n")
    return file


def strict_device(proc_sys: Path) -> None:
    path = proc_sys / "net/ipv4/conf/eth0/rp_filter"
    path.parent.mkdir()
    path.write_text("1\n")


def no_longer(file: Path) -> None:
    file.write_text("manage_sysctl = false\n")


def open_to_all(file: Path) -> None:
    file.chmod(0o666)


def values(proc_sys: Path) -> tuple[str | None, str | None]:
    return kernel_settings.value(FORWARD, proc_sys), kernel_settings.value(EXPIRE_NODEST, proc_sys)


async def test_without_permission_nothing_is_set(paths: Paths, proc_sys: Path) -> None:
    tuning = KernelTuning(paths, proc_sys)
    await tuning.follow(NAT, True)
    assert values(proc_sys) == ("0", "0")
    assert not tuning.is_managed and not tuning.problems


async def test_what_does_not_fit_is_set_and_comes_back_at_the_stop(paths: Paths, proc_sys: Path, allowed: Path) -> None:
    tuning = KernelTuning(paths, proc_sys)
    await tuning.follow(NAT, True)
    assert tuning.is_managed and not tuning.problems
    assert values(proc_sys) == ("1", "1")
    await tuning.restore()
    assert values(proc_sys) == ("0", "0")


async def test_a_passive_router_sets_nothing(paths: Paths, proc_sys: Path, allowed: Path) -> None:
    await KernelTuning(paths, proc_sys).follow(NAT, False)
    assert values(proc_sys) == ("0", "0")


async def test_after_a_crash_the_next_engine_brings_back_what_was_there_first(
    paths: Paths, proc_sys: Path, allowed: Path
) -> None:
    await KernelTuning(paths, proc_sys).follow(NAT, True)
    again = KernelTuning(paths, proc_sys)
    kernel_settings.write(FORWARD, "0", proc_sys)  # and somebody undid one of them meanwhile
    await again.follow(NAT, True)
    assert values(proc_sys) == ("1", "1")
    await KernelTuning(paths, proc_sys).restore()
    assert values(proc_sys) == ("0", "0")


async def test_what_is_set_a_second_time_comes_back_as_it_was_before_the_first(
    paths: Paths, proc_sys: Path, allowed: Path
) -> None:
    strict_device(proc_sys)
    tuning = KernelTuning(paths, proc_sys)
    await tuning.follow(DIRECT, True)
    assert kernel_settings.value(REVERSE_PATH, proc_sys) == "2"
    kernel_settings.write(REVERSE_PATH, "1", proc_sys)
    await tuning.follow(DIRECT, True)
    assert kernel_settings.value(REVERSE_PATH, proc_sys) == "2"
    await tuning.restore()
    assert kernel_settings.value(REVERSE_PATH, proc_sys) == "0"


async def test_what_somebody_else_has_set_since_stays(paths: Paths, proc_sys: Path, allowed: Path) -> None:
    tuning = KernelTuning(paths, proc_sys)
    await tuning.follow(NAT, True)
    kernel_settings.write(EXPIRE_NODEST, "2", proc_sys)
    await tuning.restore()
    assert values(proc_sys) == ("0", "2")


async def test_a_permission_that_is_taken_back_brings_back_what_was_there(
    paths: Paths, proc_sys: Path, allowed: Path
) -> None:
    tuning = KernelTuning(paths, proc_sys)
    await tuning.follow(NAT, True)
    no_longer(allowed)
    await tuning.follow(NAT, True)
    assert values(proc_sys) == ("0", "0")
    assert not tuning.is_managed


async def test_a_setting_that_is_refused_is_told_and_the_others_are_set(
    paths: Paths, proc_sys: Path, allowed: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = kernel_settings.write

    def refusing(name: str, text: str, proc_sys: Path) -> None:
        if name == FORWARD:
            raise kernel_settings.SettingRefused(f"{name} was not set.")
        write(name, text, proc_sys)

    monkeypatch.setattr(kernel_settings, "write", refusing)
    tuning = KernelTuning(paths, proc_sys)
    await tuning.follow(NAT, True)
    await tuning.follow(NAT, True)
    assert tuning.problems == (f"{FORWARD} was not set.",)
    assert values(proc_sys) == ("0", "1")
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


async def test_what_cannot_be_remembered_is_not_changed(paths: Paths, proc_sys: Path, allowed: Path) -> None:
    (paths.run / "sysctl").mkdir()
    tuning = KernelTuning(paths, proc_sys)
    await tuning.follow(NAT, True)
    assert values(proc_sys) == ("0", "0")
    assert "left as they are" in tuning.problems[0]


async def test_a_policy_that_cannot_be_trusted_is_told(paths: Paths, proc_sys: Path, allowed: Path) -> None:
    open_to_all(allowed)
    tuning = KernelTuning(paths, proc_sys)
    await tuning.follow(NAT, True)
    assert values(proc_sys) == ("0", "0")
    assert "policy.toml allows nothing" in tuning.problems[0]

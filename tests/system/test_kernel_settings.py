"""The kernel's settings, on a folder that is made as /proc/sys is."""

from pathlib import Path

import pytest

from piranha.ipvs.settings import EXPIRE_NODEST, FORWARD, NAMES, REVERSE_PATH
from piranha.system import kernel_settings
from piranha.system.kernel_settings import SettingRefused


def put(proc_sys: Path, name: str, text: str) -> Path:
    """Make one setting; the parts of its name are between slashes."""
    path = proc_sys / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_is_there_is_read_and_what_is_not_is_none(tmp_path: Path) -> None:
    put(tmp_path, "net/ipv4/ip_forward", "1\n")
    found = kernel_settings.read(tmp_path)
    assert found.values[FORWARD] == "1"
    assert found.values[EXPIRE_NODEST] is None
    assert set(found.values) == set(NAMES)


def test_each_device_has_a_setting_of_its_own_whatever_its_name(tmp_path: Path) -> None:
    for device in ("all", "default", "lo", "eth0", "eth0.100"):
        put(tmp_path, f"net/ipv4/conf/{device}/rp_filter", "2\n" if device == "eth0.100" else "0\n")
    found = kernel_settings.read(tmp_path)
    assert dict(found.reverse_paths) == {"lo": "0", "eth0": "0", "eth0.100": "2"}
    assert found.values[REVERSE_PATH] == "0"


def test_the_settings_of_this_machine_can_be_read() -> None:
    found = kernel_settings.read()
    assert found.values[FORWARD] in ("0", "1")
    assert "lo" in found.reverse_paths


def test_a_setting_is_written(tmp_path: Path) -> None:
    path = put(tmp_path, "net/ipv4/ip_forward", "0\n")
    kernel_settings.write(FORWARD, "1", tmp_path)
    assert path.read_text() == "1\n"
    assert kernel_settings.value(FORWARD, tmp_path) == "1"


def test_a_setting_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    (tmp_path / "net/ipv4").mkdir(parents=True)
    with pytest.raises(SettingRefused, match="has no such setting"):
        kernel_settings.write(FORWARD, "1", tmp_path)
    assert not (tmp_path / "net/ipv4/ip_forward").exists()


def test_a_setting_that_cannot_be_written_is_refused_with_what_to_type(tmp_path: Path) -> None:
    (tmp_path / "net/ipv4/ip_forward").mkdir(parents=True)
    with pytest.raises(SettingRefused, match=r"Type as root: sysctl -w net\.ipv4\.ip_forward=1"):
        kernel_settings.write(FORWARD, "1", tmp_path)

"""The settings of a real kernel: set where policy.toml says so, and brought back."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from piranha.config.load import load
from piranha.engine.kernel_tuning import KernelTuning, policy_file
from piranha.ipvs.settings import EXPIRE_NODEST, EXPIRE_TEMPLATE, FORWARD, FORWARD_6, REVERSE_PATH, to_set, use_of
from piranha.paths import Paths
from piranha.system import kernel_settings
from tests.lab.topologies import NAT
from tests.lab.topology import Host, Topology

TEXT = """network = {network}
virtual web {{
 active = 1
 address = 2001:db8:2::100 eth0:1
 port = 80
 persistent = 60
 quiesce_server = 1
 server a {{
  address = 10.0.0.21
  active = 1
 }}
}}
"""
BEFORE = {FORWARD: "0", FORWARD_6: "0", REVERSE_PATH: "1", EXPIRE_NODEST: "0", EXPIRE_TEMPLATE: "0"}


@pytest.fixture
def lvs1() -> Iterator[Host]:
    """Give a router whose settings fit nothing."""
    subprocess.run(["modprobe", "ip_vs"], check=True)
    made = Topology(NAT)
    made.make()
    try:
        for name, text in BEFORE.items():
            made["lvs1"].sysctl(name, text)
        yield made["lvs1"]
    finally:
        made.remove()


@pytest.mark.parametrize("network", ["nat", "direct", "tunnel"])
def test_what_is_set_fits_and_what_was_there_comes_back(lvs1: Host, tmp_path: Path, network: str) -> None:
    paths = Paths(tmp_path)
    paths.run.mkdir(parents=True)
    policy_file(paths).parent.mkdir(parents=True)
    policy_file(paths).touch(mode=0o600)
    policy_file(paths).write_text("manage_sysctl = true\n")
    cluster = load(TEXT.format(network=network)).cluster
    tuning = KernelTuning(paths)
    assert lvs1.call(lambda: to_set(kernel_settings.read(), use_of(cluster)))
    lvs1.call(lambda: asyncio.run(tuning.follow(cluster, True)))
    assert tuning.problems == ()
    assert lvs1.call(lambda: to_set(kernel_settings.read(), use_of(cluster))) == ()
    assert (lvs1.call(lambda: kernel_settings.value(FORWARD_6)) == "1") is (network == "nat")
    lvs1.call(lambda: asyncio.run(KernelTuning(paths).restore()))
    assert {name: lvs1.call(lambda name=name: kernel_settings.value(name)) for name in BEFORE} == BEFORE

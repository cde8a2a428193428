"""The lab itself: every host reaches its neighbours, and IPVS is there."""

import subprocess

import pytest

from tests.lab.topology import Topology


@pytest.mark.parametrize("version", [4, 6])
def test_neighbours_reach_one_another(lab: Topology, version: int) -> None:
    for host, there in (("client", "dmz.11"), ("lvs1", "private.24"), ("lvs2", "public.10")):
        lab[host].run("ping", f"-{version}", "-c", "1", "-W", "2", lab.address(there, version))


def test_a_socket_of_a_host_stays_there(lab: Topology) -> None:
    with lab["rs1"].socket() as listener, lab["lvs1"].socket() as caller:
        listener.bind(("10.0.0.21", 0))
        listener.listen()
        caller.connect(listener.getsockname())
        assert caller.getpeername()[0] == "10.0.0.21"


def test_the_kernel_has_every_scheduler() -> None:
    for name in ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"):
        subprocess.run(["modprobe", f"ip_vs_{name}"], check=True)

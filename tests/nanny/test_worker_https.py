"""Checks by HTTP and TLS in a worker, which may read nothing by the time that it makes them."""

from dataclasses import replace
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

import pytest

from piranha.config.check_kinds import CheckKind
from piranha.health.kinds import Authorities, of_kind
from piranha.nanny.rounds import Order
from tests.nanny.hired import hired, order, passes, status_of
from tests.nanny.test_hostile import hostile
from tests.system.web_servers import authority, page, serving

pytestmark = pytest.mark.end_to_end

LOOPBACK = IPv4Address("127.0.0.1")
NOTHING_READ = Authorities()
OK = b"HTTP/1.1 200 OK\r\n\r\nall OK"


def asking(number: int, port: int, kind: CheckKind, read: Authorities = NOTHING_READ) -> Order:
    made = order(number, port, 5.0)
    check = of_kind(replace(made.check, address=LOOPBACK), kind, {"/ca.pem": read})
    return replace(made, check=check, address=LOOPBACK)


async def test_a_worker_verifies_with_what_it_was_told_and_with_the_systems_authorities(tmp_path: Path) -> None:
    signer = authority(tmp_path)
    own = CheckKind("https", host="www.example.com", expect="OK", ca_file="/ca.pem")
    read = Authorities(signer.pem)
    async with (
        serving(page(OK)) as plain,
        serving(page(OK), signer.server("*.example.com", days=6.5)) as named,
        serving(page(OK), signer.server("other.example.com")) as other,
        hired() as found,
    ):
        found.workers.order(
            [
                asking(1, plain, CheckKind("http", expect="OK")),
                asking(2, named, own, read),
                asking(3, other, own, read),
                asking(4, named, CheckKind("tls", host="www.example.com")),
                asking(5, named, own, Authorities(trouble="/ca.pem cannot be read: permission denied")),
                asking(6, named, own, Authorities(b"-----BEGIN CERTIFICATE-----\nnone")),
            ]
        )
        await found.until_all(range(1, 7))
    first = {number: found.of(number)[0] for number in range(1, 7)}
    told = {
        number: (each.probed.verdict.is_good, each.probed.verdict.reason) if each.probed else (None, each.trouble)
        for number, each in first.items()
    }
    assert told[1] == (True, 'HTTP 200 with "OK" in the body')
    assert told[2] == (True, 'HTTP 200 with "OK" in the body; its certificate ends in 5 days')
    where = f"127.0.0.1:{other}"
    wrong = f"certificate of {where} is for another name: other.example.com, expected www.example.com"
    assert told[3] == (False, wrong)
    # Whether this machine has a file of authorities or none: ours is not among them, and no server is down for a lack.
    assert told[4][0] is not True and ("is not trusted" in told[4][1]) is (told[4][0] is False), told[4]
    assert told[5] == (None, "/ca.pem cannot be read: permission denied")
    assert told[6] == (None, "/ca.pem has no certificates in PEM that can be read")


INTERVAL_S = 0.5
WELL, EACH = 40, 4
HARMFUL = ("endless", "drip", "huge line", "silent", "reset", "tls garbage", "bomb", "half-open")


async def test_hostile_servers_cost_no_other_server_its_check_whatever_the_kind() -> None:
    kinds = [CheckKind("http", expect="OK")]
    kinds += [CheckKind("https", expect="OK", verifies=False), CheckKind("tls", verifies=False)]
    with hostile() as ports:
        async with serving(page(OK)) as port, hired() as found:
            well = [asking(number, port, kinds[0]) for number in range(1, WELL + 1)]
            well = [replace(each, check=replace(each.check, interval_s=INTERVAL_S, limit_s=3.0)) for each in well]
            harmful = {
                number: replace(each, check=replace(each.check, interval_s=INTERVAL_S, limit_s=INTERVAL_S))
                for number, each in enumerate(
                    (asking(0, ports[name], kind) for name in HARMFUL for kind in kinds for _ in range(EACH)), WELL + 1
                )
            }
            found.workers.order(well)
            await found.until_all(range(1, WELL + 1))
            (pid,) = found.pids
            before_kb, began = int(status_of(pid)["VmRSS"].split()[0]), len(found.told)
            found.workers.order([replace(each, number=number) for number, each in harmful.items()])
            await found.until_all(range(WELL + 1, WELL + 1 + len(harmful)), began)
            await passes(4.0)
            after_kb = int(status_of(pid)["VmHWM"].split()[0])
            assert found.pids == [pid], "no worker was lost"
    outcomes = [each for one in well for each in found.of(one.number)]
    assert all(each.probed is not None and each.probed.verdict.is_good for each in outcomes)
    late_s = sorted(
        late.ended - early.ended - INTERVAL_S for one in well for early, late in pairwise(found.of(one.number)[1:])
    )
    assert len(late_s) > WELL * 4
    assert late_s[int(len(late_s) * 0.99)] < 1.0, f"most {late_s[-1]:.3f} s"
    told = [each.probed for number in harmful for each in found.of(number) if each.probed is not None]
    assert {each.verdict.is_good for each in told} == {False}
    assert max(each.took_s for each in told) < INTERVAL_S + 2.0
    assert after_kb - before_kb < 60_000, f"{after_kb - before_kb} KiB more"

"""The weights of what runs: what slow start and the load make of them, in the table and in what is told."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from piranha.config.check_kinds import CheckKind
from piranha.config.health_settings import CheckSettings, WeightSettings
from piranha.engine.balancer import Balancer
from piranha.engine.weighing import USUAL_S, HealthSettings, settings_in
from piranha.errors import ConfigUnavailable
from piranha.health import machine
from piranha.health.check import Verdict
from piranha.health.kinds import Authorities
from piranha.health.load_questions import EVERY_S, Question
from piranha.health.tuning import STALE_S, STEP_S
from piranha.system.authority_files import BYTES_MAX
from piranha.system.load_queries import NoAnswer
from piranha.system.probes import Probed

GOOD, BAD = Verdict(True, "answered"), Verdict(False, "refused")


@dataclass
class Hosts:
    """The real servers' loads, by what is asked; a text is why there is no answer. `asked` tells every question."""

    answers: dict[str, str | NoAnswer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, question: Question, stop: threading.Event, run_as: str) -> bytes:
        self.asked.append(str(question))
        answer = self.answers.get(str(question), NoAnswer("nobody is there"))
        if isinstance(answer, NoAnswer):
            raise answer
        return answer.encode()


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


@pytest.fixture
async def balancer(path, clock: Clock, hosts: Hosts) -> AsyncIterator[Balancer]:
    """A balancer whose checks and questions the test makes itself."""

    async def never(*_: object) -> Probed:
        await asyncio.Event().wait()
        raise AssertionError

    async with asyncio.TaskGroup() as tasks:
        found = Balancer(path, tasks, clock, never)
        found.weighing.loads._ask = hosts
        found.weighing.loads._keep_asking = lambda question: asyncio.Event().wait()
        found.weighing.loads._names_of = lambda addresses, limit_s: {}
        yield found
        found.weighing.stop()


def says(balancer: Balancer, verdict: Verdict, *addresses: str) -> None:
    """Have one check of these real servers, of all of them without any, end so."""
    nanny = balancer.nanny
    for key, check in nanny.checks.items():
        if not addresses or str(key.address) in addresses:
            nanny._healths[key], row = machine.step(nanny.healths[key], verdict, check, balancer._now())
            balancer._hear(key, nanny.healths[key], row if row.is_change else None)


async def asks(balancer: Balancer) -> None:
    """Have every question that there is asked once."""
    for question in balancer.weighing.loads.questions:
        await balancer.weighing.loads._turn(question)


def use(balancer: Balancer, checks: CheckSettings | None = None, **weights: str) -> None:
    settings = HealthSettings(checks or CheckSettings(), WeightSettings(**weights))
    balancer.weighing.read_settings = lambda: settings


def uptime(load: float) -> str:
    return f" 10:24:01 up 3 days,  1:23,  2 users,  load average: {load:.2f}, 0.18, 0.12\n"


RUP = "load_monitor = rup"
THREE = ("a=127.0.0.11:80*8", "b=127.0.0.12:80*8", "c=127.0.0.13:80*8")


def weights(path) -> list[int | None]:
    return [path.weights().get(f"127.0.0.{number}:80") for number in (11, 12, 13)]


async def test_the_load_changes_the_weight_in_the_table(balancer, path, hosts, cluster_of, block) -> None:
    await balancer.switch(cluster_of(block("web", *THREE, extra=RUP)))
    says(balancer, GOOD)
    hosts.answers = {f"rup 127.0.0.{number}": uptime(load) for number, load in ((11, 0.0), (12, 0.0), (13, 3.0))}
    await asks(balancer)
    await asks(balancer)
    await balancer.turn()
    assert weights(path) == [8, 8, 2]


async def test_the_balancer_is_woken_once_and_only_when_a_weight_changes(
    balancer, path, hosts, clock, cluster_of, block
) -> None:
    await balancer.switch(cluster_of(block("web", *THREE, extra=RUP)))
    says(balancer, GOOD)
    hosts.answers = {f"rup 127.0.0.{number}": uptime(1.0) for number in (11, 12, 13)}
    await balancer.turn()
    balancer._woken.clear()
    await asks(balancer)
    assert not balancer._woken.is_set()
    clock.now += EVERY_S
    hosts.answers["rup 127.0.0.13"] = uptime(9.0)
    path.taken.clear()
    await asks(balancer)
    assert balancer._woken.is_set()
    await balancer.turn()
    assert len(path.taken) == 1
    balancer._woken.clear()
    clock.now += EVERY_S
    hosts.answers["rup 127.0.0.13"] = uptime(8.5)
    await asks(balancer)
    assert not balancer._woken.is_set()


async def test_one_ruptime_answers_for_every_server_and_every_virtual_server(
    balancer, path, hosts, cluster_of, block
) -> None:
    text = block("web", *THREE, extra="load_monitor = ruptime")
    text += block("ssl", "a=127.0.0.11:443*4", "b=127.0.0.12:443*4", port=443, extra="load_monitor = ruptime")
    await balancer.switch(cluster_of(text))
    says(balancer, GOOD)
    hosts.asked.clear()
    hosts.answers["ruptime"] = "".join(
        f"{name}  up   3+01:23,  2 users,  load {load:.2f}, 0.18, 0.12\n"
        for name, load in (("a", 0), ("b", 3), ("c", 0))
    )
    await asks(balancer)
    assert hosts.asked == ["ruptime"]
    await balancer.turn()
    assert weights(path) == [8, 2, 8]
    assert [path.weights()[f"127.0.0.{number}:443"] for number in (11, 12)] == [8, 3]


async def test_a_load_that_is_not_known_leaves_the_configured_weight_and_says_why(
    balancer, path, hosts, clock, cluster_of, block
) -> None:
    await balancer.switch(cluster_of(block("web", *THREE, extra=RUP)))
    says(balancer, GOOD)
    await asks(balancer)
    await balancer.turn()
    assert weights(path) == [8, 8, 8]
    assert {tuned.problem for tuned in balancer.weighing.tuned.values()} == {"nobody is there"}


async def test_a_load_that_is_not_heard_again_is_forgotten(balancer, path, hosts, clock, cluster_of, block) -> None:
    await balancer.switch(cluster_of(block("web", *THREE, extra=RUP)))
    says(balancer, GOOD)
    hosts.answers = {f"rup 127.0.0.{number}": uptime(load) for number, load in ((11, 0.0), (12, 0.0), (13, 3.0))}
    await asks(balancer)
    await asks(balancer)
    await balancer.turn()
    hosts.answers.clear()
    assert STALE_S == 90
    for passed_s, expected in ((STALE_S - 1, [8, 8, 2]), (1, [8, 8, 8])):
        clock.now += passed_s
        await asks(balancer)
        await balancer.turn()
        assert weights(path) == expected


async def test_the_load_of_servers_that_are_down_is_neither_asked_for_nor_counted(
    balancer, path, hosts, clock, cluster_of, block
) -> None:
    await balancer.switch(cluster_of(block("web", *THREE, extra=RUP)))
    says(balancer, GOOD)
    hosts.answers = {f"rup 127.0.0.{number}": uptime(load) for number, load in ((11, 9.0), (12, 9.0), (13, 1.0))}
    await asks(balancer)
    says(balancer, BAD, "127.0.0.11", "127.0.0.12")
    hosts.asked.clear()
    clock.now += USUAL_S
    await asks(balancer)
    assert hosts.asked == ["rup 127.0.0.13"]
    await balancer.turn()
    assert weights(path) == [None, None, 8]


async def test_a_monitor_that_is_switched_off_leaves_no_trace(balancer, path, hosts, cluster_of, block) -> None:
    await balancer.switch(cluster_of(block("web", *THREE, extra=RUP)))
    says(balancer, GOOD)
    hosts.answers = {f"rup 127.0.0.{number}": uptime(load) for number, load in ((11, 0.0), (12, 0.0), (13, 3.0))}
    await asks(balancer)
    await asks(balancer)
    await balancer.turn()
    assert weights(path) == [8, 8, 2]
    await balancer.switch(cluster_of(block("web", *THREE, extra="load_monitor = none")))
    assert weights(path) == [8, 8, 8]
    assert balancer.weighing.loads.questions == {}


async def test_scenario_59_in_the_table(balancer, path, hosts, clock, cluster_of, block) -> None:
    use(balancer, load_formula="original")
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80*8", extra=RUP)))
    says(balancer, GOOD)
    await balancer.turn()
    found = weights(path)[:1]
    hosts.answers["rup 127.0.0.11"] = uptime(0.0)
    await balancer.turn()
    for load in (0.0, 0.0, 0.0, 5.0, 5.0):
        hosts.answers["rup 127.0.0.11"] = uptime(load)
        clock.now += EVERY_S
        await asks(balancer)
        await balancer.turn()
        found += weights(path)[:1]
    assert found == [8, 12, 16, 20, 13, 8]


BIG = ("a=127.0.0.11:80*64", "b=127.0.0.12:80*64", "c=127.0.0.13:80*64")
QUIESCE = "quiesce_server = 1"


async def test_scenario_42_quiesced_and_back_with_its_first_weight_never_deleted(
    balancer, path, clock, cluster_of, block
) -> None:
    await balancer.switch(cluster_of(block("web", *BIG, extra=QUIESCE)))
    says(balancer, GOOD)
    await balancer.turn()
    clock.now += STEP_S
    says(balancer, BAD, "127.0.0.13")
    await balancer.turn()
    assert weights(path) == [64, 64, 0]
    for _ in range(2):
        says(balancer, GOOD, "127.0.0.13")
    found = []
    for _ in range(7):
        await balancer.turn()
        found.append(weights(path))
        clock.now += STEP_S
    assert found == [[64, 64, weight] for weight in (2, 4, 8, 16, 32, 64, 64)]
    assert not any(type(step).__name__ == "RemoveDestination" for step in path.taken)


@pytest.mark.parametrize(
    ("policy", "extra", "weight"),
    [
        ("quiesce", "", 64),
        ("on", "", 2),
        ("off", QUIESCE, 64),
        ("original", "", 2),
    ],
)
async def test_where_a_server_that_returns_starts_slowly(
    balancer, path, clock, cluster_of, block, policy: str, extra: str, weight: int
) -> None:
    use(balancer, slow_start=policy)
    await balancer.switch(cluster_of(block("web", *BIG, extra=extra)))
    says(balancer, GOOD)
    clock.now += 200
    says(balancer, BAD, "127.0.0.13")
    for _ in range(2):
        says(balancer, GOOD, "127.0.0.13")
    await balancer.turn()
    assert weights(path) == [64, 64, weight]


async def test_when_all_return_together_nobody_starts_slowly(balancer, path, clock, cluster_of, block) -> None:
    use(balancer, slow_start="on")
    await balancer.switch(cluster_of(block("web", *BIG)))
    says(balancer, GOOD)
    clock.now += 200
    says(balancer, BAD)
    clock.now += 10
    for passed_s in (2, 2):
        clock.now += passed_s
        says(balancer, GOOD)
    await balancer.turn()
    assert weights(path) == [64, 64, 64]


async def test_two_that_return_one_after_the_other_share_what_there_is(
    balancer, path, clock, cluster_of, block
) -> None:
    """The one that starts slowly is no reason to give everything to the one that comes behind it."""
    use(balancer, slow_start="on")
    await balancer.switch(cluster_of(block("web", *BIG)))
    says(balancer, GOOD)
    clock.now += 200
    says(balancer, BAD, "127.0.0.12", "127.0.0.13")
    for _ in range(2):
        says(balancer, GOOD, "127.0.0.12")
    clock.now += STEP_S
    says(balancer, BAD, "127.0.0.11")
    for _ in range(2):
        says(balancer, GOOD, "127.0.0.13")
    await balancer.turn()
    assert weights(path) == [None, 4, 2]


async def test_who_has_been_up_longest_is_found_anew_when_that_one_failed(
    balancer, path, clock, cluster_of, block
) -> None:
    use(balancer, slow_start="on")
    await balancer.switch(cluster_of(block("web", *BIG)))
    says(balancer, GOOD)
    for number in (13, 11, 13):  # 11 is the first of those that are up as long, and then the youngest
        clock.now += 30
        says(balancer, BAD, f"127.0.0.{number}")
        for _ in range(2):
            says(balancer, GOOD, f"127.0.0.{number}")
        if number == 11:
            clock.now -= 30
    await balancer.turn()
    assert weights(path)[2] == 2


async def test_a_server_whose_first_check_an_apply_awaits_starts_slowly_too_as_the_original_did(
    balancer, path, clock, cluster_of, block
) -> None:
    use(balancer, slow_start="original")
    await balancer.switch(cluster_of(block("web", BIG[0])))
    says(balancer, GOOD)
    clock.now += 200
    await balancer.turn()
    assert weights(path) == [64, None, None]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(balancer.switch(cluster_of(block("web", BIG[1]))))
        while all(str(key.address) != "127.0.0.12" for key in balancer.nanny.checks):
            await asyncio.get_running_loop().run_in_executor(None, int)
        says(balancer, GOOD, "127.0.0.12")
    assert weights(path)[1] == 2


async def test_after_a_failover_nobody_starts_slowly(balancer, path, clock, cluster_of, block) -> None:
    """A passive router checks all the time: at its takeover the real servers are through with whatever there was."""
    use(balancer, slow_start="original")
    await balancer.switch(cluster_of(block("web", *BIG)))
    says(balancer, GOOD)
    await balancer.turn()
    assert weights(path) == [2, 2, 2]
    for _ in range(6):
        clock.now += STEP_S
        await balancer.turn()
    path.entries.clear()
    await balancer.turn()
    assert weights(path) == [64, 64, 64]


async def test_after_a_restart_of_the_engine_nobody_starts_slowly(balancer, path, clock, cluster_of, block) -> None:
    use(balancer, slow_start="original")
    cluster = cluster_of(block("web", *BIG))
    await balancer.switch(cluster)
    says(balancer, GOOD)
    for _ in range(6):
        clock.now += STEP_S
        await balancer.turn()
    async with asyncio.TaskGroup() as tasks:
        other = Balancer(path, tasks, clock, balancer.nanny._runner._probe)  # type: ignore[attr-defined]
        use(other, slow_start="original")
        await other.switch(cluster)
        assert weights(path) == [64, 64, 64]
        says(other, GOOD)
        await other.turn()
        assert weights(path) == [64, 64, 64]
        other.weighing.stop()


async def test_a_server_that_joins_a_pool_at_work_starts_slowly(balancer, path, clock, cluster_of, block) -> None:
    await balancer.switch(cluster_of(block("web", *BIG[:2], extra=QUIESCE)))
    says(balancer, GOOD)
    clock.now += STEP_S
    await balancer.switch(cluster_of(block("web", *BIG, extra=QUIESCE)))
    says(balancer, GOOD, "127.0.0.13")
    await balancer.turn()
    assert weights(path) == [64, 64, 2]
    clock.now += STEP_S
    await balancer.switch(cluster_of(block("web", *BIG, extra=QUIESCE).replace("weight = 64", "weight = 32")))
    await balancer.turn()
    assert weights(path) == [32, 32, 2], "another weight takes slow start along"


async def test_a_weight_set_by_hand_is_not_touched_by_slow_start(balancer, path, clock, cluster_of, block) -> None:
    from piranha.health.overrides import Override

    use(balancer, slow_start="original")
    balancer.overrides = (Override(1, "weight", "", "127.0.0.13", 0, 7, "a", "", ""),)
    await balancer.switch(cluster_of(block("web", *BIG)))
    says(balancer, GOOD)
    await balancer.turn()
    assert weights(path) == [2, 2, 7]


async def test_rise_and_fall_of_piranha_toml_hold_for_every_check(balancer, path, clock, cluster_of, block) -> None:
    use(balancer, CheckSettings(rise=3, fall=2))
    await balancer.switch(cluster_of(block("web", *THREE)))
    says(balancer, GOOD)
    found = []
    for verdict in (BAD, BAD, GOOD, GOOD, GOOD):
        says(balancer, verdict, "127.0.0.13")
        await balancer.turn()
        found.append(weights(path)[2])
    assert found == [8, None, None, None, 8]


async def test_settings_are_read_at_each_apply_and_stay_where_the_file_cannot_be_read(
    balancer, cluster_of, block, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = cluster_of(block("web", *THREE))
    use(balancer, CheckSettings(fall=4))
    await balancer.switch(cluster)

    def broken() -> HealthSettings:
        raise ConfigUnavailable("piranha.toml cannot be read: Input/output error.")

    balancer.weighing.read_settings = broken
    await balancer.switch(cluster)
    assert {check.fall for check in balancer.nanny.checks.values()} == {4}
    assert "Input/output error" in caplog.text
    use(balancer)
    await balancer.switch(cluster)
    assert {check.fall for check in balancer.nanny.checks.values()} == {1}


def test_the_settings_are_those_of_piranha_toml(paths) -> None:
    assert settings_in(paths) == HealthSettings()
    paths.piranha_toml.write_text('[checks]\nfall = 3\n[weights]\nslow_start = "off"\n')
    assert settings_in(paths) == HealthSettings(CheckSettings(0, 3), WeightSettings("off"))
    policy = paths.lvs_cf.with_name("policy.toml")
    policy.write_text('[programs."ssh"]\nrun_as = "loads"\n')
    policy.chmod(0o600)
    assert settings_in(paths).run_as == {"ssh": "loads"}


async def test_the_users_of_programs_are_those_of_the_last_apply(balancer, cluster_of, block) -> None:
    settings = HealthSettings(run_as={"ssh": "loads"})
    balancer.weighing.read_settings = lambda: settings
    await balancer.switch(cluster_of(block("web", *THREE)))
    assert balancer.weighing.loads.run_as == {"ssh": "loads"}


async def test_what_is_stopped_asks_nobody(balancer, hosts, cluster_of, block) -> None:
    await balancer.switch(cluster_of(block("web", *THREE, extra=RUP)))
    says(balancer, GOOD)
    assert len(balancer.weighing.loads.questions) == 3
    await balancer.halt()
    hosts.asked.clear()
    await asks(balancer)
    assert hosts.asked == []
    assert balancer.weighing.tuned == {}


async def test_scenario_38_a_real_server_that_is_up_at_the_activation_is_added_with_its_first_good_check(
    balancer, path, clock, cluster_of, block
) -> None:
    """With its configured weight; the original began with max(1, W >> 5), which is there to be chosen."""
    found = []
    for policy in ("quiesce", "original"):
        use(balancer, slow_start=policy)
        await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80*64", "b=127.0.0.12:80*3", extra=QUIESCE)))
        await balancer.turn()
        assert path.weights() == {}
        says(balancer, GOOD)
        await balancer.turn()
        found.append(weights(path)[:2])
        await balancer.halt()
    assert found == [[64, 3], [2, 1]]


async def test_scenario_57_the_sorry_server_is_there_while_nobody_else_is(
    balancer, path, clock, cluster_of, block
) -> None:
    extra = "sorry_server = 127.0.0.99"
    await balancer.switch(cluster_of(block("web", "a=127.0.0.11:80*8", "b=127.0.0.12:80*8", extra=extra)))
    says(balancer, GOOD)
    await balancer.turn()
    assert path.weights() == {"127.0.0.11:80": 8, "127.0.0.12:80": 8}
    says(balancer, BAD)
    await balancer.turn()
    assert path.weights() == {"127.0.0.99:80": 1}
    for _ in range(2):
        says(balancer, GOOD, "127.0.0.12")
    await balancer.turn()
    assert path.weights() == {"127.0.0.12:80": 8}


async def test_a_check_of_another_kind_stands_for_that_of_lvs_cf(balancer, cluster_of, block) -> None:
    kinds = {"web": CheckKind("https", ca_file="/ca.pem"), "nobody": CheckKind("tls")}
    settings = HealthSettings(CheckSettings(fall=2, kinds=kinds), authorities={"/ca.pem": Authorities(b"PEM")})
    balancer.weighing.read_settings = lambda: settings
    await balancer.switch(cluster_of(block("web", *THREE) + block("other", "d=127.0.0.14:80*8", port=81)))
    checks = {str(key.address): check for key, check in balancer.nanny.checks.items()}
    for number in (11, 12, 13):
        made = checks[f"127.0.0.{number}"]
        assert made.http is not None and made.tls is not None and made.fall == 2
        assert (made.tls.authorities, made.tls.name) == (b"PEM", f"127.0.0.{number}")
    assert checks["127.0.0.14"].http is checks["127.0.0.14"].tls is None


def test_files_with_certificates_are_read_below_the_root_and_what_is_wrong_is_kept(paths) -> None:
    paths.piranha_toml.write_text(
        "".join(f"[checks.virtual.{name}]\nkind = 'tls'\nca_file = '/{name}.pem'\n" for name in "abcd")
        + "[checks.virtual.e]\nkind = 'tls'\nca_file = '/e.pem'\nverify = false\n"
    )
    pem = b"-----BEGIN CERTIFICATE-----\n"
    for name, content in (("a", pem), ("b", b"no certificate"), ("c", pem + b" " * BYTES_MAX)):
        (paths.root / f"{name}.pem").write_bytes(content)
    told = settings_in(paths).authorities
    assert told["/a.pem"] == Authorities(pem)
    assert told["/b.pem"].trouble == f"{paths.root}/b.pem has no certificate in PEM"
    assert told["/c.pem"].trouble.startswith(f"{paths.root}/c.pem has more than {BYTES_MAX} bytes")
    assert told["/d.pem"].trouble == f"{paths.root}/d.pem cannot be read: there is no such file"
    assert "/e.pem" not in told


def test_a_piranha_toml_that_is_no_toml_changes_nothing(paths) -> None:
    paths.piranha_toml.parent.mkdir(parents=True, exist_ok=True)
    paths.piranha_toml.write_text("[checks]\nrise = = 3\n")
    with pytest.raises(ConfigUnavailable, match=r"piranha\.toml:2:"):
        settings_in(paths)

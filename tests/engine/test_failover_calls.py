"""POST /v1/failover: who may call it, what is in the audit; and the role as status and summary tell it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from piranha.client import EngineClient
from piranha.config.load import load
from piranha.engine import api
from piranha.engine.keeper import ConfigKeeper
from piranha.engine.redundancy import Redundancy
from piranha.engine.role import Standing
from piranha.engine.service import Engine
from piranha.engine.telling import _role
from piranha.errors import EditRefused, NotPermitted
from piranha.monitoring import FailoverAnswer, FailoverCommand
from piranha.pair_findings import OLD_S
from piranha.records import AuditQuery
from piranha.router_status import RedundancyStatus, RoleStatus
from piranha.system import unix_socket
from tests import pairs

PAIR = "primary = 192.0.2.11\nbackup_active = 1\nbackup = 192.0.2.12\n"


@dataclass
class Link:
    """pulse, as far as a call of the API reaches it."""

    pair: RedundancyStatus | None = pairs.WELL
    answer: FailoverAnswer = field(default_factory=lambda: FailoverAnswer(True, ("handing over by command",)))
    asked: list[str] = field(default_factory=list)
    is_lost: bool = False

    def redundancy(self) -> RedundancyStatus | None:
        return self.pair

    async def ask(self, command: str) -> FailoverAnswer:
        self.asked.append(command)
        return self.answer


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
async def engine(paths, balancer) -> Engine:
    made = Engine(ConfigKeeper(paths), balancer, asyncio.get_running_loop().time)
    await made.start()
    return made


@pytest.fixture
async def client(paths, engine: Engine, link: Link) -> AsyncIterator[EngineClient]:
    """A client that speaks for ann, before an engine whose pulse is `link`."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        redundancy = Redundancy(engine.audit, engine.events, link)
        engine.redundancy = redundancy.status
        listener = unix_socket.listen(paths.socket, mode=0o600)
        tasks.create_task(api.serve(api.application(engine, redundancy=redundancy), listener, stop), name="api")
        yield EngineClient(paths.socket, "ann", "192.0.2.7")
        stop.set()


async def audited(client: EngineClient) -> list[tuple[str, str, str, str, int | None]]:
    told = await asyncio.to_thread(client.audit, AuditQuery())
    return [(each.verb, each.result, each.about, each.who, each.uid) for each in told.entries]


@pytest.mark.parametrize(("uid", "may"), [(0, True), (998, True), (1000, False)])
async def test_the_user_of_the_gui_may_move_the_addresses_as_it_may_apply(
    client: EngineClient, link: Link, monkeypatch: pytest.MonkeyPatch, uid: int, may: bool
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(api, "_piranha_uid", lambda: (998,))
        patch.setattr(unix_socket, "caller", lambda connection: unix_socket.Caller(1, uid, uid))
        patch.setattr("os.getuid", lambda: 0)
        if may:
            assert (await asyncio.to_thread(client.failover, FailoverCommand.HAND_OVER)).done
        else:
            with pytest.raises(NotPermitted):
                await asyncio.to_thread(client.failover, FailoverCommand.HAND_OVER)
    assert link.asked == (["hand over"] if may else [])
    result, about = ("done", "hand over") if may else ("refused", "")
    assert await audited(client) == [("failover", result, about, "ann", uid)]


@pytest.mark.parametrize("command", FailoverCommand)
async def test_each_command_reaches_pulse_and_its_answer_comes_back(
    client: EngineClient, link: Link, command: FailoverCommand
) -> None:
    link.answer = FailoverAnswer(False, ("not now", "never"))
    assert await asyncio.to_thread(client.failover, command) == link.answer
    assert link.asked == [command]


async def test_without_pulse_it_is_refused(client: EngineClient, engine: Engine, paths) -> None:
    with pytest.raises(EditRefused, match="embedded data path has no second router"):
        await Redundancy(engine.audit, engine.events).command(
            api.FailoverRequest(FailoverCommand.HOLD), api.Caller("ann")
        )


async def test_status_and_summary_tell_the_role_as_pulse_has_it(client: EngineClient, engine: Engine) -> None:
    told = await asyncio.to_thread(client.status)
    assert told.redundancy == pairs.WELL
    assert [(each.name, each.pid) for each in told.processes if each.name == "pulse"] == [("pulse", pairs.WELL.pid)]
    assert (await asyncio.to_thread(client.summary)).role == told.role


def role(pair: RedundancyStatus | None, text: str = PAIR, is_active: bool = True) -> RoleStatus:
    view = SimpleNamespace(cluster=load(text).cluster, standing=Standing(is_active, "" if is_active else "why"))
    return _role(view, pair)


def test_role_and_states_are_those_of_failover() -> None:
    assert role(pairs.WELL) == RoleStatus(True, "192.0.2.12", "", "primary", "active", "passive")
    assert role(pairs.passive(), is_active=False) == RoleStatus(
        False, "192.0.2.11", "why", "backup", "passive", "active"
    )
    # A primary that is passive has the backup for its partner.
    assert role(replace(pairs.WELL, state="passive"), is_active=False).partner == "192.0.2.12"


def test_what_failover_does_not_tell_is_not_made_up() -> None:
    assert role(pairs.UNHEARD).partner_state == "unknown"
    old = role(replace(pairs.WELL, age_s=OLD_S))
    assert (old.state, old.partner_state) == ("unknown", "unknown")
    assert role(None) == role(pairs.ALONE) == RoleStatus(True, "192.0.2.12")
    assert role(pairs.WELL, "primary = 192.0.2.11\n") == RoleStatus(True)

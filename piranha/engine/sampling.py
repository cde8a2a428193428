"""Sample the traffic of every virtual server, and tell the samples of one; what they mean says `ipvs.samples`."""

import asyncio
from collections.abc import Callable

from piranha.engine.balancer import Balancer
from piranha.engine.connections import QueryRefused
from piranha.engine.view import View
from piranha.guard import Turn
from piranha.ipvs.samples import KEPT, SAMPLE_S, Samples, Totals, counted_of
from piranha.ipvs.table import TableKey
from piranha.monitoring import SamplesAnswer, SamplesQuery, TrafficSample
from piranha.system.boot import monotonic, wall, wall_at
from piranha.system.ipvs_values import KernelReading


class Sampling:
    """Samples what a balancer sees. `now` is monotonic seconds."""

    def __init__(self, balancer: Balancer, now: Callable[[], float] = monotonic) -> None:
        self._balancer = balancer
        self._now = now
        self._samples = Samples()

    async def keep_sampling(self) -> None:
        """Take a sample every SAMPLE_S seconds, until cancelled."""
        while True:
            began = self._now()
            with Turn("The sample of the traffic"):
                await self.sample()
            await asyncio.sleep(max(0.0, began + SAMPLE_S - self._now()))

    async def sample(self) -> None:
        """Take one sample."""
        view = await self._balancer.recent_view()
        if view.trouble:
            self._samples.take(self._now(), None)
            return
        counted = counted_of(view.reading, view.target.services, _totals(view))
        self._samples.take(view.read_at, counted)

    async def asked(self, query: SamplesQuery) -> SamplesAnswer:
        """Return the samples of a virtual server. Raises QueryRefused without one."""
        path = query.virtual.strip()
        if not path:
            raise QueryRefused("virtual", "Say of which virtual server: virtual=virtual[NAME].")
        view = await self._balancer.recent_view()
        name = next((each.name for each in view.cluster.virtual_servers if each.id == path), "")
        key = view.target.services.get(path)
        samples = () if key is None else tuple(self._samples.of(key))
        told = (
            TrafficSample(wall_at(each.at), each.connections, each.bytes_in, each.bytes_out, each.active)
            for each in samples
        )
        return SamplesAnswer(path, name, SAMPLE_S, SAMPLE_S * KEPT, wall(), tuple(told))


def _totals(view: View) -> dict[TableKey, Totals] | None:
    """Return the counters of the virtual servers as a whole, None where the data path has none."""
    reading = view.reading
    if not isinstance(reading, KernelReading):
        return None
    return {key: Totals(each.connections, each.bytes_in, each.bytes_out) for key, each in reading.service_stats.items()}

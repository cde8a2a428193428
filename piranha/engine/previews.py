"""What an Apply would do, kept as long as it is true: a page that shows it is loaded again and again.

To find out takes long with thousands of real servers. What was found is true as long as the same would be switched to
from the same: the same target, which is reckoned anew with every verdict, override and Apply, and a table that is as
the target asks. What the steps mean for the traffic is told anew of what the last turn read.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from piranha.config.model import Cluster
from piranha.engine.balancer import Balancer
from piranha.engine.reports import foreign_in
from piranha.engine.servers import names_of
from piranha.engine.view import Preview, ToldSteps, View
from piranha.ipvs.desired import configured

KEPT_S = 300.0
"""A table that is shared may have been changed by somebody else in the moment that it was read."""


@dataclass(frozen=True, slots=True)
class _Kept:
    cluster: Cluster
    view: View
    foreign: tuple[str, ...]
    preview: Preview
    made_at: float


class Previews:
    """The previews of one balancer. `now` is monotonic seconds."""

    def __init__(self, balancer: Balancer, now: Callable[[], float]) -> None:
        self._balancer = balancer
        self._now = now
        self._kept: _Kept | None = None

    async def of(self, cluster: Cluster) -> Preview:
        """Return what switching to a cluster would do. Raises KernelUnavailable."""
        view = await self._balancer.recent_view()
        told = self._told_again(cluster, view)
        if told is not None:
            return told
        await asyncio.to_thread(_look_at, cluster)
        made_at = self._now()
        preview = await self._balancer.preview(cluster)
        self._kept = None
        # A name may have another address the next time; a table that is not as it should be changes by itself.
        if _is_as_asked(view) and not names_of(cluster):
            self._kept = _Kept(cluster, view, foreign_in(view), preview, made_at)
        return preview

    def _told_again(self, cluster: Cluster, view: View) -> Preview | None:
        kept = self._kept
        if kept is None or kept.cluster is not cluster or self._now() - kept.made_at > KEPT_S:
            return None
        before = kept.view
        if view is before:  # no turn came since then: what the preview read itself is newer
            return kept.preview
        is_same = (
            view.cluster is before.cluster
            and _is_same_target(view, before)
            and view.standing == before.standing
            and _is_as_asked(view)
            and foreign_in(view) == kept.foreign
        )
        steps = kept.preview.steps
        again = steps.again(view.reading) if is_same and isinstance(steps, ToldSteps) else None
        if again is None:
            return None
        told = replace(kept.preview, steps=again)
        self._kept = replace(kept, view=view, preview=told)  # the next comparison is with this view
        return told


def _look_at(cluster: Cluster) -> None:
    """Find out, in a thread, what is remembered of a cluster: checks and packets do not wait for it."""
    if not names_of(cluster):
        configured(cluster, {})


def _is_same_target(view: View, before: View) -> bool:
    """Say whether the same was reckoned: mostly it is the very same; not so while real servers were not checked yet."""
    if view.target is before.target:
        return True
    return (
        view.weighed == before.weighed
        and view.target.table == before.target.table
        and view.target.omitted == before.target.omitted
    )


def _is_as_asked(view: View) -> bool:
    """Say whether the table was as the target asks when the last turn ended."""
    return view.left == () and not view.trouble

"""The workers that make the checks of lvs: as many as are worth it, each with its share of the real servers.

A server belongs to a worker by a hash of its name, so that it stays there; when there are more workers than before,
some move, and their checks keep their rhythm. Programs that root gave a user have a worker of that user.
"""

import asyncio
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from piranha.nanny.post import WORDS, Post, Standing
from piranha.nanny.rounds import Order, Outcome
from piranha.system.boot import monotonic

LOOK_S = 0.5
"""Between two looks whether all of them live."""
SERVERS_EACH = 200
"""Another worker is not worth its memory for fewer real servers."""


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """Makes checks in processes of their own. `tell` hears what came of each; `most` processes at most.

    `run_as` says whom programs run as, by the program's name; it is asked with each new order. `clock` is monotonic
    seconds, and the processes' too. `words` start a worker; tests bring their own.
    """

    def __init__(
        self,
        tell: Callable[[Outcome], None],
        most: int,
        *,
        run_as: Callable[[], Mapping[str, str]] = dict,
        clock: Callable[[], float] = monotonic,
        words: Sequence[str] = WORDS,
        servers_each: int = SERVERS_EACH,
    ) -> None:
        self._tell = tell
        self.most = max(1, most)
        self._run_as = run_as
        self._clock = clock
        self._words = tuple(words)
        self._servers_each = servers_each
        self._group: asyncio.TaskGroup | None = None
        self._posts = [self._made()]
        self._of_users: dict[str, Post] = {}
        self._homes: dict[int, Post] = {}

    @property
    def staff(self) -> Mapping[int, int]:
        """Return the processes that make the checks, each with how many it makes."""
        return {post.pid: len(post.standing) for post in self._all if post.pid}

    @property
    def troubles(self) -> tuple[str, ...]:
        """Return why checks are not made, in sentences."""
        return tuple(dict.fromkeys(post.trouble for post in self._all if post.trouble))

    async def run(self) -> None:
        """Have the workers run until cancelled; behind that none is left."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for post in self._all:
                self._begin(post)
            while True:
                await asyncio.sleep(LOOK_S)
                for post in self._all:
                    post.look()

    def order(self, orders: Iterable[Order]) -> None:
        """Make these checks too."""
        new = [Standing(order, order.due) for order in orders]
        self._grow(len(self._homes) + len(new))
        of_users = self._run_as() if any(each.order.check.program for each in new) else {}
        by_hash: list[Standing] = []
        for standing in new:
            program = standing.order.check.program
            user = of_users.get(os.fsdecode(program[0]), "") if program and of_users else ""
            if user:
                self._homes[standing.order.number] = post = self._of_user(user)
                post.order([standing])
            else:
                by_hash.append(standing)
        for post, share in self._shares(by_hash).items():
            post.order(share)

    def drop(self, numbers: Iterable[int]) -> None:
        """Make these no more; nothing is told of them any more."""
        gone: dict[Post, list[int]] = {}
        for number in numbers:
            post = self._homes.pop(number, None)
            if post is not None:
                gone.setdefault(post, []).append(number)
        for post, share in gone.items():
            post.drop(share)

    @property
    def _all(self) -> tuple[Post, ...]:
        return (*self._posts, *self._of_users.values())

    def _made(self, user: str = "") -> Post:
        return Post(self._tell, self._clock, self._words, user)

    def _of_user(self, user: str) -> Post:
        post = self._of_users.get(user)
        if post is None:
            post = self._of_users[user] = self._made(user)
            self._begin(post)
        return post

    def _begin(self, post: Post) -> None:
        if self._group is not None:
            self._group.create_task(post.keep(), name=f"nanny {len(self._posts)}")

    def _grow(self, servers: int) -> None:
        """Have as many workers as so many real servers are worth; never fewer than before."""
        wanted = min(self.most, 1 + servers // self._servers_each)
        if wanted <= len(self._posts):
            return
        before = tuple(self._posts)
        while len(self._posts) < wanted:
            self._posts.append(self._made())
            self._begin(self._posts[-1])
        moved: list[Standing] = []
        for post in before:
            leave = [each for each in post.standing.values() if self._home(each.order) is not post]
            post.drop([each.order.number for each in leave])
            moved += leave
        for post, share in self._shares(moved).items():
            post.order(share)

    def _shares(self, standings: Iterable[Standing]) -> dict[Post, list[Standing]]:
        shares: dict[Post, list[Standing]] = {}
        for standing in standings:
            post = self._home(standing.order)
            self._homes[standing.order.number] = post
            shares.setdefault(post, []).append(standing)
        return shares

    def _home(self, order: Order) -> Post:
        return self._posts[zlib.crc32(str(order.check.key).encode()) % len(self._posts)]

"""`make simulate`: 100,000 lives of pairs. `python -m tests.ha.simulate [COUNT [FIRST_SEED]]`."""

import sys
import time
from collections import Counter

from tests.ha.simulation import Life, live
from tests.ha.world import Violation

COUNT = 100_000
TOLD = 3
"""Stories of failures that are printed in full."""


def main() -> None:
    """Try many seeds, print the stories of those that fail and the figures of the others."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began = time.process_time()
    pairs: Counter[str] = Counter()
    failed: list[int] = []
    takes = disturbances = 0
    moves: list[float] = []
    for seed in range(first, first + count):
        try:
            life: Life = live(seed)
        except Violation as violation:
            failed.append(seed)
            if len(failed) <= TOLD:
                print(violation, end="\n\n", flush=True)
            continue
        pairs[life.plan.pair] += 1
        takes += sum(router.takes for router in life.routers)
        disturbances += life.watcher.disturbances
        moves += [gap_s / life.plan.keepalive_s for gap_s in life.watcher.hand_over_gaps]
    print(f"{count} lives from seed {first} in {time.process_time() - began:.0f} s of CPU:", dict(pairs))
    print(f"{disturbances} disturbances, addresses taken {takes} times, {len(moves)} hand-overs")
    if moves:
        moves.sort()
        print(f"without owner in a hand-over: median {moves[len(moves) // 2]:.3f}, longest {moves[-1]:.3f} keepalives")
    if failed:
        sys.exit(f"{len(failed)} lives went wrong: seeds {failed[:50]}")


if __name__ == "__main__":
    main()

"""`make simulate`: 100,000 lives of pairs. `python -m tests.ha.simulate [COUNT [FIRST_SEED]]`.

An interrupt (Ctrl-C) ends it with the figures of what was done.
"""

import sys
import time
from collections import Counter

from tests.ha.simulation import Life, live
from tests.ha.world import Violation

COUNT = 100_000
TOLD = 3
"""Stories of failures that are printed in full."""
EVERY = 5_000
"""Lives after which it says how far it is."""


def main() -> None:
    """Try many seeds, print the stories of those that fail and the figures of the others."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began = time.process_time()
    pairs: Counter[str] = Counter()
    failed: list[int] = []
    takes = troubles = happened = 0
    simulated_s = longest_double = 0.0
    moves: list[float] = []
    done = 0
    for seed in range(first, first + count):
        if done and done % EVERY == 0:
            print(f"{done} lives, {len(failed)} went wrong", flush=True)
        try:
            life: Life = live(seed)
        except KeyboardInterrupt:
            break
        except Violation as violation:
            done += 1
            failed.append(seed)
            if len(failed) <= TOLD:
                print(violation, end="\n\n", flush=True)
            continue
        done += 1
        watcher, keepalive_s = life.watcher, life.plan.keepalive_s
        pairs[life.plan.pair] += 1
        takes += watcher.takes
        troubles += watcher.disturbances
        happened += life.agenda.happened
        simulated_s += life.agenda.now
        moves += [gap_s / keepalive_s for gap_s in watcher.hand_over_gaps]
        longest_double = max(longest_double, watcher.longest_double_s / keepalive_s)
    print(f"{done} lives from seed {first} in {time.process_time() - began:.0f} s of CPU:", dict(pairs))
    print(f"{simulated_s / 3600:.0f} hours of pairs, {happened} events, {troubles} disturbances")
    print(f"addresses taken {takes} times, {len(moves)} hand-overs")
    print(f"two new owners after each heard the other: for {longest_double:.3f} keepalives at most")
    if moves:
        moves.sort()
        print(f"without owner in a hand-over: median {moves[len(moves) // 2]:.3f}, longest {moves[-1]:.3f} keepalives")
    if failed:
        sys.exit(f"{len(failed)} lives went wrong: seeds {failed[:50]}")


if __name__ == "__main__":
    main()

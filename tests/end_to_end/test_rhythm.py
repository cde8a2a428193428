"""Many checks a second delay neither the heartbeats of pulse nor the API (point 6 of what must be shown)."""

import pytest

from tests.bench_rhythm import KEEPALIVE_S, measured

pytestmark = pytest.mark.end_to_end

SECONDS, CHECKS_PER_S = 8.0, 1000
CHECKED_LEAST = 300
"""A second; the machine has other tests to run."""
LATE_MOST_S, ANSWER_MOST_S = 0.5 * KEEPALIVE_S, 5.0


def test_heartbeats_keep_their_interval_and_the_api_answers_beside_many_checks() -> None:
    _, found = measured(SECONDS, CHECKS_PER_S)
    print(found)
    assert found.checks_per_s > CHECKED_LEAST, "nothing was tested"
    assert len(found.late) >= SECONDS - 3
    assert max(found.late) < LATE_MOST_S
    assert max(map(max, found.answers.values())) < ANSWER_MOST_S

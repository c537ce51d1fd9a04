"""P27 at length: 10,000 jobs queued, 1,000 watchers, 50 hosts. The figures, and that nothing is lost on the way."""

import pytest

from tests.bench import full_queue
from tests.fault import figures


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_long_queue_is_held_watched_and_drained_p27() -> None:
    """On a machine that is busy with other things too, the ratio of CreateJob may miss its bar: see `make bench`."""
    rows = await full_queue.measure()
    for row in rows:
        figures.record(row="P27", name=row.title, headway=row.ours, beside=row.other, bar=row.bar)
    missed = [row.line() for row in rows if row.is_met is False]
    assert not missed, "\n".join(missed)

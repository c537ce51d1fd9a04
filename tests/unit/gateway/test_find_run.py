"""Looking runs up by what callers write: an id, a name, or anything else."""

import pytest

from gateway.find_run import RunFinder
from gateway.recent_runs import RecentRuns
from headway.contract.errors import NotFound
from headway.contract.subjects import JOBS
from headway.runtime.records import Stored
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.test_recent_runs import a_run, run_id


class NoKeys:
    """A bucket that may not be asked: what is looked for is no key of it."""

    async def find(self, key: str) -> Stored[JobRecord] | None:
        raise AssertionError(key)


@pytest.mark.parametrize("named", [run_id(0).replace("0", "a"), f"projects/demo/jobs/{run_id(0).replace('0', 'a')}"])
async def test_a_run_is_named_by_its_id_or_in_full(memory_bus: MemoryBus, clock: ManualClock, named: str) -> None:
    records = memory_bus.records(JOBS, JobRecord)
    record = a_run(stored=clock.now())
    record.job.name = record.job.name.replace(run_id(0), run_id(0).replace("0", "a"))
    await records.create(run_id(0).replace("0", "a"), record)
    finder = RunFinder(records, RecentRuns(), clock)
    assert await finder.find(named, project="demo") == record
    await clock.advance(901)
    with pytest.raises(NotFound, match="Teacher run not found or expired"):
        await finder.find(named, project="demo", what="Teacher run")


@pytest.mark.parametrize("named", ["", "../x", "a b", "*", ">", "j1", "x" * 5000, "projects/demo/models/m", "\0"])
async def test_what_is_no_id_was_never_a_run_and_is_not_asked_for(clock: ManualClock, named: str) -> None:
    with pytest.raises(NotFound) as caught:
        await RunFinder(NoKeys(), RecentRuns(), clock).find(named, project="demo")
    assert caught.value.metadata["why"] == "UNKNOWN"


async def test_a_run_of_another_project_is_not_even_looked_up(clock: ManualClock) -> None:
    name = f"projects/other/jobs/{run_id(0).replace('0', 'a')}"
    with pytest.raises(NotFound):
        await RunFinder(NoKeys(), RecentRuns(), clock).find(name, project="demo")

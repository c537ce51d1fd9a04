"""Reading and following logs, on a real folder."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.job_logs import JobLogs
from gateway.tail_logs import LINGER_SECONDS, LogTails
from headway.contract.errors import InvalidName, NotFound, ServiceUnavailable, WatchLagged
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually
from headway.v1.jobs_pb2 import Progress
from headway.v1.jobs_service_pb2 import LogLine, TailLogsRequest, TailLogsResponse
from tests.proto_fields import with_fields
from tests.unit.gateway.builders import a_principal, a_record
from tests.unit.gateway.test_watch_job import Bucket


@pytest.fixture
async def logs(tmp_path: Path) -> AsyncIterator[JobLogs]:
    logs = JobLogs(tmp_path / "logs")
    yield logs
    await logs.aclose()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(a_record())


@dataclass
class Reader:
    """Someone who reads a log, and the numbers of the lines they got."""

    bucket: Bucket
    logs: JobLogs
    clock: ManualClock
    batches: list[list[int]] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

    def start(self, *, name: str = "", projects: tuple[str, ...] = ("demo",), **fields: object) -> "Reader":
        tails = LogTails(self.bucket, self.logs, self.bucket.hub, self.clock)
        request = with_fields(TailLogsRequest(name=name or self.bucket.record.job.name), fields)
        self.task = asyncio.ensure_future(tails.serve(request, a_principal(projects=projects), self._write))
        return self

    async def _write(self, response: TailLogsResponse) -> None:
        self.batches.append([line.number for line in response.lines])

    @property
    def numbers(self) -> list[int]:
        return [number for batch in self.batches for number in batch]

    async def end(self) -> None:
        assert self.task is not None
        async with asyncio.timeout(5):
            await self.task


def lines(first: int, last: int) -> list[LogLine]:
    return [LogLine(number=number, message="x") for number in range(first, last + 1)]


async def test_without_follow_it_stops_at_the_present_end(bucket: Bucket, logs: JobLogs, clock: ManualClock) -> None:
    await logs.append(bucket.record.job.name, 1, lines(1, 3))
    reader = Reader(bucket, logs, clock).start()
    await reader.end()
    assert reader.numbers == [1, 2, 3]


async def test_lines_come_in_batches_of_500_at_most(bucket: Bucket, logs: JobLogs, clock: ManualClock) -> None:
    await logs.append(bucket.record.job.name, 1, lines(1, 1200))
    reader = Reader(bucket, logs, clock).start(first_line=100)
    await reader.end()
    assert reader.numbers == list(range(100, 1201))
    assert max(map(len, reader.batches)) == 500


async def test_the_last_lines_can_be_asked_for(bucket: Bucket, logs: JobLogs, clock: ManualClock) -> None:
    await logs.append(bucket.record.job.name, 1, lines(1, 1200))
    reader = Reader(bucket, logs, clock).start(first_line=-2)
    await reader.end()
    assert reader.numbers == [1199, 1200]


async def test_a_follower_gets_lines_as_they_come_and_ends_after_the_job(
    bucket: Bucket, logs: JobLogs, clock: ManualClock
) -> None:
    name = bucket.record.job.name
    await logs.append(name, 1, lines(1, 2))
    reader = Reader(bucket, logs, clock).start(follow=True)
    await eventually(lambda: reader.numbers == [1, 2])
    await logs.append(name, 1, lines(3, 4))
    await eventually(lambda: reader.numbers == [1, 2, 3, 4])
    bucket.cancel()
    # Lines may arrive by their own way just after the job's end.
    await logs.append(name, 1, lines(5, 5))
    await eventually(lambda: reader.numbers == [1, 2, 3, 4, 5])

    async def ends() -> bool:
        await clock.advance(LINGER_SECONDS + 0.1)
        return reader.task is not None and reader.task.done()

    await eventually(ends)
    await reader.end()


async def test_progress_wakes_a_follower_without_repeating_lines(
    bucket: Bucket, logs: JobLogs, clock: ManualClock
) -> None:
    await logs.append(bucket.record.job.name, 1, lines(1, 2))
    reader = Reader(bucket, logs, clock).start(follow=True)
    await eventually(lambda: reader.numbers == [1, 2])
    for step in range(20):
        bucket.hub.saw_progress(bucket.job_id, Progress(step=step))
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert reader.numbers == [1, 2]
    await bucket.hub.close()
    with pytest.raises(ServiceUnavailable):
        await reader.end()


async def test_a_follower_that_leaves_leaves_nothing_behind(bucket: Bucket, logs: JobLogs, clock: ManualClock) -> None:
    reader = Reader(bucket, logs, clock).start(follow=True)
    await eventually(lambda: bucket.hub.num_watches == 1)
    await asyncio.sleep(0.02)
    assert reader.task is not None
    reader.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader.task
    assert bucket.hub.num_watches == 0
    assert logs._listeners == {}


async def test_a_reader_that_never_reads_is_cut_and_told_where_to_go_on_p24_p27(
    bucket: Bucket, logs: JobLogs, clock: ManualClock
) -> None:
    await logs.append(bucket.record.job.name, 1, lines(1, 700))
    written: list[TailLogsResponse] = []

    async def write(response: TailLogsResponse) -> None:
        if written:
            await asyncio.Event().wait()
        written.append(response)

    tails = LogTails(bucket, logs, bucket.hub, clock, write_seconds=0.05)
    with pytest.raises(WatchLagged) as caught:
        await tails.serve(TailLogsRequest(name=bucket.record.job.name, follow=True), a_principal(), write)
    assert caught.value.metadata == {"first_line": "501"}
    assert caught.value.retry_after is not None
    assert bucket.hub.num_watches == 0


async def test_forbidden_and_unknown_jobs_get_the_same_answer_p29(
    bucket: Bucket, logs: JobLogs, clock: ManualClock
) -> None:
    messages = set()
    for reader in (
        Reader(bucket, logs, clock).start(name=a_record().job.name),
        Reader(bucket, logs, clock).start(projects=("other",)),
    ):
        with pytest.raises(NotFound) as caught:
            await reader.end()
        messages.add((caught.value.message, str(caught.value.metadata)))
    assert len(messages) == 1


async def test_a_name_cannot_lead_out_of_the_folder(logs: JobLogs) -> None:
    for name in ("projects/demo/jobs/../../etc", "../x", "projects/demo/jobs/j" + "a" * 24 + "/"):
        with pytest.raises(InvalidName):
            await logs.append(name, 1, lines(1, 1))

"""One watch: a snapshot, then each transition once and in order, whatever is lost, repeated or late (P24)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from gateway.job_view import JobViews
from gateway.watch_hub import WatchHub
from gateway.watch_job import Watches, WatchTimes
from gateway.watch_token import write_watch_token
from headway.contract.errors import HeadwayError, NotFound, ResumeTokenExpired, ServiceUnavailable, WatchLagged
from headway.contract.transitions import claim, commit_checkpoint, confirm_cancelled, request_cancel
from headway.runtime.records import Stored
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import ATTEMPT_PHASE_TRAINING, Checkpoint, Progress
from headway.v1.jobs_service_pb2 import WatchJobRequest, WatchJobResponse
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import (
    NOW,
    NoHosts,
    a_host,
    a_principal,
    a_record,
    seen,
)

HOST = "hosts/local"


@dataclass
class Bucket:
    """The jobs bucket with one job, whose changes the hub hears of."""

    record: JobRecord
    hub: WatchHub = field(default_factory=WatchHub)
    revision: int = 1
    told: bool = True

    @property
    def job_id(self) -> str:
        return self.record.job.name.rpartition("/")[2]

    async def find(self, key: str) -> Stored[JobRecord] | None:
        copy = JobRecord()
        copy.CopyFrom(self.record)
        return Stored(key, copy, self.revision, NOW) if key == self.job_id else None

    def change(self, decide: Callable[[JobRecord], JobRecord | None]) -> None:
        changed = decide(self.record)
        assert changed is not None
        self.record, self.revision = changed, self.revision + 1
        if self.told:
            self.hub.saw(seen(self.record, self.revision))

    def claim(self) -> None:
        self.change(lambda record: claim(record, host=a_host(), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW))

    def checkpoint(self, step: int) -> None:
        checkpoint = Checkpoint(attempt=1, step=step)
        self.change(lambda record: commit_checkpoint(record, host=HOST, checkpoint=checkpoint, now=NOW))

    def cancel(self) -> None:
        self.change(lambda record: request_cancel(record, message="", now=NOW + timedelta(seconds=1)))


@dataclass
class Watcher:
    """Someone who watches, and what they got."""

    bucket: Bucket
    clock: ManualClock
    token: str = ""
    times: WatchTimes = field(default_factory=WatchTimes)
    got: list[WatchJobResponse] = field(default_factory=list)
    is_blocked: bool = False
    task: "asyncio.Task[None] | None" = None

    def start(self, name: str = "", projects: Sequence[str] = ("demo",)) -> "Watcher":
        views = JobViews(self.bucket.hub, NoHosts(), self.clock)
        watches = Watches(self.bucket, self.bucket.hub, views, self.clock, self.times)
        request = WatchJobRequest(name=name or self.bucket.record.job.name, resume_token=self.token)
        self.task = asyncio.ensure_future(watches.serve(request, a_principal(projects=projects), self._write))
        return self

    async def _write(self, message: WatchJobResponse) -> None:
        if self.is_blocked:
            await asyncio.Event().wait()
        copy = WatchJobResponse()
        copy.CopyFrom(message)
        self.got.append(copy)

    async def has(self, number: int) -> list[WatchJobResponse]:
        await eventually(lambda: len(self.got) >= number)
        return self.got

    async def end(self) -> None:
        assert self.task is not None
        async with asyncio.timeout(5):
            await self.task

    async def failure(self) -> HeadwayError:
        with pytest.raises(HeadwayError) as caught:
            await self.end()
        return caught.value

    @property
    def events(self) -> list[str]:
        return [message.change.transition.event or message.WhichOneof("update") or "" for message in self.got]

    @property
    def numbers(self) -> list[int]:
        return [message.change.transition.number for message in self.got if message.HasField("change")]


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(a_record())


async def test_a_watch_tells_the_snapshot_then_each_transition_and_ends_with_the_job_p24(
    bucket: Bucket, clock: ManualClock
) -> None:
    watcher = Watcher(bucket, clock).start()
    await watcher.has(1)
    bucket.claim()
    await watcher.has(2)
    bucket.checkpoint(1)
    await watcher.has(3)
    bucket.cancel()
    await watcher.has(4)
    bucket.change(_stopped)
    await watcher.end()
    assert watcher.events == ["snapshot", "claimed", "checkpointed", "cancel_requested", "cancelled"]
    assert watcher.numbers == [2, 3, 4, 5]


async def test_transitions_of_one_moment_are_told_one_by_one_p24(bucket: Bucket, clock: ManualClock) -> None:
    watcher = Watcher(bucket, clock).start()
    await watcher.has(1)
    # With history 1 a follower may see only the last of these revisions.
    bucket.told = False
    bucket.claim()
    bucket.checkpoint(1)
    bucket.told = True
    bucket.checkpoint(2)
    await watcher.has(4)
    assert watcher.numbers == [2, 3, 4]


async def test_a_repeated_revision_is_told_once_p24(bucket: Bucket, clock: ManualClock) -> None:
    watcher = Watcher(bucket, clock).start()
    await watcher.has(1)
    bucket.claim()
    await watcher.has(2)
    bucket.hub.saw(seen(bucket.record, bucket.revision))
    bucket.checkpoint(1)
    await watcher.has(3)
    assert watcher.numbers == [2, 3]


async def test_what_happens_between_the_snapshot_and_the_feed_is_told_p24(bucket: Bucket, clock: ManualClock) -> None:
    class Racing(Bucket):
        async def find(self, key: str) -> Stored[JobRecord] | None:
            found = await super().find(key)
            if self.record.job.attempt == 0:
                self.claim()
            return found

    racing = Racing(bucket.record)
    watcher = Watcher(racing, clock).start()
    await watcher.has(2)
    assert watcher.events == ["snapshot", "claimed"]


@pytest.mark.parametrize("number", range(5))
async def test_a_resumed_watch_goes_on_after_its_token_p24(bucket: Bucket, clock: ManualClock, number: int) -> None:
    bucket.claim()
    bucket.checkpoint(1)
    bucket.cancel()
    watcher = Watcher(bucket, clock, token=write_watch_token(bucket.job_id, number)).start()
    await asyncio.sleep(0.02)
    bucket.change(_stopped)
    await watcher.end()
    assert watcher.numbers == list(range(number + 1, 6))
    assert "snapshot" not in watcher.events


async def test_every_token_of_a_watch_resumes_without_gap_or_repeat_p24(bucket: Bucket, clock: ManualClock) -> None:
    watcher = Watcher(bucket, clock).start()
    await watcher.has(1)
    bucket.claim()
    for step in range(3):
        bucket.checkpoint(step)
    await watcher.has(5)
    for position, message in enumerate(watcher.got):
        resumed = Watcher(bucket, clock, token=message.resume_token).start()
        expected = watcher.numbers[position:]
        await resumed.has(len(expected))
        assert resumed.numbers == expected
        assert resumed.task is not None
        resumed.task.cancel()


async def test_a_watch_of_a_finished_job_ends_after_the_snapshot(bucket: Bucket, clock: ManualClock) -> None:
    bucket.cancel()
    watcher = Watcher(bucket, clock).start()
    await watcher.end()
    assert watcher.events == ["snapshot"]


async def test_a_token_of_the_last_transition_ends_at_once(bucket: Bucket, clock: ManualClock) -> None:
    bucket.cancel()
    watcher = Watcher(bucket, clock, token=write_watch_token(bucket.job_id, 2)).start()
    await watcher.end()
    assert watcher.got == []


async def test_an_unknown_token_is_refused_e7(bucket: Bucket, clock: ManualClock) -> None:
    watcher = Watcher(bucket, clock, token="bm90IG91cnM").start()
    assert isinstance(await watcher.failure(), ResumeTokenExpired)


async def test_progress_is_coalesced_to_the_newest(bucket: Bucket, clock: ManualClock) -> None:
    bucket.claim()
    watcher = Watcher(bucket, clock).start()
    await watcher.has(1)
    for step in range(1, 50):
        bucket.hub.saw_progress(bucket.job_id, Progress(attempt=1, phase=ATTEMPT_PHASE_TRAINING, step=step))
    await watcher.has(2)
    assert [message.progress.step for message in watcher.got[1:]] == [49]


async def test_the_snapshot_of_a_running_job_holds_its_progress(bucket: Bucket, clock: ManualClock) -> None:
    bucket.claim()
    bucket.hub.saw_progress(bucket.job_id, Progress(attempt=1, step=7))
    watcher = Watcher(bucket, clock).start()
    await watcher.has(1)
    assert watcher.got[0].snapshot.progress.step == 7


async def test_a_silent_watch_gives_a_sign_of_life(bucket: Bucket, clock: ManualClock) -> None:
    watcher = Watcher(bucket, clock).start()
    await watcher.has(1)
    await clock.advance(14.9)
    assert watcher.events == ["snapshot"]
    await clock.advance(0.2)
    await watcher.has(2)
    assert watcher.events == ["snapshot", "heartbeat"]
    assert watcher.got[1].resume_token == watcher.got[0].resume_token


async def test_a_watcher_that_does_not_read_is_cut_off_with_a_token_p24(bucket: Bucket, clock: ManualClock) -> None:
    watcher = Watcher(bucket, clock, times=WatchTimes(write_seconds=0.05)).start()
    await watcher.has(1)
    watcher.is_blocked = True
    bucket.claim()
    error = await watcher.failure()
    assert isinstance(error, WatchLagged)
    # The token is that of what was surely written: nothing is skipped on resuming.
    assert error.metadata["resume_token"] == watcher.got[0].resume_token
    assert bucket.hub.num_watches == 0


async def test_a_watcher_slower_than_history_is_told_so_and_nothing_is_skipped_p24(
    bucket: Bucket, clock: ManualClock
) -> None:
    watcher = Watcher(bucket, clock).start()
    await watcher.has(1)
    bucket.told = False
    bucket.claim()
    for step in range(70):
        bucket.checkpoint(step)
    bucket.told = True
    bucket.checkpoint(70)
    error = await watcher.failure()
    assert isinstance(error, WatchLagged)
    assert watcher.numbers == []


async def test_a_slow_watcher_does_not_slow_others_p24(bucket: Bucket, clock: ManualClock) -> None:
    slow, quick = Watcher(bucket, clock).start(), Watcher(bucket, clock).start()
    await slow.has(1)
    await quick.has(1)
    slow.is_blocked = True
    bucket.claim()
    bucket.checkpoint(1)
    await quick.has(3)
    assert len(slow.got) == 1
    slow.is_blocked = False
    assert slow.task is not None
    slow.task.cancel()


async def test_a_cancelled_watch_ends_at_once_and_leaves_nothing_behind(bucket: Bucket, clock: ManualClock) -> None:
    watcher = Watcher(bucket, clock).start()
    await watcher.has(1)
    assert watcher.task is not None
    watcher.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watcher.task
    assert bucket.hub.num_watches == 0


async def test_a_stopping_gateway_ends_watches_so_that_they_resume_p33(bucket: Bucket, clock: ManualClock) -> None:
    watcher = Watcher(bucket, clock).start()
    await watcher.has(1)
    await bucket.hub.close()
    assert isinstance(await watcher.failure(), ServiceUnavailable)


async def test_a_forbidden_job_and_an_unknown_one_get_the_same_answer_p29(bucket: Bucket, clock: ManualClock) -> None:
    unknown = await Watcher(bucket, clock).start(name=a_record().job.name).failure()
    forbidden = await Watcher(bucket, clock).start(projects=["other"]).failure()
    elsewhere = bucket.record.job.name.replace("/demo/", "/other/")
    renamed = await Watcher(bucket, clock).start(name=elsewhere, projects=["other"]).failure()
    assert all(isinstance(error, NotFound) for error in (unknown, forbidden, renamed))
    assert unknown.message == forbidden.message == renamed.message
    assert unknown.metadata == forbidden.metadata == renamed.metadata


def _stopped(record: JobRecord) -> JobRecord | None:
    return confirm_cancelled(record, attempt=1, now=NOW + timedelta(seconds=2))

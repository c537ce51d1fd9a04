import pytest

from headway.client import Patience, RemoteError
from headway.contract.errors import Code
from headway.v1.jobs_pb2 import (
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Job,
    JobState,
    Progress,
    Transition,
)
from headway.v1.jobs_service_pb2 import JobChange, WatchJobResponse
from tests.unit.client.scripted_gateway import Broken, InstantClock, ScriptedJobs, scripted

JOB = "projects/default/jobs/j" + "a" * 25
AWAY = Broken(Code.UNAVAILABLE, "SERVICE_UNAVAILABLE")


def snapshot(state: "JobState.ValueType", token: str) -> WatchJobResponse:
    return WatchJobResponse(snapshot=Job(name=JOB, state=state), resume_token=token)


def change(number: int, state: "JobState.ValueType", token: str) -> WatchJobResponse:
    transition = Transition(number=number, to_state=state)
    return WatchJobResponse(change=JobChange(transition=transition, job=Job(name=JOB, state=state)), resume_token=token)


async def watched(jobs: ScriptedJobs, patience: Patience | None = None) -> list[WatchJobResponse]:
    async with scripted(jobs, InstantClock()) as client:
        return [message async for message in client.jobs.watch(JOB, patience=patience)]


async def test_a_watch_ends_after_the_terminal_transition() -> None:
    jobs = ScriptedJobs(
        [[snapshot(JOB_STATE_RUNNING, "1"), change(3, JOB_STATE_SUCCEEDED, "2"), change(4, JOB_STATE_SUCCEEDED, "3")]]
    )
    assert [message.resume_token for message in await watched(jobs)] == ["1", "2"]


async def test_a_watch_of_an_ended_job_is_its_snapshot() -> None:
    assert len(await watched(ScriptedJobs([[snapshot(JOB_STATE_SUCCEEDED, "1")]]))) == 1


async def test_a_broken_watch_goes_on_after_the_last_message() -> None:
    jobs = ScriptedJobs(
        [
            [snapshot(JOB_STATE_QUEUED, "1"), change(2, JOB_STATE_RUNNING, "2"), AWAY],
            [AWAY],
            [change(3, JOB_STATE_SUCCEEDED, "3")],
        ]
    )
    assert [message.resume_token for message in await watched(jobs)] == ["1", "2", "3"]
    assert jobs.tokens == ["", "2", "2"]


async def test_a_stream_that_ends_in_order_before_the_job_does_is_opened_again() -> None:
    jobs = ScriptedJobs([[snapshot(JOB_STATE_RUNNING, "1")], [change(3, JOB_STATE_SUCCEEDED, "2")]])
    assert len(await watched(jobs)) == 2
    assert jobs.tokens == ["", "1"]


async def test_a_watcher_that_was_cut_for_reading_slowly_goes_on() -> None:
    jobs = ScriptedJobs(
        [
            [snapshot(JOB_STATE_RUNNING, "1"), Broken(Code.RESOURCE_EXHAUSTED, "WATCH_LAGGED")],
            [change(3, JOB_STATE_SUCCEEDED, "2")],
        ]
    )
    assert len(await watched(jobs)) == 2


async def test_an_expired_token_starts_over_with_a_snapshot() -> None:
    jobs = ScriptedJobs(
        [
            [snapshot(JOB_STATE_RUNNING, "1"), AWAY],
            [Broken(Code.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED")],
            [snapshot(JOB_STATE_SUCCEEDED, "9")],
        ]
    )
    assert [message.resume_token for message in await watched(jobs)] == ["1", "9"]
    assert jobs.tokens == ["", "1", ""]


async def test_a_message_without_a_token_keeps_the_last_one() -> None:
    progress = WatchJobResponse(progress=Progress(step=1))
    jobs = ScriptedJobs([[snapshot(JOB_STATE_RUNNING, "1"), progress, AWAY], [change(3, JOB_STATE_SUCCEEDED, "2")]])
    await watched(jobs)
    assert jobs.tokens == ["", "1"]


async def test_patience_ends_with_the_error() -> None:
    jobs = ScriptedJobs([[AWAY]] * 10)
    with pytest.raises(RemoteError, match="SERVICE_UNAVAILABLE"):
        await watched(jobs, Patience(give_up_seconds=0.3))
    assert len(jobs.tokens) == 3


async def test_a_message_renews_patience() -> None:
    scripts: list[list[WatchJobResponse | Broken]] = [
        [snapshot(JOB_STATE_RUNNING, str(number)), AWAY] for number in range(5)
    ]
    jobs = ScriptedJobs([*scripts, [snapshot(JOB_STATE_SUCCEEDED, "9")]])
    assert len(await watched(jobs, Patience(give_up_seconds=0.1))) == 6


async def test_what_is_no_outage_is_raised_at_once() -> None:
    jobs = ScriptedJobs([[Broken(Code.NOT_FOUND, "NOT_FOUND")]])
    with pytest.raises(RemoteError) as raised:
        await watched(jobs)
    assert raised.value.code is Code.NOT_FOUND


async def test_a_break_is_told() -> None:
    jobs = ScriptedJobs([[AWAY], [snapshot(JOB_STATE_SUCCEEDED, "1")]])
    told: list[str] = []
    async with scripted(jobs, InstantClock()) as client:
        async for _ in client.jobs.watch(JOB, on_break=lambda error: told.append(error.reason)):
            pass
    assert told == ["SERVICE_UNAVAILABLE"]


async def test_waiting_returns_the_job_as_it_ended() -> None:
    jobs = ScriptedJobs(
        [[snapshot(JOB_STATE_RUNNING, "1"), change(3, JOB_STATE_SUCCEEDED, "2")]],
        job=Job(name=JOB, state=JOB_STATE_RUNNING),
    )
    async with scripted(jobs, InstantClock()) as client:
        assert (await client.jobs.wait(JOB)).state == JOB_STATE_SUCCEEDED


async def test_waiting_ends_at_what_was_asked_for_or_at_the_end_of_the_job() -> None:
    def scripts(*told: WatchJobResponse) -> ScriptedJobs:
        return ScriptedJobs([list(told)], job=Job(name=JOB, state=JOB_STATE_PAUSING))

    for jobs, expected in (
        (scripts(snapshot(JOB_STATE_PAUSING, "1"), change(3, JOB_STATE_PAUSED, "2")), JOB_STATE_PAUSED),
        (scripts(snapshot(JOB_STATE_PAUSED, "1")), JOB_STATE_PAUSED),
        (scripts(snapshot(JOB_STATE_PAUSING, "1"), change(3, JOB_STATE_SUCCEEDED, "2")), JOB_STATE_SUCCEEDED),
    ):
        async with scripted(jobs, InstantClock()) as client:
            found = await client.jobs.wait(JOB, until=lambda job: job.state == JOB_STATE_PAUSED)
            assert found.state == expected

"""JobService of a real gateway on a real nats-server, over gRPC: creating, cancelling, reading, rights, the store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headway.contract.errors import Code
from headway.contract.transitions import confirm_paused
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.runtime.remote_error import RemoteError, answer, responses
from headway.testing.eventually import eventually
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_PAUSED,
    JOB_STATE_PAUSING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    Job,
)
from headway.v1.jobs_service_pb2 import (
    CancelJobRequest,
    ExplainJobRequest,
    GetJobRequest,
    ListJobsRequest,
    LogLine,
    PauseJobRequest,
    ResumeJobRequest,
    SetJobPriorityRequest,
    TailLogsRequest,
    WatchJobRequest,
)
from headway.v1.results_service_pb2 import ReportTelemetryRequest
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.jobs_gateway import (
    PARENT,
    Gateway,
    a_request,
    a_spec,
    claimed,
    create,
    get,
    refused,
    running_gateway,
    stopped,
)


@pytest.fixture
async def gateway(tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as gateway:
        yield gateway


# Creating


async def test_a_job_is_durable_and_listed_when_it_is_acknowledged_p1_p23(gateway: Gateway) -> None:
    for number in range(1, 20):
        job = await create(gateway)
        assert (await get(gateway, job)).name == job.name
        listed = await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT)))
        assert (listed.jobs[0].name, listed.total_size) == (job.name, number)


async def test_64_calls_at_once_with_one_request_id_make_one_job_p4(gateway: Gateway) -> None:
    jobs = await asyncio.gather(*(create(gateway, request_id="r1") for _ in range(64)))
    assert len({job.name for job in jobs}) == 1
    assert (await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT)))).total_size == 1


async def test_another_body_under_the_same_request_id_names_job_and_fields_p4_b4(gateway: Gateway) -> None:
    job = await create(gateway, request_id="r1")
    error = await refused(gateway.jobs.CreateJob(a_request(a_spec(epochs=3), request_id="r1")))
    assert (error.code, error.reason) == (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert error.metadata["job"] == job.name
    assert error.metadata["fields"] == "job.spec.tabular_train.epochs"


async def test_a_repeat_is_answered_after_a_restart_and_a_change_of_the_data_p4(
    tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as first:
        job = await create(first, request_id="r1")
    (tmp_path / "home" / "data" / "iris.csv").unlink()
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as second:
        assert (await create_without_data(second)).name == job.name


async def create_without_data(gateway: Gateway) -> Job:
    (gateway.home / "data" / "iris.csv").unlink(missing_ok=True)
    return await create(gateway, request_id="r1")


async def test_validate_only_answers_with_admission_and_queues_nothing(gateway: Gateway) -> None:
    await gateway.add_host()
    job = await create(gateway, validate_only=True)
    admission = job.admission
    assert admission.mode == EXECUTION_MODE_LOCAL
    assert (admission.host_class, admission.total_steps) == ("cpu", 500)
    assert admission.num_parameters > 0
    assert admission.estimated_memory_mib > 0
    assert admission.estimated_duration.ToTimedelta().total_seconds() > 0
    assert admission.steps[0] == "authorise_project"
    assert admission.steps[-1] == "hidden_config"
    assert (await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT)))).total_size == 0


async def test_the_queue_has_an_end_and_says_when_to_come_back_b22_p27(
    tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    section = {"jobs": {"queued_per_project": 5}}
    async with running_gateway(tmp_path / "home", nats_server, nats_bus, **section) as gateway:
        jobs = [await create(gateway) for _ in range(5)]
        error = await refused(gateway.jobs.CreateJob(a_request()))
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "QUEUE_FULL")
        assert error.retry_after is not None
        assert error.metadata["limit"] == "5"
        await gateway.change(jobs[0].name, claimed)

        async def has_room() -> bool:
            try:
                return bool((await create(gateway)).name)
            except RemoteError:
                return False

        await eventually(has_room)


# Cancelling


async def test_cancel_is_idempotent_and_seen_at_once_p21_p23(gateway: Gateway) -> None:
    job = await create(gateway)
    request = CancelJobRequest(name=job.name, message="enough")
    first = await answer(gateway.jobs.CancelJob(request))
    assert first.state == JOB_STATE_CANCELLED
    assert await answer(gateway.jobs.CancelJob(request)) == first
    assert (await get(gateway, job)).state == JOB_STATE_CANCELLED
    listed = await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT, filter="state = CANCELLED")))
    assert [one.name for one in listed.jobs] == [job.name]


async def test_a_running_job_is_cancelled_in_two_steps(gateway: Gateway) -> None:
    job = await create(gateway)
    await gateway.change(job.name, claimed)
    cancelled = await answer(gateway.jobs.CancelJob(CancelJobRequest(name=job.name)))
    assert cancelled.state == JOB_STATE_CANCELLING
    await gateway.change(job.name, stopped)
    assert (await get(gateway, job)).state == JOB_STATE_CANCELLED


# Pausing


async def test_a_job_is_paused_and_resumed_over_the_wire_and_a_watch_tells_each_step_once(gateway: Gateway) -> None:
    job = await create(gateway)
    await gateway.change(job.name, claimed)
    async with aclosing(responses(gateway.jobs.WatchJob(WatchJobRequest(name=job.name)))) as told:
        assert (await anext(told)).snapshot.state == JOB_STATE_RUNNING
        pausing = await answer(gateway.jobs.PauseJob(PauseJobRequest(name=job.name, message="for the night")))
        assert pausing.state == JOB_STATE_PAUSING
        assert await answer(gateway.jobs.PauseJob(PauseJobRequest(name=job.name))) == pausing
        await gateway.change(job.name, lambda record: confirm_paused(record, attempt=1, now=datetime.now(UTC)))
        paused = await get(gateway, job)
        assert (paused.state, paused.host) == (JOB_STATE_PAUSED, "")
        assert "begins again when resumed" in paused.wait_reason
        assert (await answer(gateway.jobs.ResumeJob(ResumeJobRequest(name=job.name)))).state == JOB_STATE_QUEUED
        events = [(await anext(told)).change.transition.event for _ in range(3)]
    assert events == ["pause_requested", "paused", "resumed"]


async def test_a_paused_job_is_found_by_its_state_and_explained(gateway: Gateway) -> None:
    job = await create(gateway)
    await answer(gateway.jobs.PauseJob(PauseJobRequest(name=job.name)))
    listed = await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT, filter="state = PAUSED")))
    assert [one.name for one in listed.jobs] == [job.name]
    explained = await answer(gateway.jobs.ExplainJob(ExplainJobRequest(name=job.name)))
    assert explained.summary == "PAUSED: it waits to be resumed; it had not begun"


# Logs


async def test_logs_are_followed_while_a_host_reports_them(gateway: Gateway) -> None:
    job = await create(gateway)
    await gateway.change(job.name, claimed)
    results = ResultServiceStub(gateway.channel)

    async def report() -> AsyncIterator[ReportTelemetryRequest]:
        for first in range(1, 1001, 100):
            lines = [
                LogLine(number=number, attempt=1, message=f"line {number}") for number in range(first, first + 100)
            ]
            yield ReportTelemetryRequest(job=job.name, attempt=1, host="hosts/local", lines=lines)

    following = asyncio.ensure_future(_lines(gateway, TailLogsRequest(name=job.name, follow=True), 1000))
    await answer(results.ReportTelemetry(report()))
    assert await asyncio.wait_for(following, 10) == list(range(1, 1001))
    assert await _lines(gateway, TailLogsRequest(name=job.name, first_line=-3)) == [998, 999, 1000]
    assert await _lines(gateway, TailLogsRequest(name=job.name, first_line=990)) == list(range(990, 1001))
    await gateway.change(job.name, lambda record: record)


async def _lines(gateway: Gateway, request: TailLogsRequest, wanted: int = 0) -> list[int]:
    numbers: list[int] = []
    async with aclosing(responses(gateway.jobs.TailLogs(request))) as batches:
        async for batch in batches:
            numbers += [line.number for line in batch.lines]
            if wanted and len(numbers) >= wanted:
                return numbers
    return numbers


# Rights


async def test_an_unknown_and_a_forbidden_job_get_the_same_answer_from_every_method_p29_a14_a15(
    gateway: Gateway,
) -> None:
    job = await create(gateway)
    key = await gateway.add_key("admin", projects=("theirs",))
    unknown = f"projects/theirs/jobs/j{'a' * 25}"
    moved = job.name.replace("/demo/", "/theirs/")
    async with gateway.opened(key) as channel:
        theirs = replace(gateway, key=key, channel=channel, jobs=type(gateway.jobs)(channel))
        answers = [await _all_answers(theirs, name) for name in (unknown, job.name, moved)]
    assert answers[0] == answers[1] == answers[2]
    assert {told[0] for told in answers[0]} == {Code.NOT_FOUND}


async def _all_answers(gateway: Gateway, name: str) -> list[tuple[object, ...]]:
    stub = gateway.jobs
    errors = [
        await refused(stub.GetJob(GetJobRequest(name=name))),
        await refused(stub.CancelJob(CancelJobRequest(name=name))),
        await refused(stub.CancelJob(CancelJobRequest(name=name, etag='"1"'))),
        await refused(stub.PauseJob(PauseJobRequest(name=name))),
        await refused(stub.ResumeJob(ResumeJobRequest(name=name))),
        await refused(stub.SetJobPriority(SetJobPriorityRequest(name=name, priority=3))),
        await refused(stub.ExplainJob(ExplainJobRequest(name=name))),
        await refused(_first(responses(stub.WatchJob(WatchJobRequest(name=name))))),
        await refused(_first(responses(stub.WatchJob(WatchJobRequest(name=name, resume_token="x"))))),
        await refused(_first(responses(stub.TailLogs(TailLogsRequest(name=name, follow=True))))),
    ]
    return [(error.code, error.reason, error.message, str(error.metadata), error.violations) for error in errors]


async def _first(messages: AsyncIterator[object]) -> object:
    return await anext(messages)


# The store


async def test_acknowledged_jobs_survive_a_kill_of_nats_and_work_goes_on_p1(
    gateway: Gateway, nats_server: NatsServer
) -> None:
    names = [(await create(gateway)).name for _ in range(20)]
    await nats_server.kill()
    error = await refused(gateway.jobs.CreateJob(a_request(), timeout=20))
    assert error.code in {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}
    await nats_server.start()

    async def works() -> bool:
        try:
            names.append((await create(gateway)).name)
        except RemoteError:
            return False
        return True

    await eventually(works, timeout_seconds=15)
    for name in names:
        assert (await answer(gateway.jobs.GetJob(GetJobRequest(name=name)))).name == name
    listed = await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT, page_size=100)))
    assert set(names) <= {job.name for job in listed.jobs}


async def test_a_lost_projection_is_built_anew_from_the_store(
    tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as first:
        names = [(await create(first)).name for _ in range(30)]
    (tmp_path / "home" / "gateway" / "projection.db").write_bytes(b"torn")
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as second:
        listed = await answer(second.jobs.ListJobs(ListJobsRequest(parent=PARENT)))
        assert [job.name for job in listed.jobs] == names[::-1]


async def test_without_a_scheduler_a_job_is_explained_all_the_same(gateway: Gateway) -> None:
    job = await create(gateway)
    explained = await answer(gateway.jobs.ExplainJob(ExplainJobRequest(name=job.name)))
    assert "no trainer host is up" in explained.summary

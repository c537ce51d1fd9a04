"""What the scheduler promises to hosts, gateway and subscribers: a real process, a real nats-server, real streams.

The promises P6, P13, P16-P22 and P33 of RELIABILITY.md are named where they are held.
"""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from headway.contract.errors import Code
from headway.contract.subjects import HOSTS, JOBS
from headway.runtime.channel import open_channel
from headway.runtime.remote_error import RemoteError, answer
from headway.testing.builders import a_host, a_record, a_spec
from headway.testing.eventually import eventually
from headway.testing.fake_host import FakeHost
from headway.v1.hosts_pb2 import HOST_STATE_LOST, HOST_STATE_UP, Host
from headway.v1.job_specs_pb2 import (
    EXECUTION_MODE_HOST,
    EXECUTION_MODE_LOCAL,
    Policies,
    ResourceSpec,
)
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    FAILURE_CLASS_FATAL,
    FAILURE_CLASS_TRANSIENT,
    FAILURE_CLASS_USER_INPUT,
    JOB_STATE_CANCELLED,
    JOB_STATE_FAILED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Failure,
)
from headway.v1.jobs_service_pb2 import ExplainJobResponse
from headway.v1.records_pb2 import HostRecord
from headway.v1.scheduler_service_pb2 import AttemptStop, ExplainRequest, SelectModeRequest
from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from tests.contract.scheduler_process import LEASE_SECONDS, Deployment, deployed


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path) as deployment:
        yield deployment


def broken(failure_class: int, reason: str = "BROKEN") -> Failure:
    return Failure(failure_class=failure_class, reason=reason, message="it broke")


# Claims.


async def test_a_job_goes_to_a_host_with_all_that_it_needs(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit(a_spec(display_name="first"))
        order = await host.next_order()

        job = await world.job(job_id)
        assert (job.state, job.attempt, job.host) == (JOB_STATE_RUNNING, 1, "hosts/anton")
        assert (order.job, order.attempt, order.kind, order.mode) == (job.name, 1, "tabular_train", job.mode)
        assert order.spec == job.spec
        assert [pinned.role for pinned in order.inputs] == ["table"]
        assert order.user_id == "ada"


async def test_a_job_that_waited_for_a_host_goes_to_the_first_that_comes(world: Deployment) -> None:
    job_id = await world.submit()
    async with world.host() as host:
        assert (await host.next_order()).job == (await world.job(job_id)).name


async def test_a_host_is_never_given_more_than_its_slots(world: Deployment) -> None:
    async with world.host(a_host(num_slots=2)) as host:
        first = await world.submit()
        for _ in range(4):
            await world.submit()
        orders = [await host.next_order(), await host.next_order()]
        with pytest.raises(TimeoutError):
            await host.next_order(timeout_seconds=0.3)

        await world.commit(first, 1)
        host.report(orders[0], ATTEMPT_OUTCOME_SUCCEEDED)
        await host.next_order()


async def test_priority_goes_first(world: Deployment) -> None:
    ordinary, urgent = await world.submit(), await world.submit(a_spec(priority=1))
    async with world.host(a_host(num_slots=1)) as host:
        assert (await host.next_order()).job.endswith(urgent)
        assert (await world.job(ordinary)).state == JOB_STATE_QUEUED


async def test_a_committed_job_is_released(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit()
        order = await host.next_order()
        host.report(order, ATTEMPT_OUTCOME_SUCCEEDED)
        await asyncio.sleep(0.3)
        assert len(host.attempts) == 1, "the result is held until the commit is recorded"

        await world.commit(job_id, 1)
        await eventually(lambda: not host.attempts)
        assert [entry[0] for entry in await eventually_events(world, job_id, 4)] == [
            "queued",
            "started",
            "evaluated",
            "completed",
        ]


async def eventually_events(world: Deployment, job_id: str, count: int) -> list[tuple[str, int]]:
    async def look() -> list[tuple[str, int]] | None:
        found = await world.events_of(job_id)
        return found if len(found) >= count else None

    found = await eventually(look)
    assert found is not None
    return found


# Failures.


@pytest.mark.parametrize("failure_class", [FAILURE_CLASS_USER_INPUT, FAILURE_CLASS_FATAL])
async def test_a_failure_that_no_retry_can_help_fails_the_job(world: Deployment, failure_class: int) -> None:
    """P19: a USER_INPUT failure is never retried."""
    async with world.host() as host:
        job_id = await world.submit()
        host.report(await host.next_order(), ATTEMPT_OUTCOME_FAILED, broken(failure_class, "COLUMNS"))
        job = await world.until_over(job_id)

        assert (job.state, job.attempt) == (JOB_STATE_FAILED, 1)
        assert (job.failure.failure_class, job.failure.reason, job.failure.message) == (
            failure_class,
            "COLUMNS",
            "it broke",
        )
        await eventually(lambda: not host.attempts)


async def test_a_transient_failure_is_tried_again_until_the_budget_is_used_up(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit(a_spec(policies=Policies(retry_max=1)))
        for attempt in (1, 2):
            order = await host.next_order()
            assert order.attempt == attempt
            host.report(order, ATTEMPT_OUTCOME_FAILED, broken(FAILURE_CLASS_TRANSIENT))
        job = await world.until_over(job_id)

        assert job.state == JOB_STATE_FAILED
        assert job.transitions[-1].reason == "ATTEMPTS_EXHAUSTED"
        assert [entry.outcome for entry in job.attempts] == [ATTEMPT_OUTCOME_FAILED] * 2


async def test_a_path_in_a_host_s_words_is_taken_out(world: Deployment) -> None:
    """P30."""
    async with world.host() as host:
        job_id = await world.submit()
        failure = Failure(failure_class=FAILURE_CLASS_FATAL, reason="X", message="cannot read /home/ada/secret.csv")
        host.report(await host.next_order(), ATTEMPT_OUTCOME_FAILED, failure)

        assert (await world.until_over(job_id)).failure.message == "cannot read <path>"


# Lost hosts.


async def test_a_silent_host_s_attempt_moves_and_the_stale_one_is_told(world: Deployment) -> None:
    """P13 and P16."""
    async with world.host(a_host("anton")) as silent:
        job_id = await world.submit()
        await silent.next_order()
        silent.fall_silent()
        began = asyncio.get_running_loop().time()
        async with world.host(a_host("berta")) as other:
            order = await other.next_order(timeout_seconds=LEASE_SECONDS + 3)
            took = asyncio.get_running_loop().time() - began
            assert order.attempt == 2
            assert took < LEASE_SECONDS + 3

            silent.come_back()
            stop = await silent.next_stop()
            assert (stop.attempt, stop.reason) == (1, AttemptStop.REASON_STALE)

            job = await world.job(job_id)
            assert (job.state, job.attempt, job.host) == (JOB_STATE_RUNNING, 2, "hosts/berta")
            assert job.attempts[0].outcome == ATTEMPT_OUTCOME_LOST
            assert job.failure.reason == "HOST_LOST"


async def test_a_host_that_is_silent_for_less_than_its_lease_keeps_its_attempt(world: Deployment) -> None:
    """F21."""
    async with world.host() as host:
        job_id = await world.submit()
        await host.next_order()
        for _ in range(3):
            host.fall_silent()
            await asyncio.sleep(0.6 * LEASE_SECONDS)
            host.come_back()
            await asyncio.sleep(0.2)

        assert (await world.job(job_id)).attempt == 1


async def test_an_attempt_that_a_restarted_host_does_not_know_moves_at_once(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit()
        await host.next_order()
    async with world.host(a_host(boot_id="boot-2")) as again:
        order = await again.next_order(timeout_seconds=LEASE_SECONDS / 2)

        assert order.attempt == 2
        assert (await world.job(job_id)).attempts[0].failure.reason == "HOST_RESTARTED"


async def test_an_attempt_that_a_host_gives_up_moves(world: Deployment) -> None:
    async with world.host() as host:
        await world.submit()
        order = await host.next_order()
        host.report(order, ATTEMPT_OUTCOME_CANCELLED)

        assert (await host.next_order()).attempt == 2


async def test_a_late_commit_of_a_lost_attempt_is_refused(world: Deployment) -> None:
    """P16: the fence is in the record; whoever commits needs the current number."""
    async with world.host(a_host("anton")) as silent, world.host(a_host("berta", num_slots=1)) as other:
        job_id = await world.submit()
        order = await silent.next_order()
        silent.fall_silent()
        await other.next_order(timeout_seconds=LEASE_SECONDS + 3)

        with pytest.raises(Exception, match="is not current"):
            await world.commit(job_id, order.attempt, "hosts/anton")
        await world.commit(job_id, 2, "hosts/berta")
        assert (await world.job(job_id)).state == JOB_STATE_SUCCEEDED


# Restarts.


async def test_a_scheduler_that_was_away_for_two_leases_takes_no_attempt_away(world: Deployment) -> None:
    """P17 and P18."""
    async with world.host() as host:
        job_id = await world.submit()
        order = await host.next_order()
        await world.kill()
        await asyncio.sleep(2 * LEASE_SECONDS)
        await world.start()
        await eventually(lambda: host.num_streams > 1 and host.error is None)
        await asyncio.sleep(1.5 * LEASE_SECONDS)

        job = await world.job(job_id)
        assert (job.state, job.attempt) == (JOB_STATE_RUNNING, 1)
        assert host.stops == []
        await world.commit(job_id, order.attempt)


async def test_a_host_that_died_while_the_scheduler_was_away_is_lost_in_the_end(world: Deployment) -> None:
    """P18: not earlier than a full lease after the restart, and P6: not never."""
    async with world.host() as host:
        job_id = await world.submit()
        await host.next_order()
        await world.kill()
    await asyncio.sleep(2 * LEASE_SECONDS)
    await world.start()
    await asyncio.sleep(0.7 * LEASE_SECONDS)
    assert (await world.job(job_id)).state == JOB_STATE_RUNNING

    job = await world.until(job_id, lambda job: job.state == JOB_STATE_QUEUED)
    assert job.failure.reason == "HOST_LOST"


async def test_a_scheduler_that_was_stopped_takes_no_attempt_away(world: Deployment) -> None:
    """P17, by SIGSTOP: the process does not run, and its monotonic clock does."""
    async with world.host() as host:
        job_id = await world.submit()
        await host.next_order()
        for _ in range(3):
            world.signal(signal.SIGSTOP)
            await asyncio.sleep(1.5 * LEASE_SECONDS)
            world.signal(signal.SIGCONT)
            await asyncio.sleep(0.5 * LEASE_SECONDS)

        assert (await world.job(job_id)).attempt == 1
        assert "lost" not in [what for what, _ in await world.events()]


async def test_a_nats_server_that_restarts_costs_no_attempt_and_work_goes_on(world: Deployment) -> None:
    """P17."""
    async with world.host(a_host(num_slots=8)) as host:
        job_id = await world.submit()
        await host.next_order()
        await world.nats.kill()
        await asyncio.sleep(1.5 * LEASE_SECONDS)
        await world.nats.start()
        later = await world.submit()
        assert (await host.next_order(timeout_seconds=10)).job.endswith(later)

        assert (await world.job(job_id)).attempt == 1


async def test_a_fallback_does_not_follow_from_a_restart(world: Deployment) -> None:
    """A remote host counts as up until its lease ends, also right after the scheduler came back."""
    remote = a_host("remote", mode=EXECUTION_MODE_HOST)
    async with world.host(a_host("local")), world.host(remote) as host:
        await eventually(lambda: has_record(world, "remote"))
        await world.kill()
        job_id = await world.submit(a_spec(mode=EXECUTION_MODE_HOST))
        await world.start()
        order = await host.next_order()

        assert order.job.endswith(job_id)
        assert (await world.job(job_id)).fallback_reason == ""


async def has_record(world: Deployment, host_id: str) -> Host | None:
    stored = await world.bus.records(HOSTS, HostRecord).find(host_id)
    return stored.value.host if stored is not None else None


async def test_sigterm_ends_it_in_order_with_hosts_connected(world: Deployment) -> None:
    """P33."""
    async with world.host() as host:
        await world.submit()
        await host.next_order()
        began = asyncio.get_running_loop().time()

        assert await world.stop() == 0
        assert asyncio.get_running_loop().time() - began < 3
        assert world.run_file() is None
        assert [line for line in world.log() if line["level"] in ("error", "critical")] == []


# Cancellation.


async def test_a_running_job_is_stopped_and_then_cancelled(world: Deployment) -> None:
    """P21."""
    async with world.host() as host:
        job_id = await world.submit()
        order = await host.next_order()
        await world.cancel(job_id)
        stop = await host.next_stop()

        assert (stop.job, stop.attempt, stop.reason) == (order.job, 1, AttemptStop.REASON_CANCEL)
        job = await world.until_over(job_id)
        assert job.state == JOB_STATE_CANCELLED
        assert job.transitions[-1].message == "enough"
        assert job.attempts[0].outcome == ATTEMPT_OUTCOME_CANCELLED
        await eventually(lambda: not host.attempts)


async def test_a_result_that_comes_after_an_acknowledged_cancel_does_not_count(world: Deployment) -> None:
    """P21."""
    async with world.host(obeys=False) as host:
        job_id = await world.submit()
        order = await host.next_order()
        await world.cancel(job_id)
        await host.next_stop()
        host.report(order, ATTEMPT_OUTCOME_SUCCEEDED)
        with pytest.raises(Exception, match="was cancelled"):
            await world.commit(job_id, 1)

        assert (await world.until_over(job_id)).state == JOB_STATE_CANCELLED


async def test_a_cancelled_job_of_a_dead_host_is_cancelled_when_its_lease_ends(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit()
        await host.next_order()
        host.fall_silent()
        await world.cancel(job_id)

        assert (await world.until_over(job_id, timeout_seconds=LEASE_SECONDS + 2)).state == JOB_STATE_CANCELLED


# Modes.


async def test_a_fallback_is_recorded_and_told(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit(a_spec(mode=EXECUTION_MODE_HOST))
        assert (await host.next_order()).mode == EXECUTION_MODE_LOCAL

        job = await world.job(job_id)
        assert job.mode == EXECUTION_MODE_LOCAL
        assert "no remote trainer host" in job.fallback_reason


async def test_the_default_mode_changes_at_run_time_and_is_kept(world: Deployment) -> None:
    remote = a_host("remote", mode=EXECUTION_MODE_HOST)
    async with world.host(a_host("local")) as local, world.host(remote) as host:
        await world.submit()
        await local.next_order()
        await world.set_default_mode(EXECUTION_MODE_HOST)
        await eventually(lambda: any(line.get("mode") == "host" for line in world.log()))
        await world.submit()
        await host.next_order()
        await world.submit(a_spec(mode=EXECUTION_MODE_LOCAL))
        await local.next_order()

        await world.kill()
        await world.start()
        await world.submit()
        await host.next_order()


async def test_the_mode_given_at_start_is_the_default(tmp_path: Path) -> None:
    async with deployed(tmp_path, TRAINING_DEFAULT_MODE="host") as world:
        remote = a_host("remote", mode=EXECUTION_MODE_HOST)
        async with world.host(a_host("local")), world.host(remote) as host:
            await eventually(lambda: has_record(world, "remote"))
            job_id = await world.submit()
            await host.next_order()

            assert (await world.job(job_id)).mode == EXECUTION_MODE_HOST


async def test_a_job_that_requires_a_gpu_waits_for_one(world: Deployment) -> None:
    async with world.host(a_host("cpu")):
        job_id = await world.submit(a_spec(resources=ResourceSpec(require_gpu=True)))
        told = await explain(world, job_id)
        assert "requires a GPU" in told.summary
        assert [(verdict.host, verdict.reason) for verdict in told.verdicts] == [("hosts/cpu", "NO_GPU")]

        async with world.host(a_host("gpu", gpus=("NVIDIA T4",))) as host:
            assert (await host.next_order()).job.endswith(job_id)


async def explain(world: Deployment, job_id: str) -> ExplainJobResponse:
    async with open_channel(world.address, api_key=world.key) as channel:
        request = ExplainRequest(job=f"projects/demo/jobs/{job_id}")

        async def ask() -> ExplainJobResponse | None:
            response = await answer(SchedulerServiceStub(channel).Explain(request, timeout=5))
            return response if response.verdicts else None

        found = await eventually(ask)
        assert found is not None
        return found


async def test_a_mode_can_be_asked_for_without_a_job(world: Deployment) -> None:
    async with open_channel(world.address, api_key=world.key) as channel:
        stub = SchedulerServiceStub(channel)
        asked = SelectModeRequest(execution_mode=EXECUTION_MODE_HOST, kind="tabular_train")
        selected = await answer(stub.SelectMode(asked, timeout=5))
        assert selected.mode == EXECUTION_MODE_LOCAL
        assert selected.fallback_reason

        with pytest.raises(RemoteError) as caught:
            await answer(stub.SelectMode(SelectModeRequest(require_gpu=True, kind="tabular_train"), timeout=5))
        assert (caught.value.code, caught.value.reason) == (Code.FAILED_PRECONDITION, "NO_GPU_HOST")


# Events.


async def test_events_come_in_order_exactly_once_however_often_the_scheduler_dies(world: Deployment) -> None:
    """P25; a kill can fall between a publish and its acknowledgement."""
    dice = random.Random(7)
    jobs: list[str] = []
    async with world.host(a_host(num_slots=8)) as host:
        working = asyncio.create_task(_finish_everything(world, host))
        for _ in range(4):
            for _ in range(5):
                jobs.append(await world.submit())
                await asyncio.sleep(dice.uniform(0, 0.02))
            await asyncio.sleep(dice.uniform(0, 0.1))
            await world.kill()
            await world.start()
        for job_id in jobs:
            await world.until_over(job_id, timeout_seconds=30)
        working.cancel()
        for job_id in jobs:
            told = await eventually_events(world, job_id, 4)
            assert told == [("queued", 1), ("started", 2), ("evaluated", 3), ("completed", 4)]
        assert {(await world.job(job_id)).attempt for job_id in jobs} == {1}


async def _finish_everything(world: Deployment, host: FakeHost) -> None:
    while True:
        order = await host.next_order(timeout_seconds=60)
        host.report(order, ATTEMPT_OUTCOME_SUCCEEDED)
        await world.commit(order.job.rpartition("/")[2], order.attempt)


async def test_garbage_in_the_bucket_stops_nothing(world: Deployment) -> None:
    async with world.host() as host:
        await world.bus.publish(f"{JOBS.prefix}garbage", b"\xff\xff\xff")
        await world.bus.publish(f"{JOBS.prefix}{'j' + 'a' * 25}", a_record().SerializeToString())
        job_id = await world.submit()
        await host.next_order()
        await eventually_events(world, job_id, 2)

        await world.kill()
        await world.start()
        another = await world.submit()
        await host.next_order()
        await eventually_events(world, another, 2)
        assert world.is_running


# Hosts.


async def test_hosts_are_written_down_and_told_of(world: Deployment) -> None:
    async with world.host(a_host("anton")) as host:
        await world.submit()
        await host.next_order()
        seen = await eventually(lambda: has_record_with(world, "anton", num_running=1))
        assert seen is not None
        assert (seen.state, seen.num_running) == (HOST_STATE_UP, 1)
        assert seen.HasField("join_time")
        assert seen.HasField("heartbeat_time")
        host.fall_silent()
        await eventually(lambda: is_lost(world, "anton"), timeout_seconds=LEASE_SECONDS + 3)

    events = [(what, message_id) for what, message_id in await world.events() if message_id.startswith("anton")]
    assert events == [("joined", "anton:boot-1:joined"), ("lost", "anton:boot-1:lost")]


async def has_record_with(world: Deployment, host_id: str, *, num_running: int) -> Host | None:
    host = await has_record(world, host_id)
    return host if host is not None and host.num_running == num_running else None


async def is_lost(world: Deployment, host_id: str) -> bool:
    host = await has_record(world, host_id)
    return host is not None and host.state == HOST_STATE_LOST


async def test_a_draining_host_gets_nothing_new_and_leaves_when_it_is_done(world: Deployment) -> None:
    async with world.host() as host:
        job_id = await world.submit()
        order = await host.next_order()
        host.host.draining = True
        host.speak()
        await eventually(lambda: any(line.get("event") == "host joined" for line in world.log()))
        await asyncio.sleep(0.3)
        await world.submit()
        with pytest.raises(TimeoutError):
            await host.next_order(timeout_seconds=0.3)

        host.report(order, ATTEMPT_OUTCOME_SUCCEEDED)
        await world.commit(job_id, 1)
        await eventually(lambda: has_event(world, "drained"))
    await eventually(lambda: has_left(world, "anton"))


async def has_event(world: Deployment, wanted: str) -> bool:
    return wanted in [what for what, _ in await world.events()]


async def has_left(world: Deployment, host_id: str) -> bool:
    return await has_record(world, host_id) is None


async def test_a_second_live_boot_is_refused(world: Deployment) -> None:
    """E1."""
    async with world.host() as first, world.host(a_host(boot_id="boot-2"), redials=False) as twin:
        await eventually(lambda: first.last_response is not None or twin.last_response is not None)
        loser = twin if first.last_response is not None else first
        error = await loser.ended()

        assert error is not None
        assert (error.code, error.reason) == (Code.ALREADY_EXISTS, "HOST_ID_IN_USE")


@pytest.mark.parametrize(
    ("host", "reason", "field"),
    [
        (a_host(num_slots=-1), "HOST_STATE", "host.num_slots"),
        (a_host(num_slots=10**6), "HOST_STATE", "host.num_slots"),
        (a_host(boot_id=""), "FIELD_REQUIRED", "host.boot_id"),
        (a_host(mode=1), "HOST_STATE", "host.mode"),
        (a_host(mode=99), "UNKNOWN_ENUM_VALUE", "host.mode"),
    ],
)
async def test_an_impossible_host_is_refused_with_the_field(
    world: Deployment, host: Host, reason: str, field: str
) -> None:
    """E2; and a good one right after is served."""
    async with world.host(host, redials=False) as impossible:
        error = await impossible.ended()
        assert error is not None
        assert (error.code, error.reason) == (Code.INVALID_ARGUMENT, reason)
        assert error.violations[0].field == field
    async with world.host() as good:
        await world.submit()
        await good.next_order()


async def test_a_flood_of_messages_is_refused_and_others_are_served(world: Deployment) -> None:
    """E4."""
    async with world.host(a_host("flood"), redials=False) as flood, world.host(a_host("good", num_slots=8)) as good:
        await eventually(lambda: flood.last_response is not None)
        pouring = asyncio.create_task(_pour(flood))
        error = await flood.ended(timeout_seconds=20)
        pouring.cancel()
        assert error is not None
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "TOO_MANY_MESSAGES")

        await world.submit()
        await good.next_order()


async def _pour(host: FakeHost) -> None:
    while True:
        host.speak()
        await asyncio.sleep(0)


async def test_a_key_without_the_scope_or_for_another_host_is_refused(world: Deployment) -> None:
    reader = await world.add_key("read")
    berta_only = await world.add_key("host", host_id="berta")
    for key, code in ((reader, Code.PERMISSION_DENIED), (berta_only, Code.PERMISSION_DENIED)):
        async with world.host(a_host("anton"), redials=False, key=key) as host:
            error = await host.ended()
            assert error is not None
            assert error.code == code
    async with world.host(a_host("berta"), key=berta_only) as host:
        await eventually(lambda: host.last_response is not None)


async def test_it_serves_once_it_has_recovered(world: Deployment) -> None:
    assert await world.health() == HealthCheckResponse.SERVING


async def test_without_nats_it_does_not_start(tmp_path: Path) -> None:
    async with deployed(tmp_path, is_started=False) as world:
        await world.nats.kill()
        await world.start(is_ready=False)
        assert await asyncio.wait_for(world.wait(), 20) == 1
        await world.nats.start()


def test_grpc_is_what_these_tests_speak() -> None:
    assert grpc.StatusCode.RESOURCE_EXHAUSTED.value[0] == Code.RESOURCE_EXHAUSTED

"""nats-server killed, frozen, away, repeating itself and lying, under real services (F41, F42, F46-F48).

That a user of NATS is denied what is another's (F47) is shown in tests/contract/test_nats_permissions.py and
test_nats_forgery.py, with the configuration of deploy/. Hosts have no user: they speak gRPC alone. Here stands what a
message does that comes all the same, and to a server without users.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headway.contract.ids import JobName, new_job_id
from headway.contract.subjects import EVENTS, JOBS, job_event_subject
from headway.runtime.feeds import Message
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.remote_error import RemoteError
from headway.testing.eventually import eventually
from headway.testing.toy_recipe import ToySpec
from headway.v1.jobs_pb2 import JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED
from tests.fault import figures
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.workload import SHORT, Submitters, jittered, submit_many, submit_until_acked

LASTING = ToySpec(num_steps=200, step_seconds=0.02)
NUM_KILLS = 20
NO_RECORDS = (b"\xff\xff\xff\xff", b"", b'{"type": "io.nats.jetstream.api.v1.stream_info_response"}')


@pytest.fixture
async def bus(cluster: FaultCluster) -> AsyncIterator[NatsBus]:
    """A connection to the server of the cluster, as anybody's."""
    async with connect(cluster.plan.nats_url, "test") as connection:
        yield connection


async def all_events(bus: NatsBus) -> list[Message]:
    found: list[Message] = []
    if (await bus.stream_state(EVENTS)).num_messages == 0:
        return found
    async with bus.feed(EVENTS) as feed:
        async for message in feed:
            found.append(message)
            if feed.is_caught_up:
                return found
    raise AssertionError("a feed has no end")


def id_of(message: Message) -> str:
    return message.headers.get("Nats-Msg-Id", "")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_kills_under_load_lose_no_job_no_event_and_no_change_of_a_watched_job(
    cluster: FaultCluster, bus: NatsBus
) -> None:
    """F41, P1, P24, P25."""
    seconds: list[float] = []
    async with Submitters(cluster, num_clients=2, pause_seconds=jittered(0.2)) as submitters:
        for _ in range(NUM_KILLS):
            cluster.watch(await submit_until_acked(cluster))
            await asyncio.sleep(cluster.random.uniform(0, 0.5))
            cluster.nats.kill9()
            begin = asyncio.get_running_loop().time()
            await cluster.nats.restart()
            await flows(submitters)
            seconds.append(asyncio.get_running_loop().time() - begin)
    jobs = [*submitters.jobs, *(watching.job for watching in cluster.history.watches)]
    for job in jobs:
        assert (await cluster.ended(job)).state == JOB_STATE_SUCCEEDED
    await cluster.check()
    ended = await eventually(lambda: every_end_is_told(bus, jobs), timeout_seconds=60)
    assert ended is not None
    assert max(ended.values()) == 1, "an event was stored twice"
    watched = sum(len(watching.numbers) for watching in cluster.history.watches)
    figures.record(row="F41", name="watch", events=watched, missed=0, restarts=NUM_KILLS)
    figures.record(row="F41", name="jobs", acked=len(jobs), lost=0, kills=NUM_KILLS)
    figures.record(row="F41", name="flows_again", seconds=sorted(seconds))


async def flows(submitters: Submitters) -> None:
    """Wait until one more submission is acknowledged."""
    num_before = len(submitters.jobs)
    await eventually(lambda: len(submitters.jobs) > num_before, timeout_seconds=30)


async def every_end_is_told(bus: NatsBus, jobs: list[str]) -> Counter[str] | None:
    """How often each event is stored, by its id; None while a job's end is missing."""
    events = await all_events(bus)
    told = {message.subject.rpartition(".")[2] for message in events if ".completed." in message.subject}
    return Counter(map(id_of, events)) if {job.rpartition("/")[2] for job in jobs} <= told else None


@pytest.mark.slow
async def test_a_server_that_stands_still_costs_time_and_nothing_else(cluster: FaultCluster) -> None:
    """F42, P17: submissions wait or are refused, and are never acknowledged without being stored."""
    jobs = await submit_many(cluster, 2, LASTING)
    for job in jobs:
        await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING)
    cluster.nats.stop()
    late = asyncio.create_task(submit_until_acked(cluster))
    await asyncio.sleep(10)
    assert cluster.history.acked_submits[-1].job == jobs[-1]
    cluster.nats.cont()
    assert (await cluster.ended(await late)).state == JOB_STATE_SUCCEEDED
    for job in jobs:
        done = await cluster.ended(job)
        assert (done.state, done.attempt) == (JOB_STATE_SUCCEEDED, 1)
    await cluster.check()


@pytest.mark.slow
async def test_messages_that_come_again_and_in_any_order_start_nothing(cluster: FaultCluster, bus: NatsBus) -> None:
    """F46, P25: every event again, backwards and without its id; and every record to whoever follows the records."""
    done = await submit_many(cluster, 3)
    running = await submit_until_acked(cluster, LASTING)
    await cluster.until(running, lambda one: one.state == JOB_STATE_RUNNING)
    for job in done:
        await cluster.ended(job)
    await eventually(lambda: every_end_is_told(bus, done), timeout_seconds=30)

    before = await all_events(bus)
    for message in reversed(before):
        await bus.publish(message.subject, message.data)
    # What a consumer had acknowledged is delivered from the beginning once it is made anew.
    await bus.delete_consumer(JOBS, "scheduler-events")
    await bus.delete_consumer(EVENTS, "registrar")

    finished = await cluster.ended(running)
    assert (finished.state, finished.attempt) == (JOB_STATE_SUCCEEDED, 1)
    assert [(await cluster.get(job)).attempt for job in done] == [1, 1, 1]
    await eventually(lambda: every_end_is_told(bus, [running]), timeout_seconds=30)
    ids = Counter(map(id_of, await all_events(bus)))
    assert ids.pop("") == len(before)
    assert max(ids.values()) == 1, "what was told once is told again under its id, and dropped by the server"
    await cluster.check()


@pytest.mark.slow
async def test_a_forged_event_is_believed_by_nobody(cluster: FaultCluster, bus: NatsBus) -> None:
    """F47: whoever acts on an event reads the record first."""
    job = await submit_until_acked(cluster, LASTING)
    await cluster.until(job, lambda one: one.progress.step > 5)
    name = JobName.parse(job)
    for event in ("completed", "failed", "cancelled", "queued", "started"):
        await bus.publish(job_event_subject(event, name.project, name.job_id), b'{"job": "all yours"}')
    done = await cluster.ended(job)
    assert (done.state, done.attempt) == (JOB_STATE_SUCCEEDED, 1)
    await cluster.check()


@pytest.mark.slow
async def test_records_that_are_none_stop_nobody(cluster: FaultCluster, bus: NatsBus) -> None:
    """F47, P6: as nats-server itself would write one for whoever may name a key as the place for its answer."""
    for content in NO_RECORDS:
        await bus.publish(f"$KV.jobs.{new_job_id()}", content)
    before = await submit_many(cluster, 2)
    for job in before:
        assert (await cluster.ended(job)).state == JOB_STATE_SUCCEEDED
    # And it is met by those who read everything from the beginning.
    await asyncio.gather(cluster.gateway.restart(), cluster.schedulers[0].restart())
    after = await submit_until_acked(cluster)
    assert (await cluster.ended(after)).state == JOB_STATE_SUCCEEDED
    assert {job.name async for job in cluster.client().jobs.list()} == {*before, after}
    await cluster.check()


@pytest.mark.slow
async def test_services_wait_for_a_server_that_comes_last(tmp_path: Path) -> None:
    """F48."""
    async with fault_cluster(tmp_path, is_started=False) as cluster:
        for proc in (cluster.gateway, *cluster.schedulers, *cluster.hosts):
            proc.start()
        await asyncio.sleep(1)
        assert not await cluster.gateway.is_ready()
        await cluster.revive()
        assert (await cluster.ended(await submit_until_acked(cluster))).state == JOB_STATE_SUCCEEDED
        await cluster.check()


@pytest.mark.slow
async def test_a_server_that_is_away_for_long_costs_no_running_job_its_lease(cluster: FaultCluster) -> None:
    """F48, P17: ten leases; hosts train on, submissions are refused with a wait, and all is caught up with."""
    jobs = await submit_many(cluster, 2, LASTING)
    for job in jobs:
        await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING)
    cluster.nats.kill9()
    await asyncio.sleep(10 * cluster.lease_seconds)
    with pytest.raises(RemoteError) as refused:
        await cluster.submit(SHORT)
    assert refused.value.is_retryable
    await cluster.revive()
    for job in [*jobs, await submit_until_acked(cluster)]:
        done = await cluster.ended(job)
        assert (done.state, done.attempt) == (JOB_STATE_SUCCEEDED, 1)
    await cluster.check()

"""The JetStream store is lost, old, damaged or somebody else's: nothing begins from nothing, nothing is thrown away.

P3, F43: the gateway refuses writes with STORE_LOST and goes on to answer; `headway recover` brings every acknowledged
job back from the gateway's own files.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headway.contract.subjects import JOB_EVENTS_CONSUMER, JOBS
from headway.runtime.bus_options import BusOptions
from headway.runtime.jetstream import Reply
from headway.runtime.nats_connection import open_connection
from headway.runtime.nats_requests import NatsRequests
from headway.runtime.remote_error import RemoteError
from headway.testing.eventually import eventually
from headway.v1.jobs_pb2 import JOB_STATE_CANCELLED, JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED
from tests.fault.cluster import FaultCluster
from tests.fault.lost_store import (
    LIMIT_SECONDS,
    check_model,
    event_ids,
    listed,
    lose_store,
    recovered,
    run_role,
    store_folder,
    succeeded,
    until_lost,
    until_mirrored,
)
from tests.fault.saving import SavingCluster, saving_cluster
from tests.fault.small_model import small_spec

STEPS = 2


@pytest.fixture
async def saving(tmp_path: Path) -> AsyncIterator[SavingCluster]:
    """A gateway, a scheduler, and a host whose jobs make models and wait for the test."""
    async with saving_cluster(tmp_path) as running:
        yield running


async def test_the_whole_store_is_lost_and_every_acknowledged_job_comes_back_p3_f43(saving: SavingCluster) -> None:
    """One job has a model, one runs, one waits: all are refused to nobody's harm, and then they are there again."""
    cluster = saving.cluster
    done = await succeeded(saving, "done")
    running = await saving.begun("running", num_steps=STEPS)
    waiting = await cluster.submit(small_spec("waiting"))
    await until_mirrored(cluster, saving.bus)
    before = await event_ids(saving.bus)

    await lose_store(cluster)
    await until_lost(cluster)
    with pytest.raises(RemoteError, match="STORE_LOST") as caught:
        await cluster.client().jobs.cancel(waiting)
    assert "headway recover" in caught.value.message
    assert await listed(cluster) == {done, running, waiting}
    assert (await cluster.get(running)).state == JOB_STATE_RUNNING
    await check_model(saving, done, "done")

    said = await recovered(cluster)
    assert said["jobs_by_state"] == {"SUCCEEDED": 1, "RUNNING": 1, "QUEUED": 1}
    assert said["missing_blobs"] == said["damaged_blobs"] == said["unreadable_records"] == []
    assert await listed(cluster) == {done, running, waiting}
    for name in ("running", "waiting"):
        saving.go(name)
    saving.finish("running")
    ended = await cluster.ended(running)
    assert (ended.state, ended.attempt) == (JOB_STATE_SUCCEEDED, 1), "its host had trained on all the time"
    assert (await cluster.ended(waiting)).state == JOB_STATE_SUCCEEDED
    for job, name, num_steps in ((done, "done", 1), (running, "running", STEPS), (waiting, "waiting", 1)):
        await check_model(saving, job, name, num_steps=num_steps)
    for job in (running, waiting):
        await saving.until_told(job)
    after = await event_ids(saving.bus)
    jobs = {name.rpartition("/")[2] for name in (done, running, waiting)}
    repeated = [one for one in after if one in before and one.partition(":")[0] in jobs]
    assert repeated == [], "what was told before the loss is not told again"
    assert len(set(after)) == len(after)
    await cluster.check()


@pytest.mark.slow
async def test_a_gateway_that_starts_on_an_empty_store_refuses_writes_p3(saving: SavingCluster) -> None:
    """Everything is killed, and what comes up finds nothing: it knows better."""
    cluster = saving.cluster
    done = await succeeded(saving, "done")
    await until_mirrored(cluster, saving.bus)
    cluster.kill_everything()
    shutil.rmtree(store_folder(cluster))
    cluster.nats.start()
    await cluster.nats.ready()
    for proc in (cluster.gateway, *cluster.schedulers):
        proc.start()
        await proc.ready()
    await until_lost(cluster)
    assert await listed(cluster) == {done}
    await check_model(saving, done, "done")
    # A second look at the same files changes nothing.
    await cluster.gateway.restart()
    await until_lost(cluster)
    assert await listed(cluster) == {done}
    await recovered(cluster)
    assert await listed(cluster) == {done}
    await cluster.check()


@pytest.mark.slow
async def test_a_host_delivers_a_result_that_it_finished_while_the_store_was_lost_p3_p11(saving: SavingCluster) -> None:
    cluster = saving.cluster
    job = await saving.begun("running")
    await until_mirrored(cluster, saving.bus)
    await lose_store(cluster)
    await until_lost(cluster)
    saving.go("running")
    # It waits in the host's outbox: the gateway takes nothing.
    outbox = cluster.hosts[0].home / "hosts" / cluster.hosts[0].name / "outbox"
    await eventually(lambda: any(outbox.iterdir()), timeout_seconds=LIMIT_SECONDS)
    await recovered(cluster)
    ended = await cluster.ended(job)
    assert (ended.state, ended.attempt) == (JOB_STATE_SUCCEEDED, 1)
    await check_model(saving, job, "running")
    await cluster.check()


@pytest.mark.slow
async def test_a_recovery_that_is_broken_off_goes_on_p3(saving: SavingCluster) -> None:
    """Killed while it writes records, and again right before the store gets its identity."""
    cluster = saving.cluster
    jobs = {await cluster.submit(small_spec(f"waiting-{number}")) for number in range(12)}
    await until_mirrored(cluster, saving.bus)
    await lose_store(cluster)
    for proc in (cluster.gateway, *cluster.schedulers):
        await proc.terminate()
    for failpoint in ("recover.record=kill@5", "recover.identity=kill", "recover.take_over=kill"):
        end = await run_role(cluster, "recover", environ={"HEADWAY_FAILPOINT": failpoint})
        assert end.exit_code == -9, end
        await cluster.gateway.restart()
        await until_lost(cluster)
        assert await listed(cluster) == jobs
        await cluster.gateway.terminate()
    await recovered(cluster)
    assert await listed(cluster) == jobs
    for number in range(12):
        saving.go(f"waiting-{number}")
    await cluster.ended(*jobs)
    await cluster.check()


@pytest.mark.slow
async def test_an_old_copy_of_the_store_is_noticed_and_brought_up_to_date_p3(saving: SavingCluster) -> None:
    """Somebody puts yesterday's folder back: a job that ended since must not begin again."""
    cluster = saving.cluster
    early = await saving.begun("early")
    await until_mirrored(cluster, saving.bus)
    cluster.nats.kill9()
    shutil.copytree(store_folder(cluster), cluster.folder / "old")
    cluster.nats.start()
    await cluster.nats.ready()
    saving.go("early")
    await cluster.ended(early)
    late = await succeeded(saving, "late")
    await until_mirrored(cluster, saving.bus)

    cluster.nats.kill9()
    shutil.rmtree(store_folder(cluster))
    shutil.move(cluster.folder / "old", store_folder(cluster))
    cluster.nats.start()
    await cluster.nats.ready()
    await until_lost(cluster)
    assert "old copy" in cluster.gateway.log()
    assert (await cluster.get(early)).state == JOB_STATE_SUCCEEDED
    await recovered(cluster)
    for job, name in ((early, "early"), (late, "late")):
        found = await cluster.get(job)
        assert (found.state, found.attempt) == (JOB_STATE_SUCCEEDED, 1)
        await check_model(saving, job, name)
    await cluster.check()


@pytest.mark.slow
async def test_a_store_that_comes_back_is_taken_up_again_f43(saving: SavingCluster) -> None:
    """Its disk was not mounted: nothing has to be recovered, and nothing was written meanwhile."""
    cluster = saving.cluster
    job = await succeeded(saving, "done")
    await until_mirrored(cluster, saving.bus)
    cluster.nats.kill9()
    shutil.move(store_folder(cluster), cluster.folder / "away")
    cluster.nats.start()
    await cluster.nats.ready()
    await until_lost(cluster)
    cluster.nats.kill9()
    shutil.rmtree(store_folder(cluster))
    shutil.move(cluster.folder / "away", store_folder(cluster))
    cluster.nats.start()
    await cluster.nats.ready()
    # The gateway ends, so that whoever keeps it starts it anew.
    assert await cluster.gateway.ended(LIMIT_SECONDS) == 1
    await cluster.revive()
    assert await listed(cluster) == {job}
    await succeeded(saving, "next")
    await cluster.check()


async def api(cluster: FaultCluster, request: str) -> None:
    """One request of the JetStream API, as an administrator could make it."""
    async with open_connection(cluster.plan.nats_url, "test", BusOptions()) as connection:
        await NatsRequests(connection).call(request, None, Reply)


@pytest.mark.slow
@pytest.mark.parametrize("bucket", ["KV_jobs", "KV_models", "KV_settings"])
async def test_one_bucket_is_deleted_while_everything_runs_f43(saving: SavingCluster, bucket: str) -> None:
    cluster = saving.cluster
    job = await succeeded(saving, "done")
    await until_mirrored(cluster, saving.bus)
    await api(cluster, f"STREAM.DELETE.{bucket}")
    # No submission before that: where its own bucket is whole, it may still be taken for some seconds.
    await eventually(lambda: "STORE_LOST" in cluster.gateway.log(), timeout_seconds=LIMIT_SECONDS)
    await until_lost(cluster)
    assert await listed(cluster) == {job}
    await check_model(saving, job, "done")
    await recovered(cluster)
    await check_model(saving, job, "done")
    await succeeded(saving, "next")
    await cluster.check()


@pytest.mark.slow
async def test_the_consumer_of_events_is_deleted_f43(saving: SavingCluster) -> None:
    """Nothing is lost with it: it is made again, and what was told is not told again."""
    cluster = saving.cluster
    await succeeded(saving, "done")
    await api(cluster, f"CONSUMER.DELETE.{JOBS.stream_name}.{JOB_EVENTS_CONSUMER}")
    job = await saving.begun("next")
    saving.go("next")
    await cluster.ended(job)
    await saving.until_told(job)
    told = await event_ids(saving.bus)
    assert len(set(told)) == len(told)
    await cluster.check()


@pytest.mark.slow
async def test_a_store_of_another_headway_is_not_mixed_with_this_one_p3(saving: SavingCluster, tmp_path: Path) -> None:
    cluster = saving.cluster
    await succeeded(saving, "done")
    await until_mirrored(cluster, saving.bus)
    await lose_store(cluster)
    for proc in (cluster.gateway, *cluster.schedulers):
        await proc.terminate()
    # A gateway of another home takes the empty store for its own, as it should.
    shutil.move(cluster.gateway.home / "gateway", tmp_path / "mine")
    cluster.gateway.start()
    await cluster.gateway.ready()
    other = await cluster.submit(small_spec("other"))
    await cluster.gateway.terminate()
    shutil.rmtree(cluster.gateway.home / "gateway")
    shutil.move(tmp_path / "mine", cluster.gateway.home / "gateway")
    end = await run_role(cluster, "recover")
    assert (end.exit_code, end.said["reason"]) == (1, "OTHER_STORE")
    assert await saving.bus.last_message(JOBS, f"$KV.jobs.{other.rpartition('/')[2]}") is not None


@pytest.mark.slow
async def test_a_backup_while_jobs_run_restores_to_a_headway_that_goes_on(
    saving: SavingCluster, tmp_path: Path
) -> None:
    """Also when some of it changes while it is made; what it lacks of a running job is trained again."""
    cluster = saving.cluster
    done = await succeeded(saving, "done")
    running = await saving.begun("running", num_steps=STEPS)
    paused = await cluster.submit(small_spec("cancelled"))
    await cluster.cancel(paused)
    end = await run_role(cluster, "backup", str(tmp_path / "backup"))
    assert (end.exit_code, end.said["missing_blobs"]) == (0, []), end
    again = await run_role(cluster, "backup", str(tmp_path / "backup"))
    assert (again.exit_code, again.said["reason"]) == (1, "FOLDER_NOT_EMPTY")

    cluster.kill_everything()
    shutil.rmtree(store_folder(cluster))
    shutil.rmtree(cluster.gateway.home / "gateway")
    cluster.nats.start()
    await cluster.nats.ready()
    broken = await run_role(
        cluster, "restore", str(tmp_path / "backup"), environ={"HEADWAY_FAILPOINT": "recover.record=kill@5"}
    )
    assert broken.exit_code == -9
    cluster.gateway.start()
    assert await cluster.gateway.ended(LIMIT_SECONDS) == 1
    assert "RESTORE_UNFINISHED" in cluster.gateway.log()
    end = await run_role(cluster, "restore", str(tmp_path / "backup"))
    assert (end.exit_code, end.said["state"]) == (0, "restored"), end
    saving.go("running")
    saving.finish("running")
    await cluster.start()
    assert await listed(cluster) == {done, running, paused}
    assert (await cluster.get(paused)).state == JOB_STATE_CANCELLED
    ended = await cluster.ended(running)
    assert ended.state == JOB_STATE_SUCCEEDED
    await check_model(saving, done, "done")
    await check_model(saving, running, "running", num_steps=STEPS)
    await cluster.check()
    full = await run_role(cluster, "backup", str(tmp_path / "another"))
    assert full.exit_code == 0

"""Attempts that fail, hang, run out of memory or of time, and jobs that are steered: F16, F18, F26, F27, P19 to P21."""

import asyncio
import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest

from headway.contract.times import duration
from headway.runtime.clock import SystemClock
from headway.runtime.remote_error import RemoteError
from headway.testing.eventually import eventually
from headway.testing.toy_recipe import ToySpec
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, JobSpec, Policies, ResourceSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    FAILURE_CLASS_TRANSIENT,
    FAILURE_CLASS_USER_INPUT,
    JOB_STATE_CANCELLED,
    JOB_STATE_FAILED,
    JOB_STATE_PAUSED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Attempt,
    Job,
)
from tests.fault import figures
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.faults import children_of

CLOCK = SystemClock()
ENDLESS = ToySpec(num_steps=1_000_000, step_seconds=0.01)
SECOND = timedelta(seconds=1)


def spec_of(toy: ToySpec, policies: Policies | None = None, resources: ResourceSpec | None = None) -> JobSpec:
    spec = toy.job_spec()
    if policies is not None:
        spec.policies.CopyFrom(policies)
    if resources is not None:
        spec.resource_spec.CopyFrom(resources)
    return spec


def failing(folder: Path, fail_class: str, *, attempts: int = 1_000_000, at_step: int = 5) -> ToySpec:
    """A toy whose first attempts fail; each failure leaves a file in the folder."""
    folder.mkdir()
    return ToySpec(
        num_steps=10,
        step_seconds=0.01,
        fail_at_step=at_step,
        fail_class=fail_class,
        failing_attempts=attempts,
        failures_dir=str(folder),
    )


def reasons(attempts: Iterable[Attempt]) -> list[str]:
    return [attempt.failure.reason for attempt in attempts]


async def explained(cluster: FaultCluster, job: str, words: str) -> str:
    """Wait until the explanation says so."""

    async def look() -> str:
        summary = (await cluster.client().jobs.explain(job)).summary
        assert words in summary, f"{words!r} is not in {summary!r}"
        return summary

    return await eventually(look, timeout_seconds=30, interval_seconds=0.05)


async def running(cluster: FaultCluster, job: str, *, step: int = 1) -> Job:
    return await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING and one.checkpoint.step >= step)


async def paused(cluster: FaultCluster, job: str, *, past: int = -1) -> Job:
    return await cluster.until(job, lambda one: one.state == JOB_STATE_PAUSED and one.checkpoint.step > past)


async def gets_on(cluster: FaultCluster, job: str, attempt: int) -> None:
    """Wait until this attempt has saved some steps of its own."""
    before = (await cluster.get(job)).checkpoint.step

    def has_got_on(one: Job) -> bool:
        return one.attempt == attempt and one.state == JOB_STATE_RUNNING and one.checkpoint.step > before

    await cluster.until(job, has_got_on)


async def test_a_hang_memory_and_a_killed_child_are_told_apart_and_tried_again_f18_f26_f27(tmp_path: Path) -> None:
    async with fault_cluster(tmp_path, slots=3) as cluster:
        policies = Policies(timeout_per_step=duration(SECOND))
        hanging = await cluster.submit(spec_of(failing(tmp_path / "hanging", "HANG", attempts=1), policies))
        hungry = await cluster.submit(spec_of(failing(tmp_path / "hungry", "MEMORY", attempts=1)))
        killed = await cluster.submit(spec_of(failing(tmp_path / "killed", "KILL", attempts=1)))

        await cluster.ended(hanging, hungry, killed)

        wanted = {hanging: "PROGRESS_STALLED", hungry: "OUT_OF_MEMORY", killed: "CHILD_DIED"}
        for name, reason in wanted.items():
            job = await cluster.get(name)
            assert job.state == JOB_STATE_SUCCEEDED, f"{reason}: {job.failure}"
            assert [one.outcome for one in job.attempts] == [ATTEMPT_OUTCOME_FAILED, ATTEMPT_OUTCOME_SUCCEEDED]
            assert job.attempts[0].failure.reason == reason, "F18, F26, F27"
            assert job.attempts[0].failure.failure_class == FAILURE_CLASS_TRANSIENT
            assert {one.host for one in job.attempts} == {"hosts/h1"}, "the host itself was never lost"
            assert all(one.runtime.ToTimedelta() > timedelta(0) for one in job.attempts)
        await cluster.check()


@pytest.mark.slow
async def test_a_killed_child_costs_no_step_that_was_saved_f18(tmp_path: Path) -> None:
    """F18, P14: the agent tells it at once, and the same host goes on from the newest checkpoint."""
    async with fault_cluster(tmp_path) as cluster:
        job = await cluster.submit(ToySpec(num_steps=120, step_seconds=0.02))
        saved = (await running(cluster, job, step=20)).checkpoint.step
        began = CLOCK.monotonic()
        for child in children_of(cluster.hosts[0]):
            child.kill()
        await cluster.until(job, lambda one: one.attempt == 2)
        took = CLOCK.monotonic() - began

        done = await cluster.ended(job)

        assert (done.state, done.attempt) == (JOB_STATE_SUCCEEDED, 2)
        assert done.attempts[0].failure.reason == "CHILD_DIED"
        lines = [line.message async for line in cluster.client().jobs.logs(job)]
        went_on = next(line for line in lines if line.startswith("Going on from step"))
        assert int(went_on.split()[4].rstrip(",")) >= saved
        figures.record(row="F18", name="a killed child", seconds_to_next_attempt=round(took, 2))
        await cluster.check()


@pytest.mark.slow
async def test_tries_are_capped_and_each_is_told_p19(tmp_path: Path) -> None:
    async with fault_cluster(tmp_path, slots=3) as cluster:
        twice = Policies(retry_max=1, timeout_per_step=duration(SECOND))
        ends = {
            "HANG": await cluster.submit(spec_of(failing(tmp_path / "hang", "HANG"), twice)),
            # Taking all memory takes its time on a busy machine.
            "MEMORY": await cluster.submit(spec_of(failing(tmp_path / "memory", "MEMORY"), Policies(retry_max=1))),
            "USER_INPUT": await cluster.submit(spec_of(failing(tmp_path / "input", "USER_INPUT"), twice)),
        }
        await cluster.ended(*ends.values())
        found = {name: await cluster.get(job) for name, job in ends.items()}

        assert {job.state for job in found.values()} == {JOB_STATE_FAILED}
        assert reasons(found["HANG"].attempts) == ["PROGRESS_STALLED"] * 2
        assert reasons(found["MEMORY"].attempts) == ["OUT_OF_MEMORY"] * 2
        for name in ("HANG", "MEMORY"):
            last = found[name].transitions[-1]
            assert last.reason == "ATTEMPTS_EXHAUSTED"
            reason = found[name].failure.reason
            assert f"attempt 1 {reason}, attempt 2 {reason}" in last.message
        assert reasons(found["USER_INPUT"].attempts) == ["TOY_FAILURE"], "P19: never tried again"
        assert found["USER_INPUT"].failure.failure_class == FAILURE_CLASS_USER_INPUT
        assert "memory_mib" in found["MEMORY"].failure.message, "F26: with advice"
        assert "not tried again" in (await explained(cluster, ends["USER_INPUT"], "FAILED"))
        await cluster.check()


@pytest.mark.long
async def test_losses_use_up_no_try_and_a_job_that_gets_on_may_lose_any_number_of_hosts_p19(tmp_path: Path) -> None:
    """More losses than the budget has, each after some steps that were saved; a retry is not spent on any."""
    losses = 12
    async with fault_cluster(tmp_path, lease_seconds=1.0) as cluster:
        toy = ToySpec(num_steps=600, step_seconds=0.02)
        job = await cluster.submit(spec_of(toy, Policies(retry_max=0)))
        for attempt in range(1, losses + 1):
            await gets_on(cluster, job, attempt)
            cluster.hosts[0].kill9_tree()
            await cluster.hosts[0].restart()
        done = await cluster.ended(job, timeout_seconds=120)

        assert done.state == JOB_STATE_SUCCEEDED, done.failure
        assert [one.outcome for one in done.attempts] == [ATTEMPT_OUTCOME_LOST] * losses + [ATTEMPT_OUTCOME_SUCCEEDED]
        assert sum(one.event == "claimed" for one in done.transitions) == losses + 1, "no attempt is forgotten"
        await cluster.check()


@pytest.mark.slow
async def test_max_runtime_saves_and_pauses_and_a_resume_gives_as_long_again(tmp_path: Path) -> None:
    async with fault_cluster(tmp_path) as cluster:
        job = await cluster.submit(spec_of(ENDLESS, Policies(max_runtime=duration(SECOND))))
        first = await paused(cluster, job)
        assert first.transitions[-1].reason == "MAX_RUNTIME"
        assert first.runtime.ToTimedelta() >= SECOND
        assert "max_runtime of 1 s is used up" in first.wait_reason
        await explained(cluster, job, "resume it to give it as long again")

        await cluster.resume(job)
        second = await paused(cluster, job, past=first.checkpoint.step)
        assert second.runtime.ToTimedelta() >= 2 * SECOND
        assert second.attempt == first.attempt + 1
        assert reasons(second.attempts) == ["", ""], "no failure, and no try used up"

        # The host keeps time also while nobody can be told of it.
        await cluster.resume(job)
        third = await running(cluster, job, step=second.checkpoint.step)
        cluster.schedulers[0].kill9()
        await CLOCK.sleep(2)
        await cluster.schedulers[0].restart()
        last = await paused(cluster, job, past=third.checkpoint.step)
        assert last.attempt == third.attempt, "it went on where it was, and to its own end"

        done = await cluster.cancel(job)
        assert (done.state, done.cancelled_at_step) == (JOB_STATE_CANCELLED, last.checkpoint.step)
        await cluster.check()


@pytest.mark.slow
async def test_a_cancelled_job_leaves_its_partial_model_and_says_of_which_step_p21(tmp_path: Path) -> None:
    async with fault_cluster(tmp_path, interval_steps=1_000_000) as cluster:
        job = await cluster.submit(ENDLESS)
        await cluster.until(job, lambda one: one.progress.step >= 20)
        assert not (await cluster.get(job)).HasField("checkpoint"), "nothing was due before"

        await cluster.cancel(job)
        done = await cluster.ended(job)

        assert done.state == JOB_STATE_CANCELLED
        assert done.cancelled_at_step >= 20
        assert done.checkpoint.step == done.cancelled_at_step, "what it had is saved at the stop"
        kept = {file.path for file in done.checkpoint.bundle.artifacts}
        assert "training/toy.json" in kept
        await cluster.client().jobs.pull_checkpoint(job, tmp_path / "partial")
        learned = json.loads((tmp_path / "partial" / "training" / "toy.json").read_text())
        assert learned["step"] == done.cancelled_at_step
        assert f"checkpoint of step {done.cancelled_at_step} is kept as a partial model" in (
            await explained(cluster, job, "CANCELLED")
        )
        await cluster.check()


@pytest.mark.slow
async def test_a_cancel_that_races_the_end_has_one_winner_p21(tmp_path: Path) -> None:
    """The checker holds that no acknowledged cancel becomes a success; here both ends are seen to be reached."""
    async with fault_cluster(tmp_path, slots=4) as cluster:
        toy = ToySpec(num_steps=20, step_seconds=0.01)
        jobs = [await cluster.submit(toy) for _ in range(24)]

        async def cancel_some_time(job: str) -> None:
            await cluster.until(job, lambda one: one.attempt > 0)
            await CLOCK.sleep(cluster.random.uniform(0.0, 0.5))
            try:
                await cluster.cancel(job)
            except RemoteError as error:
                if error.reason != "INVALID_TRANSITION":  # The one answer that tells the caller that the job won.
                    raise

        await asyncio.gather(*(cancel_some_time(job) for job in jobs))
        await cluster.ended(*jobs)

        states = [(await cluster.get(job)).state for job in jobs]
        assert set(states) <= {JOB_STATE_CANCELLED, JOB_STATE_SUCCEEDED}
        figures.record(
            row="P21",
            name="cancel against the end",
            jobs=len(jobs),
            cancelled=states.count(JOB_STATE_CANCELLED),
            succeeded=states.count(JOB_STATE_SUCCEEDED),
        )
        await cluster.check()


@pytest.mark.slow
async def test_why_a_job_waits_is_told_in_words_f16(tmp_path: Path) -> None:
    async with fault_cluster(tmp_path, lease_seconds=1.0) as cluster:
        jobs = cluster.client().jobs
        with pytest.raises(RemoteError) as refused:
            await cluster.submit(spec_of(ENDLESS, resources=ResourceSpec(require_gpu=True)))
        assert refused.value.reason == "NO_GPU_HOST", "required and none: FAILED_PRECONDITION"

        remote = ENDLESS.job_spec()
        remote.execution_mode = EXECUTION_MODE_HOST
        fallen_back = await cluster.submit(remote)
        assert "no remote trainer host" in (await running(cluster, fallen_back)).fallback_reason
        await explained(cluster, fallen_back, "held by hosts/h1 in mode local; execution mode host was asked for")

        huge = await cluster.submit(spec_of(ENDLESS, resources=ResourceSpec(memory_mib=16_000_000)))
        await explained(
            cluster, huge, "none of the trainer hosts that are up can take it, however idle (hosts/h1: it has"
        )
        first, second = await cluster.submit(ENDLESS), await cluster.submit(ENDLESS)
        await explained(cluster, second, "every trainer host that suits it is busy")
        assert [(await jobs.explain(job)).num_ahead for job in (first, second)] == [1, 2]
        await jobs.set_priority(second, 10)
        found = await jobs.explain(second)
        assert (found.num_ahead, found.effective_priority >= 10) == (0, True), "a priority counts at once"

        await cluster.cancel(fallen_back)
        await running(cluster, second)
        assert (await cluster.get(first)).state == JOB_STATE_QUEUED
        cluster.hosts[0].kill9_tree()
        await explained(cluster, first, "no trainer host is up; it runs in mode local as soon as one is")
        for job in (huge, first, second):
            await cluster.cancel(job)
        await cluster.ended(huge, first, second)
        await cluster.hosts[0].restart()
        broken = await cluster.submit(spec_of(failing(tmp_path / "broken", "TRANSIENT")))
        await explained(cluster, broken, "its next attempt starts in")
        await cluster.cancel(broken)
        await cluster.check()


@pytest.mark.slow
async def test_a_host_that_ends_gives_its_job_back_at_once(tmp_path: Path) -> None:
    """P33: another host has it long before the lease would have ended."""
    async with fault_cluster(tmp_path, hosts=2, lease_seconds=30.0) as cluster:
        job = await cluster.submit(ENDLESS)
        before = await running(cluster, job, step=5)
        holder = next(host for host in cluster.hosts if before.host == f"hosts/{host.name}")
        began = CLOCK.monotonic()
        await holder.terminate()
        moved = await cluster.until(job, lambda one: one.state == JOB_STATE_RUNNING and one.attempt == 2)
        took = CLOCK.monotonic() - began

        assert moved.attempts[0].failure.reason == "HOST_STOPPED"
        assert took < cluster.lease_seconds / 2
        figures.record(row="P33", name="a host that ends in order", seconds_to_next_attempt=round(took, 2))
        await cluster.cancel(job)
        await cluster.ended(job)
        await cluster.check(may_be_down=(holder,))

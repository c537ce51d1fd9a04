"""What a trainer host promises about checkpoints, as a process, with the toy for its recipe: P14, P15, F17, F25."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headway.contract.errors import NotFound, ServiceUnavailable, StaleAttempt
from headway.testing.eventually import eventually
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    Checkpoint,
)
from headway.v1.scheduler_service_pb2 import AttemptOrder, AttemptStop
from tests.attempt_runs import an_order, finished, run
from tests.contract.fake_gateway import FakeGateway, serving_gateway
from tests.contract.fake_scheduler import FakeScheduler, serving_scheduler
from tests.contract.host_process import HostProcess, running_host, toy_order
from tests.contract.host_steps import START_SECONDS, ended, joined, stopped
from trainer_host.attempt_key import AttemptKey

SETTINGS = {"CHECKPOINT_INTERVAL_STEPS": "10", "CHECKPOINT_LIMIT_SECONDS": "1"}
NUM_STEPS = 120


@pytest.fixture
async def host(
    tmp_path: Path, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> AsyncIterator[HostProcess]:
    """A host that saves every ten steps; only the scheduler serves."""
    async with serving_scheduler(scheduler) as address:
        with running_host(tmp_path / "home", address, f"127.0.0.1:{gateway_port}", **SETTINGS) as process:
            await joined(scheduler)
            yield process


def an_attempt(
    *, num_steps: int = NUM_STEPS, step_seconds: float = 0.01, kill_in_save_from: int = -1, kill_mark: str = ""
) -> AttemptOrder:
    return toy_order(
        num_steps=num_steps, step_seconds=step_seconds, kill_in_save_from=kill_in_save_from, kill_mark=kill_mark
    )


def next_attempt(order: AttemptOrder, *, gateway: FakeGateway | None = None) -> AttemptOrder:
    """As the scheduler orders it: with the newest that the gateway has taken, and the one before."""
    later = AttemptOrder()
    later.CopyFrom(order)
    later.attempt += 1
    commits = [] if gateway is None else gateway.checkpoints
    for field, commit in zip((later.checkpoint, later.previous_checkpoint), reversed(commits), strict=False):
        field.CopyFrom(Checkpoint(attempt=commit.attempt, step=commit.step, bundle=commit.bundle))
    return later


def result_of(gateway: FakeGateway) -> object:
    """What the toy has learned, as the gateway has it."""
    [commit] = gateway.commits
    digest = next(one.digest for one in commit.bundle.artifacts if one.path == "toy.json")
    return json.loads(gateway.blobs[digest])


def whole(order: AttemptOrder, folder: Path) -> object:
    """What the same toy learns when nobody interrupts it."""
    outcome = finished(run(an_order(folder / "whole", order.spec)))
    return json.loads((Path(outcome.bundle_dir) / "toy.json").read_bytes())


def lines_of(gateway: FakeGateway, key: AttemptKey) -> str:
    return "\n".join(line.message for line in gateway.lines.get(key, {}).values())


def step_gone_on_from(gateway: FakeGateway, key: AttemptKey) -> int:
    text = lines_of(gateway, key)
    return int(text.split("Going on from step ")[1].split(",")[0]) if "Going on" in text else 0


def on_disk(host: HostProcess) -> list[int]:
    """Steps of what attempt 1 has saved, as far as it was not deleted."""
    return [int(path.name.partition("-")[0]) for path in (host.host_dir / "checkpoints").glob("*/0*-1")]


async def checkpoints(gateway: FakeGateway, number: int) -> None:
    await eventually(lambda: len(gateway.checkpoints) >= number, timeout_seconds=START_SECONDS)


async def test_it_is_saved_while_it_trains_on_and_nothing_is_left_in_the_end(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int, tmp_path: Path
) -> None:
    async with serving_gateway(gateway, gateway_port):
        key = scheduler.order(order := an_attempt())
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED
        steps = [one.step for one in gateway.checkpoints]
        assert len(steps) >= 2
        assert steps == sorted(set(steps)), "each once, and in order"
        assert all(step % 10 == 0 for step in steps)
        assert result_of(gateway) == whole(order, tmp_path)
        await eventually(lambda: not list((host.host_dir / "checkpoints").iterdir()))


async def test_a_paused_attempt_is_over_when_its_checkpoint_is_committed(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int, tmp_path: Path
) -> None:
    """P14: the next attempt takes up where it stopped, and takes each step once."""
    async with serving_gateway(gateway, gateway_port):
        key = scheduler.order(order := an_attempt())
        await checkpoints(gateway, 1)
        scheduler.stop(key, AttemptStop.REASON_PAUSE)
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_PAUSED
        report = scheduler.report(key)
        assert report is not None
        assert gateway.checkpoints[-1].step == report.step < NUM_STEPS
        scheduler.release(key)
        later = scheduler.order(next_attempt(order, gateway=gateway))
        assert await ended(scheduler, later) == ATTEMPT_OUTCOME_SUCCEEDED
        assert step_gone_on_from(gateway, later) == report.step
        assert result_of(gateway) == whole(order, tmp_path)


async def test_without_a_gateway_training_goes_on_and_a_pause_waits_its_limit_only(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int, tmp_path: Path
) -> None:
    """F5, P14: what nobody took is still here, and the next attempt on this host goes on from it."""
    key = scheduler.order(order := an_attempt(step_seconds=0.02))
    await eventually(lambda: len(on_disk(host)) >= 2, timeout_seconds=START_SECONDS)
    scheduler.stop(key, AttemptStop.REASON_PAUSE)
    assert await ended(scheduler, key) == ATTEMPT_OUTCOME_PAUSED
    report = scheduler.report(key)
    assert report is not None
    assert gateway.checkpoints == []
    scheduler.release(key)
    async with serving_gateway(gateway, gateway_port):
        later = scheduler.order(next_attempt(order))
        assert await ended(scheduler, later) == ATTEMPT_OUTCOME_SUCCEEDED
    assert step_gone_on_from(gateway, later) == report.step
    assert result_of(gateway) == whole(order, tmp_path)


async def test_a_cancelled_attempt_commits_what_was_trained_and_leaves_nothing_behind(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> None:
    async with serving_gateway(gateway, gateway_port):
        key = scheduler.order(an_attempt(num_steps=100_000))
        await checkpoints(gateway, 1)
        scheduler.stop(key, AttemptStop.REASON_CANCEL)
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_CANCELLED
        report = scheduler.report(key)
        assert report is not None
        assert gateway.checkpoints[-1].step == report.step
        await eventually(lambda: not list((host.host_dir / "checkpoints").iterdir()))


async def test_a_process_that_is_killed_while_it_saves_costs_that_checkpoint_only(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int, tmp_path: Path
) -> None:
    """F17, F18: half a checkpoint has no name, so nobody goes on from it."""
    async with serving_gateway(gateway, gateway_port):
        order = an_attempt(kill_in_save_from=50, kill_mark=str(tmp_path / "killed"))
        key = scheduler.order(order)
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_FAILED
        assert (tmp_path / "killed").is_file(), "it was half-way through"
        assert not list((host.host_dir / "checkpoints").glob("*/.part-*")), "the half is swept"
        scheduler.release(key)
        later = scheduler.order(next_attempt(order, gateway=gateway))
        assert await ended(scheduler, later) == ATTEMPT_OUTCOME_SUCCEEDED
        assert step_gone_on_from(gateway, later) == 40
        assert result_of(gateway) == whole(order, tmp_path)


@pytest.mark.parametrize("how", ["kill", "SIGTERM"])
async def test_a_host_that_went_down_goes_on_when_it_is_back(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int, tmp_path: Path, how: str
) -> None:
    """F17, P33: kill -9 costs at most an interval, an orderly end nothing, while the gateway is away, too."""
    key = scheduler.order(order := an_attempt(step_seconds=0.02))
    await eventually(lambda: len(on_disk(host)) >= 2, timeout_seconds=START_SECONDS)
    if how == "kill":
        host.kill()
    else:
        await stopped(host)
        assert scheduler.outcome(key) == ATTEMPT_OUTCOME_LOST
    newest = max(on_disk(host))
    since = len(scheduler.messages)
    host.start()
    await joined(scheduler, since=since)
    assert await ended(scheduler, key) == ATTEMPT_OUTCOME_LOST
    report = scheduler.report(key)
    scheduler.release(key)
    async with serving_gateway(gateway, gateway_port):
        later = scheduler.order(next_attempt(order))
        assert await ended(scheduler, later) == ATTEMPT_OUTCOME_SUCCEEDED
    assert step_gone_on_from(gateway, later) == newest >= 20
    assert report is not None
    assert how == "kill" or newest == report.step
    assert result_of(gateway) == whole(order, tmp_path)


@pytest.fixture
async def saved(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> AsyncIterator[AttemptOrder]:
    """A paused job, at least two of whose checkpoints were committed; its host is gone for good."""
    async with serving_gateway(gateway, gateway_port):
        key = scheduler.order(order := an_attempt())
        await checkpoints(gateway, 2)
        scheduler.stop(key, AttemptStop.REASON_PAUSE)
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_PAUSED
        scheduler.release(key)
        host.kill()
        yield order


async def elsewhere(
    order: AttemptOrder, gateway: FakeGateway, gateway_port: int, tmp_path: Path
) -> tuple[AttemptKey, int]:
    """Run the job's next attempt at a host that has never seen it."""
    scheduler = FakeScheduler()
    async with serving_scheduler(scheduler) as address:
        with running_host(tmp_path / "other" / "home", address, f"127.0.0.1:{gateway_port}", **SETTINGS):
            await joined(scheduler)
            key = scheduler.order(next_attempt(order, gateway=gateway))
            outcome = await ended(scheduler, key)
    return key, outcome


async def test_another_host_goes_on_from_what_the_gateway_has(
    saved: AttemptOrder, gateway: FakeGateway, gateway_port: int, tmp_path: Path
) -> None:
    """P14."""
    step = gateway.checkpoints[-1].step
    key, outcome = await elsewhere(saved, gateway, gateway_port, tmp_path)
    assert outcome == ATTEMPT_OUTCOME_SUCCEEDED
    assert step_gone_on_from(gateway, key) == step
    assert result_of(gateway) == whole(saved, tmp_path)


@pytest.mark.parametrize("num_lost", [1, 2])
async def test_a_committed_checkpoint_that_is_gone_is_skipped_with_a_word(
    saved: AttemptOrder, gateway: FakeGateway, gateway_port: int, tmp_path: Path, num_lost: int
) -> None:
    """P15: for the one before, and when that is gone too, from step 0."""
    *_, before, newest = gateway.checkpoints
    for commit in (newest, before)[:num_lost]:
        del gateway.blobs[commit.bundle.digest]
    key, outcome = await elsewhere(saved, gateway, gateway_port, tmp_path)
    assert outcome == ATTEMPT_OUTCOME_SUCCEEDED
    assert step_gone_on_from(gateway, key) == (before.step if num_lost == 1 else 0)
    assert f"the committed checkpoint of step {newest.step} is skipped: no such blob" in lines_of(gateway, key)
    assert result_of(gateway) == whole(saved, tmp_path)


async def test_bytes_that_are_not_those_of_the_digest_are_skipped(
    saved: AttemptOrder, gateway: FakeGateway, gateway_port: int, tmp_path: Path
) -> None:
    """P15, F25: tried three times, for a bit may flip on the way."""
    *_, before, newest = gateway.checkpoints
    digest = next(one.digest for one in newest.bundle.artifacts if one.path == "checkpoint.json")
    gateway.blobs[digest] = gateway.blobs[digest][::-1]
    key, outcome = await elsewhere(saved, gateway, gateway_port, tmp_path)
    assert outcome == ATTEMPT_OUTCOME_SUCCEEDED
    assert step_gone_on_from(gateway, key) == before.step
    assert result_of(gateway) == whole(saved, tmp_path)


async def test_a_refused_checkpoint_stops_nobody(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int, tmp_path: Path
) -> None:
    gateway.faults.errors["CommitCheckpoint"] = [
        ServiceUnavailable("the test is away"),
        NotFound("the test does not know it"),
        *(StaleAttempt("the test does not want it") for _ in range(3)),
    ]
    async with serving_gateway(gateway, gateway_port):
        key = scheduler.order(order := an_attempt(step_seconds=0.05))
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED
        assert result_of(gateway) == whole(order, tmp_path)

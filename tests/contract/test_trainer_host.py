"""What a trainer host promises to scheduler and gateway: agent and child are real processes, both services doubles."""

import asyncio
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from headway.contract.errors import Code, NotFound, StoreUnavailable
from headway.runtime.channel import open_channel
from headway.runtime.keys import make_key, read_key_file
from headway.runtime.remote_error import RemoteError, answer, responses
from headway.testing.eventually import eventually
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    ATTEMPT_PHASE_UPLOADING,
    FAILURE_CLASS_TRANSIENT,
    FAILURE_CLASS_USER_INPUT,
)
from headway.v1.scheduler_service_pb2 import AttemptStop
from headway.v1.trainer_hosts_service_pb2 import (
    FetchResultRequest,
    GetAttemptRequest,
    GetHostRequest,
    ListAttemptsRequest,
)
from headway.v1.trainer_hosts_service_pb2_grpc import TrainerHostServiceStub
from tests.contract.fake_gateway import FakeGateway, serving_gateway
from tests.contract.fake_scheduler import FakeScheduler, serving_scheduler
from tests.contract.host_process import HostProcess, running_host, toy_order
from tests.contract.host_steps import (
    ended,
    joined,
    stopped,
    training,
    uploading,
)
from trainer_host.attempt_key import AttemptKey


async def test_a_host_joins_with_what_it_can_do(host: HostProcess, scheduler: FakeScheduler) -> None:
    said = scheduler.messages[0].host
    assert (said.name, said.mode, said.num_slots) == ("hosts/h1", EXECUTION_MODE_LOCAL, 1)
    assert said.num_cpu_cores >= 1
    assert said.memory_mib >= 1
    assert {recipe.kind for recipe in said.recipes if recipe.available} == {"toy"}
    assert {recipe.kind: bool(recipe.problem) for recipe in said.recipes}["tabular_train"]


async def test_an_attempt_goes_from_order_to_commit(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> None:
    async with serving_gateway(gateway, gateway_port):
        key = scheduler.order(toy_order(inputs=(gateway.add(b"a,b\n1,2\n"),), num_steps=5, num_bytes=3_000_000))
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED
        [commit] = gateway.commits
        assert (commit.job, commit.attempt, commit.host) == (key.job, 1, "hosts/h1")
        assert {"manifest.json", "toy.json", "padding.txt"} <= {file.path for file in commit.bundle.artifacts}
        assert all(file.digest in gateway.blobs for file in commit.bundle.artifacts)
        numbers = list(gateway.lines[key])
        assert numbers == list(range(1, len(numbers) + 1))
        assert max(progress.step for progress in gateway.progress) <= 5
        scheduler.release(key)
        await eventually(lambda: scheduler.report(key) is None)
        assert list((host.host_dir / "outbox" / "results").iterdir()) == []
        assert list((host.host_dir / "attempts").iterdir()) == []


async def test_attempts_follow_each_other_on_warm_children(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> None:
    async with serving_gateway(gateway, gateway_port):
        for _ in range(5):
            key = scheduler.order(toy_order())
            assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED
            scheduler.release(key)
    assert len(gateway.commits) == 5


async def test_a_wrong_spec_is_the_users_failure(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> None:
    async with serving_gateway(gateway, gateway_port):
        key = scheduler.order(toy_order(fail_at_step=1, fail_class="USER_INPUT"))
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_FAILED
        report = scheduler.report(key)
        assert report is not None
        assert (report.failure.failure_class, report.failure.reason) == (FAILURE_CLASS_USER_INPUT, "TOY_FAILURE")


@pytest.mark.parametrize("how", ["EXIT", "KILL"])
async def test_a_child_that_crashes_is_told_at_once_and_the_host_goes_on(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int, how: str
) -> None:
    """F18."""
    async with serving_gateway(gateway, gateway_port):
        key = scheduler.order(toy_order(fail_at_step=1, fail_class=how))
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_FAILED
        report = scheduler.report(key)
        assert report is not None
        assert (report.failure.failure_class, report.failure.reason) == (FAILURE_CLASS_TRANSIENT, "CHILD_DIED")
        assert ("SIGKILL" if how == "KILL" else "code 7") in report.failure.message
        again = scheduler.order(toy_order(job_id=key.job.rpartition("/")[2], attempt=2))
        assert await ended(scheduler, again) == ATTEMPT_OUTCOME_SUCCEEDED


@pytest.mark.parametrize("deaf", [False, True], ids=["willing", "deaf"])
async def test_a_cancelled_attempt_stops(
    tmp_path: Path, scheduler: FakeScheduler, gateway: FakeGateway, deaf: bool
) -> None:
    """P21: within one heartbeat and one step; by force when it does not listen."""
    async with serving_scheduler(scheduler) as ours, serving_gateway(gateway) as theirs:
        with running_host(tmp_path / "home", ours, theirs, STOP_LIMIT_SECONDS="0.5"):
            await joined(scheduler)
            key = scheduler.order(toy_order(num_steps=1000, step_seconds=0.05, deaf=deaf))
            await training(scheduler, key)
            scheduler.stop(key, AttemptStop.REASON_CANCEL)
            async with asyncio.timeout(3):
                assert await ended(scheduler, key) == ATTEMPT_OUTCOME_CANCELLED
    assert gateway.commits == []


async def test_operators_can_ask_the_host_itself(host: HostProcess, scheduler: FakeScheduler) -> None:
    """FetchResult: for when the gateway cannot be reached."""
    key = scheduler.order(toy_order(num_bytes=1_000_000))
    await uploading(scheduler, key)
    api_key = read_key_file(host.home / "keys" / "local.key")
    async with open_channel(scheduler.messages[-1].host.address, api_key=api_key) as channel:
        stub = TrainerHostServiceStub(channel)
        assert (await answer(stub.GetHost(GetHostRequest(name="hosts/self")))).name == "hosts/h1"
        listed = await answer(stub.ListAttempts(ListAttemptsRequest(parent="hosts/h1")))
        assert [AttemptKey.of(report) for report in listed.attempts] == [key]
        found = await answer(stub.GetAttempt(GetAttemptRequest(job=key.job, attempt=1)))
        assert found.phase == ATTEMPT_PHASE_UPLOADING
        pieces = [piece.data async for piece in responses(stub.FetchResult(FetchResultRequest(job=key.job, attempt=1)))]
        with tarfile.open(fileobj=BytesIO(b"".join(pieces))) as archive:
            sizes = {member.name: member.size for member in archive}
            assert sizes["padding.txt"] == 1_000_000
            manifest = archive.extractfile("manifest.json")
            assert manifest is not None
            assert b"padding.txt" in manifest.read()
        with pytest.raises(RemoteError) as raised:
            await answer(stub.GetAttempt(GetAttemptRequest(job=key.job, attempt=2)))
        assert raised.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(("key", "reason"), [(None, "MISSING_KEY"), ("other", "INVALID_KEY")])
async def test_operators_need_the_hosts_own_key(
    host: HostProcess, scheduler: FakeScheduler, key: str | None, reason: str
) -> None:
    shown = make_key().text if key else None
    async with open_channel(scheduler.messages[-1].host.address, api_key=shown) as channel:
        with pytest.raises(RemoteError) as raised:
            await answer(TrainerHostServiceStub(channel).GetHost(GetHostRequest(name="hosts/self")))
    assert raised.value.reason == reason


async def test_an_input_that_is_gone_ends_the_attempt_and_an_absent_gateway_does_not(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> None:
    pinned = gateway.add(b"table")
    gateway.faults.errors["DownloadBlob"] = [StoreUnavailable("away"), NotFound("gone")]
    async with serving_gateway(gateway, gateway_port):
        key = scheduler.order(toy_order(inputs=(pinned,)))
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_FAILED
        report = scheduler.report(key)
        assert report is not None
        assert report.failure.reason == "INPUT_MISSING"


async def test_no_key_is_written_to_the_log(host: HostProcess, scheduler: FakeScheduler) -> None:
    """P30."""
    await ended(scheduler, scheduler.order(toy_order(fail_at_step=0)))
    api_key = read_key_file(host.home / "keys" / "local.key")
    await stopped(host)
    assert api_key not in host.log()

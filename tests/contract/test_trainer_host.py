"""What a trainer host promises to scheduler and gateway: the real agent and child as processes, both services as doubles."""

import asyncio
import random
import signal
import tarfile
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import psutil
import pytest

from headway.contract.digests import sha256_of
from headway.contract.errors import Code, NotFound, StoreUnavailable
from headway.contract.limits import MIB
from headway.runtime.channel import open_channel
from headway.runtime.keys import make_key, read_key_file
from headway.runtime.remote_error import RemoteError, answer, responses
from headway.testing.eventually import eventually
from headway.testing.ports import free_port
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_CANCELLED,
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    ATTEMPT_PHASE_TRAINING,
    ATTEMPT_PHASE_UPLOADING,
    FAILURE_CLASS_TRANSIENT,
    FAILURE_CLASS_USER_INPUT,
    Artifact,
    Bundle,
)
from headway.v1.results_service_pb2 import CommitResultRequest
from headway.v1.scheduler_service_pb2 import AttemptStop
from headway.v1.trainer_hosts_service_pb2 import (
    FetchResultRequest,
    GetAttemptRequest,
    GetHostRequest,
    ListAttemptsRequest,
)
from headway.v1.trainer_hosts_service_pb2_grpc import TrainerHostServiceStub
from tests.contract.host_doubles import (
    FakeGateway,
    FakeScheduler,
    HostProcess,
    running_host,
    serving_gateway,
    serving_scheduler,
    toy_order,
)
from tests.contract.link import linked
from trainer_host.attempt_key import AttemptKey
from trainer_host.outbox import Outbox

START_SECONDS = 30.0


@pytest.fixture
def scheduler() -> FakeScheduler:
    return FakeScheduler()


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def gateway_port() -> int:
    return free_port()


@pytest.fixture
async def host(
    tmp_path: Path, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> AsyncIterator[HostProcess]:
    """A host that has joined; only the scheduler serves."""
    async with serving_scheduler(scheduler) as address:
        with running_host(tmp_path / "home", address, f"127.0.0.1:{gateway_port}") as process:
            await joined(scheduler)
            yield process


async def joined(scheduler: FakeScheduler, *, since: int = 0) -> None:
    await eventually(lambda: len(scheduler.messages) > since, timeout_seconds=START_SECONDS)


async def ended(scheduler: FakeScheduler, key: AttemptKey) -> int:
    return await eventually(lambda: scheduler.outcome(key), timeout_seconds=START_SECONDS)


async def training(scheduler: FakeScheduler, key: AttemptKey) -> None:
    await eventually(lambda: scheduler.phase(key) == ATTEMPT_PHASE_TRAINING, timeout_seconds=START_SECONDS)


async def stopped(host: HostProcess) -> int:
    return await asyncio.to_thread(host.stop)


def is_alive(process: psutil.Process) -> bool:
    """Not where nobody reaps orphans: a zombie is dead."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


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
        assert {"manifest.json", "toy.json", "weights.bin"} <= {file.path for file in commit.bundle.artifacts}
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


async def test_a_scheduler_that_is_away_costs_a_running_attempt_nothing(tmp_path: Path, gateway: FakeGateway) -> None:
    """P17."""
    port = free_port()
    first, second = FakeScheduler(), FakeScheduler()
    async with serving_gateway(gateway) as theirs:
        with running_host(tmp_path / "home", f"127.0.0.1:{port}", theirs):
            async with serving_scheduler(first, port):
                await joined(first)
                key = first.order(toy_order(num_steps=20, step_seconds=0.1))
                await training(first, key)
            await eventually(lambda: gateway.commits, timeout_seconds=20)
            async with serving_scheduler(second, port):
                assert await ended(second, key) == ATTEMPT_OUTCOME_SUCCEEDED
    assert len(gateway.commits) == 1


async def test_a_result_waits_for_the_gateway_however_long_it_is_away(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> None:
    """P11, F5."""
    keys = [scheduler.order(toy_order()) for _ in range(4)]
    for key in keys:
        await eventually(lambda key=key: scheduler.phase(key) == ATTEMPT_PHASE_UPLOADING, timeout_seconds=START_SECONDS)
        assert scheduler.outcome(key) == 0
    async with serving_gateway(gateway, gateway_port):
        for key in keys:
            assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED
    assert sorted(commit.job for commit in gateway.commits) == sorted(key.job for key in keys)


async def test_a_result_survives_a_killed_agent(
    host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway, gateway_port: int
) -> None:
    """P11, F17, F22: after the restart the same attempt is reported, and delivered, under its fence."""
    key = scheduler.order(toy_order())
    await eventually(lambda: scheduler.phase(key) == ATTEMPT_PHASE_UPLOADING, timeout_seconds=START_SECONDS)
    boot_id = scheduler.messages[-1].host.boot_id
    host.kill()
    since = len(scheduler.messages)
    host.start()
    await joined(scheduler, since=since)
    assert scheduler.messages[-1].host.boot_id != boot_id
    assert scheduler.phase(key) == ATTEMPT_PHASE_UPLOADING
    async with serving_gateway(gateway, gateway_port):
        assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED
    assert len(gateway.commits) == 1


async def test_an_attempt_that_ran_when_the_agent_was_killed_is_reported_lost(
    host: HostProcess, scheduler: FakeScheduler
) -> None:
    """F17: counted and not begun again under the same number."""
    key = scheduler.order(toy_order(num_steps=1000, step_seconds=0.05))
    await training(scheduler, key)
    host.kill()
    host.start()
    assert await ended(scheduler, key) == ATTEMPT_OUTCOME_LOST
    report = scheduler.report(key)
    assert report is not None
    assert report.failure.reason == "HOST_RESTARTED"


async def test_nothing_outlives_a_killed_agent(host: HostProcess, scheduler: FakeScheduler) -> None:
    """F19."""
    key = scheduler.order(toy_order(num_steps=1000, step_seconds=0.05, deaf=True))
    await training(scheduler, key)
    family = descendants(host.pid)
    assert family
    host.kill()
    await eventually(lambda: not any(is_alive(process) for process in family), timeout_seconds=1)


async def test_a_host_that_is_told_to_end_stops_its_attempts_and_says_so(
    host: HostProcess, scheduler: FakeScheduler
) -> None:
    """P33; the gateway is away, which must not hold it up."""
    key = scheduler.order(toy_order(num_steps=1000, step_seconds=0.05))
    await training(scheduler, key)
    family = descendants(host.pid)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    assert await stopped(host) == 0
    assert loop.time() - begin < 10
    assert scheduler.outcome(key) == ATTEMPT_OUTCOME_LOST
    assert scheduler.messages[-1].host.draining
    assert not any(is_alive(process) for process in family)


async def test_a_host_that_is_told_to_end_with_a_deaf_child_ends_in_time(
    host: HostProcess, scheduler: FakeScheduler
) -> None:
    key = scheduler.order(toy_order(num_steps=1000, step_seconds=0.05, deaf=True))
    await training(scheduler, key)
    family = descendants(host.pid)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    assert await stopped(host) == 0
    assert loop.time() - begin < 10
    assert scheduler.outcome(key) == ATTEMPT_OUTCOME_LOST, "its last word must still be heard"
    assert not any(is_alive(process) for process in family)


async def test_a_second_process_of_the_same_host_is_refused(host: HostProcess, scheduler: FakeScheduler) -> None:
    second = HostProcess(host.home, "127.0.0.1:1", "127.0.0.1:1")
    second.start()
    assert await asyncio.to_thread(second.wait) == 1
    assert "HOST_ID_IN_USE" in second.log()


async def test_a_paused_host_goes_on(host: HostProcess, scheduler: FakeScheduler, gateway: FakeGateway) -> None:
    """F21: the process stands still for a while; nothing is lost but time."""
    key = scheduler.order(toy_order(num_steps=20, step_seconds=0.1))
    await training(scheduler, key)
    host.signal(signal.SIGSTOP)
    await asyncio.sleep(2)
    host.signal(signal.SIGCONT)
    await eventually(lambda: scheduler.phase(key) == ATTEMPT_PHASE_UPLOADING, timeout_seconds=START_SECONDS)


async def test_operators_can_ask_the_host_itself(host: HostProcess, scheduler: FakeScheduler) -> None:
    """FetchResult: for when the gateway cannot be reached."""
    key = scheduler.order(toy_order(num_bytes=1_000_000))
    await eventually(lambda: scheduler.phase(key) == ATTEMPT_PHASE_UPLOADING, timeout_seconds=START_SECONDS)
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
            assert sizes["weights.bin"] == 1_000_000
            manifest = archive.extractfile("manifest.json")
            assert manifest is not None
            assert b"weights.bin" in manifest.read()
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


async def test_a_result_of_a_hundred_megabytes_does_not_grow_the_agent(
    tmp_path: Path, scheduler: FakeScheduler, gateway: FakeGateway
) -> None:
    """P10's bound, on the sending side; and the goal is eight times the seed's 15 MB/s, with zlib on the other end."""
    key = a_result_in_the_outbox(tmp_path / "home" / "hosts" / "h1" / "outbox", 100_000_000)
    gateway.hold_uploads()
    async with serving_scheduler(scheduler) as ours, serving_gateway(gateway) as theirs:
        with running_host(tmp_path / "home", ours, theirs) as host:
            await joined(scheduler)
            before = peak_memory(host.pid)
            gateway.let_uploads_go()
            assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED
            grown = peak_memory(host.pid) - before
    assert len(gateway.commits) == 1
    assert grown < 64 * MIB, f"the agent grew by {grown / MIB:.0f} MiB"


def a_result_in_the_outbox(root: Path, num_bytes: int) -> AttemptKey:
    """As an earlier start of the host left it. Random, for weights hardly compress."""
    content = random.Random(1).randbytes(num_bytes)
    order = toy_order()
    digest = sha256_of(content)
    bundle = Bundle(digest=digest, artifacts=[Artifact(path="weights.bin", digest=digest, size_bytes=num_bytes)])
    made = root.parent / "made"
    made.mkdir(parents=True)
    (made / "weights.bin").write_bytes(content)
    outbox = Outbox(root)
    outbox.prepare()
    request = CommitResultRequest(job=order.job, attempt=1, host="hosts/h1", bundle=bundle)
    request.summary.task = "toy"
    return outbox.put(request, made).key


def peak_memory(pid: int) -> int:
    """The most that a process has had in memory since it started, bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


async def test_a_slow_link_delays_the_result_and_neither_heartbeats_nor_log_lines(
    tmp_path: Path, scheduler: FakeScheduler, gateway: FakeGateway
) -> None:
    """F34."""
    key = a_result_in_the_outbox(tmp_path / "home" / "hosts" / "h1" / "outbox", 400_000)
    async with serving_scheduler(scheduler) as ours, serving_gateway(gateway) as theirs, linked(theirs) as link:
        link.bytes_per_second, link.delay_seconds = 100_000, 0.1
        with running_host(tmp_path / "home", ours, link.address):
            await joined(scheduler)
            await eventually(lambda: "UploadBlob" in gateway.calls, timeout_seconds=10)
            num_messages = len(scheduler.messages)
            await asyncio.sleep(1)
            assert len(scheduler.messages) >= num_messages + 2
            other = scheduler.order(toy_order(num_steps=1000, step_seconds=0.05))
            await eventually(lambda: gateway.lines.get(other), timeout_seconds=3)
            assert gateway.commits == []
            assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED


async def test_torn_connections_delay_and_lose_nothing(
    tmp_path: Path, scheduler: FakeScheduler, gateway: FakeGateway
) -> None:
    """F35."""
    key = a_result_in_the_outbox(tmp_path / "home" / "hosts" / "h1" / "outbox", 3_000_000)
    async with serving_scheduler(scheduler) as ours, serving_gateway(gateway) as theirs:
        async with linked(ours) as up, linked(theirs) as across:
            across.bytes_per_second = 5_000_000
            with running_host(tmp_path / "home", up.address, across.address) as host:
                await joined(scheduler)
                before = psutil.Process(host.pid).num_fds()
                for _ in range(30):
                    await asyncio.sleep(0.1)
                    up.reset()
                    across.reset()
                assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED
                assert psutil.Process(host.pid).num_fds() <= before + 10
    assert len({commit.bundle.digest for commit in gateway.commits}) == 1


@pytest.mark.parametrize("seed", [1])
async def test_flipped_bits_never_become_a_result(
    tmp_path: Path, scheduler: FakeScheduler, gateway: FakeGateway, seed: int
) -> None:
    """F36: plain TCP has no check of its own worth the name."""
    key = a_result_in_the_outbox(tmp_path / "home" / "hosts" / "h1" / "outbox", 2_000_000)
    async with serving_scheduler(scheduler) as ours, serving_gateway(gateway) as theirs:
        async with linked(theirs, seed) as link:
            link.corrupted_share = 0.02
            with running_host(tmp_path / "home", ours, link.address):
                await eventually(lambda: link.num_corrupted >= 5 or gateway.commits, timeout_seconds=30)
                link.corrupted_share = 0.0
                assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED
    assert all(sha256_of(content) == digest for digest, content in gateway.blobs.items())
    assert {commit.job for commit in gateway.commits} == {key.job}

"""What a trainer host promises when its surroundings fail: killed, stopped, cut off, slow or corrupted."""

import asyncio
import signal
from pathlib import Path

import psutil
import pytest

from headway.contract.digests import sha256_of
from headway.contract.limits import MIB
from headway.testing.eventually import eventually
from headway.testing.ports import free_port
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_LOST,
    ATTEMPT_OUTCOME_SUCCEEDED,
    ATTEMPT_PHASE_UPLOADING,
)
from tests.contract.fake_gateway import FakeGateway, serving_gateway
from tests.contract.fake_scheduler import FakeScheduler, serving_scheduler
from tests.contract.host_process import HostProcess, running_host, toy_order
from tests.contract.host_steps import (
    a_result_in_the_outbox,
    descendants,
    ended,
    is_alive,
    joined,
    peak_memory,
    stopped,
    training,
    uploading,
)
from tests.fault.link import linked


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
        await uploading(scheduler, key)
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
    await uploading(scheduler, key)
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
    await uploading(scheduler, key)


async def test_a_result_of_a_hundred_megabytes_does_not_grow_the_agent(
    tmp_path: Path, scheduler: FakeScheduler, gateway: FakeGateway
) -> None:
    """P10's bound, on the sending side; and the goal is eight times the seed's 15 MB/s, with zlib on the other end."""
    key = a_result_in_the_outbox(tmp_path / "home" / "hosts" / "h1" / "outbox", 100_000_000)
    gateway.uploads.close()
    async with serving_scheduler(scheduler) as ours, serving_gateway(gateway) as theirs:
        with running_host(tmp_path / "home", ours, theirs) as host:
            await joined(scheduler)
            before = peak_memory(host.pid)
            gateway.uploads.open()
            assert await ended(scheduler, key) == ATTEMPT_OUTCOME_SUCCEEDED
            grown = peak_memory(host.pid) - before
    assert len(gateway.commits) == 1
    assert grown < 64 * MIB, f"the agent grew by {grown / MIB:.0f} MiB"


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
    async with (
        serving_scheduler(scheduler) as ours,
        serving_gateway(gateway) as theirs,
        linked(ours) as up,
        linked(theirs) as across,
    ):
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
    async with (
        serving_scheduler(scheduler) as ours,
        serving_gateway(gateway) as theirs,
        linked(theirs, seed) as link,
    ):
        link.corrupted_share = 0.02
        with running_host(tmp_path / "home", ours, link.address):
            await eventually(lambda: link.num_corrupted >= 5 or gateway.commits, timeout_seconds=30)
            link.corrupted_share = 0.0
            # A flipped length leaves both ends waiting for each other until the keepalive notices.
            await eventually(lambda: scheduler.outcome(key) == ATTEMPT_OUTCOME_SUCCEEDED, timeout_seconds=90)
    assert all(sha256_of(content) == digest for digest, content in gateway.blobs.items())
    assert {commit.job for commit in gateway.commits} == {key.job}

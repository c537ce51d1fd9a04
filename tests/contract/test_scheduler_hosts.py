"""What the scheduler promises about hosts: who may speak, what is refused (E1-E4), what others hear of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from headway.contract.errors import Code
from headway.runtime.remote_error import STREAM_BROKEN, RemoteError
from headway.testing.builders import a_host
from headway.testing.eventually import eventually
from headway.testing.fake_host import FakeHost
from headway.v1.hosts_pb2 import HOST_STATE_LOST, HOST_STATE_UP, Host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_AUTO
from headway.v1.jobs_pb2 import ATTEMPT_OUTCOME_SUCCEEDED
from tests.contract.scheduler_process import LEASE_SECONDS, Deployment, deployed
from tests.proto_fields import with_fields


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path) as deployment:
        yield deployment


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

    stay = f"anton:boot-1:{seen.join_time.ToMilliseconds()}"
    events = [(what, message_id) for what, message_id in await world.events() if message_id.startswith("anton")]
    assert events == [("joined", f"{stay}:joined"), ("lost", f"{stay}:lost")]


async def has_record_with(world: Deployment, host_id: str, *, num_running: int) -> Host | None:
    host = await world.host_record(host_id)
    return host if host is not None and host.num_running == num_running else None


async def is_lost(world: Deployment, host_id: str) -> bool:
    host = await world.host_record(host_id)
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
    return await world.host_record(host_id) is None


async def test_a_second_live_boot_is_refused(world: Deployment) -> None:
    """E1."""
    async with world.host() as first:
        await eventually(lambda: first.last_response is not None)
        async with world.host(a_host(boot_id="boot-2"), redials=False) as twin:
            error = await twin.ended()
        assert error is not None
        assert (error.code, error.reason) == (Code.ALREADY_EXISTS, "HOST_ID_IN_USE")

        await world.submit()
        await first.next_order()


@pytest.mark.parametrize(
    ("host", "reason", "field"),
    [
        (a_host(num_slots=-1), "HOST_STATE", "host.num_slots"),
        (a_host(num_slots=10**6), "HOST_STATE", "host.num_slots"),
        (a_host(boot_id=""), "FIELD_REQUIRED", "host.boot_id"),
        (a_host(mode=EXECUTION_MODE_AUTO), "HOST_STATE", "host.mode"),
        (with_fields(a_host(), {"mode": 99}), "UNKNOWN_ENUM_VALUE", "host.mode"),
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
    async with world.host(a_host("good", num_slots=8)) as good:

        async def ask() -> RemoteError | None:
            # gRPC may lose the words when the caller still sends, as this one does: then it asks again.
            error = await _flooded(world)
            return error if error.reason != STREAM_BROKEN else None

        error = await eventually(ask)
        assert error is not None
        assert (error.code, error.reason) == (Code.RESOURCE_EXHAUSTED, "TOO_MANY_MESSAGES")

        await world.submit()
        await good.next_order()


async def _flooded(world: Deployment) -> RemoteError:
    """How a host that pours out messages is refused."""
    async with world.host(a_host("flood"), redials=False) as flood:
        await eventually(lambda: flood.last_response is not None)
        pouring = asyncio.create_task(_pour(flood))
        error = await flood.ended(timeout_seconds=20)
        pouring.cancel()
    assert error is not None
    return error


async def _pour(host: FakeHost) -> None:
    while True:
        host.speak()
        await asyncio.sleep(0)


async def refusal_of(world: Deployment, key: str) -> RemoteError:
    """Why a host with this key is refused. gRPC may lose the words when the caller still sends: then it asks again."""

    async def ask() -> RemoteError | None:
        async with world.host(a_host("anton"), redials=False, key=key) as host:
            error = await host.ended()
        return error if error is not None and error.reason != STREAM_BROKEN else None

    error = await eventually(ask)
    assert error is not None
    return error


async def test_a_key_without_the_scope_or_for_another_host_is_refused(world: Deployment) -> None:
    reader = await world.add_key("read")
    berta_only = await world.add_key("host", host_id="berta")
    for key, code in ((reader, Code.PERMISSION_DENIED), (berta_only, Code.PERMISSION_DENIED)):
        assert (await refusal_of(world, key)).code == code
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

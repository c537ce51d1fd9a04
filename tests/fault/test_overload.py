"""P27 and rows A27, B22: more than headway takes is refused in words, and what was accepted goes on.

E4, a flood of heartbeats, stands in tests/contract/test_scheduler_hosts.py; E7, who never reads, in
tests/contract/test_gateway_watches.py.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headway.client.locate import LOCAL_KEY
from headway.contract.errors import Code
from headway.runtime.channel import open_channel
from headway.runtime.keys import read_key_file
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.jobs_pb2 import JOB_STATE_QUEUED, Job
from headway.v1.jobs_service_pb2 import CancelJobRequest, GetJobRequest
from headway.v1.jobs_service_pb2_grpc import JobServiceStub
from tests.bench.processes import gateway as gateway_process
from tests.bench.processes import resident_mib
from tests.jobs_gateway import IRIS, a_request, create, get, running_gateway

if TYPE_CHECKING:
    # The generated code has this name in its stub file only.
    from headway.v1.jobs_service_pb2_grpc import JobServiceAsyncStub

RSS_BAR_MIB = 64.0
LIMIT_SECONDS = 60.0


async def outcome(call: Awaitable[Job]) -> Job | str:
    """What becomes of a call: its job, or the reason of its refusal, which must say when to come back."""
    try:
        return await answer(call)
    except RemoteError as error:
        if error.code is not Code.RESOURCE_EXHAUSTED or not error.is_retryable:
            raise
        return error.reason


async def test_one_queued_job_too_many_is_refused_and_a_cancelled_one_makes_room_b22_p27(
    tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus
) -> None:
    """Sixty at once, of which the queue takes twenty."""
    async with running_gateway(
        tmp_path / "home", nats_server, nats_bus, jobs={"queued_per_project": 20, "queued_per_key": 20}
    ) as gateway:
        calls = [gateway.jobs.CreateJob(a_request(), timeout=LIMIT_SECONDS) for _ in range(60)]
        outcomes = await asyncio.gather(*map(outcome, calls))
        taken = [one for one in outcomes if isinstance(one, Job)]
        assert Counter(one for one in outcomes if isinstance(one, str)) == {"QUEUE_FULL": 40}
        assert len(taken) == 20
        for job in taken:
            assert (await get(gateway, job)).state == JOB_STATE_QUEUED
        await answer(gateway.jobs.CancelJob(CancelJobRequest(name=taken[0].name)))
        assert (await create(gateway)).state == JOB_STATE_QUEUED


async def test_a_flood_of_calls_is_refused_in_words_and_memory_is_bounded_a27_p27(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    """A thousand calls at once at a gateway that takes 32, again and again; who comes back later gets through."""
    home = _home(tmp_path)
    environ = {"HEADWAY_GATEWAY__MAX_CONCURRENT_CALLS": "32"}
    async with _served(home, nats_server, environ, 4) as (pid, stubs):
        job = await answer(stubs[0].CreateJob(a_request(), timeout=LIMIT_SECONDS))
        before, refused = resident_mib(pid), Counter[str]()
        for _ in range(3):
            calls = [stub.CreateJob(a_request(), timeout=LIMIT_SECONDS) for stub in stubs for _ in range(250)]
            outcomes = await asyncio.gather(*map(outcome, calls))
            refused += Counter(one for one in outcomes if isinstance(one, str))
            taken = [one for one in outcomes if isinstance(one, Job)]
            assert taken, "some should get through"
            for one in (job, *taken):
                read = await answer(stubs[0].GetJob(GetJobRequest(name=one.name), timeout=LIMIT_SECONDS))
                assert read.name == one.name
        assert set(refused) == {"TOO_MANY_CALLS"}
        assert resident_mib(pid) - before < RSS_BAR_MIB


def _home(folder: Path) -> Path:
    home = folder / "home"
    (home / "data").mkdir(parents=True)
    (home / "data" / "iris.csv").write_text(IRIS)
    return home


@asynccontextmanager
async def _served(
    home: Path, nats: NatsServer, environ: dict[str, str], num_stubs: int
) -> "AsyncIterator[tuple[int, list[JobServiceAsyncStub]]]":
    """A gateway in a process of its own; its pid, and stubs, each on a channel of its own."""
    async with AsyncExitStack() as stack:
        address, pid = await stack.enter_async_context(gateway_process(home, nats, environ))
        key = read_key_file(home / LOCAL_KEY)
        channels = [await stack.enter_async_context(open_channel(address, api_key=key)) for _ in range(num_stubs)]
        yield pid, [JobServiceStub(channel) for channel in channels]

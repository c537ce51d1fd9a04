"""Every RPC, with its request lost, its answer lost, or the connection torn while it is in flight (F33, P4, P8, P9).

Whoever hears no answer asks again. So each call is lost first and then made twice, and the second time nothing may
change: it is idempotent, or fenced. No call may do its work more than once, however often it was sent.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import grpc.aio
import pytest
from google.protobuf.message import Message

from headway.contract.subjects import BUCKETS_BY_NAME, DATASETS, JOBS, KEYS, MODELS, SETTINGS
from headway.runtime.channel import open_channel
from headway.runtime.keys import read_key_file
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.remote_error import from_rpc_error
from headway.testing.toy_recipe import ToySpec
from headway.v1.datasets_service_pb2 import CreateDatasetRequest
from headway.v1.records_pb2 import JobRecord
from tests.fault.cluster import FaultCluster, fault_cluster
from tests.fault.every_rpc import GATEWAY, HOST, IRIS, PARENT, SCHEDULER, Material, a_claimed_job, calls, every_method
from tests.fault.link import Link, linked
from tests.fault.workload import submit_many, submit_until_acked
from tests.result_bundles import upload_messages

ENDLESS = ToySpec(num_steps=100_000, step_seconds=0.05)
IN_FLIGHT_SECONDS = (0.0, 0.001, 0.003, 0.01)
MAKES_EACH_TIME = {"/headway.v1.SystemService/EnrollHost"}
"""The key of a lost answer is known to nobody, and of no use to anybody: only its digest is kept."""
WRITES_EACH_TIME = {*MAKES_EACH_TIME, "/headway.v1.SystemService/UpdateExecutionConfig"}
"""To set a setting again to what it is changes nothing but when that was."""
NOT_REACHED = {"UNAVAILABLE", "STREAM_BROKEN"}
LOOKED_AT = (JOBS, DATASETS, MODELS, KEYS, SETTINGS)


class Kept(NamedTuple):
    """Of one bucket.

    Attributes:
        num_records: that are there now.
        num_writes: that there ever were.
    """

    num_records: int
    num_writes: int


@dataclass(frozen=True, slots=True)
class Door:
    """How the test calls one process: through a link that it can tear."""

    link: Link
    channel: grpc.aio.Channel


class Caller:
    """Makes calls in bytes, and loses them as it is told."""

    def __init__(self, doors: dict[str, Door]) -> None:
        self._doors = doors

    async def call(self, method: str, requests: Sequence[Message]) -> str:
        """Make a call and hear it out; returns `OK` or the reason of its refusal."""
        with suppress(StopAsyncIteration):
            try:
                await self._hear(method, requests)
            except grpc.aio.AioRpcError as error:
                return from_rpc_error(error).reason
        return "OK"

    async def lose(self, way: str, method: str, requests: Sequence[Message]) -> None:
        """Lose a call in one of three ways."""
        ways = {"request": self._lose_request, "answer": self._lose_answer, "in_flight": self._lose_in_flight}
        await ways[way](method, requests)

    async def _lose_request(self, method: str, requests: Sequence[Message]) -> None:
        """The connection is refused before anything is sent."""
        link = self._link(method)
        link.refuse()
        assert await self.call(method, requests) in NOT_REACHED
        link.heal()

    async def _lose_answer(self, method: str, requests: Sequence[Message]) -> None:
        """The work is done, and nobody hears of it."""
        await self.call(method, requests)
        self._link(method).reset()

    async def _lose_in_flight(self, method: str, requests: Sequence[Message]) -> None:
        """The connection is torn, sooner and later, while the call is under way."""
        for seconds in IN_FLIGHT_SECONDS:
            calling = asyncio.create_task(self.call(method, requests))
            await asyncio.sleep(seconds)
            self._link(method).reset()
            await calling

    def _link(self, method: str) -> Link:
        return self._doors[every_method()[method]].link

    async def _hear(self, method: str, requests: Sequence[Message]) -> None:
        async def each() -> AsyncIterator[bytes]:
            for request in requests:
                yield request.SerializeToString()

        channel = self._doors[every_method()[method]].channel
        # On the wire every method is a stream of each; the library calls a stream that is not answered as one.
        stream = channel.stream_stream(method, request_serializer=bytes, response_deserializer=bytes)
        answers = stream(each(), timeout=20, wait_for_ready=False)
        async for _ in answers:
            if method.endswith(("Synchronize", "WatchJob")):
                break
        answers.cancel()


@asynccontextmanager
async def a_caller(cluster: FaultCluster) -> AsyncIterator[Caller]:
    key = read_key_file(cluster.plan.key_path)
    targets = {GATEWAY: cluster.gateway, SCHEDULER: cluster.schedulers[0], HOST: cluster.hosts[0]}
    async with (
        linked(targets[GATEWAY].address) as one,
        linked(targets[SCHEDULER].address) as two,
        linked(targets[HOST].address) as three,
        open_channel(one.address, api_key=key) as first,
        open_channel(two.address, api_key=key) as second,
        open_channel(three.address, api_key=key) as third,
    ):
        yield Caller({GATEWAY: Door(one, first), SCHEDULER: Door(two, second), HOST: Door(three, third)})


async def material(cluster: FaultCluster, bus: NatsBus, caller: Caller, tag: str) -> Material:
    [done] = await submit_many(cluster, 1, ToySpec(num_steps=2))
    await cluster.ended(done)
    busy = await submit_until_acked(cluster, ENDLESS)
    await cluster.until(busy, lambda one: one.progress.step > 0)
    queued = await submit_many(cluster, 4, ENDLESS)
    await cluster.pause(queued[2])
    claimed = a_claimed_job()
    await bus.records(JOBS, JobRecord).create(claimed.job.name.rpartition("/")[2], claimed)
    found = Material(tag, await cluster.get(done), await cluster.get(busy), queued, claimed)
    upload = "/headway.v1.BlobService/UploadBlob"
    for content in (IRIS, *found.result.values(), *found.checkpoint.values()):
        assert await caller.call(upload, list(upload_messages(content))) == "OK"
    kept = CreateDatasetRequest(parent=PARENT, dataset_id="kept", file_name="iris.csv")
    kept.digest = next(upload_messages(IRIS)).header.digest
    assert await caller.call("/headway.v1.DatasetService/CreateDataset", [kept]) == "OK"
    return found


async def world(bus: NatsBus) -> list[Kept]:
    """How much is kept in each bucket, and how much was ever written there."""
    states = await asyncio.gather(*(bus.stream_state(spec) for spec in LOOKED_AT))
    return [Kept(state.num_messages, state.last_sequence) for state in states]


async def lose_each(folder: Path, way: str) -> dict[str, str]:
    """Lose every call in one way, then make it twice; returns how each ended."""
    ended = {}
    async with (
        # Nothing writes by itself: no checkpoint of the job that trains, and no lease that is over.
        fault_cluster(folder, lease_seconds=600.0, interval_steps=1_000_000) as cluster,
        connect(cluster.plan.nats_url, "test") as bus,
        a_caller(cluster) as caller,
    ):
        stuff = await material(cluster, bus, caller, way.replace("_", "-"))
        for method, requests in calls(stuff).items():
            before = await world(bus)
            await caller.lose(way, method, requests)
            ended[method] = await settled_call(caller, method, requests)
            after = await world(bus)
            again = await caller.call(method, requests)
            assert again == ended[method], f"{method}: {ended[method]}, and {again} when it is asked again"
            num_new = sum(now.num_records - then.num_records for then, now in zip(before, after, strict=True))
            assert num_new <= 1 or method in MAKES_EACH_TIME, f"{method} has made {num_new} records"
            is_same = await world(bus) == after
            assert is_same or method in WRITES_EACH_TIME, f"{method} has written something again"
        for proc in cluster.procs:
            assert proc.num_starts == 1
            await proc.ready()
    return ended


async def settled_call(caller: Caller, method: str, requests: Sequence[Message]) -> str:
    """As a client calls that tries again while the connection is not there."""
    for _ in range(50):
        reason = await caller.call(method, requests)
        if reason not in NOT_REACHED:
            return reason
        await asyncio.sleep(0.1)
    raise AssertionError(f"{method} is not answered")


REFUSED = {
    "/headway.v1.ModelService/GetModel": "NOT_FOUND",
    "/headway.v1.ModelService/GetModelVersion": "NOT_FOUND",
    "/headway.v1.ModelService/DownloadModelVersion": "NOT_FOUND",
    "/headway.v1.ModelService/Predict": "NOT_FOUND",
    "/headway.v1.TrainerHostService/FetchResult": "NOT_FOUND",
}
"""A toy makes no model, and the result of an attempt that trains is not there; the others all succeed."""


async def test_an_answer_that_is_lost_is_asked_for_again_to_no_effect(tmp_path: Path) -> None:
    """F33, P4, P8."""
    assert await lose_each(tmp_path, "answer") == {method: REFUSED.get(method, "OK") for method in every_method()}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["request", "in_flight"])
async def test_a_call_that_is_lost_on_its_way_is_made_again_to_no_effect(tmp_path: Path, way: str) -> None:
    """F33, P5, P9."""
    assert await lose_each(tmp_path, way) == {method: REFUSED.get(method, "OK") for method in every_method()}


def test_no_bucket_is_left_out() -> None:
    """What is not looked at: hosts and leases live for seconds, and the notifier has no RPC."""
    assert BUCKETS_BY_NAME.keys() - {spec.name for spec in LOOKED_AT} == {"hosts", "leases", "notifier"}

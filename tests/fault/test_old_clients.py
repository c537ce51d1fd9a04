"""Callers, hosts and records of another version: what is unknown is ignored or refused, and stops nobody (F55).

Bytes are written by hand where today's messages cannot say them.
"""

from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message

from headway.contract.errors import Code
from headway.contract.ids import new_job_id
from headway.contract.subjects import HOSTS, JOBS
from headway.runtime.channel import open_channel
from headway.runtime.keys import read_key_file
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.remote_error import RemoteError, from_rpc_error
from headway.testing.builders import a_host, a_record
from headway.testing.eventually import eventually
from headway.testing.toy_recipe import ToySpec
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_pb2 import JOB_STATE_CANCELLED, JOB_STATE_SUCCEEDED, Job
from headway.v1.jobs_service_pb2 import CreateJobRequest
from headway.v1.records_pb2 import HostRecord, JobRecord
from headway.v1.scheduler_service_pb2 import AttemptReport, SynchronizeRequest, SynchronizeResponse
from tests.fault.cluster import PROJECT, FaultCluster
from tests.fault.workload import SHORT, submit_until_acked

M = TypeVar("M", bound=Message)
UNKNOWN_FIELDS = bytes.fromhex("c0bb01 07 c2bb01 05 6c61746572")
"""Field 3000 twice: the number 7, and the text `later`."""
UNKNOWN_VALUE = 99
CREATE = "/headway.v1.JobService/CreateJob"
SYNCHRONIZE = "/headway.v1.SchedulerService/Synchronize"


def set_unknown(message: Message, field: str) -> None:
    """Give a field of an enum a value that this version does not know."""
    tag = message.DESCRIPTOR.fields_by_name[field].number << 3
    varint = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
    message.MergeFromString(varint + bytes([UNKNOWN_VALUE]))


def of_a_later_version(message: M) -> M:
    """The same with fields that this version does not know."""
    return type(message).FromString(message.SerializeToString() + UNKNOWN_FIELDS)


@pytest.fixture
async def bus(cluster: FaultCluster) -> AsyncIterator[NatsBus]:
    async with connect(cluster.plan.nats_url, "test") as connection:
        yield connection


async def call(cluster: FaultCluster, address: str, method: str, requests: Sequence[bytes]) -> bytes:
    """Call a method in bytes, and take its first answer; on the wire every method is a stream of each."""

    async def each() -> AsyncIterator[bytes]:
        for request in requests:
            yield request

    async with open_channel(address, api_key=read_key_file(cluster.plan.key_path)) as channel:
        stream = channel.stream_stream(method, request_serializer=bytes, response_deserializer=bytes)(each())
        try:
            async for answer in stream:
                return answer
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            stream.cancel()
    raise AssertionError("it said nothing")


def a_creation(spec_bytes: bytes = b"") -> bytes:
    """A CreateJobRequest with unknown fields on every level, and more bytes in its spec."""
    spec = of_a_later_version(SHORT.job_spec())
    spec.MergeFromString(spec_bytes)
    request = CreateJobRequest(parent=f"projects/{PROJECT}", job=of_a_later_version(Job(spec=spec)))
    return of_a_later_version(request).SerializeToString()


async def test_what_a_later_client_says_besides_is_ignored_and_what_cannot_be_done_is_refused(
    cluster: FaultCluster,
) -> None:
    gateway = cluster.gateway.address
    job = Job.FromString(await call(cluster, gateway, CREATE, [a_creation()]))
    spec = JobSpec()
    set_unknown(spec, "execution_mode")
    with pytest.raises(RemoteError) as refused:
        await call(cluster, gateway, CREATE, [a_creation(spec.SerializeToString())])
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert [one.field for one in refused.value.violations] == ["job.spec.execution_mode"]
    assert (await cluster.ended(job.name)).state == JOB_STATE_SUCCEEDED
    for address in (gateway, cluster.schedulers[0].address):
        # As one call: a stream that is ended while it still sends may be told so in the library's own words.
        async with open_channel(address, api_key=read_key_file(cluster.plan.key_path)) as channel:
            unknown = channel.unary_unary("/headway.v1.JobService/TeleportJob", bytes, bytes)
            with pytest.raises(grpc.aio.AioRpcError) as unimplemented:
                await unknown(b"", timeout=20)
        assert unimplemented.value.code() is grpc.StatusCode.UNIMPLEMENTED
    await cluster.check()


@pytest.mark.slow
async def test_a_host_of_a_later_version_joins_and_its_riddles_are_refused_by_their_field(
    cluster: FaultCluster, bus: NatsBus
) -> None:
    """What it says besides is ignored; a phase of which this scheduler has never heard is not guessed at."""
    # A scheduler that has just started learns of the key in a moment.
    await cluster.ended(await submit_until_acked(cluster))
    report = AttemptReport(job=f"projects/{PROJECT}/jobs/{new_job_id()}", attempt=1)
    request = SynchronizeRequest(host=of_a_later_version(a_host("later")), attempts=[report], sequence=1)
    scheduler, said = cluster.schedulers[0].address, of_a_later_version(request).SerializeToString()
    first = SynchronizeResponse.FromString(await call(cluster, scheduler, SYNCHRONIZE, [said]))
    assert first.sequence == 1
    await eventually(lambda: bus.records(HOSTS, HostRecord).find("later"), timeout_seconds=20)

    set_unknown(request.attempts[0], "phase")
    with pytest.raises(RemoteError) as refused:
        await call(cluster, scheduler, SYNCHRONIZE, [request.SerializeToString()])
    assert (refused.value.code, refused.value.reason) == (Code.INVALID_ARGUMENT, "UNKNOWN_ENUM_VALUE")
    assert [one.field for one in refused.value.violations] == ["attempts[0].phase"]
    assert (await cluster.ended(await submit_until_acked(cluster))).state == JOB_STATE_SUCCEEDED
    await cluster.check()


@pytest.mark.slow
async def test_what_a_later_version_has_written_is_kept_by_this_one(cluster: FaultCluster, bus: NatsBus) -> None:
    """As after a rollback: an older gateway and scheduler change the record and lose nothing of it."""
    records = bus.records(JOBS, JobRecord)
    job = await submit_until_acked(cluster, ToySpec(num_steps=1000, step_seconds=0.05))
    await cluster.until(job, lambda one: one.progress.step > 2)
    job_id = job.rpartition("/")[2]
    await records.change(job_id, of_a_later_version)
    await cluster.cancel(job)
    assert (await cluster.ended(job)).state == JOB_STATE_CANCELLED
    assert UNKNOWN_FIELDS in (await records.get(job_id)).value.SerializeToString()
    await cluster.check()


@pytest.mark.slow
async def test_a_job_in_a_state_that_nobody_knows_is_left_alone(cluster: FaultCluster, bus: NatsBus) -> None:
    """Written by a later version; this one can show it, and goes on with the others, also from the beginning."""
    record = a_record(SHORT.job_spec(), project=PROJECT)
    set_unknown(record.job, "state")
    await bus.records(JOBS, JobRecord).create(record.job.name.rpartition("/")[2], record)
    for _ in range(2):
        assert (await cluster.ended(await submit_until_acked(cluster))).state == JOB_STATE_SUCCEEDED
        await cluster.gateway.restart()
        await cluster.schedulers[0].restart()
    assert (await cluster.get(record.job.name)).state == record.job.state

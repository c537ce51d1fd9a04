"""Rows A of the abuse corpus that concern the transport: too much, too fast, or not gRPC at all."""

import asyncio
import os
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import psutil
import pytest

from headway.contract.errors import Code
from headway.runtime.remote_error import RemoteError, answer, from_rpc_error
from headway.testing.eventually import eventually
from headway.v1.jobs_service_pb2 import CreateJobRequest, ListJobsRequest, WatchJobRequest
from headway.v1.jobs_service_pb2_grpc import JobServiceStub
from tests.abuse.harness import Row, judge
from tests.abuse.raw_http2 import (
    CANCEL,
    HEADERS,
    PING,
    RST_STREAM,
    frame,
    message_frames,
    opening,
    raw_connection,
    request_headers,
    send_bytes,
)
from tests.jobs_gateway import PARENT, Gateway, create, running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
CREATE = "/headway.v1.JobService/CreateJob"
MIB = 1024 * 1024


async def _large(gateway: Gateway) -> object:
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(gateway.address, options=options) as channel:
        return await send_bytes(channel, CREATE, b"\x0a" + b"x" * (4 * MIB))


def garbage(what: str, content: bytes) -> Row[Gateway]:
    async def send(gateway: Gateway) -> object:
        return await send_bytes(gateway.channel, CREATE, content)

    return Row(id="A21", what=what, send=send, reason="MALFORMED", max_seconds=3.0)


ROWS = (
    garbage("random bytes", b"\xde\xad\xbe\xef" * 64),
    garbage("a truncated varint", b"\x08\xff\xff"),
    garbage("field number 0", b"\x00\x01"),
    garbage("a length beyond the end", b"\x0a\x7fabc"),
    Row[Gateway](
        id="A22",
        what="groups nested 10,000 deep",
        send=lambda gateway: send_bytes(gateway.channel, CREATE, b"\x0b" * 10_000 + b"\x0c" * 10_000),
        reason="MALFORMED",
    ),
    Row[Gateway](
        id="A18",
        what="4 MiB and a byte",
        send=_large,
        code=Code.RESOURCE_EXHAUSTED,
        reason="RESOURCE_EXHAUSTED",
        max_seconds=5.0,
    ),
    Row[Gateway](
        id="A28",
        what="a deadline that has passed",
        send=lambda gateway: gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT), timeout=-1),
        code=Code.DEADLINE_EXCEEDED,
        reason="DEADLINE_EXCEEDED",
    ),
)


async def works(gateway: Gateway) -> object:
    return await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT)))


async def seconds_of_a_call(gateway: Gateway) -> float:
    started = time.perf_counter()
    await works(gateway)
    return time.perf_counter() - started


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_bad_message_gets_the_right_answer(row: Row[Gateway], gateway: Gateway) -> None:
    await judge(row, gateway, good=lambda: works(gateway))


async def test_a_million_unknown_fields_break_nothing_a21(gateway: Gateway) -> None:
    content = CreateJobRequest(parent=PARENT).SerializeToString() + b"\xb8\x3e\x01" * 1_000_000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await send_bytes(gateway.channel, CREATE, content)
    assert from_rpc_error(caught.value).reason == "FIELD_REQUIRED"
    assert await seconds_of_a_call(gateway) < 1


async def test_a_gzip_bomb_is_not_unpacked_beyond_the_limit_a19(gateway: Gateway) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(MIB)) for _ in range(200)) + packer.flush()
    await works(gateway)
    before = _memory()
    async with raw_connection(gateway.address) as connection:
        headers = request_headers(1, CREATE, {"grpc-encoding": "gzip", "x-api-key": gateway.key})
        await connection.send(opening() + headers + message_frames(1, bomb, is_compressed=True))
        async with asyncio.timeout(5):
            async for kind, _ in connection.frames():
                if kind in {HEADERS, RST_STREAM}:
                    break
    assert _memory() - before < 64 * MIB
    assert await seconds_of_a_call(gateway) < 1


def _memory() -> int:
    return int(psutil.Process(os.getpid()).memory_info().rss)


async def test_rapid_resets_do_not_hold_others_up_a23(gateway: Gateway) -> None:
    async with raw_connection(gateway.address) as connection:
        await connection.send(opening())
        for first in range(0, 20_000, 500):
            streams = range(first * 2 + 1, (first + 500) * 2, 2)
            reset = CANCEL.to_bytes(4)
            await connection.send(
                b"".join(request_headers(one, CREATE, {}) + frame(RST_STREAM, 0, one, reset) for one in streams)
            )
            if first % 5000 == 0:
                assert await seconds_of_a_call(gateway) < 1
    # What is left of the flood is worked off quickly, and nobody was told CANCELLED in its place.
    await eventually(lambda: _is_quick(gateway))


async def _is_quick(gateway: Gateway) -> bool:
    return await seconds_of_a_call(gateway) < 0.05


async def test_a_flood_of_pings_is_told_to_go_away_a24(gateway: Gateway) -> None:
    async with raw_connection(gateway.address) as connection:
        await connection.send(opening())
        sending = asyncio.ensure_future(connection.send(frame(PING, 0, 0, b"12345678") * 5000))
        async with asyncio.timeout(5):
            assert await connection.ends_with_goaway()
        await sending
    assert await seconds_of_a_call(gateway) < 0.5


async def test_half_open_connections_do_not_hold_others_up_a25(gateway: Gateway) -> None:
    async with AsyncExitStack() as stack:
        for number in range(500):
            connection = await stack.enter_async_context(raw_connection(gateway.address))
            if number % 2:
                await connection.send(opening()[:10])
        assert await seconds_of_a_call(gateway) < 0.5


@pytest.mark.parametrize(
    "content",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"\x00" * 4096,
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        opening() + b"\xff" * 4096,
    ],
    ids=["HTTP/1.1", "TLS", "zeros", "wrong preface", "wrong frames"],
)
async def test_bytes_that_are_not_grpc_harm_nobody_a26(gateway: Gateway, content: bytes) -> None:
    for _ in range(20):
        async with raw_connection(gateway.address) as connection:
            await connection.send(content)
    assert await seconds_of_a_call(gateway) < 0.5


async def test_more_calls_than_allowed_are_refused_and_the_rest_go_on_a27_p27(gateway: Gateway, tmp_path: Path) -> None:
    limit = 16
    async with running_gateway(tmp_path / "home", gateway.nats, gateway.bus, max_concurrent_calls=limit) as small:
        job = await create(small)
        async with _channels(small, 8) as channels:
            # Watches are calls in flight for as long as the test wants.
            stubs = [JobServiceStub(channel) for channel in channels for _ in range(6)]
            calls = [stub.WatchJob(WatchJobRequest(name=job.name)) for stub in stubs]
            outcomes = await asyncio.gather(*(call.read() for call in calls), return_exceptions=True)
            refused = [one for one in outcomes if isinstance(one, grpc.aio.AioRpcError)]
            told = [from_rpc_error(one) for one in refused]
            assert {(one.code, one.reason) for one in told} == {(Code.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")}
            assert all(one.is_retryable for one in told)
            assert len(outcomes) - len(refused) == limit * 3 // 4
            # Those who watch do not keep out those who work.
            await works(small)
            for call in calls:
                call.cancel()
        await eventually(lambda: _is_let_in(small))


async def _is_let_in(gateway: Gateway) -> bool:
    try:
        await works(gateway)
    except RemoteError as error:
        return error.code is not Code.RESOURCE_EXHAUSTED
    return True


@asynccontextmanager
async def _channels(gateway: Gateway, count: int) -> AsyncIterator[list[grpc.aio.Channel]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(gateway.opened(gateway.key)) for _ in range(count)]

"""A real server and a real channel: all four kinds, health, limits, drain."""

import asyncio
import subprocess
import time
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from headway.contract.errors import ServiceUnavailable
from headway.runtime.grpc_server import GrpcServer, ServerOptions
from headway.testing.eventually import eventually
from tests.health_checks import serving_status
from tests.unit.runtime.echo import (
    GOOD,
    SCOPES,
    SERVICE,
    Doorman,
    Echo,
    EchoStub,
    add_to_server,
    bare_channel,
    descriptor,
    serving,
)


async def test_all_four_kinds_of_calls_work() -> None:
    async with serving(Echo()) as server, bare_channel(server) as channel:
        stub = EchoStub(channel)
        words = [StringValue(value="one"), StringValue(value="two")]

        assert (await stub.unary(words[0], metadata=GOOD)).value == "one"
        assert [one.value async for one in stub.down(StringValue(value="one two"), metadata=GOOD)] == ["one", "two"]
        assert (await stub.up(iter(words), metadata=GOOD)).value == "one two"
        assert [one.value async for one in stub.both(iter(words), metadata=GOOD)] == ["one", "two"]


async def test_a_stream_handler_may_write_instead_of_yielding() -> None:
    async with serving(Echo(down_writes=True)) as server, bare_channel(server) as channel:
        responses = EchoStub(channel).down(StringValue(value="one two"), metadata=GOOD)

        assert [one.value async for one in responses] == ["one", "two"]


async def test_health_answers_for_the_server_and_each_service_without_a_key() -> None:
    async with serving(Echo()) as server, bare_channel(server) as channel:
        assert await serving_status(channel, "") == health_pb2.HealthCheckResponse.SERVING
        assert await serving_status(channel, SERVICE) == health_pb2.HealthCheckResponse.SERVING
        await server.set_serving(SERVICE, is_serving=False)
        assert await serving_status(channel, SERVICE) == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await serving_status(channel, "unknown")
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_the_services_without_a_key() -> None:
    async with serving(Echo()) as server, bare_channel(server) as channel:
        reflect = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        answers = reflect(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        names = [service.name async for answer in answers for service in answer.list_services_response.service]

    assert SERVICE in names


async def test_a_second_server_on_the_same_port_is_refused() -> None:
    # With the library's default both would listen, and each would get some of the calls.
    async with serving(Echo()) as server:
        with pytest.raises(ServiceUnavailable, match="port is taken"):
            async with serving(Echo(), listen=server.address):
                pass


async def test_a_method_without_a_scope_is_noticed_at_start() -> None:
    server = GrpcServer("127.0.0.1:0", authenticator=Doorman(), scopes={})
    with pytest.raises(ValueError, match=f"/{SERVICE}/Unary"):
        server.add(add_to_server, Echo(), descriptor())
    assert SCOPES


async def test_a_message_over_the_limit_is_refused_and_the_next_call_works() -> None:
    async with serving(Echo()) as server, bare_channel(server) as channel:
        stub = EchoStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.unary(StringValue(value="x" * (4 * 1024 * 1024 + 1)), metadata=GOOD)
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await stub.unary(StringValue(value="one"), metadata=GOOD)).value == "one"


async def test_calls_over_the_limit_are_refused_and_the_others_end_well() -> None:
    release = asyncio.Event()
    echo = Echo()
    echo.act = lambda _: release.wait()
    async with serving(echo, options=ServerOptions(max_concurrent_calls=3)) as server, bare_channel(server) as channel:
        stub = EchoStub(channel)
        calls = [asyncio.ensure_future(stub.unary(StringValue(), metadata=GOOD)) for _ in range(8)]
        await eventually(lambda: sum(call.done() for call in calls) == 5)
        release.set()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)

    refused = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert {error.code() for error in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert len(refused) == 5


async def test_draining_lets_calls_end_and_takes_no_new_ones() -> None:
    release = asyncio.Event()
    echo = Echo()
    echo.act = lambda _: release.wait()
    async with serving(echo) as server, bare_channel(server) as channel:
        stub = EchoStub(channel)
        under_way = asyncio.ensure_future(stub.unary(StringValue(), metadata=GOOD, timeout=10))
        await eventually(lambda: server.port and not under_way.done())
        await asyncio.sleep(0.05)
        draining = asyncio.ensure_future(server.drain())
        await asyncio.sleep(0.1)
        assert not draining.done()

        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub.unary(StringValue(), metadata=GOOD, timeout=5)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        release.set()
        assert (await under_way).value == "True"
        await draining


async def test_draining_cuts_off_what_does_not_end() -> None:
    echo = Echo()
    echo.act = lambda _: asyncio.sleep(60)
    options = ServerOptions(drain_seconds=0.2)
    async with serving(echo, options=options) as server, bare_channel(server) as channel:
        call = asyncio.ensure_future(EchoStub(channel).unary(StringValue(), metadata=GOOD))
        await asyncio.sleep(0.1)
        before = time.perf_counter()
        await server.drain()

        assert time.perf_counter() - before < 2.0
        await eventually(lambda: echo.ended == ["unary"])
        with pytest.raises(grpc.aio.AioRpcError):
            await call


async def test_a_client_may_ping_as_often_as_the_server_allows() -> None:
    # The option's often copied other name is ignored without a word, and an idle watch ends with "too many pings".
    echo = Echo()
    echo.act = lambda _: asyncio.sleep(5.5)
    pinging = [
        ("grpc.keepalive_time_ms", 1000),
        ("grpc.keepalive_timeout_ms", 5000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    async with (
        serving(echo, options=ServerOptions(min_ping_seconds=0.5)) as server,
        grpc.aio.insecure_channel(server.address, options=pinging) as channel,
    ):
        assert (await EchoStub(channel).unary(StringValue(value="one"), metadata=GOOD)).value == "None"


async def test_a_server_with_a_certificate_speaks_tls_only(tmp_path: Path) -> None:
    certificate, key = _self_signed(tmp_path)
    options = ServerOptions(certificate_file=certificate, key_file=key)
    async with serving(Echo(), options=options, listen="localhost:0") as server:
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        async with grpc.aio.secure_channel(server.address, credentials) as channel:
            assert (await EchoStub(channel).unary(StringValue(value="one"), metadata=GOOD)).value == "one"
        async with bare_channel(server) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await EchoStub(channel).unary(StringValue(value="one"), metadata=GOOD, timeout=2)


def _self_signed(directory: Path) -> tuple[Path, Path]:
    certificate, key = directory / "server.pem", directory / "server.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key

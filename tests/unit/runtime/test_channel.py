"""What a channel adds to calls, over a real server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from headway.contract.errors import Code, StoreUnavailable
from headway.runtime.channel import ChannelOptions, Repeatable, open_channel, service_config
from headway.runtime.grpc_server import GrpcServer
from headway.runtime.remote_error import RemoteError, answer, responses
from headway.runtime.request_context import current_request_id, set_request_id
from headway.testing.eventually import eventually
from headway.testing.ports import free_port
from tests.unit.runtime.echo import SERVICE, Doorman, Echo, EchoStub, serving

ONE = StringValue(value="one")
REPEATABLE = (Repeatable(SERVICE, ("Unary", "Down")),)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def doorman() -> Doorman:
    return Doorman()


@pytest.fixture
async def server(echo: Echo, doorman: Doorman) -> AsyncIterator[GrpcServer]:
    async with serving(echo, doorman) as server:
        yield server


async def test_the_key_goes_with_every_kind_of_call(server: GrpcServer, doorman: Doorman) -> None:
    async with open_channel(server.address, api_key="good") as channel:
        stub = EchoStub(channel)
        assert (await answer(stub.unary(ONE))).value == "one"
        assert [one.value async for one in responses(stub.down(ONE))] == ["one"]
        assert (await answer(stub.up(iter([ONE])))).value == "one"
        assert [one.value async for one in responses(stub.both(iter([ONE])))] == ["one"]

    assert doorman.asked == ["good"] * 4


async def test_without_a_key_none_is_sent(server: GrpcServer, doorman: Doorman) -> None:
    async with open_channel(server.address) as channel:
        with pytest.raises(RemoteError, match="MISSING_KEY"):
            await answer(EchoStub(channel).unary(ONE))
    assert doorman.asked == [None]


async def test_a_call_has_a_request_id_of_its_own_or_the_current_one(server: GrpcServer, echo: Echo) -> None:
    echo.act = lambda _: current_request_id()
    async with open_channel(server.address, api_key="good") as channel:
        stub = EchoStub(channel)
        first, second = [(await answer(stub.unary(ONE))).value for _ in range(2)]
        set_request_id("req-7")
        third = (await answer(stub.unary(ONE))).value
        fourth = (await answer(stub.unary(ONE, metadata=(("x-request-id", "mine"),)))).value
    set_request_id("")

    assert len({first, second}) == 2
    assert len(first) == 32
    assert (third, fourth) == ("req-7", "mine")


async def test_a_repeatable_call_is_repeated_while_the_service_is_away(server: GrpcServer, echo: Echo) -> None:
    tries: list[int] = []

    def act(text: str) -> str:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnavailable("away")
        return text

    echo.act = act
    async with open_channel(server.address, api_key="good", repeatable=REPEATABLE) as channel:
        assert (await answer(EchoStub(channel).unary(ONE))).value == "one"
    assert len(tries) == 3


async def test_any_other_call_is_not_repeated(server: GrpcServer, echo: Echo) -> None:
    tries: list[int] = []

    def act(_: str) -> None:
        tries.append(1)
        raise StoreUnavailable("away")

    echo.act = act
    async with open_channel(server.address, api_key="good", repeatable=REPEATABLE) as channel:
        with pytest.raises(RemoteError, match="STORE_UNAVAILABLE"):
            await answer(EchoStub(channel).up(iter([ONE])))
    assert len(tries) == 1


async def test_a_service_that_is_not_there_is_told_quickly() -> None:
    async with open_channel(f"127.0.0.1:{free_port()}") as channel:
        with pytest.raises(RemoteError) as raised:
            await answer(EchoStub(channel).unary(ONE, timeout=10))
    assert raised.value.code is Code.UNAVAILABLE
    assert raised.value.is_retryable


async def test_leaving_a_stream_ends_its_call(server: GrpcServer, echo: Echo) -> None:
    async with open_channel(server.address, api_key="good") as channel:
        call = EchoStub(channel).both(_endless())
        async with aclosing(responses(call)) as stream:
            assert (await anext(stream)).value == "1"
        await eventually(call.done)
        assert await call.code() is grpc.StatusCode.CANCELLED


async def test_large_messages_pass_up_to_the_limit(server: GrpcServer) -> None:
    large = StringValue(value="x" * (4 * 1024 * 1024 - 100))
    async with open_channel(server.address, api_key="good") as channel:
        assert (await answer(EchoStub(channel).unary(large))).value == large.value


def test_the_service_config_names_the_repeatable_methods_and_no_others() -> None:
    config = json.loads(
        service_config((*REPEATABLE, Repeatable("headway.v1.JobService")), ChannelOptions().retry_tries)
    )

    (method,) = config["methodConfig"]
    assert method["name"] == [
        {"service": SERVICE, "method": "Unary"},
        {"service": SERVICE, "method": "Down"},
        {"service": "headway.v1.JobService"},
    ]
    assert method["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert service_config((), 4) == service_config(REPEATABLE, 1) == "{}"


async def _endless() -> AsyncIterator[StringValue]:
    yield StringValue(value="1")
    await asyncio.sleep(60)

"""What callers see of auth, errors, deadlines and malformed bytes, over a real server, for all four kinds of calls."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from headway.contract.errors import (
    Code,
    DiskFull,
    InvalidTransition,
    NotFound,
    OutOfRange,
    StoreUnavailable,
    Violation,
)
from headway.runtime.grpc_server import ServerOptions
from headway.runtime.principal import current_principal
from headway.runtime.records import Conflict
from headway.runtime.remote_error import RemoteError, answer, responses
from headway.runtime.request_context import current_request_id
from headway.testing.eventually import eventually
from tests.unit.runtime.echo import GOOD, SERVICE, Doorman, Echo, EchoStub, bare_channel, everybody, serving

Metadata = tuple[tuple[str, str], ...]
Call = Callable[[EchoStub, str, Metadata], Awaitable[list[str]]]


async def call_unary(stub: EchoStub, text: str, metadata: Metadata = GOOD) -> list[str]:
    return [(await answer(stub.unary(StringValue(value=text), metadata=metadata))).value]


async def call_down(stub: EchoStub, text: str, metadata: Metadata = GOOD) -> list[str]:
    return [one.value async for one in responses(stub.down(StringValue(value=text), metadata=metadata))]


async def call_up(stub: EchoStub, text: str, metadata: Metadata = GOOD) -> list[str]:
    return [(await answer(stub.up(iter([StringValue(value=text)]), metadata=metadata))).value]


async def call_both(stub: EchoStub, text: str, metadata: Metadata = GOOD) -> list[str]:
    requests = iter([StringValue(value=text)])
    return [one.value async for one in responses(stub.both(requests, metadata=metadata))]


EVERY_KIND = pytest.mark.parametrize("call", [call_unary, call_down, call_up, call_both])


@dataclass
class Site:
    echo: Echo
    doorman: Doorman
    stub: EchoStub
    address: str


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    echo, doorman = Echo(), Doorman()
    options = ServerOptions(unary_limit_seconds=0.3)
    async with serving(echo, doorman, options) as server, bare_channel(server) as channel:
        yield Site(echo, doorman, EchoStub(channel), server.address)


@EVERY_KIND
async def test_a_call_without_a_key_is_refused(site: Site, call: Call) -> None:
    with pytest.raises(RemoteError) as raised:
        await call(site.stub, "one", ())
    assert (raised.value.code, raised.value.reason) == (Code.UNAUTHENTICATED, "MISSING_KEY")


@EVERY_KIND
async def test_a_call_with_a_wrong_key_is_refused(site: Site, call: Call) -> None:
    with pytest.raises(RemoteError) as raised:
        await call(site.stub, "one", (("x-api-key", "bad"),))
    assert (raised.value.code, raised.value.reason) == (Code.UNAUTHENTICATED, "INVALID_KEY")


@EVERY_KIND
async def test_a_key_without_the_scope_is_refused(site: Site, call: Call) -> None:
    site.doorman.principal = everybody(scopes=("submit",))
    with pytest.raises(RemoteError) as raised:
        await call(site.stub, "one", GOOD)
    assert (raised.value.code, raised.value.reason) == (Code.PERMISSION_DENIED, "SCOPE")
    assert raised.value.metadata["scope"] == "read"


@EVERY_KIND
async def test_an_admin_key_opens_everything(site: Site, call: Call) -> None:
    site.doorman.principal = everybody(scopes=("admin",))
    assert await call(site.stub, "one", GOOD) == ["one"]


@EVERY_KIND
async def test_the_handler_knows_its_caller_and_its_request_id(site: Site, call: Call) -> None:
    site.echo.act = lambda _: f"{current_principal().user_id} {current_request_id()}"
    assert await call(site.stub, "one", (*GOOD, ("x-request-id", "req-7"))) == ["u1 req-7"]


async def test_the_request_id_comes_back_in_the_trailers_of_answers_and_errors(site: Site) -> None:
    metadata = (*GOOD, ("x-request-id", "req-7"))
    done = site.stub.unary(StringValue(value="one"), metadata=metadata)
    await done
    assert ("x-request-id", "req-7") in tuple(await done.trailing_metadata())

    site.echo.act = refuse
    refused = site.stub.unary(StringValue(value="one"), metadata=metadata)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await refused
    assert ("x-request-id", "req-7") in tuple(raised.value.trailing_metadata())


def refuse(_: str) -> str:
    raise NotFound("there is none")


@EVERY_KIND
async def test_an_error_of_ours_arrives_with_its_details(site: Site, call: Call) -> None:
    def act(_: str) -> None:
        raise NotFound("There is no job 'j1'.", metadata={"name": "projects/p/jobs/j1"})

    site.echo.act = act
    with pytest.raises(RemoteError) as raised:
        await call(site.stub, "one", (*GOOD, ("x-request-id", "req-7")))
    error = raised.value
    assert (error.code, error.reason, error.message) == (Code.NOT_FOUND, "NOT_FOUND", "There is no job 'j1'.")
    assert (error.metadata, error.request_id) == ({"name": "projects/p/jobs/j1"}, "req-7")


@EVERY_KIND
async def test_an_unforeseen_exception_is_told_as_internal_and_leaks_nothing(site: Site, call: Call) -> None:
    def act(_: str) -> None:
        raise ValueError("the secret detail")

    site.echo.act = act
    with pytest.raises(RemoteError) as raised:
        await call(site.stub, "one", GOOD)
    assert (raised.value.code, raised.value.reason) == (Code.INTERNAL, "INTERNAL")
    assert raised.value.request_id in raised.value.message
    cause = raised.value.__cause__
    assert isinstance(cause, grpc.aio.AioRpcError)
    assert "secret" not in f"{cause!r} {cause.trailing_metadata()}"


@EVERY_KIND
async def test_bytes_that_are_no_message_are_refused(site: Site, call: Call) -> None:
    stub = site.stub
    garbage = b"\x0a\xff\xff\xff\xff\x0f"
    calls: dict[Call, Callable[[Metadata], Awaitable[StringValue]]] = {
        call_unary: lambda metadata: answer(stub.unary(garbage, metadata=metadata)),
        call_down: lambda metadata: anext(aiter(responses(stub.down(garbage, metadata=metadata)))),
        call_up: lambda metadata: answer(stub.up(iter([garbage]), metadata=metadata)),
        call_both: lambda metadata: anext(aiter(responses(stub.both(iter([garbage]), metadata=metadata)))),
    }
    with pytest.raises(RemoteError) as raised:
        await calls[call](GOOD)
    assert (raised.value.code, raised.value.reason) == (Code.INVALID_ARGUMENT, "MALFORMED")

    # A stranger is told nothing about what the bytes should be.
    with pytest.raises(RemoteError) as raised:
        await calls[call](())
    assert raised.value.reason == "MISSING_KEY"
    assert await call(stub, "one", GOOD) == ["one"]


@EVERY_KIND
async def test_a_good_call_right_after_a_failed_one_succeeds(site: Site, call: Call) -> None:
    with pytest.raises(RemoteError):
        await call(site.stub, "one", ())
    assert await call(site.stub, "one", GOOD) == ["one"]


async def test_a_message_that_is_malformed_in_the_middle_of_a_stream_ends_it(site: Site) -> None:
    requests: list[Message | bytes] = [StringValue(value="one"), b"\xff", StringValue(value="three")]
    stream = responses(site.stub.both(iter(requests), metadata=GOOD))

    assert (await anext(stream)).value == "one"
    with pytest.raises(RemoteError, match="MALFORMED"):
        await anext(stream)


async def test_a_bearer_token_is_a_key_too(site: Site) -> None:
    assert await call_unary(site.stub, "one", (("authorization", "Bearer good"),)) == ["one"]
    with pytest.raises(RemoteError, match="INVALID_KEY"):
        await call_unary(site.stub, "one", (("authorization", "Basic good"),))


# Line feeds, escapes and bytes beyond ASCII are refused by the library on either side.
@pytest.mark.parametrize("hostile", ["x" * 5000, '","level":"error', "a b", "", ".hidden", "<script>", "x" * 129])
async def test_a_hostile_request_id_is_replaced(site: Site, hostile: str) -> None:
    site.echo.act = lambda _: current_request_id()

    (seen,) = await call_unary(site.stub, "one", (*GOOD, ("x-request-id", hostile)))

    assert seen != hostile
    assert len(seen) == 32


async def test_a_unary_call_without_a_deadline_gets_the_servers_own(site: Site) -> None:
    site.echo.act = lambda _: asyncio.sleep(30)
    before = time.perf_counter()
    with pytest.raises(RemoteError) as raised:
        await call_unary(site.stub, "one")
    assert (raised.value.code, raised.value.reason) == (Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert time.perf_counter() - before < 3.0
    assert site.echo.ended == ["unary"]


async def test_a_stream_has_no_deadline_of_the_servers(site: Site) -> None:
    site.echo.act = lambda text: asyncio.sleep(0.2, text)
    assert await call_down(site.stub, "one two three") == ["one", "two", "three"]


async def test_a_deadline_of_the_callers_cancels_the_handler(site: Site) -> None:
    site.echo.act = lambda _: asyncio.sleep(30)
    with pytest.raises(RemoteError) as raised:
        await answer(site.stub.unary(StringValue(), metadata=GOOD, timeout=0.1))
    assert raised.value.code is Code.DEADLINE_EXCEEDED
    await eventually(lambda: site.echo.ended == ["unary"])


async def test_a_deadline_that_has_passed_is_told(site: Site) -> None:
    with pytest.raises(RemoteError) as raised:
        await answer(site.stub.unary(StringValue(), metadata=GOOD, timeout=-1))
    assert raised.value.code is Code.DEADLINE_EXCEEDED


async def test_a_timeout_inside_a_handler_is_not_taken_for_the_deadline(site: Site) -> None:
    def act(_: str) -> None:
        raise TimeoutError("of something else")

    site.echo.act = act
    with pytest.raises(RemoteError) as raised:
        await call_unary(site.stub, "one")
    assert raised.value.code is Code.INTERNAL


async def test_a_caller_that_leaves_a_stream_ends_its_handler(site: Site) -> None:
    # grpc.aio does not close a generator that is cancelled during a write: its `finally` would wait for the collector.
    site.echo.act = lambda _: "x" * 100_000
    call = site.stub.down(StringValue(value="x " * 400), metadata=GOOD)
    await anext(aiter(call))
    await asyncio.sleep(0.2)  # The flow control window is full: the handler is inside a write.

    call.cancel()

    await eventually(lambda: site.echo.ended == ["down"], timeout_seconds=2)
    assert site.echo.written < 400


async def test_two_thousand_cancelled_calls_leave_nothing_behind(site: Site) -> None:
    site.echo.act = lambda _: asyncio.sleep(30)
    async with grpc.aio.insecure_channel(site.address) as channel:
        stub = EchoStub(channel)
        for _ in range(20):
            calls = [stub.down(StringValue(value="one"), metadata=GOOD) for _ in range(100)]
            await asyncio.sleep(0.01)
            for call in calls:
                call.cancel()
    site.echo.act = lambda text: text

    # On the connection that was flooded the library may cancel a call more; others notice nothing.
    assert await call_unary(site.stub, "one") == ["one"]
    await eventually(lambda: len(asyncio.all_tasks()) < 20)
    assert len(site.echo.ended) == site.echo.begun


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (StoreUnavailable("nats-server is away"), Code.UNAVAILABLE, "STORE_UNAVAILABLE"),
        (Conflict("jobs", "j1"), Code.ABORTED, "CONTENTION"),
        (OSError(28, "No space left on device"), Code.RESOURCE_EXHAUSTED, "DISK_FULL"),
        (DiskFull("full"), Code.RESOURCE_EXHAUSTED, "DISK_FULL"),
        (InvalidTransition("the job is over"), Code.FAILED_PRECONDITION, "INVALID_TRANSITION"),
        (OSError(5, "Input/output error"), Code.INTERNAL, "INTERNAL"),
    ],
)
async def test_each_fault_gets_its_code(site: Site, error: Exception, code: Code, reason: str) -> None:
    def act(_: str) -> None:
        raise error

    site.echo.act = act
    with pytest.raises(RemoteError) as raised:
        await call_unary(site.stub, "one")
    assert (raised.value.code, raised.value.reason) == (code, reason)
    assert raised.value.is_retryable == (code is Code.UNAVAILABLE or raised.value.retry_after is not None)


async def test_an_error_with_too_much_to_say_still_arrives(site: Site) -> None:
    def act(_: str) -> None:
        violations = [Violation(f"f[{number}]", "OUT_OF_RANGE", "\U0001f600" * 1000) for number in range(1000)]
        metadata = {f"key{number}": "\U0001f600" * 1000 for number in range(100)}
        raise OutOfRange("\U0001f600" * 5000, violations=violations, metadata=metadata)

    site.echo.act = act
    with pytest.raises(RemoteError) as raised:
        await call_unary(site.stub, "one")
    assert raised.value.reason == "OUT_OF_RANGE"
    assert raised.value.violations[-1].reason == "MORE"


async def test_an_unknown_method_is_unimplemented(site: Site) -> None:
    with pytest.raises(RemoteError) as raised:
        await answer(site.stub.unknown(StringValue(), metadata=GOOD))
    assert raised.value.code is Code.UNIMPLEMENTED


@pytest.mark.parametrize(("timeout", "is_done"), [(20.0, True), (None, False)])
async def test_a_patient_method_takes_a_longer_deadline_of_its_caller_and_no_silence(
    timeout: float | None,  # noqa: ASYNC109 - the call's own
    is_done: bool,
) -> None:
    echo = Echo()

    async def wait() -> str:
        await asyncio.sleep(0.3)
        return "done"

    echo.act = lambda _: wait()
    options = ServerOptions(unary_limit_seconds=0.1, patient_methods={f"/{SERVICE}/Unary": 10.0})
    async with serving(echo, Doorman(), options) as server, bare_channel(server) as channel:
        call = EchoStub(channel).unary(StringValue(value="one"), metadata=GOOD, timeout=timeout)
        if is_done:
            assert (await answer(call)).value == "done"
        else:
            with pytest.raises(RemoteError) as raised:
                await answer(call)
            assert raised.value.reason == "DEADLINE_EXCEEDED"

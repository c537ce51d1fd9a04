"""Rows A of the abuse corpus that concern keys and rights (P29, P30)."""

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import pytest

from headway.contract.errors import Code
from headway.runtime.keys import _checksum, make_key
from headway.runtime.remote_error import RemoteError, answer, from_rpc_error
from headway.v1.jobs_service_pb2 import (
    CancelJobRequest,
    ListJobsRequest,
    PauseJobRequest,
    ResumeJobRequest,
    SetJobPriorityRequest,
)
from headway.v1.jobs_service_pb2_grpc import JobServiceStub
from headway.v1.results_service_pb2 import CommitResultRequest
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.abuse.harness import Row, judge
from tests.abuse.raw_http2 import (
    GOAWAY,
    HEADERS,
    RST_STREAM,
    message_frames,
    opening,
    raw_connection,
    request_headers,
    send_bytes,
)
from tests.jobs_gateway import PARENT, Gateway, a_request

pytestmark = pytest.mark.asyncio(loop_scope="module")
UA, PD = Code.UNAUTHENTICATED, Code.PERMISSION_DENIED
Call = Callable[[grpc.aio.Channel], Awaitable[object]]
KeyOf = Callable[[Gateway], Awaitable[str | None]]


def listing(channel: grpc.aio.Channel) -> Awaitable[object]:
    return JobServiceStub(channel).ListJobs(ListJobsRequest(parent=PARENT))


def creating(channel: grpc.aio.Channel) -> Awaitable[object]:
    return JobServiceStub(channel).CreateJob(a_request())


def cancelling(channel: grpc.aio.Channel) -> Awaitable[object]:
    return JobServiceStub(channel).CancelJob(CancelJobRequest(name=f"{PARENT}/jobs/j{'a' * 25}"))


def pausing(channel: grpc.aio.Channel) -> Awaitable[object]:
    return JobServiceStub(channel).PauseJob(PauseJobRequest(name=f"{PARENT}/jobs/j{'a' * 25}"))


def resuming(channel: grpc.aio.Channel) -> Awaitable[object]:
    return JobServiceStub(channel).ResumeJob(ResumeJobRequest(name=f"{PARENT}/jobs/j{'a' * 25}"))


def prioritising(channel: grpc.aio.Channel) -> Awaitable[object]:
    return JobServiceStub(channel).SetJobPriority(SetJobPriorityRequest(name=f"{PARENT}/jobs/j{'a' * 25}"))


def committing(channel: grpc.aio.Channel) -> Awaitable[object]:
    return ResultServiceStub(channel).CommitResult(CommitResultRequest())


def unknown_method(channel: grpc.aio.Channel) -> Awaitable[object]:
    return send_bytes(channel, "/headway.v1.JobService/DeleteEverything", b"")


def unknown_service(channel: grpc.aio.Channel) -> Awaitable[object]:
    return send_bytes(channel, "/headway.v1.Evil/Do", b"")


def key_in_the_body(channel: grpc.aio.Channel) -> Awaitable[object]:
    content = ListJobsRequest(parent=PARENT).SerializeToString() + b"\xba\x3e" + bytes([len(A_KEY)]) + A_KEY.encode()
    return send_bytes(channel, "/headway.v1.JobService/ListJobs", content)


A_KEY = make_key().text


def using(key: str | KeyOf | None, call: Call) -> Callable[[Gateway], Awaitable[object]]:
    async def send(gateway: Gateway) -> object:
        chosen = await key(gateway) if callable(key) else key
        async with gateway.opened(chosen) as channel:
            return await call(channel)

    return send


def scoped(*scopes: str, expired: bool = False, revoked: bool = False) -> KeyOf:
    return lambda gateway: gateway.add_key(*scopes, expired=expired, revoked=revoked)


def key_row(row_id: str, what: str, key: str | KeyOf) -> Row[Gateway]:
    sent = key if isinstance(key, str) else ""
    return Row(id=row_id, what=what, send=using(key, listing), code=UA, reason="INVALID_KEY", sent=sent)


def scope_row(row_id: str, what: str, scope: str, call: Call) -> Row[Gateway]:
    return Row(id=row_id, what=what, send=using(scoped(scope), call), code=PD, reason="SCOPE")


async def _with_the_secret_of_another(gateway: Gateway) -> str:
    """The id of a valid key with a secret of one's own, and a checksum that fits: only the digest tells."""
    valid, mine = (await gateway.add_key("read")).split("_"), make_key().text.split("_")
    body = "_".join(["hw", valid[1], mine[2]])
    return f"{body}_{_checksum(body)}"


INVALID_KEYS = (
    key_row("A2", "empty key", ""),
    key_row("A3", "key of 10 KB", "hw_" + "a" * 10_000),
    key_row("A4", "wrong prefix", "sk_" + A_KEY[3:]),
    key_row("A5", "bad checksum", A_KEY[:-1] + ("a" if A_KEY[-1] != "a" else "b")),
    key_row("A6", "well-formed and unknown", A_KEY),
    key_row("A7", "revoked key", scoped("read", revoked=True)),
    key_row("A8", "expired key", scoped("read", expired=True)),
    key_row("A9", "secret of another key", _with_the_secret_of_another),
)
ROWS = (
    Row[Gateway](id="A1", what="no key", send=using(None, listing), code=UA, reason="MISSING_KEY"),
    *INVALID_KEYS,
    scope_row("A10", "read key submits", "read", creating),
    scope_row("A11", "submit key commits a result", "submit", committing),
    scope_row("A12", "host key cancels", "host", cancelling),
    scope_row("A12", "host key pauses", "host", pausing),
    scope_row("A12", "submit key resumes", "submit", resuming),
    scope_row("A12", "submit key sets a priority", "submit", prioritising),
    Row[Gateway](
        id="A13", what="key in the body", send=using(None, key_in_the_body), code=UA, reason="MISSING_KEY", sent=A_KEY
    ),
    Row[Gateway](
        id="A17",
        what="unknown method",
        send=using(A_KEY, unknown_method),
        code=Code.UNIMPLEMENTED,
        reason="UNIMPLEMENTED",
    ),
    Row[Gateway](
        id="A17",
        what="unknown service",
        send=using(A_KEY, unknown_service),
        code=Code.UNIMPLEMENTED,
        reason="UNIMPLEMENTED",
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_caller_without_the_right_is_told_so_and_no_more_p29(row: Row[Gateway], gateway: Gateway) -> None:
    await judge(row, gateway, good=lambda: answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT))))


async def test_what_is_wrong_with_a_key_is_not_told_a2_to_a9(gateway: Gateway) -> None:
    answers = set()
    for row in INVALID_KEYS:
        with pytest.raises(RemoteError) as caught:
            await answer(row.send(gateway))
        answers.add((caught.value.message, str(caught.value.metadata), caught.value.violations))
    assert len(answers) == 1


async def test_a_key_of_one_project_sees_no_other_a14(gateway: Gateway) -> None:
    key = await gateway.add_key("admin", projects=("theirs",))
    async with gateway.opened(key) as channel:
        for project in ("demo", "never-used"):
            with pytest.raises(RemoteError) as caught:
                await answer(JobServiceStub(channel).ListJobs(ListJobsRequest(parent=f"projects/{project}")))
            assert caught.value.code is PD
        await answer(JobServiceStub(channel).ListJobs(ListJobsRequest(parent="projects/theirs")))


@pytest.mark.parametrize(
    "given",
    ["a" * 5000, '","level":"error', "a b", "../x", ""],
    ids=["5 KB", "JSON", "space", "path", "empty"],
)
async def test_a_malformed_request_id_is_replaced_a29(gateway: Gateway, given: str) -> None:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        call = JobServiceStub(channel).ListJobs(ListJobsRequest(), metadata=[("x-request-id", given)])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    told = from_rpc_error(caught.value).request_id
    assert told != given
    assert told.isalnum()


async def test_a_well_formed_request_id_is_kept_a29(gateway: Gateway) -> None:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await JobServiceStub(channel).ListJobs(ListJobsRequest(), metadata=[("x-request-id", "mine-1")])
    assert from_rpc_error(caught.value).request_id == "mine-1"


@pytest.mark.parametrize("given", ["\x1b[31mred", "two\nlines"])
async def test_control_characters_in_a_header_do_not_reach_a_handler_a29(gateway: Gateway, given: str) -> None:
    async with raw_connection(gateway.address) as connection:
        headers = request_headers(1, "/headway.v1.JobService/ListJobs", {"x-request-id": given})
        await connection.send(opening() + headers + message_frames(1, b""))
        async with asyncio.timeout(5):
            async for kind, payload in connection.frames():
                assert given.encode() not in payload
                if kind in {RST_STREAM, GOAWAY, HEADERS}:
                    break
    await answer(gateway.jobs.ListJobs(ListJobsRequest(parent=PARENT)))

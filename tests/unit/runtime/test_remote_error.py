from datetime import timedelta

import grpc
import pytest

from headway.contract.errors import Code, HeadwayError, OutOfRange, QueueFull, Violation
from headway.runtime.interceptors.errors import to_status
from headway.runtime.remote_error import RemoteError, from_rpc_error


def over_the_wire(error: HeadwayError) -> RemoteError:
    status = to_status(error, "req-7")
    trailers = grpc.aio.Metadata(*status.trailing_metadata)
    return from_rpc_error(grpc.aio.AioRpcError(status.code, trailing_metadata=trailers, details=status.details))


@pytest.mark.parametrize(
    "violation",
    [
        Violation("a", "R", "is wrong"),
        Violation("a", "R", "is wrong", allowed="1 to 10"),
        Violation("a", "R", "is wrong", suggested="5"),
        Violation("a", "R", "is wrong", allowed="1 to 10", suggested="5"),
        Violation("a", "R", "is wrong (really)", allowed="(0, 1]", suggested="x (y)"),
        Violation("a", "R", "two\nlines", allowed="1 to 10"),
        Violation("a", "R", ""),
    ],
)
def test_violations_come_back_as_they_were(violation: Violation) -> None:
    assert over_the_wire(OutOfRange("wrong", violations=[violation])).violations == (violation,)


def test_an_error_comes_back_with_everything_it_carried() -> None:
    error = over_the_wire(
        QueueFull("10000 jobs are queued", metadata={"quota": "queued_jobs"}, retry_after=timedelta(seconds=2))
    )

    assert (error.code, error.reason, error.message) == (Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", "10000 jobs are queued")
    assert (error.metadata, error.retry_after) == ({"quota": "queued_jobs"}, timedelta(seconds=2))
    assert error.request_id == "req-7"
    assert error.is_retryable
    assert str(error) == "QUEUE_FULL: 10000 jobs are queued"


@pytest.mark.parametrize(
    ("code", "expected", "is_retryable"),
    [
        (grpc.StatusCode.UNAVAILABLE, Code.UNAVAILABLE, True),
        (grpc.StatusCode.UNKNOWN, Code.INTERNAL, False),
        (grpc.StatusCode.UNIMPLEMENTED, Code.UNIMPLEMENTED, False),
    ],
)
def test_an_error_that_is_not_of_headway_is_told_by_its_code(
    code: grpc.StatusCode, expected: Code, is_retryable: bool
) -> None:
    error = from_rpc_error(grpc.aio.AioRpcError(code, details="connection refused"))

    assert (error.code, error.reason, error.message) == (expected, expected.name, "connection refused")
    assert (error.violations, error.is_retryable) == ((), is_retryable)


def test_details_that_cannot_be_read_are_left_out() -> None:
    trailers = grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff"))
    error = from_rpc_error(grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, trailing_metadata=trailers, details="gone"))
    assert (error.code, error.message) == (Code.NOT_FOUND, "gone")


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_code_of_the_library_has_one_of_ours(code: grpc.StatusCode) -> None:
    assert from_rpc_error(grpc.aio.AioRpcError(code)).code in set(Code)


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED])
def test_an_error_of_grpc_itself_is_a_broken_stream_and_may_be_tried_again(code: grpc.StatusCode) -> None:
    """A write that meets a call already over is answered by gRPC with INTERNAL, now and then before the status.

    F12: a server that is told to stop answers a call that it has not taken up yet with CANCELLED.
    """
    details = "Internal error from Core"
    error = from_rpc_error(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details))
    assert (error.code, error.reason, error.message) == (Code.UNAVAILABLE, "STREAM_BROKEN", details)
    assert error.is_retryable

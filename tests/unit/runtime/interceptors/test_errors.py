from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from headway.contract.errors import (
    HeadwayError,
    InternalError,
    InvalidArgument,
    NotFound,
    OutOfRange,
    QueueFull,
    StoreUnavailable,
    Violation,
)
from headway.runtime.interceptors.errors import ERROR_DOMAIN, as_headway_error, to_status

KINDS = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.RetryInfo,
    error_details_pb2.QuotaFailure,
    error_details_pb2.RequestInfo,
)


def details(error: HeadwayError) -> dict[str, object]:
    return dict(_unpacked(to_status(error, "req-7")))


def _unpacked(status: grpc.Status) -> list[tuple[str, object]]:
    ((_, packed),) = [pair for pair in status.trailing_metadata if pair[0] == "grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    found: list[tuple[str, object]] = []
    for one in status_pb2.Status.FromString(packed).details:
        kind = next(kind for kind in KINDS if one.TypeName() == kind.DESCRIPTOR.full_name)
        detail = kind()
        one.Unpack(detail)
        found.append((kind.DESCRIPTOR.name, detail))
    return found


def test_every_error_carries_reason_domain_metadata_and_request_id() -> None:
    found = details(NotFound("There is no job 'j1'.", metadata={"name": "j1"}))

    assert found == {
        "ErrorInfo": error_details_pb2.ErrorInfo(reason="NOT_FOUND", domain=ERROR_DOMAIN, metadata={"name": "j1"}),
        "RequestInfo": error_details_pb2.RequestInfo(request_id="req-7"),
    }


def test_violations_are_told_field_by_field_with_bounds_and_suggestion() -> None:
    error = OutOfRange(
        "epochs is out of range",
        violations=[Violation("job.epochs", "OUT_OF_RANGE", "is 0", allowed="1 to 100", suggested="10")],
    )

    bad_request = details(error)["BadRequest"]

    assert bad_request == error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(
                field="job.epochs", reason="OUT_OF_RANGE", description="is 0 (allowed: 1 to 100) (try: 10)"
            )
        ]
    )


def test_a_retry_delay_is_told_and_unavailable_always_has_one() -> None:
    delayed = details(QueueFull("full", retry_after=timedelta(seconds=1.5)))["RetryInfo"]
    away = details(StoreUnavailable("away"))["RetryInfo"]

    assert isinstance(delayed, error_details_pb2.RetryInfo)
    assert delayed.retry_delay.ToTimedelta() == timedelta(seconds=1.5)
    assert isinstance(away, error_details_pb2.RetryInfo)
    assert away.retry_delay.ToTimedelta() > timedelta()
    assert "RetryInfo" not in details(NotFound("gone"))


def test_a_quota_is_told_when_one_is_named() -> None:
    found = details(QueueFull("10000 jobs are queued", metadata={"quota": "queued_jobs", "subject": "projects/p"}))

    assert found["QuotaFailure"] == error_details_pb2.QuotaFailure(
        violations=[error_details_pb2.QuotaFailure.Violation(subject="projects/p", description="10000 jobs are queued")]
    )
    assert "QuotaFailure" not in details(QueueFull("full"))


@pytest.mark.parametrize("number", [1, 10, 500])
@pytest.mark.parametrize("character", ["x", "ä", "\U0001f600"])
def test_the_trailers_stay_small_whatever_is_told(number: int, character: str) -> None:
    # Clients refuse trailers over 8 KiB, and the caller would see nothing but that.
    error = InvalidArgument(
        character * 5000,
        violations=[Violation("f" * 300, "OUT_OF_RANGE", character * 1000) for _ in range(number)],
        metadata={f"key{n}": character * 1000 for n in range(50)},
    )

    status = to_status(error, "req-7")

    in_details = sum(len(name) + len(value) * 4 // 3 for name, value in status.trailing_metadata)
    in_message = sum(1 if byte < 128 else 3 for byte in status.details.encode())
    assert in_details + in_message < 8 * 1024
    assert details(error)["ErrorInfo"]
    assert details(error)["RequestInfo"]


def test_violations_that_do_not_fit_are_counted() -> None:
    error = InvalidArgument(
        "many", violations=[Violation(f"f[{n}]", "OUT_OF_RANGE", "is wrong " * 5) for n in range(500)]
    )

    bad_request = details(error)["BadRequest"]

    assert isinstance(bad_request, error_details_pb2.BadRequest)
    shown = bad_request.field_violations
    assert shown[-1].reason == "MORE"
    assert shown[-1].description == f"and {500 - len(shown) + 1} more"


def test_an_unforeseen_exception_tells_nothing_but_the_request_id() -> None:
    told = as_headway_error(ValueError("secret"), "S/M", "req-7")

    assert isinstance(told, InternalError)
    assert "req-7" in told.message
    assert "secret" not in told.message

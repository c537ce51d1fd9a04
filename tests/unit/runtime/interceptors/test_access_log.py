import time
from collections.abc import Iterator, Mapping, Sequence

import pytest
from structlog.testing import capture_logs

from headway.contract.errors import Code
from headway.runtime.interceptors.access_log import log_call, log_cancelled

METHOD = "/headway.v1.JobService/GetJob"


@pytest.fixture
def lines() -> Iterator[Sequence[Mapping[str, object]]]:
    with capture_logs() as captured:
        yield captured


@pytest.mark.parametrize(
    ("code", "seconds_ago", "is_unary", "level"),
    [
        (None, 0.0, True, "debug"),
        (None, 5.0, True, "info"),
        (None, 500.0, False, "debug"),
        (Code.NOT_FOUND, 0.0, True, "info"),
        (Code.UNAVAILABLE, 0.0, False, "info"),
        (Code.INTERNAL, 0.0, True, "error"),
        (Code.DATA_LOSS, 0.0, True, "error"),
    ],
)
def test_a_call_is_as_loud_as_it_is_bad(
    lines: Sequence[Mapping[str, object]], code: Code | None, seconds_ago: float, is_unary: bool, level: str
) -> None:
    log_call(METHOD, code, "WHY" if code else "", time.perf_counter() - seconds_ago, is_unary=is_unary)

    (line,) = lines
    assert (line["log_level"], line["method"]) == (level, "headway.v1.JobService/GetJob")
    assert line["code"] == ("OK" if code is None else code.name)


def test_a_call_that_the_caller_left_is_quiet(lines: Sequence[Mapping[str, object]]) -> None:
    log_cancelled(METHOD, time.perf_counter())

    (line,) = lines
    assert (line["log_level"], line["code"]) == ("debug", "CANCELLED")

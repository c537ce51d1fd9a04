"""What the answer of a receiver means."""

from datetime import UTC, datetime

import pytest

from notifier.sinks import SinkRefused, SinkShut, SinkUnavailable
from notifier.webhook.answers import fault_of, retry_after_seconds

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_takes_the_message(status: int) -> None:
    assert fault_of(status, "", now=NOW) is None


@pytest.mark.parametrize("status", [500, 502, 504, 599])
def test_a_receiver_that_fails_may_have_taken_it(status: int) -> None:
    fault = fault_of(status, "", now=NOW)
    assert isinstance(fault, SinkUnavailable)
    assert fault.may_have_arrived


@pytest.mark.parametrize("status", [408, 425, 429, 503])
def test_a_receiver_that_says_later_has_not(status: int) -> None:
    fault = fault_of(status, "7", now=NOW)
    assert isinstance(fault, SinkUnavailable)
    assert not fault.may_have_arrived
    assert fault.retry_after_seconds == 7


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_is_wrong_with_one_message_is_no_fault_of_the_receiver(status: int) -> None:
    assert isinstance(fault_of(status, "", now=NOW), SinkRefused)


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        (410, "wants no more"),
        (401, "webhook.secret"),
        (403, "webhook.secret"),
        (404, "webhook.url"),
        (405, "webhook.url"),
    ]
    + [(status, "final address") for status in (301, 302, 304, 307, 308)],
)
def test_anything_else_needs_a_person(status: int, fix: str) -> None:
    fault = fault_of(status, "", now=NOW)
    assert isinstance(fault, SinkShut)
    assert fix in fault.remedy


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        (" 0 ", 0.0),
        ("Sun, 01 Nov 2026 12:00:45 GMT", 45.0),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0.0),
        ("9" * 400, 999_999_999.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("Sun, 99 Nov 2026 12:00:45 GMT", None),
        ("\u0663", None),
    ],
)
def test_both_forms_of_retry_after_are_read_and_nonsense_is_none(header: str, seconds: float | None) -> None:
    assert retry_after_seconds(header, now=NOW) == seconds

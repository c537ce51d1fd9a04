"""Moments and spans between Python and protobuf."""

from datetime import UTC, datetime, timedelta, timezone

from headway.contract.times import duration, moment, rfc3339, timestamp

NOON = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_moment_survives_the_way_there_and_back() -> None:
    assert moment(timestamp(NOON)) == NOON


def test_a_span_becomes_a_duration() -> None:
    assert duration(timedelta(seconds=1.5)).ToTimedelta() == timedelta(seconds=1.5)


def test_text_is_utc_with_milliseconds() -> None:
    assert rfc3339(NOON.astimezone(timezone(timedelta(hours=5)))) == "2026-11-01T12:00:00.123Z"

from datetime import UTC, datetime, timedelta

import pytest

from headway.cli.listen.times import AT_ONCE, parse_since, parse_span, parse_speed

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("0s", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("0.5s", timedelta(seconds=0.5)),
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(minutes=90)),
        ("3d", timedelta(days=3)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_a_span_is_read(text: str, span: timedelta) -> None:
    assert parse_span(text) == span
    assert parse_since(text, NOW) == NOW - span


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1 h", "1y", "1e3s", "1.s", "٣s", "9" * 400 + "s"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no span of time|longer than ten years"):
        parse_span(text)


@pytest.mark.parametrize(
    "text",
    ["2026-11-22T10:00:00Z", "2026-11-22T11:00:00+01:00", "2026-11-22 10:00:00.000Z", "20261122T100000Z"],
)
def test_a_time_is_read_in_any_zone(text: str) -> None:
    assert parse_since(text, NOW) == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("yesterday", "write how long ago"),
        ("10", "write how long ago"),
        ("2026-11-22T10:00:00", "write 2026-11-22T10:00:00Z for UTC"),
        ("2026-11-22", "write 2026-11-22T00:00:00Z for UTC"),
        ("2026-11-22T12:00:01Z", "lies in the future"),
        ("2026-13-01T00:00:00Z", "is no time"),
    ],
)
def test_what_is_no_time_is_refused_with_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        parse_since(text, NOW)


@pytest.mark.parametrize(("text", "speed"), [("50x", 50.0), ("50", 50.0), ("0.5x", 0.5), ("1x", 1.0), ("max", AT_ONCE)])
def test_a_speed_is_read(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "x", "0", "0x", "-1x", "nan", "inf", "1e9", "9999999999", "fast", "2xx"])
def test_what_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no speed"):
        parse_speed(text)

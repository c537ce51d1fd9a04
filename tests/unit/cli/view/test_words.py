from datetime import UTC, datetime

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from headway.cli.view.words import age, between, duration_text, local_time, number_text, size_text, span, sparkline


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (0, "0.0s"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (12.7, "12s"),
        (60, "1m"),
        (192, "3m 12s"),
        (3600, "1h"),
        (7500, "2h 5m"),
        (273_600, "3d 4h"),
        (86_400 * 400, "400d"),
    ],
)
def test_a_span_shows_its_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("num_bytes", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**20, "3.0 MiB"), (2**43, "8.0 TiB")]
)
def test_a_size_is_read_in_one_glance(num_bytes: int, text: str) -> None:
    assert size_text(num_bytes) == text


@pytest.mark.parametrize(
    ("value", "text"), [(float("nan"), "-"), (0.97368, "0.9737"), (569.0, "569"), (123456.7, "123,457"), (0.0, "0")]
)
def test_a_number_has_four_digits(value: float, text: str) -> None:
    assert number_text(value) == text


def test_a_sparkline_goes_from_the_lowest_to_the_highest() -> None:
    assert sparkline([3.0, 2.0, 1.0]) == "█▅▁"
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert sparkline([1.0, float("nan"), 2.0]) == "▁ █"
    assert sparkline([]) == sparkline([float("nan")]) == ""
    assert len(sparkline([float(number) for number in range(100)], width=20)) == 20


def test_times_that_are_not_set_are_empty() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert local_time(Timestamp()) == age(Timestamp(), now) == between(Timestamp(), Timestamp()) == ""
    assert duration_text(Duration()) == ""


def test_an_age_is_counted_from_now() -> None:
    stamp = Timestamp()
    stamp.FromDatetime(datetime(2026, 11, 22, 11, 59, tzinfo=UTC))
    assert age(stamp, datetime(2026, 11, 22, 12, tzinfo=UTC)) == "1m"

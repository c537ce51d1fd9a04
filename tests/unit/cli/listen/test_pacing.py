from datetime import UTC, datetime, timedelta

import pytest

from headway.cli.listen.pacing import Pacing, occurred
from headway.cli.listen.times import AT_ONCE

THEN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("speed", "gap_seconds", "wait_seconds"),
    [
        (1.0, 4.0, 4.0),
        (50.0, 100.0, 2.0),
        (0.5, 2.0, 4.0),
        (1.0, 8 * 3600.0, 10.0),  # A night.
        (50.0, 8 * 3600.0, 10.0),
        (1.0, 0.0, 0.0),
        (1.0, -5.0, 0.0),  # Two clocks.
        (AT_ONCE, 8 * 3600.0, 0.0),
        (AT_ONCE, 0.0, 0.0),
    ],
)
def test_a_gap_is_scaled_and_never_longer_than_the_longest(
    speed: float, gap_seconds: float, wait_seconds: float
) -> None:
    assert Pacing(speed, 10.0).gap_seconds(THEN, THEN + timedelta(seconds=gap_seconds)) == wait_seconds


@pytest.mark.parametrize("text", ["", "noon", "2026-11-22T13:00:00", "99999-01-01T00:00:00Z"])
def test_an_event_without_a_time_happened_when_it_was_stored(text: str) -> None:
    assert occurred(text, THEN) == THEN


def test_an_event_happened_when_it_says() -> None:
    assert occurred("2026-11-22T14:00:00.000+01:00", THEN) == THEN + timedelta(hours=1)

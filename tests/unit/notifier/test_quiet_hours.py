"""Hours in which people sleep, by the clock on their wall."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from notifier.quiet_hours import QuietHours, parse_quiet_hours

BERLIN = ZoneInfo("Europe/Berlin")


def night(text: str = "22:00-07:00", zone: ZoneInfo = BERLIN) -> QuietHours:
    hours = parse_quiet_hours(text, zone)
    assert hours is not None
    return hours


@pytest.mark.parametrize(
    ("moment", "hours_left"),
    [
        (datetime(2026, 11, 1, 20, 59, tzinfo=UTC), 0),  # 21:59 in Berlin.
        (datetime(2026, 11, 1, 21, 0, tzinfo=UTC), 9),
        (datetime(2026, 11, 1, 23, 0, tzinfo=UTC), 7),  # Midnight there.
        (datetime(2026, 11, 2, 5, 0, tzinfo=UTC), 1),
        (datetime(2026, 11, 2, 6, 0, tzinfo=UTC), 0),  # The first loud moment.
        (datetime(2026, 11, 2, 12, 0, tzinfo=UTC), 0),
    ],
)
def test_a_span_over_midnight(moment: datetime, hours_left: int) -> None:
    assert night().seconds_left(moment) == hours_left * 3600


def test_a_span_within_a_day() -> None:
    siesta = night("13:00-15:30", ZoneInfo("UTC"))
    assert siesta.seconds_left(datetime(2026, 11, 1, 14, tzinfo=UTC)) == 5400
    assert siesta.seconds_left(datetime(2026, 11, 1, 15, 30, tzinfo=UTC)) == 0


@pytest.mark.parametrize(
    ("evening", "hours"),
    [
        (datetime(2026, 3, 28, 21, tzinfo=UTC), 8),  # Clocks go forward at night.
        (datetime(2026, 10, 24, 20, tzinfo=UTC), 10),  # And back.
        (datetime(2026, 6, 1, 20, tzinfo=UTC), 9),
    ],
)
def test_a_night_in_which_clocks_change_is_as_long_as_it_is(evening: datetime, hours: int) -> None:
    assert night().seconds_left(evening) == hours * 3600


def test_it_is_quiet_until_it_is_not() -> None:
    moment = datetime(2026, 10, 24, 22, 17, tzinfo=UTC)
    left = night().seconds_left(moment)
    assert night().seconds_left(moment + timedelta(seconds=left - 1)) == 1
    assert night().seconds_left(moment + timedelta(seconds=left)) == 0


def test_no_hours_are_no_hours() -> None:
    assert parse_quiet_hours("", BERLIN) is None


@pytest.mark.parametrize(
    "text", ["22-7", "24:00-07:00", "22:00", "22:60-07:00", "always", "07:00-07:00", "22:00-07:00-"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_quiet_hours(text, BERLIN)

"""Hours in which people sleep. Pure.

In them only the ends of jobs are told, without a sound; everything else waits for the morning and comes together.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """One span a day, by the clock on the wall of one place.

    Attributes:
        begin: the first quiet moment.
        end: the first loud moment behind it; on the next day when it is earlier than `begin`.
        zone: of the place.
    """

    begin: time
    end: time
    zone: ZoneInfo

    def seconds_left(self, now: datetime) -> float:
        """How long it stays quiet; 0 when it is not. Days on which clocks change are as long as they are."""
        local = now.astimezone(self.zone)
        for day in (local.date() - timedelta(days=1), local.date()):
            begin = datetime.combine(day, self.begin, self.zone)
            end_day = day if self.begin < self.end else day + timedelta(days=1)
            end = datetime.combine(end_day, self.end, self.zone)
            # Compared in UTC: two times of one zone are compared by their faces, whatever the clocks did between them.
            if begin.astimezone(UTC) <= now < end.astimezone(UTC):
                return (end.astimezone(UTC) - now).total_seconds()
        return 0.0


def parse_quiet_hours(text: str, zone: ZoneInfo) -> QuietHours | None:
    """Read `22:00-07:00`; None for an empty text.

    Raises:
        ValueError: it is no such span; the message says what one looks like.
    """
    if not text:
        return None
    found = _SPAN.fullmatch(text.replace(" ", ""))
    if found is None:
        raise ValueError("must be a span of hours such as 22:00-07:00, or empty")
    begin, end = (time(int(found[hour]), int(found[hour + 1])) for hour in (1, 3))
    if begin == end:
        raise ValueError("must begin and end at different times")
    return QuietHours(begin, end, zone)

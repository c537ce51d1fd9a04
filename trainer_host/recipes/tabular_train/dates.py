"""Date columns: reads the usual notations, and makes the 14 calendar features of each date."""

import math
from calendar import monthrange
from collections.abc import Callable
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from headway.contract.errors import echo
from headway.contract.recipes import UserInputFailure
from trainer_host.recipes.tabular_train.texts import Texts

LONGEST_DATE_CHARACTERS = 40
"""Anything longer is refused unread."""

DATE_FORMATS = ("iso", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y")
"""In the order in which they are tried; the first under which every value of a column is a date is the column's."""

_DAYS_A_YEAR = 365.25
_FULL_TURN = 2 * math.pi


def _on_circle(function: Callable[[float], float], position: float, period: float) -> float:
    """Months 12 and 1 are neighbours: on a circle they are close, as numbers they are not."""
    return function(_FULL_TURN * position / period)


_PARTS: dict[str, Callable[[date], float]] = {
    "year": lambda day: day.year,
    "month": lambda day: day.month,
    "day": lambda day: day.day,
    "dayofweek": lambda day: day.weekday(),
    "dayofyear": lambda day: day.timetuple().tm_yday,
    "weekofyear": lambda day: day.isocalendar().week,
    "is_month_start": lambda day: float(day.day == 1),
    "is_month_end": lambda day: float(day.day == monthrange(day.year, day.month)[1]),
    "month_sin": lambda day: _on_circle(math.sin, day.month - 1, 12),
    "month_cos": lambda day: _on_circle(math.cos, day.month - 1, 12),
    "dayofweek_sin": lambda day: _on_circle(math.sin, day.weekday(), 7),
    "dayofweek_cos": lambda day: _on_circle(math.cos, day.weekday(), 7),
    "dayofyear_sin": lambda day: _on_circle(math.sin, day.timetuple().tm_yday - 1, _DAYS_A_YEAR),
    "dayofyear_cos": lambda day: _on_circle(math.cos, day.timetuple().tm_yday - 1, _DAYS_A_YEAR),
}

DATE_PARTS = tuple(_PARTS)
"""The features made of one date, in their order; a feature is named `{column}__{part}`."""


def find_format(column: str, texts: Texts) -> str:
    """The notation in which every present value of a column is a date.

    Raises:
        UserInputFailure: INVALID_DATE: there is none; the column and a value are named.
    """
    present = texts.present()
    furthest, culprit = -1, ""
    for date_format in DATE_FORMATS:
        position = next((place for place, text in enumerate(present) if parse_date(text, date_format) is None), None)
        if position is None:
            return date_format
        if position > furthest:
            furthest, culprit = position, present[position]
    raise UserInputFailure("INVALID_DATE", f"column {echo(column)}: {echo(culprit)} is not a date that all rows share")


def expand(column: str, texts: Texts, date_format: str) -> NDArray[np.float64]:
    """The calendar features of a column.

    Returns:
        rows x 14, NaN where the date is absent.

    Raises:
        UserInputFailure: INVALID_DATE: a value does not follow the notation.
    """
    counts = texts.counts().tolist()
    of_day: dict[date, tuple[float, ...]] = {}
    parts = np.full((len(texts.words), len(DATE_PARTS)), math.nan)
    for code, text in enumerate(texts.words):
        if counts[code]:
            day = parse_date(text, date_format)
            if day is None:
                raise UserInputFailure(
                    "INVALID_DATE",
                    f"column {echo(column)}: {echo(text)} is not a date as the others of the column are; mend it, or "
                    "leave it empty",
                )
            if day not in of_day:
                of_day[day] = tuple(part(day) for part in _PARTS.values())
            parts[code] = of_day[day]
    return texts.spread(parts, math.nan)


def parse_date(text: str, date_format: str) -> date | None:
    """The date that a text is in a notation of DATE_FORMATS; None where it is none."""
    if len(text) > LONGEST_DATE_CHARACTERS:
        return None
    try:
        if date_format == "iso":
            return datetime.fromisoformat(text).date()
        return datetime.strptime(text, date_format).date()  # noqa: DTZ007 - a calendar date has no time zone
    except ValueError:
        return None

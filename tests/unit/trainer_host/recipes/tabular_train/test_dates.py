import math
import time
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from headway.contract.recipes import UserInputFailure
from trainer_host.recipes.tabular_train.dates import DATE_PARTS, expand, find_format
from trainer_host.recipes.tabular_train.texts import Texts


def parts_of(text: str, date_format: str = "iso") -> dict[str, float]:
    return dict(zip(DATE_PARTS, expand("when", Texts.of([text]), date_format)[0].tolist(), strict=True))


def test_a_date_makes_fourteen_features() -> None:
    assert (
        " ".join(DATE_PARTS) == "year month day dayofweek dayofyear weekofyear is_month_start is_month_end "
        "month_sin month_cos dayofweek_sin dayofweek_cos dayofyear_sin dayofyear_cos"
    )


def test_the_features_of_a_leap_day() -> None:
    parts = parts_of("2024-02-29")

    assert [parts[name] for name in DATE_PARTS[:8]] == [2024, 2, 29, 3, 60, 9, 0, 1]
    assert parts["month_sin"] == pytest.approx(math.sin(2 * math.pi / 12))
    assert parts["dayofweek_cos"] == pytest.approx(math.cos(2 * math.pi * 3 / 7))
    assert parts["dayofyear_sin"] == pytest.approx(math.sin(2 * math.pi * 59 / 365.25))


@pytest.mark.parametrize(
    ("text", "start", "end"), [("2023-01-01", 1, 0), ("2023-02-28", 0, 1), ("2024-02-28", 0, 0), ("9999-12-31", 0, 1)]
)
def test_the_edges_of_a_month(text: str, start: float, end: float) -> None:
    parts = parts_of(text)
    assert (parts["is_month_start"], parts["is_month_end"]) == (start, end)


def test_neighbours_in_time_are_near_on_the_circle() -> None:
    december, january, july = (parts_of(f"2023-{month}-15") for month in ("12", "01", "07"))

    def distance(a: dict[str, float], b: dict[str, float]) -> float:
        return math.hypot(a["month_sin"] - b["month_sin"], a["month_cos"] - b["month_cos"])

    assert distance(december, january) < distance(december, july)


@pytest.mark.parametrize(
    ("texts", "date_format"),
    [
        (["2023-01-31"], "iso"),
        (["2023-01-31T10:20:30"], "iso"),
        (["2023-01-31 10:20:30+02:00"], "iso"),
        (["2023/01/31", "2023/2/1"], "%Y/%m/%d"),
        (["31.01.2023"], "%d.%m.%Y"),
        (["01/31/2023"], "%m/%d/%Y"),
        (["01/02/2023", "31/01/2023"], "%d/%m/%Y"),
        ([None, "2023-01-31"], "iso"),
    ],
)
def test_the_notation_is_the_one_that_fits_every_value(texts: list[str | None], date_format: str) -> None:
    assert find_format("when", Texts.of(texts)) == date_format


@pytest.mark.parametrize("text", ["9999-99-99", "yesterday", "2023", "1.5", "2023-13-01", "32.01.2023", "=1+1"])
def test_what_is_no_date_is_named_with_its_column(text: str) -> None:
    with pytest.raises(UserInputFailure, match="'when'") as failure:
        find_format("when", Texts.of(["2023-01-31", text]))
    assert failure.value.reason == "INVALID_DATE"
    assert text in failure.value.message


@pytest.mark.parametrize(
    "text", ["1" * 10_000_000, "(" * 10_000_000, "2023-01-01" + " " * 1_000_000 + "x", "1 " * 5_000_000 + "x"]
)
def test_a_huge_text_is_refused_at_once(text: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(UserInputFailure) as failure:
        find_format("when", Texts.of([text]))
    assert time.perf_counter() - begin < 0.5
    assert len(failure.value.message) < 300


def test_notations_are_not_mixed_within_a_column() -> None:
    with pytest.raises(UserInputFailure):
        find_format("when", Texts.of(["2023-01-31", "31.01.2023"]))


def test_an_absent_date_has_no_parts() -> None:
    assert np.isnan(expand("when", Texts.of([None, "2023-01-31"]), "iso")[0]).all()


def test_each_day_of_years_agrees_with_the_calendar() -> None:
    for offset in range(0, 4 * 366, 7):
        day = date(2020, 1, 1) + timedelta(days=offset)
        parts = parts_of(day.isoformat())
        assert parts["dayofyear"] == day.timetuple().tm_yday
        assert parts["weekofyear"] == day.isocalendar().week
        assert parts["is_month_end"] == float((day + timedelta(days=1)).day == 1)


def test_a_time_of_day_does_not_matter() -> None:
    noon = datetime(2023, 5, 6, 12, 30)  # noqa: DTZ001 - tables hold naive times
    assert parts_of(noon.isoformat()) == parts_of("2023-05-06")

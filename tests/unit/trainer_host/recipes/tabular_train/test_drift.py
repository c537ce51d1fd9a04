import math

import numpy as np

from trainer_host.recipes.tabular_train.drift import OutOfRange, Unreadable, Unseen, fill, find_drift, needed_columns
from trainer_host.recipes.tabular_train.fitting import find_date_formats, fit
from trainer_host.recipes.tabular_train.limits import MAX_CATEGORIES
from trainer_host.recipes.tabular_train.preprocess import Preprocess, TargetColumn
from trainer_host.recipes.tabular_train.sources import TypedSource
from trainer_host.recipes.tabular_train.table import Table, read_table

TARGET = TargetColumn(column="y", task="classification", classes=("a", "b"))
TRAIN: dict[str, list[object]] = {
    "size": [1, 2, None, 9],
    "colour": ["red", "blue", "red", None],
    "day": ["2023-01-31", None, "2024-05-06", "2024-05-07"],
    "empty": [None, None, None, None],
}


def a_model(columns: dict[str, list[object]] = TRAIN) -> Preprocess:
    dates = [name for name in columns if name == "day"]
    train = read_table(TypedSource(list(columns), list(columns.values())), as_text=dates)
    formats = find_date_formats(train, tuple(dates))
    return fit(train, target=TARGET, dates=formats, excluded=("note",))[0]


def a_table(preprocess: Preprocess, columns: dict[str, list[object]]) -> tuple[list[str], Table]:
    source = TypedSource(list(columns), list(columns.values()))
    return list(columns), read_table(source, as_text=preprocess.text_columns)


def test_the_training_rows_do_not_differ_from_themselves() -> None:
    model = a_model()
    drift = find_drift(model, *a_table(model, {**TRAIN, "y": ["a"] * 4, "note": ["x"] * 4}))
    assert not drift.is_any
    assert drift.num_rows == 4


def test_columns_that_are_missing_or_unknown_are_named() -> None:
    model = a_model()
    drift = find_drift(model, *a_table(model, {"colour": ["red"], "new": [1], "other": ["x"]}))
    assert drift.unknown_columns == ("new", "other")
    assert drift.missing_columns == ("size", "day")
    assert needed_columns(model) == ("size", "day", "colour")


def test_cells_that_cannot_be_read_are_counted_by_column() -> None:
    model = a_model()
    rows: dict[str, list[object]] = {
        "size": [1, "two", "three", "two"],
        "colour": ["red"] * 4,
        "day": ["2023-02-01", None, "31.01.2023", "soon"],
    }
    drift = find_drift(model, *a_table(model, rows))
    assert drift.unreadable == (
        Unreadable("size", num_rows=3, first_row=2, examples=("two", "three")),
        Unreadable("day", num_rows=2, first_row=3, examples=("31.01.2023", "soon")),
    )
    assert not drift.out_of_range


def test_texts_that_are_no_category_are_counted() -> None:
    model = a_model()
    rows: dict[str, list[object]] = {**TRAIN, "colour": ["green", "red", "green", "NA"]}
    assert find_drift(model, *a_table(model, rows)).unseen == (Unseen("colour", 2, ("green",), may_be_rare=False),)


def test_a_text_beyond_the_cap_may_have_been_seen() -> None:
    many: dict[str, list[object]] = {"id": [f"c{index:03}" for index in range(MAX_CATEGORIES + 5)]}
    model = a_model(many)
    unseen = find_drift(model, *a_table(model, many)).unseen
    assert [(item.column, item.num_rows, item.may_be_rare, len(item.examples)) for item in unseen] == [
        ("id", 5, True, 5)
    ]


def test_numbers_and_years_outside_of_the_training_range_are_counted() -> None:
    model = a_model()
    rows: dict[str, list[object]] = {
        "size": [0.5, 9, 10, 11],
        "colour": ["red"] * 4,
        "day": ["2022-12-31", "2023-01-01", "2024-12-31", "2031-01-01"],
    }
    assert find_drift(model, *a_table(model, rows)).out_of_range == (
        OutOfRange("size", 3, least=1, greatest=9, lowest=0.5, highest=11),
        OutOfRange("day", 2, least=2023, greatest=2024, lowest=2022, highest=2031),
    )


def test_readable_numbers_are_compared_beside_cells_that_are_none() -> None:
    model = a_model()
    rows: dict[str, list[object]] = {"size": ["x", 100], "colour": ["red"] * 2, "day": [None, None]}
    drift = find_drift(model, *a_table(model, rows))
    assert drift.out_of_range == (OutOfRange("size", 1, least=1, greatest=9, lowest=100, highest=100),)


def test_a_model_of_an_earlier_version_has_no_ranges() -> None:
    old = a_model().model_dump(mode="json")
    for feature in old["numeric"]:
        del feature["least"], feature["greatest"]
    del old["empty"]
    model = Preprocess.model_validate(old)
    rows: dict[str, list[object]] = {"size": [1e9], "colour": ["red"], "day": ["1900-01-01"]}
    assert not find_drift(model, *a_table(model, rows)).is_any


def test_filled_rows_are_what_the_model_takes() -> None:
    model = a_model()
    _, table = a_table(model, {"size": ["2", "two"], "day": ["2024-05-06", "soon"]})

    filled = fill(model, table)

    np.testing.assert_array_equal(filled.numbers["size"], [2, math.nan])
    assert list(filled.texts["day"]) == ["2024-05-06", None]
    assert list(filled.texts["colour"]) == [None, None]
    features = model.features(filled)
    assert np.isfinite(features).all()
    assert features[0, model.feature_names.index("colour=(other)")] == 1


def test_rows_that_fit_are_not_changed_by_filling() -> None:
    model = a_model()
    _, table = a_table(model, TRAIN)
    np.testing.assert_array_equal(model.features(fill(model, table)), model.features(table))

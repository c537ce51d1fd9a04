from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headway.contract.recipes import RecipeInput, UserInputFailure
from headway.testing.attempts import SilentContext
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from tests.excel_files import old_excel
from trainer_host.recipes.tabular_train import preparation, table
from trainer_host.recipes.tabular_train.preparation import Data, load, prepare
from trainer_host.recipes.tabular_train.preprocess import Matrix
from trainer_host.recipes.tabular_train.spec import resolve_spec


def a_context(folder: Path, text: str, spec: TabularTrainSpec) -> SilentContext:
    path = folder / "t.csv"
    path.write_text(text, encoding="utf-8")
    return SilentContext(
        spec=JobSpec(tabular_train=spec), inputs={"table": RecipeInput(path, "csv", "t.csv")}, folder=folder
    )


def loaded(context: SilentContext) -> Data:
    return load(context, resolve_spec(context.spec))


ROWS = "\n".join(f"{row},{'ab'[row % 2]},2023-01-{1 + row % 28:02},{'xy'[row % 2]}" for row in range(120))
MIXED = TabularTrainSpec(target_column="y", date_columns=["day"])


def test_each_part_is_the_features_of_its_rows(tmp_path: Path) -> None:
    context = a_context(tmp_path, f"n,t,day,y\n{ROWS}\n", MIXED)
    data = loaded(context)

    preprocess, tensors = prepare(context, resolve_spec(context.spec), data)

    whole = preprocess.features(data.table)
    for rows, part in (
        (data.split.train, tensors.train),
        (data.split.validation, tensors.validation),
        (data.split.test, tensors.test),
    ):
        np.testing.assert_array_equal(part.features.numpy(), whole[rows])
        np.testing.assert_array_equal(part.targets.numpy(), data.labels.indices[rows])


def test_a_table_that_would_not_fit_into_memory_is_refused_with_its_widest_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = a_context(tmp_path, f"n,t,day,y\n{ROWS}\n", MIXED)
    monkeypatch.setattr(preparation, "FEATURES_MAX_BYTES", 1000)
    with pytest.raises(UserInputFailure, match="'day'") as failure:
        prepare(context, resolve_spec(context.spec), loaded(context))
    assert failure.value.reason == "TABLE_TOO_LARGE"


def test_rows_without_a_target_are_left_out_whether_it_is_a_number_or_a_text(tmp_path: Path) -> None:
    spec = TabularTrainSpec(target_column="y")
    numbers = loaded(a_context(tmp_path, "x,y\n1,1\n2,\n3,2\n4,1\n5,NA\n6,2\n", spec))
    texts = loaded(a_context(tmp_path, "x,y\n1,a\n2,\n3,b\n4,a\n5,NA\n6,b\n", spec))
    for data in (numbers, texts):
        assert (data.num_dropped, data.table.num_rows) == (2, 4)
        assert data.labels.indices.tolist() == [0, 1, 0, 1]
        assert data.table.numbers["x"].tolist() == [1, 3, 4, 6]
        assert list(data.table.numbers) == ["x"], "the target is no feature"


def test_a_sheet_of_an_old_workbook_is_a_table_with_dates(tmp_path: Path) -> None:
    path = tmp_path / "t.xls"
    path.write_bytes(old_excel())
    spec = TabularTrainSpec(target_column="size", date_columns=["day"], sheet_name="People")
    context = SilentContext(
        spec=JobSpec(tabular_train=spec), inputs={"table": RecipeInput(path, "", "t.xls")}, folder=tmp_path
    )
    with pytest.raises(UserInputFailure, match="2 rows have a target"):
        loaded(context)


def test_weather_is_the_same_table_in_each_format_and_by_each_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv = tmp_path / "weather.csv"
    csv.write_bytes(seattle_weather())
    pl.read_csv(csv, try_parse_dates=True).write_parquet(tmp_path / "weather.parquet")
    spec = TabularTrainSpec(target_column="weather", date_columns=["date"])

    def features(name: str) -> tuple[tuple[str, ...], Matrix]:
        inputs = {"table": RecipeInput(tmp_path / name, name.rpartition(".")[2], name)}
        context = SilentContext(spec=JobSpec(tabular_train=spec), inputs=inputs, folder=tmp_path)
        data = loaded(context)
        preprocess, tensors = prepare(context, resolve_spec(context.spec), data)
        assert (data.num_dropped, data.labels.classes) == (0, ("drizzle", "fog", "rain", "snow", "sun"))
        return preprocess.feature_names, tensors.train.features.numpy()

    names, exact = features("weather.csv")
    assert names[:5] == ("precipitation", "temp_max", "temp_min", "wind", "date__year")
    assert len(names) == 4 + 14
    np.testing.assert_array_equal(features("weather.parquet")[1], exact)
    monkeypatch.setattr(table, "LARGE_CSV_BYTES", 1)
    monkeypatch.setattr(table, "read_rows", None)
    np.testing.assert_array_equal(features("weather.csv")[1], exact)


def seattle_weather() -> bytes:
    """1,461 days of weather in Seattle, which vega-datasets ships."""
    found = find_spec("vega_datasets")
    assert found is not None
    assert found.origin is not None
    return (Path(found.origin).parent / "_data" / "seattle-weather.csv").read_bytes()

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import load_file

from headway.contract.architectures import parse_architecture
from headway.contract.errors import InvalidTable
from headway.contract.recipes import UserInputFailure
from tests.attempt_runs import finished, train_table, train_text
from tests.real_tables import write_table
from trainer_host.recipes.tabular_train import predict
from trainer_host.recipes.tabular_train.model import ForwardPass, TabularModel
from trainer_host.recipes.tabular_train.predict import Floats, Predictor, Rows, labels_of, main
from trainer_host.recipes.tabular_train.sources import CsvSource, TypedSource

MODES = ["mlp_dense", "linear_glm_baseline", "tabresnet"]


def all_answers(predictor: Predictor, rows: Rows) -> Floats:
    return np.concatenate(list(predictor.answers(rows.features)))


def truth_of(table: Path) -> list[str]:
    return [line.rpartition(",")[2] for line in table.read_text(encoding="utf-8").splitlines()[1:]]


@pytest.mark.parametrize("mode", MODES)
def test_the_answers_are_those_of_the_trained_model(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "ROWS_A_CHUNK", 7)
    bundle = Path(finished(train_table(tmp_path, write_table("wine", tmp_path), training_mode=mode)).bundle_dir)
    architecture = parse_architecture((bundle / "model.json").read_bytes())
    model = TabularModel(architecture)
    model.load_state_dict(load_file(bundle / "model.safetensors"))
    features = torch.randn(20, architecture.input_dim)

    with torch.no_grad():
        expected = ForwardPass(model)(features, training=False).double().softmax(dim=1).numpy()
    parts = list(Predictor.of_folder(bundle).answers(features.numpy()))

    assert [len(part) for part in parts] == [7, 7, 6]
    assert_allclose(np.concatenate(parts), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("mode", MODES)
def test_predicting_the_table_gives_the_accuracy_that_was_reported(tmp_path: Path, mode: str) -> None:
    """The whole way from text to label, compared with the figures of training on rows that are all alike to it."""
    table = write_table("wine", tmp_path)
    outcome = finished(train_table(tmp_path / "work", table, epochs=40, learning_rate=0.01, training_mode=mode))
    predictor = Predictor.of_folder(Path(outcome.bundle_dir))

    probabilities = all_answers(predictor, predictor.read(CsvSource(table)))

    labels = labels_of(predictor.classes, probabilities)
    assert np.mean([label == true for label, true in zip(labels, truth_of(table), strict=True)]) > 0.9
    assert_allclose(probabilities.sum(axis=1), 1)


def test_a_regression_answers_in_the_targets_unit(tmp_path: Path) -> None:
    table = write_table("diabetes", tmp_path)
    outcome = finished(train_table(tmp_path / "work", table, epochs=30))
    predictor = Predictor.of_folder(Path(outcome.bundle_dir))

    numbers = all_answers(predictor, predictor.read(CsvSource(table)))

    assert (predictor.task, predictor.classes, numbers.shape[1]) == ("regression", (), 1)
    assert np.sqrt(((numbers[:, 0] - np.array(truth_of(table), dtype=float)) ** 2).mean()) < 60


@pytest.fixture(scope="module")
def mixed_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = ["when,size,colour,target"]
    rows += [f"2023-{1 + i % 12:02}-15,{i / 10},{['red', 'blue'][i % 2]},{'ab'[i % 2]}" for i in range(120)]
    outcome = train_text(tmp_path_factory.mktemp("mixed"), "\n".join(rows), date_columns=["when"], epochs=20)
    return Path(finished(outcome).bundle_dir)


def read_text(bundle: Path, folder: Path, text: str, *, imputes: bool = False) -> tuple[list[str], Rows]:
    path = folder / "rows.csv"
    path.write_text(text, encoding="utf-8")
    predictor = Predictor.of_folder(bundle)
    rows = predictor.read(CsvSource(path), impute_missing_columns=imputes)
    return labels_of(predictor.classes, all_answers(predictor, rows)), rows


def test_dates_texts_and_absent_values_are_prepared_as_in_training(mixed_bundle: Path, tmp_path: Path) -> None:
    text = "colour,when,size,more\nred,2023-05-15,1.5,x\nblue,2023-06-15,,y\nblue,NA,nan,z\n"
    labels, rows = read_text(mixed_bundle, tmp_path, text)

    assert labels == ["a", "b", "b"]
    assert rows.drift.unknown_columns == ("more",)


def test_the_target_is_neither_needed_nor_unknown(mixed_bundle: Path, tmp_path: Path) -> None:
    labels, rows = read_text(mixed_bundle, tmp_path, "colour,when,size,target\nred,2023-05-15,1.5,whatever\n")

    assert labels == ["a"]
    assert not rows.drift.is_any


def test_a_category_never_seen_is_answered_and_told(mixed_bundle: Path, tmp_path: Path) -> None:
    labels, rows = read_text(mixed_bundle, tmp_path, "colour,when,size\n1,2023-05-15,1.5\nred,2023-05-15,1.5\n")

    assert len(labels) == 2
    assert [(one.column, one.num_rows, one.examples) for one in rows.drift.unseen] == [("colour", 1, ("1",))]


def test_what_cannot_be_read_counts_as_absent_and_is_told(mixed_bundle: Path, tmp_path: Path) -> None:
    good, _ = read_text(mixed_bundle, tmp_path, "colour,when,size\nred,,\nblue,2023-05-15,2\n")
    labels, rows = read_text(mixed_bundle, tmp_path, "colour,when,size\nred,15.05.23x,large\nblue,2023-05-15,2\n")

    assert labels == good
    assert {one.column: one.examples for one in rows.drift.unreadable} == {"size": ("large",), "when": ("15.05.23x",)}


def test_missing_columns_are_refused_all_by_name(mixed_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UserInputFailure, match="the columns 'size', 'when'") as refusal:
        read_text(mixed_bundle, tmp_path, "colour\nred\n")
    assert refusal.value.reason == "MISSING_COLUMN"


def test_missing_columns_count_as_absent_on_the_callers_word(mixed_bundle: Path, tmp_path: Path) -> None:
    expected, _ = read_text(mixed_bundle, tmp_path, "colour,when,size\nred,,\nblue,,\n")
    labels, rows = read_text(mixed_bundle, tmp_path, "colour\nred\nblue\n", imputes=True)

    assert labels == expected
    assert set(rows.drift.missing_columns) == {"size", "when"}


def test_rows_without_any_known_column_are_counted_all_the_same(mixed_bundle: Path, tmp_path: Path) -> None:
    labels, _ = read_text(mixed_bundle, tmp_path, "x,y\n1,2\n3,4\n5,6\n", imputes=True)

    assert len(labels) == 3


def test_a_header_alone_is_refused(mixed_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises((UserInputFailure, InvalidTable), match="row"):
        read_text(mixed_bundle, tmp_path, "colour,when,size\n")


def test_a_single_row_of_typed_values_is_answered(mixed_bundle: Path) -> None:
    predictor = Predictor.of_folder(mixed_bundle)
    rows = predictor.read(TypedSource(["size", "colour", "when"], [[1.5], ["blue"], ["2023-05-15"]]))

    assert labels_of(predictor.classes, all_answers(predictor, rows)) == ["b"]


def test_the_command_prints_json(mixed_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("colour,when,size\nred,2023-05-15,1.5\n", encoding="utf-8")

    assert main([str(mixed_bundle), str(rows)]) == 0

    printed = json.loads(capsys.readouterr().out)
    assert printed[0]["prediction"] == "a"
    assert set(printed[0]["probabilities"]) == {"a", "b"}


@pytest.mark.parametrize("arguments", [[], ["nowhere"], ["nowhere", "nothing.csv"]])
def test_the_command_says_what_is_wrong(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err

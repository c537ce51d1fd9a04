import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from headway.contract.architectures import parse_architecture
from headway.contract.recipes import UserInputFailure
from tests.attempt_runs import finished, train_table, train_text
from tests.real_tables import write_table
from trainer_host.recipes.tabular_train.model import ForwardPass, TabularModel
from trainer_host.recipes.tabular_train.predict import Predictor, forward, main
from trainer_host.recipes.tabular_train.sources import CsvSource

MODES = ["mlp_dense", "linear_glm_baseline"]


@pytest.mark.parametrize("mode", MODES)
def test_the_outputs_are_those_of_the_trained_model(tmp_path: Path, mode: str) -> None:
    table = write_table("wine", tmp_path)
    bundle = Path(finished(train_table(tmp_path / "work", table, training_mode=mode)).bundle_dir)
    architecture = parse_architecture((bundle / "model.json").read_bytes())
    model = TabularModel(architecture)
    model.load_state_dict(load_file(bundle / "model.safetensors"))
    features = torch.randn(20, architecture.input_dim)

    with torch.no_grad():
        expected = ForwardPass(model)(features, training=False).numpy()
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}

    np.testing.assert_allclose(forward(architecture, tensors, features.numpy()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_predicting_the_table_gives_the_accuracy_that_was_reported(tmp_path: Path, mode: str) -> None:
    """The whole way from text to label, compared with the figures of training on rows that are all alike to it."""
    table = write_table("wine", tmp_path)
    outcome = finished(train_table(tmp_path / "work", table, epochs=40, learning_rate=0.01, training_mode=mode))
    truth = [line.rpartition(",")[2] for line in table.read_text().splitlines()[1:]]

    predictions = Predictor(Path(outcome.bundle_dir)).predict(CsvSource(table))

    share = sum(p.value == label for p, label in zip(predictions, truth, strict=True)) / len(truth)
    assert share > 0.9
    assert all(math.isclose(sum(p.probabilities.values()), 1) for p in predictions)


def test_a_regression_answers_in_the_targets_unit(tmp_path: Path) -> None:
    table = write_table("diabetes", tmp_path)
    outcome = finished(train_table(tmp_path / "work", table, epochs=30))
    truth = np.array([float(line.rpartition(",")[2]) for line in table.read_text().splitlines()[1:]])

    predictions = Predictor(Path(outcome.bundle_dir)).predict(CsvSource(table))

    values = np.array([prediction.value for prediction in predictions])
    assert np.sqrt(((values - truth) ** 2).mean()) < 60
    assert predictions[0].probabilities == {}


@pytest.fixture
def mixed_bundle(tmp_path: Path) -> Path:
    rows = ["when,size,colour,target"]
    rows += [f"2023-{1 + i % 12:02}-15,{i / 10},{['red', 'blue'][i % 2]},{'ab'[i % 2]}" for i in range(120)]
    outcome = train_text(tmp_path, "\n".join(rows), date_columns=["when"], epochs=20)
    return Path(finished(outcome).bundle_dir)


def predict_text(bundle: Path, text: str) -> list[object]:
    path = bundle.parent / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return [prediction.value for prediction in Predictor(bundle).predict(CsvSource(path))]


def test_dates_texts_and_absent_values_are_prepared_as_in_training(mixed_bundle: Path) -> None:
    rows = "colour,when,size,more\nred,2023-05-15,1.5,x\nblue,2023-06-15,,y\nblue,NA,nan,z\n"
    assert predict_text(mixed_bundle, rows) == ["a", "b", "b"]


def test_a_category_never_seen_is_no_error(mixed_bundle: Path) -> None:
    assert predict_text(mixed_bundle, "colour,when,size\ngreen,2023-05-15,1.5\n")[0] in {"a", "b"}


def test_a_category_that_looks_like_a_number_is_a_category(mixed_bundle: Path) -> None:
    assert predict_text(mixed_bundle, "colour,when,size\n1,2023-05-15,1.5\n")[0] in {"a", "b"}


@pytest.mark.parametrize(
    ("text", "reason", "column"),
    [
        ("colour,size\nred,1\n", "MISSING_COLUMN", "when"),
        ("colour,when\nred,2023-05-15\n", "MISSING_COLUMN", "size"),
        ("colour,when,size\nred,2023-05-15,large\n", "NOT_A_NUMBER", "size"),
        ("colour,when,size\nred,15.05.2023,1\n", "INVALID_DATE", "when"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_column(mixed_bundle: Path, text: str, reason: str, column: str) -> None:
    with pytest.raises(UserInputFailure, match=column) as refusal:
        predict_text(mixed_bundle, text)
    assert refusal.value.reason == reason


def test_the_command_prints_json_and_needs_no_torch(mixed_bundle: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("colour,when,size\nred,2023-05-15,1.5\n", encoding="utf-8")
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from trainer_host.recipes.tabular_train.predict import main\n"
        f"sys.exit(main([{str(mixed_bundle)!r}, {str(rows)!r}]))"
    )

    answer = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)

    printed = json.loads(answer.stdout)
    assert printed[0]["prediction"] == "a"
    assert set(printed[0]["probabilities"]) == {"a", "b"}


@pytest.mark.parametrize("arguments", [[], ["nowhere"], ["nowhere", "nothing.csv"]])
def test_the_command_says_what_is_wrong(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err

"""Whole trainings on real tables, and the data files that must be refused (RELIABILITY, rows C1-C17)."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from headway.testing.attempts import SilentContext
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from tests.attempt_runs import an_order, failed, finished, run, train_table, train_text
from tests.real_tables import write_table
from trainer_host.child_messages import Finished
from trainer_host.recipes.tabular_train.evaluation import Metrics
from trainer_host.recipes.tabular_train.predict import Predictor, labels_of
from trainer_host.recipes.tabular_train.preprocess import Preprocess
from trainer_host.recipes.tabular_train.recipe import make_recipe
from trainer_host.recipes.tabular_train.sources import CsvSource
from trainer_host.reports import MemoryReport

BUNDLE = {
    "model.safetensors",
    "model.json",
    "preprocess.json",
    "metrics.json",
    "history.csv",
    "loss.svg",
    "logs.jsonl",
    "manifest.json",
}


LINEAR = {"training_mode": " Linear_GLM_baseline "}


def metrics_of(outcome: Finished) -> Metrics:
    return Metrics.model_validate_json((Path(outcome.bundle_dir) / "metrics.json").read_bytes())


def preprocess_of(outcome: Finished) -> Preprocess:
    return Preprocess.model_validate_json((Path(outcome.bundle_dir) / "preprocess.json").read_bytes())


@pytest.mark.parametrize(
    ("name", "fields", "task", "metric", "bound"),
    [
        ("iris", {"epochs": 60}, "classification", "accuracy", 0.93),
        (
            "iris",
            {"epochs": 100, "learning_rate": 0.05, "training_mode": " Linear_GLM_baseline "},
            "classification",
            "accuracy",
            0.9,
        ),
        ("wine", {"epochs": 40}, "classification", "accuracy", 0.94),
        ("breast_cancer", {"epochs": 20}, "classification", "accuracy", 0.93),
        ("digits", {"epochs": 15}, "classification", "accuracy", 0.94),
        ("diabetes", {"epochs": 30}, "regression", "rmse", 64.0),
        ("diabetes", {**LINEAR, "epochs": 100, "learning_rate": 0.01}, "regression", "rmse", 64.0),
    ],
)
def test_a_real_table_is_learned(
    tmp_path: Path, name: str, fields: dict[str, object], task: str, metric: str, bound: float
) -> None:
    outcome = finished(train_table(tmp_path / "work", write_table(name, tmp_path), **fields))

    summary = outcome.summary
    assert (summary.task, summary.headline_metric) == (task, metric)
    good_enough = summary.headline_value >= bound if metric == "accuracy" else summary.headline_value <= bound
    assert good_enough, f"{metric} {summary.headline_value}"
    assert summary.metrics["test_metric_value"] == summary.headline_value
    assert {"train_loss", "test_loss"} <= set(summary.metrics)
    assert {artifact.path for artifact in outcome.artifacts} == BUNDLE
    assert (summary.metrics["baseline_value"] < bound) == (metric == "accuracy"), "better than always the same answer"


def test_the_result_holds_what_a_user_expects_beside_the_loss(tmp_path: Path) -> None:
    outcome = finished(train_table(tmp_path / "work", write_table("iris", tmp_path), epochs=5))
    metrics = metrics_of(outcome)

    assert {row.label for row in metrics.per_class} == {"setosa", "versicolor", "virginica"}
    assert sum(map(sum, metrics.confusion_matrix)) == 30
    assert [entry.epoch for entry in metrics.history] == [1, 2, 3, 4, 5]
    assert metrics.num_rows == {"train": 108, "validation": 12, "test": 30, "target_missing": 0}
    history = (Path(outcome.bundle_dir) / "history.csv").read_text().splitlines()
    assert history[0] == "epoch,train_loss,validation_loss"
    assert len(history) == 6


def test_the_validation_rows_choose_the_epoch_and_the_test_rows_do_not(tmp_path: Path) -> None:
    outcome = finished(train_table(tmp_path / "work", write_table("breast_cancer", tmp_path), epochs=30))
    metrics = metrics_of(outcome)

    losses = {e.epoch: e.validation_loss for e in metrics.history if e.validation_loss is not None}
    assert metrics.best_epoch == min(losses, key=losses.__getitem__)
    assert metrics.validation_loss == pytest.approx(losses[metrics.best_epoch], rel=1e-5)
    assert metrics.validation_loss != pytest.approx(metrics.test_loss, rel=1e-3)


def test_the_log_names_the_steps(tmp_path: Path) -> None:
    report = MemoryReport()
    spec = JobSpec(tabular_train=TabularTrainSpec(target_column="target", epochs=2))
    run(an_order(tmp_path / "work", spec, table=write_table("iris", tmp_path)), report=report)

    assert [line.message for line in report.lines if line.level == "info"] == [
        "Step 1: Loading data",
        "Step 2: Preparing features",
        "Step 3: Training",
        "Step 4: Evaluating",
        "Step 5: Writing the bundle",
        "Step 6: Writing the manifest",
    ]
    phases = list(dict.fromkeys(progress.phase for progress in report.progresses))
    assert phases == ["LOADING_DATA", "TRAINING", "EVALUATING", "EXPORTING"]


def iris_text(tmp_path: Path) -> list[str]:
    return write_table("iris", tmp_path).read_text(encoding="utf-8").splitlines()


def test_rows_without_a_target_are_dropped_and_counted(tmp_path: Path) -> None:
    lines = [*iris_text(tmp_path), "1,2,3,4,", "1,2,3,4,NA", "1,2,3,4,."]
    outcome = finished(train_text(tmp_path, "\n".join(lines)))

    assert metrics_of(outcome).num_rows["target_missing"] == 3
    assert outcome.summary.metrics["num_rows_target_missing"] == 3
    assert any("3 of 153 rows" in warning for warning in outcome.summary.warnings)


def test_missing_values_texts_and_dates_are_taken_as_they_come(tmp_path: Path) -> None:
    rows = ["when;size;colour;target"]
    for i in range(240):
        size, colour = i / 10 if i % 7 else "n/a", ["red", "red", "blue", ""][i % 4]
        rows.append(f"2023-{1 + i % 12:02}-15;{size};{colour};{'hot' if 4 <= i % 12 <= 8 else 'cold'}")

    outcome = finished(train_text(tmp_path, "\ufeff" + "\n".join(rows), date_columns=["when"], epochs=40))

    names = preprocess_of(outcome).feature_names
    assert names[:2] == ("size", "when__year")
    assert names[-3:] == ("colour=red", "colour=blue", "colour=(other)")
    assert "when" not in names
    assert outcome.summary.headline_value > 0.9, "the month decides"


def test_excluded_columns_are_no_features(tmp_path: Path) -> None:
    outcome = finished(train_text(tmp_path, "\n".join(iris_text(tmp_path)), exclude_columns=["x1, x3"]))
    preprocess = preprocess_of(outcome)
    assert preprocess.feature_names == ("x2", "x4")
    assert preprocess.excluded == ("x1", "x3")


def test_only_the_training_rows_decide_about_preprocessing(tmp_path: Path) -> None:
    """Shift one feature of the test rows: nothing that was fitted may move."""
    lines = iris_text(tmp_path)
    first = finished(train_text(tmp_path / "a", "\n".join(lines)))
    test_lines = _test_lines(first, lines)
    moved = list(lines)
    for place, line in enumerate(lines):
        if place and line in test_lines:
            moved[place] = f"1000,{line.split(',', 1)[1]}"

    second = finished(train_text(tmp_path / "b", "\n".join(moved)))

    assert moved != lines
    without_rows = {"held_out": None}
    assert preprocess_of(first).model_copy(update=without_rows) == preprocess_of(second).model_copy(update=without_rows)


def _test_lines(outcome: Finished, lines: list[str]) -> set[str]:
    from trainer_host.recipes.tabular_train.split import split_rows

    labels = np.unique([line.rpartition(",")[2] for line in lines[1:]], return_inverse=True)[1]
    split = split_rows(len(lines) - 1, labels.astype(np.int64), test_size=0.2, seed=42)
    used = {lines[1 + row] for row in (*split.train.tolist(), *split.validation.tolist())}
    return {lines[1 + row] for row in split.test.tolist()} - used


FOUR = "1,a\n2,b\n3,a\n4,b\n"
REFUSED: dict[str, tuple[str | bytes, dict[str, object], str, str]] = {
    "C1 empty": ("", {}, "NOT_ENOUGH_ROWS", "empty"),
    "C2 header only": ("x,target\n", {}, "DEGENERATE_TARGET|NOT_ENOUGH_ROWS", "no value|rows"),
    "C3 one row": ("x,target\n1,a\n", {}, "NOT_ENOUGH_ROWS", "row"),
    "three rows": ("x,target\n1,a\n2,b\n3,a\n", {}, "NOT_ENOUGH_ROWS", "4"),
    "C4 ragged": ("x,target\n1,a\n1\n" + FOUR, {}, "INVALID_TABLE", "line 3"),
    "C5 duplicate header": ("x,x,target\n1,2,a\n", {}, "INVALID_TABLE", "'x'"),
    "C6 empty header": ("x,,target\n1,2,a\n", {}, "INVALID_TABLE", "column 2"),
    "C7 NUL": (b"x,target\n1,a\n\0,b\n", {}, "ENCODING", "NUL"),
    "C8 UTF-16": (("x,target\n" + FOUR).encode("utf-16"), {}, "ENCODING", "UTF-8"),
    "C9 invalid UTF-8": (b"x,target\n1,\xff\xfe\n", {}, "ENCODING", "UTF-8"),
    "C11 endless field": (b"x,target\n" + b"1" * 3_000_000, {}, "FIELD_TOO_LONG", "bytes"),
    "C12 too many columns": (",".join(f"c{i}" for i in range(20_000)) + "\n", {}, "TOO_MANY_COLUMNS", "10000"),
    "C13 unclosed quote": ('x,target\n1,"a\n' + FOUR, {}, "FIELD_TOO_LONG", "quote"),
    "C15 one class": ("x,target\n1,a\n2,a\n3,a\n4,a\n", {}, "DEGENERATE_TARGET", "'target'"),
    "C15 a row a class": ("x,target\n1,a\n2,b\n3,c\n4,d\n", {}, "DEGENERATE_TARGET", "'target'"),
    "C15 constant": ("x,target\n1,5\n2,5\n3,5\n4,5\n", {"task": "TABULAR_TASK_REGRESSION"}, "DEGENERATE_TARGET", "5"),
    "C15 no target": ("x,target\n1,\n2,NA\n3,.\n4,null\n", {}, "DEGENERATE_TARGET", "no value"),
    "C16 no date": ("d,target\n9999-99-99,a\n" + FOUR, {"date_columns": ["d"]}, "INVALID_DATE", "9999-99-99"),
    "unknown target": ("x,y\n" + FOUR, {}, "COLUMNS", "'target'"),
    "unknown exclusion": ("x,target\n" + FOUR, {"exclude_columns": ["z"]}, "COLUMNS", "'z'"),
    "unknown date": ("x,target\n" + FOUR, {"date_columns": ["z"]}, "COLUMNS", "'z'"),
    "all excluded": ("x,target\n" + FOUR, {"exclude_columns": ["x"]}, "COLUMNS", "feature"),
    "no feature has a value": ("x,target\n,a\n,b\n,a\n,b\n", {}, "NO_FEATURES", "column"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_table_that_cannot_be_learned_is_the_users_to_mend(tmp_path: Path, case: str) -> None:
    content, fields, reason, said = REFUSED[case]
    table = tmp_path / "private-name.csv"
    table.write_bytes(content.encode() if isinstance(content, str) else content)

    outcome = failed(train_table(tmp_path / "work", table, **fields))

    assert outcome.failure_class == "USER_INPUT", outcome
    assert outcome.reason in reason.split("|"), outcome
    assert any(word in outcome.message for word in said.split("|")), outcome
    assert "private-name" not in outcome.message
    assert str(tmp_path) not in outcome.message


def test_lines_that_end_in_a_carriage_return_alone_are_read(tmp_path: Path) -> None:
    finished(train_text(tmp_path, "\r".join(iris_text(tmp_path))))


def test_a_formula_is_a_text_like_any_other(tmp_path: Path) -> None:
    rows = [f"\"=cmd|' /C calc'!A{i % 2}\",{'ab'[i % 2]}" for i in range(20)]
    outcome = finished(train_text(tmp_path, "\n".join(["x,target", *rows])))
    assert preprocess_of(outcome).feature_names == ("x==cmd|' /C calc'!A0", "x==cmd|' /C calc'!A1")


@pytest.mark.parametrize(
    "fields",
    [
        {"batch_size": 1},
        {"batch_size": 200},
        {"test_size": 0.99},
        {"test_size": 0.001},
        {"hidden_dim": 8, "num_hidden_layers": 15, "dropout": 0.9},
        {"dropout": 0},
        {"learning_rate": 1.0, "epochs": 20},
        {"random_seed": 4294967295},
        {"batch_size": 107},
        {"training_mode": "linear_glm_baseline", "batch_size": 1},
    ],
)
def test_the_edges_of_the_spec_train_to_finite_figures(tmp_path: Path, fields: dict[str, object]) -> None:
    outcome = finished(train_table(tmp_path / "work", write_table("iris", tmp_path), **{"epochs": 2, **fields}))
    assert all(math.isfinite(value) for value in outcome.summary.metrics.values())


def test_the_smallest_table_trains(tmp_path: Path) -> None:
    finished(train_text(tmp_path, "x,target\n" + FOUR))


@pytest.mark.parametrize("mode", ["imbalance_aware", "calibrated_classifier"])
def test_a_mode_for_classes_refuses_numbers(tmp_path: Path, mode: str) -> None:
    outcome = failed(train_table(tmp_path / "work", write_table("diabetes", tmp_path), training_mode=mode))
    assert (outcome.failure_class, outcome.reason) == ("USER_INPUT", "MODE_NOT_POSSIBLE")
    assert mode in outcome.message


@pytest.mark.parametrize(
    ("name", "mode", "bound"),
    [
        ("wine", "tabresnet", 0.94),
        ("wine", "imbalance_aware", 0.94),
        ("wine", "calibrated_classifier", 0.94),
        ("wine", "tree_teacher_distillation", 0.94),
        ("diabetes", "tabresnet", 64.0),
        ("diabetes", "tree_teacher_distillation", 64.0),
    ],
)
def test_every_mode_learns_a_real_table(tmp_path: Path, name: str, mode: str, bound: float) -> None:
    outcome = finished(
        train_table(tmp_path / "work", write_table(name, tmp_path), training_mode=mode, epochs=40, patience=10)
    )

    value = outcome.summary.headline_value
    assert value >= bound if name == "wine" else value <= bound, value
    taught = {name for name in outcome.summary.metrics if name.startswith("tree_teacher")}
    assert bool(taught) == (mode == "tree_teacher_distillation")
    assert ("expected_calibration_error" in outcome.summary.metrics) == (name == "wine")


def test_an_embedded_table_is_predicted_as_it_was_trained(tmp_path: Path) -> None:
    outcome = finished(
        train_table(
            tmp_path / "work",
            write_table("wine", tmp_path),
            number_embedding="NUMBER_EMBEDDING_PIECEWISE_LINEAR",
            epochs=30,
        )
    )

    predictor = Predictor.of_folder(Path(outcome.bundle_dir))
    rows = predictor.read(CsvSource(tmp_path / "wine.csv"))
    labels = labels_of(predictor.classes, np.concatenate(list(predictor.answers(rows.features))))

    truth = [line.rpartition(",")[2] for line in (tmp_path / "wine.csv").read_text().splitlines()[1:]]
    hits = [label == wanted for label, wanted in zip(labels, truth, strict=True)]
    assert sum(hits) / len(hits) > 0.95
    assert len(preprocess_of(outcome).feature_names) > 13 * 8


def test_the_result_says_what_each_column_is_worth_and_what_trees_reach(tmp_path: Path) -> None:
    outcome = finished(train_table(tmp_path / "work", write_table("iris", tmp_path), epochs=30))
    metrics = metrics_of(outcome)

    assert metrics.importances[0].column in {"x3", "x4"}, "of the petal"
    assert {one.column for one in metrics.importances} == {"x1", "x2", "x3", "x4"}
    assert metrics.boosted_tree is not None
    assert outcome.summary.metrics["boosted_tree_accuracy"] == metrics.boosted_tree.metric_value > 0.85
    assert sum(one.num_rows for one in metrics.calibration) == 30


def test_a_user_is_told_when_trees_are_clearly_better(tmp_path: Path) -> None:
    """A linear model cannot learn an exclusive or, and trees can."""
    rows = [
        "a,b,target",
        *(f"{i * 37 % 101},{i * 53 % 103},{(i * 37 % 101 > 50) != (i * 53 % 103 > 51)}" for i in range(600)),
    ]
    outcome = finished(train_text(tmp_path, "\n".join(rows), training_mode="linear_glm_baseline", epochs=5))

    [warning] = [text for text in outcome.summary.warnings if "boosted tree" in text]
    assert "on the same test rows" in warning
    assert metrics_of(outcome).boosted_tree is not None


def test_a_job_without_baseline_has_none(tmp_path: Path) -> None:
    outcome = finished(train_text(tmp_path, "\n".join(iris_text(tmp_path)), epochs=2, boosted_tree_baseline=False))
    assert metrics_of(outcome).boosted_tree is None
    assert "boosted_tree_accuracy" not in outcome.summary.metrics


def test_huge_numbers_do_not_break_the_figures(tmp_path: Path) -> None:
    rows = [f"{'-' * (i % 2)}{1 + i}e30{i % 8},{i / 7},{i * 1e300}" for i in range(60)]
    outcome = finished(train_text(tmp_path, "\n".join(["x,y,target", *rows])))
    assert math.isfinite(outcome.summary.headline_value)
    json.loads((Path(outcome.bundle_dir) / "metrics.json").read_text(), parse_constant=_refuse)


def _refuse(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def test_the_recipe_asks_for_the_seed_and_one_thread() -> None:
    spec = JobSpec(tabular_train=TabularTrainSpec(target_column="y", random_seed=9, device="cpu"))
    needs = make_recipe().needs(spec)
    assert (needs.seed, needs.device, needs.num_threads) == (9, "cpu", 1)


def test_warming_up_leaves_the_random_state_alone() -> None:
    import torch

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    make_recipe().warm_up()
    assert torch.equal(torch.rand(1), expected)


def test_a_recipe_needs_no_executor_to_be_tried(tmp_path: Path) -> None:
    from headway.contract.recipes import RecipeInput

    context = SilentContext(
        spec=JobSpec(tabular_train=TabularTrainSpec(target_column="target", epochs=2)),
        inputs={"table": RecipeInput(write_table("iris", tmp_path), "csv", "iris.csv")},
        folder=tmp_path,
    )
    assert make_recipe().train(context).num_steps == 4

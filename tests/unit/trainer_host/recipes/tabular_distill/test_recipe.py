"""The recipe through its executor, on real tables: what it refuses, what it reuses, what it writes."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from headway.contract.architectures import parse_architecture
from tests.attempt_runs import an_input, an_order, failed, finished, run, train_text
from tests.distillations import a_distillation, a_teacher, distil, teacher_inputs
from tests.real_tables import write_table
from trainer_host.recipes.tabular_train.predict import Predictor, labels_of
from trainer_host.recipes.tabular_train.preprocess import Preprocess
from trainer_host.recipes.tabular_train.sources import CsvSource
from trainer_host.reports import MemoryReport

STATISTICS = (
    "teacher_input_dim",
    "teacher_output_dim",
    "student_input_dim",
    "student_output_dim",
    "teacher_model_size_bytes",
    "student_model_size_bytes",
    "size_saved_bytes",
    "size_saved_percent",
    "teacher_param_count",
    "student_param_count",
    "param_saved_count",
    "param_saved_percent",
)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table("iris", tmp_path_factory.mktemp("iris"))


@pytest.fixture(scope="module")
def teacher(iris: Path) -> Path:
    """A model of iris that is worth learning from."""
    return a_teacher(iris.parent / "teacher", iris, epochs=40)


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The table diabetes, and a model of it."""
    folder = tmp_path_factory.mktemp("diabetes")
    table = write_table("diabetes", folder)
    return table, a_teacher(folder / "teacher", table, epochs=20)


def read(bundle: str | Path, name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((Path(bundle) / name).read_bytes())
    return content


def preprocess_of(bundle: str | Path) -> Preprocess:
    return Preprocess.model_validate_json((Path(bundle) / "preprocess.json").read_bytes())


def rewritten(source: Path, folder: Path, change: dict[str, str], *, drop: str = "") -> Path:
    """A copy of a table with columns renamed or dropped."""
    path = folder / "other.csv"
    with source.open(newline="") as old, path.open("w", newline="") as new:
        rows = csv.DictReader(old)
        names = [name for name in rows.fieldnames or () if name != drop]
        writer = csv.writer(new)
        writer.writerow([change.get(name, name) for name in names])
        writer.writerows([row[name] for name in names] for row in rows)
    return path


def test_the_result_tells_what_was_saved_and_what_the_teacher_is_worth(
    iris: Path, teacher: Path, tmp_path: Path
) -> None:
    outcome = finished(distil(tmp_path, iris, teacher))

    metrics = outcome.summary.metrics
    assert set(STATISTICS) <= set(metrics)
    assert metrics["teacher_model_size_bytes"] == (teacher / "model.safetensors").stat().st_size
    assert metrics["student_model_size_bytes"] == (Path(outcome.bundle_dir) / "model.safetensors").stat().st_size
    assert metrics["size_saved_bytes"] == metrics["teacher_model_size_bytes"] - metrics["student_model_size_bytes"]
    # The teacher 128 wide and 2 deep, the student 64 wide and 1 deep.
    assert metrics["teacher_param_count"] == 4 * 128 + 128 + 128 * 128 + 128 + 4 * 128 + 128 * 3 + 3
    assert metrics["student_param_count"] == 4 * 64 + 64 + 2 * 64 + 64 * 3 + 3
    written = read(outcome.bundle_dir, "metrics.json")
    assert written["compression"] == {name: pytest.approx(metrics[name]) for name in STATISTICS}
    assert metrics["teacher_accuracy"] == metrics["teacher_test_metric_value"]
    assert metrics["teacher_accuracy"] == read(teacher, "metrics.json")["test_metric_value"]


def test_the_student_is_a_model_of_its_own(iris: Path, teacher: Path, tmp_path: Path) -> None:
    """Its bundle predicts, and its preprocessing is the teacher's, bit for bit."""
    bundle = Path(finished(distil(tmp_path, iris, teacher)).bundle_dir)

    architecture = parse_architecture((bundle / "model.json").read_bytes())
    assert (architecture.kind, architecture.hidden_dim, architecture.num_hidden_layers) == ("tabular_distill", 64, 1)
    assert architecture.dropout == pytest.approx(0.15)
    assert preprocess_of(bundle) == preprocess_of(teacher)
    assert len(predicted(bundle, iris)) == 150


def test_the_teachers_test_rows_stay_test_rows_of_students_and_their_students(
    iris: Path, teacher: Path, tmp_path: Path
) -> None:
    """Whatever the seeds and shares of their specs are."""
    other = a_distillation({"random_seed": 7, "test_size": 0.5})
    student = Path(finished(distil(tmp_path / "1", iris, teacher, spec=other)).bundle_dir)
    grandchild = Path(finished(distil(tmp_path / "2", iris, student, spec=other)).bundle_dir)

    held_out = preprocess_of(teacher).held_out
    assert held_out is not None
    assert held_out.split().test.size == 30
    assert preprocess_of(student).held_out == held_out
    assert preprocess_of(grandchild).held_out == held_out


def test_a_teacher_of_another_file_is_warned_of(iris: Path, teacher: Path, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(iris.read_text() + "5.1,3.5,1.4,0.2,setosa\n")
    outcome = finished(distil(tmp_path / "work", tmp_path / "more.csv", teacher))
    assert "would flatter" in outcome.summary.warnings[0]


def test_mixtures_and_unlabelled_rows_are_learned_from_beside_the_table(
    iris: Path, teacher: Path, tmp_path: Path
) -> None:
    unlabelled = rewritten(iris, tmp_path, {}, drop="target")
    spec = a_distillation(mixup_ratio=2, unlabelled_dataset="more")
    report = MemoryReport()

    outcome = finished(distil(tmp_path / "work", iris, teacher, spec=spec, unlabelled=unlabelled, report=report))

    # 150 rows, 30 of them for the test and 12 for validation.
    fields = next(line.fields for line in report.lines if "mixtures" in line.fields)
    assert fields == {"train": "108", "mixtures": "216", "unlabelled": "150", "validation": "12", "test": "30"}
    assert outcome.summary.num_steps == 3 * -(-(108 + 216 + 150) // 64)


def test_what_only_the_teacher_speaks_of_is_learned(iris: Path, teacher: Path, tmp_path: Path) -> None:
    """With targets that say nothing, the student learns what its teacher knows all the same."""
    lines = iris.read_text().splitlines()
    labels = ("setosa", "versicolor", "virginica")
    wrong = [f"{line.rpartition(',')[0]},{labels[place * 7 % 3]}" for place, line in enumerate(lines[1:])]
    table = tmp_path / "wrong.csv"
    table.write_text("\n".join([lines[0], *wrong]))
    training: dict[str, object] = {"epochs": 60, "learning_rate": 0.01}

    outcome = finished(distil(tmp_path / "a", table, teacher, spec=a_distillation(training, alpha=0, mixup_ratio=2)))
    deaf = finished(distil(tmp_path / "b", table, teacher, spec=a_distillation(training, alpha=1, mixup_ratio=2)))

    assert share_right(outcome.bundle_dir, iris) > 0.9
    assert share_right(deaf.bundle_dir, iris) < 0.7
    assert "counts for nothing" in " ".join(deaf.summary.warnings)


def predicted(bundle: Path, table: Path) -> list[str]:
    predictor = Predictor.of_folder(bundle)
    [answers] = predictor.answers(predictor.read(CsvSource(table)).features)
    return labels_of(predictor.classes, answers)


def share_right(bundle: str, table: Path) -> float:
    with table.open(newline="") as file:
        truth = [row["target"] for row in csv.DictReader(file)]
    pairs = zip(truth, predicted(Path(bundle), table), strict=True)
    return sum(1 for left, right in pairs if left == right) / len(truth)


def test_an_ensemble_teaches_by_its_mean(iris: Path, teacher: Path, tmp_path: Path) -> None:
    other = a_teacher(tmp_path / "other", iris, epochs=40, hidden_dim=32, training_mode="tabresnet")
    spec = a_distillation(ensemble_teacher_model_ids=["other"])

    outcome = finished(distil(tmp_path / "work", iris, teacher, other, spec=spec))

    metrics = outcome.summary.metrics
    assert metrics["teacher_accuracy"] == read(teacher, "metrics.json")["test_metric_value"]
    assert 0.5 < metrics["ensemble_accuracy"] <= 1
    distillation = read(outcome.bundle_dir, "metrics.json")["distillation"]
    assert isinstance(distillation, dict)
    assert len(distillation["ensemble"]["jobs"]) == 2


def test_a_regression_learns_numbers(regression: tuple[Path, Path], tmp_path: Path) -> None:
    table, teacher = regression
    spec = a_distillation({"epochs": 30, "learning_rate": 0.005}, mixup_ratio=1)

    outcome = finished(distil(tmp_path, table, teacher, spec=spec))

    metrics = outcome.summary.metrics
    assert outcome.summary.task == "regression"
    assert metrics["rmse"] < metrics["baseline_value"]
    assert metrics["teacher_rmse"] == pytest.approx(read(teacher, "metrics.json")["test_metric_value"])
    assert outcome.summary.warnings == ()


def test_a_temperature_means_nothing_to_a_regression(regression: tuple[Path, Path], tmp_path: Path) -> None:
    table, teacher = regression
    hot = finished(distil(tmp_path / "a", table, teacher, spec=a_distillation(temperature=9)))
    plain = finished(distil(tmp_path / "b", table, teacher, spec=a_distillation()))

    assert "have no temperature" in hot.summary.warnings[0]
    assert plain.summary.warnings == ()
    hot_weights, weights = (Path(one.bundle_dir, "model.safetensors").read_bytes() for one in (hot, plain))
    assert hot_weights == weights


def test_a_target_of_another_name_is_the_students(iris: Path, teacher: Path, tmp_path: Path) -> None:
    table = rewritten(iris, tmp_path, {"target": "species"})
    outcome = finished(distil(tmp_path / "w", table, teacher, spec=a_distillation({"target_column": "species"})))
    assert preprocess_of(outcome.bundle_dir).target.column == "species"


def test_a_student_that_saves_nothing_is_warned_of(iris: Path, teacher: Path, tmp_path: Path) -> None:
    spec = a_distillation(student_hidden_dim=200, student_num_hidden_layers=2)
    outcome = finished(distil(tmp_path, iris, teacher, spec=spec))
    assert "it saves nothing" in outcome.summary.warnings[0]
    assert outcome.summary.metrics["param_saved_count"] < 0


def test_fields_that_a_student_has_from_its_teacher_are_warned_of(iris: Path, teacher: Path, tmp_path: Path) -> None:
    spec = a_distillation({"hidden_dim": 32, "exclude_columns": ["x1"]})
    bundle = finished(distil(tmp_path, iris, teacher, spec=spec))

    assert "exclude_columns, hidden_dim of training count for nothing" in bundle.summary.warnings[0]
    assert bundle.summary.metrics["student_input_dim"] == 4
    assert preprocess_of(bundle.bundle_dir) == preprocess_of(teacher)


def test_some_of_the_teachers_classes_are_enough(iris: Path, teacher: Path, tmp_path: Path) -> None:
    """Without the first class, so that its place among the outputs stays empty and the others keep theirs."""
    lines = iris.read_text().splitlines()
    table = tmp_path / "two.csv"
    table.write_text("\n".join([lines[0], *(line for line in lines[1:] if "setosa" not in line)]))

    outcome = finished(distil(tmp_path / "work", table, teacher))

    assert any("No row is of class 'setosa'" in warning for warning in outcome.summary.warnings)
    assert preprocess_of(outcome.bundle_dir).target.classes == ("setosa", "versicolor", "virginica")
    assert outcome.summary.metrics["teacher_accuracy"] > 0.8


# What is the user's to mend.


def test_a_class_that_the_teacher_does_not_know_is_named(iris: Path, teacher: Path, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text(iris.read_text() + "5.1,3.5,1.4,0.2,bamboo\n" * 5)
    outcome = failed(distil(tmp_path / "work", table, teacher))
    assert (outcome.failure_class, outcome.reason) == ("USER_INPUT", "TEACHER_CLASSES")
    assert "'bamboo'" in outcome.message


def test_columns_that_the_teacher_was_trained_with_are_named(iris: Path, teacher: Path, tmp_path: Path) -> None:
    table = rewritten(iris, tmp_path, {"x2": "width"}, drop="x3")
    outcome = failed(distil(tmp_path / "work", table, teacher))
    assert (outcome.failure_class, outcome.reason) == ("USER_INPUT", "MISSING_COLUMN")
    assert "'x2', 'x3'" in outcome.message


def test_columns_of_the_unlabelled_table_are_named(iris: Path, teacher: Path, tmp_path: Path) -> None:
    unlabelled = rewritten(iris, tmp_path, {}, drop="x1")
    spec = a_distillation(unlabelled_dataset="more")
    outcome = failed(distil(tmp_path / "work", iris, teacher, spec=spec, unlabelled=unlabelled))
    assert outcome.reason == "MISSING_COLUMN"
    assert "the unlabelled table has no column 'x1'" in outcome.message


def test_a_regression_teaches_no_classes(regression: tuple[Path, Path], iris: Path, tmp_path: Path) -> None:
    asked = failed(
        distil(tmp_path / "a", iris, regression[1], spec=a_distillation({"task": "TABULAR_TASK_CLASSIFICATION"}))
    )
    assert (asked.failure_class, asked.reason) == ("USER_INPUT", "TEACHER_TASK")
    assert "the teacher's task is regression" in asked.message

    table = tmp_path / "words.csv"
    lines = regression[0].read_text().splitlines()
    table.write_text("\n".join([lines[0], *(f"{line.rpartition(',')[0]},word" for line in lines[1:])]))
    found = failed(distil(tmp_path / "b", table, regression[1]))
    assert (found.failure_class, found.reason) == ("USER_INPUT", "TEACHER_TASK")
    assert "'word'" in found.message


def test_teachers_of_different_minds_are_refused(
    regression: tuple[Path, Path], iris: Path, teacher: Path, tmp_path: Path
) -> None:
    spec = a_distillation(ensemble_teacher_model_ids=["numbers"])
    outcome = failed(distil(tmp_path, iris, teacher, regression[1], spec=spec))
    assert (outcome.failure_class, outcome.reason) == ("USER_INPUT", "TEACHERS_DIFFER")
    assert "'numbers'" in outcome.message

    text = "x1,x2,x3,x4,target\n" + "".join(f"{n},{n % 3},{n},{n % 5},{'yes' if n % 2 else 'no'}\n" for n in range(40))
    other = Path(finished(train_text(tmp_path / "yes", text)).bundle_dir)
    outcome = failed(distil(tmp_path / "2", iris, teacher, other, spec=spec))
    assert outcome.reason == "TEACHERS_DIFFER"
    assert "'no', 'setosa'" in outcome.message


def test_a_teachers_feature_is_no_target(iris: Path, teacher: Path, tmp_path: Path) -> None:
    outcome = failed(distil(tmp_path, iris, teacher, spec=a_distillation({"target_column": "x1"})))
    assert (outcome.failure_class, outcome.reason) == ("USER_INPUT", "TEACHER_TARGET")


def test_a_column_of_the_spec_that_is_not_there_is_named(iris: Path, teacher: Path, tmp_path: Path) -> None:
    outcome = failed(distil(tmp_path, iris, teacher, spec=a_distillation({"exclude_columns": ["x9"]})))
    assert (outcome.failure_class, outcome.reason) == ("USER_INPUT", "COLUMNS")
    assert "'x9'" in outcome.message


def test_an_order_without_teacher_is_not_the_users_fault(iris: Path, tmp_path: Path) -> None:
    outcome = failed(run(an_order(tmp_path, a_distillation(), inputs=(an_input(iris),))))
    assert (outcome.failure_class, outcome.reason) == ("FATAL", "INPUT_MISSING")


@pytest.mark.parametrize("name", ["model.json", "preprocess.json", "model.safetensors", "manifest.json"])
def test_a_teacher_whose_file_is_another_thing_is_refused(name: str, iris: Path, teacher: Path, tmp_path: Path) -> None:
    """C23: also when its digest is right, since somebody may have uploaded it so."""
    broken = shutil.copytree(teacher, tmp_path / "broken")
    (broken / name).write_bytes(b"\x80\x04\x95pickle")
    outcome = failed(distil(tmp_path / "work", iris, broken))
    assert outcome.failure_class == "USER_INPUT"
    assert outcome.reason in {"MODEL_UNREADABLE", "ARCHITECTURE_MISMATCH"}


def test_files_of_two_teachers_are_no_teacher(
    iris: Path, teacher: Path, regression: tuple[Path, Path], tmp_path: Path
) -> None:
    """C23: a teacher of other dimensions."""
    mixed = shutil.copytree(teacher, tmp_path / "mixed")
    shutil.copy(regression[1] / "preprocess.json", mixed)
    outcome = failed(distil(tmp_path / "work", iris, mixed))
    assert (outcome.failure_class, outcome.reason) == ("USER_INPUT", "MODEL_UNREADABLE")
    assert "do not belong together" in outcome.message

    shutil.copy(teacher / "preprocess.json", mixed)
    shutil.copy(regression[1] / "model.safetensors", mixed)
    outcome = failed(distil(tmp_path / "work2", iris, mixed))
    assert outcome.reason == "ARCHITECTURE_MISMATCH"


def test_a_teacher_with_a_file_missing_is_not_the_users_fault(iris: Path, teacher: Path, tmp_path: Path) -> None:
    inputs = [item for item in teacher_inputs(teacher) if not item.role.endswith("model.json")]
    outcome = failed(run(an_order(tmp_path, a_distillation(), inputs=(an_input(iris), *inputs))))
    assert (outcome.failure_class, outcome.reason) == ("FATAL", "INPUT_MISSING")
    assert "model.json" in outcome.message

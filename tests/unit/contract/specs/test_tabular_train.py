"""The spec of tabular_train: defaults, bounds, and the order of its checks."""

import math

import pytest

from headway.contract.architectures import Architecture, TabularMode, num_parameters
from headway.contract.errors import (
    InvalidArgument,
    InvalidColumns,
    InvalidModelId,
    ModeNotPossible,
    OutOfRange,
    UnknownMode,
)
from headway.contract.specs import tabular_train as spec_of
from headway.v1.job_specs_pb2 import (
    NUMBER_EMBEDDING_NONE,
    NUMBER_EMBEDDING_PIECEWISE_LINEAR,
    TABULAR_TASK_AUTO,
    TABULAR_TASK_CLASSIFICATION,
    TABULAR_TASK_REGRESSION,
    TabularTask,
    TabularTrainSpec,
)


def a_spec(**fields: float | str | bool | list[str]) -> TabularTrainSpec:
    spec = TabularTrainSpec(target_column="y")
    for name, value in fields.items():
        if isinstance(value, list):
            getattr(spec, name).extend(value)
        else:
            setattr(spec, name, value)
    return spec


def test_an_empty_spec_has_the_documented_defaults() -> None:
    resolved = spec_of.resolve(a_spec())
    assert (resolved.test_size, resolved.epochs, resolved.batch_size, resolved.learning_rate) == (0.2, 500, 64, 0.001)
    assert (resolved.hidden_dim, resolved.num_hidden_layers, resolved.dropout) == (128, 2, 0.1)
    assert (resolved.random_seed, resolved.save_model, resolved.device) == (42, True, "auto")
    assert (resolved.training_mode, resolved.task) == ("mlp_dense", TABULAR_TASK_AUTO)
    assert (resolved.patience, resolved.number_embedding) == (None, NUMBER_EMBEDDING_NONE)
    assert resolved.boosted_tree_baseline


def test_what_was_chosen_is_kept() -> None:
    spec = a_spec(patience=16, boosted_tree_baseline=False, number_embedding=NUMBER_EMBEDDING_PIECEWISE_LINEAR)
    resolved = spec_of.resolve(spec)
    assert (resolved.patience, resolved.number_embedding) == (16, NUMBER_EMBEDDING_PIECEWISE_LINEAR)
    assert not resolved.boosted_tree_baseline


@pytest.mark.parametrize(
    ("field", "bad", "good"),
    [
        ("test_size", [0.0, 1.0, -0.1, 1.5], [0.01, 0.99]),
        ("epochs", [0, -1, 501, 2**31 - 1], [1, 500]),
        ("batch_size", [0, -8, 201, 2**31 - 1], [1, 200]),
        ("learning_rate", [0.0, -1.0, 1.01, 1e308], [1e-320, 1.0]),
        ("hidden_dim", [7, 501, 2**31 - 1], [8, 500]),
        ("num_hidden_layers", [0, 16, 10_000], [1, 15]),
        ("dropout", [-0.1, 0.91, 1.0], [0.0, 0.9]),
        ("random_seed", [-1, 2**32], [0, 2**32 - 1]),
        ("patience", [0, -1, 501], [1, 500]),
    ],
)
def test_a_number_out_of_its_bounds_is_refused_with_field_range_and_suggestion(
    field: str, bad: list[float], good: list[float]
) -> None:
    """B5-B10."""
    for value in bad:
        with pytest.raises(OutOfRange) as caught:
            spec_of.resolve(a_spec(**{field: value}), "job.spec.tabular_train")
        violation = caught.value.violations[0]
        assert violation.field == f"job.spec.tabular_train.{field}"
        assert violation.allowed
        assert violation.suggested
    for value in good:
        spec_of.resolve(a_spec(**{field: value}))


@pytest.mark.parametrize("field", ["test_size", "learning_rate", "dropout"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_fails_at_the_step_of_numbers(field: str, value: float) -> None:
    """B7, B10."""
    with pytest.raises(OutOfRange):
        spec_of.check_numbers(a_spec(**{field: value}), "p")


def test_one_step_tells_all_of_its_violations() -> None:
    with pytest.raises(OutOfRange) as caught:
        spec_of.resolve(a_spec(epochs=0, batch_size=0, hidden_dim=1))
    assert [violation.field for violation in caught.value.violations] == [
        "tabular_train.epochs",
        "tabular_train.batch_size",
    ]


@pytest.mark.parametrize("text", ["mlp", " MLP ", "mlp_dense", "", "Linear_GLM_Baseline"])
def test_modes_are_trimmed_lower_cased_and_aliased(text: str) -> None:
    assert spec_of.normalise_mode(text) in spec_of.AVAILABLE_MODES


def test_the_newer_numbers_come_last_in_their_step() -> None:
    with pytest.raises(OutOfRange) as caught:
        spec_of.resolve(a_spec(patience=0, random_seed=-1, test_size=2.0))
    assert [violation.field.rpartition(".")[2] for violation in caught.value.violations] == [
        "test_size",
        "random_seed",
        "patience",
    ]


@pytest.mark.parametrize("mode", spec_of.AVAILABLE_MODES)
def test_all_six_modes_are_there(mode: str) -> None:
    assert spec_of.resolve(a_spec(training_mode=f" {mode.upper()} ")).training_mode == mode
    assert len(spec_of.AVAILABLE_MODES) == 6


@pytest.mark.parametrize("mode", ["imbalance_aware", "calibrated_classifier"])
def test_a_mode_for_classes_refuses_a_regression_that_is_asked_for(mode: str) -> None:
    with pytest.raises(ModeNotPossible) as caught:
        spec_of.check_mode(a_spec(training_mode=mode, task=TABULAR_TASK_REGRESSION), "p")
    assert caught.value.violations[0].field == "p.training_mode"
    assert mode not in caught.value.violations[0].allowed
    assert "tabresnet" in caught.value.violations[0].allowed


@pytest.mark.parametrize("task", [TABULAR_TASK_AUTO, TABULAR_TASK_CLASSIFICATION])
@pytest.mark.parametrize("mode", ["imbalance_aware", "calibrated_classifier"])
def test_a_mode_for_classes_takes_every_other_task(mode: str, task: "TabularTask.ValueType") -> None:
    spec_of.check_mode(a_spec(training_mode=mode, task=task), "p")


@pytest.mark.parametrize("text", ["train", "__import__('os')", "x" * 10_000, "tabresnet2"])
def test_an_unknown_mode_is_refused_with_the_list(text: str) -> None:
    """B11."""
    with pytest.raises(UnknownMode) as caught:
        spec_of.check_mode(a_spec(training_mode=text), "p")
    assert caught.value.violations[0].allowed == ", ".join(spec_of.AVAILABLE_MODES)
    assert len(caught.value.message) < 120


def test_the_linear_model_needs_no_hidden_layers() -> None:
    spec_of.resolve(a_spec(training_mode="linear_glm_baseline", hidden_dim=1))


def test_columns_are_a_list_or_one_comma_separated_entry() -> None:
    assert spec_of.columns_of(["a, b ,,c"]) == ("a", "b", "c")
    assert spec_of.columns_of(["a,b", "c"]) == ("a,b", "c")
    assert spec_of.columns_of([]) == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target_column": ""}, "required"),
        ({"target_column": "z"}, "'z' is not in the table"),
        ({"target_column": "y" * 300}, "too long"),
        ({"exclude_columns": ["q"]}, "'q' is not in the table"),
        ({"exclude_columns": ["y"]}, "is the target"),
        ({"exclude_columns": ["a", "a"]}, "named twice"),
        ({"exclude_columns": ["a", "b"]}, "no feature is left"),
        ({"date_columns": ["y"]}, "is the target"),
        ({"exclude_columns": ["a"], "date_columns": ["a"]}, "in exclude_columns too"),
        ({"exclude_columns": [f"c{i}" for i in range(10_001)]}, "too many"),
    ],
)
def test_columns_that_do_not_fit_are_refused_by_name(
    fields: dict[str, int | float | str | bool | list[str]], message: str
) -> None:
    """B19."""
    with pytest.raises(InvalidColumns) as caught:
        spec_of.check_feature_columns(a_spec(**fields), "p", ["a", "b", "y"])
    assert any(message in violation.message for violation in caught.value.violations)


def test_columns_that_fit_are_taken() -> None:
    spec_of.check_feature_columns(a_spec(exclude_columns=["a"], date_columns=["b"]), "p", ["a", "b", "y"])


def test_a_device_is_one_of_three() -> None:
    with pytest.raises(InvalidArgument, match="tpu"):
        spec_of.resolve(a_spec(device="tpu"))


def test_the_chain_answers_with_its_earliest_failing_step() -> None:
    """B2: order matters."""
    everything = a_spec(
        model_id="../x", exclude_columns=["y"], learning_rate=math.nan, epochs=0, training_mode="x", hidden_dim=1
    )
    mended = [
        (InvalidModelId, "model_id", "m"),
        (InvalidColumns, "exclude_columns", None),
        (OutOfRange, "learning_rate", 0.1),
        (OutOfRange, "epochs", 1),
        (UnknownMode, "training_mode", "mlp"),
        (OutOfRange, "hidden_dim", 8),
    ]
    for error, field, good in mended:
        with pytest.raises(error) as caught:
            spec_of.resolve(everything)
        assert field in caught.value.violations[0].field
        if good is None:
            everything.ClearField("exclude_columns")
        else:
            setattr(everything, field, good)
    spec_of.resolve(everything)


def test_parameters_are_counted_exactly() -> None:
    linear = spec_of.resolve(a_spec(training_mode="linear_glm_baseline"))
    assert spec_of.num_parameters(linear, input_dim=4, output_dim=3) == 15
    dense = spec_of.resolve(a_spec(hidden_dim=8, num_hidden_layers=2))
    expected = (4 * 8 + 8 + 16) + (8 * 8 + 8 + 16) + (8 * 3 + 3)
    assert spec_of.num_parameters(dense, input_dim=4, output_dim=3) == expected


def test_a_student_need_not_name_its_target() -> None:
    spec = TabularTrainSpec()
    spec_of.check_feature_columns(spec, "p", ["a", "y"], needs_target=False)
    with pytest.raises(InvalidColumns):
        spec_of.check_feature_columns(spec, "p", ["a", "y"])
    with pytest.raises(InvalidColumns):
        spec_of.check_feature_columns(TabularTrainSpec(target_column="z"), "p", ["a", "y"], needs_target=False)


@pytest.mark.parametrize("mode", spec_of.AVAILABLE_MODES)
def test_parameters_are_those_of_the_architectures_tensors(mode: TabularMode) -> None:
    spec = spec_of.resolve(a_spec(hidden_dim=24, num_hidden_layers=3, training_mode=mode))
    architecture = Architecture(
        kind="tabular_train",
        mode=mode,
        input_dim=7,
        output_dim=1,
        hidden_dim=24,
        num_hidden_layers=3,
        task="regression",
    )
    assert spec_of.num_parameters(spec, input_dim=7, output_dim=1) == num_parameters(architecture)

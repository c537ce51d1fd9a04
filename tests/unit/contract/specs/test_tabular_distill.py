"""The spec of tabular_distill: defaults, bounds, the student's shape, and the order of its checks."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.contract.errors import (
    FieldRequired,
    InvalidArgument,
    InvalidColumns,
    InvalidModelId,
    ModeNotPossible,
    OutOfRange,
    UnknownMode,
)
from headway.contract.limits import ENSEMBLE_TEACHERS_MAX
from headway.contract.specs import tabular_distill as spec_of
from headway.contract.specs.tabular_train import AVAILABLE_MODES
from headway.v1.job_specs_pb2 import TabularDistillSpec, TabularTrainSpec
from tests.proto_fields import with_fields

TRAINING_FIELDS = {field.name for field in TabularTrainSpec.DESCRIPTOR.fields}


def a_spec(**fields: object) -> TabularDistillSpec:
    """A spec that is good but for what is given: fields of the training and of the distillation alike."""
    spec = TabularDistillSpec(teacher_run_id="j1")
    with_fields(spec.training, {name: value for name, value in fields.items() if name in TRAINING_FIELDS})
    return with_fields(spec, {name: value for name, value in fields.items() if name not in TRAINING_FIELDS})


def test_an_empty_spec_has_the_documented_defaults() -> None:
    resolved = spec_of.resolve(a_spec())
    training = resolved.training
    assert (training.test_size, training.epochs, training.batch_size, training.learning_rate) == (0.2, 60, 64, 0.001)
    assert (training.random_seed, training.training_mode, training.save_model) == (42, "mlp_dense", True)
    assert (resolved.temperature, resolved.alpha, resolved.mixup_ratio) == (2.5, 0.5, 0)
    assert resolved.given_shape == (None, None, None)
    assert (resolved.ensemble_teacher_model_ids, resolved.has_unlabelled) == ((), False)


def test_what_was_chosen_is_kept() -> None:
    resolved = spec_of.resolve(
        a_spec(
            epochs=7,
            temperature=4.0,
            alpha=0.0,
            student_hidden_dim=8,
            student_num_hidden_layers=1,
            student_dropout=0.0,
            ensemble_teacher_model_ids=["a", "b"],
            mixup_ratio=2.0,
            unlabelled_dataset="more",
        )
    )
    assert (resolved.training.epochs, resolved.temperature, resolved.alpha, resolved.mixup_ratio) == (7, 4.0, 0.0, 2.0)
    assert resolved.given_shape == (8, 1, 0.0)
    assert (resolved.ensemble_teacher_model_ids, resolved.has_unlabelled) == (("a", "b"), True)


def test_sixty_epochs_are_a_number_like_any_other_when_they_are_chosen() -> None:
    assert spec_of.resolve(a_spec(epochs=500)).training.epochs == 500


@pytest.mark.parametrize(
    ("field", "bad", "good"),
    [
        ("training.test_size", [0.0, 1.0], [0.01, 0.99]),
        ("training.epochs", [0, 501], [1, 500]),
        ("training.batch_size", [0, 201], [1, 200]),
        ("training.learning_rate", [0.0, 1.01], [1e-320, 1.0]),
        ("training.random_seed", [-1, 2**32], [0, 2**32 - 1]),
        ("training.patience", [0, 501], [1, 500]),
        ("student_hidden_dim", [7, 501, 2**31 - 1], [8, 500]),
        ("student_num_hidden_layers", [0, 16], [1, 15]),
        ("student_dropout", [-0.1, 0.91], [0.0, 0.9]),
        ("temperature", [0.0, -1.0, 20.1, 1e308], [1e-9, 20.0]),
        ("alpha", [-0.01, 1.01], [0.0, 1.0]),
        ("mixup_ratio", [-0.1, 8.1], [0.0, 8.0]),
    ],
)
def test_a_number_out_of_its_bounds_is_refused_with_field_range_and_suggestion(
    field: str, bad: list[float], good: list[float]
) -> None:
    """B5-B10."""
    name = field.rpartition(".")[2]
    for value in bad:
        with pytest.raises(OutOfRange) as caught:
            spec_of.resolve(a_spec(**{name: value}), "job.spec.tabular_distill")
        (violation,) = caught.value.violations
        assert violation.field == f"job.spec.tabular_distill.{field}"
        spec_of.resolve(a_spec(**{name: type(value)(float(violation.suggested))}))
    for value in good:
        spec_of.resolve(a_spec(**{name: value}))


def test_bounds_are_told_in_the_documented_order() -> None:
    everything = a_spec(
        mixup_ratio=9.0,
        patience=0,
        alpha=2.0,
        temperature=0.0,
        random_seed=-1,
        student_dropout=1.0,
        student_num_hidden_layers=0,
        student_hidden_dim=1,
        learning_rate=2.0,
        batch_size=0,
        epochs=0,
        test_size=1.0,
        ensemble_teacher_model_ids=["m"] * (ENSEMBLE_TEACHERS_MAX + 1),
    )
    with pytest.raises(OutOfRange) as caught:
        spec_of.check_bounds(everything, "p")
    assert [violation.field.rpartition(".")[2] for violation in caught.value.violations] == [
        "test_size",
        "epochs",
        "batch_size",
        "learning_rate",
        "student_hidden_dim",
        "student_num_hidden_layers",
        "student_dropout",
        "random_seed",
        "temperature",
        "alpha",
        "patience",
        "mixup_ratio",
        "ensemble_teacher_model_ids",
    ]


def test_the_hidden_config_is_not_part_of_the_chain() -> None:
    spec_of.resolve(a_spec(hidden_dim=1, num_hidden_layers=10_000, dropout=5.0))


@pytest.mark.parametrize(
    "field", ["learning_rate", "dropout", "temperature", "alpha", "student_dropout", "mixup_ratio"]
)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_fails_at_the_step_of_numbers(field: str, value: float) -> None:
    """B7, B10."""
    with pytest.raises(OutOfRange):
        spec_of.check_numbers(a_spec(**{field: value}), "p")


def test_a_device_is_one_of_three() -> None:
    with pytest.raises(InvalidArgument, match="tpu"):
        spec_of.resolve(a_spec(device="tpu"))


@pytest.mark.parametrize("way", ["teacher_run_id", "teacher_model_path", "teacher_model_id"])
def test_one_of_three_ways_to_name_a_teacher_is_enough(way: str) -> None:
    spec_of.check_teacher_named(with_fields(TabularDistillSpec(), {way: "x"}), "p")


def test_without_a_teacher_all_three_ways_are_told() -> None:
    with pytest.raises(FieldRequired) as caught:
        spec_of.check_teacher_named(TabularDistillSpec(ensemble_teacher_model_ids=["m"]), "p")
    allowed = caught.value.violations[0].allowed
    assert all(way in allowed for way in ("teacher_run_id", "teacher_model_path", "teacher_model_id"))


@pytest.mark.parametrize("mode", AVAILABLE_MODES)
def test_the_last_three_modes_cannot_be_distilled(mode: str) -> None:
    spec = a_spec(training_mode=mode)
    if mode in AVAILABLE_MODES[:3]:
        spec_of.check_mode(spec, "p")
        return
    with pytest.raises(ModeNotPossible) as caught:
        spec_of.check_mode(spec, "p")
    assert caught.value.violations[0].allowed == "mlp_dense, linear_glm_baseline, tabresnet"
    assert caught.value.violations[0].field == "p.training.training_mode"


def test_an_unknown_mode_is_refused_too() -> None:
    """B11."""
    with pytest.raises(UnknownMode) as caught:
        spec_of.check_mode(a_spec(training_mode="magic"), "p")
    assert "imbalance_aware" not in caught.value.violations[0].allowed


@pytest.mark.parametrize(
    ("teacher", "expected"),
    [
        ((128, 2, 0.1), (64, 1, 0.15000000000000002)),
        ((16, 1, 0.0), (16, 1, 0.05)),
        ((8, 1, 0.9), (16, 1, 0.5)),
        ((501, 15, 0.45), (250, 14, 0.5)),
        ((33, 0, 0.48), (16, 1, 0.5)),
    ],
)
def test_a_students_shape_is_derived_from_its_teachers(
    teacher: tuple[int, int, float], expected: tuple[int, int, float]
) -> None:
    assert spec_of.student_shape(*teacher, (None, None, None)) == expected


@given(
    st.tuples(st.integers(1, 65_536), st.integers(0, 256), st.floats(0, 0.99)),
    st.tuples(
        st.none() | st.integers(8, 500), st.none() | st.integers(1, 15), st.none() | st.floats(0, 0.9, exclude_max=True)
    ),
)
def test_what_is_chosen_wins_and_a_shape_is_always_one_that_can_be_built(
    teacher: tuple[int, int, float], chosen: tuple[int | None, int | None, float | None]
) -> None:
    shape = spec_of.student_shape(*teacher, chosen)
    assert all(own is None or own == made for own, made in zip(chosen, shape, strict=True))
    assert shape[0] >= 8
    assert shape[1] >= 1
    assert 0 <= shape[2] <= 0.9


def test_the_chain_answers_with_its_earliest_failing_step() -> None:
    """B2: order matters."""
    everything = a_spec(
        teacher_run_id="",
        model_id="../x",
        target_column="y",
        exclude_columns=["y"],
        temperature=math.nan,
        epochs=0,
        training_mode="x",
    )
    mended = [
        (FieldRequired, "teacher_run_id", "j1"),
        (InvalidModelId, "model_id", "m"),
        (InvalidColumns, "exclude_columns", None),
        (OutOfRange, "temperature", 1.0),
        (OutOfRange, "epochs", 1),
        (UnknownMode, "training_mode", "mlp"),
    ]
    for error, field, good in mended:
        with pytest.raises(error) as caught:
            spec_of.resolve(everything)
        assert field in caught.value.violations[0].field
        if good is None:
            everything.training.ClearField("exclude_columns")
        else:
            with_fields(everything.training if field in TRAINING_FIELDS else everything, {field: good})
    spec_of.resolve(everything)

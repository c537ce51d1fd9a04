import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.contract.recipes import UserInputFailure
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from trainer_host.recipes.tabular_train.preprocess import NumericFeature, Preprocess, TargetColumn
from trainer_host.recipes.tabular_train.spec import batch_sizes, configure_loop, configure_model, resolve_spec


@given(st.integers(2, 1000), st.integers(1, 200))
def test_every_row_is_in_a_batch_and_no_batch_has_one_row(num_rows: int, batch_size: int) -> None:
    sizes = batch_sizes(num_rows, batch_size, least=2)

    assert sum(sizes) == num_rows
    assert min(sizes) >= 2
    assert max(sizes) <= max(2, batch_size) + 1


def test_a_last_row_joins_the_batch_before_it() -> None:
    assert batch_sizes(129, 64, least=2) == (64, 65)
    assert batch_sizes(130, 64, least=2) == (64, 64, 2)


def test_a_linear_model_may_see_rows_one_by_one() -> None:
    assert batch_sizes(3, 1, least=1) == (1, 1, 1)


def a_spec(*, epochs: int | None = None, hidden_dim: int | None = None) -> JobSpec:
    return JobSpec(tabular_train=TabularTrainSpec(target_column="y", epochs=epochs, hidden_dim=hidden_dim))


def test_epochs_of_few_steps_are_not_validated_each() -> None:
    assert configure_loop(resolve_spec(a_spec(epochs=500)), 108).epochs_between_validations == 8
    assert configure_loop(resolve_spec(a_spec(epochs=500)), 10_000).epochs_between_validations == 1


def test_a_short_training_is_validated_ten_times_all_the_same() -> None:
    assert configure_loop(resolve_spec(a_spec(epochs=50)), 108).epochs_between_validations == 5
    assert configure_loop(resolve_spec(a_spec(epochs=3)), 108).epochs_between_validations == 1


def a_preprocess(num_features: int, num_classes: int) -> Preprocess:
    names = tuple(f"x{index}" for index in range(num_features))
    return Preprocess(
        target=TargetColumn(column="y", task="classification", classes=tuple(str(i) for i in range(num_classes))),
        numeric=tuple(NumericFeature(name=name, median=0, mean=0, scale=1) for name in names),
        feature_names=names,
    )


def test_the_model_fits_the_table() -> None:
    architecture = configure_model(resolve_spec(a_spec(hidden_dim=16)), a_preprocess(7, 3))
    assert (architecture.input_dim, architecture.output_dim, architecture.hidden_dim) == (7, 3, 16)
    assert architecture.classes == ("0", "1", "2")


def test_a_model_that_grew_too_large_with_the_table_is_refused() -> None:
    with pytest.raises(UserInputFailure, match="250000 features") as refusal:
        configure_model(resolve_spec(a_spec(hidden_dim=500)), a_preprocess(250_000, 2))
    assert refusal.value.reason == "MODEL_TOO_LARGE"

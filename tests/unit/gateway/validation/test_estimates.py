"""Estimates: exact where they count, and in the right direction where they guess."""

from datetime import timedelta

from gateway.validation.estimates import BASE_MEMORY_MIB, Estimate, estimate
from headway.v1.job_specs_pb2 import TABULAR_TASK_REGRESSION
from tests.unit.gateway.builders import a_table, a_tabular_spec


def test_steps_are_epochs_times_batches_of_the_training_part() -> None:
    spec = a_tabular_spec(epochs=10, batch_size=32, test_size=0.2)
    assert estimate(spec, a_table(num_rows=1000)).total_steps == 10 * 25


def test_a_part_of_a_batch_is_a_step() -> None:
    spec = a_tabular_spec(epochs=1, batch_size=32, test_size=0.2)
    assert estimate(spec, a_table(num_rows=1001)).total_steps == 26


def test_parameters_of_a_linear_model_are_weights_and_biases() -> None:
    spec = a_tabular_spec(training_mode="linear_glm_baseline", task=TABULAR_TASK_REGRESSION)
    assert estimate(spec, a_table()).num_parameters == 4


def test_a_date_column_counts_as_fourteen_features() -> None:
    linear = {"training_mode": "linear_glm_baseline", "task": TABULAR_TASK_REGRESSION}
    plain = estimate(a_tabular_spec(**linear), a_table())
    dated = estimate(a_tabular_spec(**linear, date_columns=["day"]), a_table())
    assert dated.num_parameters - plain.num_parameters == 13


def test_a_larger_model_takes_longer_and_more_memory() -> None:
    table = a_table(num_rows=50_000)
    small, large = (estimate(a_tabular_spec(hidden_dim=dim, num_hidden_layers=8), table) for dim in (16, 500))
    assert _seconds(large) > _seconds(small)
    assert large.memory_mib > small.memory_mib >= BASE_MEMORY_MIB


def test_without_a_row_count_steps_and_time_are_not_made_up() -> None:
    found = estimate(a_tabular_spec(), a_table(num_rows=0))
    assert (found.total_steps, found.duration) == (0, None)
    assert found.num_parameters > 0


def test_a_table_of_one_feature_is_enough() -> None:
    assert estimate(a_tabular_spec(), a_table(columns=("species",), num_rows=2)).total_steps == 500


def _seconds(found: Estimate) -> float:
    return (found.duration or timedelta()).total_seconds()

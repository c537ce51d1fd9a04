"""Estimates: exact where they count, and in the right direction where they guess."""

from datetime import timedelta

import pytest

from gateway.validation.estimates import BASE_MEMORY_MIB, Estimate, estimate, estimate_distill
from headway.contract.specs.tabular_train import AVAILABLE_MODES
from headway.v1.job_specs_pb2 import NUMBER_EMBEDDING_PIECEWISE_LINEAR, TABULAR_TASK_REGRESSION
from tests.unit.gateway.builders import a_distill_spec, a_table, a_tabular_spec, a_teacher


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


@pytest.mark.parametrize("mode", AVAILABLE_MODES)
def test_every_mode_has_an_estimate(mode: str) -> None:
    found = estimate(a_tabular_spec(training_mode=mode), a_table())
    assert found.total_steps == 1000
    assert found.num_parameters > 0
    assert 0 < _seconds(found) < 60


def test_residual_blocks_and_a_forest_take_longer_than_the_plain_layers() -> None:
    table = a_table(num_rows=20_000)
    plain, residual, forest = (
        estimate(a_tabular_spec(training_mode=mode), table)
        for mode in ("mlp_dense", "tabresnet", "tree_teacher_distillation")
    )
    assert residual.num_parameters > plain.num_parameters == forest.num_parameters
    assert min(_seconds(residual), _seconds(forest)) > _seconds(plain)


def test_embedded_numbers_make_the_first_layer_larger_and_the_table_too() -> None:
    table = a_table(num_rows=1_000_000)
    plain, embedded = (
        estimate(a_tabular_spec(**changes), table)
        for changes in ({}, {"number_embedding": NUMBER_EMBEDDING_PIECEWISE_LINEAR})
    )
    assert embedded.num_parameters - plain.num_parameters == 15 * 3 * 128
    assert embedded.memory_mib > plain.memory_mib
    linear = a_tabular_spec(training_mode="linear_glm_baseline", number_embedding=NUMBER_EMBEDDING_PIECEWISE_LINEAR)
    assert estimate(linear, table).num_parameters == 8


def test_the_tree_to_compare_with_costs_time_but_never_much() -> None:
    def extra(num_rows: int) -> float:
        with_it, without = (
            estimate(a_tabular_spec(boosted_tree_baseline=chosen), a_table(num_rows=num_rows))
            for chosen in (True, False)
        )
        return _seconds(with_it) - _seconds(without)

    assert extra(1_000_000) > 0
    assert extra(100_000_000) <= 5.1


def test_a_students_parameters_and_steps_are_exact() -> None:
    spec, teacher = a_distill_spec(), a_teacher()
    found = estimate_distill(spec, a_table(num_rows=1000), None, [teacher])
    # 3 inputs, 64 = 128 // 2 wide, 1 = 2 - 1 deep, 3 classes.
    assert found.num_parameters == (3 * 64 + 64 + 2 * 64) + (64 * 3 + 3)
    assert found.total_steps == 60 * 13


def test_what_the_student_learns_from_beside_the_table_makes_more_steps() -> None:
    table, teacher = a_table(num_rows=1000), a_teacher()
    plain = estimate_distill(a_distill_spec(), table, None, [teacher])
    mixed = estimate_distill(a_distill_spec(mixup_ratio=1.0), table, None, [teacher])
    further = estimate_distill(a_distill_spec(), table, a_table(num_rows=800), [teacher])
    assert mixed.total_steps == further.total_steps == 60 * 25
    assert _seconds(mixed) > _seconds(plain)


@pytest.mark.parametrize(("num_rows", "num_further"), [(0, 100), (100, 0)])
def test_a_student_of_a_table_that_is_not_counted_has_no_steps(num_rows: int, num_further: int) -> None:
    found = estimate_distill(a_distill_spec(), a_table(num_rows=num_rows), a_table(num_rows=num_further), [a_teacher()])
    assert (found.total_steps, found.duration) == (0, None)
    assert found.num_parameters > 0


def test_a_larger_teacher_or_more_of_them_take_longer_and_more_memory() -> None:
    table, spec = a_table(num_rows=100_000), a_distill_spec(student_hidden_dim=8, student_num_hidden_layers=1)
    one = estimate_distill(spec, table, None, [a_teacher()])
    large = estimate_distill(spec, table, None, [a_teacher(hidden_dim=4000, num_hidden_layers=8)])
    many = estimate_distill(spec, table, None, [a_teacher(hidden_dim=4000, num_hidden_layers=8)] * 9)
    assert _seconds(one) < _seconds(large) < _seconds(many)
    assert one.memory_mib < large.memory_mib < many.memory_mib
    assert one.num_parameters == large.num_parameters


def _seconds(found: Estimate) -> float:
    return (found.duration or timedelta()).total_seconds()

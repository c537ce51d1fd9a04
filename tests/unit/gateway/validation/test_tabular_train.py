"""The train chain of seeds/000: every step, and the order of every pair of neighbours."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import pytest

from gateway.validation.chain import Table, run_chain
from gateway.validation.tabular_steps import NO_HOST_WARNING
from gateway.validation.tabular_train import STEPS
from headway.contract.errors import (
    FieldRequired,
    HeadwayError,
    InvalidColumns,
    InvalidModelId,
    OutOfRange,
    RuntimeUnavailable,
    UnknownDataset,
    UnknownMode,
)
from headway.v1.job_specs_pb2 import TabularTrainSpec
from tests.proto_fields import with_fields
from tests.unit.gateway.builders import FakeTables, FakeWorld, a_draft, a_host, a_spec, a_table, a_tabular_spec

DOCUMENTED = (
    "runtime_available",
    "data_target",
    "save_model_and_model_id",
    "feature_columns",
    "numbers",
    "common_bounds",
    "mode_normalised",
    "mode_allowed",
    "hidden_config",
)


@dataclass(frozen=True)
class Fault:
    """One thing wrong, and the step and error that answer."""

    step: str
    error: type[HeadwayError]
    spoil: Callable[[TabularTrainSpec, FakeWorld], None]


def _no_torch(_spec: TabularTrainSpec, world: FakeWorld) -> None:
    world.up = [a_host(has_torch=False)]


def _no_data(_spec: TabularTrainSpec, world: FakeWorld) -> None:
    world.tables = FakeTables(error=UnknownDataset("no such dataset"))


def _setting(**values: object) -> Callable[[TabularTrainSpec, FakeWorld], None]:
    def spoil(spec: TabularTrainSpec, _world: FakeWorld) -> None:
        with_fields(spec, values)

    return spoil


# In the documented order. "mode_normalised" always succeeds, so no fault belongs to it.
FAULTS = (
    Fault("runtime_available", RuntimeUnavailable, _no_torch),
    Fault("data_target", UnknownDataset, _no_data),
    Fault("save_model_and_model_id", InvalidModelId, _setting(model_id="../etc")),
    Fault("feature_columns", InvalidColumns, _setting(exclude_columns=["no such column"])),
    Fault("numbers", OutOfRange, _setting(learning_rate=math.nan)),
    Fault("common_bounds", OutOfRange, _setting(epochs=0)),
    Fault("mode_allowed", UnknownMode, _setting(training_mode="magic")),
    Fault("hidden_config", OutOfRange, _setting(hidden_dim=7)),
)


async def answer_to(spec: TabularTrainSpec, world: FakeWorld) -> HeadwayError:
    with pytest.raises(HeadwayError) as caught:
        await run_chain(STEPS, a_draft(a_spec(spec)), world)
    return caught.value


def test_the_order_is_the_documented_one() -> None:
    assert tuple(step.name for step in STEPS) == DOCUMENTED


async def test_a_good_spec_passes_every_step() -> None:
    draft = a_draft()
    await run_chain(STEPS, draft, FakeWorld())
    assert tuple(draft.passed) == DOCUMENTED
    assert draft.training_mode == "mlp_dense"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.step)
async def test_each_step_answers_for_its_fault(fault: Fault) -> None:
    spec, world = a_tabular_spec(), FakeWorld()
    fault.spoil(spec, world)
    error = await answer_to(spec, world)
    assert type(error) is fault.error
    assert error.metadata["step"] == fault.step


@pytest.mark.parametrize(("earlier", "later"), list(combinations(FAULTS, 2)), ids=lambda fault: fault.step)
async def test_with_two_faults_the_earlier_step_answers_b2(earlier: Fault, later: Fault) -> None:
    spec, world = a_tabular_spec(), FakeWorld()
    later.spoil(spec, world)
    earlier.spoil(spec, world)
    error = await answer_to(spec, world)
    assert error.metadata["step"] == earlier.step
    # Nothing of the later step is in the answer.
    assert type(error) is earlier.error
    later_field = {"hidden_config": "hidden_dim", "common_bounds": "epochs"}.get(later.step, "no field")
    assert not any(later_field in violation.field for violation in error.violations)


async def test_with_no_host_up_the_job_is_accepted_and_the_reason_is_told() -> None:
    draft = a_draft()
    await run_chain(STEPS, draft, FakeWorld(up=[]))
    assert draft.warnings == [NO_HOST_WARNING]


async def test_one_host_with_torch_among_others_is_enough() -> None:
    world = FakeWorld(up=[a_host(has_torch=False), a_host(name="hosts/two")])
    await run_chain(STEPS, a_draft(), world)


async def test_a_job_without_data_names_both_ways_to_give_it() -> None:
    error = await answer_to(TabularTrainSpec(target_column="species"), FakeWorld())
    assert isinstance(error, FieldRequired)
    assert error.violations[0].field == "job.spec.tabular_train.data_path"
    assert "dataset" in error.violations[0].allowed


async def test_data_path_wins_over_dataset() -> None:
    class OnlyPaths(FakeTables):
        async def by_name(self, project: str, dataset: str, version: int, sheet: str, *, field: str) -> Table:
            raise AssertionError("data_path is set")

    await run_chain(STEPS, a_draft(a_spec(a_tabular_spec(data_path="iris.csv"))), FakeWorld(tables=OnlyPaths()))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "the job's"),
        ({"model_id": "mine"}, "mine"),
        ({"save_model": False}, ""),
        ({"save_model": True}, "the job's"),
    ],
)
async def test_the_model_id_is_the_callers_or_made_from_the_job(changes: dict[str, object], expected: str) -> None:
    draft = a_draft(a_spec(a_tabular_spec(**changes)))
    await run_chain(STEPS, draft, FakeWorld())
    assert draft.model_id == (draft.job_id if expected == "the job's" else expected)


async def test_all_violations_of_one_step_are_told_at_once() -> None:
    error = await answer_to(a_tabular_spec(epochs=501, batch_size=0, test_size=1.0, learning_rate=2.0), FakeWorld())
    assert [violation.field.rpartition(".")[2] for violation in error.violations] == [
        "test_size",
        "epochs",
        "batch_size",
        "learning_rate",
    ]
    assert all(violation.allowed and violation.suggested for violation in error.violations)


async def test_a_chosen_batch_larger_than_the_table_is_refused_with_one_that_fits_b6() -> None:
    world = FakeWorld(tables=FakeTables(a_table(num_rows=20)))
    error = await answer_to(a_tabular_spec(batch_size=21), world)
    assert error.violations[0].field == "job.spec.tabular_train.batch_size"
    assert (error.violations[0].allowed, error.violations[0].suggested) == ("1 to 20", "20")


@pytest.mark.parametrize("table", [a_table(num_rows=20), a_table(num_rows=0)], ids=["small", "not counted"])
async def test_the_default_batch_is_never_too_large(table: Table) -> None:
    await run_chain(STEPS, a_draft(), FakeWorld(tables=FakeTables(table)))


async def test_the_hidden_check_is_skipped_for_the_linear_model() -> None:
    spec = a_tabular_spec(training_mode="linear_glm_baseline", hidden_dim=7)
    await run_chain(STEPS, a_draft(a_spec(spec)), FakeWorld())


@pytest.mark.parametrize("mode", ["mlp", " MLP ", "mlp_dense", "Mlp_Dense", ""])
async def test_an_alias_is_trimmed_and_lower_cased_before_it_is_looked_up(mode: str) -> None:
    draft = a_draft(a_spec(a_tabular_spec(training_mode=mode)))
    await run_chain(STEPS, draft, FakeWorld())
    assert draft.training_mode == "mlp_dense"


@pytest.mark.parametrize("columns", [["nowhere"], ["sepal", "sepal"], ["species"], ["sepal", "petal", "day"]])
async def test_columns_that_do_not_fit_the_table_are_refused_b19(columns: list[str]) -> None:
    error = await answer_to(a_tabular_spec(exclude_columns=columns), FakeWorld())
    assert isinstance(error, InvalidColumns)
    assert "exclude_columns" in error.violations[0].field


async def test_a_target_that_is_not_in_the_table_is_named() -> None:
    spec = replace_target("nowhere")
    error = await answer_to(spec, FakeWorld())
    assert error.violations[0].field == "job.spec.tabular_train.target_column"
    assert "'nowhere'" in error.violations[0].message


def replace_target(name: str) -> TabularTrainSpec:
    return a_tabular_spec(target_column=name)


def test_the_table_of_faults_names_each_step_that_can_fail() -> None:
    assert {fault.step for fault in FAULTS} == set(DOCUMENTED) - {"mode_normalised"}

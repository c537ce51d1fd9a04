"""The chain of kind `tabular_train`. `STEPS` is the documented order (seeds/000, train chain, steps 1 to 9)."""

from gateway.validation.chain import SPEC_PATH, Draft, Step, World
from gateway.validation.tabular_steps import check_batch_fits, model_id_of, runtime_available, table_of
from headway.contract.specs.tabular_train import (
    check_common_bounds,
    check_device,
    check_feature_columns,
    check_hidden_config,
    check_mode,
    check_numbers,
    normalise_mode,
)
from headway.v1.job_specs_pb2 import TabularTrainSpec

PATH = f"{SPEC_PATH}.tabular_train"


def _spec(draft: Draft) -> TabularTrainSpec:
    return draft.spec.tabular_train


async def _data_target(draft: Draft, world: World) -> None:
    draft.table = await table_of(draft, world, _spec(draft), PATH)


def _save_model_and_model_id(draft: Draft, _world: World) -> None:
    draft.model_id = model_id_of(draft, _spec(draft), PATH)


def _feature_columns(draft: Draft, _world: World) -> None:
    check_feature_columns(_spec(draft), PATH, draft.table.columns if draft.table else None)


def _numbers(draft: Draft, _world: World) -> None:
    check_numbers(_spec(draft), PATH)
    check_device(_spec(draft), PATH)


def _common_bounds(draft: Draft, _world: World) -> None:
    check_common_bounds(_spec(draft), PATH)
    check_batch_fits(draft, _spec(draft), PATH)


def _mode_normalised(draft: Draft, _world: World) -> None:
    draft.training_mode = normalise_mode(_spec(draft).training_mode)


def _mode_allowed(draft: Draft, _world: World) -> None:
    check_mode(_spec(draft), PATH)


def _hidden_config(draft: Draft, _world: World) -> None:
    check_hidden_config(_spec(draft), PATH)


STEPS = (
    Step("runtime_available", runtime_available),
    Step("data_target", _data_target),
    Step("save_model_and_model_id", _save_model_and_model_id),
    Step("feature_columns", _feature_columns),
    Step("numbers", _numbers),
    Step("common_bounds", _common_bounds),
    Step("mode_normalised", _mode_normalised),
    Step("mode_allowed", _mode_allowed),
    Step("hidden_config", _hidden_config),
)

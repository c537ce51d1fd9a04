"""The chain of kind `tabular_train`. `STEPS` is the documented order (seeds/000, train chain, steps 1 to 9)."""

from gateway.validation.chain import SPEC_PATH, Draft, Step, World
from headway.contract.errors import FieldRequired, OutOfRange, RuntimeUnavailable, Violation
from headway.contract.specs.tabular_train import (
    check_common_bounds,
    check_device,
    check_feature_columns,
    check_hidden_config,
    check_mode,
    check_model,
    check_numbers,
    normalise_mode,
)
from headway.v1.job_specs_pb2 import TabularTrainSpec

PATH = f"{SPEC_PATH}.tabular_train"
NO_HOST_WARNING = "no trainer host is up; the job waits until one joins"


def _spec(draft: Draft) -> TabularTrainSpec:
    return draft.spec.tabular_train


def _runtime_available(draft: Draft, world: World) -> None:
    hosts = world.hosts()
    if not hosts:
        draft.warnings.append(NO_HOST_WARNING)
        return
    if not any(host.has_torch for host in hosts):
        raise RuntimeUnavailable(
            f"{len(hosts)} trainer hosts are up and none of them can import PyTorch; see `headway hosts list`",
            metadata={"num_hosts": str(len(hosts))},
        )


async def _data_target(draft: Draft, world: World) -> None:
    spec = _spec(draft)
    if spec.data_path:
        draft.table = await world.tables.by_path(
            draft.project, spec.data_path, spec.sheet_name, field=f"{PATH}.data_path"
        )
    elif spec.dataset:
        draft.table = await world.tables.by_name(
            draft.project, spec.dataset, spec.dataset_version, spec.sheet_name, field=f"{PATH}.dataset"
        )
    else:
        message = "the job names no data"
        allowed = "data_path, a file below the gateway's data root, or dataset"
        raise FieldRequired(
            message, violations=[Violation(f"{PATH}.data_path", FieldRequired.reason, message, allowed)]
        )


def _save_model_and_model_id(draft: Draft, _world: World) -> None:
    spec = _spec(draft)
    check_model(spec, PATH)
    saves = spec.save_model if spec.HasField("save_model") else True
    # The job's id is a model id as well, and no other job can have it.
    draft.model_id = (spec.model_id or draft.job_id) if saves else ""


def _feature_columns(draft: Draft, _world: World) -> None:
    check_feature_columns(_spec(draft), PATH, draft.table.columns if draft.table else None)


def _numbers(draft: Draft, _world: World) -> None:
    check_numbers(_spec(draft), PATH)
    check_device(_spec(draft), PATH)


def _common_bounds(draft: Draft, _world: World) -> None:
    spec = _spec(draft)
    check_common_bounds(spec, PATH)
    num_rows = draft.table.num_rows if draft.table else 0
    # Only a size that the caller chose is a fault; the default adapts to a small table.
    if num_rows and spec.HasField("batch_size") and spec.batch_size > num_rows:
        message = f"{spec.batch_size} is more than the table's {num_rows} rows"
        violation = Violation(f"{PATH}.batch_size", OutOfRange.reason, message, f"1 to {num_rows}", str(num_rows))
        raise OutOfRange(message, violations=[violation])


def _mode_normalised(draft: Draft, _world: World) -> None:
    draft.training_mode = normalise_mode(_spec(draft).training_mode)


def _mode_allowed(draft: Draft, _world: World) -> None:
    check_mode(_spec(draft), PATH)


def _hidden_config(draft: Draft, _world: World) -> None:
    check_hidden_config(_spec(draft), PATH)


STEPS = (
    Step("runtime_available", _runtime_available),
    Step("data_target", _data_target),
    Step("save_model_and_model_id", _save_model_and_model_id),
    Step("feature_columns", _feature_columns),
    Step("numbers", _numbers),
    Step("common_bounds", _common_bounds),
    Step("mode_normalised", _mode_normalised),
    Step("mode_allowed", _mode_allowed),
    Step("hidden_config", _hidden_config),
)

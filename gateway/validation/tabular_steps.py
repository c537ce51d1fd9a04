"""What the chains of both tabular kinds do alike."""

from gateway.validation.chain import Draft, Table, World
from headway.contract.errors import FieldRequired, OutOfRange, RuntimeUnavailable, Violation
from headway.contract.specs.tabular_train import check_model
from headway.v1.job_specs_pb2 import TabularTrainSpec

NO_HOST_WARNING = "no trainer host is up; the job waits until one joins"


def runtime_available(draft: Draft, world: World) -> None:
    """Step "runtime available": some live host reports that PyTorch imports; with no host up the job may wait.

    Raises:
        RuntimeUnavailable: hosts are up, and none of them can.
    """
    hosts = world.hosts()
    if not hosts:
        draft.warnings.append(NO_HOST_WARNING)
        return
    if not any(host.has_torch for host in hosts):
        raise RuntimeUnavailable(
            f"{len(hosts)} trainer hosts are up and none of them can import PyTorch; see `headway hosts list`",
            metadata={"num_hosts": str(len(hosts))},
        )
    if not any(draft.kind in host.kinds for host in hosts):
        draft.warnings.append(f"no trainer host with a recipe for {draft.kind} is up; the job waits until one joins")


async def table_of(draft: Draft, world: World, spec: TabularTrainSpec, path: str) -> Table:
    """Step "data target": the table that a spec names, pinned.

    Args:
        draft: of the job.
        world: has the tables.
        spec: names the table.
        path: of the spec, for field paths.

    Raises:
        FieldRequired: it names none.
        InvalidArgument: another subclass: it cannot be had.
    """
    tables = world.tables
    if spec.data_path:
        return await tables.by_path(draft.project, spec.data_path, spec.sheet_name, field=f"{path}.data_path")
    if spec.dataset:
        version, sheet = spec.dataset_version, spec.sheet_name
        return await tables.by_name(draft.project, spec.dataset, version, sheet, field=f"{path}.dataset")
    message = "the job names no data"
    allowed = "data_path, a file below the gateway's data root, or dataset"
    raise FieldRequired(message, violations=[Violation(f"{path}.data_path", FieldRequired.reason, message, allowed)])


def model_id_of(draft: Draft, spec: TabularTrainSpec, path: str) -> str:
    """Step "save_model and model_id": where the result is registered; empty when it is not.

    Raises:
        InvalidModelId: a given id is malformed.
    """
    check_model(spec, path)
    saves = spec.save_model if spec.HasField("save_model") else True
    # The job's id is a model id as well, and no other job can have it.
    return (spec.model_id or draft.job_id) if saves else ""


def check_batch_fits(draft: Draft, spec: TabularTrainSpec, path: str) -> None:
    """Part of "bounds": raises OutOfRange when the batch was chosen larger than the table."""
    num_rows = draft.table.num_rows if draft.table else 0
    # Only a size that the caller chose is a fault; the default adapts to a small table.
    if num_rows and spec.HasField("batch_size") and spec.batch_size > num_rows:
        message = f"{spec.batch_size} is more than the table's {num_rows} rows"
        violation = Violation(f"{path}.batch_size", OutOfRange.reason, message, f"1 to {num_rows}", str(num_rows))
        raise OutOfRange(message, violations=[violation])

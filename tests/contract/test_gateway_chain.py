"""The order of the chain of tabular_train, over gRPC: each step alone and in pairs (RELIABILITY B2)."""

import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from headway.contract.errors import Code
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.runtime.remote_error import answer
from headway.v1.datasets_service_pb2 import ListDatasetsRequest
from headway.v1.datasets_service_pb2_grpc import DatasetServiceStub
from headway.v1.job_specs_pb2 import TABULAR_TASK_REGRESSION, JobSpec, ResourceSpec
from tests.chain_faults import Fault, Faults
from tests.jobs_gateway import PARENT, Gateway, a_request, a_spec, create, refused, running_gateway


@pytest.fixture
async def gateway(tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as gateway:
        yield gateway


# The order of the chain, over the wire


def _setting(**values: object) -> Callable[[JobSpec], None]:
    return lambda spec: spec.MergeFrom(a_spec(data_path="", target_column="", **values))


def _common(spec: JobSpec) -> None:
    spec.priority = 101


def _gpu(spec: JobSpec) -> None:
    spec.resource_spec.CopyFrom(ResourceSpec(require_gpu=True))


def _no_data(spec: JobSpec) -> None:
    spec.tabular_train.data_path = "missing.csv"


# The platform's steps, then specs/tabular.md's; "mode_normalised" always succeeds.
FAULTS = Faults(
    (
        Fault("common_fields", "OUT_OF_RANGE", _common),
        Fault("execution_mode", "NO_GPU_HOST", _gpu, code=Code.FAILED_PRECONDITION),
        Fault("runtime_available", "RUNTIME_UNAVAILABLE", is_host_broken=True, code=Code.UNAVAILABLE),
        Fault("data_target", "DATA_PATH", _no_data),
        Fault("save_model_and_model_id", "MODEL_ID", _setting(model_id="../etc")),
        Fault("feature_columns", "COLUMNS", _setting(exclude_columns=["nowhere"])),
        Fault("numbers", "OUT_OF_RANGE", _setting(learning_rate=math.nan)),
        Fault("common_bounds", "OUT_OF_RANGE", _setting(epochs=0)),
        Fault("mode_allowed", "UNKNOWN_MODE", _setting(training_mode="magic")),
        Fault("hidden_config", "OUT_OF_RANGE", _setting(hidden_dim=7)),
    ),
    a_spec,
)


async def test_each_step_answers_for_its_own_fault_with_its_code(gateway: Gateway) -> None:
    await FAULTS.answer_alone(gateway)


async def test_with_two_faults_the_earlier_step_answers_for_every_pair_b2(gateway: Gateway) -> None:
    await FAULTS.answer_in_pairs(gateway)


async def test_a_step_after_a_failed_one_leaves_no_trace_b2(gateway: Gateway) -> None:
    # "data_target" takes the file in as a dataset: whether it ran can be seen in the list of datasets.
    datasets = DatasetServiceStub(gateway.channel)
    await FAULTS.set_host(gateway, is_broken=True)
    await refused(gateway.jobs.CreateJob(a_request()))
    assert len((await answer(datasets.ListDatasets(ListDatasetsRequest(parent=PARENT)))).datasets) == 0
    await FAULTS.set_host(gateway, is_broken=False)
    await refused(gateway.jobs.CreateJob(a_request(a_spec(model_id="../etc"))))
    assert len((await answer(datasets.ListDatasets(ListDatasetsRequest(parent=PARENT)))).datasets) == 1


async def test_the_step_after_a_fault_that_always_passes_is_passed(gateway: Gateway) -> None:
    job = await create(gateway, a_spec(training_mode=" MLP "))
    assert "mode_normalised" in job.admission.steps


async def test_all_six_modes_are_admitted_and_two_of_them_for_classes_only(gateway: Gateway) -> None:
    modes = ("mlp_dense", "linear_glm_baseline", "tabresnet", "tree_teacher_distillation")
    for_classes = ("imbalance_aware", "calibrated_classifier")
    for mode in (*modes, *for_classes):
        job = await answer(gateway.jobs.CreateJob(a_request(a_spec(training_mode=mode), validate_only=True)))
        assert job.admission.num_parameters > 0
    for mode in modes:
        spec = a_spec(training_mode=mode, task=TABULAR_TASK_REGRESSION, target_column="petal")
        await answer(gateway.jobs.CreateJob(a_request(spec, validate_only=True)))
    for mode in for_classes:
        spec = a_spec(training_mode=mode, task=TABULAR_TASK_REGRESSION, target_column="petal")
        error = await refused(gateway.jobs.CreateJob(a_request(spec)))
        told = (error.metadata["step"], error.reason, error.code)
        assert told == ("mode_allowed", "MODE_NOT_POSSIBLE", Code.INVALID_ARGUMENT)

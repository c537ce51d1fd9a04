"""The order of the chain of tabular_distill, over gRPC: each step alone and in pairs (RELIABILITY B2)."""

import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from headway.contract.errors import Code
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.runtime.remote_error import answer
from headway.v1.job_specs_pb2 import JobSpec, TabularDistillSpec, TabularTrainSpec
from tests.chain_faults import Fault, Faults
from tests.jobs_gateway import Gateway, a_request, refused, running_gateway
from tests.proto_fields import with_fields
from tests.trained_runs import put_bundle

GOOD, UNFIT = "teachers/good", "teachers/unfit"
NO_RUN = "j" + "a" * 25


@pytest.fixture
async def gateway(tmp_path: Path, nats_server: NatsServer, nats_bus: NatsBus) -> AsyncIterator[Gateway]:
    async with running_gateway(tmp_path / "home", nats_server, nats_bus) as gateway:
        put_bundle(gateway.home / "data" / GOOD)
        put_bundle(gateway.home / "data" / UNFIT, columns=("weight", "height"))
        yield gateway


def a_spec() -> JobSpec:
    """A spec that is admitted."""
    training = TabularTrainSpec(data_path="iris.csv")
    return JobSpec(tabular_distill=TabularDistillSpec(training=training, teacher_model_path=GOOD))


def _setting(**values: object) -> Callable[[JobSpec], None]:
    def spoil(spec: JobSpec) -> None:
        with_fields(spec.tabular_distill, values)

    return spoil


def _training(**values: object) -> Callable[[JobSpec], None]:
    def spoil(spec: JobSpec) -> None:
        with_fields(spec.tabular_distill.training, values)

    return spoil


def _no_teacher(spec: JobSpec) -> None:
    for field in ("teacher_run_id", "teacher_model_path", "teacher_model_id"):
        spec.tabular_distill.ClearField(field)


# specs/tabular.md's, of which "a teacher is named" comes third; "mode_normalised" always succeeds.
FAULTS = Faults(
    (
        Fault("runtime_available", "RUNTIME_UNAVAILABLE", is_host_broken=True, code=Code.UNAVAILABLE),
        Fault("data_target", "DATA_PATH", _training(data_path="missing.csv")),
        Fault("teacher_named", "FIELD_REQUIRED", _no_teacher),
        Fault("save_model_and_model_id", "MODEL_ID", _training(model_id="../etc")),
        Fault("feature_columns", "COLUMNS", _training(exclude_columns=["nowhere"])),
        Fault("numbers", "OUT_OF_RANGE", _setting(temperature=math.nan)),
        Fault("bounds", "OUT_OF_RANGE", _setting(alpha=1.5)),
        Fault("mode_can_be_distilled", "MODE_NOT_POSSIBLE", _training(training_mode="imbalance_aware")),
        Fault("teacher_found", "NOT_FOUND", _setting(teacher_run_id=NO_RUN), code=Code.NOT_FOUND),
        Fault("teacher_fits", "TEACHER_MISMATCH", _setting(teacher_model_path=UNFIT)),
    ),
    a_spec,
)


async def test_a_good_spec_passes_every_step_in_the_documented_order(gateway: Gateway) -> None:
    job = await answer(gateway.jobs.CreateJob(a_request(a_spec())))
    assert job.kind == "tabular_distill"
    steps = list(job.admission.steps)
    assert steps[steps.index("execution_mode") + 1 :] == [
        "runtime_available",
        "data_target",
        "teacher_named",
        "save_model_and_model_id",
        "feature_columns",
        "numbers",
        "bounds",
        "mode_normalised",
        "mode_can_be_distilled",
        "teacher_found",
        "teacher_fits",
    ]
    # 60 epochs of one batch; a teacher of 32 in two layers makes a student of 16 in one.
    assert job.admission.total_steps == 60
    assert job.admission.num_parameters == (2 * 16 + 16 + 2 * 16) + (16 * 3 + 3)


async def test_each_step_answers_for_its_own_fault_with_its_code(gateway: Gateway) -> None:
    await FAULTS.answer_alone(gateway)


async def test_with_two_faults_the_earlier_step_answers_for_every_pair_b2(gateway: Gateway) -> None:
    await FAULTS.answer_in_pairs(gateway)


@pytest.mark.parametrize("mode", ["imbalance_aware", "calibrated_classifier", "tree_teacher_distillation", "magic"])
async def test_a_mode_that_cannot_be_distilled_is_refused_with_those_that_can(gateway: Gateway, mode: str) -> None:
    spec = a_spec()
    spec.tabular_distill.training.training_mode = mode
    error = await refused(gateway.jobs.CreateJob(a_request(spec)))
    assert error.reason == ("UNKNOWN_MODE" if mode == "magic" else "MODE_NOT_POSSIBLE")
    assert error.violations[0].allowed == "mlp_dense, linear_glm_baseline, tabresnet"


async def test_the_hidden_config_is_no_step_of_this_chain(gateway: Gateway) -> None:
    spec = a_spec()
    with_fields(spec.tabular_distill.training, {"hidden_dim": 1, "num_hidden_layers": 10_000, "dropout": 7.0})
    job = await answer(gateway.jobs.CreateJob(a_request(spec)))
    assert any("student_hidden_dim" in warning for warning in job.admission.warnings)

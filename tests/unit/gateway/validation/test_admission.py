"""What admission answers."""

import pytest

from gateway.validation import tabular_distill
from gateway.validation.admission import CHAINS, admit
from gateway.validation.platform_steps import PLATFORM_STEPS
from gateway.validation.tabular_train import STEPS
from headway.contract.errors import OutOfRange
from headway.contract.kinds import IMPLEMENTED_KINDS
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL, CustomSpec, JobSpec, ResourceSpec
from tests.unit.gateway.builders import FakeWorld, a_distill_spec, a_draft, a_host, a_spec, a_tabular_spec


async def test_an_admitted_job_is_told_mode_steps_size_time_and_memory() -> None:
    admission = await admit(a_draft(), FakeWorld())
    assert admission.mode == EXECUTION_MODE_LOCAL
    assert admission.host_class == "cpu"
    assert list(admission.steps) == [step.name for step in (*PLATFORM_STEPS, *STEPS)]
    assert admission.total_steps == 500 * 2
    assert admission.num_parameters > 0
    assert admission.estimated_duration.ToTimedelta().total_seconds() > 0
    assert admission.estimated_memory_mib > 0
    assert list(admission.warnings) == []


async def test_the_platforms_steps_come_before_the_kinds() -> None:
    with pytest.raises(OutOfRange) as caught:
        await admit(a_draft(a_spec(a_tabular_spec(epochs=0), priority=101)), FakeWorld())
    assert caught.value.metadata["step"] == "common_fields"


async def test_a_fallback_is_part_of_the_answer() -> None:
    admission = await admit(a_draft(a_spec(execution_mode=EXECUTION_MODE_HOST)), FakeWorld())
    assert admission.mode == EXECUTION_MODE_LOCAL
    assert admission.fallback_reason
    assert list(admission.warnings) == [admission.fallback_reason]


async def test_an_admitted_distillation_is_told_the_students_size() -> None:
    draft = a_draft(JobSpec(tabular_distill=a_distill_spec()))
    admission = await admit(draft, FakeWorld())
    assert list(admission.steps) == [step.name for step in (*PLATFORM_STEPS, *tabular_distill.STEPS)]
    assert admission.total_steps == 60 * 2
    assert admission.num_parameters == (3 * 64 + 64 + 2 * 64) + (64 * 3 + 3)
    assert admission.estimated_duration.ToTimedelta().total_seconds() > 0


async def test_a_custom_kind_has_no_estimate() -> None:
    admission = await admit(a_draft(JobSpec(custom=CustomSpec(kind="toy"))), FakeWorld())
    assert not admission.HasField("estimated_duration")
    assert admission.total_steps == 0


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (a_spec(), "gpu"),
        (a_spec(a_tabular_spec(device="cpu")), "cpu"),
        (JobSpec(tabular_distill=a_distill_spec()), "gpu"),
        (JobSpec(tabular_distill=a_distill_spec(training=a_tabular_spec(device="cpu"))), "cpu"),
        (a_spec(a_tabular_spec(device="cpu"), resource_spec=ResourceSpec(require_gpu=True)), "gpu"),
    ],
)
async def test_the_host_class_says_whether_a_gpu_is_used(spec: JobSpec, expected: str) -> None:
    admission = await admit(a_draft(spec), FakeWorld(up=[a_host(gpu_names=("T4",))]))
    assert admission.host_class == expected


def test_every_kind_of_this_release_has_a_chain() -> None:
    assert set(CHAINS) == set(IMPLEMENTED_KINDS)

"""What is checked before any kind's own chain."""

import pytest

from gateway.validation.chain import Draft, run_chain
from gateway.validation.platform_steps import DOOR_STEPS, PLATFORM_STEPS, SPEC_MAX_BYTES
from headway.contract.errors import (
    FieldRequired,
    HeadwayError,
    InvalidArgument,
    InvalidRequestId,
    KindUnavailable,
    NoGpuHost,
    OutOfRange,
    PermissionDenied,
)
from headway.v1.job_specs_pb2 import (
    EXECUTION_MODE_HOST,
    EXECUTION_MODE_LOCAL,
    CustomSpec,
    InferSpec,
    JobSpec,
    ResourceSpec,
    TokenizerTrainSpec,
)
from tests.unit.gateway.builders import FakeWorld, a_draft, a_host, a_principal, a_request, a_spec


async def refused(draft: Draft, world: FakeWorld | None = None) -> HeadwayError:
    with pytest.raises(HeadwayError) as caught:
        await run_chain([*DOOR_STEPS, *PLATFORM_STEPS], draft, world or FakeWorld())
    return caught.value


def test_the_order_is_rights_then_request_id_then_kind_fields_and_mode() -> None:
    assert [step.name for step in DOOR_STEPS] == ["authorise_project", "request_id"]
    assert [step.name for step in PLATFORM_STEPS] == ["kind", "common_fields", "execution_mode"]


async def test_a_good_spec_passes() -> None:
    draft = a_draft()
    await run_chain([*DOOR_STEPS, *PLATFORM_STEPS], draft, FakeWorld())
    assert draft.kind == "tabular_train"


async def test_a_foreign_project_is_refused_in_the_same_words_whatever_its_name_p29() -> None:
    errors = []
    for project in ("theirs", "nobody-has-used-this"):
        error = await refused(a_draft(project=project))
        assert isinstance(error, PermissionDenied)
        errors.append((error.message, error.metadata, error.violations))
    assert errors[0] == errors[1]


async def test_rights_come_before_everything_else() -> None:
    draft = a_draft(JobSpec(priority=1000), principal=a_principal(projects=()))
    assert isinstance(await refused(draft), PermissionDenied)


@pytest.mark.parametrize("request_id", ["", "a" * 129, "a b", "line\nbreak", "🎉", "a/b"])
async def test_a_malformed_request_id_is_refused_b3(request_id: str) -> None:
    request = a_request()
    request.request_id = request_id
    error = await refused(a_draft(request=request))
    assert isinstance(error, InvalidRequestId)
    assert error.violations[0].field == "request_id"
    assert error.violations[0].allowed


async def test_a_spec_without_a_kind_names_those_that_there_are() -> None:
    error = await refused(a_draft(JobSpec()))
    assert isinstance(error, FieldRequired)
    assert "tabular_train" in error.violations[0].allowed


async def test_a_kind_without_a_chain_is_unavailable() -> None:
    assert isinstance(await refused(a_draft(JobSpec(tokenizer_train=TokenizerTrainSpec()))), KindUnavailable)


async def test_a_kind_of_the_gateways_own_is_refused_with_the_way_to_it() -> None:
    error = await refused(a_draft(JobSpec(infer=InferSpec(model="projects/demo/jobs/j1"))))
    assert isinstance(error, InvalidArgument)
    assert "Predict" in error.message
    assert error.violations[0].field == "job.spec.infer"


async def test_a_priority_out_of_range_is_refused_b25() -> None:
    error = await refused(a_draft(a_spec(priority=-(2**31))))
    assert isinstance(error, OutOfRange)
    assert error.violations[0].field == "job.spec.priority"
    assert error.violations[0].allowed == "-100 to 100"


async def test_a_spec_too_large_for_a_record_is_refused() -> None:
    custom = CustomSpec(kind="mine")
    custom.spec.update({"text": "x" * SPEC_MAX_BYTES})
    error = await refused(a_draft(JobSpec(custom=custom)))
    assert isinstance(error, OutOfRange)
    assert str(SPEC_MAX_BYTES) in error.violations[0].allowed


async def test_a_required_gpu_that_no_host_has_is_refused_b13() -> None:
    error = await refused(a_draft(a_spec(resource_spec=ResourceSpec(require_gpu=True))))
    assert isinstance(error, NoGpuHost)
    assert error.metadata["step"] == "execution_mode"


async def test_a_required_gpu_that_a_host_has_selects_that_host() -> None:
    world = FakeWorld(up=[a_host(), a_host(name="hosts/gpu", mode=EXECUTION_MODE_HOST, gpu_names=("T4",))])
    draft = a_draft(a_spec(resource_spec=ResourceSpec(require_gpu=True)))
    await run_chain(PLATFORM_STEPS, draft, world)
    assert draft.selection.mode == EXECUTION_MODE_HOST


async def test_a_fallback_is_told_as_a_warning() -> None:
    draft = a_draft(a_spec(execution_mode=EXECUTION_MODE_HOST))
    await run_chain(PLATFORM_STEPS, draft, FakeWorld())
    assert draft.selection.mode == EXECUTION_MODE_LOCAL
    assert draft.warnings == [draft.selection.fallback_reason]


async def test_the_platforms_default_mode_counts_where_the_job_leaves_it_open() -> None:
    draft = a_draft()
    await run_chain(PLATFORM_STEPS, draft, FakeWorld(up=[a_host(mode=EXECUTION_MODE_HOST)], mode=EXECUTION_MODE_HOST))
    assert draft.selection.mode == EXECUTION_MODE_HOST

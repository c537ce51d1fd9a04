"""The fields that all specs share."""

import pytest
from google.protobuf.duration_pb2 import Duration

from headway.contract.errors import FieldRequired, InvalidArgument, KindUnavailable, OutOfRange
from headway.contract.specs.job import check_common, check_kind
from headway.v1.job_specs_pb2 import (
    CustomSpec,
    DataRef,
    EvalPolicy,
    EvaluateSpec,
    InferSpec,
    JobSpec,
    Policies,
    ResourceSpec,
    TabularTrainSpec,
)


def test_a_spec_without_a_kind_is_refused() -> None:
    with pytest.raises(FieldRequired, match="names no kind"):
        check_kind(JobSpec(), "job.spec")


def test_a_kind_without_a_recipe_in_this_release_says_so() -> None:
    with pytest.raises(KindUnavailable, match="tabular_train"):
        check_kind(JobSpec(evaluate=EvaluateSpec()), "job.spec")


def test_the_kinds_of_this_release_are_told() -> None:
    assert check_kind(JobSpec(tabular_train=TabularTrainSpec()), "job.spec") == "tabular_train"
    assert check_kind(JobSpec(custom=CustomSpec(kind="toy")), "job.spec") == "toy"


def test_a_plug_ins_kind_follows_its_pattern() -> None:
    with pytest.raises(InvalidArgument, match="not the name of a kind"):
        check_kind(JobSpec(custom=CustomSpec(kind="../x")), "job.spec")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (JobSpec(display_name="x" * 129), "display_name"),
        (JobSpec(display_name="a\x1b[0m"), "display_name"),
        (JobSpec(data_refs=[DataRef()] * 33), "data_refs"),
        (JobSpec(resource_spec=ResourceSpec(gpu_count=-1)), "resource_spec.gpu_count"),
        (JobSpec(resource_spec=ResourceSpec(gpu_count=65)), "resource_spec.gpu_count"),
        (JobSpec(resource_spec=ResourceSpec(memory_mib=-1)), "resource_spec.memory_mib"),
        (JobSpec(resource_spec=ResourceSpec(gpu_type="x" * 64)), "resource_spec.gpu_type"),
        (JobSpec(policies=Policies(max_runtime=Duration(seconds=0))), "policies.max_runtime"),
        (JobSpec(policies=Policies(timeout_per_step=Duration(seconds=-5))), "policies.timeout_per_step"),
        (JobSpec(policies=Policies(checkpoint_interval=Duration(seconds=2**40))), "policies.checkpoint_interval"),
        (JobSpec(policies=Policies(retry_max=21)), "policies.retry_max"),
        (JobSpec(eval_policy=EvalPolicy(benchmarks=["x"] * 33)), "eval_policy.benchmarks"),
        (JobSpec(eval_policy=EvalPolicy(min_scores={str(i): 1 for i in range(65)})), "eval_policy.min_scores"),
        (JobSpec(eval_policy=EvalPolicy(min_scores={"a": float("nan")})), "eval_policy.min_scores['a']"),
        (JobSpec(tags=[""]), "tags"),
        (JobSpec(tags=["x"] * 33), "tags"),
        (JobSpec(priority=-(2**31)), "priority"),
        (JobSpec(priority=101), "priority"),
        (JobSpec(user_id="a b"), "user_id"),
    ],
)
def test_a_shared_field_out_of_its_bounds_is_named_with_its_range(spec: JobSpec, field: str) -> None:
    """B25 and its kin."""
    with pytest.raises(OutOfRange) as caught:
        check_common(spec, "job.spec")
    assert [violation.field for violation in caught.value.violations] == [f"job.spec.{field}"]
    assert caught.value.violations[0].allowed


def test_a_plain_spec_passes() -> None:
    check_common(
        JobSpec(
            display_name="iris",
            tags=["a"],
            priority=100,
            user_id="ada",
            policies=Policies(max_runtime=Duration(seconds=1)),
        ),
        "job.spec",
    )


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (JobSpec(infer=InferSpec(model="m")), "job.spec.infer"),
        (JobSpec(custom=CustomSpec(kind="infer")), "job.spec.custom"),
    ],
)
def test_nobody_submits_an_internal_kind_not_even_as_a_plug_in(spec: JobSpec, field: str) -> None:
    with pytest.raises(InvalidArgument, match=r"Predict") as refusal:
        check_kind(spec, "job.spec")
    assert refusal.value.violations[0].field == field

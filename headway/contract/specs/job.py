"""The fields that the specs of all kinds share: bounds and checks."""

import math
import re
from collections.abc import Iterator
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from headway.contract.errors import FieldRequired, InvalidArgument, KindUnavailable, OutOfRange, Violation, echo
from headway.contract.ids import USER_ID_PATTERN
from headway.contract.kinds import IMPLEMENTED_KINDS, INTERNAL_KINDS, kind_of
from headway.contract.limits import (
    BENCHMARKS_MAX,
    DATA_REFS_MAX,
    DISPLAY_NAME_MAX_CHARACTERS,
    DURATION_MAX,
    DURATION_MIN,
    GPU_COUNT_MAX,
    MEMORY_MIB_MAX,
    MIN_SCORES_MAX,
    PRIORITY_MAX,
    PRIORITY_MIN,
    RETRY_MAX_MAX,
    TAG_MAX_CHARACTERS,
    TAGS_MAX,
)
from headway.v1.job_specs_pb2 import EvalPolicy, JobSpec, Policies, ResourceSpec

CUSTOM_KIND_PATTERN = r"[a-z][a-z0-9_]{0,62}"


def check_kind(spec: JobSpec, prefix: str) -> str:
    """The kind that the spec asks for.

    Raises:
        FieldRequired: when no member of `kind` is set.
        InvalidArgument: when a custom kind's name is malformed, or the kind is one that no caller can submit.
        KindUnavailable: when this release has no chain for the kind.
    """
    kind = kind_of(spec)
    member = spec.WhichOneof("kind")
    if member is None:
        message = "the spec names no kind"
        allowed = ", ".join(sorted(IMPLEMENTED_KINDS))
        raise FieldRequired(message, violations=[Violation(prefix, FieldRequired.reason, message, allowed)])
    if member == "custom" and not re.fullmatch(CUSTOM_KIND_PATTERN, kind):
        message = f"{echo(kind)} is not the name of a kind"
        violation = Violation(f"{prefix}.custom.kind", InvalidArgument.reason, message, CUSTOM_KIND_PATTERN)
        raise InvalidArgument(message, violations=[violation])
    if kind in INTERNAL_KINDS:
        message = f"jobs of kind {kind} are the gateway's own; call ModelService.Predict"
        violation = Violation(
            f"{prefix}.{member}", InvalidArgument.reason, message, ", ".join(sorted(IMPLEMENTED_KINDS))
        )
        raise InvalidArgument(message, violations=[violation])
    if member not in IMPLEMENTED_KINDS:
        raise KindUnavailable(
            f"kind {member} has no recipe in this release; available: {', '.join(sorted(IMPLEMENTED_KINDS))}",
            metadata={"kind": member},
        )
    return kind


def check_common(spec: JobSpec, prefix: str) -> None:
    """Check every shared field.

    Raises:
        OutOfRange: with every violation, in the order of the proto.
    """
    violations = [
        Violation(f"{prefix}.{field}", OutOfRange.reason, message, allowed) for field, message, allowed in _faults(spec)
    ]
    if violations:
        raise OutOfRange("; ".join(str(violation) for violation in violations), violations=violations)


Fault = tuple[str, str, str]


def _faults(spec: JobSpec) -> Iterator[Fault]:
    if len(spec.display_name) > DISPLAY_NAME_MAX_CHARACTERS or not spec.display_name.isprintable():
        yield (
            "display_name",
            "too long, or not printable",
            f"at most {DISPLAY_NAME_MAX_CHARACTERS} printable characters",
        )
    if len(spec.data_refs) > DATA_REFS_MAX:
        yield "data_refs", f"{len(spec.data_refs)} entries", f"at most {DATA_REFS_MAX}"
    if spec.HasField("resource_spec"):
        yield from _resource_faults(spec.resource_spec)
    if spec.HasField("policies"):
        yield from _policy_faults(spec.policies)
    if spec.HasField("eval_policy"):
        yield from _evaluation_faults(spec.eval_policy)
    if len(spec.tags) > TAGS_MAX or not all(0 < len(t) <= TAG_MAX_CHARACTERS and t.isprintable() for t in spec.tags):
        yield "tags", "too many, or one is empty or too long", f"{TAGS_MAX} tags of 1-{TAG_MAX_CHARACTERS} characters"
    if not PRIORITY_MIN <= spec.priority <= PRIORITY_MAX:
        yield "priority", f"{spec.priority} is out of range", f"{PRIORITY_MIN} to {PRIORITY_MAX}"
    if spec.user_id and not re.fullmatch(USER_ID_PATTERN, spec.user_id):
        yield "user_id", f"{echo(spec.user_id)} is not allowed", USER_ID_PATTERN


def _resource_faults(resources: ResourceSpec) -> Iterator[Fault]:
    if not 0 <= resources.gpu_count <= GPU_COUNT_MAX:
        yield "resource_spec.gpu_count", f"{resources.gpu_count} is out of range", f"0 to {GPU_COUNT_MAX}"
    if not 0 <= resources.memory_mib <= MEMORY_MIB_MAX:
        yield "resource_spec.memory_mib", f"{resources.memory_mib} is out of range", f"0 to {MEMORY_MIB_MAX} MiB"
    if len(resources.gpu_type) > TAG_MAX_CHARACTERS or not resources.gpu_type.isprintable():
        yield "resource_spec.gpu_type", "too long, or not printable", f"at most {TAG_MAX_CHARACTERS} characters"


def _policy_faults(policies: Policies) -> Iterator[Fault]:
    spans = {
        "max_runtime": policies.max_runtime if policies.HasField("max_runtime") else None,
        "checkpoint_interval": policies.checkpoint_interval if policies.HasField("checkpoint_interval") else None,
        "timeout_per_step": policies.timeout_per_step if policies.HasField("timeout_per_step") else None,
    }
    for name, span in spans.items():
        if span is not None and not _is_sensible(span):
            yield f"policies.{name}", "out of range", "1 s to 365 days"
    if policies.HasField("retry_max") and not 0 <= policies.retry_max <= RETRY_MAX_MAX:
        yield "policies.retry_max", f"{policies.retry_max} is out of range", f"0 to {RETRY_MAX_MAX}"


def _is_sensible(span: Duration) -> bool:
    in_range = DURATION_MIN.total_seconds() <= span.seconds <= DURATION_MAX.total_seconds()
    return in_range and timedelta(seconds=span.seconds) >= DURATION_MIN and 0 <= span.nanos < 10**9


def _evaluation_faults(policy: EvalPolicy) -> Iterator[Fault]:
    if len(policy.benchmarks) > BENCHMARKS_MAX:
        yield "eval_policy.benchmarks", f"{len(policy.benchmarks)} entries", f"at most {BENCHMARKS_MAX}"
    if len(policy.min_scores) > MIN_SCORES_MAX:
        yield "eval_policy.min_scores", f"{len(policy.min_scores)} entries", f"at most {MIN_SCORES_MAX}"
    for name, score in sorted(policy.min_scores.items()):
        if not math.isfinite(score):
            yield f"eval_policy.min_scores[{echo(name)}]", "not finite", "a finite number"

"""The whole validation of a submission, from the caller's rights to what the job would take."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gateway.validation import custom, tabular_distill, tabular_train
from gateway.validation.chain import Draft, Step, World, run_chain
from gateway.validation.estimates import Estimate, estimate, estimate_distill
from gateway.validation.platform_steps import PLATFORM_STEPS
from headway.contract.host_facts import HostFacts
from headway.contract.kinds import TABULAR_DISTILL, TABULAR_TRAIN
from headway.contract.times import duration
from headway.v1.jobs_pb2 import Admission

CHAINS: Mapping[str, Sequence[Step]] = MappingProxyType(
    {TABULAR_TRAIN: tabular_train.STEPS, TABULAR_DISTILL: tabular_distill.STEPS, "custom": custom.STEPS},
)
"""The chain of each kind that this release can train, by member of `JobSpec.kind`."""


async def admit(draft: Draft, world: World) -> Admission:
    """Run the platform's steps and then those of the kind.

    Returns:
        What would happen to the job as things stand.

    Raises:
        HeadwayError: of the first step that fails.
    """
    await run_chain(PLATFORM_STEPS, draft, world)
    member = draft.spec.WhichOneof("kind")
    await run_chain(CHAINS[member or ""], draft, world)
    return _admission(draft, world)


def _admission(draft: Draft, world: World) -> Admission:
    found = _estimate(draft)
    return Admission(
        mode=draft.selection.mode,
        fallback_reason=draft.selection.fallback_reason,
        host_class=_host_class(draft, world.hosts()),
        total_steps=found.total_steps,
        num_parameters=found.num_parameters,
        estimated_duration=None if found.duration is None else duration(found.duration),
        estimated_memory_mib=found.memory_mib,
        warnings=draft.warnings,
        steps=draft.passed,
    )


def _estimate(draft: Draft) -> Estimate:
    if draft.table is None:
        return Estimate()
    if draft.teachers:
        return estimate_distill(draft.spec.tabular_distill, draft.table, draft.unlabelled, draft.teachers)
    return estimate(draft.spec.tabular_train, draft.table)


def _device(draft: Draft) -> str:
    if draft.spec.HasField("tabular_distill"):
        return draft.spec.tabular_distill.training.device
    return draft.spec.tabular_train.device


def _host_class(draft: Draft, hosts: Sequence[HostFacts]) -> str:
    if draft.spec.resource_spec.require_gpu:
        return "gpu"
    has_gpu = any(host.gpu_names for host in hosts if host.mode == draft.selection.mode and draft.kind in host.kinds)
    return "gpu" if has_gpu and _device(draft) != "cpu" else "cpu"

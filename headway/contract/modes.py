"""Where a job runs: the execution-mode selector, exactly the table of DESIGN section 4."""

from collections.abc import Iterable
from dataclasses import dataclass

from headway.contract.errors import NoGpuHost
from headway.contract.host_facts import HostFacts
from headway.v1.job_specs_pb2 import (
    EXECUTION_MODE_AUTO,
    EXECUTION_MODE_HOST,
    EXECUTION_MODE_LOCAL,
    EXECUTION_MODE_UNSPECIFIED,
    ExecutionMode,
    JobSpec,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a job says about its place.

    Attributes:
        mode: as asked for; UNSPECIFIED means the platform's default.
        require_gpu: whether the job must not run without a GPU.
        gpu_type: text that the GPU's name must contain, ignoring case; empty means any.
        kind: the recipe that the host must have.
    """

    mode: "ExecutionMode.ValueType"
    require_gpu: bool
    gpu_type: str
    kind: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Where a job runs.

    Attributes:
        mode: LOCAL or HOST.
        fallback_reason: a sentence for people, when the mode is not the one asked for; else empty.
    """

    mode: "ExecutionMode.ValueType"
    fallback_reason: str = ""


def mode_name(mode: "ExecutionMode.ValueType") -> str:
    """The mode for people: `EXECUTION_MODE_HOST` is `host`; unspecified is empty."""
    name = ExecutionMode.Name(mode).removeprefix("EXECUTION_MODE_").lower()
    return "" if name == "unspecified" else name


def wish_of(spec: JobSpec, kind: str) -> Wish:
    """What a spec says about its place; a gpu_count above 0 is no demand, require_gpu is."""
    resources = spec.resource_spec
    return Wish(spec.execution_mode, resources.require_gpu, resources.gpu_type, kind)


def select_mode(wish: Wish, default: "ExecutionMode.ValueType", hosts: Iterable[HostFacts]) -> Selection:
    """Choose local or host.

    Args:
        wish: what the job asks for.
        default: the platform's mode, used where the job leaves it open; UNSPECIFIED counts as AUTO.
        hosts: the live hosts, in any order.

    Returns:
        The mode, with the reason for a fallback.

    Raises:
        NoGpuHost: when a GPU is required and no suitable host of the asked mode has one.

    Source:
        DESIGN section 4, "Execution modes".
    """
    asked = wish.mode if wish.mode != EXECUTION_MODE_UNSPECIFIED else default
    suitable = [host for host in hosts if _suits(host, wish)]
    if asked == EXECUTION_MODE_LOCAL:
        return _local(wish, suitable)
    if asked == EXECUTION_MODE_HOST:
        return _remote(wish, suitable)
    return _auto(wish, suitable)


def _suits(host: HostFacts, wish: Wish) -> bool:
    return not host.draining and wish.kind in host.kinds and (not wish.require_gpu or has_gpu(host, wish.gpu_type))


def has_gpu(host: HostFacts, gpu_type: str) -> bool:
    """Whether the host has a GPU whose name contains `gpu_type`, ignoring case."""
    return any(gpu_type.lower() in name.lower() for name in host.gpu_names)


def _local(wish: Wish, suitable: list[HostFacts]) -> Selection:
    if wish.require_gpu and not any(host.mode == EXECUTION_MODE_LOCAL for host in suitable):
        raise _no_gpu("no local trainer host has one; ask for execution_mode host or drop require_gpu")
    return Selection(EXECUTION_MODE_LOCAL)


def _remote(wish: Wish, suitable: list[HostFacts]) -> Selection:
    if any(host.mode == EXECUTION_MODE_HOST for host in suitable):
        return Selection(EXECUTION_MODE_HOST)
    if wish.require_gpu:
        raise _no_gpu("no remote trainer host with one is up; join one with `headway host join`, or drop require_gpu")
    return Selection(
        EXECUTION_MODE_LOCAL,
        f"execution mode host was asked for, and no remote trainer host with a recipe for {wish.kind} is up",
    )


def _auto(wish: Wish, suitable: list[HostFacts]) -> Selection:
    if not wish.require_gpu:
        return Selection(EXECUTION_MODE_LOCAL)
    modes = {host.mode for host in suitable}
    if EXECUTION_MODE_HOST in modes:
        return Selection(EXECUTION_MODE_HOST)
    if EXECUTION_MODE_LOCAL in modes:
        return Selection(EXECUTION_MODE_LOCAL)
    raise _no_gpu("no trainer host with one is up; join one with `headway host join`, or drop require_gpu")


def _no_gpu(rest: str) -> NoGpuHost:
    return NoGpuHost(f"the job requires a GPU and {rest}", metadata={"require_gpu": "true"})


def parse_mode(text: str) -> "ExecutionMode.ValueType | None":
    """`auto`, `local` or `host` in any case as a mode; None for anything else."""
    names = {"auto": EXECUTION_MODE_AUTO, "local": EXECUTION_MODE_LOCAL, "host": EXECUTION_MODE_HOST}
    return names.get(text.strip().lower())

"""What decisions need to know of a trainer host, as a small value."""

from dataclasses import dataclass

from headway.v1.hosts_pb2 import Host
from headway.v1.job_specs_pb2 import ExecutionMode


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A live host, without its conversation.

    Attributes:
        name: `hosts/{host}`.
        mode: LOCAL or HOST.
        num_slots: attempts it can run at a time.
        num_cpu_cores: cores for its attempts.
        memory_mib: memory for its attempts, MiB.
        gpu_names: display names of its GPUs, in order; empty on a CPU-only host.
        kinds: kinds whose recipe imports there.
        has_torch: whether torch imports there.
        draining: whether it takes no new work.
    """

    name: str
    mode: "ExecutionMode.ValueType"
    num_slots: int
    num_cpu_cores: int
    memory_mib: int
    gpu_names: tuple[str, ...]
    kinds: frozenset[str]
    has_torch: bool
    draining: bool

    @property
    def device(self) -> str:
        """The first GPU's name, or `cpu`."""
        return self.gpu_names[0] if self.gpu_names else "cpu"


def facts_of(host: Host) -> HostFacts:
    """The facts of a host as it described itself."""
    return HostFacts(
        name=host.name,
        mode=host.mode,
        num_slots=host.num_slots,
        num_cpu_cores=host.num_cpu_cores,
        memory_mib=host.memory_mib,
        gpu_names=tuple(device.display_name or device.id for device in host.devices),
        kinds=frozenset(recipe.kind for recipe in host.recipes if recipe.available),
        has_torch=bool(host.torch_version),
        draining=host.draining,
    )

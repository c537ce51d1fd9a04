"""What this host is, as it tells the scheduler. Torch is never imported here: what it can do, a child has told."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from headway.contract.limits import HOST_DEVICES_MAX, HOST_RECIPES_MAX, MIB
from headway.v1.hosts_pb2 import Device, Host, RecipeReport
from headway.v1.job_specs_pb2 import ExecutionMode
from trainer_host.child_messages import Hello

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HostIdentity:
    """What of a host does not change while it runs.

    Attributes:
        host_id: chosen by its operator.
        mode: LOCAL beside the control plane, HOST elsewhere.
        num_slots: attempts at a time.
        labels: words that jobs may ask for.
        boot_id: random id of this start.
        num_cpu_cores: that this process may use.
        memory_mib: of the machine, or of the container's limit.
    """

    host_id: str
    mode: "ExecutionMode.ValueType"
    num_slots: int
    labels: Mapping[str, str]
    boot_id: str
    num_cpu_cores: int
    memory_mib: int

    @property
    def name(self) -> str:
        """`hosts/{host}`."""
        return f"hosts/{self.host_id}"


def new_boot_id() -> str:
    """A fresh id for this start of the process."""
    return secrets.token_hex(8)


def count_cpu_cores() -> int:
    """Cores that this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


def measure_memory_mib(limits: tuple[Path, ...] = _CGROUP_LIMITS) -> int:
    """Memory of the machine, or less where a container is given less."""
    total = psutil.virtual_memory().total
    for path in limits:
        try:
            total = min(total, int(path.read_text()))
        except (OSError, ValueError):
            # No such hierarchy, or `max`: no limit of this sort.
            continue
    return max(1, total // MIB)


def headway_version() -> str:
    """Version of the installed package; empty when it runs from a bare checkout."""
    try:
        return version("headway")
    except PackageNotFoundError:
        return ""


def describe_host(identity: HostIdentity, hello: Hello, *, address: str, draining: bool) -> Host:
    """The host as the scheduler hears of it."""
    return Host(
        name=identity.name,
        boot_id=identity.boot_id,
        mode=identity.mode,
        num_slots=identity.num_slots,
        devices=[Device(**device.model_dump()) for device in hello.devices[:HOST_DEVICES_MAX]],
        recipes=[RecipeReport(**recipe.model_dump()) for recipe in hello.recipes[:HOST_RECIPES_MAX]],
        num_cpu_cores=identity.num_cpu_cores,
        memory_mib=identity.memory_mib,
        torch_version=hello.torch_version,
        torch_problem=hello.torch_problem,
        version=headway_version(),
        address=address,
        draining=draining,
        labels=dict(identity.labels),
    )

"""What the executor knows of torch: its version, its devices, its threads and its determinism."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from trainer_host.child_messages import Device

MIB = 1024 * 1024


def torch_version() -> str:
    """Version of torch, such as `2.13.0+cpu`."""
    return str(torch.__version__)


def devices() -> tuple[Device, ...]:
    """The GPUs that torch can use; empty on a CPU-only host."""
    if not torch.cuda.is_available():
        return ()
    return tuple(_device(index) for index in range(torch.cuda.device_count()))


def _device(index: int) -> Device:
    properties = torch.cuda.get_device_properties(index)
    return Device(
        id=f"cuda:{index}",
        display_name=str(properties.name),
        memory_mib=int(properties.total_memory) // MIB,
    )


def choose_device(asked: str) -> str | None:
    """The device for a wish of `auto`, `cpu` or `cuda`; None when a GPU is asked for and there is none."""
    if asked == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda:0"
    return "cpu" if asked == "auto" else None


@contextmanager
def deterministic(*, seed: int, num_threads: int, device: str) -> Iterator[None]:
    """Seed torch and make it repeat itself: same seed, threads and device, same bits."""
    threads_before = torch.get_num_threads()
    torch.manual_seed(seed)
    torch.set_num_threads(num_threads)
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.use_deterministic_algorithms(mode=True)
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        if on_gpu:
            torch.use_deterministic_algorithms(mode=False)

"""What the executor knows of torch: its version, its devices, its threads and its determinism."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

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


def random_states(device: str) -> dict[str, NDArray[np.uint8]]:
    """The state of torch's global generators that an attempt on this device draws from, by kind of device."""
    states = {"cpu": torch.get_rng_state().numpy()}
    if device.startswith("cuda"):
        states["cuda"] = torch.cuda.get_rng_state(device).numpy()
    return states


def set_random_states(states: Mapping[str, NDArray[np.int64 | np.float64 | np.uint8]], device: str) -> None:
    """Put torch's global generators where they were; a state of another kind of device is left alone."""
    for name, state in states.items():
        tensor = torch.from_numpy(state.astype(np.uint8))
        if name == "cpu":
            torch.set_rng_state(tensor)
        elif device.startswith("cuda"):
            torch.cuda.set_rng_state(tensor, device)

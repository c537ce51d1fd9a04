"""Seeds, threads, device and determinism of one attempt, set before its recipe runs and put back after.

Children share the random state that they were forked with, so every source of randomness is seeded here, explicitly.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from headway.contract.recipes import RecipeNeeds, UserInputFailure


@dataclass(frozen=True, slots=True)
class NumericSettings:
    """How an attempt computes; recorded in its manifest.

    Attributes:
        seed: of every random choice.
        device: `cpu` or `cuda:0`.
        num_threads: threads of the math library.
    """

    seed: int
    device: str
    num_threads: int


@contextmanager
def numerics(needs: RecipeNeeds, *, uses_torch: bool, num_threads: int = 0) -> Iterator[NumericSettings]:
    """Prepare the process for one attempt.

    Args:
        needs: what the recipe asks for.
        uses_torch: whether there is a torch to prepare; a recipe without it runs on the CPU.
        num_threads: what the order says instead of `needs`; 0 means nothing.

    Raises:
        UserInputFailure: NO_GPU_DEVICE: the spec insists on a GPU that this host does not have.
    """
    threads = num_threads or needs.num_threads
    # The global generators too, not only our own: a recipe or library that draws from them must repeat itself.
    random.seed(needs.seed)
    np.random.seed(needs.seed)  # noqa: NPY002
    if not uses_torch:
        yield NumericSettings(needs.seed, "cpu", threads)
        return
    from trainer_host.executor.torch_runtime import choose_device, deterministic

    device = choose_device(needs.device)
    if device is None:
        raise UserInputFailure("NO_GPU_DEVICE", "the spec says device cuda, and this host has no GPU; say auto or cpu")
    with deterministic(seed=needs.seed, num_threads=threads, device=device):
        yield NumericSettings(needs.seed, device, threads)

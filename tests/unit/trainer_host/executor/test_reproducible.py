import random

import numpy as np
import pytest
import torch

from headway.contract.recipes import RecipeNeeds, UserInputFailure
from trainer_host.executor.reproducible import numerics


def draw(seed: int) -> tuple[float, float, float]:
    with numerics(RecipeNeeds(seed=seed, device="cpu"), uses_torch=True):
        legacy = float(np.random.rand())  # noqa: NPY002 - the global generator is what is tested
        return random.random(), legacy, float(torch.rand(1))


def test_every_source_of_randomness_is_seeded() -> None:
    first, other = draw(1), draw(2)

    assert draw(1) == first
    assert all(a != b for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_the_whole_range_of_seeds_is_taken(seed: int) -> None:
    assert draw(seed) == draw(seed)


def test_threads_are_set_for_the_attempt_and_put_back() -> None:
    before = torch.get_num_threads()
    with numerics(RecipeNeeds(seed=1, device="cpu", num_threads=3), uses_torch=True) as settings:
        assert (torch.get_num_threads(), settings.num_threads) == (3, 3)
    assert torch.get_num_threads() == before


def test_an_order_may_say_the_number_of_threads() -> None:
    with numerics(RecipeNeeds(seed=1, device="cpu", num_threads=3), uses_torch=True, num_threads=2) as settings:
        assert (torch.get_num_threads(), settings.num_threads) == (2, 2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this host has a GPU")
def test_a_spec_that_insists_on_a_gpu_is_refused_without_one() -> None:
    with (
        pytest.raises(UserInputFailure, match="no GPU") as refusal,
        numerics(RecipeNeeds(seed=1, device="cuda"), uses_torch=True),
    ):
        pass
    assert refusal.value.reason == "NO_GPU_DEVICE"


def test_a_recipe_without_torch_runs_on_the_cpu() -> None:
    with numerics(RecipeNeeds(seed=1), uses_torch=False) as settings:
        assert settings.device == "cpu"

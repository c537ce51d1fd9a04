import random
from pathlib import Path

import numpy as np
import pytest
import torch

from headway.contract.recipes import CheckpointUnusable
from trainer_host.executor.random_state import read_random_state, save_random_state


def draw() -> tuple[float, float, float, float]:
    gauss = random.gauss(0, 1)
    return gauss, random.random(), float(np.random.standard_normal()), float(torch.rand(1))  # noqa: NPY002


@pytest.mark.parametrize("num_drawn_before", [0, 1, 3])
def test_every_global_generator_goes_on_where_it_was(tmp_path: Path, num_drawn_before: int) -> None:
    """A Gaussian draw leaves a second number behind, which belongs to the state."""
    for _ in range(num_drawn_before):
        draw()
    save_random_state(tmp_path / "state", device="cpu", uses_torch=True)
    expected = [draw() for _ in range(5)]
    read_random_state(tmp_path / "state").apply(device="cpu", uses_torch=True)
    assert [draw() for _ in range(5)] == expected


def test_without_torch_there_is_no_state_of_it(tmp_path: Path) -> None:
    save_random_state(tmp_path / "state", device="cpu", uses_torch=False)
    state = read_random_state(tmp_path / "state")
    assert not any(name.startswith("torch") for name in state.arrays)
    state.apply(device="cpu", uses_torch=False)


@pytest.mark.parametrize("content", [b"", b"\x00" * 20, b"not a state"])
def test_what_is_no_state_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(CheckpointUnusable):
        read_random_state(tmp_path / "state")

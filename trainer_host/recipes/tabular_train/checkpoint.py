"""A training loop's state as files: tensors as safetensors, the rest as JSON."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from headway.contract.recipes import CheckpointUnusable

STATE_PATH = "loop.json"
TENSORS_PATH = "tensors.safetensors"
_FORMAT = 1


class SavedEpoch(BaseModel):
    """One epoch that is over."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    epoch: int
    train_loss: float
    validation_loss: float | None


class LoopState(BaseModel):
    """Where the loop stands, but for its tensors. Losses that are not finite are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    format: int = _FORMAT
    epoch: int
    """The epoch under way, from 1."""
    num_batches_done: int
    """Batches of that epoch that are done."""
    best_loss: float
    best_epoch: int
    epochs: tuple[SavedEpoch, ...]
    """Those that are over."""


def save_state(folder: Path, state: LoopState, tensors: dict[str, Tensor]) -> None:
    """Write both files."""
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(on_cpu, folder / TENSORS_PATH)
    (folder / STATE_PATH).write_text(state.model_dump_json(), encoding="utf-8")


def load_state(folder: Path, like: dict[str, Tensor]) -> tuple[LoopState, dict[str, Tensor]]:
    """Read both files.

    Args:
        folder: where `save_state` wrote.
        like: tensors of this loop; each must be there, of the same shape and type.

    Raises:
        CheckpointUnusable: they are not those of such a loop.
    """
    try:
        state = LoopState.model_validate_json((folder / STATE_PATH).read_bytes())
        tensors = load_file(folder / TENSORS_PATH)
    except (OSError, ValidationError, SafetensorError) as error:
        raise CheckpointUnusable(f"the state of its loop cannot be read ({type(error).__name__})") from error
    if state.format != _FORMAT:
        raise CheckpointUnusable(f"the state of its loop has format {state.format}; this recipe knows {_FORMAT}")
    for name, tensor in like.items():
        found = tensors.get(name)
        if found is None or found.shape != tensor.shape or found.dtype != tensor.dtype:
            raise CheckpointUnusable(f"its tensor {name} is not one of this model")
    return state, tensors

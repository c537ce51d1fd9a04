"""Reads a model back from the files of its bundle, to compute with it again."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from headway.contract.architectures import Architecture, check_tensors, parse_architecture
from headway.contract.manifest import MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH, Manifest
from headway.contract.recipes import FatalFailure, RecipeInput, UserInputFailure
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.preprocess import PREPROCESS_PATH, Preprocess

_DTYPES = {torch.float32: "F32", torch.int64: "I64"}


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model with all that is needed to use it.

    Attributes:
        architecture: `model.json`.
        preprocess: how rows become its features.
        model: its weights in place, on the device.
        weights_size_bytes: of `model.safetensors`.
        job: `projects/{project}/jobs/{job}` that made it.
    """

    architecture: Architecture
    preprocess: Preprocess
    model: TabularModel
    weights_size_bytes: int
    job: str


def read_trained(files: Mapping[str, RecipeInput], device: str) -> TrainedModel:
    """Read a model.

    Args:
        files: `manifest.json`, `model.json`, `preprocess.json` and `model.safetensors` by name.
        device: where to compute, `cpu` or `cuda:0`.

    Raises:
        FatalFailure: INPUT_MISSING: one of the files is not there.
        ArchitectureMismatch: `model.json` is not ours, or the weights are not its.
        UserInputFailure: MODEL_UNREADABLE: another file is not what it should be, or they do not belong together.
    """
    manifest_file, model_file, preprocess_file, weights_file = (
        _file(files, name) for name in (MANIFEST_PATH, MODEL_PATH, PREPROCESS_PATH, WEIGHTS_PATH)
    )
    architecture = parse_architecture(model_file.path.read_bytes())
    try:
        manifest = Manifest.model_validate_json(manifest_file.path.read_bytes())
        preprocess = Preprocess.model_validate_json(preprocess_file.path.read_bytes())
        tensors = load_file(weights_file.path, device=device)
    except (ValidationError, SafetensorError) as error:
        raise _unreadable(f"one of its files cannot be read ({type(error).__name__})") from None
    target = preprocess.target
    meant = (len(preprocess.feature_names), target.task, target.classes)
    if meant != (architecture.input_dim, architecture.task, architecture.classes or ()):
        raise _unreadable("its model.json and its preprocess.json do not belong together")
    check_tensors(
        architecture, {name: (_DTYPES.get(one.dtype, "other"), tuple(one.shape)) for name, one in tensors.items()}
    )
    model = _with_weights(architecture, tensors)
    return TrainedModel(architecture, preprocess, model, weights_file.path.stat().st_size, manifest.job)


def _with_weights(architecture: Architecture, tensors: dict[str, Tensor]) -> TabularModel:
    # Without memory or random numbers for weights that are replaced at once: what else is drawn stays as it was.
    with torch.device("meta"):
        model = TabularModel(architecture)
    model.load_state_dict(tensors, assign=True)
    return model.requires_grad_(requires_grad=False)


def _file(files: Mapping[str, RecipeInput], name: str) -> RecipeInput:
    if name not in files:
        raise FatalFailure("INPUT_MISSING", f"the order has no {name} of the model")
    return files[name]


def _unreadable(why: str) -> UserInputFailure:
    return UserInputFailure("MODEL_UNREADABLE", f"the model is not one that this host can use: {why}; train it again")

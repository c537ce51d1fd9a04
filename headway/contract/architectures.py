"""What `model.json` says, and exactly which tensors a state dict of that architecture holds.

Pure, so that the host which writes a bundle and the gateway which checks it use the same function.
"""

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from headway.contract.errors import ArchitectureMismatch, Violation, echo

MAX_MODEL_JSON_BYTES = 4 * 1024 * 1024
"""Bound of model.json; a list of class labels is the only part of it that grows."""

_MAX_NAMED_FAULTS = 8
_STATISTICS = frozenset({"running_mean", "running_var", "num_batches_tracked"})

TabularMode = Literal[
    "mlp_dense",
    "linear_glm_baseline",
    "tabresnet",
    "imbalance_aware",
    "calibrated_classifier",
    "tree_teacher_distillation",
]
Dtype = Literal["F32", "I64"]
Shape = tuple[int, ...]
TensorSpec = tuple[Dtype, Shape]


class Architecture(BaseModel):
    """The content of `model.json` for the tabular kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    """Version of this layout."""

    kind: Literal["tabular_train", "tabular_distill"]
    """Kind of the job that made the model."""

    mode: TabularMode
    """Training mode after aliases are resolved; the last three have the layers of mlp_dense, and another loss."""

    input_dim: Annotated[int, Field(ge=1, le=1_000_000)]
    """Columns after preprocessing."""

    output_dim: Annotated[int, Field(ge=1, le=100_000)]
    """Classes, or 1 for a regression."""

    hidden_dim: Annotated[int, Field(ge=1, le=65_536)] = 128
    """Width of each hidden layer, or of the residual stream of tabresnet; not used by linear_glm_baseline."""

    num_hidden_layers: Annotated[int, Field(ge=0, le=256)] = 2
    """Hidden layers, or residual blocks of tabresnet; not used by linear_glm_baseline."""

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of activations dropped in training; no tensor depends on it."""

    task: Literal["classification", "regression"]
    """What the outputs mean."""

    classes: tuple[str, ...] | None = None
    """Class labels in the order of the outputs; absent for a regression."""

    @model_validator(mode="after")
    def _classes_match_outputs(self) -> Self:
        wanted = self.output_dim if self.task == "classification" else None
        given = None if self.classes is None else len(self.classes)
        if wanted != given:
            raise ValueError(f"a {self.task} with {self.output_dim} outputs has {given or 'no'} class labels")
        if self.classes is not None and len(set(self.classes)) != len(self.classes):
            raise ValueError("a class label occurs twice")
        return self


def parse_architecture(content: bytes) -> Architecture:
    """Read `model.json`.

    Raises:
        ArchitectureMismatch: not JSON of this layout; every fault is named.
    """
    if len(content) > MAX_MODEL_JSON_BYTES:
        raise ArchitectureMismatch(f"model.json has {len(content)} bytes; the limit is {MAX_MODEL_JSON_BYTES}")
    try:
        return Architecture.model_validate_json(content)
    except ValidationError as error:
        violations = [
            Violation(_path(fault["loc"]), "ARCHITECTURE", fault["msg"]) for fault in error.errors()[:_MAX_NAMED_FAULTS]
        ]
        named = "; ".join(f"{violation.field}: {violation.message}" for violation in violations)
        raise ArchitectureMismatch(f"model.json does not describe a model: {named}", violations=violations) from None


def expected_tensors(architecture: Architecture) -> dict[str, TensorSpec]:
    """The tensors of the architecture by name, in the order in which torch lists them.

    Names are those of a `torch.nn.Module`: of a tabresnet `input`, `blocks` (each with `norm`, `first` and `second`),
    `norm` and `output`; of linear_glm_baseline `output` alone; of all others `layers` (each with `linear` and `norm`)
    and `output`.
    """
    if architecture.mode == "linear_glm_baseline":
        return _linear("output", architecture.input_dim, architecture.output_dim)
    return _residual_tensors(architecture) if architecture.mode == "tabresnet" else _dense_tensors(architecture)


def num_parameters(architecture: Architecture) -> int:
    """Trainable numbers of the model: every one that is not a running statistic of a batch normalisation."""
    return sum(
        math.prod(shape)
        for name, (_, shape) in expected_tensors(architecture).items()
        if name.rpartition(".")[2] not in _STATISTICS
    )


def check_tensors(architecture: Architecture, found: dict[str, tuple[str, Shape]]) -> None:
    """Compare the tensors of a file with those of its architecture.

    Args:
        architecture: as model.json says.
        found: dtype and shape by name, as the safetensors header says.

    Raises:
        ArchitectureMismatch: a tensor is missing, extra, or of another dtype or shape; the first eight are named.
    """
    expected = expected_tensors(architecture)
    faults = [f"{name} is missing" for name in expected if name not in found]
    faults += [f"{echo(name)} does not belong to the model" for name in found if name not in expected]
    faults += [
        f"{name} is {found[name][0]} {list(found[name][1])}, not {dtype} {list(shape)}"
        for name, (dtype, shape) in expected.items()
        if name in found and found[name] != (dtype, shape)
    ]
    if not faults:
        return
    rest = f"; and {len(faults) - _MAX_NAMED_FAULTS} more" if len(faults) > _MAX_NAMED_FAULTS else ""
    raise ArchitectureMismatch(
        f"model.safetensors is not a {architecture.mode} as model.json describes it: "
        + "; ".join(faults[:_MAX_NAMED_FAULTS])
        + rest,
        metadata={"num_faults": str(len(faults))},
    )


def _dense_tensors(architecture: Architecture) -> dict[str, TensorSpec]:
    tensors: dict[str, TensorSpec] = {}
    width = architecture.input_dim
    for index in range(architecture.num_hidden_layers):
        tensors |= _linear(f"layers.{index}.linear", width, architecture.hidden_dim)
        tensors |= _norm(f"layers.{index}.norm", architecture.hidden_dim)
        width = architecture.hidden_dim
    return tensors | _linear("output", width, architecture.output_dim)


def _residual_tensors(architecture: Architecture) -> dict[str, TensorSpec]:
    width = architecture.hidden_dim
    tensors = _linear("input", architecture.input_dim, width)
    for index in range(architecture.num_hidden_layers):
        tensors |= _norm(f"blocks.{index}.norm", width)
        tensors |= _linear(f"blocks.{index}.first", width, width)
        tensors |= _linear(f"blocks.{index}.second", width, width)
    return tensors | _norm("norm", width) | _linear("output", width, architecture.output_dim)


def _linear(name: str, input_dim: int, output_dim: int) -> dict[str, TensorSpec]:
    return {f"{name}.weight": ("F32", (output_dim, input_dim)), f"{name}.bias": ("F32", (output_dim,))}


def _norm(name: str, width: int) -> dict[str, TensorSpec]:
    parts = ("weight", "bias", "running_mean", "running_var")
    per_feature: dict[str, TensorSpec] = {f"{name}.{part}": ("F32", (width,)) for part in parts}
    return per_feature | {f"{name}.num_batches_tracked": ("I64", ())}


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(["model_json", *(str(part) for part in location)])

"""From the spec to the complete configuration of a training."""

from dataclasses import dataclass
from typing import Literal, get_args

from headway.contract.architectures import Architecture, TabularMode
from headway.contract.limits import MODEL_PARAMETERS_MAX
from headway.contract.recipes import UserInputFailure
from headway.contract.specs.tabular_train import LINEAR, TabularTrain, num_parameters, resolve
from headway.v1.job_specs_pb2 import JobSpec
from trainer_host.recipes.tabular_train.limits import LEAST_BATCH_ROWS, STEPS_BETWEEN_VALIDATIONS, WEIGHT_DECAY
from trainer_host.recipes.tabular_train.preprocess import Preprocess

Kind = Literal["tabular_train", "tabular_distill"]
_MODES: dict[str, TabularMode] = {mode: mode for mode in get_args(TabularMode)}


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """Everything the training loop needs to know.

    Attributes:
        epochs: passes over the training rows.
        batch_sizes: rows of each step of an epoch; together all training rows.
        learning_rate: step size of AdamW.
        weight_decay: of AdamW.
        epochs_between_validations: at least 1.
        patience: epochs without a better loss after which training ends; None means never.
    """

    epochs: int
    batch_sizes: tuple[int, ...]
    learning_rate: float
    weight_decay: float
    epochs_between_validations: int
    patience: int | None = None

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.epochs * len(self.batch_sizes)


def resolve_spec(spec: JobSpec) -> TabularTrain:
    """The spec with every default, checked again: this host may be of another version than the gateway."""
    return resolve(spec.tabular_train)


def configure_model(spec: TabularTrain, preprocess: Preprocess, kind: Kind = "tabular_train") -> Architecture:
    """The model for the features that the table turned out to have; `kind` is that of the job.

    Raises:
        UserInputFailure: MODEL_TOO_LARGE.
    """
    target = preprocess.target
    input_dim, output_dim = len(preprocess.feature_names), max(1, len(target.classes))
    parameters = num_parameters(spec, input_dim=input_dim, output_dim=output_dim)
    if parameters > MODEL_PARAMETERS_MAX:
        raise UserInputFailure(
            "MODEL_TOO_LARGE",
            f"with {input_dim} features and {output_dim} outputs the model has {parameters} parameters; "
            f"at most {MODEL_PARAMETERS_MAX}",
        )
    return Architecture(
        kind=kind,
        mode=_MODES[spec.training_mode],
        input_dim=input_dim,
        output_dim=output_dim,
        hidden_dim=spec.hidden_dim,
        num_hidden_layers=spec.num_hidden_layers,
        dropout=spec.dropout,
        task=target.task,
        classes=target.classes or None,
    )


def configure_loop(spec: TabularTrain, num_rows: int) -> LoopConfig:
    """The training loop for a number of training rows."""
    sizes = batch_sizes(num_rows, spec.batch_size, least=1 if spec.training_mode == LINEAR else LEAST_BATCH_ROWS)
    by_steps = -(-STEPS_BETWEEN_VALIDATIONS // len(sizes))
    between = max(1, min(by_steps, spec.epochs // 10))
    return LoopConfig(
        epochs=spec.epochs,
        batch_sizes=sizes,
        learning_rate=spec.learning_rate,
        weight_decay=WEIGHT_DECAY,
        # Patience counts epochs, so each of them must be judged.
        epochs_between_validations=1 if spec.patience is not None else between,
        patience=spec.patience,
    )


def batch_sizes(num_rows: int, batch_size: int, *, least: int) -> tuple[int, ...]:
    """Rows of each batch of an epoch.

    A last batch of fewer than `least` rows joins the one before it, since batch normalisation of one row is undefined.
    """
    size = max(batch_size, least)
    sizes = [size] * (num_rows // size)
    rest = num_rows % size
    if rest >= least or not sizes:
        sizes += [rest] if rest else []
    else:
        sizes[-1] += rest
    return tuple(sizes)

"""The training loop: whole tensors on the device, permuted once an epoch and sliced, without a DataLoader."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path

import torch
from torch import Tensor

from headway.contract.recipes import AttemptContext, CheckpointUnusable, FatalFailure, Phase
from trainer_host.recipes.tabular_train.checkpoint import LoopState, SavedEpoch, load_state, save_state
from trainer_host.recipes.tabular_train.gradients import gradients_of
from trainer_host.recipes.tabular_train.model import ForwardPass, TabularModel
from trainer_host.recipes.tabular_train.objective import PLAIN, JudgingLoss, Objective, plain_loss
from trainer_host.recipes.tabular_train.optimizer import Adam
from trainer_host.recipes.tabular_train.spec import LoopConfig

_ROWS_A_FORWARD = 65_536
"""Bounds the memory of a forward pass over many rows."""
_GENERATOR = "generator"
_LOSSES = "losses"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows on the device.

    Attributes:
        features: float32, rows x features.
        targets: int64, rows; or float32, rows x 1, standardised.
        soft_targets: what a teacher says of the same rows, rows x outputs; None where no teacher speaks.
    """

    features: Tensor
    targets: Tensor
    soft_targets: Tensor | None = None

    def __len__(self) -> int:
        return int(self.features.shape[0])

    def batches(self, order: Tensor, sizes: list[int]) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """Features, targets and soft targets of each batch, in an order of the rows."""
        order = order.to(self.features.device)
        soft_targets = repeat(None) if self.soft_targets is None else torch.split(self.soft_targets[order], sizes)
        yield from zip(
            torch.split(self.features[order], sizes),
            torch.split(self.targets[order], sizes),
            soft_targets,
            strict=False,
        )


@dataclass(frozen=True, slots=True)
class EpochLosses:
    """Losses of one epoch; the validation loss is None where none was computed."""

    epoch: int
    train_loss: float
    validation_loss: float | None


@dataclass(frozen=True, slots=True)
class History:
    """What happened in training.

    Attributes:
        epochs: one entry an epoch.
        best_epoch: whose state the model now has.
        num_steps: optimizer steps taken.
    """

    epochs: tuple[EpochLosses, ...]
    best_epoch: int
    num_steps: int


def outputs_of(model: TabularModel, features: Tensor) -> Tensor:
    """Outputs for many rows, as in use: without dropout, by the running statistics."""
    forward = ForwardPass(model)
    with torch.no_grad():
        parts = [forward(part, training=False) for part in torch.split(features, _ROWS_A_FORWARD)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def mean_loss(model: TabularModel, rows: Rows, loss: JudgingLoss = plain_loss) -> float:
    """Mean loss over some rows, as in use."""
    return float(loss(outputs_of(model, rows.features), rows.targets).item())


class TrainingLoop:
    """Trains a model and leaves it in its best state."""

    def __init__(
        self,
        model: TabularModel,
        config: LoopConfig,
        context: AttemptContext,
        seed: int,
        objective: Objective = PLAIN,
    ) -> None:
        self._model = model
        self._objective = objective
        self._gradients_of = gradients_of(model, objective.training)
        self._config = config
        self._context = context
        self._optimizer = Adam(
            list(model.parameters()), learning_rate=config.learning_rate, weight_decay=config.weight_decay
        )
        # A generator of its own, so that the order of rows does not depend on what else draws from the global one.
        self._generator = torch.Generator().manual_seed(seed)
        # By reference: load_state_dict copies a hundred times slower than this list does.
        self._state = [tensor for tensor in model.state_dict().values() if tensor.is_floating_point()]
        self._best_state = [tensor.clone() for tensor in self._state]
        self._best_loss = math.inf
        self._best_epoch = 0
        self._epochs: list[EpochLosses] = []
        self._epoch = 1
        # Losses of the batches of the epoch under way; as many as there are done.
        self._losses: list[Tensor] = []
        # As it was before it drew the order of the epoch under way.
        self._generator_state = self._generator.get_state()
        self._num_steps_before = 0

    @property
    def num_steps_done(self) -> int:
        """Optimizer steps done, those before a resume included."""
        return (self._epoch - 1) * len(self._config.batch_sizes) + len(self._losses)

    def save(self, folder: Path) -> None:
        """Write the state between two steps; with `restore` this is `headway.contract.recipes.Resumable`."""
        state = LoopState(
            epoch=self._epoch,
            num_batches_done=len(self._losses),
            best_loss=self._best_loss,
            best_epoch=self._best_epoch,
            epochs=tuple(
                SavedEpoch(epoch=one.epoch, train_loss=one.train_loss, validation_loss=one.validation_loss)
                for one in self._epochs
            ),
        )
        tensors = self._tensors()
        if self._losses:
            tensors[_LOSSES] = torch.stack(self._losses)
        save_state(folder, state, tensors)

    def restore(self, folder: Path) -> None:
        """Go on from a state.

        Raises:
            CheckpointUnusable: it is not one of this loop; nothing was changed.
        """
        mine = self._tensors()
        state, tensors = load_state(folder, mine)
        losses = list(tensors[_LOSSES].to(self._state[0].device).unbind()) if state.num_batches_done else []
        is_inside = state.epoch <= self._config.epochs and len(losses) < len(self._config.batch_sizes)
        if not is_inside or len(losses) != state.num_batches_done or len(state.epochs) != state.epoch - 1:
            raise CheckpointUnusable("it is one of a training of another length")
        self._optimizer.restore(tensors)
        _copy([tensors[name] for name in mine], list(mine.values()))
        self._generator.set_state(tensors[_GENERATOR])
        self._generator_state = self._generator.get_state()
        self._epoch, self._losses = state.epoch, losses
        self._best_loss, self._best_epoch = state.best_loss, state.best_epoch
        self._epochs = [EpochLosses(one.epoch, one.train_loss, one.validation_loss) for one in state.epochs]

    def _tensors(self) -> dict[str, Tensor]:
        """What every state has, by name; by reference, but for the generator's."""
        names = [name for name, tensor in self._model.state_dict().items() if tensor.is_floating_point()]
        return {
            **{f"model.{name}": tensor for name, tensor in zip(names, self._state, strict=True)},
            **{f"best.{name}": tensor for name, tensor in zip(names, self._best_state, strict=True)},
            **self._optimizer.tensors(),
            _GENERATOR: self._generator_state,
        }

    def run(self, train: Rows, validation: Rows) -> History:
        """Train to the end.

        Args:
            train: rows to learn from, as many as the configuration's batches.
            validation: rows that choose the best epoch; when empty, the training loss does. With a patience, training
                ends when the best epoch is so many epochs ago.

        Raises:
            FatalFailure: DIVERGED: the loss was not finite before there was any state to keep.
            StopRequested: the attempt has been told to stop.
        """
        config = self._config
        self._context.resume(self)
        self._num_steps_before = self.num_steps_done
        judging = self._objective.judging
        for epoch in range(self._epoch, config.epochs + 1):
            train_loss = self._train_epoch(train)
            validation_loss = None
            if epoch % config.epochs_between_validations == 0 or epoch == config.epochs:
                validation_loss = mean_loss(self._model, validation, judging) if len(validation) else None
                self._keep_if_best(epoch, train_loss if validation_loss is None else validation_loss)
            self._epochs.append(EpochLosses(epoch, train_loss, validation_loss))
            self._epoch, self._losses = epoch + 1, []
            self._report(epoch, train_loss, len(train))
            if not math.isfinite(train_loss):
                self._give_up(epoch)
                break
            if config.patience is not None and epoch - self._best_epoch >= config.patience:
                self._context.detail(f"stopped after epoch {epoch}: {config.patience} epochs without a better loss")
                break
        self._restore_best()
        return History(tuple(self._epochs), self._best_epoch, len(self._epochs) * len(config.batch_sizes))

    def _train_epoch(self, train: Rows) -> float:
        gradients_of_batch, optimizer = self._gradients_of, self._optimizer
        check_stop = self._context.check_stop
        self._generator_state = self._generator.get_state()
        order = torch.randperm(len(train), generator=self._generator)
        sizes = list(self._config.batch_sizes)
        losses = self._losses
        for features, targets, soft_targets in islice(train.batches(order, sizes), len(losses), None):
            check_stop()
            loss, gradients = gradients_of_batch(features, targets, soft_targets)
            optimizer.step(gradients)
            losses.append(loss)
        # One transfer an epoch: reading each loss would wait for the device at every step.
        values: list[float] = torch.stack(losses).tolist()
        return sum(value * size for value, size in zip(values, sizes, strict=True)) / len(train)

    def _keep_if_best(self, epoch: int, loss: float) -> None:
        if loss < self._best_loss:
            self._best_loss, self._best_epoch = loss, epoch
            _copy(self._state, self._best_state)

    def _restore_best(self) -> None:
        _copy(self._best_state, self._state)
        self._model.count_batches(self._best_epoch * len(self._config.batch_sizes))

    def _give_up(self, epoch: int) -> None:
        if self._best_epoch == 0:
            raise FatalFailure(
                "DIVERGED", f"the training loss was not finite in epoch {epoch}; lower the learning_rate"
            )
        self._context.warn(
            f"The training loss was not finite in epoch {epoch}; the model is that of epoch {self._best_epoch}. "
            "Lower the learning_rate."
        )

    def _report(self, epoch: int, train_loss: float, num_rows: int) -> None:
        config = self._config
        self._context.progress(
            Phase.TRAINING,
            f"Epoch {epoch} of {config.epochs}",
            epoch=epoch,
            total_epochs=config.epochs,
            step=epoch * len(config.batch_sizes),
            total_steps=config.total_steps,
            loss=train_loss,
            best_loss=self._best_loss,
            learning_rate=config.learning_rate,
            num_samples=epoch * num_rows - self._num_steps_before * num_rows // len(config.batch_sizes),
        )


def _copy(sources: list[Tensor], targets: list[Tensor]) -> None:
    with torch.no_grad():
        for source, target in zip(sources, targets, strict=True):
            target.copy_(source)

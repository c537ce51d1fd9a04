import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from headway.contract.architectures import Architecture
from headway.contract.recipes import FatalFailure, StopRequested
from headway.contract.specs.tabular_train import AVAILABLE_MODES
from headway.testing.attempts import SilentContext
from trainer_host.recipes.tabular_train.loop import History, Rows, TrainingLoop, mean_loss
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.objective import PLAIN, Objective, learning_from_teacher, soften
from trainer_host.recipes.tabular_train.spec import LoopConfig, batch_sizes

NO_ROWS = Rows(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))


def two_blobs(num_rows: int, *, seed: int = 0) -> Rows:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num_rows) % 2
    features = torch.randn(num_rows, 2, generator=generator) + 3 * labels.unsqueeze(1)
    return Rows(features, labels)


def a_model(mode: str = "mlp_dense", *, dropout: float = 0.1) -> TabularModel:
    torch.manual_seed(1)
    architecture = Architecture.model_validate(
        {
            "kind": "tabular_train",
            "mode": mode,
            "input_dim": 2,
            "output_dim": 2,
            "hidden_dim": 16,
            "dropout": dropout,
            "task": "classification",
            "classes": ("a", "b"),
        },
        strict=False,
    )
    return TabularModel(architecture)


def train(
    model: TabularModel,
    rows: Rows,
    validation: Rows = NO_ROWS,
    *,
    epochs: int = 20,
    learning_rate: float = 0.01,
    every: int = 1,
    context: SilentContext | None = None,
    batch_size: int = 16,
    patience: int | None = None,
    objective: Objective = PLAIN,
) -> History:
    sizes = batch_sizes(len(rows), batch_size, least=2)
    config = LoopConfig(epochs, sizes, learning_rate, 1e-4, epochs_between_validations=every, patience=patience)
    return TrainingLoop(model, config, context or SilentContext(), 3, objective).run(rows, validation)


@pytest.mark.parametrize("mode", AVAILABLE_MODES)
def test_training_learns(mode: str) -> None:
    model, rows = a_model(mode), two_blobs(100)
    before = mean_loss(model, rows)

    history = train(model, rows, two_blobs(40, seed=1))

    assert mean_loss(model, rows) < before / 2
    assert len(history.epochs) == 20
    assert history.num_steps == 20 * 7


def test_the_model_is_left_in_the_state_of_its_best_epoch() -> None:
    """Labels of the validation rows are turned around, so that the model gets worse at them as it learns."""
    model, validation = a_model(), two_blobs(40, seed=1)
    turned = Rows(validation.features, 1 - validation.targets)

    history = train(model, two_blobs(100), turned, epochs=30)

    losses = {entry.epoch: entry.validation_loss for entry in history.epochs}
    assert history.best_epoch < 30
    assert losses[history.best_epoch] == min(loss for loss in losses.values() if loss is not None)
    assert mean_loss(model, turned) == pytest.approx(losses[history.best_epoch], abs=1e-6)
    num_batches = model.dense_layers[0].norm.num_batches_tracked
    assert num_batches is not None
    assert int(num_batches) == history.best_epoch * 7


def test_without_validation_rows_the_training_loss_chooses() -> None:
    history = train(a_model(), two_blobs(100))
    assert history.best_epoch > 1
    assert {entry.validation_loss for entry in history.epochs} == {None}


def test_validation_follows_its_cadence_and_the_last_epoch_always_counts() -> None:
    history = train(a_model(), two_blobs(100), two_blobs(40, seed=1), epochs=11, every=4)
    assert [entry.epoch for entry in history.epochs if entry.validation_loss is not None] == [4, 8, 11]


def test_a_last_batch_of_one_row_does_not_break_batch_normalisation() -> None:
    train(a_model(), two_blobs(33), epochs=2, batch_size=16)
    train(a_model(), two_blobs(5), epochs=2, batch_size=1)


def test_the_training_loss_is_the_mean_over_rows_and_not_over_batches() -> None:
    """With a learning rate of almost 0 and no dropout, every batch of the linear model sees the same weights."""
    model, rows = a_model("linear_glm_baseline", dropout=0.0), two_blobs(33)
    history = train(model, rows, epochs=1, learning_rate=1e-12)
    assert history.epochs[0].train_loss == pytest.approx(mean_loss(model, rows), abs=1e-5)


def test_a_loss_that_is_never_finite_fails() -> None:
    rows = two_blobs(100)
    with pytest.raises(FatalFailure, match="learning_rate") as failure:
        train(a_model(), Rows(rows.features * math.inf, rows.targets))
    assert failure.value.reason == "DIVERGED"


def test_a_training_that_diverges_later_keeps_the_best_state_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([0.5, 0.4, math.nan, 0.1])
    monkeypatch.setattr(TrainingLoop, "_train_epoch", lambda _self, _rows: next(losses))
    context = SilentContext()

    history = train(a_model(), two_blobs(100), context=context, epochs=4)

    assert history.best_epoch == 2
    last = history.epochs[-1]
    assert (last.epoch, last.validation_loss) == (3, None)
    assert math.isnan(last.train_loss)
    assert "epoch 3" in context.warnings[0]


def test_a_wish_to_stop_is_seen_between_steps() -> None:
    context = SilentContext()
    context.checks_until_stop = 10
    with pytest.raises(StopRequested):
        train(a_model(), two_blobs(100), context=context)
    assert len(context.reports) == 1, "ten steps of seven an epoch end in the second epoch"


def test_progress_says_how_far_it_is() -> None:
    context = SilentContext()
    train(a_model(), two_blobs(100), context=context, epochs=2)

    _, message, details = context.reports[-1]
    assert message == "Epoch 2 of 2"
    assert (details["epoch"], details["total_epochs"]) == (2, 2)
    assert (details["step"], details["total_steps"], details["num_samples"]) == (14, 14, 200)
    assert details["best_loss"] <= details["loss"] + 1e-9


def test_the_same_seed_gives_the_same_weights_bit_for_bit() -> None:
    torch.set_num_threads(1)
    states = []
    for _ in range(2):
        model = a_model()
        train(model, two_blobs(100), two_blobs(40, seed=1))
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def turned_around() -> Rows:
    validation = two_blobs(40, seed=1)
    return Rows(validation.features, 1 - validation.targets)


def test_patience_ends_a_training_that_gets_no_better() -> None:
    history = train(a_model(), two_blobs(100), turned_around(), epochs=200, patience=4)

    assert len(history.epochs) == history.best_epoch + 4
    assert history.num_steps == len(history.epochs) * 7


def test_patience_counts_the_training_loss_where_there_are_no_validation_rows() -> None:
    history = train(a_model(), two_blobs(100), epochs=200, patience=3)
    assert len(history.epochs) in (history.best_epoch + 3, 200)


def test_a_patience_that_is_never_used_up_changes_nothing() -> None:
    torch.set_num_threads(1)
    states = []
    for patience in (None, 200):
        model = a_model()
        train(model, two_blobs(100), two_blobs(40, seed=1), patience=patience)
        states.append(model.state_dict())
    first, second = states
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("num_checks", [3, 8, 40])
def test_a_patient_training_that_goes_on_from_a_checkpoint_ends_as_if_never_interrupted(
    tmp_path: Path, num_checks: int
) -> None:
    torch.set_num_threads(1)
    whole_model, model = a_model("tabresnet", dropout=0.0), a_model("tabresnet", dropout=0.0)
    whole = train(whole_model, two_blobs(100), turned_around(), epochs=60, patience=6)
    interrupted = SilentContext()
    interrupted.checks_until_stop = num_checks
    with pytest.raises(StopRequested):
        train(model, two_blobs(100), turned_around(), epochs=60, patience=6, context=interrupted)
    assert interrupted.training is not None
    interrupted.training.save(tmp_path)

    again = SilentContext()
    again.resume_from = tmp_path
    resumed_model = a_model("tabresnet", dropout=0.0)
    resumed = train(resumed_model, two_blobs(100), turned_around(), epochs=60, patience=6, context=again)

    assert resumed == whole
    first, second = whole_model.state_dict(), resumed_model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_teacher_is_heard_in_training_and_not_in_judging() -> None:
    """The teacher turns every label around, and alone decides: the model must learn the opposite of its targets."""
    rows = two_blobs(100)
    certain = soften(10.0 * torch.eye(2)[1 - rows.targets], 1.0)
    model = a_model()

    history = train(model, replace(rows, soft_targets=certain), rows, objective=learning_from_teacher(0.0, 1.0))

    assert mean_loss(model, Rows(rows.features, 1 - rows.targets)) < 1 < mean_loss(model, rows)
    assert history.best_epoch == 1, "judged by the targets alone, it only got worse"

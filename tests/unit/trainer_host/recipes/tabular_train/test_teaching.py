from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from headway.contract.recipes import RecipeInput, StopRequested, UserInputFailure
from headway.contract.specs.tabular_train import TabularTrain
from headway.testing.attempts import SilentContext
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from tests.real_tables import write_table
from trainer_host.recipes.tabular_train.objective import PLAIN, plain_loss
from trainer_host.recipes.tabular_train.preparation import Data, Tensors, load, prepare
from trainer_host.recipes.tabular_train.preprocess import Preprocess
from trainer_host.recipes.tabular_train.spec import resolve_spec
from trainer_host.recipes.tabular_train.teaching import Lesson, check_mode_fits, prepare_lesson


@dataclass(frozen=True)
class Material:
    context: SilentContext
    spec: TabularTrain
    preprocess: Preprocess
    data: Data
    tensors: Tensors

    def lesson(self) -> Lesson:
        return prepare_lesson(self.context, self.spec, self.preprocess, self.data, self.tensors)


def material(folder: Path, name: str, mode: str) -> Material:
    context = SilentContext(
        spec=JobSpec(tabular_train=TabularTrainSpec(target_column="target", training_mode=mode)),
        inputs={"table": RecipeInput(write_table(name, folder), "csv", f"{name}.csv")},
        folder=folder,
    )
    spec = resolve_spec(context.spec)
    data = load(context, spec)
    preprocess, tensors = prepare(context, spec, data)
    return Material(context, spec, preprocess, data, tensors)


@pytest.mark.parametrize("mode", ["mlp_dense", "tabresnet", "linear_glm_baseline"])
def test_most_modes_learn_from_their_targets_alone(tmp_path: Path, mode: str) -> None:
    lesson = material(tmp_path, "iris", mode).lesson()
    assert lesson.objective is PLAIN
    assert lesson.train.soft_targets is None


@pytest.mark.parametrize("mode", ["imbalance_aware", "calibrated_classifier"])
def test_the_modes_for_classes_have_losses_of_their_own(tmp_path: Path, mode: str) -> None:
    one = material(tmp_path, "wine", mode)
    objective = one.lesson().objective
    outputs = torch.randn(len(one.tensors.test), 3)
    plain = plain_loss(outputs, one.tensors.test.targets)

    assert objective.training(outputs, one.tensors.test.targets) != plain
    judged_alike = bool(objective.judging(outputs, one.tensors.test.targets) == plain)
    assert judged_alike == (mode == "calibrated_classifier")


def test_a_forest_teaches_the_training_rows(tmp_path: Path) -> None:
    one = material(tmp_path, "wine", "tree_teacher_distillation")
    lesson = one.lesson()

    assert lesson.train.soft_targets is not None
    assert lesson.train.soft_targets.shape == (len(one.tensors.train), 3)
    torch.testing.assert_close(lesson.train.soft_targets.exp().sum(dim=1), torch.ones(len(one.tensors.train)))
    agreed = (lesson.train.soft_targets.argmax(dim=1) == one.tensors.train.targets).float().mean()
    assert agreed > 0.9
    assert lesson.scalars["tree_teacher_accuracy"] > 0.9


def test_a_forest_teaches_numbers_in_the_unit_of_the_loss(tmp_path: Path) -> None:
    one = material(tmp_path, "diabetes", "tree_teacher_distillation")
    lesson = one.lesson()

    assert lesson.train.soft_targets is not None
    assert lesson.train.soft_targets.shape == one.tensors.train.targets.shape
    assert abs(float(lesson.train.soft_targets.mean())) < 0.2, "standardised"
    assert 40 < lesson.scalars["tree_teacher_rmse"] < 70, "in the unit of the target"


def test_a_wish_to_stop_is_seen_while_the_forest_grows(tmp_path: Path) -> None:
    one = material(tmp_path, "iris", "tree_teacher_distillation")
    one.context.checks_until_stop = 2
    with pytest.raises(StopRequested):
        one.lesson()


@pytest.mark.parametrize("mode", ["imbalance_aware", "calibrated_classifier"])
def test_modes_for_classes_refuse_a_table_that_holds_numbers(tmp_path: Path, mode: str) -> None:
    labels = material(tmp_path, "diabetes", "mlp_dense").data.labels
    with pytest.raises(UserInputFailure, match=mode) as refusal:
        check_mode_fits(mode, labels)
    assert refusal.value.reason == "MODE_NOT_POSSIBLE"
    check_mode_fits("tree_teacher_distillation", labels)

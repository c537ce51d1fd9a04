from pathlib import Path

import numpy as np
import pytest
import torch

from headway.contract.architectures import Architecture
from headway.contract.recipes import UserInputFailure
from headway.contract.specs.tabular_train import TabularTrain, with_defaults
from headway.testing.attempts import SilentContext
from headway.v1.job_specs_pb2 import TabularTrainSpec
from trainer_host.recipes.tabular_distill.split import split_for_student
from trainer_host.recipes.tabular_train.held_out import HeldOutRows
from trainer_host.recipes.tabular_train.model import TabularModel
from trainer_host.recipes.tabular_train.preprocess import NumericFeature, Preprocess, TargetColumn
from trainer_host.recipes.tabular_train.split import Split, split_rows
from trainer_host.recipes.tabular_train.target import Labels
from trainer_host.recipes.tabular_train.trained import TrainedModel

TABLE = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
NUM_ROWS = 200
CLASSES = ("a", "b")
LABELS = Labels("target", "classification", CLASSES, np.arange(NUM_ROWS) % 2, np.zeros(0))
TRAINING: TabularTrain = with_defaults(TabularTrainSpec(random_seed=9, test_size=0.4))


def a_split(seed: int) -> Split:
    return split_rows(NUM_ROWS, LABELS.indices, test_size=0.2, seed=seed)


def a_teacher(split: Split | None, *, table: str = TABLE, target: str = "target") -> TrainedModel:
    architecture = Architecture(
        kind="tabular_train",
        mode="linear_glm_baseline",
        input_dim=1,
        output_dim=2,
        task="classification",
        classes=CLASSES,
    )
    preprocess = Preprocess(
        target=TargetColumn(column=target, task="classification", classes=CLASSES),
        numeric=(NumericFeature(name="x", median=0, mean=0, scale=1),),
        feature_names=("x",),
        held_out=None if split is None else HeldOutRows.of(table, split),
    )
    with torch.device("meta"):
        model = TabularModel(architecture)
    return TrainedModel(architecture, preprocess, model, 0, "projects/p/jobs/t")


def student_split(*teachers: TrainedModel, context: SilentContext | None = None) -> Split:
    return split_for_student(context or SilentContext(folder=Path()), TRAINING, teachers, LABELS, TABLE)


def rows_of(split: Split) -> list[list[int]]:
    return [split.train.tolist(), split.validation.tolist(), split.test.tolist()]


def test_the_teachers_own_split_is_taken_where_it_learned_from_the_same_table() -> None:
    context = SilentContext()
    split = student_split(a_teacher(a_split(1)), context=context)

    assert rows_of(split) == rows_of(a_split(1))
    assert context.warnings == []


@pytest.mark.parametrize(
    "teacher",
    [a_teacher(a_split(1), table=OTHER), a_teacher(None), a_teacher(a_split(1), target="another")],
    ids=["another table", "not noted", "another target"],
)
def test_otherwise_the_students_spec_splits_and_its_owner_is_told(teacher: TrainedModel) -> None:
    context = SilentContext()
    split = student_split(teacher, context=context)

    assert rows_of(split) == rows_of(split_rows(NUM_ROWS, LABELS.indices, test_size=0.4, seed=9))
    assert "would flatter" in context.warnings[0]


def test_teachers_of_the_same_split_share_all_of_it() -> None:
    context = SilentContext()
    split = student_split(a_teacher(a_split(1)), a_teacher(a_split(1)), context=context)

    assert rows_of(split) == rows_of(a_split(1))
    assert context.warnings == []


def test_no_test_row_was_learned_from_by_any_teacher() -> None:
    # Two random halves of 200 rows have about 50 in common, a half and a fifth about 20.
    splits = [a_split(seed) for seed in (1, 2)]
    halves = [split_rows(NUM_ROWS, LABELS.indices, test_size=0.5, seed=seed) for seed in (1, 2)]
    context = SilentContext()
    for pair in (halves, [halves[0], splits[1]]):
        split = student_split(*map(a_teacher, pair), context=context)

        for teacher in pair:
            assert set(split.test.tolist()) <= set(teacher.test.tolist())
            assert not set(split.test.tolist()) & set(teacher.train.tolist())
        assert sorted([*split.train, *split.validation, *split.test]) == list(range(NUM_ROWS))
    assert "rows are left to test on" in context.warnings[0]


def test_teachers_that_left_different_rows_alone_are_refused() -> None:
    first = a_split(1)
    others = np.setdiff1d(np.arange(NUM_ROWS), np.concatenate([first.test, first.validation]))
    second = Split(train=np.union1d(others[40:], first.test), validation=first.validation, test=others[:40])

    with pytest.raises(UserInputFailure, match="same random_seed and test_size") as error:
        student_split(a_teacher(first), a_teacher(second))
    assert error.value.reason == "NO_COMMON_TEST_ROWS"


def test_a_further_teacher_of_another_table_does_not_change_the_split() -> None:
    context = SilentContext()
    split = student_split(a_teacher(a_split(1)), a_teacher(a_split(2), table=OTHER), context=context)

    assert rows_of(split) == rows_of(a_split(1))
    assert "1 of the 2 teachers" in context.warnings[0]

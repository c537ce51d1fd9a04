"""Splits the student's rows so that none is tested on that a teacher learned from."""

import numpy as np

from headway.contract.recipes import AttemptContext, UserInputFailure
from headway.contract.specs.tabular_train import TabularTrain
from trainer_host.recipes.tabular_distill.limits import LEAST_COMMON_TEST_ROWS
from trainer_host.recipes.tabular_distill.teachers import Teachers
from trainer_host.recipes.tabular_train.split import Split, split_rows
from trainer_host.recipes.tabular_train.target import Labels
from trainer_host.recipes.tabular_train.trained import TrainedModel


def split_for_student(
    context: AttemptContext, training: TabularTrain, teachers: Teachers, labels: Labels, table_digest: str
) -> Split:
    """The teachers' split where they learned from the same table, else one by the student's own spec.

    Raises:
        UserInputFailure: NO_COMMON_TEST_ROWS: the teachers learned from the same table, and left different rows alone.
    """
    num_rows = max(labels.indices.size, labels.values.size)
    known = [split for teacher in teachers if (split := _split_of(teacher, labels.column, table_digest, num_rows))]
    if len(known) < len(teachers):
        context.warn(_unknown_rows(len(teachers) - len(known), len(teachers)))
    if not known:
        return split_rows(num_rows, labels.indices, test_size=training.test_size, seed=training.random_seed)
    context.detail("the rows are split as the teacher's were, whatever test_size and random_seed say")
    return _common(context, known, num_rows)


def _split_of(teacher: TrainedModel, column: str, table_digest: str, num_rows: int) -> Split | None:
    """The teacher's split of this very table and target; None where it learned from another, or nobody noted it."""
    preprocess = teacher.preprocess
    held_out = preprocess.held_out
    if held_out is None or preprocess.target.column != column:
        return None
    if (held_out.table_digest, held_out.num_rows) != (table_digest, num_rows):
        return None
    return held_out.split()


def _common(context: AttemptContext, splits: list[Split], num_rows: int) -> Split:
    """Test rows are those that all teachers left alone; all others are there to learn from."""
    test = splits[0].test
    for split in splits[1:]:
        test = np.intersect1d(test, split.test, assume_unique=True)
    if test.size == splits[0].test.size:
        return splits[0]
    if test.size < LEAST_COMMON_TEST_ROWS:
        raise UserInputFailure(
            "NO_COMMON_TEST_ROWS",
            f"the teachers learned from this table, and only {test.size} of its rows were test rows of all of them; "
            f"a student needs {LEAST_COMMON_TEST_ROWS}: train the teachers with the same random_seed and test_size, "
            "and other modes or widths",
        )
    context.warn(
        f"Only {test.size} of {num_rows} rows are left to test on: those that no teacher learned from. Train teachers "
        "with the same random_seed and test_size to have more."
    )
    validation = np.setdiff1d(splits[0].validation, test, assume_unique=True)
    rest = np.setdiff1d(np.arange(num_rows, dtype=np.int64), np.concatenate([test, validation]), assume_unique=True)
    return Split(train=rest, validation=validation, test=test)


def _unknown_rows(num_unknown: int, num_teachers: int) -> str:
    who = "The teacher" if num_teachers == 1 else f"{num_unknown} of the {num_teachers} teachers"
    return (
        f"{who} did not learn from this very table, or does not say from which of its rows: those among the test rows "
        "would flatter the figures of the test."
    )

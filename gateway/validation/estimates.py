"""What a tabular job will take, from the size of its table and its model. Rough on purpose, and says what it assumes.

The figures below were chosen for one modern CPU core; a GPU or a faster core does better. Categories are not known
before the data is read, so a column counts as one number (a date column as fourteen), and a classification as two
classes. Of a student all of that is known: it is its teacher's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil, log2

from gateway.validation.chain import Table, Teacher
from headway.contract.specs.tabular_distill import TabularDistill, student_shape
from headway.contract.specs.tabular_distill import filled_in as filled_in_distill
from headway.contract.specs.tabular_train import LINEAR, TREE_TEACHER, TabularTrain, num_parameters, with_defaults
from headway.v1.job_specs_pb2 import (
    NUMBER_EMBEDDING_PIECEWISE_LINEAR,
    TABULAR_TASK_REGRESSION,
    TabularDistillSpec,
    TabularTrainSpec,
)

START_SECONDS = 0.5
"""Handing the job to a warm child, reading the table, writing the bundle."""

STEP_SECONDS = 0.6e-3
"""Fixed cost of an optimizer step, whatever its size: dispatch of a few dozen small operations."""

FLOPS = 5e9
"""Useful floating-point operations a second in the matrix products of small batches."""

FLOP_PER_PARAMETER_AND_ROW = 6
"""Two forward, four backward."""

BASE_MEMORY_MIB = 300
"""The training process itself: interpreter and PyTorch on a CPU."""

BYTES_PER_PARAMETER = 20
"""Weight, gradient, two moments of Adam, and the best state kept aside; four bytes each."""

BYTES_PER_CELL = 4 * 3
"""The table as features, its split, and a copy while it is prepared."""

DATE_FEATURES = 14

BINS = 16
"""Inputs that a number becomes in a piecewise-linear embedding, at most."""

BOOSTED_SECONDS = 5.0
"""What the boosted tree beside the model may take at most; on a large table it sees a sample of the rows."""

BOOSTED_SECONDS_PER_CELL = 5e-7
"""A hundred trees that look at every cell."""

FOREST_SECONDS_PER_CELL = 1.2e-6
"""A forest of 120 trees, each of which looks at the root of the features, per row and level."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job will take; zeros where nothing is known.

    Attributes:
        total_steps: optimizer steps, all epochs being trained; 0 where the rows are not counted.
        num_parameters: trainable numbers.
        duration: of one attempt; None where the rows are not counted.
        memory_mib: peak of the training process.
    """

    total_steps: int = 0
    num_parameters: int = 0
    duration: timedelta | None = None
    memory_mib: int = 0


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be trained.

    Attributes:
        epochs, batch_size: as resolved.
        num_rows: to learn from, an epoch; 0 where not counted.
        num_cells: of the whole table as features.
        parameters: of the model.
        teacher_parameters: of all models that every row goes through once.
        extra_seconds: beside the training.
    """

    epochs: int
    batch_size: int
    num_rows: int
    num_cells: int
    parameters: int
    teacher_parameters: int = 0
    extra_seconds: float = 0.0


def estimate(spec: TabularTrainSpec, table: Table) -> Estimate:
    """Estimate an admitted spec on its table."""
    # Not `resolve`: that would check everything a second time.
    training = with_defaults(spec)
    num_columns = _num_columns(training, table)
    is_embedded = training.number_embedding == NUMBER_EMBEDDING_PIECEWISE_LINEAR and training.training_mode != LINEAR
    num_features = num_columns * BINS if is_embedded else num_columns
    output_dim = 1 if spec.task == TABULAR_TASK_REGRESSION else 2
    return _estimated(
        _Work(
            epochs=training.epochs,
            batch_size=training.batch_size,
            num_rows=_num_train_rows(training, table.num_rows),
            num_cells=table.num_rows * num_features,
            parameters=num_parameters(training, input_dim=num_features, output_dim=output_dim),
            extra_seconds=_tree_seconds(training, table.num_rows, num_columns),
        )
    )


def estimate_distill(
    spec: TabularDistillSpec, table: Table, unlabelled: Table | None, teachers: Sequence[Teacher]
) -> Estimate:
    """Estimate an admitted distillation.

    Args:
        spec: as the caller wrote it.
        table: to learn from.
        unlabelled: further rows.
        teachers: the first is the one that the student takes after.
    """
    resolved, first = filled_in_distill(spec), teachers[0].architecture
    student = _student(resolved, teachers[0])
    num_rows = round(_num_train_rows(student, table.num_rows) * (1 + resolved.mixup_ratio))
    if unlabelled is not None:
        num_rows = num_rows + unlabelled.num_rows if num_rows and unlabelled.num_rows else 0
    shapes = [
        replace(student, training_mode=one.mode, hidden_dim=one.hidden_dim, num_hidden_layers=one.num_hidden_layers)
        for one in (teacher.architecture for teacher in teachers)
    ]
    return _estimated(
        _Work(
            epochs=student.epochs,
            batch_size=student.batch_size,
            num_rows=num_rows,
            num_cells=num_rows * first.input_dim,
            parameters=num_parameters(student, input_dim=first.input_dim, output_dim=first.output_dim),
            teacher_parameters=sum(
                num_parameters(shape, input_dim=first.input_dim, output_dim=first.output_dim) for shape in shapes
            ),
        )
    )


def _student(resolved: TabularDistill, teacher: Teacher) -> TabularTrain:
    big = teacher.architecture
    hidden, layers, dropout = student_shape(big.hidden_dim, big.num_hidden_layers, big.dropout, resolved.given_shape)
    return replace(resolved.training, hidden_dim=hidden, num_hidden_layers=layers, dropout=dropout)


def _estimated(work: _Work) -> Estimate:
    num_kept = work.parameters * BYTES_PER_PARAMETER + work.teacher_parameters * 4
    memory_mib = BASE_MEMORY_MIB + ceil((num_kept + work.num_cells * BYTES_PER_CELL) / 2**20)
    if not work.num_rows:
        return Estimate(num_parameters=work.parameters, memory_mib=memory_mib)
    total_steps = work.epochs * ceil(work.num_rows / work.batch_size)
    flop = FLOP_PER_PARAMETER_AND_ROW * work.parameters * work.num_rows * work.epochs
    flop += 2 * work.teacher_parameters * work.num_rows
    seconds = START_SECONDS + total_steps * STEP_SECONDS + flop / FLOPS + work.extra_seconds
    return Estimate(total_steps, work.parameters, timedelta(seconds=round(seconds, 1)), memory_mib)


def _num_train_rows(training: TabularTrain, num_rows: int) -> int:
    return max(1, round(num_rows * (1 - training.test_size))) if num_rows else 0


def _tree_seconds(training: TabularTrain, num_rows: int, num_columns: int) -> float:
    """The forest that teaches, and the boosted tree to compare with."""
    seconds = 0.0
    if training.training_mode == TREE_TEACHER:
        seconds += FOREST_SECONDS_PER_CELL * num_rows * num_columns**0.5 * log2(2 + num_rows)
    if training.boosted_tree_baseline:
        seconds += min(BOOSTED_SECONDS, BOOSTED_SECONDS_PER_CELL * num_rows * num_columns)
    return seconds


def _num_columns(training: TabularTrain, table: Table) -> int:
    num_dates = len(training.date_columns)
    num_plain = len(table.columns) - 1 - len(training.exclude_columns) - num_dates
    return max(1, num_plain + DATE_FEATURES * num_dates)

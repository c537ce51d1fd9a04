"""What a tabular job will take, from the size of its table and its model. Rough on purpose, and says what it assumes.

The figures below were chosen for one modern CPU core; a GPU or a faster core does better. Categories are not known
before the data is read, so a column counts as one feature (a date column as fourteen), and a classification as two
classes.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from gateway.validation.chain import Table
from headway.contract.specs.tabular_train import TabularTrain, num_parameters, with_defaults
from headway.v1.job_specs_pb2 import TABULAR_TASK_REGRESSION, TabularTrainSpec

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


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job will take; zeros where nothing is known.

    Attributes:
        total_steps: optimizer steps; 0 where the rows are not counted.
        num_parameters: trainable numbers.
        duration: of one attempt; None where the rows are not counted.
        memory_mib: peak of the training process.
    """

    total_steps: int = 0
    num_parameters: int = 0
    duration: timedelta | None = None
    memory_mib: int = 0


def estimate(spec: TabularTrainSpec, table: Table) -> Estimate:
    """Estimate an admitted spec on its table."""
    # Not `resolve`: that would check everything a second time.
    training = with_defaults(spec)
    num_features = _num_features(training, table)
    parameters = num_parameters(
        training, input_dim=num_features, output_dim=1 if spec.task == TABULAR_TASK_REGRESSION else 2
    )
    memory_bytes = parameters * BYTES_PER_PARAMETER + table.num_rows * num_features * BYTES_PER_CELL
    memory_mib = BASE_MEMORY_MIB + ceil(memory_bytes / 2**20)
    if not table.num_rows:
        return Estimate(num_parameters=parameters, memory_mib=memory_mib)
    num_train_rows = max(1, round(table.num_rows * (1 - training.test_size)))
    total_steps = training.epochs * ceil(num_train_rows / training.batch_size)
    flop = FLOP_PER_PARAMETER_AND_ROW * parameters * num_train_rows * training.epochs
    seconds = START_SECONDS + total_steps * STEP_SECONDS + flop / FLOPS
    return Estimate(total_steps, parameters, timedelta(seconds=round(seconds, 1)), memory_mib)


def _num_features(training: TabularTrain, table: Table) -> int:
    num_dates = len(training.date_columns)
    num_plain = len(table.columns) - 1 - len(training.exclude_columns) - num_dates
    return max(1, num_plain + DATE_FEATURES * num_dates)

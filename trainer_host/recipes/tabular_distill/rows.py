"""Reads the student's tables, each as its teachers read it, and the target in the teacher's classes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from headway.contract.errors import echo
from headway.contract.recipes import AttemptContext, RecipeInput, UserInputFailure
from headway.contract.specs.tabular_distill import TabularDistill
from headway.contract.specs.tabular_train import check_feature_columns
from headway.v1.job_specs_pb2 import TABULAR_TASK_CLASSIFICATION, TABULAR_TASK_REGRESSION
from trainer_host.recipes.tabular_distill.limits import NAMED
from trainer_host.recipes.tabular_distill.teachers import Teachers
from trainer_host.recipes.tabular_train.preparation import TABLE_ROLE
from trainer_host.recipes.tabular_train.preprocess import Preprocess, TargetColumn
from trainer_host.recipes.tabular_train.sources import RowSource, open_source
from trainer_host.recipes.tabular_train.table import Table, read_table
from trainer_host.recipes.tabular_train.target import Labels, has_target, read_target

UNLABELLED_ROLE = "unlabelled"

Tables = tuple[Table, ...]
"""The same rows once a teacher: each takes a column for the number or the text that it was in its own training."""


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows that have a target.

    Attributes:
        tables: as each teacher reads them.
        labels: their targets; classes are the teacher's, in its order.
        num_dropped: rows without a target, which are left out.
        digest: of the table's file.
    """

    tables: Tables
    labels: Labels
    num_dropped: int
    digest: str


def read_labelled(context: AttemptContext, spec: TabularDistill, teachers: Teachers) -> LabelledRows:
    """Read the rows to learn from.

    Raises:
        UserInputFailure: MISSING_COLUMN, TEACHER_TARGET, TEACHER_TASK, TEACHER_CLASSES, or what is wrong with the
            target.
        InvalidColumns: a column that the spec names is not in the table.
    """
    item = context.input(TABLE_ROLE)
    source = _open(item, spec.training.sheet_name)
    check_feature_columns(
        context.spec.tabular_distill.training, "tabular_distill.training", source.columns, needs_target=False
    )
    target = teachers[0].preprocess.target
    column = _target_column(source, spec.training.target_column or target.column, teachers)
    tables = _read(source, teachers, "table", target=column)
    is_kept = has_target(tables[0].column(column))
    num_dropped = int((~is_kept).sum())
    if num_dropped:
        context.warn(f"{num_dropped} of {is_kept.size} rows are left out because they have no target.")
        tables = taken(tables, np.flatnonzero(is_kept))
    labels = _labels(context, column, tables[0], target)
    context.detail(
        f"{tables[0].num_rows} rows, {len(source.columns)} columns", task=labels.task, classes=len(labels.classes)
    )
    return LabelledRows(tables, labels, num_dropped, item.digest)


def taken(tables: Tables, rows: NDArray[np.int64]) -> Tables:
    """The tables of some rows, in the order given; what is one table stays one."""
    distinct = {id(table): table.take(rows) for table in tables}
    return tuple(distinct[id(table)] for table in tables)


def read_unlabelled(context: AttemptContext, spec: TabularDistill, teachers: Teachers) -> Tables:
    """Read the rows that only the teachers speak of; none where the job has no such table.

    Raises:
        UserInputFailure: MISSING_COLUMN.
    """
    if not spec.has_unlabelled:
        return ()
    tables = _read(_open(context.input(UNLABELLED_ROLE)), teachers, "unlabelled table")
    context.detail(f"{tables[0].num_rows} rows without a target")
    return tables


def _open(item: RecipeInput, sheet_name: str = "") -> RowSource:
    return open_source(item.path, item.format or item.file_name.rpartition(".")[2], sheet_name)


def _target_column(source: RowSource, column: str, teachers: Teachers) -> str:
    if column not in source.columns:
        raise UserInputFailure(
            "MISSING_COLUMN",
            f"the table has no column {echo(column)}, which the teacher predicts; name its target as target_column",
        )
    if any(column in teacher.preprocess.blocks for teacher in teachers):
        raise UserInputFailure(
            "TEACHER_TARGET", f"the target {echo(column)} is a column that the teacher predicts from; name another"
        )
    return column


def _read(source: RowSource, teachers: Teachers, what: str, *, target: str = "") -> Tables:
    read: dict[tuple[frozenset[str], frozenset[str]], Table] = {}
    tables = []
    for place, teacher in enumerate(teachers):
        columns, as_text = _columns_of(teacher.preprocess)
        _check_columns(source, columns, f"the {what}", "the teacher" if place == 0 else "a further teacher")
        if (columns, as_text) not in read:
            skipped = [name for name in source.columns if name not in columns and name != target]
            read[columns, as_text] = read_table(source, skipped=skipped, as_text=as_text)
        tables.append(read[columns, as_text])
    return tuple(tables)


def _columns_of(preprocess: Preprocess) -> tuple[frozenset[str], frozenset[str]]:
    """Columns that a model takes, and those among them that it takes for text."""
    return frozenset(preprocess.blocks), preprocess.text_columns - {preprocess.target.column}


def _check_columns(source: RowSource, columns: frozenset[str], table: str, who: str) -> None:
    missing = sorted(columns.difference(source.columns))
    if missing:
        raise UserInputFailure(
            "MISSING_COLUMN",
            f"{table} has no column {_named(missing)}, which {who} was trained with; add it, or name another teacher",
        )


def _labels(context: AttemptContext, column: str, table: Table, target: TargetColumn) -> Labels:
    for warning in table.warnings:
        context.warn(warning)
    if target.task == "regression":
        return _numbers(column, table)
    labels = read_target(column, table.column(column), TABULAR_TASK_CLASSIFICATION)
    places = {label: place for place, label in enumerate(target.classes)}
    foreign = [label for label in labels.classes if label not in places]
    if foreign:
        raise UserInputFailure(
            "TEACHER_CLASSES",
            f"the target {echo(column)} holds {_named(foreign)}, and the teacher knows {_named(target.classes)}; leave "
            "such rows out, or name another teacher",
        )
    unseen = [label for label in target.classes if label not in labels.classes]
    if unseen:
        context.warn(
            f"No row is of class {', '.join(echo(label) for label in unseen[:NAMED])}, which the teacher knows."
        )
    order = np.array([places[label] for label in labels.classes], dtype=np.int64)
    return replace(labels, classes=target.classes, indices=order[labels.indices])


def _numbers(column: str, table: Table) -> Labels:
    try:
        return read_target(column, table.column(column), TABULAR_TASK_REGRESSION)
    except UserInputFailure as error:
        if error.reason != "TARGET_NOT_NUMERIC":
            raise
        raise UserInputFailure("TEACHER_TASK", f"the teacher is a regression, and {error.message}") from None


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(echo(name) for name in names[:NAMED]) + more

"""Splits rows into training, validation and test rows; stratified where there are classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer_host.recipes.tabular_train.limits import LEAST_BATCH_ROWS, LEAST_ROWS_TO_VALIDATE, VALIDATION_SHARE

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of rows, each set sorted; together every row once.

    Attributes:
        train: rows that weights and preprocessing are fitted to.
        validation: rows that choose the best epoch; empty in a small table.
        test: rows that only the final figures see.
    """

    train: Rows
    validation: Rows
    test: Rows


def split_rows(num_rows: int, classes: Rows, *, test_size: float, seed: int) -> Split:
    """Split at random.

    Args:
        num_rows: at least 3.
        classes: class of each row; empty where there are none.
        test_size: share of the test rows.
        seed: the same seed splits alike.
    """
    generator = np.random.default_rng(seed)
    strata = classes if classes.size else np.zeros(num_rows, dtype=np.int64)
    test, rest = _draw(np.arange(num_rows, dtype=np.int64), strata, test_size, generator)
    if rest.size < LEAST_ROWS_TO_VALIDATE:
        return Split(train=rest, validation=np.zeros(0, dtype=np.int64), test=test)
    validation, train = _draw(rest, strata, VALIDATION_SHARE, generator)
    return Split(train=train, validation=validation, test=test)


def _draw(rows: Rows, strata: Rows, share: float, generator: np.random.Generator) -> tuple[Rows, Rows]:
    """Draw a share of the rows, of each stratum as nearly as whole rows allow; the drawn and the rest."""
    wanted = min(max(round(rows.size * share), 1), rows.size - LEAST_BATCH_ROWS)
    labels, of_row, counts = np.unique(strata[rows], return_inverse=True, return_counts=True)
    quotas = _quotas(counts, wanted, rows.size)
    drawn = np.zeros(rows.size, dtype=bool)
    for stratum in range(labels.size):
        members = np.flatnonzero(of_row == stratum)
        drawn[generator.permutation(members)[: quotas[stratum]]] = True
    return rows[drawn], rows[~drawn]


def _quotas(counts: Rows, wanted: int, total: int) -> Rows:
    """How many to draw of each stratum: by largest remainder, and never the last row of one."""
    exact = counts * (wanted / total)
    quotas: Rows = np.minimum(np.floor(exact).astype(np.int64), counts - 1)
    order = np.lexsort((np.arange(counts.size), -(exact - quotas)))
    while (missing := wanted - int(quotas.sum())) > 0:
        open_strata = [stratum for stratum in order if quotas[stratum] < counts[stratum] - 1]
        if not open_strata:
            break
        for stratum in open_strata[:missing]:
            quotas[stratum] += 1
    return quotas

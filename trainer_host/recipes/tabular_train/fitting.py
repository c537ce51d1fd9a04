"""Fits the preprocessing to the training rows."""

import heapq

import numpy as np

from headway.contract.errors import echo
from headway.contract.recipes import UserInputFailure
from trainer_host.recipes.tabular_train.cells import Numbers
from trainer_host.recipes.tabular_train.dates import DATE_PARTS, expand, find_format
from trainer_host.recipes.tabular_train.limits import MAX_CATEGORIES
from trainer_host.recipes.tabular_train.number_embedding import fit_edges
from trainer_host.recipes.tabular_train.preprocess import (
    CategoricalColumn,
    DateColumn,
    NumericFeature,
    Preprocess,
    TargetColumn,
    feature_names,
    standardise,
)
from trainer_host.recipes.tabular_train.table import Table
from trainer_host.recipes.tabular_train.texts import Texts

_LEAST_DEVIATION = 1e-12
"""A constant column has a deviation of some rounding errors, which must not be blown up to 1."""

_LEAST_SCALE = 1e-300
"""Smaller ones have too few digits left to divide by."""


def find_date_formats(table: Table, columns: tuple[str, ...]) -> tuple[DateColumn, ...]:
    """The notation of each date column, found in all rows: it is how the file is written, not what it says.

    Raises:
        UserInputFailure: INVALID_DATE.
    """
    return tuple(DateColumn(column=name, format=find_format(name, table.texts[name])) for name in columns)


def fit(
    train: Table,
    *,
    target: TargetColumn,
    dates: tuple[DateColumn, ...],
    excluded: tuple[str, ...],
    max_bins: int = 0,
) -> tuple[Preprocess, list[str]]:
    """Fit medians, means, scales and categories.

    Args:
        train: the training rows; may hold the target's column too.
        target: already fitted.
        dates: columns to replace by calendar features.
        excluded: columns that are no features; only noted.
        max_bins: of the piecewise-linear embedding of each number; 0 means that numbers are not embedded.

    Returns:
        The preprocessing, and sentences that the owner should read.

    Raises:
        UserInputFailure: NO_FEATURES: nothing is left to learn from.
    """
    warnings: list[str] = []
    numeric = [
        _fit_numeric(name, values, max_bins)
        for name, values in train.numbers.items()
        if _has_values(name, values, warnings)
    ]
    for item in dates:
        parts = expand(item.column, train.texts[item.column], item.format)
        numeric += [_fit_numeric(f"{item.column}__{part}", parts[:, index]) for index, part in enumerate(DATE_PARTS)]
    dated = {item.column for item in dates}
    categorical = tuple(
        _fit_categorical(name, texts, warnings)
        for name, texts in train.texts.items()
        if name not in dated and name != target.column
    )
    names = feature_names(tuple(numeric), categorical)
    if not names:
        raise UserInputFailure("NO_FEATURES", "no column is left to learn from; exclude fewer")
    return (
        Preprocess(
            target=target,
            dates=dates,
            numeric=tuple(numeric),
            categorical=categorical,
            feature_names=names,
            excluded=excluded,
            empty=tuple(name for name, values in train.numbers.items() if np.isnan(values).all()),
        ),
        warnings,
    )


def _has_values(name: str, values: Numbers, warnings: list[str]) -> bool:
    if np.isnan(values).all():
        warnings.append(f"Column {echo(name)} is left out: it has no value in the training rows.")
        return False
    return True


def _fit_numeric(name: str, values: Numbers, max_bins: int = 0) -> NumericFeature:
    present = values[~np.isnan(values)]
    median = _median(present)
    mean, scale = mean_and_scale(np.where(np.isnan(values), median, values))
    least, greatest = (float(present.min()), float(present.max())) if present.size else (None, None)
    plain = NumericFeature(name=name, median=median, mean=mean, scale=scale, least=least, greatest=greatest)
    if not max_bins:
        return plain
    # In the precision that they are applied in.
    standardised = standardise(values, plain).astype(np.float32)
    return plain.model_copy(update={"edges": fit_edges(standardised, max_bins)})


def _median(values: Numbers) -> float:
    """As numpy's, but finite for all finite values, and without the 10 ms that its first call takes to import."""
    if not values.size:
        return 0.0
    ordered = np.sort(values)
    middle = values.size // 2
    return float(ordered[middle] if values.size % 2 else ordered[middle - 1] / 2 + ordered[middle] / 2)


def mean_and_scale(values: Numbers) -> tuple[float, float]:
    """Mean and standard deviation; 1 instead of a deviation of 0. Finite for all finite values, 1e308 too."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return 0.0, 1.0
    relative = values / largest
    mean = float(relative.mean())
    deviation = float(relative.std())
    scale = deviation * largest
    return mean * largest, scale if deviation > _LEAST_DEVIATION and scale > _LEAST_SCALE else 1.0


def _fit_categorical(name: str, texts: Texts, warnings: list[str]) -> CategoricalColumn:
    counts = {word: count for word, count in zip(texts.words, texts.counts().tolist(), strict=True) if count}
    categories = tuple(heapq.nsmallest(MAX_CATEGORIES, counts, key=lambda word: (-counts[word], word)))
    num_rare = len(counts) - len(categories)
    if num_rare:
        warnings.append(
            f"Column {echo(name)} has {len(counts)} different texts: the {len(categories)} most frequent are "
            f"features, the other {num_rare} share one. Exclude it when it is an identifier."
        )
    has_other = num_rare > 0 or bool(texts.is_absent.any())
    return CategoricalColumn(column=name, categories=categories, has_other=has_other)

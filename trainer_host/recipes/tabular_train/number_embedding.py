"""Piecewise-linear embedding of numbers: one input a bin, which says how far the value has come through that bin.

Source: Gorishniy and others, "On embeddings for numerical features in tabular deep learning", 2022.
"""

import numpy as np
from numpy.typing import NDArray

from trainer_host.recipes.tabular_train.limits import LEAST_BIN_WIDTH

Edges = tuple[float, ...]
Matrix = NDArray[np.float32]


def fit_edges(values: Matrix, max_bins: int) -> Edges:
    """Edges of bins that hold about as many training rows each.

    Args:
        values: standardised, of the training rows, none absent, one dimension.
        max_bins: at least 1.

    Returns:
        Ascending, one more than bins; empty where there would be less than two bins: a constant or two-valued column
        gains nothing.
    """
    ordered = np.sort(values)
    places = np.linspace(0, ordered.size - 1, max_bins + 1).round().astype(np.int64)
    edges: list[float] = []
    for edge in ordered[places].tolist():
        if not edges or edge - edges[-1] >= LEAST_BIN_WIDTH:
            edges.append(edge)
    return tuple(edges) if len(edges) > 2 else ()


def encode(values: Matrix, edges: Edges) -> Matrix:
    """0 before a bin, 1 after it, the share of the way within it; the outer bins go on outwards as lines.

    Args:
        values: standardised, one dimension.
        edges: as `fit_edges` returns.

    Returns:
        float32, rows x bins.
    """
    bounds = np.array(edges, dtype=np.float32)
    shares = (values[:, None] - bounds[None, :-1]) / np.diff(bounds)[None, :]
    if shares.shape[1] > 1:
        np.minimum(shares[:, :-1], 1.0, out=shares[:, :-1])
        np.maximum(shares[:, 1:], 0.0, out=shares[:, 1:])
    encoded: Matrix = shares
    return encoded

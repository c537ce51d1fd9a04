"""What a cell of a table says: nothing, a number, or a text."""

import math

import numpy as np
from numpy.typing import NDArray

MISSING_TEXTS = frozenset({"", "na", "n/a", "nan", "none", "null", "."})
"""What counts as an absent value, in any case and with any white space around."""


Numbers = NDArray[np.float64]
"""A numeric column; NaN where a value is absent."""


def is_missing(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.strip().lower() in MISSING_TEXTS


def parse_number(text: str) -> float | None:
    """The number that a cell holds: NaN for an absent one, None for a text. Infinities are texts."""
    try:
        value = float(text)
    except ValueError:
        return math.nan if is_missing(text) else None
    # Python reads 1_000 as a number; no other program does.
    return None if math.isinf(value) or "_" in text else value

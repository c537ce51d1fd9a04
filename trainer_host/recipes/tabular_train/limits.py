"""Numbers of this recipe that a spec does not say."""

LEAST_ROWS = 4
"""Rows with a target: two to train on, since batch normalisation needs two, and enough left to test."""

MAX_CLASSES = 1_000
"""Above it the target is surely no label; the confusion matrix alone would have a million cells."""

MAX_CATEGORIES = 64
"""Features made of one text column; rarer categories share the bucket "other"."""

VALIDATION_SHARE = 0.1
"""Share of the training rows that chooses the best epoch. The test rows must not, or their metric would flatter."""

LEAST_ROWS_TO_VALIDATE = 100
"""Training rows below which none are given up for validation; the training loss chooses the epoch instead."""

STEPS_BETWEEN_VALIDATIONS = 16
"""Epochs of few steps are not validated each: on a small table validation would cost as much as training."""

STANDARDISED_LIMIT = 1e6
"""Standardised values are clipped here, so that a value far outside the training range stays finite in float32."""

LEAST_BATCH_ROWS = 2
"""Batch normalisation of one row is undefined."""

WEIGHT_DECAY = 1e-4

ALMOST_NUMERIC_SHARE = 0.05
"""A text column with at most this share of values that are no numbers is worth a warning."""

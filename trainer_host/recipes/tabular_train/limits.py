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

LEAST_BIN_WIDTH = 1e-4
"""Of a piecewise-linear embedding, in standard deviations: narrower bins would turn rounding errors into features."""

MAX_BINS = 16
"""Bins of a number: each then holds enough rows of a table of some thousand, and a wide table stays trainable."""

EMBEDDED_MAX_BYTES = 1 << 30
"""Of all embedded rows together, float32; a table for which this is too little gets fewer bins."""

LABEL_SMOOTHING = 0.05
"""Of calibrated_classifier."""

CALIBRATION_BINS = 15
"""Of the expected calibration error."""

FOREST_TREES = 120
FOREST_DEPTH_CLASSES = 8
FOREST_DEPTH_NUMBERS = 10
FOREST_TEMPERATURE = 2.0
FOREST_ALPHA = 0.5
FOREST_ROWS_A_TREE = 100_000
"""A tree sees at most so many rows: more would take minutes and change little."""

BOOSTED_ITERATIONS = 100
"""scikit-learn's default."""

BOOSTED_TREES = 500
"""Trees in all: an iteration grows one for each class, so that many classes get fewer iterations."""

BOOSTED_LEAST_ITERATIONS = 10

BOOSTED_CELLS = 1_000_000_000
"""Rows x features x trees that the baseline may look at, about 5 s of one core; a larger table is sampled."""

BOOSTED_LEAST_ROWS = 1_000

BOOSTED_EARLY_STOPPING_ROWS = 10_000
"""Above it scikit-learn's boosting holds out some rows and stops early, which is its default."""

IMPORTANCE_REPEATS = 5
"""Shuffles of each column; fewer where that would take long."""

IMPORTANCE_ROWS = 2_000
"""Test rows that importance is measured on, at most."""

IMPORTANCE_OPERATIONS = 4_000_000_000
"""Multiplications that importance may take, about half a second of one core; beyond it there is none."""

LARGE_CSV_BYTES = 2 * 1024 * 1024
"""CSV files from here on are read by polars, which takes 0.4 s to import and is some ten times as fast from then on."""

FEATURES_MAX_BYTES = 8 << 30
"""Of all rows as float32; a table that needs more is refused before memory is asked for."""
